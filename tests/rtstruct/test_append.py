from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from pydicom import Dataset, dcmread, dcmwrite
from shapely import MultiPolygon, Polygon

from autocontour.base.errors import OutputError, StructureSetError
from autocontour.patient.structures import ReviewStatus, Structure, StructureSet
from autocontour.rtstruct import append_structures, read_structure_set, write_structure_set
from autocontour.rtstruct.write import append as append_module


def foreign(dataset: Dataset) -> None:
    """Make our file look like another system's: its own equipment, numbers, order, private data, odd values."""
    dataset.Manufacturer, dataset.ManufacturerModelName = "Other Systems", "Planner"
    del dataset.ContributingEquipmentSequence
    for roi, contours, observation in zip(
        dataset.StructureSetROISequence, dataset.ROIContourSequence, dataset.RTROIObservationsSequence, strict=True
    ):
        roi.ROINumber = contours.ReferencedROINumber = observation.ReferencedROINumber = int(roi.ROINumber) + 40
        observation.ObservationNumber = int(observation.ObservationNumber) + 7
        del roi.ROIDerivationAlgorithmIdentificationSequence
        contours.private_block(0x3007, "Planner", create=True).add_new(0x10, "LO", "Grün")
        for contour in contours.ContourSequence:
            contour.ContourNumber = 3
    dataset.ROIContourSequence[0].ROIDisplayColor = [1, 2, 3]
    dataset.SpecificCharacterSet = "ISO_IR 100"
    dataset.ApprovalStatus, dataset.ReviewDate, dataset.ReviewTime = "APPROVED", "20260101", "101010"
    dataset.ReviewerName = "Doe^Jane"


@pytest.fixture(params=["explicit", "implicit", "undefined lengths"])
def existing(request, make, ct, tmp_path):
    path = tmp_path / "existing.dcm"
    masks = make.masks()
    write_structure_set(make.set(ct, {name: masks[name] for name in ("Ball", "Ring")}), ct, path)
    dataset = dcmread(path)
    foreign(dataset)
    for element in dataset.iterall():
        if element.VR == "SQ" and request.param == "undefined lengths":
            element.is_undefined_length = True
            for item in element.value:
                item.is_undefined_length_sequence_item = True
    implicit = request.param == "implicit"
    dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2" if implicit else "1.2.840.10008.1.2.1"
    dcmwrite(path, dataset, implicit_vr=implicit, little_endian=True)
    return path


def items(path, number):
    """The encoded items of one ROI."""
    from pydicom.filebase import DicomBytesIO
    from pydicom.filewriter import write_sequence_item

    dataset, found = dcmread(path), []
    for keyword, key in (
        ("StructureSetROISequence", "ROINumber"),
        ("ROIContourSequence", "ReferencedROINumber"),
        ("RTROIObservationsSequence", "ReferencedROINumber"),
    ):
        for item in dataset[keyword].value:
            if str(item[key].value) == str(number):
                buffer = DicomBytesIO()
                buffer.is_implicit_VR, buffer.is_little_endian = dataset.original_encoding
                write_sequence_item(buffer, item, ["latin_1"])
                found.append(buffer.getvalue())
    return found


def referenced_series(dataset):
    study = dataset.ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence[0]
    return study.RTReferencedSeriesSequence[0]


def new_set(make, ct, *names, mask="Straw", **fields):
    structures = tuple(make.structure(name, i, make.masks()[mask], ct, **fields) for i, name in enumerate(names, 1))
    return StructureSet("NEW", structures)


def test_other_rois_stay_byte_for_byte(existing, make, ct):
    before = {number: items(existing, number) for number in (41, 42)}
    raw = existing.read_bytes()
    warnings = make.dciodvfy(existing)
    append_structures(existing, new_set(make, ct, "Straw", "Lung_L", tg263_name="Lung_L"), ct)
    after = existing.read_bytes()
    assert {number: items(existing, number) for number in (41, 42)} == before
    for pieces in before.values():
        assert all(piece in after for piece in pieces if piece in raw)
        assert any(piece in raw for piece in pieces)
    assert set(make.dciodvfy(existing)) <= set(warnings)


