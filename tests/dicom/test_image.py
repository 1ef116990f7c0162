"""NIfTI and NRRD: the same patient points as the DICOM series they were made from, and no reference."""

import nibabel
import numpy as np
import pytest
import SimpleITK

from autocontour.base.errors import CTError
from autocontour.dicom import read_image

DIRECTIONS = {
    "supine": np.eye(3),
    "prone": np.diag([-1.0, -1.0, 1.0]),
    "feet first": np.diag([-1.0, 1.0, -1.0]),
    "decubitus": np.array([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]]),
}


def write_image(ct, path, direction, dtype=np.int16):
    """`hu_at` of every voxel's point, through SimpleITK."""
    shape, spacing = (5, 6, 7), np.array([0.75, 1.25, 3.0])
    index = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1)[..., ::-1]
    origin = np.array([-5.0, 4.0, 30.0])
    points = origin + (index * spacing) @ np.transpose(direction)
    image = SimpleITK.GetImageFromArray(ct.hu_at(points).astype(dtype))
    image.SetSpacing(spacing.tolist())
    image.SetOrigin(origin.tolist())
    image.SetDirection(np.ravel(direction).tolist())
    SimpleITK.WriteImage(image, str(path))
    return points


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd"])
@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_every_voxel_lies_at_its_patient_point(ct, tmp_path, direction, suffix, dtype):
    path = tmp_path / f"image{suffix}"
    write_image(ct, path, DIRECTIONS[direction], dtype)
    volume = read_image(path)
    grid = volume.geometry
    assert volume.reference is None
    assert [finding.code for finding in volume.findings] == ["AC-CT-061"]
    v, u = grid.pixel_spacing_vu_mm
    for hu, origin in zip(volume.hu, grid.slice_origins_lps_mm, strict=True):
        j, i = np.meshgrid(range(grid.rows), range(grid.columns), indexing="ij")
        points = origin + i[..., None] * u * grid.direction[:, 0] + j[..., None] * v * grid.direction[:, 1]
        np.testing.assert_array_equal(hu, ct.hu_at(points.round(4)))


def test_nifti_of_nibabel_turns_ras_into_lps(tmp_path):
    """NIfTI's x grows to the patient's right hand's opposite: written as RAS, read as LPS."""
    voxels = np.zeros((4, 5, 6), np.int16)  # i, j, k
    voxels[3, 0, 0], voxels[0, 4, 0] = 100, 200
    affine = np.array([[2.0, 0, 0, 10], [0, 3, 0, 20], [0, 0, 4, 30], [0, 0, 0, 1]])
    nibabel.save(nibabel.Nifti1Image(voxels, affine), tmp_path / "ras.nii.gz")
    volume = read_image(tmp_path / "ras.nii.gz")
    for value, ras in ((100, (16, 20, 30)), (200, (10, 32, 30))):
        k, j, i = (int(index) for index in np.argwhere(volume.hu == value)[0])
        v, u = volume.geometry.pixel_spacing_vu_mm
        origin, direction = volume.geometry.slice_origins_lps_mm[k], volume.geometry.direction
        point = origin + i * u * direction[:, 0] + j * v * direction[:, 1]
        np.testing.assert_allclose(point, np.array(ras) * [-1, -1, 1])


def test_left_handed_axes_are_turned_over_not_refused(ct, tmp_path):
    path = tmp_path / "left-handed.nrrd"
    write_image(ct, path, np.diag([1.0, 1.0, -1.0]))
    volume = read_image(path)
    grid = volume.geometry
    assert np.linalg.det(grid.direction) == pytest.approx(1)
    assert (np.diff(grid.slice_positions_mm) > 0).all()
    for hu, (x, y, z) in zip(volume.hu, grid.slice_origins_lps_mm, strict=True):
        assert hu[0, 0] == ct.hu_at([x, y, z])


@pytest.mark.parametrize("content", [b"", b"no image at all", b"NRRD0004\ntype: short\n"])
def test_damaged(tmp_path, content):
    for name in ("a.nii.gz", "a.nrrd"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(CTError, match="AC-CT-060"):
            read_image(tmp_path / name)


def test_missing(tmp_path):
    with pytest.raises(CTError, match="AC-CT-064"):
        read_image(tmp_path / "none.nii")


def test_no_hounsfield_units(ct, tmp_path):
    for value in (1e6, np.nan):
        image = SimpleITK.GetImageFromArray(np.full((3, 4, 5), value, np.float32))
        SimpleITK.WriteImage(image, str(tmp_path / "a.nrrd"))
        with pytest.raises(CTError, match="AC-CT-066"):
            read_image(tmp_path / "a.nrrd")


def test_two_dimensions_and_colours_are_no_volume(tmp_path):
    for array, vector in ((np.zeros((4, 5), np.int16), False), (np.zeros((3, 4, 5, 3), np.int16), True)):
        SimpleITK.WriteImage(SimpleITK.GetImageFromArray(array, isVector=vector), str(tmp_path / "a.nrrd"))
        with pytest.raises(CTError, match="AC-CT-065"):
            read_image(tmp_path / "a.nrrd")
