"""References of a structure set to the images it is drawn on (PS3.3 C.8.8.5.1 and C.8.8.5.4)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pydicom import Dataset
from pydicom.sequence import Sequence

from autocontour.patient.volume import SeriesReference
from autocontour.rtstruct.encoding import sequence_items

DETACHED_STUDY = "1.2.840.10008.3.1.2.3.1"
"""Detached Study Management SOP Class (retired): the class still used in structure sets to reference a study."""


def build_frame_of_reference_items(ct: SeriesReference, others: Iterable[str]) -> list[Dataset]:
    """Build the Referenced Frame of Reference Sequence: the CT's, and others of which only the UID is known."""
    items = [build_frame_of_reference_item(ct)]
    for frame_of_reference_uid in others:
        item = Dataset()
        item.FrameOfReferenceUID = frame_of_reference_uid
        items.append(item)
    return items


def build_frame_of_reference_item(ct: SeriesReference) -> Dataset:
    """Build the Referenced Frame of Reference Sequence item with the study, the series and every image of the CT."""
    series = Dataset()
    series.SeriesInstanceUID = ct.series_instance_uid
    series.ContourImageSequence = Sequence(build_image_item(ct, uid) for uid in ct.sop_instance_uids)
    study = Dataset()
    study.ReferencedSOPClassUID = DETACHED_STUDY
    study.ReferencedSOPInstanceUID = ct.study_instance_uid
    study.RTReferencedSeriesSequence = [series]
    frame = Dataset()
    frame.FrameOfReferenceUID = ct.frame_of_reference_uid
    frame.RTReferencedStudySequence = [study]
    return frame


def build_image_item(ct: SeriesReference, sop_instance_uid: str) -> Dataset:
    """Build the SOP Instance Reference (section 10.8) of one slice."""
    image = Dataset()
    image.ReferencedSOPClassUID = ct.sop_class_uid
    image.ReferencedSOPInstanceUID = sop_instance_uid
    return image


def add_missing_references(dataset: Dataset, ct: SeriesReference) -> None:
    """Add references to every image of the CT to an existing structure set; existing references are kept."""
    series = next((s for s in referenced_series(dataset) if s.get("SeriesInstanceUID") == ct.series_instance_uid), None)
    if series is None:
        frames = [*sequence_items(dataset, "ReferencedFrameOfReferenceSequence"), build_frame_of_reference_item(ct)]
        dataset.ReferencedFrameOfReferenceSequence = Sequence(frames)
        return
    named = set(referenced_images([series]))
    missing = [build_image_item(ct, uid) for uid in ct.sop_instance_uids if uid not in named]
    if missing:
        series.ContourImageSequence = Sequence([*sequence_items(series, "ContourImageSequence"), *missing])


def frames_of_reference(dataset: Dataset) -> set[str]:
    """Return every Frame of Reference UID in a structure set."""
    items = [*sequence_items(dataset, "ReferencedFrameOfReferenceSequence"), dataset]
    named = {str(item.get("FrameOfReferenceUID", "") or "") for item in items}
    rois = sequence_items(dataset, "StructureSetROISequence")
    named |= {str(roi.get("ReferencedFrameOfReferenceUID", "") or "") for roi in rois}
    return named - {""}


def referenced_series(dataset: Dataset) -> Iterator[Dataset]:
    """Yield the RT Referenced Series Sequence items."""
    for frame in sequence_items(dataset, "ReferencedFrameOfReferenceSequence"):
        for study in sequence_items(frame, "RTReferencedStudySequence"):
            yield from sequence_items(study, "RTReferencedSeriesSequence")


def referenced_images(items: Iterable[Dataset]) -> Iterator[str]:
    """Yield the SOP Instance UIDs that items with a Contour Image Sequence reference."""
    for item in items:
        for image in sequence_items(item, "ContourImageSequence"):
            yield str(image.get("ReferencedSOPInstanceUID", "") or "")
