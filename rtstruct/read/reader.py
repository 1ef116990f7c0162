"""Reading of DICOM structure sets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from pydicom import Dataset
from pydicom.uid import RTStructureSetStorage

from autocontour.base.errors import StructureSetError
from autocontour.base.findings import Finding
from autocontour.dicom.read import guarded, read_bytes, read_dataset
from autocontour.patient.matching import folded_name
from autocontour.patient.structures import Structure, StructureSet
from autocontour.patient.volume import CTVolume, SeriesReference
from autocontour.rtstruct.encoding import raw_element
from autocontour.rtstruct.read.import_roi import import_roi
from autocontour.rtstruct.read.nesting import CANNOT_OPEN, DAMAGED, check_nesting
from autocontour.rtstruct.read.parse import FileRoi, check_whole, parse_rois
from autocontour.rtstruct.read.patient import differing_attributes
from autocontour.rtstruct.references import frames_of_reference, referenced_images, referenced_series
from autocontour.rtstruct.text import as_line, encodings_of, shown_text


def read_structure_set(source: Path | bytes, ct: CTVolume) -> StructureSet:
    """Read a structure set on the CT it is drawn on.

    Contours are assigned to the slices by position; every contour is kept as read and written back unchanged unless its
    slice is edited. Contours without an area or off the slices are kept unchanged.

    Parameters
    ----------
    source
        The file, or its bytes.
    ct
        The CT. The structure set must share its frame of reference.

    Returns
    -------
    StructureSet
        With a Finding for every irregularity, on the structure concerned or on the set.

    Raises
    ------
    StructureSetError
        ``AC-RS-001`` and ``AC-RS-006`` damaged, ``AC-RS-002`` not a structure set, ``AC-RS-003`` of another frame of
        reference, ``AC-RS-004`` the CT is not a DICOM series, ``AC-RS-007`` nested too deeply, ``AC-RS-009`` cannot be
        opened.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> import shapely
    >>> from autocontour.dicom.series import write_ct_series
    >>> from autocontour.patient.geometry import VolumeGeometry
    >>> from autocontour.patient.structures import Structure
    >>> from autocontour.rtstruct import write_structure_set
    >>> square = shapely.MultiPolygon([shapely.box(10, 10, 30, 20)])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     grid = VolumeGeometry.regular((3, 64, 64), (3.0, 1.0, 1.0))
    ...     ct = write_ct_series(np.zeros((3, 64, 64), np.int16), grid, Path(folder, "CT"))
    ...     drawn = StructureSet("PLAN", (Structure("Heart", 1, {1: square}),))
    ...     write_structure_set(drawn, ct, Path(folder, "RS.dcm"))
    ...     read = read_structure_set(Path(folder, "RS.dcm"), ct)
    >>> read.structures[0].name, read.structures[0].contours[1].area
    ('Heart', 200.0)
    """
    dataset = open_structure_set(source)
    with guarded(StructureSetError, DAMAGED, _name(source)):
        return _import(dataset, ct)


def open_structure_set(source: Path | bytes) -> Dataset:
    """Read a file with consistent lengths, and check that it is a structure set."""
    data = read_bytes(source, StructureSetError, CANNOT_OPEN) if isinstance(source, Path) else source
    with guarded(StructureSetError, DAMAGED, _name(source)):
        dataset = read_dataset(check_nesting(data), error=StructureSetError, code=DAMAGED)
        for tag in list(dataset.keys()):
            if (element := raw_element(dataset, tag)) is not None:
                check_whole(element)
        stated = dataset.get("SOPClassUID") or ("StructureSetROISequence" in dataset and RTStructureSetStorage)
        if stated != RTStructureSetStorage:
            raise StructureSetError("AC-RS-002")
    return dataset


def check_frame_of_reference(dataset: Dataset, ct: CTVolume) -> SeriesReference:
    """Refuse a structure set of another frame of reference; return the CT's series.

    Raises
    ------
    StructureSetError
        ``AC-RS-003`` or ``AC-RS-004``.
    """
    if ct.reference is None:
        raise StructureSetError("AC-RS-004")
    frames = frames_of_reference(dataset)
    if frames and ct.reference.frame_of_reference_uid not in frames:
        raise StructureSetError("AC-RS-003")
    return ct.reference


def _name(source: Path | bytes) -> str:
    return source.name if isinstance(source, Path) else ""


def _import(dataset: Dataset, ct: CTVolume) -> StructureSet:
    reference = check_frame_of_reference(dataset, ct)
    rois = parse_rois(dataset)
    encodings = encodings_of(dataset.get("SpecificCharacterSet") or None)
    structures = [import_roi(roi, ct.geometry, reference, encodings) for roi in rois]
    findings = [*_check_origin(dataset, reference), *_check_references(dataset, rois, reference)]
    return StructureSet(
        label=as_line(shown_text(dataset, "StructureSetLabel", encodings), 16) or "IMPORTED",
        structures=tuple(_with_unique_names(_with_unique_numbers(structures))),
        series_instance_uid=reference.series_instance_uid,
        frame_of_reference_uid=reference.frame_of_reference_uid,
        findings=(*findings, *_check_observations(dataset, rois)),
    )


def _check_origin(dataset: Dataset, reference: SeriesReference) -> Iterator[Finding]:
    """Check that the set is of this patient and this series."""
    if not dataset.get("StructureSetROISequence"):
        yield Finding.of("AC-RS-045")
    if not frames_of_reference(dataset):
        yield Finding.of("AC-RS-010")
    if differing := differing_attributes(dataset, reference.header):
        yield Finding.of("AC-RS-012", attributes=", ".join(differing))
    series = {str(item.get("SeriesInstanceUID", "") or "") for item in referenced_series(dataset)}
    if series and reference.series_instance_uid not in series:
        yield Finding.of("AC-RS-013")
    if not series:
        yield Finding.of("AC-RS-014")


def _check_references(dataset: Dataset, rois: list[FileRoi], reference: SeriesReference) -> Iterator[Finding]:
    """Check that the images the set references are those of the series."""
    contours = [contour for roi in rois for contour in roi.contours]
    named = set(referenced_images(referenced_series(dataset)))
    named |= {uid for contour in contours for uid in contour.images or ()}
    if missing := named - set(reference.sop_instance_uids):
        yield Finding.of("AC-RS-015", count=len(missing))
    unnamed = sum(not contour.images for contour in contours if contour.geometric_type != "POINT")
    if unnamed:
        yield Finding.of("AC-RS-016", count=unnamed)


def _check_observations(dataset: Dataset, rois: Sequence[FileRoi]) -> Iterator[Finding]:
    """Check that every observation describes a structure: others are lost when the set is written."""
    lost = len(dataset.get("RTROIObservationsSequence") or ()) - sum(len(roi.observations) for roi in rois)
    if lost > 0:
        yield Finding.of("AC-RS-017", count=lost)


def _with_unique_numbers(structures: list[Structure]) -> list[Structure]:
    """Give structures without a number of their own the next free ones."""
    taken: set[int] = set()
    free = max((structure.number for structure in structures), default=0) + 1
    unique = []
    for structure in structures:
        if structure.number < 0 or structure.number in taken:
            finding = Finding.of("AC-RS-037", structure.name)
            structure, free = replace(structure, number=free, findings=(*structure.findings, finding)), free + 1
        taken.add(structure.number)
        unique.append(structure)
    return unique


def _with_unique_names(structures: list[Structure]) -> list[Structure]:
    """Distinguish structures of the same name by a number appended to it."""
    taken = {folded_name(structure.name) for structure in structures}
    seen: set[str] = set()
    unique = []
    for structure in structures:
        if folded_name(structure.name) in seen:
            name = _free_name(structure.name, taken)
            finding = Finding.of("AC-RS-038", name, name=name)
            structure = replace(structure, name=name, findings=(*structure.findings, finding))
            taken.add(folded_name(name))
        seen.add(folded_name(structure.name))
        unique.append(structure)
    return unique


def _free_name(name: str, taken: set[str]) -> str:
    count = 2
    while folded_name(candidate := f"{name[:58]}_{count}") in taken:
        count += 1
    return candidate
