"""Every CT case that broke other programs, by its name: a sound series with one thing wrong, or the real file."""

import copy
import shutil
from io import BytesIO

import gdcm
import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, get_frame
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from autocontour.base.errors import CTError
from autocontour.base.jobs import Job
from autocontour.dicom import planning_cts, read_ct, read_dataset, scan_folder

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # pydicom talks about damaged data
ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2.1"
MR_IMAGE = "1.2.840.10008.5.1.4.1.1.4"
PET_IMAGE = "1.2.840.10008.5.1.4.1.1.128"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"


def shifted(dataset, z_mm=0.0, x_mm=0.0, y_mm=0.0):
    x, y, z = map(float, dataset.ImagePositionPatient)
    dataset.ImagePositionPatient = [f"{value:.9g}" for value in (x + x_mm, y + y_mm, z + z_mm)]


def like(dataset, number):
    """Another image of the same series."""
    other = copy.deepcopy(dataset)
    other.SOPInstanceUID += f".{number}"
    return other


# Each mutation changes a sound series and may return another list of slices.


def a_slice_is_missing(slices):
    return slices[:3] + slices[4:]


def two_slices_are_missing(slices):
    return [*slices[:2], *slices[4:]]


def spacing_3_then_5_mm(slices):
    for number, dataset in enumerate(slices[4:], 1):
        shifted(dataset, z_mm=2.0 * number)


def a_slice_off_by_0_2_mm(slices):
    shifted(slices[3], z_mm=0.2)


def truncated_pixel_data(slices):
    slices[3].PixelData = slices[3].PixelData[:-10]


def two_acquisitions(slices):
    return slices + [like(dataset, 2) for dataset in slices]


def one_slice_twice_with_another_uid(slices):
    return [*slices, like(slices[2], 2)]


def localizer_in_the_series(slices):
    scout = like(slices[0], 9)
    scout.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    scout.ImageOrientationPatient = ["0", "1", "0", "0", "0", "-1"]
    return [*slices, scout]


def gantry_tilt_sheared_stack(slices):
    for number, dataset in enumerate(slices):
        shifted(dataset, y_mm=0.5 * number)


def gantry_tilt_only_in_the_header(slices):
    for dataset in slices:
        dataset.GantryDetectorTilt = "12.5"


def a_slice_shifted_sideways(slices):
    shifted(slices[4], x_mm=2.0)


def other_rows(slices):
    slices[3].Rows -= 2
    slices[3].PixelData = slices[3].PixelData[: -2 * 2 * slices[3].Columns]


def wrong_columns(slices):
    for dataset in slices:
        dataset.Columns -= 1


def other_pixel_spacing(slices):
    slices[3].PixelSpacing = ["1.3", "0.75"]


def other_orientation(slices):
    slices[3].ImageOrientationPatient = ["1", "0", "0", "0", "0.99999", "0.0044721"]


def other_rescale(slices):
    slices[3].RescaleIntercept = "-1000"


def modality_mr(slices):
    for dataset in slices:
        dataset.Modality, dataset.SOPClassUID = "MR", MR_IMAGE


def mr_calling_itself_ct(slices):
    for dataset in slices:
        dataset.SOPClassUID = MR_IMAGE


def pet_calling_itself_ct(slices):
    for dataset in slices:
        dataset.SOPClassUID = PET_IMAGE


def secondary_capture_mixed_in(slices):
    slices[5].SOPClassUID = SECONDARY_CAPTURE


def not_hounsfield_units(slices):
    for dataset in slices:
        dataset.RescaleType = "Z_EFF"


def no_frame_of_reference(slices):
    for dataset in slices:
        del dataset.FrameOfReferenceUID


def no_position(slices):
    del slices[2].ImagePositionPatient


def empty_position(slices):
    slices[2].ImagePositionPatient = None


def no_pixel_spacing(slices):
    for dataset in slices:
        del dataset.PixelSpacing


def zero_pixel_spacing(slices):
    for dataset in slices:
        dataset.PixelSpacing = ["0", "0.75"]


def no_orientation(slices):
    for dataset in slices:
        del dataset.ImageOrientationPatient


