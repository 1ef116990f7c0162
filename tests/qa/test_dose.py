"""Dose figures on analytic doses and shapes, and dose files."""

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from autocontour.base.errors import StructureSetError
from autocontour.dicom.dose import read_dose
from autocontour.patient.geometry import Box, VolumeGeometry
from autocontour.qa.dose import compute_dose

FRAME = generate_uid()


def test_the_dose_of_a_ball_in_a_linear_dose():
    """Above a plane through a ball lies a cap, whose volume is known: V = π h² (3 r − h) / 3."""
    radius, step = 20.0, 0.5
    line = np.arange(-radius - 1, radius + 1, step) + step / 2
    z, y, x = np.meshgrid(line, line, line, indexing="ij")
    inside = z**2 + y**2 + x**2 < radius**2
    dose = 30 + x[inside]  # 10 to 50 Gy
    figures = compute_dose(dose, step**3 / 1000)

    def cap(level):
        height = radius - (level - 30)
        return 100 * height**2 * (3 * radius - height) / (4 * radius**3)

    assert figures.mean_gy == pytest.approx(30, abs=0.01)
    assert figures.dose_gy[50] == pytest.approx(30, abs=0.05)
    assert figures.volume_percent[20] == pytest.approx(cap(20), abs=0.4)
    assert figures.volume_percent[40] == pytest.approx(cap(40), abs=0.4)
    for percent in (2, 50, 95, 98):  # to the change of the dose over half a voxel
        assert cap(figures.dose_gy[percent] + step / 2) <= percent <= cap(figures.dose_gy[percent] - step / 2)
    # The cap of 0.03 cm³ = 30 mm³ has h with π h² (60 − h) / 3 = 30.
    height = np.roots([-1, 60, 0, -90 / np.pi])
    height = min(h for h in height.real if h > 0)
    assert figures.d003cc_gy == pytest.approx(50 - height, abs=step / 2)


def test_a_uniform_dose_and_a_small_structure():
    figures = compute_dose(np.full(1000, 42.0), 0.001)
    assert (figures.mean_gy, figures.d003cc_gy, figures.dose_gy[98]) == pytest.approx((42, 42, 42))
    assert (figures.volume_percent[40], figures.volume_percent[50]) == (100, 0)
    assert compute_dose(np.full(20, 42.0), 0.001).d003cc_gy is None


def test_a_structure_outside_the_dose_has_no_figures_instead_of_a_low_dose():
    assert compute_dose(np.array([40.0, np.nan]), 1) is None
    assert compute_dose(np.array([]), 1) is None


def write_dose(path, *, order=1, absolute=False, **changes):
    """Write a dose of x + 2 y + 3 z + 1000, in 0.01 Gy with positions in mm; order −1 stores the planes downwards."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.481.2"
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset.SeriesInstanceUID, dataset.StudyInstanceUID = generate_uid(), generate_uid()
    dataset.Modality, dataset.FrameOfReferenceUID = "RTDOSE", FRAME
    dataset.DoseUnits, dataset.DoseType, dataset.DoseSummationType = "GY", "PHYSICAL", "PLAN"
    dataset.Rows, dataset.Columns, dataset.NumberOfFrames = 10, 12, 8
    dataset.PixelSpacing, dataset.ImageOrientationPatient = [4, 5], [1, 0, 0, 0, 1, 0]
    offsets = np.arange(8) * 3.0 * order
    first_z = -9.0 if order == 1 else 12.0
    dataset.ImagePositionPatient = [-20, -10, first_z]
    dataset.GridFrameOffsetVector = (offsets + (first_z if absolute else 0)).tolist()
    z, y, x = first_z + offsets, -10 + 4 * np.arange(10), -20 + 5 * np.arange(12)
    values = x + 2 * y[:, None] + 3 * z[:, None, None] + 1000
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 32, 32, 31, 0
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.DoseGridScaling = "0.01"
    dataset.PixelData = values.astype(np.uint32).tobytes()
    for name, value in changes.items():
        setattr(dataset, name, value)
    dataset.save_as(path, enforce_file_format=True)
    return path


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("absolute", [False, True])
def test_the_dose_at_a_position(tmp_path, order, absolute):
    grid = read_dose(write_dose(tmp_path / "dose.dcm", order=order, absolute=absolute))
    assert grid.frame_of_reference_uid == FRAME
    geometry = VolumeGeometry.regular((5, 6, 7), (2.0, 1.5, 1.5), (-3.0, 1.0, -4.0))
    dose = grid.sample(geometry, Box((1, 2, 3), (5, 6, 7)))
    z, y, x = -4 + 2 * np.arange(1, 5), 1 + 1.5 * np.arange(2, 6), -3 + 1.5 * np.arange(3, 7)
    expected = 0.01 * (x + 2 * y[:, None] + 3 * z[:, None, None] + 1000)
    np.testing.assert_allclose(dose, expected, atol=1e-5)


def test_there_is_no_dose_outside_the_grid(tmp_path):
    grid = read_dose(write_dose(tmp_path / "dose.dcm"))
    geometry = VolumeGeometry.regular((12, 3, 30), (3.0, 4.0, 5.0), (-30.0, 0.0, -15.0))
    dose = grid.sample(geometry, Box((0, 0, 0), (12, 3, 30)))
    inside = np.isfinite(dose)
    assert inside.sum() == 8 * 3 * 12
    assert inside[2:10, :, 2:14].all()


@pytest.mark.parametrize("change", [
    {"DoseSummationType": "BEAM"}, {"DoseUnits": "RELATIVE"}, {"DoseType": "ERROR"}, {"DoseGridScaling": "0"},
    {"GridFrameOffsetVector": [0.0, 3.0]}, {"GridFrameOffsetVector": [0.0] * 8},
    {"GridFrameOffsetVector": [5.0 + k for k in range(8)]},
])  # fmt: skip
def test_a_dose_that_is_not_that_of_a_plan_is_refused(tmp_path, change):
    with pytest.raises(StructureSetError, match="AC-QA-081"):
        read_dose(write_dose(tmp_path / "dose.dcm", **change))


def test_a_damaged_dose_is_refused(tmp_path):
    path = write_dose(tmp_path / "dose.dcm")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(StructureSetError, match="AC-QA-080"):
        read_dose(path)
