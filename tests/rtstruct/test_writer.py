from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

import numpy as np
import pytest
import shapely
from pydicom import dcmread
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from autocontour.base.errors import OutputError, UsageError
from autocontour.base.findings import Finding, Severity
from autocontour.patient.provenance import Provenance
from autocontour.patient.structures import GenerationAlgorithm, ReviewStatus, Structure, StructureSet
from autocontour.rtstruct import HoleStyle, WriteOptions, read_structure_set, write_structure_set
from autocontour.rtstruct.write import writer as writer_module


@pytest.fixture
def path(tmp_path):
    return tmp_path / "RS.dcm"


@pytest.mark.parametrize("holes", HoleStyle)
def test_dciodvfy_finds_no_error_and_no_warning(make, ct, path, holes):
    structure_set = make.set(ct)
    named = dataclasses.replace(structure_set.structures[1], name="Parotid_L", tg263_name="Parotid_L")
    structure_set = dataclasses.replace(
        structure_set, structures=(*structure_set.structures, dataclasses.replace(named, number=50))
    )
    write_structure_set(structure_set, ct, path, options=WriteOptions(holes=holes))
    assert make.dciodvfy(path) == []


@pytest.mark.parametrize("holes", HoleStyle)
def test_every_hole_style_reads_back_as_the_same_polygons(make, ct, path, holes):
    structure_set = make.set(ct)
    write_structure_set(structure_set, ct, path, options=WriteOptions(holes=holes))
    back = read_structure_set(path, ct)
    for structure in structure_set.structures:
        read = back[structure.name]
        assert read.contours.keys() == structure.contours.keys()
        for index, area in structure.contours.items():
            assert read.contours[index].symmetric_difference(area).area < 0.001 * area.length
        assert not read.carried


def test_what_a_structure_is_comes_back(make, ct, path):
    mask = make.masks()["Ball"]
    provenance = Provenance("head-neck", "2.1", "ab" * 32, "CUDA", "clinic@" + "cd" * 32, 0.875)
    structure = make.structure(
        "PAROTIDE_GCHE",
        7,
        mask,
        ct,
        tg263_name="Parotid_L",
        color_rgb=(1, 200, 30),
        provenance=provenance,
        description="Left gland",
        generation=GenerationAlgorithm.SEMIAUTOMATIC,
    )
    write_structure_set(StructureSet("SET", (structure,)), ct, path)
    read = read_structure_set(path, ct)
    assert read.label == "SET"
    back = read.structures[0]
    for field in (
        "name",
        "number",
        "tg263_name",
        "color_rgb",
        "provenance",
        "description",
        "generation",
        "interpreted_type",
    ):
        assert getattr(back, field) == getattr(structure, field), field


def test_algorithm_codes_and_equipment_are_recorded(make, ct, path):
    structure = make.structure(
        "Lung_L", 1, make.masks()["Ball"], ct, tg263_name="Lung_L", provenance=Provenance("net", "3", "ef" * 32)
    )
    write_structure_set(StructureSet("SET", (structure,)), ct, path)
    dataset = dcmread(path)
    roi, observation = dataset.StructureSetROISequence[0], dataset.RTROIObservationsSequence[0]
    algorithm = roi.ROIDerivationAlgorithmIdentificationSequence[0]
    assert (algorithm.AlgorithmName, algorithm.AlgorithmVersion) == ("net", "3")
    assert "ef" * 32 in algorithm.AlgorithmParameters
    assert algorithm.AlgorithmFamilyCodeSequence[0].CodeMeaning == "Artificial Intelligence"
    assert roi.ROIGenerationAlgorithm == "AUTOMATIC"
    code = observation.RTROIIdentificationCodeSequence[0]
    assert (code.CodeValue, code.CodingSchemeDesignator) == ("39607008", "SCT")
    assert code.SegmentedPropertyTypeModifierCodeSequence[0].CodeValue == "7771000"
    assert dataset.ContributingEquipmentSequence[0].Manufacturer == "autocontour"
    assert dataset.ApprovalStatus == "UNAPPROVED"
    assert "ReviewerName" not in dataset


def test_no_code_for_a_name_that_is_not_known(make, ct, path):
    structure = make.structure("Thing", 1, make.masks()["Ball"], ct, tg263_name="Thing")
    write_structure_set(StructureSet("SET", (structure,)), ct, path)
    assert "RTROIIdentificationCodeSequence" not in dcmread(path).RTROIObservationsSequence[0]