def orientation_that_is_none(slices):
    for dataset in slices:
        dataset.ImageOrientationPatient = ["1", "0", "0", "1", "0", "0"]


def missing_rescale_of_unsigned_values(slices):
    for dataset in slices:
        del dataset.RescaleIntercept, dataset.RescaleSlope


def missing_slope_only(slices):
    for dataset in slices:
        ct_values = np.frombuffer(dataset.PixelData, "<i2")
        dataset.PixelRepresentation, dataset.PixelData = 1, ct_values.tobytes()
        del dataset.RescaleSlope


def negative_slope(slices):
    for dataset in slices:
        dataset.RescaleSlope = "-1"


def every_slice_at_one_position(slices):
    """As a perfusion scan is: one place, many times, and the table moves sideways."""
    for number, dataset in enumerate(slices):
        dataset.ImagePositionPatient = [str(number), "0", "40"]


def decimal_comma(slices):
    for dataset in slices:
        dataset["PixelSpacing"] = element("PixelSpacing", "1,25\\0,75")


def position_not_a_number(slices):
    slices[3]["ImagePositionPatient"] = element("ImagePositionPatient", "nan\\0\\0")


def element(keyword, text):
    """A decimal string that pydicom would not let through."""
    return pydicom.DataElement(keyword, "DS", text, validation_mode=pydicom.config.IGNORE, already_converted=True)


def enhanced_multi_frame(slices):
    slices[0].SOPClassUID, slices[0].NumberOfFrames = ENHANCED_CT, "7"
    slices[0].PixelData *= 7
    return slices[:1]


def oblique_20_degrees(slices):
    return oblique(slices, 20)


def oblique(slices, degrees):
    angle = np.radians(degrees)
    turned = (1, 0, 0, 0, np.cos(angle), np.sin(angle))
    normal = np.array([0, -np.sin(angle), np.cos(angle)])
    for number, dataset in enumerate(slices):
        dataset.ImageOrientationPatient = [f"{value:.6f}" for value in turned]
        dataset.ImagePositionPatient = [f"{value:.6f}" for value in number * 3.0 * normal]


def coronal_slices(slices):
    for number, dataset in enumerate(slices):
        dataset.ImageOrientationPatient = ["1", "0", "0", "0", "0", "-1"]
        dataset.ImagePositionPatient = ["0", str(3 * number), "0"]


def colour_pixels(slices):
    for dataset in slices:
        dataset.SamplesPerPixel = 3


def no_pixel_data(slices):
    del slices[3].PixelData


def same_uid_other_content(slices):
    other = copy.deepcopy(slices[2])
    other.PixelData = slices[3].PixelData
    return [*slices, other]


