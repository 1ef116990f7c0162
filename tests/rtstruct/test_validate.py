"""The offline check finds each fault a planning system would stumble over."""

from __future__ import annotations

import pytest
from pydicom import dcmread

from autocontour.base.errors import OutputError
from autocontour.base.findings import Severity
from autocontour.rtstruct import check_structure_set, validate_structure_set, write_structure_set


@pytest.fixture(scope="module")
def path(make, ct, tmp_path_factory):
    path = tmp_path_factory.mktemp("sound") / "RS.dcm"
    masks = make.masks()
    write_structure_set(make.set(ct, {name: masks[name] for name in ("Ball", "One")}), ct, path)
    return path


def series(dataset):
    return dataset.ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence[0].RTReferencedSeriesSequence[0]


def contour(dataset):
    return dataset.ROIContourSequence[0].ContourSequence[0]


def move(dataset, mm):
    values = [float(value) for value in contour(dataset).ContourData]
    values[2::3] = [round(z + mm, 6) for z in values[2::3]]
    contour(dataset).ContourData = values


def cut_to_two_points(item):
    item.ContourData, item.NumberOfContourPoints = item.ContourData[:6], 2


FAULTS = {
    "type 1 missing": ("AC-RS-101", lambda d: delattr(d, "StructureSetLabel")),
    "type 2 missing": ("AC-RS-101", lambda d: delattr(d, "OperatorsName")),
    "type 1 in an item missing": ("AC-RS-101", lambda d: delattr(d.ROIContourSequence[0], "ReferencedROINumber")),
    "type 1 empty": ("AC-RS-102", lambda d: setattr(d, "Modality", "")),
    "sequence empty": ("AC-RS-102", lambda d: setattr(d, "RTROIObservationsSequence", [])),
    "label too long": ("AC-RS-103", lambda d: setattr(d, "StructureSetLabel", "x" * 17)),
    "name too long": ("AC-RS-103", lambda d: setattr(d.StructureSetROISequence[0], "ROIName", "x" * 65)),
    "no UID": ("AC-RS-104", lambda d: setattr(d, "SeriesInstanceUID", "1.02.3")),
    "observation of no ROI": ("AC-RS-122", lambda d: setattr(d.RTROIObservationsSequence[0], "ReferencedROINumber", 9)),
    "contours of no ROI": ("AC-RS-105", lambda d: setattr(d.ROIContourSequence[0], "ReferencedROINumber", 9)),
    "ROI without contour item": ("AC-RS-106", lambda d: d.ROIContourSequence.pop()),
    "numbers not unique": ("AC-RS-107", lambda d: setattr(d.StructureSetROISequence[0], "ROINumber", 2)),
    "observations not unique": ("AC-RS-107", lambda d: setattr(d.RTROIObservationsSequence[0], "ObservationNumber", 2)),
    "odd approval": ("AC-RS-108", lambda d: setattr(d, "ApprovalStatus", "MAYBE")),
    "approved by nobody": ("AC-RS-109", lambda d: setattr(d, "ApprovalStatus", "APPROVED")),
    "another frame": ("AC-RS-110", lambda d: setattr(d, "FrameOfReferenceUID", "1.2.3")),
    "another study": ("AC-RS-111", lambda d: setattr(d, "StudyInstanceUID", "1.2.3")),
    "another series": ("AC-RS-112", lambda d: setattr(series(d), "SeriesInstanceUID", "1.2.3")),
    "an image not listed": ("AC-RS-113", lambda d: series(d).ContourImageSequence.pop()),
    "wrong number of points": ("AC-RS-119", lambda d: setattr(contour(d), "NumberOfContourPoints", 5)),
    "unknown type": ("AC-RS-114", lambda d: setattr(contour(d), "ContourGeometricType", "CLOSED")),
    "two points": (
        "AC-RS-120",
        lambda d: contour(d).update({"ContourData": [1, 2, 3] * 2, "NumberOfContourPoints": 2}),
    ),
    "image not in the CT": (
        "AC-RS-115",
        lambda d: setattr(contour(d).ContourImageSequence[0], "ReferencedSOPInstanceUID", "1.2.3"),
    ),
    "on another slice": ("AC-RS-116", lambda d: move(d, 3.0)),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_is_found(fault, path, ct):
    code, change = FAULTS[fault]
    dataset = dcmread(path)
    change(dataset)
    found = [f for f in check_structure_set(dataset, ct) if f.severity is Severity.BLOCK]
    assert code in {f.code for f in found}
    with pytest.raises(OutputError, match="AC-OUT-111"):
        validate_structure_set(dataset, ct)


def test_a_sound_file_has_no_findings(path, ct):
    assert check_structure_set(dcmread(path), ct) == []


@pytest.mark.parametrize(("mm", "codes"), [(0.0004, []), (0.002, ["AC-RS-117"])])
def test_distance_from_the_slice_is_judged_at_a_thousandth_of_a_mm(mm, codes, path, ct):
    dataset = dcmread(path)
    move(dataset, mm)
    assert [f.code for f in check_structure_set(dataset, ct)] == codes


def test_a_fault_copied_from_the_ct_is_only_said(make, tmp_path):
    ct = make.ct(StudyID="longer than sixteen characters")
    write_structure_set(make.set(ct), ct, tmp_path / "RS.dcm")
    findings = check_structure_set(dcmread(tmp_path / "RS.dcm"), ct)
    assert [(f.code, f.severity) for f in findings] == [("AC-RS-103", Severity.WARN)]
