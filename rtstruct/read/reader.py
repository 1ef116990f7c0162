"""A DICOM structure set as the program's own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from pydicom import Dataset
from pydicom.uid import RTStructureSetStorage

from autocontour.base.errors import StructureSetError
from autocontour.base.findings import Finding, Severity
from autocontour.dicom.read import guarded, read_dataset
from autocontour.patient.structures import Structure, StructureSet
from autocontour.patient.volume import CTVolume, SeriesReference
from autocontour.rtstruct.encoding import raw_element
from autocontour.rtstruct.read.import_roi import import_roi
from autocontour.rtstruct.read.parse import FileRoi, check_whole, parse_rois
from autocontour.rtstruct.references import frames_of_reference, referenced_images, referenced_series

DAMAGED = "AC-RS-001"


def read_structure_set(source: Path | bytes, ct: CTVolume) -> StructureSet:
    """Read a structure set onto the CT it is drawn on.

    Contours are laid on the slices by where they lie; every contour is kept as it came and written back so while its
    slice is not edited. What has no area or lies on no slice is carried along untouched.

    Parameters
    ----------
    source
        The file, or its bytes.
    ct
        The CT. The structure set must share its frame of reference.

    Returns
    -------
    StructureSet
        With a Finding for everything that is not as it should be, on the structure concerned or on the set.

    Raises
    ------
    StructureSetError
        ``AC-RS-001`` damaged, ``AC-RS-002`` no structure set, ``AC-RS-003`` of another frame of reference,
        ``AC-RS-004`` the CT is no DICOM series.
    """
    dataset = open_structure_set(source)
    where = source.name if isinstance(source, Path) else ""
    with guarded(StructureSetError, DAMAGED, where):
        return _import(dataset, ct)


def open_structure_set(source: Path | bytes) -> Dataset:
    """Read the file and make sure that it is a structure set."""
    dataset = read_dataset(source, error=StructureSetError, code=DAMAGED)
    with guarded(StructureSetError, DAMAGED):
        for tag in list(dataset.keys()):
            if (element := raw_element(dataset, tag)) is not None:
                check_whole(element)
        stated = dataset.get("SOPClassUID") or ("StructureSetROISequence" in dataset and RTStructureSetStorage)
        if stated != RTStructureSetStorage:
            raise StructureSetError(
                "AC-RS-002", "The file is no structure set.", "Choose an RTSTRUCT file, often named RS.….dcm."
            )
    return dataset


def check_frame_of_reference(dataset: Dataset, ct: CTVolume) -> SeriesReference:
    """Refuse a structure set of another frame of reference; return the CT's series.

    Raises
    ------
    StructureSetError
        ``AC-RS-003`` or ``AC-RS-004``.
    """
    if ct.reference is None:
        raise StructureSetError(
            "AC-RS-004",
            "Whether the structure set belongs to this CT cannot be told: the CT is no DICOM series.",
            "Open the DICOM series the CT was made from.",
        )
    frames = frames_of_reference(dataset)
    if frames and ct.reference.frame_of_reference_uid not in frames:
        raise StructureSetError(
            "AC-RS-003",
            "The structure set belongs to another CT: its frame of reference differs.",
            "Open it with the CT it was drawn on.",
        )
    return ct.reference


def _import(dataset: Dataset, ct: CTVolume) -> StructureSet:
    reference = check_frame_of_reference(dataset, ct)
    rois = parse_rois(dataset)
    character_set = dataset.get("SpecificCharacterSet") or None
    structures = [import_roi(roi, ct.geometry, reference, character_set) for roi in rois]
    findings = [*_check_origin(dataset, reference), *_check_references(dataset, rois, reference)]
    return StructureSet(
        label=_text(dataset, "StructureSetLabel")[:16] or "IMPORTED",
        structures=tuple(_with_unique_names(_with_unique_numbers(structures))),
        series_instance_uid=reference.series_instance_uid,
        frame_of_reference_uid=reference.frame_of_reference_uid,
        findings=tuple(findings),
    )


def _check_origin(dataset: Dataset, reference: SeriesReference) -> Iterator[Finding]:
    """Check that the set is of this patient and this series."""
    if not dataset.get("StructureSetROISequence"):
        yield _warning("AC-RS-045", "The structure set has no structures.")
    if not frames_of_reference(dataset):
        yield _warning("AC-RS-010", "The structure set does not say which frame of reference it belongs to.", _CHECK)
    if _text(dataset, "PatientID") != _text(reference.header, "PatientID"):
        yield _warning("AC-RS-012", "The structure set and the CT name different patients.", _CHECK)
    series = {str(item.get("SeriesInstanceUID", "") or "") for item in referenced_series(dataset)}
    if series and reference.series_instance_uid not in series:
        yield _warning("AC-RS-013", "The structure set was drawn on another series of this frame of reference.", _CHECK)
    if not series:
        yield _warning("AC-RS-014", "The structure set does not say which series it was drawn on.", _CHECK)


def _check_references(dataset: Dataset, rois: list[FileRoi], reference: SeriesReference) -> Iterator[Finding]:
    """Check that the images the set names are those of the series."""
    contours = [contour for roi in rois for contour in roi.contours]
    named = set(referenced_images(referenced_series(dataset)))
    named |= {uid for contour in contours for uid in contour.images or ()}
    if missing := named - set(reference.sop_instance_uids):
        message = f"The structure set references {len(missing)} images that are not in the series."
        yield _warning("AC-RS-015", message, _BY_POSITION)
    silent = sum(not contour.images for contour in contours if contour.geometric_type != "POINT")
    if silent:
        yield _warning("AC-RS-016", f"{silent} contours do not say on which image they were drawn.", _BY_POSITION)


def _with_unique_numbers(structures: list[Structure]) -> list[Structure]:
    """Give structures without a number of their own the next free ones."""
    taken: set[int] = set()
    free = max((structure.number for structure in structures), default=0) + 1
    unique = []
    for structure in structures:
        if structure.number < 0 or structure.number in taken:
            finding = _warning("AC-RS-037", "Its ROI number was missing or taken; it got another.", "", structure.name)
            structure, free = replace(structure, number=free, findings=(*structure.findings, finding)), free + 1
        taken.add(structure.number)
        unique.append(structure)
    return unique


def _with_unique_names(structures: list[Structure]) -> list[Structure]:
    """Tell structures of one name apart by a number behind it."""
    taken = {structure.name.casefold() for structure in structures}
    seen: set[str] = set()
    unique = []
    for structure in structures:
        if structure.name.casefold() in seen:
            name = _free_name(structure.name, taken)
            finding = _warning("AC-RS-038", f"Another structure has this name; it is shown as {name}.", "", name)
            structure = replace(structure, name=name, findings=(*structure.findings, finding))
            taken.add(name.casefold())
        seen.add(structure.name.casefold())
        unique.append(structure)
    return unique


def _free_name(name: str, taken: set[str]) -> str:
    count = 2
    while (candidate := f"{name[:58]}_{count}").casefold() in taken:
        count += 1
    return candidate


def _text(dataset: Dataset, keyword: str) -> str:
    return str(dataset.get(keyword, "") or "").strip(" \0")


def _warning(code: str, message: str, remedy: str = "", where: str = "") -> Finding:
    return Finding(code, Severity.WARN, message, where, remedy)


_CHECK = "Make sure that it belongs to this CT before you use it."
_BY_POSITION = "Its contours were laid on the slices by their position; look at them."
