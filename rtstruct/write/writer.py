"""Writing of structure sets as DICOM files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from pydicom import Dataset, dcmwrite
from pydicom import Sequence as DicomSequence

from autocontour.base.errors import OutputError, UsageError
from autocontour.base.files import replacing, shown_path
from autocontour.base.jobs import Job
from autocontour.patient.matching import folded_name
from autocontour.patient.structures import Structure, StructureSet
from autocontour.patient.volume import CTVolume, SeriesReference
from autocontour.rtstruct.check.verify import Records, verify_file
from autocontour.rtstruct.encoding import MAX_SHORT_LENGTH, preserve_raw, put
from autocontour.rtstruct.references import build_frame_of_reference_items
from autocontour.rtstruct.text import CharacterSet
from autocontour.rtstruct.write import modules
from autocontour.rtstruct.write.contours import build_contour_records, other_frame_of_reference
from autocontour.rtstruct.write.options import WriteOptions
from autocontour.rtstruct.write.roi import RoiItems, build_roi_items
from autocontour.rtstruct.write.text import choose_character_set, in_character_set


def write_structure_set(
    structure_set: StructureSet,
    ct: CTVolume,
    path: Path,
    *,
    overwrite: bool = False,
    options: WriteOptions | None = None,
    job: Job | None = None,
) -> None:
    """Write a structure set to `path`, atomically and with checks.

    A temporary file is written next to `path`, validated, read back and compared, flushed to the disk and then renamed.

    Parameters
    ----------
    structure_set, ct
        The structures, and the CT they are drawn on.
    path
        The file.
    overwrite
        Replace an existing file; without it one is refused.
    options
        How it is written.
    job
        Reports progress; may cancel.

    Raises
    ------
    UsageError
        ``AC-US-101`` if the CT is not a DICOM series.
    OutputError
        If the file exists, cannot be written, or fails verification; no files are left then.
    """
    refuse_existing(path, overwrite=overwrite)
    dataset, records = build_dataset(structure_set, ct, options or WriteOptions())
    expected = None if overwrite else ""
    save_checked(dataset, records, structure_set, ct, path, job or Job(), expected=expected)


def refuse_existing(path: Path, *, overwrite: bool) -> None:
    """Refuse an existing path."""
    if path.exists() and not overwrite:
        raise OutputError("AC-OUT-002", file=shown_path(path))


def build_dataset(structure_set: StructureSet, ct: CTVolume, options: WriteOptions) -> tuple[Dataset, Records]:
    """Build the whole file in memory.

    Returns
    -------
    tuple
        The dataset, in the encoding of its file meta, and the contours in it.
    """
    reference = dicom_reference(ct)
    check_structures(structure_set.structures)
    records = {s.number: build_contour_records(s, ct, options.holes) for s in structure_set.structures}
    implicit = needs_implicit(records)
    dataset = _build_head(structure_set, reference, options)
    items = [
        build_roi_items(structure, records[structure.number], reference, implicit=implicit)
        for structure in structure_set.structures
    ]
    set_roi_items(dataset, items)
    dataset.file_meta = modules.build_file_meta(dataset.SOPInstanceUID, implicit=implicit)
    return preserve_raw(dataset, implicit=implicit), records


def save_checked(
    dataset: Dataset,
    records: Records,
    structure_set: StructureSet,
    ct: CTVolume,
    path: Path,
    job: Job,
    *,
    expected: str | None = None,
) -> None:
    """Write `dataset` next to `path`, verify it, and rename it to `path`; `expected` is that of `replacing`."""
    job.advance("writing the structure set", 0.0)
    with replacing(path, expected=expected) as temporary:
        save(dataset, temporary)
        job.advance("writing the structure set", 0.4)
        verify_file(temporary, records, structure_set, ct)
        job.advance("writing the structure set", 0.9)
    job.advance("writing the structure set", 1.0)


def save(dataset: Dataset, path: Path) -> None:
    """Write a dataset that is in the encoding of its file meta."""
    dcmwrite(path, dataset, enforce_file_format=True)


def dicom_reference(ct: CTVolume) -> SeriesReference:
    """Return the CT's DICOM series."""
    if ct.reference is None:
        raise UsageError("AC-US-101")
    return ct.reference


def check_structures(structures: Sequence[Structure]) -> None:
    """Refuse an empty set, and structures that share a name or a number."""
    if not structures:
        raise OutputError("AC-OUT-106")
    names, numbers = set[str](), set[int]()
    for structure in structures:
        name = folded_name(structure.name)
        if name in names or structure.number in numbers:
            raise OutputError("AC-OUT-104", name=structure.name)
        names.add(name)
        numbers.add(structure.number)


def needs_implicit(records: Records) -> bool:
    """Whether a contour is too long for Explicit VR, where DS has a two-byte length (PS3.5 7.1.2)."""
    return any(len(record.data) > MAX_SHORT_LENGTH for contours in records.values() for record in contours)


def set_roi_items(dataset: Dataset, items: Sequence[RoiItems]) -> None:
    """Add the structures' items; observations are numbered in order."""
    observations = [observation for item in items for observation in item.observations]
    for number, observation in enumerate(observations, 1):
        put(observation, ObservationNumber=number)
    dataset.StructureSetROISequence = DicomSequence(item.roi for item in items)
    dataset.ROIContourSequence = DicomSequence(item.contour for item in items)
    dataset.RTROIObservationsSequence = DicomSequence(observations)


def own_texts(structures: Sequence[Structure], options: WriteOptions) -> Iterator[str]:
    """Yield the text that the program adds to a file."""
    yield options.series_description
    for structure in structures:
        yield from (structure.name, structure.description, structure.reviewer)
        yield from (finding.message for finding in structure.findings)
        if structure.provenance:
            yield from map(str, structure.provenance.to_json().values())


def _build_head(structure_set: StructureSet, reference: SeriesReference, options: WriteOptions) -> Dataset:
    now = modules.local_now(reference.header)
    character_set = _character_set(structure_set, reference, options)
    header = in_character_set(reference.header, character_set)
    dataset = Dataset()
    modules.build_sop_common(dataset, header, character_set, now)
    modules.build_patient(dataset, header)
    modules.build_general_study(dataset, header)
    modules.build_rt_series(dataset, options)
    modules.build_frame_of_reference(dataset, header)
    modules.build_general_equipment(dataset)
    modules.build_structure_set(dataset, structure_set, now)
    modules.build_approval(dataset, structure_set.structures, now)
    modules.add_contributing_equipment(dataset, modules.PROCESSING, "Contours drawn or edited", now)
    others = {other_frame_of_reference(structure, reference) for structure in structure_set.structures} - {""}
    dataset.ReferencedFrameOfReferenceSequence = build_frame_of_reference_items(reference, sorted(others))
    return dataset


def _character_set(structure_set: StructureSet, reference: SeriesReference, options: WriteOptions) -> CharacterSet:
    texts = [structure_set.label, *(finding.message for finding in structure_set.findings)]
    texts.extend(own_texts(structure_set.structures, options))
    return choose_character_set(reference.header.get("SpecificCharacterSet") or None, texts, structure_set.structures)