BLOCKED = [
    ("missing slice", a_slice_is_missing, "AC-CT-032"),
    ("two slices missing", two_slices_are_missing, "AC-CT-032"),
    ("slice spacing changes", spacing_3_then_5_mm, "AC-CT-033"),
    ("slice off by 0.2 mm", a_slice_off_by_0_2_mm, "AC-CT-033"),
    ("truncated pixel data in one slice", truncated_pixel_data, "AC-CT-040"),
    ("no pixel data in one slice", no_pixel_data, "AC-CT-041"),
    ("two slices at one position: two acquisitions", two_acquisitions, "AC-CT-031"),
    ("two slices at one position: one twice", one_slice_twice_with_another_uid, "AC-CT-031"),
    ("localizer in the series", localizer_in_the_series, "AC-CT-012"),
    ("gantry tilt", gantry_tilt_sheared_stack, "AC-CT-027"),
    ("gantry tilt in the header only", gantry_tilt_only_in_the_header, "AC-CT-035"),
    ("slice shifted sideways", a_slice_shifted_sideways, "AC-CT-028"),
    ("one slice with other Rows", other_rows, "AC-CT-024"),
    ("Columns that do not fit the pixel data", wrong_columns, "AC-CT-036"),
    ("one slice with other PixelSpacing", other_pixel_spacing, "AC-CT-025"),
    ("one slice with other orientation", other_orientation, "AC-CT-026"),
    ("one slice with other rescale", other_rescale, "AC-CT-016"),
    ("MR", modality_mr, "AC-CT-010"),
    ("MR given as CT", mr_calling_itself_ct, "AC-CT-010"),
    ("PET given as CT", pet_calling_itself_ct, "AC-CT-010"),
    ("secondary capture mixed in", secondary_capture_mixed_in, "AC-CT-011"),
    ("not Hounsfield units", not_hounsfield_units, "AC-CT-014"),
    ("no FrameOfReferenceUID", no_frame_of_reference, "AC-CT-020"),
    ("no ImagePositionPatient", no_position, "AC-CT-021"),
    ("empty ImagePositionPatient", empty_position, "AC-CT-021"),
    ("no PixelSpacing", no_pixel_spacing, "AC-CT-022"),
    ("zero PixelSpacing", zero_pixel_spacing, "AC-CT-022"),
    ("no ImageOrientationPatient", no_orientation, "AC-CT-023"),
    ("parallel ImageOrientationPatient", orientation_that_is_none, "AC-CT-023"),
    ("missing rescale of unsigned values", missing_rescale_of_unsigned_values, "AC-CT-015"),
    ("slope missing, intercept there", missing_slope_only, "AC-CT-015"),
    ("negative slope", negative_slope, "AC-CT-015"),
    ("every slice at one position", every_slice_at_one_position, "AC-CT-031"),
    ("decimal comma", decimal_comma, "AC-CT-022"),
    ("position that is no number", position_not_a_number, "AC-CT-021"),
    ("enhanced multi-frame CT", enhanced_multi_frame, "AC-CT-013"),
    ("oblique series, 20 degrees", oblique_20_degrees, "AC-CT-029"),
    ("coronal slices", coronal_slices, "AC-CT-029"),
    ("colour pixels", colour_pixels, "AC-CT-017"),
    ("one SOP Instance UID, two contents", same_uid_other_content, "AC-CT-005"),
]


@pytest.mark.parametrize(
    ("mutate", "code", "beside"),
    [(a_slice_is_missing, "AC-CT-032", (2, 3)), (a_slice_off_by_0_2_mm, "AC-CT-033", (2, 3, 4))],
)
def test_uneven_slices_are_pointed_at(write, slices, mutate, code, beside):
    (series,) = scan_folder(write(mutate(slices) or slices), Job())
    (finding,) = (finding for finding in series.findings if finding.code == code)
    assert finding.slices == beside


@pytest.mark.parametrize(("mutate", "code"), [pytest.param(m, c, id=name) for name, m, c in BLOCKED])
def test_blocked(ct, write, slices, mutate, code):
    assert ct.load(write(slices)).hu.shape == (ct.SLICES, ct.ROWS, ct.COLUMNS)
    slices = mutate(slices) or slices
    folder = write_anew(ct, write, slices)
    assert ct.refusal(ct.scan_one(folder)) == code


def write_anew(ct, write, slices):
    folder = write([])
    shutil.rmtree(folder)
    return ct.write_slices(folder, slices)


ODD = [
    ("gantry-tilt", "AC-CT-027"),
    ("not-a-volume", "AC-CT-031"),
    ("slice-increment", "AC-CT-032"),
    ("slice-orientation", "AC-CT-010"),
    ("enhanced-ct", "AC-CT-013"),
    ("oblique", "AC-CT-029"),
]


@pytest.mark.parametrize(
    ("kind", "is_stated"), [("MIP", True), ("MINIMUM", True), ("AVERAGE", False), ("CT_SOM5 SPI", False)]
)
def test_a_projection_of_phases_is_stated(write, slices, kind, is_stated):
    for dataset in slices:
        dataset.ImageType = ["DERIVED", "SECONDARY", "AXIAL", kind]
    (series,) = scan_folder(write(slices), Job())
    stated = [one.message for one in series.findings if one.code == "AC-CT-071"]
    assert stated == ([f"The images were combined from others: Image Type {kind}."] if is_stated else [])


