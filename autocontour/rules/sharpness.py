"""How sharp the image is, and what that means for a structure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from autocontour.base.findings import Finding
from autocontour.rules.anatomy import Anatomy

SLICES = 9  # looked at
AIR_HU, SKIN_HU = -700, -200  # the rise from air to skin between them takes 1.4 standard deviations of a Gaussian blur
WIDE_MM, WIDE_PX = 3.5, 1.2  # wider edges than both: thin bone and the wall of the trachea are averaged away
FEWEST_EDGES = 50


def find_edge_width_mm(anatomy: Anatomy) -> float:
    """Return the median width in mm of the edge between air and skin along the rows of a few slices; 0 without one."""
    hu = anatomy.ct.hu
    chosen = np.unique(np.linspace(0, len(hu) - 1, SLICES).round().astype(int))
    widths = np.concatenate([_edge_widths_px(plane) for plane in hu[chosen].astype(np.float32)])
    if len(widths) < FEWEST_EDGES:
        return 0.0
    return float(np.median(widths) * anatomy.ct.geometry.pixel_spacing_vu_mm[1])


def _edge_widths_px(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return for each row how many columns lie between its first crossings of `AIR_HU` and `SKIN_HU`."""
    places = []
    for level in (AIR_HU, SKIN_HU):
        above = plane > level
        first = above.argmax(axis=1)
        rows = np.arange(len(plane))
        high, low = plane[rows, first], plane[rows, np.maximum(first - 1, 0)]
        with np.errstate(divide="ignore", invalid="ignore"):
            place = first - (high - level) / (high - low)
        places.append(np.where(above.any(axis=1) & (first > 0), place, np.nan))
    widths = places[1] - places[0]
    return np.asarray(widths[np.isfinite(widths) & (widths < 20)], np.float32)


def doubt_sharpness(anatomy: Anatomy, name: str) -> list[Finding]:
    """Return whether blur makes the outline of a structure with thin walls uncertain."""
    width_mm = anatomy.find(find_edge_width_mm)
    if width_mm <= WIDE_MM or width_mm <= WIDE_PX * anatomy.ct.geometry.pixel_spacing_vu_mm[1]:
        return []
    return [Finding.of("AC-RU-021", name, name=name, width_mm=round(width_mm, 1))]