def test_the_new_instance_is_named_and_unapproved(existing, make, ct):
    old = dcmread(existing)
    append_structures(existing, new_set(make, ct, "Straw"), ct)
    new = dcmread(existing)
    assert new.SOPInstanceUID != old.SOPInstanceUID
    assert new.file_meta.MediaStorageSOPInstanceUID == new.SOPInstanceUID
    assert new.SeriesInstanceUID == old.SeriesInstanceUID
    assert new.PredecessorStructureSetSequence[0].ReferencedSOPInstanceUID == old.SOPInstanceUID
    assert new.Manufacturer == "Other Systems"
    assert new.ContributingEquipmentSequence[-1].Manufacturer == "autocontour"
    assert new.ApprovalStatus == "UNAPPROVED"
    assert "ReviewerName" not in new
    assert [int(roi.ROINumber) for roi in new.StructureSetROISequence] == [41, 42, 43]
    assert [int(o.ObservationNumber) for o in new.RTROIObservationsSequence] == [8, 9, 10]
    read = read_structure_set(existing, ct)
    assert read.names == ("Ball", "Ring", "Straw")
    assert np.array_equal(make.fill(existing, ct)["Straw"], make.masks()["Straw"])


def test_a_taken_name_is_refused_unless_replaced(existing, make, ct):
    before = existing.read_bytes()
    with pytest.raises(OutputError, match="AC-OUT-105"):
        append_structures(existing, new_set(make, ct, "ball"), ct)
    assert existing.read_bytes() == before
    untouched = items(existing, 42)
    append_structures(existing, new_set(make, ct, "Ball"), ct, replace=True)
    assert items(existing, 42) == untouched
    dataset = dcmread(existing)
    assert [int(roi.ROINumber) for roi in dataset.StructureSetROISequence] == [41, 42]
    assert [int(o.ObservationNumber) for o in dataset.RTROIObservationsSequence] == [8, 9]
    filled = make.fill(existing, ct)
    assert np.array_equal(filled["Ball"], make.masks()["Straw"])
    assert np.array_equal(filled["Ring"], make.masks()["Ring"])


def test_a_density_stays_with_a_replaced_roi(existing, make, ct, edit_file):
    def change(dataset):
        density = Dataset()
        density.ROIPhysicalProperty, density.ROIPhysicalPropertyValue = "REL_ELEC_DENSITY", "1.2"
        dataset.RTROIObservationsSequence[0].ROIPhysicalPropertiesSequence = [density]

    path = edit_file(existing, change)
    append_structures(path, new_set(make, ct, "Ball"), ct, replace=True)
    observation = dcmread(path).RTROIObservationsSequence[0]
    assert observation.ROIPhysicalPropertiesSequence[0].ROIPhysicalPropertyValue == 1.2


def test_another_frame_of_reference_or_series_is_refused(existing, make, ct):
    before = existing.read_bytes()
    with pytest.raises(StructureSetError, match="AC-RS-003"):
        append_structures(existing, new_set(make, ct, "Straw"), make.ct())
    other = dataclasses.replace(ct, reference=dataclasses.replace(ct.reference, series_instance_uid="1.2.3"))
    with pytest.raises(StructureSetError, match="AC-RS-005"):
        append_structures(existing, new_set(make, ct, "Straw"), other)
    assert existing.read_bytes() == before


def test_a_copy_can_be_written_elsewhere(existing, make, ct, tmp_path):
    before = existing.read_bytes()
    append_structures(existing, new_set(make, ct, "Straw"), ct, output=tmp_path / "copy.dcm")
    assert existing.read_bytes() == before
    assert "Straw" in read_structure_set(tmp_path / "copy.dcm", ct).names


def appended_meanwhile(make, ct, monkeypatch, times):
    """Another program appends structures while this one verifies its own file, so many times."""
    verify, left = append_module._verify, list(range(times))

    def interrupted(path, *rest):
        verify(path, *rest)
        if left:
            number = left.pop()
            with monkeypatch.context() as patch:
                patch.setattr(append_module, "_verify", verify)
                append_structures(path.parent / "existing.dcm", new_set(make, ct, f"Other{number}"), ct)

    monkeypatch.setattr(append_module, "_verify", interrupted)


def test_structures_that_another_program_appends_at_the_same_time_are_kept(existing, make, ct, monkeypatch):
    """Both programs ended with success, and the structures of one of them were lost."""
    appended_meanwhile(make, ct, monkeypatch, 1)
    append_structures(existing, new_set(make, ct, "Straw"), ct)
    assert {"Ball", "Ring", "Straw", "Other0"} == set(read_structure_set(existing, ct).names)