@pytest.mark.parametrize(("name", "code"), ODD, ids=[name for name, _ in ODD])
def test_odd_real_series(dicom_data, ct, name, code):
    for series in scan_folder(dicom_data / "odd" / name, Job()):
        assert code in ct.blocks(series)
        ct.refusal(series)


ACCEPTED = [
    ("missing slice", a_slice_is_missing, "AC-CT-032", [40, 43, 46, 52, 55, 58]),
    ("slice spacing changes", spacing_3_then_5_mm, "AC-CT-033", [40, 43, 46, 49, 54, 59, 64]),
    ("one slice with other rescale", other_rescale, "AC-CT-016", [40, 43, 46, 49, 52, 55, 58]),
]


@pytest.mark.parametrize(("mutate", "code", "z_mm"), [pytest.param(m, c, z, id=name) for name, m, c, z in ACCEPTED])
def test_accepted_with_true_positions_and_a_finding(ct, write, slices, mutate, code, z_mm):
    volume = ct.load(write(mutate(slices) or slices), code)
    np.testing.assert_allclose(volume.geometry.slice_origins_lps_mm[:, 2], z_mm)
    (finding,) = volume.findings
    assert finding.code == code
    assert "Accepted" in finding.message


def test_each_slice_keeps_its_own_rescale_when_accepted(ct, write, slices):
    other_rescale(slices)
    hu = ct.load(write(slices), "AC-CT-016").hu
    wanted = ct.hu_at(ct.voxel_points(np.array([-5.0, -20.0, 49.0]), ct.SUPINE))
    np.testing.assert_array_equal(hu[3], wanted + 24)


def test_what_would_need_guessing_cannot_be_accepted(ct, write, slices):
    gantry_tilt_sheared_stack(slices)
    assert ct.refusal(ct.scan_one(write(slices)), "AC-CT-027") == "AC-CT-027"


# Offered apart, never as one volume.


def other_series(slices):
    for dataset in slices[::2]:
        dataset.SeriesInstanceUID += ".2"


def other_frame_of_reference(slices):
    for dataset in slices[::2]:
        dataset.FrameOfReferenceUID += ".2"


def other_patient(slices):
    for dataset in slices[::2]:
        dataset.PatientID = "PHANTOM-2"


@pytest.mark.parametrize("mutate", [other_series, other_frame_of_reference, other_patient])
def test_two_series_frames_of_reference_or_patients_are_offered_apart(ct, write, slices, mutate):
    mutate(slices)
    found = planning_cts(scan_folder(write(slices), Job()))
    assert sorted(len(series) for series in found) == [3, 4]
    assert all(series.is_sound for series in found)
    if mutate is not other_series:
        assert all("AC-CT-050" in ct.codes(series) for series in found)


def test_localizer_of_its_own_series_is_no_planning_ct(ct, write, slices):
    scout = localizer_in_the_series(slices)[-1]
    scout.SeriesInstanceUID += ".5"
    found = scan_folder(write([*slices, scout]), Job())
    assert [len(series) for series in planning_cts(found)] == [7]
    assert len(found) == 2


# Supported.


def no_type_2_attributes(slices):
    for dataset in slices:
        for keyword in ("StudyID", "StudyDate", "StudyTime", "ReferringPhysicianName", "PatientBirthDate"):
            del dataset[keyword]


def instance_numbers_out_of_order(slices):
    for number, dataset in enumerate(slices):
        dataset.InstanceNumber = str((number * 3) % 7)


def no_instance_numbers(slices):
    for dataset in slices:
        del dataset.InstanceNumber


def wrong_patient_position(slices):
    for dataset in slices:
        dataset.PatientPosition = "FFP"


def gaps_within_tolerance(slices):
    shifted(slices[3], z_mm=0.02)


SUPPORTED = [
    no_type_2_attributes,
    no_instance_numbers,
    gaps_within_tolerance,
]


CONTRADICTED = [
    (instance_numbers_out_of_order, "AC-CT-052"),
    (wrong_patient_position, "AC-CT-049"),
]


