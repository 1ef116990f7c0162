"""CTs that gave a wrong result without a message: each has the right values now, or is refused or doubted by name.

The synthetic patient is an ellipse of fat round one of muscle, with two lungs, a spine and noise, in air.
"""

from __future__ import annotations

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from autocontour.base.findings import Severity
from autocontour.base.jobs import Job
from autocontour.cli import main
from autocontour.dicom import planning_cts, read_ct, read_image, scan_folder, with_value_findings
from autocontour.dicom.values import check_values, sample_slices

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # pydicom reports damaged data
COUNT, ROWS, COLUMNS = 12, 90, 120
ROW, COLUMN = np.mgrid[:ROWS, :COLUMNS]
UID = "1.2.826.0.1.3680043.10.4321."


def ellipse(row, column, height, width):
    return ((ROW - row) / height) ** 2 + ((COLUMN - column) / width) ** 2 <= 1


def patient(count=COUNT, seed=0):
    """(slices, rows, columns) Hounsfield units."""
    rng = np.random.default_rng(seed)
    planes = []
    for z in range(count):
        hu = np.full((ROWS, COLUMNS), -1000.0)
        hu[ellipse(45, 60, 30, 45)] = -100
        hu[ellipse(45, 60, 26, 40)] = 50
        for side in (-1, 1):
            lung = ellipse(42, 60 + 18 * side, 12 + 0.4 * z, 10)
            hu[lung] = rng.normal(-820, 60, lung.sum())
        hu[ellipse(40, 60, 3, 3)] = -1000
        spine = ellipse(62, 60, 5, 6)
        hu[spine] = rng.normal(350, 120, spine.sum())
        planes.append(hu + rng.normal(0, 10, hu.shape))
    return np.maximum(np.rint(planes), -1024).astype(int)


HU = patient()


@pytest.fixture
def series(ct):
    """A sound series of the patient: signed, 4 × 4 × 3 mm."""
    return build(ct, HU)


def build(ct, hu, intercept=-1024):
    slices = []
    for index, plane in enumerate(hu):
        dataset = ct.build_slice(index, np.array([-240.0, -180.0, 3.0 * index]))
        dataset.PixelSpacing, dataset.AcquisitionNumber = ["4", "4"], "1"
        ct.set_pixels(dataset, plane, intercept=intercept)
        slices.append(dataset)
    return slices


def put(dataset, stored, dtype="<u2"):
    dataset.PixelData = np.ascontiguousarray(stored).astype(dtype).tobytes()
    dataset.PixelRepresentation = int(dtype == "<i2")


def raw_text(keyword, text):
    """A decimal string that pydicom would not write."""
    return pydicom.DataElement(keyword, "DS", text, validation_mode=pydicom.config.IGNORE, already_converted=True)


def found(ct, folder):
    """Severity name by code, of the headers and the voxels."""
    return {f.code: f.severity.name for f in with_value_findings(ct.scan_one(folder)).findings}


def test_the_sound_patient_has_no_findings(ct, write, series):
    folder = write(series)
    assert found(ct, folder) == {}
    volume = ct.load(folder)
    assert volume.findings == ()
    np.testing.assert_array_equal(volume.hu, HU)


# 01: the scale of the Hounsfield units.

WRONG_SCALES = {
    "stored is HU + 1000, cut at 0": lambda hu: np.clip(hu + 1000, 0, None),
    "stored is HU + 1024, intercept 0": lambda hu: hu + 1024,
    "halved": lambda hu: hu / 2,
    "doubled": lambda hu: 2 * hu,
    "inverted": lambda hu: -hu,
    "inverted about 2047": lambda hu: 2047 - hu,
    "0.85 HU + 150": lambda hu: 0.85 * hu + 150,
    "HU + 300": lambda hu: hu + 300,
    "HU + 200": lambda hu: hu + 200,
    "HU - 1024, an intercept twice": lambda hu: hu - 1024,
    "a quarter": lambda hu: hu / 4,
    "a tenth": lambda hu: hu / 10,
    "ten times": lambda hu: 10 * hu,
    "bytes swapped": lambda hu: (hu + 1024).astype("<u2").byteswap().astype(int) - 1024,
    "sign lost": lambda hu: np.where(hu < 0, 32767, hu),
    "cut at 0": lambda hu: np.clip(hu, 0, None),
    "air set to 0": lambda hu: np.where(hu < -500, 0, hu),
}


