"""Check of the image's size against that of a patient."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from autocontour.base.findings import Finding
from autocontour.dicom.header import SliceHeader
from autocontour.dicom.placement import Floats

WRONG_SIZE = "AC-CT-054"
UNUSUAL_SIZE = "AC-CT-055"
THICKNESS = "AC-CT-062"
DIAMETER = "AC-CT-067"

_LARGEST_FIELD_MM = 1000.0
_LARGE_FIELD_MM = 850.0  # the widest field that scanners reconstruct
_SMALL_FIELD_MM = 60.0
_SMALL_MATRIX = 64
_FULL_MATRIX = 512
_LONGEST_MM = 2500.0
_LONG_MM = 2100.0
_WIDEST_GAP = 2.5
_WIDEST_OVERLAP = 5.0
_DIAMETER_TOLERANCE = 0.05
_SQUARE = 2.0


def check_extent(slices: Sequence[SliceHeader], positions_mm: Floats) -> Iterator[Finding]:
    """Compare the image's size with that of a patient, and with other attributes of the header.

    Parameters
    ----------
    slices
        In spatial order, all with a Pixel Spacing.
    positions_mm
        Along the slice normal.
    """
    first = slices[0]
    assert first.pixel_spacing_vu_mm is not None
    v, u = first.pixel_spacing_vu_mm
    spacing = float(np.median(np.diff(positions_mm))) if len(slices) > 1 else 0.0
    width, height, length = first.columns * u, first.rows * v, float(np.ptp(positions_mm)) + spacing
    field = max(width, height)
    is_small = field < _SMALL_FIELD_MM and max(first.rows, first.columns) >= _SMALL_MATRIX
    is_impossible = field > _LARGEST_FIELD_MM or length > _LONGEST_MM
    is_unusual = field > _LARGE_FIELD_MM or length > _LONG_MM or is_small or not 1 / _SQUARE <= u / v <= _SQUARE
    if is_impossible or is_unusual:
        code = WRONG_SIZE if is_impossible else UNUSUAL_SIZE
        yield Finding.of(code, width_mm=width, height_mm=height, length_mm=length)
    yield from _check_thickness(slices, spacing)
    diameter = first.reconstruction_diameter_mm
    if diameter:
        is_cropped = width < diameter and first.columns < _FULL_MATRIX
        if abs(width / diameter - 1) > _DIAMETER_TOLERANCE and not is_cropped:
            yield Finding.of(DIAMETER, width_mm=width, diameter_mm=diameter)


def _check_thickness(slices: Sequence[SliceHeader], spacing_mm: float) -> Iterator[Finding]:
    thickness = slices[0].slice_thickness_mm
    if not thickness or thickness < 0 or spacing_mm <= 0:
        return
    if spacing_mm > _WIDEST_GAP * thickness or thickness > _WIDEST_OVERLAP * spacing_mm:
        yield Finding.of(THICKNESS, thickness_mm=thickness, spacing_mm=spacing_mm)