MORNING, NOON = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC), datetime(2026, 3, 4, 12, 0, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("statuses", "reviewers", "expected"),
    [
        (("approved", "approved"), ("Doe^Jane", "Doe^Jane"), "APPROVED"),
        (("approved", "edited"), ("Doe^Jane", ""), "UNAPPROVED"),
        (("approved", "approved"), ("", ""), "UNAPPROVED"),
        (("approved", "approved"), ("Doe^Jane", "Roe^Richard"), "UNAPPROVED"),
    ],
)
def test_an_exported_set_is_approved_only_by_one_person_who_approved_all(make, ct, path, statuses, reviewers, expected):
    """Not signed with the last structure's approver and the time of export."""
    structures = tuple(
        make.structure(
            f"S{i}", i, make.masks()["Ball"], ct, status=ReviewStatus(status), reviewer=name, reviewed_at=time
        )
        for i, (status, name, time) in enumerate(zip(statuses, reviewers, (NOON, MORNING), strict=True))
    )
    write_structure_set(StructureSet("SET", structures), ct, path)
    dataset = dcmread(path)
    assert dataset.ApprovalStatus == expected
    assert ("ReviewDate" in dataset) == ("ReviewerName" in dataset) == (expected == "APPROVED")
    if expected == "APPROVED":
        assert dataset.ReviewDate + dataset.ReviewTime == NOON.astimezone().strftime("%Y%m%d%H%M%S")
        assert dataset.ReviewerName == "Doe^Jane"
    for status, name, time, observation in zip(
        statuses, reviewers, (NOON, MORNING), dataset.RTROIObservationsSequence, strict=True
    ):
        signed = status == "approved" and name != ""
        assert observation.ROIInterpreter == (name if signed else "")
        assert observation.get("ROIObservationDateTime") == (
            time.astimezone().strftime("%Y%m%d%H%M%S%z") if signed else None
        )
    assert make.dciodvfy(path) == []


def test_findings_stand_in_the_file(make, ct, path):
    finding = Finding("AC-QA-001", Severity.WARN, "It touches the end of the scan.", "Ball")
    structure = make.structure("Ball", 1, make.masks()["Ball"], ct, findings=(finding,))
    accepted = Finding("AC-CT-020", Severity.BLOCK, "A slice is missing.").accept()
    write_structure_set(StructureSet("SET", (structure,), findings=(accepted,)), ct, path)
    dataset = dcmread(path)
    assert dataset.RTROIObservationsSequence[0].ROIObservationDescription == "AC-QA-001 It touches the end of the scan."
    assert dataset.StructureSetDescription == "AC-CT-020 Accepted by the user: A slice is missing."


def test_many_findings_fit_their_field_in_every_character_set(make, ct, path):
    findings = tuple(Finding(f"AC-QA-{i:03}", Severity.WARN, "It touches the end of the scan.") for i in range(60))
    write_structure_set(StructureSet("SET", make.set(ct).structures, findings=findings), ct, path)
    text = dcmread(path).StructureSetDescription
    assert len(text) == 1024
    assert text.isascii()
    assert make.dciodvfy(path) == []


def test_reference_closure_is_complete(make, ct, path):
    write_structure_set(make.set(ct), ct, path)
    dataset = dcmread(path)
    frame = dataset.ReferencedFrameOfReferenceSequence[0]
    series = frame.RTReferencedStudySequence[0].RTReferencedSeriesSequence[0]
    listed = [item.ReferencedSOPInstanceUID for item in series.ContourImageSequence]
    assert listed == list(ct.reference.sop_instance_uids)
    assert series.SeriesInstanceUID == ct.reference.series_instance_uid
    assert frame.FrameOfReferenceUID == dataset.FrameOfReferenceUID == ct.reference.frame_of_reference_uid
    for item in dataset.ROIContourSequence:
        for contour in item.ContourSequence:
            assert len(contour.ContourImageSequence) == 1
            image = contour.ContourImageSequence[0].ReferencedSOPInstanceUID
            z = ct.geometry.slice_origins_lps_mm[listed.index(image), 2]
            assert {float(value) for value in contour.ContourData[2::3]} == {float(f"{z:.12g}")}


def test_values_fit_sixteen_characters_and_no_contour_is_short(make, path):
    ct = make.ct(make.geometry(spacing=(2.9999871, 0.9123456789, 1.0 / 3.0)))
    write_structure_set(make.set(ct), ct, path)
    for item in dcmread(path).ROIContourSequence:
        for contour in item.ContourSequence:
            values = [value.original_string for value in contour.ContourData]
            assert max(map(len, values)) <= 16
            assert len(values) == 3 * contour.NumberOfContourPoints >= 9