@pytest.mark.parametrize("name", WRONG_SCALES)
def test_01_hu_scale_not_checked(ct, write, name):
    hu = np.clip(np.rint(WRONG_SCALES[name](HU)), -32768, 32767).astype(int)
    folder = write(build(ct, hu, intercept=0))
    assert found(ct, folder)["AC-CT-045"] == "BLOCK"
    assert ct.refusal(ct.scan_one(folder)) == "AC-CT-045"
    accepted = ct.load(folder, "AC-CT-045")
    [finding] = [f for f in accepted.findings if f.code == "AC-CT-045"]
    assert (finding.severity, finding.accepted) == (Severity.WARN, True)
    assert finding.in_language("ko")[0].startswith("사용자가 수락함: ")


@pytest.mark.parametrize("shift", [0.9, 1.08, 80, -100])
def test_01_cone_beam_values_are_doubted(ct, write, shift):
    hu = np.rint(HU * shift if abs(shift) < 2 else HU + shift).astype(int)
    assert found(ct, write(build(ct, hu, intercept=-2000)))["AC-CT-046"] == "WARN"


def padded(hu):
    return np.where((ROW - 45) ** 2 + (COLUMN - 60) ** 2 > 46**2, -3024, hu)


SOUND = {
    "noise": lambda hu: np.maximum(hu + np.random.default_rng(1).normal(0, 120, hu.shape), -1024),
    "air cut out of one value": lambda hu: np.where(ellipse(45, 60, 30, 45), hu, -1024),
    "padding": padded,
    "a round field": lambda hu: np.where((ROW - 45) ** 2 + (COLUMN - 60) ** 2 > 44**2, -1024, hu),
    "metal": lambda hu: np.where(ellipse(55, 60, 4, 8), 30000, hu),
    "dense contrast medium": lambda hu: np.where(ellipse(52, 60, 4, 9), 400, hu),
    "only a strip with air": lambda hu: hu[:, 14:79, 27:92],
}


@pytest.mark.parametrize("name", SOUND)
def test_01_a_sound_ct_is_not_doubted(ct, write, name):
    assert found(ct, write(build(ct, np.rint(SOUND[name](HU)).astype(int)))) == {}


def test_01_a_crop_without_air_is_said_to_be_unchecked(ct, write):
    hu = np.random.default_rng(0).normal(np.where(COLUMN < 60, -100, 50), 15, HU.shape)
    assert found(ct, write(build(ct, np.rint(hu).astype(int)))) == {"AC-CT-047": "WARN"}


def test_01_an_image_file_is_checked_too(tmp_path):
    import SimpleITK

    path = tmp_path / "wrong.nrrd"
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray((HU + 1000).astype(np.int16)), str(path))
    with pytest.raises(Exception, match="AC-CT-045"):
        read_image(path)
    assert "AC-CT-045" in {f.code for f in read_image(path, frozenset({"AC-CT-045"})).findings}


def test_01_findings_of_the_voxels_are_in_info(ct, write, capsys):
    main(["info", str(write(build(ct, HU + 1024, intercept=0)))])
    shown = capsys.readouterr().out
    assert "blocked" in shown
    assert "BLOCK AC-CT-045" in shown


# 02: rescale that cannot be read.


def rescale_with_comma(dataset):
    dataset["RescaleIntercept"], dataset["RescaleSlope"] = (
        raw_text("RescaleIntercept", "-1024,0"),
        raw_text("RescaleSlope", "1,0"),
    )


def rescale_of_two_values(dataset):
    dataset.RescaleIntercept, dataset.RescaleSlope = ["-1024", "-1024"], ["1", "1"]


def rescale_not_a_number(dataset):
    dataset["RescaleIntercept"] = raw_text("RescaleIntercept", "nan ")


def rescale_infinite(dataset):
    dataset["RescaleSlope"] = raw_text("RescaleSlope", "inf ")


def rescale_slope_zero(dataset):
    dataset.RescaleSlope = "0"


def rescale_only_on_some(dataset):
    if int(dataset.InstanceNumber) % 3 == 0:
        del dataset.RescaleIntercept, dataset.RescaleSlope