@pytest.mark.parametrize(("mutate", "code"), CONTRADICTED)
def test_what_contradicts_the_positions_is_a_warning(ct, tmp_path, slices, mutate, code):
    before = ct.load(ct.write_slices(tmp_path / "before", slices))
    mutate(slices)
    after = ct.load(ct.write_slices(tmp_path / "after", slices))
    np.testing.assert_array_equal(after.hu, before.hu)
    assert after.reference.sop_instance_uids == before.reference.sop_instance_uids
    assert [(f.code, f.severity.name) for f in after.findings] == [(code, "WARN")]


@pytest.mark.parametrize("mutate", SUPPORTED)
def test_supported(ct, tmp_path, slices, mutate):
    before = ct.load(ct.write_slices(tmp_path / "before", slices))
    mutate(slices)
    after = ct.load(ct.write_slices(tmp_path / "after", slices))
    np.testing.assert_array_equal(after.hu, before.hu)
    assert after.reference.sop_instance_uids == before.reference.sop_instance_uids
    assert after.findings == ()


def test_oblique_by_a_few_degrees_is_supported_in_the_planes_of_the_slices(ct, write, slices):
    oblique(slices, 3)
    volume = ct.load(write(slices))
    assert {finding.code for finding in volume.findings} == {"AC-CT-030"}
    np.testing.assert_allclose(
        volume.geometry.direction[:, 2], [0, -np.sin(np.radians(3)), np.cos(np.radians(3))], atol=1e-6
    )
    assert volume.geometry.slice_spacing_mm == pytest.approx(3, abs=1e-4)
    np.testing.assert_allclose(volume.geometry.plane_origins_uv_mm, 0, atol=1e-3)


@pytest.mark.parametrize("padding", [-2000, -3024])
def test_padding_value_is_kept(ct, write, slices, padding):
    for dataset in slices:
        hu = np.full((ct.ROWS, ct.COLUMNS), 40)
        hu[0] = padding
        ct.set_pixels(dataset, hu, intercept=0)
        dataset.add_new("PixelPaddingValue", "SS", padding)
    hu = ct.load(write(slices)).hu
    assert (hu[:, 0] == padding).all()
    assert (hu[:, 1:] == 40).all()


def test_missing_rescale_of_signed_values_is_said(ct, write, slices):
    for dataset in slices:
        ct.set_pixels(dataset, np.full((ct.ROWS, ct.COLUMNS), -1000), intercept=0)
        del dataset.RescaleIntercept, dataset.RescaleSlope
    volume = ct.load(write(slices))
    assert (volume.hu == -1000).all()
    assert [finding.code for finding in volume.findings] == ["AC-CT-039"]


@pytest.mark.parametrize("top", [3071, 3072, 30000])
def test_hu_above_3071(ct, write, slices, top):
    ct.set_pixels(slices[2], np.full((ct.ROWS, ct.COLUMNS), top))
    assert (ct.load(write(slices)).hu[2] == top).all()


# Beside slices: ignored, and said.


def put_thumbs_db(folder):
    (folder / "Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0" + bytes(5000))


def put_text_file(folder):
    (folder / "readme.txt").write_text("Slices of the phantom.\n" * 100)


def put_dicomdir(folder):
    dataset = Dataset()
    dataset.FileSetID = "PHANTOM"
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.1.3.10"
    dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    dataset.save_as(folder / "DICOMDIR", enforce_file_format=True)


@pytest.mark.parametrize("put", [put_thumbs_db, put_text_file, put_dicomdir])
def test_ignored_and_said(ct, write, slices, put):
    folder = write(slices)
    put(folder)
    series = ct.scan_one(folder)
    assert ct.codes(series) == {"AC-CT-003"}
    assert len(read_ct(series, Job()).hu) == 7


def test_copies_of_files_are_ignored_and_said(ct, write, slices):
    folder = write(slices)
    shutil.copytree(folder, folder / "again")
    series = ct.scan_one(folder)
    assert ct.codes(series) == {"AC-CT-004"}
    assert len(read_ct(series, Job()).hu) == 7