def test_contour_over_64_kb_is_written_implicit(make, ct, path):
    angle = np.linspace(0, 2 * np.pi, 6001)[:-1]
    wave = 14 + 2 * np.sin(angle * 700)
    ring = np.column_stack([wave * np.cos(angle), wave * np.sin(angle) - 10])
    area = shapely.MultiPolygon([shapely.Polygon(ring)])
    write_structure_set(StructureSet("BIG", (Structure("External", 1, {3: area}),)), ct, path)
    dataset = dcmread(path)
    assert dataset.file_meta.TransferSyntaxUID == ImplicitVRLittleEndian
    assert dataset.ROIContourSequence[0].ContourSequence[0]["ContourData"].VR == "DS"
    assert make.dciodvfy(path) == []
    assert read_structure_set(path, ct)["External"].contours[3].area == pytest.approx(area.area, rel=1e-4)
    write_structure_set(make.set(ct), ct, path, overwrite=True)
    assert dcmread(path).file_meta.TransferSyntaxUID == ExplicitVRLittleEndian


@pytest.mark.parametrize(
    ("character_set", "patient", "name", "expected"),
    [
        ("ISO_IR 100", "Müller^Jörg", "Ösophagus", "ISO_IR 100"),
        ("ISO_IR 100", "Müller^Jörg", "食道", "ISO_IR 192"),
        ("ISO_IR 192", "王^小東", "食道", "ISO_IR 192"),
        ("GB18030", "王^小东", "食道", "GB18030"),
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎", "Esophagus", ["", "ISO 2022 IR 87"]),
        (["", "ISO 2022 IR 149"], "Hong^Gildong=洪^吉洞", "식도", "ISO_IR 192"),
        (None, "Plain^Name", "Esophagus", None),
        (None, "Plain^Name", "Œsophage", "ISO_IR 192"),
    ],
)
def test_non_latin_names_are_kept(make, path, character_set, patient, name, expected):
    header = {"SpecificCharacterSet": character_set} if character_set else {}
    ct = make.ct(**header, PatientName=patient)
    structure = make.structure(name, 1, make.masks()["Ball"], ct)
    write_structure_set(StructureSet("SET", (structure,)), ct, path)
    dataset = dcmread(path)
    assert (dataset.get("SpecificCharacterSet") or None) == expected
    assert str(dataset.PatientName) == patient
    assert str(dataset.StructureSetROISequence[0].ROIName) == name
    assert read_structure_set(path, ct).names == (name,)


def test_times_are_in_the_zone_that_the_ct_states(make, path):
    ct = make.ct(TimezoneOffsetFromUTC="+0545")
    approval = {"status": ReviewStatus.APPROVED, "reviewer": "Doe^Jane"}
    approval["reviewed_at"] = datetime(2026, 3, 4, 22, 30, 0, tzinfo=UTC)
    approved = make.structure("A", 1, make.masks()["Ball"], ct, **approval)
    write_structure_set(StructureSet("SET", (approved,)), ct, path)
    dataset = dcmread(path)
    assert (dataset.ReviewDate, dataset.ReviewTime) == ("20260305", "041500")
    assert dataset.TimezoneOffsetFromUTC == "+0545"


def test_copied_values_are_never_altered(make, path):
    ct = make.ct(PatientName="lower case  name", StudyID="", PatientID="007 ", AccessionNumber="")
    write_structure_set(make.set(ct), ct, path)
    dataset = dcmread(path)
    assert dataset.PatientName == "lower case  name"
    assert dataset.get_item("PatientID").value == b"007 "
    assert dataset.StudyID == ""
    assert all("Study ID" in line or "Name form" in line for line in make.dciodvfy(path))


def test_deidentification_is_not_claimed_without_its_method(make, path):
    ct = make.ct(PatientIdentityRemoved="YES")
    write_structure_set(make.set(ct), ct, path)
    assert make.dciodvfy(path) == []


def test_two_writes_differ_in_uids_and_times_only(make, ct, tmp_path):
    structure_set = make.set(ct)
    datasets = []
    for name in ("a", "b"):
        write_structure_set(structure_set, ct, tmp_path / name)
        dataset = dcmread(tmp_path / name)
        for keyword in ("SOPInstanceUID", "SeriesInstanceUID", "InstanceCreationTime", "StructureSetTime"):
            del dataset[keyword]
        del dataset.ContributingEquipmentSequence[0].ContributionDateTime
        datasets.append(dataset)
    assert datasets[0] == datasets[1]


def test_existing_file_is_refused_unless_overwrite_is_set(make, ct, path):
    path.write_bytes(b"mine")
    with pytest.raises(OutputError, match="AC-OUT-002"):
        write_structure_set(make.set(ct), ct, path)
    assert path.read_bytes() == b"mine"
    write_structure_set(make.set(ct), ct, path, overwrite=True)
    assert read_structure_set(path, ct).structures


