"""Reading: every row of the list of structure sets that broke other programs, by name."""

from __future__ import annotations

import copy
import dataclasses

import numpy as np
import pytest
import shapely
import shapely.affinity
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.sequence import Sequence

from autocontour.base.errors import OutputError, StructureSetError
from autocontour.base.findings import Severity
from autocontour.patient.structures import StructureSet
from autocontour.rtstruct import HoleStyle, WriteOptions, check_structure_set, read_structure_set, write_structure_set


@pytest.fixture(scope="module")
def sound(make, ct, tmp_path_factory):
    path = tmp_path_factory.mktemp("sound") / "RS.dcm"
    masks = make.masks()
    write_structure_set(make.set(ct, {name: masks[name] for name in ("Ball", "Ring", "Straw")}), ct, path)
    return path


def codes(structure_or_set):
    return {finding.code for finding in structure_or_set.findings}


def contour(dataset, roi=0, index=0):
    return dataset.ROIContourSequence[roi].ContourSequence[index]


def points_of(item):
    return np.array(item.ContourData, dtype=float).reshape(-1, 3)


def set_points(item, points, kind="CLOSED_PLANAR"):
    item.ContourData = np.asarray(points, dtype=float).round(3).ravel().tolist()
    item.NumberOfContourPoints = len(points)
    item.ContourGeometricType = kind


def shift_z(item, mm):
    values = [float(value) for value in item.ContourData]
    values[2::3] = [z + mm for z in values[2::3]]
    item.ContourData = [round(value, 3) for value in values]


def read_back(path, ct, tmp_path):
    """Read, write unedited, read again; the second reading has every contour of the first."""
    first = read_structure_set(path, ct)
    written = tmp_path / "again.dcm"
    write_structure_set(first, ct, written)
    second = read_structure_set(written, ct)
    for before, after in zip(first.structures, second.structures, strict=True):
        assert after.name == before.name
        assert dict(after.contours) == dict(before.contours)
        kept = [(written_type(c), c.data) for items in before.imported.values() for c in items]
        assert kept == [(c.geometric_type, c.data) for items in after.imported.values() for c in items]
        carried = [(written_type(c), c.data) for c in before.carried]
        assert carried == [(c.geometric_type, c.data) for c in after.carried]
    return first


def written_type(contour):
    """A planning system refuses closed contours of one or two points and types that are not DICOM's."""
    points = (contour.data.count("\\") + 1) // 3
    if contour.geometric_type == "CLOSED_PLANAR" and points < 3:
        return {1: "POINT", 2: "OPEN_PLANAR"}[points]
    known = {"": "CLOSED_PLANAR", "INTERPOLATED_PLANAR": "CLOSED_PLANAR", "CLOSED_PLAN\u00c4R": "OPEN_NONPLANAR"}
    return known.get(contour.geometric_type, contour.geometric_type)


def remove_contours_of_one(dataset):
    del dataset.ROIContourSequence[0].ContourSequence


def remove_item_of_one(dataset):
    del dataset.ROIContourSequence[0]


def remove_contour_images(dataset):
    for item in dataset.ROIContourSequence:
        for one in item.ContourSequence:
            del one.ContourImageSequence


def remove_referenced_study(dataset):
    del dataset.ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence


def dangle_references(dataset):
    for item in dataset.ROIContourSequence:
        for one in item.ContourSequence:
            one.ContourImageSequence[0].ReferencedSOPInstanceUID = "1.2.3.4"


def add_short_contours(dataset):
    for count in (1, 2):
        item = copy.deepcopy(contour(dataset))
        set_points(item, [[1.0, 2.0, float(item.ContourData[2])]] * count)
        dataset.ROIContourSequence[0].ContourSequence.append(item)


def add_point(dataset):
    item = copy.deepcopy(contour(dataset))
    set_points(item, [[1.0, 2.0, float(item.ContourData[2])]], "POINT")
    dataset.ROIContourSequence[0].ContourSequence.append(item)


