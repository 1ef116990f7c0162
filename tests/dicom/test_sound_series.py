"""Sound series give the voxels and the geometry that SimpleITK/GDCM gives, and true patient points."""

import numpy as np
import pydicom
import pytest
import SimpleITK

from autocontour.base.jobs import Job
from autocontour.dicom import planning_cts, read_ct, scan_folder

POSITIONS = {
    "HFS": (1, 0, 0, 0, 1, 0),
    "HFP": (-1, 0, 0, 0, -1, 0),
    "HFDR": (0, -1, 0, 1, 0, 0),
    "HFDL": (0, 1, 0, -1, 0, 0),
    "FFS": (-1, 0, 0, 0, 1, 0),
    "FFP": (1, 0, 0, 0, -1, 0),
    "FFDR": (0, -1, 0, -1, 0, 0),
    "FFDL": (0, 1, 0, 1, 0, 0),
}
REAL = ("lung1-001/ct", "lung1-002/ct", "pancreas-ct-cb-001/ct", "rtkit-phantom", "odd/ffs-sts", "odd/bad-references")


def assert_like_simpleitk(volume, files):
    """The same voxels, and every voxel at the same patient point."""
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames([str(file) for file in files])
    image = reader.Execute()
    grid = volume.geometry
    np.testing.assert_array_equal(volume.hu, np.rint(SimpleITK.GetArrayViewFromImage(image)))
    np.testing.assert_allclose(grid.slice_origins_lps_mm[0], image.GetOrigin(), atol=1e-6)
    if len(files) > 1:  # of a single slice SimpleITK takes the thickness for a spacing
        last = image.TransformIndexToPhysicalPoint((0, 0, len(files) - 1))
        np.testing.assert_allclose(grid.slice_origins_lps_mm[-1], last, atol=1e-3)
    np.testing.assert_allclose(grid.direction, np.reshape(image.GetDirection(), (3, 3)), atol=1e-5)
    np.testing.assert_allclose(grid.pixel_spacing_vu_mm, image.GetSpacing()[1::-1], rtol=1e-9)


@pytest.mark.parametrize("name", REAL)
def test_real_series_are_as_simpleitk_reads_them(dicom_data, name):
    (series,) = planning_cts(scan_folder(dicom_data / name, Job()))
    assert series.is_sound
    assert_like_simpleitk(read_ct(series, Job()), series.files)


@pytest.mark.parametrize("name", REAL)
def test_real_series_carry_their_references(dicom_data, name):
    (series,) = planning_cts(scan_folder(dicom_data / name, Job()))
    reference = read_ct(series, Job()).reference
    first = pydicom.dcmread(series.files[0], stop_before_pixels=True)
    assert reference.sop_instance_uids == tuple(str(pydicom.dcmread(f).SOPInstanceUID) for f in series.files)
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "SOPClassUID"):
        assert str(first[keyword].value) in {
            reference.study_instance_uid,
            reference.series_instance_uid,
            reference.frame_of_reference_uid,
            reference.sop_class_uid,
        }
    first = pydicom.dcmread(series.files[0], stop_before_pixels=True)
    for keyword in ("PatientName", "PatientID", "StudyDate", "StudyInstanceUID"):
        assert reference.header.get_item(keyword).value == first.get_item(keyword).value


@pytest.mark.parametrize("file", ["693_J2KR.dcm", "693_UNCR.dcm"])
def test_compressed_ct_of_pydicom_reads_as_simpleitk_reads_it(dicom_data, tmp_path, ct, file):
    dataset = pydicom.dcmread(dicom_data / "odd" / "compressed" / file)
    dataset.FrameOfReferenceUID = "1.2.3"  # it has none, which blocks
    folder = ct.write_slices(tmp_path / "ct", [dataset])
    series = ct.scan_one(folder)
    assert_like_simpleitk(read_ct(series, Job()), series.files)


@pytest.mark.parametrize("position", POSITIONS)
def test_every_voxel_lies_at_its_patient_point(ct, write, position):
    orientation = POSITIONS[position]
    slices = ct.build_series(orientation)
    for dataset in slices:
        dataset.PatientPosition = "HFS"  # never enters
    folder = write(slices)
    volume = ct.load(folder)
    grid = volume.geometry
    assert np.linalg.det(grid.direction) == pytest.approx(1)
    assert (np.diff(grid.slice_positions_mm) > 0).all()
    for hu, origin in zip(volume.hu, grid.slice_origins_lps_mm, strict=True):
        np.testing.assert_array_equal(hu, ct.hu_at(ct.voxel_points(origin, orientation)))
    assert_like_simpleitk(volume, ct.scan_one(folder).files)


def test_voxels_are_read_only_and_slices_name_their_files(ct, write, slices):
    volume = ct.load(write(slices))
    assert not volume.hu.flags.writeable
    assert volume.reference.sop_instance_uids == tuple(s.SOPInstanceUID for s in slices)
    assert volume.findings == ()


def test_pixels_of_twelve_bits_with_rubbish_above_them(ct, write, slices):
    """Overlay bits above those stored are not part of the value."""
    for number, dataset in enumerate(slices):
        hu = np.tile(np.arange(-1000, -1000 + ct.COLUMNS), (ct.ROWS, 1)) + number
        ct.set_pixels(dataset, hu, intercept=-1024, bits=12)
        stored = np.frombuffer(dataset.PixelData, "<u2") | 0xA000
        dataset.PixelData = stored.tobytes()
    assert ct.load(write(slices)).hu[3, 0, 2] == -1000 + 2 + 3


def test_twelve_bit_signed_pixels_are_sign_extended(ct, write, slices):
    for dataset in slices:
        hu = np.tile(np.arange(-1000, -1000 + ct.COLUMNS), (ct.ROWS, 1))
        ct.set_pixels(dataset, hu, intercept=0, bits=12)
        dataset.PixelData = (np.frombuffer(dataset.PixelData, "<u2") & 0x0FFF).tobytes()
    np.testing.assert_array_equal(ct.load(write(slices)).hu[0, 0], np.arange(-1000, -1000 + ct.COLUMNS))


def test_fractional_slope_rounds_to_the_nearest_hu(ct, write, slices):
    wanted = ct.hu_at(ct.voxel_points(np.array(slices[2].ImagePositionPatient, float), ct.SUPINE))
    for dataset in slices:
        hu = ct.hu_at(ct.voxel_points(np.array(dataset.ImagePositionPatient, float), ct.SUPINE))
        ct.set_pixels(dataset, hu, intercept=-1024, slope=0.25)
    np.testing.assert_array_equal(ct.load(write(slices)).hu[2], wanted)


def test_values_beyond_sixteen_bits_are_clipped_and_said(ct, write, slices):
    for dataset in slices:
        dataset.RescaleSlope = "40"
        dataset.PixelData = np.full(ct.ROWS * ct.COLUMNS, 1000, "<u2").tobytes()
    volume = ct.load(write(slices))
    assert volume.hu.max() == 32767
    assert "AC-CT-042" in {finding.code for finding in volume.findings}


def test_one_value_in_two_notations_is_one_acquisition():
    """A series whose files write one number as 1 and as 1.0 ended the whole scan with an IndexError."""
    from autocontour.dicom.acquisitions import _are_parts

    assert not _are_parts([0], 44)
    assert _are_parts([0, 20], 44)