@pytest.mark.parametrize("fault", ["changed", "dropped", "unreadable"])
def test_a_write_that_goes_wrong_leaves_nothing_behind(make, ct, path, monkeypatch, fault):
    """Whatever happens between writing and re-reading is noticed, and the old file stays."""
    path.write_bytes(b"mine")
    save = writer_module.save

    def bad_save(dataset, temporary):
        if fault == "dropped":
            dataset.ROIContourSequence[0].ContourSequence.pop()
        save(dataset, temporary)
        data = temporary.read_bytes()
        if fault == "changed":
            place = data.index(b"CLOSED_PLANAR") + 60
            place = data.index(b"\\", place) + 1
            data = data[:place] + (b"7" if data[place : place + 1] != b"7" else b"8") + data[place + 1 :]
        if fault == "unreadable":
            data = data[: len(data) // 2]
        temporary.write_bytes(data)

    monkeypatch.setattr(writer_module, "save", bad_save)
    with pytest.raises(OutputError):
        write_structure_set(make.set(ct), ct, path, overwrite=True)
    assert path.read_bytes() == b"mine"
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_a_folder_that_cannot_be_written_is_said(make, ct, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    with pytest.raises(OutputError, match="AC-OUT-001"):
        write_structure_set(make.set(ct), ct, blocked / "RS.dcm")


def test_what_cannot_be_written_is_refused(make, ct, path):
    mask = make.masks()["Ball"]
    one, two = (make.structure(name, number, mask, ct) for name, number in (("A", 1), ("a", 2)))
    cases = {
        "AC-OUT-104": StructureSet("SET", (one, two)),
        "AC-OUT-106": StructureSet("SET", ()),
        "AC-OUT-102": StructureSet("A LABEL THAT IS TOO LONG", (one,)),
    }
    named = [("AC-OUT-103", {"name": name}) for name in ("x" * 65, "", "  ", "a\\b", "a\nb")]
    unfit = [*named, ("AC-OUT-117", {"interpreted_type": "organ"}), ("AC-OUT-118", {"description": "x" * 1025})]
    unwritable = [(code, StructureSet("SET", (dataclasses.replace(one, **fields),))) for code, fields in unfit]
    for code, structure_set in [*cases.items(), *unwritable]:
        with pytest.raises(OutputError, match=code):
            write_structure_set(structure_set, ct, path)
    with pytest.raises(UsageError, match="AC-US-101"):
        write_structure_set(make.set(ct), dataclasses.replace(ct, reference=None), path)
    assert not path.exists()


def test_slivers_below_the_files_precision_are_left_out(ct, path):
    sound = shapely.box(0, 0, 10, 10)
    sliver = shapely.Polygon([(20, 0), (20.0004, 0), (20.0004, 0.0004)])
    structure = Structure("S", 1, {2: shapely.MultiPolygon([sound, sliver])})
    write_structure_set(StructureSet("SET", (structure,)), ct, path)
    assert len(dcmread(path).ROIContourSequence[0].ContourSequence) == 1


@pytest.mark.parametrize("index", [-1, 10_000])
def test_contours_on_slices_outside_the_ct_are_refused(make, ct, path, index):
    whole = make.set(ct)
    first = whole.structures[0]
    beyond = dataclasses.replace(first, contours={**first.contours, index: next(iter(first.contours.values()))})
    with pytest.raises(OutputError, match="AC-OUT-119"):
        write_structure_set(dataclasses.replace(whole, structures=(beyond,)), ct, path)
    assert not path.exists()


@pytest.mark.parametrize("vr", [b"OB", b"UN", b"LO"])
def test_a_number_that_a_file_holds_under_another_vr_is_written_as_the_standard_says(make, ct, path, vr):
    write_structure_set(make.set(ct), ct, path)
    data = path.read_bytes()
    standard = b"\x06\x30\x82\x00IS\x02\x00"  # Observation Number, explicit VR
    assert standard in data
    header = b"\x06\x30\x82\x00" + vr + (b"\x02\x00" if vr == b"LO" else b"")
    if vr == b"LO":  # a header of the same length keeps every length of the file
        path.write_bytes(data.replace(standard, header))
    else:
        dataset = dcmread(path)
        for item in dataset.RTROIObservationsSequence:
            del item.ObservationNumber
            item.add_new(0x30060082, vr.decode(), b"1 ")
        dataset.save_as(path)
    structure_set = read_structure_set(path, ct)
    write_structure_set(structure_set, ct, path, overwrite=True)
    numbers = [item["ObservationNumber"] for item in dcmread(path).RTROIObservationsSequence]
    assert {element.VR for element in numbers} == {"IS"}
