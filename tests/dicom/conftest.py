"""Sound synthetic CT series, to be broken by the tests."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from autocontour.base.errors import CTError
from autocontour.base.findings import Severity
from autocontour.base.jobs import Job
from autocontour.dicom import Series, read_ct, scan_folder
from autocontour.patient.volume import CTVolume

ROWS, COLUMNS, SLICES = 12, 16, 7
SPACING_ZYX_MM = (3.0, 1.25, 0.75)
SUPINE = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
UID = "1.2.826.0.1.3680043.10.1234."


def hu_at(points_lps_mm: np.ndarray) -> np.ndarray:
    """A Hounsfield unit for every patient point, the same whatever grid it is sampled on."""
    x, y, z = np.moveaxis(np.asarray(points_lps_mm), -1, 0)
    return np.rint(8 * x - 5 * y + 3 * z).astype(int)


def voxel_points(origin: np.ndarray, orientation: Sequence[float], shape=(ROWS, COLUMNS)) -> np.ndarray:
    """Patient point of every voxel of a slice, (rows, columns, 3)."""
    u, v = np.array(orientation[:3]), np.array(orientation[3:])
    j, i = np.meshgrid(np.arange(shape[0]), np.arange(shape[1]), indexing="ij")
    return origin + i[..., None] * u * SPACING_ZYX_MM[2] + j[..., None] * v * SPACING_ZYX_MM[1]


def build_slice(index: int, origin: np.ndarray, orientation: Sequence[float] = SUPINE, series: int = 1) -> Dataset:
    """One CT image whose voxels are `hu_at` their points."""
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 100"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.SOPClassUID = CTImageStorage
    dataset.SOPInstanceUID = f"{UID}{series}.{index + 1}"
    dataset.StudyDate, dataset.StudyTime, dataset.AccessionNumber = "20240102", "101112", ""
    dataset.Modality, dataset.ReferringPhysicianName = "CT", ""
    dataset.Manufacturer, dataset.SeriesDescription = "Phantom", f"series {series}"
    dataset.PatientName, dataset.PatientID = "Test^Phantom", "PHANTOM-1"
    dataset.PatientBirthDate, dataset.PatientSex = "", "O"
    dataset.SliceThickness, dataset.PatientPosition = "3", "HFS"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = UID + "9", f"{UID}{series}"
    dataset.StudyID, dataset.SeriesNumber, dataset.InstanceNumber = "1", str(series), str(index + 1)
    dataset.ImagePositionPatient = [f"{value:.9g}" for value in origin]
    dataset.ImageOrientationPatient = [f"{value:.9g}" for value in orientation]
    dataset.FrameOfReferenceUID, dataset.PositionReferenceIndicator = UID + "8", ""
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.PixelSpacing = [str(value) for value in SPACING_ZYX_MM[1:]]
    dataset.BitsAllocated, dataset.RescaleType = 16, "HU"
    set_pixels(dataset, hu_at(voxel_points(origin, orientation)))
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return dataset


def set_pixels(dataset: Dataset, hu: np.ndarray, intercept: int = -1024, slope: float = 1, bits: int = 16) -> None:
    """Store Hounsfield units, unsigned if all fit, else signed."""
    stored = np.rint((hu - intercept) / slope).astype(np.int64)
    signed = bool(stored.min() < 0)
    dataset.Rows, dataset.Columns = hu.shape
    dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = bits, bits - 1, int(signed)
    dataset.RescaleIntercept, dataset.RescaleSlope = str(intercept), str(slope)
    dataset["PixelData"] = _pixel_element(stored.astype("<i2" if signed else "<u2").tobytes())


def _pixel_element(data: bytes):
    holder = Dataset()
    holder.add_new(0x7FE00010, "OW", data)
    return holder[0x7FE00010]


def build_series(orientation: Sequence[float] = SUPINE, slices: int = SLICES, series: int = 1) -> list[Dataset]:
    """A sound series along its own normal."""
    normal = np.cross(orientation[:3], orientation[3:])
    start = np.array([-5.0, -20.0, 40.0])
    return [build_slice(k, start + k * SPACING_ZYX_MM[0] * normal, orientation, series) for k in range(slices)]


def write_slices(folder: Path, slices: Sequence[Dataset]) -> Path:
    """Write the files under names that say nothing of their order."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, dataset in enumerate(slices):
        name = f"{(number * 5 + 3) % (len(slices) * 2 + 1):03d}-{number}.dcm"
        dataset.save_as(folder / name, enforce_file_format=True)
    return folder


def scan_one(folder: Path) -> Series:
    (series,) = scan_folder(folder, Job())
    return series


def load(folder: Path, *accepted: str) -> CTVolume:
    return read_ct(scan_one(folder), Job(), frozenset(accepted))


def blocks(series: Series) -> set[str]:
    return {finding.code for finding in series.findings if finding.severity is Severity.BLOCK}


def codes(series: Series) -> set[str]:
    return {finding.code for finding in series.findings}


def refusal(series: Series, *accepted: str) -> str:
    """The code with which the series is refused."""
    with pytest.raises(CTError) as caught:
        read_ct(series, Job(), frozenset(accepted))
    assert caught.value.message
    assert caught.value.remedy
    return caught.value.code


@pytest.fixture(scope="session")
def ct() -> ModuleType:
    """The builders and readers of this file."""
    return sys.modules[__name__]


@pytest.fixture
def slices() -> list[Dataset]:
    """A sound series of seven slices."""
    return build_series()


@pytest.fixture
def write(tmp_path: Path) -> Callable[[Sequence[Dataset]], Path]:
    """Write datasets into the test's folder."""
    return lambda datasets: write_slices(tmp_path / "ct", datasets)