def set_first_kind(kind):
    def change(dataset):
        for item in dataset.ROIContourSequence[0].ContourSequence:
            item.ContourGeometricType = kind

    return change


def unname(dataset):
    dataset.StructureSetROISequence[0].ROIName = ""


def add_tiny_contour(dataset):
    item = copy.deepcopy(contour(dataset))
    z = float(item.ContourData[2])
    set_points(item, [[-20, 10, z], [-19.88, 10, z], [-19.88, 10.12, z], [-20, 10.12, z]])
    dataset.ROIContourSequence[0].ContourSequence = Sequence([item])


def move_outside_image(dataset):
    item = contour(dataset)
    set_points(item, points_of(item) + np.array([500, 0, 0]))


def move_off_slices(dataset):
    shift_z(contour(dataset), -400)


def move_between_slices(dataset):
    shift_z(contour(dataset), 1.2)


def add_second_plane(dataset):
    item = copy.deepcopy(contour(dataset))
    shift_z(item, 1.0)
    dataset.ROIContourSequence[0].ContourSequence.append(item)


def share_number(dataset):
    for sequence, keyword in (
        (dataset.StructureSetROISequence, "ROINumber"),
        (dataset.ROIContourSequence, "ReferencedROINumber"),
        (dataset.RTROIObservationsSequence, "ReferencedROINumber"),
    ):
        setattr(sequence[1], keyword, getattr(sequence[0], keyword))


def share_name(dataset):
    dataset.StructureSetROISequence[1].ROIName = dataset.StructureSetROISequence[0].ROIName


def overlap(dataset):
    item = copy.deepcopy(contour(dataset, index=3))
    set_points(item, points_of(item) + np.array([4, 0, 0]))
    dataset.ROIContourSequence[0].ContourSequence.append(item)


def miscount(dataset):
    contour(dataset).NumberOfContourPoints = 99


def tilt(dataset):
    item = contour(dataset, index=3)
    points = points_of(item)
    points[:, 2] += 0.3 * points[:, 0]
    set_points(item, points)


def other_frame_of_one(dataset):
    dataset.StructureSetROISequence[0].ReferencedFrameOfReferenceUID = "1.2.3"


def no_frame(dataset):
    del dataset.ReferencedFrameOfReferenceSequence, dataset.FrameOfReferenceUID
    for item in dataset.StructureSetROISequence:
        del item.ReferencedFrameOfReferenceUID


def other_patient(dataset):
    dataset.PatientID = "someone else"


def other_series(dataset):
    study = dataset.ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence[0]
    study.RTReferencedSeriesSequence[0].SeriesInstanceUID = "1.2.3"


def list_twice(dataset):
    extra = Dataset()
    extra.ReferencedROINumber = dataset.ROIContourSequence[0].ReferencedROINumber
    extra.ContourSequence = Sequence([dataset.ROIContourSequence[0].ContourSequence.pop()])
    dataset.ROIContourSequence.append(extra)


def orphan(dataset):
    dataset.ROIContourSequence[0].ReferencedROINumber = 77


def flatten(dataset):
    item = contour(dataset)
    set_points(item, points_of(item) * np.array([1, 0, 1]))


