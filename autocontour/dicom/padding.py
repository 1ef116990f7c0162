"""Pixel Padding Value and Pixel Padding Range Limit (PS3.3 C.7.5.1.1.2): voxels outside the field of view."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from autocontour.dicom.header import SliceHeader

TISSUE_PADDING = "AC-CT-058"
AIR_HU = -1024
_COLDEST_AIR_HU = -1060
_GAS_HU = -900
_HARDEST_TISSUE_HU = 3071

Mask = NDArray[np.bool_]


def find_padding(raw: NDArray[Any], stored: NDArray[Any], header: SliceHeader) -> Mask | None:
    """Find the padding of a slice that differs from air.

    Parameters
    ----------
    raw
        (rows, columns), raw, with all allocated bits.
    stored
        The values of the stored bits.
    header
        Of one slice.

    Returns
    -------
    (rows, columns) bool or None
        None if there is no padding, or if it has the value of air, from which it cannot be distinguished.
    """
    span = _span(header)
    if span is None or _COLDEST_AIR_HU <= padding_hu(header) <= _GAS_HU:
        return None
    low, high = span
    bits = header.bits_stored - (header.pixel_representation == 1)
    least = -(1 << bits) if header.pixel_representation == 1 else 0
    values = stored if least <= low <= high < 1 << bits else raw
    padding = values == low if low == high else (values >= low) & (values <= high)
    if not padding.any():
        return None
    return connected_to_edge(padding) if is_like_tissue(header) else padding


def padding_hu(header: SliceHeader) -> float:
    """Hounsfield units of the padding after the rescale; of a range, the end nearest to tissue."""
    slope, intercept = header.rescale_slope or 1.0, header.rescale_intercept or 0.0
    return max((value * slope + intercept for value in _span(header) or ()), default=float(AIR_HU))


def is_like_tissue(header: SliceHeader) -> bool:
    """Whether tissue can have the value of the padding."""
    return _GAS_HU < padding_hu(header) <= _HARDEST_TISSUE_HU


def is_replaced(header: SliceHeader) -> bool:
    """Whether the padding is replaced by air; values below that of air already count as air."""
    return padding_hu(header) > _GAS_HU


def connected_to_edge(mask: Mask) -> Mask:
    """Return the parts of a (rows, columns) mask that reach its edge."""
    from scipy import ndimage

    parts, _ = ndimage.label(mask)
    at_edge = np.unique(np.concatenate([parts[0], parts[-1], parts[:, 0], parts[:, -1]]))
    connected: Mask = np.isin(parts, at_edge[at_edge > 0])
    return connected


def _span(header: SliceHeader) -> tuple[int, int] | None:
    if header.padding is None:
        return None
    other = header.padding if header.padding_limit is None else header.padding_limit
    return min(header.padding, other), max(header.padding, other)
