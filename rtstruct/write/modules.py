"""The modules of the RT Structure Set IOD that concern the whole file (PS3.3 A.19.3), one builder each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.sequence import Sequence as DicomSequence
from pydicom.sr.codedict import codes
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian, RTStructureSetStorage, generate_uid

from autocontour import __version__
from autocontour.base.errors import OutputError
from autocontour.base.findings import Finding
from autocontour.patient.structures import ReviewStatus, Structure, StructureSet
from autocontour.rtstruct.encoding import raw_attribute
from autocontour.rtstruct.text import CharacterSet, as_line
from autocontour.rtstruct.write.options import WriteOptions

if TYPE_CHECKING:
    from pydicom.sr.coding import Code

PROCESSING, MODIFYING = codes.DCM.ProcessingEquipment, codes.DCM.ModifyingEquipment
PRODUCT = "autocontour"
IMPLEMENTATION_CLASS_UID = UID("2.25.35328701546737304473702954371221747504")
MAX_TEXT = 1024
"""Characters of VR ST."""

PATIENT = (
    *("PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientBirthTime", "PatientSex"),
    *("OtherPatientIDs", "OtherPatientNames", "EthnicGroup", "PatientComments"),
    *("PatientAge", "PatientSize", "PatientWeight"),
)
DEIDENTIFICATION = ("PatientIdentityRemoved", "DeidentificationMethod", "DeidentificationMethodCodeSequence")
GENERAL_STUDY = (
    *("StudyInstanceUID", "StudyDate", "StudyTime", "ReferringPhysicianName", "StudyID", "AccessionNumber"),
    "StudyDescription",
)
FRAME_OF_REFERENCE = ("FrameOfReferenceUID", "PositionReferenceIndicator")
COPIED = frozenset((*PATIENT, *DEIDENTIFICATION, *GENERAL_STUDY, *FRAME_OF_REFERENCE))
"""Attributes copied from the CT."""


def build_file_meta(sop_instance_uid: str, *, implicit: bool) -> FileMetaDataset:
    """Build the File Meta Information (PS3.10 section 7.1)."""
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID = RTStructureSetStorage
    meta.MediaStorageSOPInstanceUID = UID(sop_instance_uid)
    meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
    meta.ImplementationClassUID = IMPLEMENTATION_CLASS_UID
    meta.ImplementationVersionName = f"AUTOCONTOUR_{__version__}"[:16]
    return meta


def build_patient(dataset: Dataset, header: Dataset) -> None:
    """Patient (C.7.1.1) and Patient Study (C.7.2.2), from the CT."""
    _copy(dataset, header, PATIENT, ("PatientName", "PatientID", "PatientBirthDate", "PatientSex"))
    if any(keyword in header for keyword in DEIDENTIFICATION[1:]):  # only stated with the method
        _copy(dataset, header, DEIDENTIFICATION, ())


def build_general_study(dataset: Dataset, header: Dataset) -> None:
    """General Study (C.7.2.1), from the CT."""
    _copy(dataset, header, GENERAL_STUDY, GENERAL_STUDY[:-1])


def build_frame_of_reference(dataset: Dataset, header: Dataset) -> None:
    """Frame of Reference (C.7.4.1), from the CT."""
    _copy(dataset, header, FRAME_OF_REFERENCE, FRAME_OF_REFERENCE)


def build_rt_series(dataset: Dataset, options: WriteOptions) -> None:
    """RT Series (C.8.8.1): a new series."""
    dataset.Modality = "RTSTRUCT"
    dataset.SeriesInstanceUID = new_uid()
    dataset.SeriesNumber = 1
    dataset.SeriesDescription = options.series_description[:64]
    dataset.OperatorsName = ""


def build_general_equipment(dataset: Dataset) -> None:
    """General Equipment (C.7.5.1)."""
    dataset.Manufacturer = PRODUCT
    dataset.ManufacturerModelName = PRODUCT
    dataset.SoftwareVersions = __version__


def build_sop_common(dataset: Dataset, header: Dataset, character_set: CharacterSet, now: datetime) -> None:
    """SOP Common (C.12.1); its dates and times are in the CT's time zone."""
    _copy(dataset, header, ("TimezoneOffsetFromUTC",), ())
    if character_set:
        dataset.SpecificCharacterSet = character_set
    dataset.SOPClassUID = RTStructureSetStorage
    dataset.SOPInstanceUID = new_uid()
    dataset.InstanceCreationDate, dataset.InstanceCreationTime = date_and_time(now)