@pytest.mark.parametrize(
    "change",
    [
        rescale_with_comma,
        rescale_of_two_values,
        rescale_not_a_number,
        rescale_infinite,
        rescale_slope_zero,
        rescale_only_on_some,
    ],
)
def test_02_rescale_unreadable(ct, write, series, change):
    for dataset, plane in zip(series, HU, strict=True):
        put(dataset, plane + 1024, "<i2")
        change(dataset)
    assert ct.refusal(ct.scan_one(write(series))) == "AC-CT-015"


def test_02_no_rescale_and_nothing_below_zero(ct, write, series):
    for dataset, plane in zip(series, HU, strict=True):
        put(dataset, plane + 1024, "<i2")
        del dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType
    folder = write(series)
    assert found(ct, folder)["AC-CT-044"] == "BLOCK"
    assert ct.refusal(ct.scan_one(folder)) == "AC-CT-044"


def test_02_rescale_type_is_not_hu(ct, write, series):
    for dataset in series:
        dataset.RescaleType = "HU_MOD"
    assert ct.refusal(ct.scan_one(write(series))) == "AC-CT-014"


def with_lut(dataset, plane, **changes):
    put(dataset, plane + 1024, "<u2")
    del dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType
    item = Dataset()
    item.add_new("LUTDescriptor", "US", changes.get("descriptor", [4096, 0, 16]))
    item.ModalityLUTType = changes.get("kind", "HU")
    item.add_new("LUTData", "OW", (np.arange(4096) * changes.get("sign", 1) - 1024).astype("<i2").tobytes())
    dataset.ModalityLUTSequence = [item]


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1"])
def test_02_a_modality_lut_of_hounsfield_units_is_applied(ct, write, series, syntax):
    for dataset, plane in zip(series, HU, strict=True):
        with_lut(dataset, plane)
        dataset.file_meta.TransferSyntaxUID = syntax
    volume = ct.load(write(series))
    np.testing.assert_array_equal(volume.hu, HU)
    assert [(f.code, f.severity.name) for f in volume.findings] == [("AC-CT-056", "INFO")]


@pytest.mark.parametrize(
    "changes", [{"kind": "OD"}, {"descriptor": [4095, 0, 16]}, {"descriptor": [4096, 0, 8]}, {"sign": -1}]
)
def test_02_another_modality_lut_is_refused(ct, write, series, changes):
    for dataset, plane in zip(series, HU, strict=True):
        with_lut(dataset, plane, **changes)
    assert ct.refusal(ct.scan_one(write(series))) == "AC-CT-057"


def test_02_a_modality_lut_beside_a_rescale_or_on_some_slices_is_refused(ct, write, series):
    with_lut(series[3], HU[3])
    folder = write(series)
    assert ct.refusal(ct.scan_one(folder)) == "AC-CT-057"
    for dataset, plane in zip(series, HU, strict=True):
        if "RescaleSlope" in dataset:
            with_lut(dataset, plane)
        dataset.RescaleSlope, dataset.RescaleIntercept = "1", "-1024"
    assert ct.refusal(ct.scan_one(write(series))) == "AC-CT-057"


# 03: where the value lies among the bits.


@pytest.mark.parametrize("high_bit", [11, 12, 13, 15])
@pytest.mark.parametrize("signed", [False, True])
def test_03_left_justified_high_bit(ct, write, series, high_bit, signed):
    for dataset, plane in zip(series, HU, strict=True):
        stored = np.clip(plane, -2048, 2047) if signed else np.clip(plane + 1024, 0, 4095)
        put(dataset, (stored & 0xFFF) << (high_bit - 11), "<u2")
        dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 12, high_bit, int(signed)
        dataset.RescaleIntercept = "0" if signed else "-1024"
    np.testing.assert_array_equal(ct.load(write(series)).hu, np.clip(HU, -1024, 2047))


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        *(("PixelRepresentation", None), ("PixelRepresentation", 12), ("HighBit", None), ("HighBit", 10)),
        *(("HighBit", 16), ("BitsStored", 0), ("BitsStored", 17), ("BitsAllocated", 12), ("BitsAllocated", 24)),
    ],
)
def test_03_bits_that_contradict_each_other(ct, write, series, keyword, value):
    for dataset in series:
        if value is None:
            del dataset[keyword]
        else:
            dataset[keyword].value = value
    assert "AC-CT-017" in ct.blocks(ct.scan_one(write(series)))