ROWS = {
    "ROI without ContourSequence": (remove_contours_of_one, "AC-RS-020"),
    "ROI missing from ROIContourSequence": (remove_item_of_one, "AC-RS-020"),
    "no ContourImageSequence": (remove_contour_images, "AC-RS-016"),
    "no RTReferencedStudySequence": (remove_referenced_study, "AC-RS-014"),
    "references to images not in the series": (dangle_references, "AC-RS-015"),
    "contours of 1 and 2 points": (add_short_contours, "AC-RS-021"),
    "POINT": (add_point, "AC-RS-022"),
    "OPEN_PLANAR": (set_first_kind("OPEN_PLANAR"), "AC-RS-023"),
    "INTERPOLATED_PLANAR": (set_first_kind("INTERPOLATED_PLANAR"), "AC-RS-024"),
    "unknown geometric type": (set_first_kind("CLOSED_PLAN\u00c4R"), "AC-RS-046"),
    "no geometric type": (set_first_kind(""), "AC-RS-040"),
    "unnamed ROI": (unname, "AC-RS-026"),
    "contour smaller than a voxel": (add_tiny_contour, "AC-RS-042"),
    "contour without area": (flatten, "AC-RS-027"),
    "contour outside the image": (move_outside_image, "AC-RS-032"),
    "contour off the slices": (move_off_slices, "AC-RS-028"),
    "contour between slices": (move_between_slices, "AC-RS-029"),
    "two planes at one slice": (add_second_plane, "AC-RS-031"),
    "contour in a tilted plane": (tilt, "AC-RS-030"),
    "duplicate ROI numbers": (share_number, "AC-RS-037"),
    "duplicate ROI names": (share_name, "AC-RS-038"),
    "overlapping contours": (overlap, "AC-RS-033"),
    "wrong number of points": (miscount, "AC-RS-036"),
    "one ROI in another frame of reference": (other_frame_of_one, "AC-RS-011"),
    "no frame of reference at all": (no_frame, "AC-RS-010"),
    "another patient": (other_patient, "AC-RS-012"),
    "another series of the frame": (other_series, "AC-RS-013"),
    "an ROI's contours in two items": (list_twice, "AC-RS-044"),
    "contours of an ROI that is not listed": (orphan, "AC-RS-043"),
}


@pytest.mark.parametrize("row", ROWS)
def test_bad_input_opens_with_a_warning_and_is_written_back_unchanged(row, sound, ct, edit_file, tmp_path):
    change, code = ROWS[row]
    path = edit_file(sound, change)
    read = read_back(path, ct, tmp_path)
    everything = codes(read).union(*map(codes, read.structures))
    assert code in everything
    findings = [*read.findings, *(f for s in read.structures for f in s.findings)]
    assert {f.severity for f in findings if f.code == code} == {Severity.WARN}
    assert all(f.slices for f in findings if f.code in ON_SLICES)
    assert everything - {code} <= ACCOMPANY.get(row, set())
    in_file = sum(len(item.get("ContourSequence", [])) for item in dcmread(path).ROIContourSequence)
    held = sum(len(s.carried) + sum(map(len, s.imported.values())) for s in read.structures)
    assert held == in_file


ON_SLICES = {"AC-RS-029", "AC-RS-031", "AC-RS-033", "AC-RS-034", "AC-RS-042"}
# What else is said, and rightly so.
ACCOMPANY = {
    "no frame of reference at all": {"AC-RS-014"},
    "contours of an ROI that is not listed": {"AC-RS-020"},
}


def test_belongs_to_another_ct(sound, make, ct):
    with pytest.raises(StructureSetError, match="AC-RS-003"):
        read_structure_set(sound, make.ct())
    with pytest.raises(StructureSetError, match="AC-RS-004"):
        read_structure_set(sound, dataclasses.replace(ct, reference=None))


def test_no_structure_set_and_damaged_files(sound, ct, make, tmp_path):
    image = next(make.series(ct, tmp_path / "ct").iterdir())
    with pytest.raises(StructureSetError, match="AC-RS-002"):
        read_structure_set(image, ct)
    for data in (b"", b"hello", sound.read_bytes()[:3000]):
        with pytest.raises(StructureSetError, match="AC-RS-001"):
            read_structure_set(data, ct)
    with pytest.raises(StructureSetError):
        read_structure_set(tmp_path / "missing.dcm", ct)


def ring(radius, z, clockwise=False, centre=(0.0, -8.0), count=64):
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)[:: -1 if clockwise else 1]
    return np.column_stack([centre[0] + radius * np.cos(angle), centre[1] + radius * np.sin(angle), np.full(count, z)])


def pointed_keyhole(outer, hole):
    """One ring whose channel comes to a point: it leaves the outer ring at one vertex and returns to the next."""
    return np.concatenate([outer, hole, hole[:1]])


def classic_keyhole(outer, hole):
    return np.concatenate([outer, outer[:1], hole, hole[:1]])


