"""Adding structures to an existing structure set without changing the others."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from hashlib import sha256
from pathlib import Path

from pydicom import Dataset
from pydicom import Sequence as DicomSequence
from pydicom.uid import RTStructureSetStorage

from autocontour.base.errors import OutputError, StructureSetError
from autocontour.base.files import digest_of, replacing
from autocontour.base.findings import Severity
from autocontour.base.jobs import Job
from autocontour.dicom.read import guarded, read_dataset
from autocontour.patient.matching import folded_name
from autocontour.patient.structures import Structure, StructureSet
from autocontour.patient.volume import CTVolume, SeriesReference
from autocontour.rtstruct.check.validate import check_structure_set
from autocontour.rtstruct.check.verify import Records, compare_structures
from autocontour.rtstruct.encoding import (
    encode_dataset,
    encode_in_utf_8,
    in_utf_8,
    preserve_raw,
    put,
    sequence_items,
    with_raw_values,
)
from autocontour.rtstruct.read.import_roi import shown_name
from autocontour.rtstruct.read.nesting import DAMAGED
from autocontour.rtstruct.read.parse import FileRoi, integer_of, parse_rois
from autocontour.rtstruct.read.patient import differing_attributes
from autocontour.rtstruct.read.reader import check_frame_of_reference, open_structure_set
from autocontour.rtstruct.references import add_missing_references, referenced_series
from autocontour.rtstruct.text import encodings_of, own_encodings
from autocontour.rtstruct.write import modules
from autocontour.rtstruct.write.contours import build_contour_records
from autocontour.rtstruct.write.options import WriteOptions
from autocontour.rtstruct.write.roi import RoiItems, build_roi_items
from autocontour.rtstruct.write.text import choose_character_set
from autocontour.rtstruct.write.writer import check_structures, needs_implicit, own_texts, save

OTHER_PATIENT = "AC-RS-008"
CHANGED = "AC-OUT-009"
ATTEMPTS = 5
Fingerprint = tuple[bytes, bytes]


def append_structures(
    path: Path,
    structure_set: StructureSet,
    ct: CTVolume,
    *,
    replace: bool = False,
    accepted: Collection[str] = (),
    output: Path | None = None,
    options: WriteOptions | None = None,
    job: Job | None = None,
) -> None:
    """Add structures to the structure set at `path`.

    The items of its other ROIs are unchanged byte for byte. The result is a new instance of the same series,
    UNAPPROVED, that references the old one as its predecessor.

    Parameters
    ----------
    path
        An existing structure set on the same CT.
    structure_set, ct
        The structures to add, and the CT.
    replace
        Replace an ROI of the same name, with its number; without it that is refused.
    accepted
        Codes of blocking findings that the user accepts: ``AC-RS-008``, another patient.
    output
        Where to write the result; without it, `path` is replaced.
    options
        How it is written.
    job
        Reports progress; may cancel.

    Raises
    ------
    StructureSetError
        If `path` is not a valid structure set of this frame of reference, series and patient (``AC-RS-001`` to
        ``AC-RS-009``).
    OutputError
        ``AC-OUT-105`` or ``AC-OUT-116`` if a name is taken, ``AC-OUT-009`` if other programs change the file again and
        again, and as `write_structure_set`; the file is then unchanged.
    """
    job, options = job or Job(), options or WriteOptions()
    for attempt in range(1, ATTEMPTS + 1):
        try:
            _append(path, structure_set, ct, accepted, output, options, job, may_replace=replace)
        except OutputError as error:
            # Another program has added structures while this one was writing: they must not be lost.
            if error.code != CHANGED or attempt == ATTEMPTS:
                raise
        else:
            return


def _append(
    path: Path,
    structure_set: StructureSet,
    ct: CTVolume,
    accepted: Collection[str],
    output: Path | None,
    options: WriteOptions,
    job: Job,
    *,
    may_replace: bool,
) -> None:
    target = output or path
    expected = digest_of(path) if target == path else None
    dataset, reference, other_patient = _open_to_extend(path, ct, accepted)
    with guarded(StructureSetError, DAMAGED, path.name):
        before = parse_rois(dataset)
        faults = _faults(dataset, before, ct)
        fingerprints = [(roi.number, _fingerprint(roi)) for roi in before]
    check_structures(structure_set.structures)
    structures = _numbered(structure_set.structures, before, may_replace=may_replace)
    records = {s.number: build_contour_records(s, ct, options.holes) for s in structures}
    with guarded(StructureSetError, DAMAGED, path.name):
        dataset = _extend(dataset, structures, records, reference, options, other_patient)
    job.advance("writing the structure set", 0.3)
    with replacing(target, expected=expected) as temporary:
        save(dataset, temporary)
        _verify(temporary, fingerprints, structures, records, ct, faults)
        job.advance("writing the structure set", 0.9)
    job.advance("writing the structure set", 1.0)


def check_appendable(path: Path, ct: CTVolume, accepted: Collection[str] = ()) -> None:
    """Raise the errors of `append_structures` in advance: a set that is damaged, of another series or patient.

    Parameters
    ----------
    path, ct, accepted
        As of `append_structures`.

    Raises
    ------
    StructureSetError
        ``AC-RS-001`` to ``AC-RS-009``.
    """
    _open_to_extend(path, ct, accepted)


def _open_to_extend(path: Path, ct: CTVolume, accepted: Collection[str]) -> tuple[Dataset, SeriesReference, str]:
    """Open a set for adding structures of `ct`; return the CT's series and the patient's differing attributes."""
    dataset = open_structure_set(path)
    with guarded(StructureSetError, DAMAGED, path.name):
        reference = check_frame_of_reference(dataset, ct)
        _check_series(dataset, reference)
        return dataset, reference, _check_patient(dataset, reference, accepted)


def _check_series(dataset: Dataset, reference: SeriesReference) -> None:
    series = {str(item.get("SeriesInstanceUID", "")) for item in referenced_series(dataset)}
    if series and reference.series_instance_uid not in series:
        raise StructureSetError("AC-RS-005")


def _check_patient(dataset: Dataset, reference: SeriesReference, accepted: Collection[str]) -> str:
    """Refuse the set of another patient unless that is accepted; then return the differing attributes."""
    differing = ", ".join(differing_attributes(dataset, reference.header))
    if differing and OTHER_PATIENT not in accepted:
        raise StructureSetError(OTHER_PATIENT, attributes=differing)
    return differing


def _numbered(structures: Sequence[Structure], existing: Sequence[FileRoi], *, may_replace: bool) -> list[Structure]:
    """Give each structure the number of the ROI that it replaces, or the next free one."""
    named: dict[str, list[int]] = {}
    for roi in existing:
        named.setdefault(_name(roi), []).append(roi.number)
    free = max((roi.number for roi in existing), default=0) + 1
    numbered = []
    for structure in structures:
        taken = named.get(folded_name(structure.name), [])
        if taken and (not may_replace or len(taken) > 1 or taken[0] < 0):
            raise OutputError("AC-OUT-105" if len(taken) == 1 else "AC-OUT-116", name=structure.name)
        number, free = (taken[0], free) if taken else (free, free + 1)
        numbered.append(dataclasses.replace(structure, number=number))
    return numbered


def _name(roi: FileRoi) -> str:
    return folded_name(shown_name(roi, own_encodings(roi.roi)))


def _extend(
    dataset: Dataset,
    structures: Sequence[Structure],
    records: Records,
    reference: SeriesReference,
    options: WriteOptions,
    other_patient: str,
) -> Dataset:
    """Add the structures to `dataset` and make it a new instance; existing values stay raw."""
    character_set = dataset.get("SpecificCharacterSet") or None
    needed = choose_character_set(character_set, own_texts(structures, options), structures)
    implicit = bool(dataset.original_encoding[0]) or needs_implicit(records)
    if needed != character_set:
        dataset = in_utf_8(dataset, encodings_of(character_set), implicit=implicit)
        dataset.SpecificCharacterSet = needed
    elif dataset.original_encoding != (implicit, True):
        dataset = with_raw_values(dataset, implicit=implicit)
    for structure in structures:
        items = build_roi_items(structure, records[structure.number], reference, implicit=implicit)
        _put(dataset, items, structure.number)
    add_missing_references(dataset, reference)
    _renew(dataset, other_patient, implicit=implicit)
    return preserve_raw(dataset, implicit=implicit)


def _put(dataset: Dataset, items: RoiItems, number: int) -> None:
    """Replace the items of the ROI of this number, or add new ones; a density stays with its ROI."""
    observations = sequence_items(dataset, "RTROIObservationsSequence")
    old = [item for item in observations if _refers_to(item, number)]
    if old and "ROIPhysicalPropertiesSequence" in old[0]:
        items.observations[0].ROIPhysicalPropertiesSequence = old[0].ROIPhysicalPropertiesSequence
    free = max((integer_of(item, "ObservationNumber") for item in observations), default=0) + 1
    for offset, item in enumerate(items.observations):
        known = integer_of(old[0], "ObservationNumber") if old and not offset else -1
        put(item, ObservationNumber=known if known >= 0 else free + offset)
    _replace_items(dataset, "StructureSetROISequence", "ROINumber", number, [items.roi])
    _replace_items(dataset, "ROIContourSequence", "ReferencedROINumber", number, [items.contour])
    _replace_items(dataset, "RTROIObservationsSequence", "ReferencedROINumber", number, items.observations)


def _replace_items(dataset: Dataset, keyword: str, key: str, number: int, items: Sequence[Dataset]) -> None:
    """Insert `items` at the position of the first of the same number, or at the end."""
    existing = sequence_items(dataset, keyword)
    kept = [item for item in existing if not _refers_to(item, number, key)]
    at = next((i for i, item in enumerate(existing) if _refers_to(item, number, key)), len(kept))
    setattr(dataset, keyword, DicomSequence([*kept[:at], *items, *kept[at:]]))


def _refers_to(item: Dataset, number: int, key: str = "ReferencedROINumber") -> bool:
    return integer_of(item, key) == number


def _renew(dataset: Dataset, other_patient: str, *, implicit: bool) -> None:
    """Make it a new, unapproved instance with its predecessor, this program, and the accepted findings."""
    predecessor = Dataset()
    predecessor.ReferencedSOPClassUID = RTStructureSetStorage
    predecessor.ReferencedSOPInstanceUID = dataset.get("SOPInstanceUID")
    now = modules.local_now(dataset)
    if predecessor.ReferencedSOPInstanceUID:
        dataset.PredecessorStructureSetSequence = [predecessor]
    dataset.SOPInstanceUID = modules.new_uid()
    dataset.InstanceCreationDate, dataset.InstanceCreationTime = modules.date_and_time(now)
    dataset.StructureSetDate, dataset.StructureSetTime = modules.date_and_time(now)
    modules.withdraw_approval(dataset)
    accepted = f"; accepted: {OTHER_PATIENT} ({other_patient} differ)" if other_patient else ""
    modules.add_contributing_equipment(dataset, modules.MODIFYING, f"Structures added or replaced{accepted}", now)
    dataset.file_meta = modules.build_file_meta(dataset.SOPInstanceUID, implicit=implicit)


def _faults(dataset: Dataset, rois: Sequence[FileRoi], ct: CTVolume) -> set[str]:
    findings = check_structure_set(dataset, ct, rois=rois)
    return {f"{f.code} {f.where}".strip() for f in findings if f.severity is Severity.BLOCK}


def _verify(
    path: Path,
    before: Sequence[tuple[int, Fingerprint]],
    structures: Sequence[Structure],
    records: Records,
    ct: CTVolume,
    known_faults: Collection[str],
) -> None:
    """Read the file back: no new fault, the new structures complete, the others unchanged."""
    dataset = read_dataset(path, error=OutputError, code="AC-OUT-110")
    with guarded(OutputError, "AC-OUT-110"):
        after = parse_rois(dataset)
        if new := _faults(dataset, after, ct) - set(known_faults):
            raise OutputError("AC-OUT-113", faults=", ".join(sorted(new)[:5]))
        compare_structures(after, records, structures, ct.geometry)
        numbers = {structure.number for structure in structures}
        untouched = [fingerprint for number, fingerprint in before if number not in numbers]
        found = [_fingerprint(roi) for roi in after if roi.number not in numbers]
        if len(found) != len(untouched) or any(not {*a} & {*b} for a, b in zip(untouched, found, strict=True)):
            raise OutputError("AC-OUT-114")


def _fingerprint(roi: FileRoi) -> Fingerprint:
    """Return digests of all items of an ROI: raw, and with text in UTF-8."""
    as_it_is, in_unicode = sha256(), sha256()
    for item in (roi.roi, *roi.contour_items, *roi.observations):
        as_it_is.update(encode_dataset(item, implicit=True))
        in_unicode.update(encode_in_utf_8(item, own_encodings(item), implicit=True))
    return as_it_is.digest(), in_unicode.digest()