# 04: padding.


def pad(series, value, limit=None, vr="US", high=None):
    outside = (ROW - 45) ** 2 + (COLUMN - 60) ** 2 > 44**2
    for dataset, plane in zip(series, HU, strict=True):
        stored = np.where(outside, value if high is None else np.where(ROW % 2, value, high), plane + 1024)
        put(dataset, stored & 0xFFFF, "<u2" if vr == "US" else "<i2")
        dataset.PixelRepresentation = int(vr == "SS")
        dataset.add_new("PixelPaddingValue", vr, value)
        if limit is not None:
            dataset.add_new("PixelPaddingRangeLimit", vr, limit)
    return outside


@pytest.mark.parametrize("bits", [16, 12])
def test_04_padding_above_range(ct, write, series, bits):
    outside = pad(series, 63536)
    for dataset in series:
        dataset.BitsStored, dataset.HighBit = bits, bits - 1
    volume = ct.load(write(series))
    np.testing.assert_array_equal(volume.hu, np.where(outside, -1024, HU))
    np.testing.assert_array_equal(volume.outside_field, outside[None])
    assert volume.findings == ()


def test_04_padding_range_limit(ct, write, series):
    outside = pad(series, 60000, limit=65535, high=65000)
    volume = ct.load(write(series))
    np.testing.assert_array_equal(volume.hu, np.where(outside, -1024, HU))
    np.testing.assert_array_equal(volume.outside_field, outside[None])


def test_04_padding_below_air_is_kept_and_known(ct, write, series):
    outside = pad(series, -2000, vr="SS")
    volume = ct.load(write(series))
    np.testing.assert_array_equal(volume.hu, np.where(outside, -3024, HU))
    np.testing.assert_array_equal(volume.outside_field, outside[None])


def test_04_padding_with_a_value_of_tissue(ct, write, series):
    """Water as padding: only what is connected with the edge of the image is outside."""
    outside = pad(series, 1024)
    volume = ct.load(write(series))
    np.testing.assert_array_equal(volume.hu, np.where(outside, -1024, HU))
    assert [(f.code, f.severity.name) for f in volume.findings] == [("AC-CT-058", "WARN")]


def test_04_padding_that_differs_between_slices(ct, write, series):
    pad(series, 63536)
    put(series[0], HU[0] + 1024)
    volume = ct.load(write(series))
    assert volume.outside_field.shape == HU.shape
    assert not volume.outside_field[0].any()
    assert volume.outside_field[1, 0, 0]


# 12: several acquisitions or reconstructions.


def interleaved(ct, change):
    """Two passes of other breathing phases, half a slice apart: the spacing is even."""
    first, second = build(ct, HU), build(ct, patient(seed=5)[::-1])
    for index, dataset in enumerate(second):
        dataset.ImagePositionPatient = ["-240", "-180", str(3 * index + 1.5)]
        dataset.SOPInstanceUID = generate_uid(entropy_srcs=["second", str(index)])
        dataset.InstanceNumber = str(index + 1)
        change(dataset)
    return [*first, *second]


SECOND_PASS = {
    "Acquisition Number": lambda d: setattr(d, "AcquisitionNumber", "2"),
    "Temporal Position Index": lambda d: setattr(d, "TemporalPositionIndex", 2),
    "Temporal Position Identifier": lambda d: setattr(d, "TemporalPositionIdentifier", "2"),
    "Convolution Kernel": lambda d: setattr(d, "ConvolutionKernel", "B70f"),
    "Slice Thickness": lambda d: setattr(d, "SliceThickness", "5"),
    "KVP": lambda d: setattr(d, "KVP", "80"),
    "Contrast/Bolus Agent": lambda d: setattr(d, "ContrastBolusAgent", "Iohexol"),
    "Irradiation Event UID": lambda d: setattr(d, "IrradiationEventUID", UID + "2"),
    "Series Description": lambda d: setattr(d, "SeriesDescription", "50 %"),
    "Image Comments": lambda d: setattr(d, "ImageComments", "50 %"),
    "Patient Position": lambda d: setattr(d, "PatientPosition", "FFS"),
}