def test_random_bytes_behind_a_dicom_prefix_are_left_out_with_a_warning(ct, write, slices):
    folder = write(slices)
    (folder / "noise.dcm").write_bytes(bytes(128) + b"DICM" + np.random.default_rng(1).bytes(5000))
    series = ct.scan_one(folder)
    assert ct.codes(series) & {"AC-CT-001", "AC-CT-003"}
    assert len(read_ct(series, Job()).hu) == 7


# Transfer syntaxes.


def encoded(dataset, syntax):
    """The file's bytes in another transfer syntax."""
    buffer = BytesIO()
    other = copy.deepcopy(dataset)
    if syntax == RLELossless:
        other.compress(RLELossless, generate_instance_uid=False)
    else:
        other.file_meta.TransferSyntaxUID = syntax
    if syntax == ExplicitVRBigEndian:
        other.PixelData = np.frombuffer(other.PixelData, "<u2").astype(">u2").tobytes()
    other.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def compress_with_gdcm(path, syntax):
    reader = gdcm.ImageReader()
    reader.SetFileName(str(path))
    assert reader.Read()
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(syntax))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer = gdcm.ImageWriter()
    writer.SetFileName(str(path))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()


@pytest.mark.parametrize(
    "syntax",
    [ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless],
    ids=lambda syntax: syntax.name,
)
def test_transfer_syntax_of_pydicom(ct, write, slices, syntax):
    folder = write(slices)
    before = ct.load(folder)
    for path, dataset in zip(sorted(folder.iterdir()), slices, strict=True):
        path.write_bytes(encoded(dataset, syntax))
    after = ct.load(folder)
    np.testing.assert_array_equal(after.hu, before.hu)
    np.testing.assert_array_equal(after.geometry.slice_origins_lps_mm, before.geometry.slice_origins_lps_mm)
    assert after.reference.sop_instance_uids == before.reference.sop_instance_uids
    assert after.content_checksum == before.content_checksum


@pytest.mark.parametrize(
    "syntax",
    [
        gdcm.TransferSyntax.JPEGLSLossless,
        gdcm.TransferSyntax.JPEG2000Lossless,
        gdcm.TransferSyntax.JPEGLosslessProcess14_1,
        gdcm.TransferSyntax.RLELossless,
    ],
    ids=["JPEG-LS", "JPEG 2000", "JPEG lossless", "RLE"],
)
@pytest.mark.parametrize("intercept", [-1024, 0], ids=["unsigned", "signed"])
def test_compressed_transfer_syntax(ct, write, slices, syntax, intercept):
    for dataset in slices:
        hu = ct.hu_at(ct.voxel_points(np.array(dataset.ImagePositionPatient, float), ct.SUPINE))
        ct.set_pixels(dataset, hu - 100, intercept=intercept)
    folder = write(slices)
    before = ct.load(folder)
    for path in folder.iterdir():
        compress_with_gdcm(path, syntax)
    after = ct.load(folder)
    assert pydicom.dcmread(path).file_meta.TransferSyntaxUID.is_compressed
    np.testing.assert_array_equal(after.hu, before.hu)
    assert after.content_checksum == before.content_checksum


def test_the_checksum_of_the_content_knows_every_voxel_and_the_rescale(ct, write, slices):
    before = ct.load(write(slices))
    pixels = slices[5].PixelData
    slices[5].PixelData = pixels[:-2] + b"\x07\x00"
    assert ct.load(write(slices)).content_checksum != before.content_checksum
    slices[5].PixelData = pixels
    for dataset in slices:
        dataset.RescaleIntercept = "-1000"
    assert ct.load(write(slices)).content_checksum != before.content_checksum
    for dataset in slices:
        dataset.RescaleIntercept = "-1024"
    assert ct.load(write(slices)).content_checksum == before.content_checksum


def test_compressed_pixels_cut_short(ct, write, slices):
    folder = write(slices)
    for path in folder.iterdir():
        compress_with_gdcm(path, gdcm.TransferSyntax.JPEG2000Lossless)
    path.write_bytes(path.read_bytes()[:-200])
    assert ct.refusal(ct.scan_one(folder)) in {"AC-CT-001", "AC-CT-041"}


