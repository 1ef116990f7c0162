"""Structure sets that were read or written wrong without a word, one test for each; the right value is analytic."""

from __future__ import annotations

import copy
import dataclasses
import itertools
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import shapely
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.sequence import Sequence

from autocontour.base.errors import StructureSetError
from autocontour.contouring import volume_cc
from autocontour.patient.structures import StructureSet
from autocontour.rtstruct import append_structures, read_structure_set, write_structure_set

Z = range(2, 10)
"""Slices the made-up organ is drawn on."""


def circle(radius: float, z: float, centre=(0.0, -6.0), count: int = 60) -> np.ndarray:
    t = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return np.column_stack([centre[0] + radius * np.cos(t), centre[1] + radius * np.sin(t), np.full(count, z)])


def area(radius: float) -> float:
    return shapely.Polygon(circle(radius, 0)[:, :2]).area


@pytest.fixture
def z(ct) -> np.ndarray:
    return ct.geometry.slice_positions_mm


@pytest.fixture
def make_file(make, ct, tmp_path):
    """Write a structure set of one organ with plain pydicom, from (points, index of the image it names)."""
    write_structure_set(make.set(ct, {"Organ": make.masks()["Ball"]}), ct, tmp_path / "base.dcm")
    numbers = itertools.count()

    def write(contours: Iterable[tuple[np.ndarray, int]], change=lambda dataset: None, old=b"", new=b"") -> Path:
        dataset = dcmread(tmp_path / "base.dcm")
        template = dataset.ROIContourSequence[0].ContourSequence[0]
        items = []
        for points, image in contours:
            item = copy.deepcopy(template)
            item.ContourData = [f"{value:.6f}" for value in np.asarray(points).ravel()]
            item.NumberOfContourPoints = len(points)
            item.ContourImageSequence[0].ReferencedSOPInstanceUID = ct.reference.sop_instance_uids[image]
            items.append(item)
        if items:
            dataset.ROIContourSequence[0].ContourSequence = Sequence(items)
        change(dataset)
        path = tmp_path / f"{next(numbers)}.dcm"
        dcmwrite(path, dataset)
        assert len(old) == len(new)
        assert old in path.read_bytes()
        path.write_bytes(path.read_bytes().replace(old, new))
        return path

    return write


def data_of(path: Path) -> list[bytes]:
    dataset = dcmread(path)
    items = [c for roi in dataset.ROIContourSequence for c in roi.get("ContourSequence", [])]
    return sorted((c.get_item("ContourData").value or b"").strip() if "ContourData" in c else b"" for c in items)


def codes(structure) -> set[str]:
    return {finding.code for finding in structure.findings}


@pytest.fixture
def write_back(make, ct, tmp_path):
    """Write an unedited set and append to a copy: every contour must be there, byte for byte."""

    def check(path: Path) -> Path:
        read, written = read_structure_set(path, ct), tmp_path / "written.dcm"
        write_structure_set(read, ct, written, overwrite=True)
        assert data_of(written) == data_of(path)
        again = read_structure_set(written, ct)
        assert again.names == read.names
        assert [dict(s.contours) for s in again.structures] == [dict(s.contours) for s in read.structures]
        new = StructureSet("NEW", (make.structure("Added", 1, make.masks()["One"], ct),))
        append_structures(path, new, ct, output=tmp_path / "appended.dcm")
        assert set(data_of(path)) <= set(data_of(tmp_path / "appended.dcm"))
        return written

    return check