def test_a_file_that_changes_again_and_again_is_left_as_it_is(existing, make, ct, monkeypatch):
    appended_meanwhile(make, ct, monkeypatch, append_module.ATTEMPTS)
    with pytest.raises(OutputError, match="AC-OUT-009"):
        append_structures(existing, new_set(make, ct, "Straw"), ct)
    assert "Straw" not in read_structure_set(existing, ct).names


def test_a_name_beyond_the_files_character_set_turns_it_into_utf_8(existing, make, ct):
    append_structures(existing, new_set(make, ct, "食道"), ct)
    dataset = dcmread(existing)
    assert dataset.SpecificCharacterSet == "ISO_IR 192"
    assert dataset.StructureSetROISequence[-1].ROIName == "食道"
    private = dataset.ROIContourSequence[0].private_block(0x3007, "Planner")[0x10]
    assert private.value == "Grün" or private.VR == "UN"  # what kind of value it is stands in no implicit file


def test_what_goes_wrong_leaves_the_file_as_it_was(existing, make, ct, monkeypatch):
    before = existing.read_bytes()
    save = append_module.save

    def bad_save(dataset, temporary):
        dataset.ROIContourSequence[0].ContourSequence.pop()
        save(dataset, temporary)

    monkeypatch.setattr(append_module, "save", bad_save)
    with pytest.raises(OutputError, match="AC-OUT-114"):
        append_structures(existing, new_set(make, ct, "Straw"), ct)
    assert existing.read_bytes() == before
    assert len(list(existing.parent.iterdir())) == 1


def test_faults_that_were_there_do_not_stop_it_and_missing_references_are_added(existing, make, ct, edit_file):
    def change(dataset):
        series = (
            dataset.ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence[0].RTReferencedSeriesSequence[0]
        )
        series.ContourImageSequence = series.ContourImageSequence[:3]
        del dataset.PositionReferenceIndicator
        dataset.ROIContourSequence[0].ContourSequence[0].ContourGeometricType = "INTERPOLATED_PLANAR"

    path = edit_file(existing, change)
    append_structures(path, new_set(make, ct, "Straw", status=ReviewStatus.APPROVED), ct)
    dataset = dcmread(path)
    series = referenced_series(dataset)
    listed = [image.ReferencedSOPInstanceUID for image in series.ContourImageSequence]
    assert sorted(listed) == sorted(ct.reference.sop_instance_uids)
    assert dataset.ROIContourSequence[0].ContourSequence[0].ContourGeometricType == "INTERPOLATED_PLANAR"
    assert "PositionReferenceIndicator" not in dataset


def test_a_contour_over_64_kb_turns_the_file_implicit(existing, make, ct):
    angle = np.linspace(0, 2 * np.pi, 6001)[:-1]
    radius = 14 + 2 * np.sin(angle * 700)
    area = MultiPolygon([Polygon(np.column_stack([radius * np.cos(angle), radius * np.sin(angle) - 10]))])
    before = read_structure_set(existing, ct)
    append_structures(existing, StructureSet("NEW", (Structure("Big", 1, {3: area}),)), ct)
    assert dcmread(existing).file_meta.TransferSyntaxUID == "1.2.840.10008.1.2"
    after = read_structure_set(existing, ct)
    assert after["Big"].contours[3].area == pytest.approx(area.area, rel=1e-4)
    for structure in before.structures:
        assert dict(after[structure.name].imported) == dict(structure.imported)


@pytest.mark.parametrize("uid", ["1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"])
def test_big_endian_and_deflated_files_become_plain_ones(uid, existing, make, ct):
    dataset = dcmread(existing)
    for element in dataset.iterall():
        assert element.value is not None or element.is_empty  # converts the raw value before the encoding changes
    dataset.file_meta.TransferSyntaxUID = uid
    dcmwrite(existing, dataset, implicit_vr=False, little_endian=not uid.endswith("1.2.2"))
    before = read_structure_set(existing, ct)
    append_structures(existing, new_set(make, ct, "Straw"), ct)
    assert dcmread(existing).file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"
    after = read_structure_set(existing, ct)
    assert after.names == (*before.names, "Straw")
    assert all(dict(after[s.name].contours) == dict(s.contours) for s in before.structures)
