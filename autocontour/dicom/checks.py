"""What can be wrong with a CT series, told from its headers alone.

Every case becomes a `Finding` with a stable code. A BLOCK stops the reading of that series; the few in `ACCEPTABLE`
a user may accept explicitly, and the volume then carries them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from autocontour.base.findings import Finding, Severity
from autocontour.dicom import elements
from autocontour.dicom.header import SliceHeader
from autocontour.dicom.placement import (
    Floats,
    angle_to_axial_deg,
    direction_of,
    is_axial,
    normal_positions,
    stray_from_normal_mm,
)
from autocontour.dicom.wording import counted, shown
from autocontour.patient.geometry import SPACING_TOLERANCE, SPACING_TOLERANCE_MM

CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
ENHANCED_CT = ("1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.2.2")

NOT_CT = "AC-CT-010"
MIXED_KINDS = "AC-CT-011"
LOCALIZER = "AC-CT-012"
MULTI_FRAME = "AC-CT-013"
NOT_HU = "AC-CT-014"
NO_RESCALE = "AC-CT-015"
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
TRUNCATED = "AC-CT-040"

ACCEPTABLE = frozenset({NOT_HU, MIXED_RESCALE, MISSING_SLICES, UNEVEN_SPACING, TILT_IN_HEADER})
"""Blocking findings that a user may accept explicitly; the rest would need guessing."""

OBLIQUE_LIMIT_DEG = 5.0
_AXIAL_DEG = 0.1
_TILT_DEG = 0.5
_SAME_POSITION_MM = 0.01
_COSINE_TOLERANCE = 1e-4
_RELATIVE_TOLERANCE = 1e-4
_LARGEST_MATRIX = 8192
_SYNTAXES = elements.NATIVE | elements.LOSSLESS | elements.LOSSY
_EXPORT_AGAIN = "Export the series again from the scanner or archive."
_ACCEPT = "Export the series again, or accept the finding explicitly: true slice positions are kept."


def check_series(slices: Sequence[SliceHeader]) -> tuple[Finding, ...]:
    """Check one series in spatial order, the most basic faults first.

    Where an earlier check took away what a later one builds on, the later one is left out.
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
        what = first.modality or "something without a modality"
        yield _block(NOT_CT, f"The series is {what}, not CT.", remedy="Choose the planning CT.")
        return
    if any(s.sop_class_uid in ENHANCED_CT or s.number_of_frames != 1 for s in slices):
        yield _block(
            MULTI_FRAME,
            "The series is an enhanced multi-frame CT, which is not supported.",
            remedy="Export it as classic CT images, one slice a file.",
        )
    elif len(kinds) > 1 or first.sop_class_uid != CT_IMAGE:
        others = [s for s in slices if (s.modality, s.sop_class_uid) != ("CT", CT_IMAGE)]
        code = MIXED_KINDS if len(others) < len(slices) else NOT_CT
        yield _block(
            code,
            f"Not CT images (secondary capture, MR, PET …): {_share(others, slices)}.",
            others[0],
            "Export the series without them.",
        )
    localizers = [s for s in slices if is_localizer(s)]
    if localizers:
        message = f"Localizers (scouts): {_share(localizers, slices)}."
        yield _block(LOCALIZER, message, localizers[0], "Export the series without the localizer.")
    if any(s.lossy or s.transfer_syntax in elements.LOSSY for s in slices):
        yield Finding(LOSSY, Severity.WARN, "The pixels were compressed with loss before they came here.")


def is_localizer(header: SliceHeader) -> bool:
    """Whether Image Type says localizer (PS3.3 C.8.2.1.1.1)."""
    return "LOCALIZER" in header.image_type


def _check_presence(slices: Sequence[SliceHeader]) -> Iterator[Finding]:
    required = (
        (NO_FRAME_OF_REFERENCE, "Frame of Reference UID", lambda s: s.frame_of_reference_uid),
        (NO_POSITION, "Image Position (Patient)", lambda s: s.position_lps_mm is not None),
        (NO_ORIENTATION, "Image Orientation (Patient)", lambda s: direction_of(s.orientation) is not None),
        (NO_PIXEL_SPACING, "Pixel Spacing", lambda s: s.pixel_spacing_vu_mm is not None),
    )
    for code, name, is_there in required:
        without = [s for s in slices if not is_there(s)]
        if without:
            yield _block(code, f"No valid {name} in {_share(without, slices)}.", without[0])
    yield from _check_pixel_format(slices)