class TestCase07ContoursOfThinSlices:
    """Two planes at each slice, 0.75 mm below and above it."""

    def contours(self, z, order):
        pairs = [((circle(12, z[k] - 0.75), k), (circle(11, z[k] + 0.75), k)) for k in Z]
        flat = [contour for pair in pairs for contour in pair]
        return [flat[i] for i in order(len(flat))]

    @pytest.mark.parametrize("seed", range(4))
    def test_what_is_shown_does_not_depend_on_the_order(self, seed, z, make_file, ct, write_back):
        orders = [np.arange, lambda n: np.arange(n)[::-1], *([np.random.default_rng(seed).permutation] * 2)]
        path = make_file(self.contours(z, orders[seed]))
        (organ,) = read_structure_set(path, ct).structures
        assert [part.area for part in organ.contours.values()] == pytest.approx([area(12)] * len(Z), rel=1e-5)
        assert codes(organ) >= {"AC-RS-031", "AC-RS-029"}
        write_back(path)

    def test_the_second_plane_of_an_edited_slice_is_left_out(self, z, make_file, ct, tmp_path):
        """Otherwise a slice that was emptied would come back with the second plane's contour."""
        read = read_structure_set(make_file(self.contours(z, np.arange)), ct)
        (organ,) = read.structures
        contours = {k: part for k, part in organ.contours.items() if k != 5}
        contours[6] = shapely.MultiPolygon([shapely.box(-3, -9, 3, -3)])
        imported = {k: items for k, items in organ.imported.items() if k not in {5, 6}}
        edited = dataclasses.replace(organ, contours=contours, imported=imported)
        write_structure_set(dataclasses.replace(read, structures=(edited,)), ct, tmp_path / "edited.dcm")
        (again,) = read_structure_set(tmp_path / "edited.dcm", ct).structures
        assert 5 not in again.contours
        assert again.contours[6].area == pytest.approx(36, rel=1e-4)
        assert len(again.carried) == len(Z) - 2


class TestCase08ImageReferenceContradictsPosition:
    @pytest.mark.parametrize(
        ("image", "wrong"),
        [(lambda k: 11 - k, 8), (lambda k: k + 1, 8), (lambda k: k, 0), (lambda k: k if k != 4 else 6, 1)],
        ids=["mirrored", "one off", "sound", "a single one"],
    )
    def test_drawn_by_position_with_the_count(self, image, wrong, z, make_file, ct, write_back):
        path = make_file([(circle(12, z[k]), image(k)) for k in Z])
        (organ,) = read_structure_set(path, ct).structures
        assert list(organ.contours) == list(Z)
        assert volume_cc(organ.contours, ct.geometry) == pytest.approx(area(12) * 3 * len(Z) / 1000, rel=1e-5)
        found = [finding for finding in organ.findings if finding.code == "AC-RS-047"]
        assert [dict(finding.values)["count"] for finding in found] == ([wrong] if wrong else [])
        write_back(path)

    def test_a_plane_between_slices_may_name_either(self, z, make_file, ct):
        path = make_file([(circle(12, z[k] + 1.5), k + (k % 2)) for k in Z])
        assert "AC-RS-047" not in codes(read_structure_set(path, ct).structures[0])

    def test_it_travels_into_the_file(self, z, make_file, ct, write_back):
        written = dcmread(write_back(make_file([(circle(12, z[k]), k + 1) for k in Z])))
        assert "AC-RS-047" in written.StructureSetDescription


class TestCase09ColourRefusesWholeSet:
    @pytest.mark.parametrize(
        "colour", [b"16711680", b"RED     ", b"255\\\\0  ", b"300\\0\\0 ", b"1\\2\\3\\4 ", b"-1\\2\\3  "]
    )
    def test_read_with_a_default_and_its_bytes_kept(self, colour, z, make_file, ct, write_back):
        def change(dataset):
            dataset.ROIContourSequence[0].add_new("ROIDisplayColor", "SH", "xxxxxxxx")

        path = make_file([(circle(12, z[k]), k) for k in Z], change, b"SH\x08\0xxxxxxxx", b"IS\x08\0" + colour)
        (organ,) = read_structure_set(path, ct).structures
        assert codes(organ) == {"AC-RS-048"}
        assert len(organ.contours) == len(Z)
        assert b"IS\x08\0" + colour in write_back(path).read_bytes()

    def test_a_new_colour_replaces_it(self, z, make_file, ct, tmp_path):
        path = make_file(
            [(circle(12, z[k]), k) for k in Z], lambda d: setattr(d.ROIContourSequence[0], "ROIDisplayColor", [1])
        )
        read = read_structure_set(path, ct)
        changed = dataclasses.replace(read.structures[0], color_rgb=(9, 8, 7))
        write_structure_set(dataclasses.replace(read, structures=(changed,)), ct, tmp_path / "new.dcm")
        assert list(dcmread(tmp_path / "new.dcm").ROIContourSequence[0].ROIDisplayColor) == [9, 8, 7]

    @pytest.mark.parametrize("keyword", ["ROIVolume", "ROINumber", "ObservationNumber", "NumberOfContourPoints"])
    def test_no_other_number_that_is_a_word_refuses_the_set(self, keyword, z, make_file, ct, write_back):
        def change(dataset):
            item = {
                "ObservationNumber": dataset.RTROIObservationsSequence[0],
                "NumberOfContourPoints": dataset.ROIContourSequence[0].ContourSequence[0],
            }.get(keyword, dataset.StructureSetROISequence[0])
            item.add_new(keyword, "SH", "xxxx")

        vr = b"DS" if keyword == "ROIVolume" else b"IS"
        path = make_file([(circle(12, z[k]), k) for k in Z], change, b"SH\x04\0xxxx", vr + b"\x04\0word")
        assert read_structure_set(path, ct).structures[-1].contours.keys() == set(Z)
        write_back(path)