def add_contributing_equipment(dataset: Dataset, purpose: Code, description: str, now: datetime) -> None:
    """Add this program's contribution to the Contributing Equipment Sequence (0018,A001)."""
    item = Dataset()
    item.PurposeOfReferenceCodeSequence = [build_code(purpose)]
    build_general_equipment(item)
    item.ContributionDateTime = now.strftime("%Y%m%d%H%M%S")
    item.ContributionDescription = description
    dataset.ContributingEquipmentSequence = DicomSequence([*dataset.get("ContributingEquipmentSequence", []), item])


def build_structure_set(dataset: Dataset, structure_set: StructureSet, now: datetime) -> None:
    """Structure Set (C.8.8.5) without its sequences."""
    if not 0 < len(structure_set.label) <= 16:
        raise OutputError("AC-OUT-102")
    dataset.StructureSetLabel = structure_set.label
    if findings := describe_findings(_all_findings(structure_set)):
        dataset.StructureSetDescription = findings
    dataset.StructureSetDate, dataset.StructureSetTime = date_and_time(now)


def _all_findings(structure_set: StructureSet) -> Iterator[Finding]:
    """Yield the set's Findings, and those of imported structures, whose observations are unchanged."""
    yield from structure_set.findings
    for structure in structure_set.structures:
        if structure.attributes:
            yield from (replace(f, message=f"{structure.name}: {f.message}") for f in structure.findings if f.severity)


def build_approval(dataset: Dataset, structures: Sequence[Structure], now: datetime) -> None:
    """Approval (C.8.8.16), see `are_approved`; the time is that of the last structure's approval."""
    if not are_approved(structures):
        withdraw_approval(dataset)
        return
    last = max(structure.reviewed_at for structure in structures if structure.reviewed_at)
    dataset.ApprovalStatus = "APPROVED"
    dataset.ReviewDate, dataset.ReviewTime = date_and_time(last.astimezone(now.tzinfo))
    dataset.ReviewerName = reviewer_name(structures[0])


def are_approved(structures: Sequence[Structure]) -> bool:
    """Whether a set of these structures is APPROVED: one named person approved every one of them.

    The Approval module (PS3.3 C.8.8.16) has room for one reviewer and concerns the whole set. A set whose structures
    were approved by several persons has no single reviewer and stays UNAPPROVED; the reviewer of each structure is in
    its observation.
    """
    reviewers = {reviewer_name(structure) for structure in structures}
    return all(map(is_approved, structures)) and len(reviewers) == 1


def is_approved(structure: Structure) -> bool:
    """Whether a named person approved a structure at a known time."""
    named = bool(reviewer_name(structure)) and structure.reviewed_at is not None
    return structure.status is ReviewStatus.APPROVED and named


def reviewer_name(structure: Structure) -> str:
    """Return the approver as one valid value of VR PN."""
    return as_line(structure.reviewer.replace("=", " "), 64)


def withdraw_approval(dataset: Dataset) -> None:
    """Make the set UNAPPROVED, without reviewer and time."""
    dataset.ApprovalStatus = "UNAPPROVED"
    for keyword in ("ReviewDate", "ReviewTime", "ReviewerName"):
        if keyword in dataset:
            delattr(dataset, keyword)


def build_code(code: Code) -> Dataset:
    """Code Sequence item (section 8.8)."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code.value, code.scheme_designator, code.meaning
    return item


def describe_findings(findings: Iterable[Finding]) -> str:
    """Return findings as text for a field of VR ST."""
    text = "; ".join(dict.fromkeys(f"{finding.code} {finding.message}" for finding in findings))
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 3] + "..."


def date_and_time(moment: datetime) -> tuple[str, str]:
    """Return a moment as values of VR DA and TM."""
    return moment.strftime("%Y%m%d"), moment.strftime("%H%M%S")


def local_now(header: Dataset) -> datetime:
    """Return the time for the file's dates: in the time zone of its header, else the computer's."""
    offset = str(header.get("TimezoneOffsetFromUTC", "") or "")
    if len(offset) == 5 and offset[1:].isdigit():
        minutes = int(offset[1:3]) * 60 + int(offset[3:])
        return datetime.now(timezone(timedelta(minutes=-minutes if offset[0] == "-" else minutes)))
    return datetime.now().astimezone()


def new_uid() -> str:
    """Return a unique identifier made from a UUID (PS3.5 B.2)."""
    return str(generate_uid(prefix=None))


def _copy(dataset: Dataset, header: Dataset, keywords: Iterable[str], required: Iterable[str]) -> None:
    """Copy the attributes of the CT; required attributes that are missing in the CT are empty."""
    for keyword in keywords:
        if keyword in header:
            dataset[keyword] = raw_attribute(header, keyword)
        elif keyword in required:
            setattr(dataset, keyword, None)