@pytest.mark.parametrize(
    "syntax",
    [
        gdcm.TransferSyntax.JPEGLSLossless,
        gdcm.TransferSyntax.JPEG2000Lossless,
        gdcm.TransferSyntax.JPEGLosslessProcess14_1,
        gdcm.TransferSyntax.RLELossless,
    ],
    ids=["JPEG-LS", "JPEG 2000", "JPEG lossless", "RLE"],
)
def test_compressed_stream_cut_short_in_a_sound_file(ct, write, slices, syntax):
    """Decoders fill in what is missing without a word."""
    folder = write(slices)
    for path in folder.iterdir():
        compress_with_gdcm(path, syntax)
    dataset = pydicom.dcmread(path)
    frame = get_frame(dataset.PixelData, 0, number_of_frames=1)
    dataset.PixelData = encapsulate([frame[: len(frame) // 2]])
    dataset.save_as(path)
    assert ct.refusal(ct.scan_one(folder)) in {"AC-CT-040", "AC-CT-041"}


@pytest.mark.parametrize(
    "syntax",
    [
        gdcm.TransferSyntax.JPEGLSLossless,
        gdcm.TransferSyntax.JPEG2000Lossless,
        gdcm.TransferSyntax.JPEGLosslessProcess14_1,
    ],
    ids=["JPEG-LS", "JPEG 2000", "JPEG lossless"],
)
def test_compressed_stream_of_another_size_than_its_header(ct, write, slices, syntax):
    folder = write(slices)
    for path in folder.iterdir():
        compress_with_gdcm(path, syntax)
        dataset = pydicom.dcmread(path)
        dataset.Rows -= 1
        dataset.save_as(path)
    assert ct.refusal(ct.scan_one(folder)) == "AC-CT-041"


def test_a_stream_that_ends_the_process_in_other_readers(ct, write, slices):
    """Damaged inside, whole at both ends: refused or read, but the program goes on."""
    folder = write(slices)
    for path in folder.iterdir():
        compress_with_gdcm(path, gdcm.TransferSyntax.JPEG2000Lossless)
        data = bytearray(path.read_bytes())
        start = data.index(b"\xff\x4f\xff\x51") + 50
        data[start : start + 30] = bytes(range(200, 230))
        path.write_bytes(data)
    assert ct.refusal(ct.scan_one(folder)) == "AC-CT-041"


def test_unknown_transfer_syntax_is_refused_before_reading(ct, write, slices):
    for dataset in slices:
        dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.102"  # MPEG-4
        dataset.PixelData = encapsulate([b"not a video"])
    assert ct.refusal(ct.scan_one(write(slices))) == "AC-CT-019"


# Names and character sets.

NAMES = [
    ("ISO_IR 192", "Łukasiewicz^Żółć=山田^太郎".encode()),
    ("\\ISO 2022 IR 87", b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B"),
    (
        "\\ISO 2022 IR 149",
        b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf",
    ),
    ("GB18030", "Wang^XiaoDong=王^小东".encode("gb18030")),
    ("ISO_IR 1000", b"Odd^Charset\xe4\xf6"),
    ("latin-1", b"M\xfcller^J\xf6rg"),
]


@pytest.mark.parametrize(("charset", "name"), NAMES, ids=[charset for charset, _ in NAMES])
def test_patient_names_and_odd_character_sets_are_kept_byte_for_byte(ct, write, slices, charset, name):
    folder = write(slices)
    for path in folder.iterdir():
        data = path.read_bytes()
        for tag, vr, old, new in (
            (b"\x08\x00\x05\x00", b"CS", b"ISO_IR 100", charset.encode()),
            (b"\x10\x00\x10\x00", b"PN", b"Test^Phantom", name),
        ):
            new += b" " * (len(new) % 2)
            before = tag + vr + len(old).to_bytes(2, "little") + old
            assert data.count(before) == 1
            data = data.replace(before, tag + vr + len(new).to_bytes(2, "little") + new)
        path.write_bytes(data)
    header = ct.load(folder).reference.header
    assert header.get_item("PatientName").value.rstrip(b" ") == name
    kept = header.SpecificCharacterSet
    assert (kept if isinstance(kept, str) else "\\".join(kept)) == charset


# Hostile structure.


def test_deeply_nested_sequences(ct, write, slices):
    head = b"\x08\x00\x40\x11SQ\x00\x00\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
    tail = b"\xfe\xff\x0d\xe0\x00\x00\x00\x00\xfe\xff\xdd\xe0\x00\x00\x00\x00"
    folder = write(slices)
    for path in folder.iterdir():
        data = path.read_bytes()
        at = data.index(b"\x08\x00\x60\x00CS")
        path.write_bytes(data[:at] + head * 5000 + tail * 5000 + data[at:])
    with pytest.raises(CTError) as caught:
        read_dataset(path)
    assert caught.value.code == "AC-CT-001"
    with pytest.raises(CTError) as caught:  # the scan walks through; the reference header cannot be had
        ct.load(folder)
    assert caught.value.code == "AC-CT-001"


def test_private_elements_in_implicit_vr(ct, write, slices):
    """Some writers switch to implicit VR inside private sequences of an explicit file."""
    inner = b"\x09\x00\x10\x00\x04\x00\x00\x00TEST\x09\x00\x01\x10\x02\x00\x00\x00AB"
    item = b"\xfe\xff\x00\xe0" + len(inner).to_bytes(4, "little") + inner
    private = b"\x09\x00\x10\x00LO\x04\x00TEST" + b"\x09\x00\x02\x10UN\x00\x00\xff\xff\xff\xff" + item
    private += b"\xfe\xff\xdd\xe0\x00\x00\x00\x00"
    folder = write(slices)
    before = ct.load(folder)
    for path in folder.iterdir():
        data = path.read_bytes()
        at = data.index(b"\x10\x00\x10\x00PN")
        path.write_bytes(data[:at] + private + data[at:])
    np.testing.assert_array_equal(ct.load(folder).hu, before.hu)


@pytest.mark.parametrize("length", [0, 3, 0xFFFE], ids=["zero", "odd", "beyond the file"])
def test_wrong_lengths(ct, write, slices, length):
    folder = write(slices)
    for path in folder.iterdir():
        data = bytearray(path.read_bytes())
        at = data.index(b"\x10\x00\x20\x00LO") + 6
        data[at : at + 2] = length.to_bytes(2, "little")
        path.write_bytes(data)
    with pytest.raises(CTError):
        ct.load(folder)


def test_without_preamble(ct, write, slices):
    """Some systems still write the bare dataset."""
    folder = write(slices)
    before = ct.load(folder)
    for path in folder.iterdir():
        dataset = pydicom.dcmread(path)
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
        buffer = BytesIO()
        pydicom.dcmwrite(buffer, dataset, implicit_vr=True, little_endian=True)
        data = buffer.getvalue()
        path.write_bytes(data[data.index(b"\x08\x00\x05\x00") :])
    np.testing.assert_array_equal(ct.load(folder).hu, before.hu)


# Size.


def test_one_slice_series(ct, write):
    volume = ct.load(write(ct.build_series(slices=1)))
    assert volume.hu.shape == (1, ct.ROWS, ct.COLUMNS)
    assert [finding.code for finding in volume.findings] == ["AC-CT-034"]


def test_800_slice_series(ct, write):
    volume = ct.load(write(ct.build_series(slices=800)))
    assert volume.hu.shape == (800, ct.ROWS, ct.COLUMNS)
    assert volume.geometry.is_evenly_spaced


def test_1024_by_1024_slices(ct, write):
    slices = ct.build_series(slices=3)
    for number, dataset in enumerate(slices):
        hu = np.random.default_rng(number).integers(-40, 40, (1024, 1024))
        hu[512, 512] = number
        ct.set_pixels(dataset, hu)
        dataset.PixelSpacing = ["0.5", "0.5"]
    volume = ct.load(write(slices))
    assert volume.hu.shape == (3, 1024, 1024)
    assert [plane[512, 512] for plane in volume.hu] == [0, 1, 2]