NAMES = {
    # declared, bytes of the name, how it is shown, whether it is in the declared character set
    "Latin-1 in ISO_IR 192": ("ISO_IR 192", b"H\xfcfte_L", "Hüfte_L", False),
    "Latin-1 without declaration": (None, b"H\xf6fte_L", "Höfte_L", False),
    "UTF-8 without declaration": (None, "심장".encode(), "심장", False),
    "Korean without declaration": (None, "심장".encode("euc_kr"), "심장", False),
    "Korean in ISO_IR 192": ("ISO_IR 192", "심장".encode("euc_kr"), "심장", False),
    "Korean, no escape sequence": (["", "ISO 2022 IR 149"], "심장".encode("euc_kr"), "심장", False),
    "UTF-8 in GB18030": ("GB18030", b"\xc3\xbcb\xff", "Ã¼bÿ", False),
    "unknown character set": ("ISO_IR 999", b"H\xfcfte", "Hüfte", False),
    "control characters in ISO_IR 100": ("ISO_IR 100", b"PTV\x84\x93", "PTV??", False),
    "ISO_IR 192": ("ISO_IR 192", "심장_食道".encode(), "심장_食道", True),
    "ISO_IR 100": ("ISO_IR 100", b"H\xfcfte_L", "Hüfte_L", True),
    "ISO 2022 IR 149": (["", "ISO 2022 IR 149"], b"\x1b$)C" + "심장".encode("euc_kr"), "심장", True),
    "ISO 2022 IR 87": (["", "ISO 2022 IR 87"], b"\x1b$B" + b"\x3f\x29\x46\x3b" + b"\x1b(B", "食道", True),
    "GB18030": ("GB18030", "食道".encode("gb18030"), "食道", True),
}