@pytest.mark.parametrize("attribute", SECOND_PASS)
def test_12_two_passes_interleaved(ct, write, attribute):
    series = ct.scan_one(write(interleaved(ct, SECOND_PASS[attribute])))
    assert "AC-CT-033" not in ct.codes(series)
    (finding,) = (f for f in series.findings if f.code == "AC-CT-037")
    assert finding.severity is Severity.BLOCK
    assert attribute in finding.message
    assert ct.refusal(series) == "AC-CT-037"
    assert "AC-CT-037" in {f.code for f in read_ct(series, Job(), frozenset({"AC-CT-037"})).findings}


@pytest.mark.parametrize("keyword", ["AcquisitionTime", "SeriesTime", "AcquisitionDateTime"])
@pytest.mark.parametrize("is_constant", [True, False])
def test_12_two_passes_told_apart_by_time_alone(ct, write, keyword, is_constant):
    slices = interleaved(ct, lambda dataset: None)
    for index, dataset in enumerate(slices):
        minute, second = divmod(index, COUNT)
        clock = f"12{5 * minute:02d}{0 if is_constant else second:02d}.25"
        setattr(dataset, keyword, "20240102" + clock if keyword == "AcquisitionDateTime" else clock)
    assert ct.refusal(ct.scan_one(write(slices))) == "AC-CT-037"


def test_12_two_passes_without_any_mark_are_seen_in_the_voxels(ct, write):
    assert found(ct, write(interleaved(ct, lambda dataset: None)))["AC-CT-059"] == "WARN"


@pytest.mark.parametrize("attribute", ["Acquisition Number", "Convolution Kernel", "Slice Thickness", "KVP"])
def test_12_parts_joined_end_to_end(ct, write, series, attribute):
    for dataset in series[7:]:
        dataset.ConvolutionKernel = dataset.KVP = ""
        SECOND_PASS[attribute](dataset)
    (finding,) = (f for f in ct.scan_one(write(series)).findings if f.code == "AC-CT-038")
    assert finding.severity is Severity.WARN
    assert attribute in finding.message
    assert finding.slices == (6, 7)


def test_12_parts_with_a_pause_between_them(ct, write, series):
    for index, dataset in enumerate(series):
        dataset.AcquisitionTime = f"12{0 if index < 5 else 3:02d}{index:02d}"
    assert ct.codes(ct.scan_one(write(series))) == {"AC-CT-038"}


def helical_times(index):
    """Every slice has a time of its own, as a scanner writes it, with some jitter."""
    return f"1200{index:02d}.{(index * 37) % 100:02d}"


@pytest.mark.parametrize("order", [1, -1])
def test_12_times_of_one_helical_scan_are_no_passes(ct, write, series, order):
    for index, dataset in enumerate(series[::order]):
        dataset.AcquisitionTime = helical_times(index)
    assert ct.codes(ct.scan_one(write(series))) == set()