@pytest.mark.parametrize("way", ["nested", "XOR", "keyhole", "pointed keyhole"])
def test_nested_holes(way, sound, ct, make, edit_file, tmp_path):
    """An island in a hole in a disc, written in the four ways that are met."""
    z = float(ct.geometry.slice_positions_mm[4])
    outer, hole, island = ring(14, z), ring(9, z, clockwise=True), ring(4, z)

    def change(dataset):
        item = contour(dataset)
        first = {"keyhole": classic_keyhole, "pointed keyhole": pointed_keyhole}.get(way)
        rings = [first(outer, hole), island] if first else [outer, hole, island]
        items = []
        for points in rings:
            one = copy.deepcopy(item)
            set_points(one, points, "CLOSEDPLANAR_XOR" if way == "XOR" else "CLOSED_PLANAR")
            items.append(one)
        dataset.ROIContourSequence[0].ContourSequence = Sequence(items)

    read = read_back(edit_file(sound, change), ct, tmp_path)
    area = read.structures[0].contours[4]
    truth = sum(sign * shapely.Polygon(r[:, :2].round(3)).area for sign, r in ((1, outer), (-1, hole), (1, island)))
    # A pointed channel has a width: half the step between two vertices, along the channel.
    width = 5 * 14 * 2 * np.pi / 64 if way == "pointed keyhole" else 0.01
    assert area.area == pytest.approx(truth, abs=width)
    assert not area.contains(shapely.Point(6.5, -8.5))
    assert area.contains(shapely.Point(1, -8))
    assert ("AC-RS-034" in codes(read.structures[0])) == (way == "nested")
    assert ("AC-RS-025" in codes(read.structures[0])) == (way == "XOR")


def test_damaged_contour_data_is_carried_as_it_is(sound, ct, tmp_path):
    data = bytearray(sound.read_bytes())
    place = data.index(b"CLOSED_PLANAR")
    backslash = data.index(b"\\", place)
    data[backslash + 1 : backslash + 2] = b"x"
    read = read_structure_set(bytes(data), ct)
    assert codes(read.structures[0]) == {"AC-RS-035"}
    assert len(read.structures[0].carried) == 1
    write_structure_set(read, ct, tmp_path / "again.dcm")
    again = read_structure_set(tmp_path / "again.dcm", ct)
    assert codes(again.structures[0]) == {"AC-RS-035"}
    assert again.structures[0].carried[0].data == read.structures[0].carried[0].data


def test_values_over_16_characters_are_read_and_shortened_on_writing(sound, ct, edit_file, tmp_path):
    values = {}

    def change(dataset):
        element = contour(dataset)["ContourData"]
        values["before"] = [float(value) for value in element.value]
        element.VR = "LT"  # lets pydicom write numbers of any length
        element.value = "\\".join(f"{value:.14f}" for value in values["before"])

    read = read_structure_set(edit_file(sound, change), ct)
    assert codes(read.structures[0]) == {"AC-RS-041"}
    write_structure_set(read, ct, tmp_path / "again.dcm")
    again = contour(dcmread(tmp_path / "again.dcm")).ContourData
    assert max(len(value.original_string) for value in again) <= 16
    assert np.allclose(np.array(again, dtype=float), values["before"], atol=1e-9)


def test_row_and_column_spacing_differ(make, tmp_path):
    ct = make.ct(make.geometry(shape=(4, 20, 60), spacing=(2.0, 3.0, 0.5)))
    mask = np.zeros(ct.geometry.shape_zyx, dtype=bool)
    mask[1:3, 4:9, 30:55] = True
    write_structure_set(make.set(ct, {"Box": mask}), ct, tmp_path / "RS.dcm")
    assert np.array_equal(make.fill(tmp_path / "RS.dcm", ct)["Box"], mask)
    read = read_structure_set(tmp_path / "RS.dcm", ct)["Box"]
    assert [area.area for area in read.contours.values()] == pytest.approx([5 * 3.0 * 25 * 0.5] * 2)