class TestCase10NameInUndeclaredCharset:
    def file(self, make_file, declared, name: bytes):
        placeholder = "x" * len(name)

        def change(dataset):
            dataset.StructureSetROISequence[0].ROIName = placeholder
            if declared is None:
                dataset.pop("SpecificCharacterSet", None)
            else:
                dataset.SpecificCharacterSet = declared

        return make_file([], change, placeholder.encode(), name)

    @pytest.mark.parametrize("row", NAMES)
    def test_bytes_are_kept_and_it_is_noted(self, row, make_file, ct, write_back):
        declared, name, shown, is_declared = NAMES[row]
        path = self.file(make_file, declared, name)
        (organ,) = read_structure_set(path, ct).structures
        assert organ.name == shown
        assert ("AC-RS-049" in codes(organ)) == (not is_declared)
        written = write_back(path)
        if not is_declared:
            assert name in written.read_bytes()
            assert name in written.with_name("appended.dcm").read_bytes()
        assert read_structure_set(written, ct).names == (shown,)

    @pytest.mark.parametrize("row", [row for row, (declared, *_) in NAMES.items() if declared is None])
    def test_big_endian_files_without_a_character_set(self, row, make_file, ct, write_back):
        _, name, shown, _ = NAMES[row]
        placeholder = "x" * len(name)
        path = self.file(make_file, None, placeholder.encode())
        dataset, contours = dcmread(path), data_of(path)
        for element in dataset.iterall():
            assert element.value is not None or element.is_empty  # converts the raw value before the encoding changes
        dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.2"
        dcmwrite(path, dataset, implicit_vr=False, little_endian=False)
        path.write_bytes(path.read_bytes().replace(placeholder.encode(), name))
        (organ,) = read_structure_set(path, ct).structures
        assert organ.name == shown
        assert "AC-RS-049" in codes(organ)
        assert data_of(write_back(path)) == contours
        assert name in write_back(path).read_bytes()
        assert read_structure_set(write_back(path), ct).names == (shown,)

    def test_two_names_stay_two(self, make, make_file, ct, tmp_path):
        write_structure_set(
            make.set(ct, {"Hxfte_L": make.masks()["Ball"], "Hyfte_L": make.masks()["Ring"]}), ct, tmp_path / "two.dcm"
        )
        data = (tmp_path / "two.dcm").read_bytes().replace(b"Hxfte_L", b"H\xfcfte_L").replace(b"Hyfte_L", b"H\xf6fte_L")
        read = read_structure_set(data, ct)
        assert read.names == ("Hüfte_L", "Höfte_L")
        write_structure_set(read, ct, tmp_path / "again.dcm")
        for name in (b"H\xfcfte_L", b"H\xf6fte_L"):
            assert name in (tmp_path / "again.dcm").read_bytes()

    def test_a_new_name_replaces_it(self, make_file, ct, tmp_path):
        read = read_structure_set(self.file(make_file, "ISO_IR 192", b"H\xfcfte_L"), ct)
        renamed = dataclasses.replace(read.structures[0], name="Hip_L")
        write_structure_set(dataclasses.replace(read, structures=(renamed,)), ct, tmp_path / "new.dcm")
        assert b"H\xfcfte" not in (tmp_path / "new.dcm").read_bytes()
        assert read_structure_set(tmp_path / "new.dcm", ct).names == ("Hip_L",)

    def test_other_structures_keep_theirs_when_a_file_turns_to_utf_8(self, make, make_file, ct):
        path = self.file(make_file, "ISO_IR 100", b"PTV\x84\x93")
        append_structures(path, StructureSet("NEW", (make.structure("심장", 1, make.masks()["One"], ct),)), ct)
        assert dcmread(path).SpecificCharacterSet == "ISO_IR 192"
        assert b"PTV\x84\x93" in path.read_bytes()
        assert read_structure_set(path, ct).names == ("PTV??", "심장")


class TestCase11NameWithControlCharacters:
    ROWS = (
        (b"PTV\nboost", "PTV boost"),
        (b"PTV\tboost", "PTV boost"),
        (b"PTV\r\nlow ", "PTV low"),
        (b"PTV\x01boost", "PTV boost"),
        (b"PTV\\boost", "PTV/boost"),
        (b"\n\n\n\n\n\n\n\n\n", "ROI_0"),
    )

    @pytest.mark.parametrize(("name", "shown"), ROWS)
    def test_shown_on_one_line_and_written_back(self, name, shown, make_file, ct, write_back):
        def change(dataset):
            dataset.StructureSetROISequence[0].ROIName = "PTV_boost"

        path = make_file([], change, b"PTV_boost", name)
        (organ,) = read_structure_set(path, ct).structures
        assert organ.name == shown.replace("ROI_0", f"ROI_{organ.number}")
        assert "AC-RS-039" in codes(organ)
        assert name in write_back(path).read_bytes()


class TestCase14RingAndHolePartedAtHalfSlice:
    @pytest.mark.parametrize("parted", [0.0002, 0.002, 0.05, 0.09])
    @pytest.mark.parametrize("turned", [False, True])
    def test_a_ring_and_its_hole_are_one_plane(self, parted, turned, z, make_file, ct, write_back):
        contours = []
        for k in Z:
            pair = [(circle(12, z[k] + 1.5 - parted / 2), k), (circle(6, z[k] + 1.5 + parted / 2), k)]
            contours += pair[::-1] if turned else pair
        path = make_file(contours)
        (organ,) = read_structure_set(path, ct).structures
        assert list(organ.contours) == list(Z)
        truth = (area(12) - area(6)) * 3 * len(Z) / 1000
        assert volume_cc(organ.contours, ct.geometry) == pytest.approx(truth, rel=1e-4)
        write_back(path)

    def test_at_the_last_half_slice(self, z, make_file, ct, write_back):
        path = make_file([(circle(12, z[-1] + 1.4999), 11), (circle(6, z[-1] + 1.5001), 11)])
        (organ,) = read_structure_set(path, ct).structures
        assert organ.contours[11].area == pytest.approx(area(12) - area(6), rel=1e-5)
        write_back(path)