def _check_pixel_format(slices: Sequence[SliceHeader]) -> Iterator[Finding]:
    foreign = [s for s in slices if s.transfer_syntax not in _SYNTAXES]
    if foreign:
        message = f"The pixels are encoded in a way that is not supported in {_share(foreign, slices)}."
        yield _block(TRANSFER_SYNTAX, message, foreign[0], "Export the series uncompressed.")
    odd = [s for s in slices if not _is_grey(s)]
    if odd:
        message = f"No greyscale image of a size and depth that CT has: {_share(odd, slices)}."
        yield _block(PIXEL_FORMAT, message, odd[0])
    long = [s for s in slices if _excess_bytes(s) > 1]
    if long:
        yield _block(EXCESS, f"More pixel data than rows and columns in {_share(long, slices)}.", long[0])
    short = [s for s in slices if _excess_bytes(s) < 0]
    if short:
        message = f"The pixel data are cut short in {_share(short, slices)}."
        yield _block(TRUNCATED, message, short[0], "Copy the files again, whole.")
    bare = [s for s in slices if s.rescale_slope is None or s.rescale_intercept is None or s.rescale_slope <= 0]
    if bare:
        yield _rescale_missing(slices, bare)
    units = {s.rescale_type for s in slices} - {"", "HU", "US"}
    if units:
        message = "The voxels are not Hounsfield units: Rescale Type is " + ", ".join(sorted(units))[:32] + "."
        yield _block(NOT_HU, message, remedy="Choose the planning CT in Hounsfield units.")


def _is_grey(header: SliceHeader) -> bool:
    return (
        header.samples_per_pixel == 1
        and 0 < header.rows <= _LARGEST_MATRIX
        and 0 < header.columns <= _LARGEST_MATRIX
        and header.bits_allocated in (8, 16, 32)
        and 0 < header.bits_stored <= header.bits_allocated
        and (header.pixel_length != elements.UNDEFINED or header.transfer_syntax not in elements.NATIVE)
    )


def _excess_bytes(header: SliceHeader) -> int:
    """By how much native pixel data are longer than the matrix; 0 where only decoding can tell."""
    if not header.pixel_offset or header.transfer_syntax not in elements.NATIVE:
        return 0
    needed = header.rows * header.columns * header.bits_allocated // 8
    return min(header.pixel_length, header.size - header.pixel_offset) - needed


def _rescale_missing(slices: Sequence[SliceHeader], bare: Sequence[SliceHeader]) -> Finding:
    """Signed stored values can be HU as they are; unsigned ones cannot hold air."""
    message = f"No valid rescale slope or intercept in {_share(bare, slices)}"
    if all(rescale_of(s) == (None, None) and s.pixel_representation == 1 for s in slices):
        return Finding(NO_RESCALE, Severity.WARN, f"{message}; the stored values are taken as Hounsfield units.")
    return _block(NO_RESCALE, f"{message}, and the stored values cannot be Hounsfield units.", bare[0])


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
    for code, name, others in (
        (MIXED_MATRIX, "numbers of rows and columns", matrix),
        (MIXED_PIXEL_SPACING, "pixel spacing", spacing),
        (MIXED_ORIENTATION, "orientation", orientation),
        (MIXED_RESCALE, "rescale slope or intercept", rescale),
    ):
        if others:
            yield _block(code, f"The slices differ in their {name}.", others[0])


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