def test_uneven_slice_positions_are_kept(make, tmp_path):
    geometry = make.geometry()
    origins = np.array(geometry.slice_origins_lps_mm)
    origins[7:, 2] += 2.0
    origins[9, 2] += 0.37
    uneven = dataclasses.replace(geometry, slice_origins_lps_mm=origins)
    ct = make.ct(uneven)
    write_structure_set(make.set(ct), ct, tmp_path / "RS.dcm")
    read = read_structure_set(tmp_path / "RS.dcm", ct)
    assert sorted(read["Straw"].contours) == list(range(12))
    masks = make.masks()
    filled = make.fill(tmp_path / "RS.dcm", ct)
    assert all(np.array_equal(filled[name], mask) for name, mask in masks.items())


def test_an_edited_slice_is_redrawn_and_the_others_keep_their_points(sound, ct, tmp_path):
    read = read_structure_set(sound, ct)
    ball = read["Ball"]
    moved = shapely.MultiPolygon([shapely.box(0, 0, 5, 5)])
    imported = {index: items for index, items in ball.imported.items() if index != 5}
    edited = dataclasses.replace(ball, contours={**ball.contours, 5: moved}, imported=imported)
    others = tuple(s for s in read.structures if s.name != "Ball")
    write_structure_set(dataclasses.replace(read, structures=(edited, *others)), ct, tmp_path / "RS.dcm")
    again = read_structure_set(tmp_path / "RS.dcm", ct)["Ball"]
    assert again.contours[5].symmetric_difference(moved).area < 1e-6
    for index, items in imported.items():
        assert [c.data for c in again.imported[index]] == [c.data for c in items]


def test_what_else_the_file_said_of_an_roi_is_written_back(sound, ct, edit_file, tmp_path):
    def change(dataset):
        dataset.SpecificCharacterSet = "ISO_IR 100"
        density = Dataset()
        density.ROIPhysicalProperty, density.ROIPhysicalPropertyValue = "REL_ELEC_DENSITY", "1.010"
        observation = dataset.RTROIObservationsSequence[0]
        observation.ROIPhysicalPropertiesSequence = [density]
        observation.ROIObservationLabel = "Kügelchen"
        dataset.StructureSetROISequence[0].ROIDescription = "größer"
        dataset.StructureSetROISequence[0].ROIVolume = "12.5"
        contour(dataset).ContourNumber = 5
        contour(dataset).ContourSlabThickness = "3.0"
        block = dataset.ROIContourSequence[0].private_block(0x3007, "Clinic", create=True)
        block.add_new(0x01, "LO", "Prüfung")

    read = read_structure_set(edit_file(sound, change), ct)
    write_structure_set(read, ct, tmp_path / "RS.dcm")
    dataset = dcmread(tmp_path / "RS.dcm")
    observation = dataset.RTROIObservationsSequence[0]
    assert observation.ROIPhysicalPropertiesSequence[0]["ROIPhysicalPropertyValue"].value.original_string == "1.010"
    assert observation.ROIObservationLabel == "Kügelchen"
    assert dataset.StructureSetROISequence[0].ROIDescription == "größer"
    assert dataset.StructureSetROISequence[0].ROIVolume == 12.5
    assert (contour(dataset).ContourNumber, contour(dataset).ContourSlabThickness) == (5, 3)
    assert dataset.ROIContourSequence[0].private_block(0x3007, "Clinic")[0x01].value == "Prüfung"
    ball = read["Ball"]
    fewer = {index: ball.contours[index] for index in list(ball.contours)[:-1]}
    shorter = dataclasses.replace(ball, contours=fewer, imported={index: ball.imported[index] for index in fewer})
    for name, edited in (("redrawn", dataclasses.replace(ball, imported={})), ("shorter", shorter)):
        write_structure_set(StructureSet("SET", (edited,)), ct, tmp_path / name)
        assert "ROIVolume" not in dcmread(tmp_path / name).StructureSetROISequence[0]