def test_12_rotations_of_an_axial_scan_are_no_parts(ct, write, series):
    for index, dataset in enumerate(series):
        dataset.AcquisitionNumber = str(index // 4 + 1)
    assert ct.codes(ct.scan_one(write(series))) == set()


# 15 and the files of an aborted transfer.


@pytest.mark.parametrize("size", [2, 4, 512])
def test_15_excess_padding(ct, write, series, size):
    for dataset in series:
        dataset.PixelData += bytes(size)
    folder = write(series)
    assert found(ct, folder) == {"AC-CT-048": "INFO"}
    np.testing.assert_array_equal(ct.load(folder).hu, HU)


@pytest.mark.parametrize("size", [2 * ROWS * COLUMNS, 2 * COLUMNS, 2 * ROWS, 6 * ROWS])
def test_15_a_second_frame_or_another_matrix_is_no_padding(ct, write, series, size):
    for dataset in series:
        dataset.PixelData += bytes(size)
    assert ct.refusal(ct.scan_one(write(series))) == "AC-CT-036"


@pytest.mark.parametrize("content", [b"", bytes(100), bytes(131), bytes(50_000), b"\x08\0\x05\0CS\x0a\0ISO_IR"])
@pytest.mark.parametrize("at", [0, -1])
def test_an_aborted_transfer(ct, write, series, content, at):
    folder = write(series)
    ct.scan_one(folder).files[at].write_bytes(content)
    assert found(ct, folder) == {"AC-CT-008": "WARN"}
    assert [f.code for f in ct.load(folder).findings] == ["AC-CT-008"]


@pytest.mark.parametrize(
    ("slope", "intercept", "expected"),
    [(1, 0, set()), (0.5, 0, {"AC-CT-046"}), (0.7, 0, {"AC-CT-046"}), (1, 60, {"AC-CT-046"}), (-1, 0, {"AC-CT-046"})],
)
def test_01_a_wrong_scale_inside_a_body_mask(slope, intercept, expected):
    """The value around the patient is that of air whatever the scale: only fat and muscle show it."""
    rng = np.random.default_rng(0)
    body = ellipse(45, 60, 30, 45)
    hu = np.where(ellipse(45, 60, 23, 36), 50, -100) + rng.normal(0, 12, (COUNT, ROWS, COLUMNS))
    masked = np.where(body, slope * hu + intercept, -1024).round().astype(np.int16)
    assert {finding.code for finding in check_values(range(COUNT), list(masked), None)} == expected


@pytest.mark.parametrize("at", [0, -1])
def test_a_slice_with_a_cut_preamble(ct, write, series, at):
    """Its file no longer starts like DICOM, and was ignored like any other file."""
    folder = write(series)
    path = ct.scan_one(folder).files[at]
    path.write_bytes(path.read_bytes()[92:])
    assert found(ct, folder) == {"AC-CT-001": "WARN"}
    (folder / "report.txt").write_text("SOP Class 1.2.840.10008.5.1.4.1.1.2")
    assert found(ct, folder) == {"AC-CT-001": "WARN", "AC-CT-003": "INFO"}


def test_one_value_in_two_notations_is_one_acquisition(ct, write, series):
    for dataset in series[5:]:
        dataset.KVP = "120.0"
    for dataset in series[:5]:
        dataset.KVP = "120"
    assert ct.codes(ct.scan_one(write(series))) == set()


@pytest.mark.parametrize("at", [0, 5, -1])
def test_pixels_zeroed_in_one_slice(ct, write, series, at):
    series[at].PixelData = bytes(len(series[at].PixelData))
    volume = ct.load(write(series))
    assert [(f.code, f.severity.name, f.slices) for f in volume.findings] == [("AC-CT-069", "WARN", (at % COUNT,))]


@pytest.mark.parametrize("at", [0, 5, -1])
def test_pixels_zeroed_from_some_row_on(ct, write, series, at):
    pixels = series[at].PixelData
    series[at].PixelData = pixels[: len(pixels) // 2] + bytes(len(pixels) - len(pixels) // 2)
    volume = ct.load(write(series))
    assert [(f.code, f.severity.name, f.slices) for f in volume.findings] == [("AC-CT-070", "WARN", (at % COUNT,))]


def test_03_bits_that_differ_between_slices(ct, write, series):
    put(series[5], (HU[5] + 1024) & 0xFFF)
    series[5].BitsStored, series[5].HighBit = 12, 11
    assert found(ct, write(series)) == {"AC-CT-068": "WARN"}


# Size, position and order.


@pytest.mark.parametrize(("spacing", "code"), [(["40", "40"], "AC-CT-054"), (["4", "40"], "AC-CT-054")])
def test_pixel_spacing_ten_times_too_large(ct, write, series, spacing, code):
    for dataset in series:
        dataset.PixelSpacing = spacing
    assert ct.refusal(ct.scan_one(write(series))) == code


def test_pixel_spacing_ten_times_too_small(ct, write, series):
    for dataset in series:
        dataset.PixelSpacing = ["0.4", "0.4"]
    assert ct.codes(ct.scan_one(write(series))) == {"AC-CT-055"}


def test_slice_positions_ten_times_too_large(ct, write, series):
    for index, dataset in enumerate(series):
        dataset.ImagePositionPatient = ["-240", "-180", str(300 * index)]
    assert "AC-CT-054" in ct.blocks(ct.scan_one(write(series)))


@pytest.mark.parametrize("step", [0.3, 30])
def test_slice_positions_that_do_not_fit_the_thickness(ct, write, series, step):
    for index, dataset in enumerate(series):
        dataset.ImagePositionPatient = ["-240", "-180", f"{step * index:.9g}"]
    assert ct.codes(ct.scan_one(write(series))) == {"AC-CT-062"}


def test_pixel_spacing_against_the_reconstruction_diameter(ct, write, series):
    for dataset in series:
        dataset.ReconstructionDiameter = "360"
    assert ct.codes(ct.scan_one(write(series))) == {"AC-CT-067"}


@pytest.mark.parametrize(
    ("position", "severity"),
    [("FFP", "WARN"), ("HFP", "WARN"), ("HFDR", "WARN"), ("FFDL", "WARN"), ("FFS", "INFO"), ("", None), ("X", None)],
)
def test_patient_position_contradicts_the_orientation(ct, write, series, position, severity):
    for dataset in series:
        dataset.PatientPosition = position
    severities = [f.severity.name for f in ct.scan_one(write(series)).findings]
    assert severities == [severity] * (severity is not None)


def test_instance_number_out_of_step(ct, write, series):
    series[4].InstanceNumber, series[9].InstanceNumber = series[9].InstanceNumber, series[4].InstanceNumber
    assert found(ct, write(series)) == {"AC-CT-052": "WARN"}


@pytest.mark.parametrize("order", [1, -1])
def test_instance_numbers_in_either_order_with_gaps_are_sound(ct, write, series, order):
    for index, dataset in enumerate(series[::order]):
        dataset.InstanceNumber = str(3 * index)
    assert found(ct, write(series)) == {}


@pytest.mark.parametrize("change", [lambda z, k: z + 2 * (k == 5), lambda z, k: z / 10, lambda z, k: abs(z - 18)])
def test_slice_location_out_of_step(ct, write, series, change):
    for index, dataset in enumerate(series):
        dataset.SliceLocation = f"{change(3.0 * index, index):.6g}"
    assert found(ct, write(series)) == {"AC-CT-053": "WARN"}


@pytest.mark.parametrize("sign", [1, -1])
def test_slice_location_has_its_own_origin_and_sign(ct, write, series, sign):
    for index, dataset in enumerate(series):
        dataset.SliceLocation = f"{sign * 3.0 * index - 700.25:.1f}"
    assert found(ct, write(series)) == {}


# Real CTs.

REAL = ("lung1-001", "lung1-002", "lung1-007", "pancreas-ct-cb-001", "rtkit-phantom", "limbs", "opentps-4dct", "odd")
EXPECTED = {"AC-CT-003", "AC-CT-047", "AC-CT-051", "AC-CT-062"}  # uniform phantom, feet first, gaps between slices


@pytest.fixture(scope="session")
def real_cts(dicom_data):
    """Every sound CT of the real data, read."""
    return {
        (name, series.series_instance_uid): read_ct(series, Job())
        for name in REAL
        for series in planning_cts(scan_folder(dicom_data / name, Job()))
        if series.is_sound
    }


def test_sound_real_cts_have_at_most_one_warning(real_cts):
    assert len(real_cts) >= 24
    for volume in real_cts.values():
        assert {f.code for f in volume.findings} <= EXPECTED
        assert sum(f.severity is Severity.WARN for f in volume.findings) <= 1


@pytest.mark.parametrize("name", WRONG_SCALES)
def test_real_cts_on_a_wrong_scale_are_never_silent(real_cts, name):
    silent = []
    for key, volume in real_cts.items():
        indices = sample_slices(len(volume.hu))
        hu = np.clip(np.rint(WRONG_SCALES[name](volume.hu[indices].astype(int))), -32768, 32767).astype(np.int16)
        if not any(f.severity >= Severity.WARN for f in check_values(indices, list(hu), None)):
            silent.append(key[0])
    assert not silent


def test_pixels_that_cannot_be_decoded_are_in_info(ct, write, series):
    for dataset in series:
        dataset.compress("1.2.840.10008.1.2.5", generate_instance_uid=False)
        dataset["PixelData"].value = dataset.PixelData[:60]
    assert found(ct, write(series))["AC-CT-041"] == "BLOCK"


def test_the_voxels_are_looked_at_once(ct, write, series):
    one = ct.scan_one(write(series))
    looked = with_value_findings(one)
    assert looked.slices is one.slices
    assert looked.has_checked_values
    assert with_value_findings(looked) is looked
