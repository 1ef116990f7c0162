"""Checks of a CT series by its headers.

Every case becomes a `Finding` with a stable code. A BLOCK stops the reading of that series; the few in `ACCEPTABLE`
a user may accept explicitly, and the volume then contains them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from pydicom.uid import UID

from autocontour.base.errors import CTError
from autocontour.base.findings import Finding, Severity
from autocontour.dicom import elements
from autocontour.dicom.acquisitions import INTERLEAVED, check_acquisitions, check_order
from autocontour.dicom.extent import WRONG_SIZE, check_extent
from autocontour.dicom.header import SliceHeader
from autocontour.dicom.lut import check_luts
from autocontour.dicom.placement import (
    Floats,
    angle_to_axial_deg,
    direction_of,
    is_axial,
    normal_positions,
    stray_from_normal_mm,
)
from autocontour.dicom.values import NO_NEGATIVE_VALUES, NOT_HU_VALUES
from autocontour.dicom.wording import shown
from autocontour.patient.geometry import SPACING_TOLERANCE, SPACING_TOLERANCE_MM

CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
ENHANCED_CT = ("1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.2.2")

NOT_CT = "AC-CT-010"
MIXED_KINDS = "AC-CT-011"
LOCALIZER = "AC-CT-012"
MULTI_FRAME = "AC-CT-013"
NOT_HU = "AC-CT-014"
NO_RESCALE = "AC-CT-015"
RESCALE_ABSENT = "AC-CT-039"
MIXED_RESCALE = "AC-CT-016"
PIXEL_FORMAT = "AC-CT-017"
LOSSY = "AC-CT-018"
TRANSFER_SYNTAX = "AC-CT-019"
NO_FRAME_OF_REFERENCE = "AC-CT-020"
NO_POSITION = "AC-CT-021"
NO_PIXEL_SPACING = "AC-CT-022"
NO_ORIENTATION = "AC-CT-023"
MIXED_MATRIX = "AC-CT-024"
MIXED_PIXEL_SPACING = "AC-CT-025"
MIXED_ORIENTATION = "AC-CT-026"
MIXED_BITS = "AC-CT-068"
GANTRY_TILT = "AC-CT-027"
SHIFTED_SLICES = "AC-CT-028"
OBLIQUE = "AC-CT-029"
SLIGHTLY_OBLIQUE = "AC-CT-030"
SAME_POSITION = "AC-CT-031"
MISSING_SLICES = "AC-CT-032"
UNEVEN_SPACING = "AC-CT-033"
ONE_SLICE = "AC-CT-034"
TILT_IN_HEADER = "AC-CT-035"
EXCESS = "AC-CT-036"
PADDED = "AC-CT-048"
TRUNCATED = "AC-CT-040"
COMBINED = "AC-CT-071"

ACCEPTABLE = frozenset(
    {
        *(NOT_HU, MIXED_RESCALE, MISSING_SLICES, UNEVEN_SPACING, TILT_IN_HEADER),
        *(INTERLEAVED, WRONG_SIZE, NO_NEGATIVE_VALUES, NOT_HU_VALUES),
    }
)
"""Blocking findings that a user may accept explicitly; the others would need assumptions."""

COMBINATIONS = frozenset(
    {"MIP", "MAX_IP", "MAXIMUM", "MINIP", "MIN_IP", "MINIMUM", "SUBTRACTION", "ADDITION", "STD_DEVIATION"}
)
"""Values of Image Type whose voxels are of no single state of the patient (PS3.3 C.8.16.1.4, and names in use)."""

OBLIQUE_LIMIT_DEG = 5.0
_AXIAL_DEG = 0.1
_TILT_DEG = 0.5
_SAME_POSITION_MM = 0.01
_COSINE_TOLERANCE = 1e-4
_RELATIVE_TOLERANCE = 1e-4
_LARGEST_MATRIX = 8192
_FEWEST_BITS = 8
_SYNTAXES = elements.NATIVE | elements.LOSSLESS | elements.LOSSY


def check_series(slices: Sequence[SliceHeader]) -> tuple[Finding, ...]:
    """Check one series in spatial order, the most basic faults first.

    A check is omitted if an earlier one on which it depends has failed.
    """
    findings: list[Finding] = []
    for stage, ends in _STAGES:
        findings += stage(slices)
        if any(f.code in ends for f in findings):
            break
    return tuple(findings)


def _check_kind(slices: Sequence[SliceHeader]) -> Iterator[Finding]:
    first = slices[0]
    kinds = Counter((s.modality, s.sop_class_uid) for s in slices)
    if not any(s.modality == "CT" for s in slices):
        yield _not_ct(first)
        return
    if any(s.sop_class_uid in ENHANCED_CT or s.number_of_frames != 1 for s in slices):
        yield Finding.of(MULTI_FRAME)
    elif len(kinds) > 1 or first.sop_class_uid != CT_IMAGE:
        others = [s for s in slices if (s.modality, s.sop_class_uid) != ("CT", CT_IMAGE)]
        if len(others) < len(slices):
            yield _share(MIXED_KINDS, others, slices)
        else:
            yield _not_ct(first)
    localizers = [s for s in slices if is_localizer(s)]
    if localizers:
        yield _share(LOCALIZER, localizers, slices)
    combined = sorted({value for s in slices for value in s.image_type} & COMBINATIONS)
    if combined:
        yield Finding.of(COMBINED, image_type=", ".join(combined))
    if any(s.lossy or s.transfer_syntax in elements.LOSSY for s in slices):
        yield Finding.of(LOSSY)


def _not_ct(first: SliceHeader) -> Finding:
    return Finding.of(NOT_CT, modality=first.modality[:16] or "-", sop_class=UID(first.sop_class_uid).name[:64])


def is_localizer(header: SliceHeader) -> bool:
    """Whether Image Type contains LOCALIZER (PS3.3 C.8.2.1.1.1)."""
    return "LOCALIZER" in header.image_type


def _check_presence(slices: Sequence[SliceHeader]) -> Iterator[Finding]:
    required = (
        (NO_FRAME_OF_REFERENCE, lambda s: s.frame_of_reference_uid),
        (NO_POSITION, lambda s: s.position_lps_mm is not None),
        (NO_ORIENTATION, lambda s: direction_of(s.orientation) is not None),
        (NO_PIXEL_SPACING, lambda s: s.pixel_spacing_vu_mm is not None),
    )
    for code, is_there in required:
        without = [s for s in slices if not is_there(s)]
        if without:
            yield _share(code, without, slices)
    yield from _check_pixel_format(slices)
    yield from _check_rescale(slices)


def _check_pixel_format(slices: Sequence[SliceHeader]) -> Iterator[Finding]:
    foreign = [s for s in slices if s.transfer_syntax not in _SYNTAXES]
    if foreign:
        yield _share(TRANSFER_SYNTAX, foreign, slices)
    odd = [s for s in slices if not _is_grey(s)]
    if odd:
        yield _share(PIXEL_FORMAT, odd, slices)
        return
    excess = [_excess_bytes(s) for s in slices]
    long = [s for s, size in zip(slices, excess, strict=True) if size > 1 and _is_of_another_matrix(s, size)]
    if long:
        yield _share(EXCESS, long, slices)
    padded = [s for s, size in zip(slices, excess, strict=True) if size > 1 and not _is_of_another_matrix(s, size)]
    if padded:
        yield Finding.of(PADDED, shown(padded[0].path), count=len(padded), total=len(slices), size=max(excess))
    short = [s for s, size in zip(slices, excess, strict=True) if size < 0]
    if short:
        yield Finding.of(TRUNCATED, count=len(short), total=len(slices), file=shown(short[0].path))


def _check_rescale(slices: Sequence[SliceHeader]) -> Iterator[Finding]:
    with_lut = [s for s in slices if s.has_modality_lut]
    if with_lut:
        yield from check_luts(slices, with_lut)
    else:
        bare = [s for s in slices if not _is_rescaled(s)]
        if bare and not any(s.has_rescale for s in slices) and all(s.pixel_representation == 1 for s in slices):
            yield Finding.of(RESCALE_ABSENT)
        elif bare:
            yield _share(NO_RESCALE, bare, slices)
    units = {s.rescale_type for s in slices} - {"", "HU", "US"}
    if units:
        yield Finding.of(NOT_HU, types=", ".join(sorted(units))[:32])


def _is_rescaled(header: SliceHeader) -> bool:
    return header.rescale_slope is not None and header.rescale_intercept is not None and header.rescale_slope > 0


def _is_grey(header: SliceHeader) -> bool:
    return (
        header.samples_per_pixel == 1
        and 0 < header.rows <= _LARGEST_MATRIX
        and 0 < header.columns <= _LARGEST_MATRIX
        and header.bits_allocated in (8, 16, 32)
        and _FEWEST_BITS <= header.bits_stored <= header.high_bit + 1 <= header.bits_allocated
        and header.pixel_representation in (0, 1)
        and (header.high_bit == header.bits_stored - 1 or header.transfer_syntax in elements.NATIVE)
        and (header.pixel_length != elements.UNDEFINED or header.transfer_syntax not in elements.NATIVE)
    )


def _excess_bytes(header: SliceHeader) -> int:
    """Excess length of native pixel data over the matrix; 0 if it is only known after decoding."""
    if not header.pixel_offset or header.transfer_syntax not in elements.NATIVE:
        return 0
    needed = header.rows * header.columns * header.bits_allocated // 8
    return min(header.pixel_length, header.size - header.pixel_offset) - needed


def _is_of_another_matrix(header: SliceHeader, excess: int) -> bool:
    """Whether excess bytes can be rows, columns or frames; padding at the end (PS3.5 8.1.1) is none of these."""
    size = header.bits_allocated // 8
    frame = header.rows * header.columns * size
    return excess >= frame or excess % (header.rows * size) == 0 or excess % (header.columns * size) == 0


def _check_sameness(slices: Sequence[SliceHeader]) -> Iterator[Finding]:
    first = slices[0]
    matrix = [s for s in slices if (s.rows, s.columns) != (first.rows, first.columns)]
    rescale = [s for s in slices if (s.rescale_slope, s.rescale_intercept) != rescale_of(first)]
    spacings = np.array([s.pixel_spacing_vu_mm for s in slices])
    orientations = np.array([s.orientation for s in slices])
    off_spacing = (np.abs(spacings / spacings[0] - 1) > _RELATIVE_TOLERANCE).any(axis=1)
    off_orientation = (np.abs(orientations - orientations[0]) > _COSINE_TOLERANCE).any(axis=1)
    spacing = [s for s, off in zip(slices, off_spacing, strict=True) if off]
    orientation = [s for s, off in zip(slices, off_orientation, strict=True) if off]
    for code, others in (
        (MIXED_MATRIX, matrix),
        (MIXED_PIXEL_SPACING, spacing),
        (MIXED_ORIENTATION, orientation),
        (MIXED_RESCALE, rescale),
    ):
        if others:
            yield Finding.of(code, shown(others[0].path))
    others = [s for s in slices if _bits_of(s) != _bits_of(first)]
    if others:
        yield _share(MIXED_BITS, others, slices)


def _bits_of(header: SliceHeader) -> tuple[int, ...]:
    return header.bits_allocated, header.bits_stored, header.high_bit, header.pixel_representation


def rescale_of(header: SliceHeader) -> tuple[float | None, float | None]:
    """Rescale Slope and Intercept."""
    return header.rescale_slope, header.rescale_intercept


def _check_placement(slices: Sequence[SliceHeader]) -> Iterator[Finding]:
    direction = direction_of(slices[0].orientation)
    assert direction is not None  # checked by _check_presence
    origins = np.array([s.position_lps_mm for s in slices])
    positions = normal_positions(origins, direction)
    steps = np.diff(positions)
    yield from _check_steps(slices, steps)
    if (steps >= _SAME_POSITION_MM).all():
        yield from _check_tilt(slices, origins, direction)
    yield from _check_obliquity(direction)
    yield from check_acquisitions(slices)
    yield from check_order(slices, positions, direction)
    yield from check_extent(slices, positions)


def _check_steps(slices: Sequence[SliceHeader], steps: Floats) -> Iterator[Finding]:
    """Slice steps are valid if all are equal within 1 % and 0.1 mm."""
    if not len(steps):
        yield Finding.of(ONE_SLICE)
        return
    same = steps < _SAME_POSITION_MM
    if same.any():
        yield Finding.of(SAME_POSITION, shown(slices[int(same.argmax()) + 1].path), count=int(same.sum()))
        return
    usual = float(np.median(steps))
    off = np.abs(steps - usual) > min(SPACING_TOLERANCE * usual, SPACING_TOLERANCE_MM)
    if not off.any():
        return
    gaps = np.rint(steps[off] / usual)
    first = int(off.argmax())
    where, at_mm = shown(slices[first].path), float(steps[:first].sum())
    beside = np.flatnonzero(off)
    about = tuple(np.union1d(beside, beside + 1).tolist())
    whole = (gaps >= 2) & (np.abs(steps[off] - gaps * usual) <= SPACING_TOLERANCE_MM * gaps)
    if whole.all():
        yield Finding.of(MISSING_SLICES, where, about, count=int((gaps - 1).sum()), at_mm=at_mm)
    else:
        least, most = float(steps.min()), float(steps.max())
        yield Finding.of(UNEVEN_SPACING, where, about, least_mm=least, most_mm=most, at_mm=at_mm)


def _check_tilt(slices: Sequence[SliceHeader], origins: Floats, direction: Floats) -> Iterator[Finding]:
    stray = stray_from_normal_mm(origins, direction)
    length = normal_positions(origins, direction)
    length = np.abs(length - length[0])
    off = np.linalg.norm(stray, axis=1) > SPACING_TOLERANCE_MM + length * 1e-3
    if off.any():
        yield _stray_finding(slices, stray, length, int(np.flatnonzero(off)[0]))
    elif max(abs(s.gantry_tilt_deg) for s in slices) > _TILT_DEG:
        yield Finding.of(TILT_IN_HEADER)


def _stray_finding(slices: Sequence[SliceHeader], stray: Floats, length: Floats, first: int) -> Finding:
    shear = stray[-1] / length[-1]
    is_linear = bool(np.abs(stray - length[:, None] * shear).max() <= SPACING_TOLERANCE_MM + length[-1] * 1e-3)
    if is_linear:
        angle = float(np.degrees(np.arctan(np.linalg.norm(shear))))
        return Finding.of(GANTRY_TILT, angle_deg=angle)
    shift = float(np.linalg.norm(stray, axis=1).max())
    return Finding.of(SHIFTED_SLICES, shown(slices[first].path), shift_mm=shift)


def _check_obliquity(direction: Floats) -> Iterator[Finding]:
    angle = angle_to_axial_deg(direction)
    if not is_axial(direction) or angle > OBLIQUE_LIMIT_DEG:
        yield Finding.of(OBLIQUE, angle_deg=angle)
    elif angle > _AXIAL_DEG:
        yield Finding.of(SLIGHTLY_OBLIQUE, angle_deg=angle)


_STAGES = (
    (_check_kind, {NOT_CT, MULTI_FRAME}),
    (_check_presence, {NO_POSITION, NO_ORIENTATION, NO_PIXEL_SPACING}),
    (_check_sameness, {MIXED_ORIENTATION}),
    (_check_placement, set[str]()),
)


def _share(code: str, some: Sequence[SliceHeader], slices: Sequence[SliceHeader]) -> Finding:
    """Make a Finding about `some` of the `slices`, with the position of the first."""
    return Finding.of(code, shown(some[0].path), count=len(some), total=len(slices))


def blocking(findings: Sequence[Finding], accepted: frozenset[str] = frozenset()) -> list[Finding]:
    """Return the blocking findings, without the acceptable ones in `accepted`."""
    allowed = accepted & ACCEPTABLE
    return [f for f in findings if f.severity is Severity.BLOCK and f.code not in allowed]


def refuse_blocked(findings: Sequence[Finding], accepted: frozenset[str] = frozenset()) -> None:
    """Raise a `CTError` for the first blocking finding, with the others as its problems."""
    blocks = blocking(findings, accepted)
    if not blocks:
        return
    first, *others = blocks
    values: dict[str, Any] = dict(first.values)
    raise CTError(first.code, others, first.where, **values)
