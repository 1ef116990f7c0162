"""Conversion of the stored pixel values of a CT slice to Hounsfield units."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.encaps import get_frame

from autocontour.base.errors import CTError
from autocontour.dicom import elements
from autocontour.dicom.elements import EXPLICIT_LITTLE, IMPLICIT_LITTLE, JPEG_FAMILY
from autocontour.dicom.header import SliceHeader
from autocontour.dicom.jpeg import decode_frame, is_whole
from autocontour.dicom.lut import read_lut
from autocontour.dicom.padding import AIR_HU, find_padding, is_replaced
from autocontour.dicom.read import guarded, read_bytes, read_dataset, unreadable
from autocontour.dicom.wording import shown

CHANGED = "AC-CT-006"
TRUNCATED = "AC-CT-040"
UNDECODABLE = "AC-CT-041"
_INT16 = np.iinfo(np.int16)
_NATIVE = (IMPLICIT_LITTLE, EXPLICIT_LITTLE)


class SliceRead(NamedTuple):
    """Properties of a slice after reading its pixels.

    Attributes
    ----------
    was_clipped
        Whether values beyond the range of int16 were clipped.
    is_uniform
        Whether all voxels have one value.
    padding
        (rows, columns), declared padding with values other than air; None without it.
    """

    was_clipped: bool
    is_uniform: bool
    padding: NDArray[np.bool_] | None = None


def read_slice(header: SliceHeader, hu: NDArray[np.int16]) -> SliceRead:
    """Fill `hu` (rows, columns) with the slice's Hounsfield units.

    Raises
    ------
    CTError
        If the file changed since the scan, is truncated, or cannot be decoded.
    """
    if _is_plain(header):
        _read_plain(header, hu)
        raw = hu if header.pixel_representation else hu.view(np.uint16)
    else:
        raw = _decode(header)
        if raw.shape != hu.shape:
            raise CTError(UNDECODABLE, file=shown(header.path), kind=f"{raw.shape[0]} × {raw.shape[1]} pixels")
    spare = header.bits_allocated - header.bits_stored
    if header.padding is None:
        stored, padding = _stored(raw, header, raw if spare else None), None
    else:
        stored = _stored(raw, header)
        padding = find_padding(raw, stored, header)
    if header.has_modality_lut:
        hu[...] = read_lut(header).apply(stored)
        return SliceRead(was_clipped=False, is_uniform=bool(stored.min() == stored.max()), padding=padding)
    if padding is None or not is_replaced(header):
        return _rescale(stored, header, hu)._replace(padding=padding)
    stored = np.where(padding, stored[~padding].min(initial=stored.max()), stored)
    read = _rescale(stored, header, hu)
    hu[padding] = AIR_HU
    return read._replace(padding=padding)


def _is_plain(header: SliceHeader) -> bool:
    """Whether the voxels are 16-bit numbers, little endian, in the file."""
    return header.transfer_syntax in _NATIVE and header.pixel_offset > 0 and header.bits_allocated == 16


def _read_plain(header: SliceHeader, hu: NDArray[np.int16]) -> None:
    """Read the Pixel Data directly into the array."""
    try:
        with header.path.open("rb", buffering=0) as file:
            check_unchanged(header, os.fstat(file.fileno()))
            file.seek(header.pixel_offset)
            missing = hu.data.cast("B")
            while missing and (count := file.readinto(missing)):  # a network drive may return less than requested
                missing = missing[count:]
    except OSError as fault:
        raise unreadable(header.path, fault) from fault
    if missing:
        raise _cut_short(header)


def _stored(raw: NDArray[Any], header: SliceHeader, out: NDArray[Any] | None = None) -> NDArray[Any]:
    """Return the values of the bits stored, which end at High Bit (PS3.5 8.1.1), with their sign extended."""
    size = 8 * raw.dtype.itemsize
    above, spare = size - 1 - header.high_bit, size - header.bits_stored
    if header.transfer_syntax not in elements.NATIVE or not spare:
        return raw  # decoders return the value itself
    shifted: NDArray[Any] = np.left_shift(raw, above, out=out)
    values: NDArray[Any] = np.right_shift(shifted, spare, out=out)
    return values


def check_unchanged(header: SliceHeader, status: os.stat_result | None = None) -> None:
    """Raise a `CTError` if the file (or the open one of this `status`) has changed since the scan."""
    try:
        status = status or header.path.stat()
    except OSError as fault:
        raise unreadable(header.path, fault) from fault
    if (status.st_size, status.st_mtime_ns) != (header.size, header.modified_ns):
        raise CTError(CHANGED, files=shown(header.path))


def _decode(header: SliceHeader) -> NDArray[Any]:
    """Return the stored values of compressed, big endian, deflated or unusual pixels."""
    dataset = _read_whole(header)
    with guarded(code=UNDECODABLE, where=shown(header.path)):
        if not header.transfer_syntax.startswith(JPEG_FAMILY):
            values: NDArray[Any] = dataset.pixel_array
            return values.astype(values.dtype.newbyteorder("="), copy=False)
        frame = get_frame(dataset.PixelData, 0, number_of_frames=1)
        if not is_whole(frame):
            raise _cut_short(header)
        return decode_frame(frame, header)


def _read_whole(header: SliceHeader) -> Dataset:
    data = read_bytes(header.path)
    check_unchanged(header)
    return read_dataset(data, code=UNDECODABLE)


def _cut_short(header: SliceHeader) -> CTError:
    return CTError(TRUNCATED, count=1, total=1, file=shown(header.path))


def _rescale(stored: NDArray[Any], header: SliceHeader, hu: NDArray[np.int16]) -> SliceRead:
    """Apply slope and intercept, exactly for whole numbers, to the nearest HU otherwise."""
    slope = header.rescale_slope or 1.0
    intercept = header.rescale_intercept or 0.0
    least, most = stored.min(), stored.max()
    ends = float(least) * slope + intercept, float(most) * slope + intercept
    fits = _INT16.min <= min(ends) and max(ends) <= _INT16.max
    if fits and slope == 1 and intercept.is_integer() and stored.dtype.itemsize == 2:
        # 16-bit sums that wrap around are correct if the result is in range.
        wrapped = np.int16((int(intercept) + (1 << 15)) % (1 << 16) - (1 << 15))
        np.add(stored.view(np.int16), wrapped, out=hu)
        return SliceRead(was_clipped=False, is_uniform=bool(least == most))
    values = stored * np.float64(slope) + intercept
    hu[...] = np.clip(np.rint(values), _INT16.min, _INT16.max)
    return SliceRead(not fits, bool(least == most))