class TestAppendToAnotherPatientsSet:
    CHANGES = {  # noqa: RUF012
        "PatientID": lambda d: setattr(d, "PatientID", "P-2"),
        "PatientName": lambda d: setattr(d, "PatientName", "Other^Person"),
        "PatientBirthDate": lambda d: setattr(d, "PatientBirthDate", "19711231"),
    }

    @pytest.mark.parametrize("keyword", CHANGES)
    def test_refused_unless_accepted_by_name(self, keyword, make, make_file, ct, tmp_path):
        path = make_file([], self.CHANGES[keyword])
        before = path.read_bytes()
        new = StructureSet("NEW", (make.structure("Added", 1, make.masks()["One"], ct),))
        with pytest.raises(StructureSetError, match="AC-RS-008") as caught:
            append_structures(path, new, ct)
        assert caught.value.values == {"attributes": keyword}
        assert path.read_bytes() == before
        assert [f.code for f in read_structure_set(path, ct).findings] == ["AC-RS-012"]
        append_structures(path, new, ct, accepted={"AC-RS-008"})
        equipment = dcmread(path).ContributingEquipmentSequence[-1]
        assert "AC-RS-008" in equipment.ContributionDescription
        assert keyword in equipment.ContributionDescription

    @pytest.mark.parametrize("name", ["PHANTOM^RING", "Phantom^Ring^^", "phantom^ ring", "Phantom^Ring=ファントム", ""])
    def test_ways_of_writing_a_name_are_no_other_patient(self, name, make, make_file, ct):
        def change(dataset):
            dataset.SpecificCharacterSet = "ISO_IR 192"
            dataset.PatientName = name

        path = make_file([], change)
        append_structures(path, StructureSet("NEW", (make.structure("Added", 1, make.masks()["One"], ct),)), ct)
        assert read_structure_set(path, ct).findings == ()


class TestAnUneditedSetCanAlwaysBeWrittenBack:
    """Whatever it holds."""

    def far(self, dataset):
        item = dataset.ROIContourSequence[0].ContourSequence[0]
        item.ContourData = [200000, 0, -100, 200010, 0, -100, 200000, 10, -100]
        item.NumberOfContourPoints = 3

    def typed(self, dataset):
        dataset.RTROIObservationsSequence[0].RTROIInterpretedType = "organ at risk, long"

    def described(self, dataset):
        dataset.StructureSetROISequence[0].ROIDescription = "x" * 2000

    def long_name(self, dataset):
        dataset.StructureSetROISequence[0].ROIName = "x" * 90

    def empty_data(self, dataset):
        dataset.ROIContourSequence[0].ContourSequence[0].ContourData = None

    def no_data(self, dataset):
        del dataset.ROIContourSequence[0].ContourSequence[1].ContourData

    def uneven(self, dataset):
        dataset.ROIContourSequence[0].ContourSequence[1].ContourData = [1, 2, 3, 4]

    def stray_observation(self, dataset):
        item = Dataset()
        item.ObservationNumber, item.ReferencedROINumber = 88, 99
        dataset.RTROIObservationsSequence.append(item)

    def equal_rings(self, dataset):
        contours = dataset.ROIContourSequence[0].ContourSequence
        contours.append(copy.deepcopy(contours[0]))
        for item in contours:
            item.ContourGeometricType = "CLOSEDPLANAR_XOR"

    CHANGES = (
        "far",
        "typed",
        "described",
        "long_name",
        "empty_data",
        "no_data",
        "uneven",
        "stray_observation",
        "equal_rings",
    )

    @pytest.mark.parametrize("row", CHANGES)
    def test_as_it_came(self, row, make_file, write_back):
        write_back(make_file([], getattr(self, row)))


def test_a_file_that_cannot_be_opened(ct, tmp_path):
    """It was reported as a file of the CT."""
    (tmp_path / "folder.dcm").mkdir()
    for name in ("none.dcm", "folder.dcm"):
        with pytest.raises(StructureSetError, match="AC-RS-009") as fault:
            read_structure_set(tmp_path / name, ct)
        assert fault.value.exit_code == StructureSetError.exit_code
        assert name in str(fault.value)