def _check_steps(slices: Sequence[SliceHeader], steps: Floats) -> Iterator[Finding]:
    """Slice steps are sound when all are equal within 1 % and 0.1 mm."""
    if not len(steps):
        yield Finding(ONE_SLICE, Severity.WARN, "The series is a single slice; volumes assume a spacing of 1 mm.")
        return
    same = steps < _SAME_POSITION_MM
    if same.any():
        message = (
            f"{counted(int(same.sum()), 'slice')} at the position of another: two acquisitions or phases in one series."
        )
        yield _block(
            SAME_POSITION, message, slices[int(same.argmax()) + 1], "Export one acquisition or phase as its own series."
        )
        return
    usual = float(np.median(steps))
    off = np.abs(steps - usual) > min(SPACING_TOLERANCE * usual, SPACING_TOLERANCE_MM)
    if not off.any():
        return
    gaps = np.rint(steps[off] / usual)
    first = int(off.argmax())
    where = slices[first]
    at = f"after the slice {steps[:first].sum():.1f} mm into the stack"
    beside = np.flatnonzero(off)
    about = tuple(np.union1d(beside, beside + 1).tolist())
    whole = (gaps >= 2) & (np.abs(steps[off] - gaps * usual) <= SPACING_TOLERANCE_MM * gaps)
    if whole.all():
        missing = int((gaps - 1).sum())
        yield _block(MISSING_SLICES, f"{counted(missing, 'slice')} missing, the first {at}.", where, _ACCEPT, about)
    else:
        message = f"The slice spacing changes between {steps.min():.2f} and {steps.max():.2f} mm, first {at}."
        yield _block(UNEVEN_SPACING, message, where, _ACCEPT, about)


def _check_tilt(slices: Sequence[SliceHeader], origins: Floats, direction: Floats) -> Iterator[Finding]:
    stray = stray_from_normal_mm(origins, direction)
    length = normal_positions(origins, direction)
    length = np.abs(length - length[0])
    off = np.linalg.norm(stray, axis=1) > SPACING_TOLERANCE_MM + length * 1e-3
    if off.any():
        yield _stray_finding(slices, stray, length, int(np.flatnonzero(off)[0]))
    elif max(abs(s.gantry_tilt_deg) for s in slices) > _TILT_DEG:
        message = "The header speaks of a tilted gantry, the slice positions do not."
        yield _block(TILT_IN_HEADER, message, remedy="Check the scan; if the slices are upright, accept the finding.")


def _stray_finding(slices: Sequence[SliceHeader], stray: Floats, length: Floats, first: int) -> Finding:
    shear = stray[-1] / length[-1]
    is_linear = bool(np.abs(stray - length[:, None] * shear).max() <= SPACING_TOLERANCE_MM + length[-1] * 1e-3)
    if is_linear:
        angle = float(np.degrees(np.arctan(np.linalg.norm(shear))))
        message = f"The gantry was tilted: the stack of slices leans by {angle:.1f}° from their normal."
        return _block(GANTRY_TILT, message, remedy="Plan on a scan without gantry tilt.")
    message = f"Slices are shifted sideways by up to {np.linalg.norm(stray, axis=1).max():.1f} mm."
    return _block(SHIFTED_SLICES, message, slices[first], "Export slices of one reconstruction.")


def _check_obliquity(direction: Floats) -> Iterator[Finding]:
    angle = angle_to_axial_deg(direction)
    if not is_axial(direction) or angle > OBLIQUE_LIMIT_DEG:
        message = f"The slices are oblique: {angle:.0f}° from the nearest axial orientation."
        yield _block(OBLIQUE, message, remedy="Plan on axial slices.")
    elif angle > _AXIAL_DEG:
        message = f"The slices are oblique by {angle:.1f}°; contours lie in the slices' own planes."
        yield Finding(SLIGHTLY_OBLIQUE, Severity.INFO, message)


_STAGES = (
    (_check_kind, {NOT_CT, MULTI_FRAME}),
    (_check_presence, {NO_POSITION, NO_ORIENTATION, NO_PIXEL_SPACING}),
    (_check_sameness, {MIXED_ORIENTATION}),
    (_check_placement, set[str]()),
)


def _share(some: Sequence[SliceHeader], slices: Sequence[SliceHeader]) -> str:
    return f"{len(some)} of {counted(len(slices), 'file')}"


def _block(
    code: str,
    message: str,
    header: SliceHeader | None = None,
    remedy: str = _EXPORT_AGAIN,
    slices: tuple[int, ...] = (),
) -> Finding:
    return Finding(code, Severity.BLOCK, message, shown(header.path) if header else "", remedy, slices)


def blocking(findings: Sequence[Finding], accepted: frozenset[str] = frozenset()) -> list[Finding]:
    """Return the findings that still stop the work once the acceptable ones among `accepted` are let through."""
    allowed = accepted & ACCEPTABLE
    return [f for f in findings if f.severity is Severity.BLOCK and f.code not in allowed]