def test_odd_values_of_another_system_do_not_stop_the_writing(sound, ct, edit_file, tmp_path):
    def change(dataset):
        observation = dataset.RTROIObservationsSequence[0]
        observation.ROIObservationLabel = "a label of over sixteen characters"
        observation.RTROIInterpretedType = "Organ"
        del observation.ROIInterpreter
        del dataset.StructureSetROISequence[0].ROIGenerationAlgorithm

    read = read_structure_set(edit_file(sound, change), ct)
    write_structure_set(read, ct, tmp_path / "RS.dcm")
    written = dcmread(tmp_path / "RS.dcm")
    assert written.RTROIObservationsSequence[0].ROIObservationLabel == "a label of over sixteen characters"
    warnings = [f for f in check_structure_set(written, ct) if f.severity is Severity.WARN]
    assert {f.code for f in warnings} == {"AC-RS-103", "AC-RS-104"}


def test_imported_points_that_are_not_what_is_drawn_are_never_written(sound, ct, tmp_path):
    ball = read_structure_set(sound, ct)["Ball"]
    moved = dict(ball.contours)
    moved[5] = shapely.affinity.translate(moved[5], 0.5, 0.0)
    with pytest.raises(OutputError, match="AC-OUT-112"):
        write_structure_set(StructureSet("SET", (dataclasses.replace(ball, contours=moved),)), ct, tmp_path / "RS.dcm")
    assert not list(tmp_path.iterdir())


def test_a_set_without_structures_opens(sound, ct, edit_file):
    def change(dataset):
        for keyword in ("StructureSetROISequence", "ROIContourSequence", "RTROIObservationsSequence"):
            setattr(dataset, keyword, [])

    read = read_structure_set(edit_file(sound, change), ct)
    assert read.structures == ()
    assert codes(read) == {"AC-RS-045"}


@pytest.mark.parametrize("style", list(HoleStyle))
def test_an_edited_slice_beside_xor_contours_is_xor_too(style, make, ct, tmp_path):
    write_structure_set(make.set(ct), ct, tmp_path / "a.dcm", options=WriteOptions(holes=HoleStyle.XOR))
    read = read_structure_set(tmp_path / "a.dcm", ct)["Ring"]
    kept = {index: items for index, items in read.imported.items() if index != 5}
    structure_set = StructureSet("SET", (dataclasses.replace(read, imported=kept),))
    write_structure_set(structure_set, ct, tmp_path / "b.dcm", options=WriteOptions(holes=style))
    kinds = {item.ContourGeometricType for item in dcmread(tmp_path / "b.dcm").ROIContourSequence[0].ContourSequence}
    assert kinds == {"CLOSEDPLANAR_XOR"}
    assert make.dice(make.fill(tmp_path / "b.dcm", ct)["Ring"], make.masks()["Ring"]) == 1.0


@pytest.mark.parametrize("encoding", ["implicit", "big endian", "deflated", "undefined lengths"])
def test_every_encoding_is_read(encoding, sound, ct, tmp_path):
    expected = read_structure_set(sound, ct)
    dataset, path = dcmread(sound), tmp_path / "RS.dcm"
    for element in dataset.iterall():
        if encoding == "undefined lengths" and element.VR == "SQ":
            element.is_undefined_length = True
            for item in element.value:
                item.is_undefined_length_sequence_item = True
    uids = {"implicit": "1.2.840.10008.1.2", "big endian": "1.2.840.10008.1.2.2", "deflated": "1.2.840.10008.1.2.1.99"}
    if encoding in uids:
        for element in dataset.iterall():
            element.value  # noqa: B018  (converts the raw value before the encoding changes)
        dataset.file_meta.TransferSyntaxUID = uids[encoding]
    implicit, little = encoding == "implicit", encoding != "big endian"
    dcmwrite(path, dataset, implicit_vr=implicit, little_endian=little, enforce_file_format=True)
    read = read_structure_set(path, ct)
    for before, after in zip(expected.structures, read.structures, strict=True):
        assert dict(before.contours) == dict(after.contours)
        assert before.name == after.name
    write_structure_set(read, ct, tmp_path / "again.dcm")
    assert read_structure_set(tmp_path / "again.dcm", ct).names == expected.names
