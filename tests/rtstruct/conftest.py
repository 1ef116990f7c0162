"""A small made-up CT in memory or on disk, and readers of structure sets that are not ours."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from autocontour.contouring import contours_from_mask
from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.provenance import Provenance
from autocontour.patient.structures import Structure, StructureSet
from autocontour.patient.volume import CTVolume, SeriesReference

SHAPE = (12, 40, 48)
SPACING = (3.0, 1.25, 0.9765625)
ORIGIN = (-23.4, -31.25, -118.7)
# Image Orientation (Patient) of the eight patient positions, PS3.3 C.7.3.1.1.2.
ORIENTATIONS = {
    "HFS": (1, 0, 0, 0, 1, 0),
    "HFP": (-1, 0, 0, 0, -1, 0),
    "HFDR": (0, 1, 0, -1, 0, 0),
    "HFDL": (0, -1, 0, 1, 0, 0),
    "FFS": (-1, 0, 0, 0, 1, 0),
    "FFP": (1, 0, 0, 0, -1, 0),
    "FFDR": (0, -1, 0, -1, 0, 0),
    "FFDL": (0, 1, 0, 1, 0, 0),
}


def make_geometry(orientation: tuple[float, ...] = ORIENTATIONS["HFS"], shape=SHAPE, spacing=SPACING) -> VolumeGeometry:
    u, v = np.array(orientation[:3], dtype=float), np.array(orientation[3:], dtype=float)
    return VolumeGeometry.regular(shape, spacing, ORIGIN, np.column_stack([u, v, np.cross(u, v)]))


def make_ct(geometry: VolumeGeometry | None = None, **header_values: object) -> CTVolume:
    geometry = geometry or make_geometry()
    header = Dataset()
    header.PatientName, header.PatientID = "Phantom^Ring", "P-1"
    header.PatientBirthDate, header.PatientSex = "19700101", "O"
    header.StudyInstanceUID, header.SeriesInstanceUID = generate_uid(None), generate_uid(None)
    header.FrameOfReferenceUID, header.PositionReferenceIndicator = generate_uid(None), ""
    header.StudyDate, header.StudyTime, header.StudyID = "20260102", "101112", "17"
    header.AccessionNumber, header.ReferringPhysicianName = "A1", "Doe^Jane"
    for keyword, value in header_values.items():
        setattr(header, keyword, value)
    reference = SeriesReference(
        header.StudyInstanceUID,
        header.SeriesInstanceUID,
        header.FrameOfReferenceUID,
        CTImageStorage,
        tuple(generate_uid(None) for _ in range(geometry.shape_zyx[0])),
        _as_from_a_file(header),
    )
    return CTVolume(np.zeros(geometry.shape_zyx, dtype=np.int16), geometry, reference)


def _as_from_a_file(header: Dataset) -> Dataset:
    """Return the header with raw values, as `read_ct` has it."""
    buffer = BytesIO()
    dcmwrite(buffer, header, implicit_vr=False, little_endian=True)
    return dcmread(BytesIO(buffer.getvalue()), force=True)


def write_series(ct: CTVolume, folder: Path) -> Path:
    """Write `ct` as a CT series that other programs read."""
    folder.mkdir(parents=True, exist_ok=True)
    geometry, reference = ct.geometry, ct.reference
    assert reference is not None
    for index, uid in enumerate(reference.sop_instance_uids):
        image = Dataset()
        image.update(reference.header)
        image.SOPClassUID, image.SOPInstanceUID, image.Modality = CTImageStorage, uid, "CT"
        image.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        image.InstanceNumber = index + 1
        image.ImagePositionPatient = [round(float(x), 6) for x in geometry.slice_origins_lps_mm[index]]
        image.ImageOrientationPatient = geometry.direction[:, :2].T.ravel().tolist()
        image.PixelSpacing = list(geometry.pixel_spacing_vu_mm)
        image.SliceThickness = geometry.slice_spacing_mm
        image.Rows, image.Columns = geometry.rows, geometry.columns
        image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
        image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 16, 15, 1
        image.RescaleSlope, image.RescaleIntercept = 1, 0
        image.PixelData = ct.hu[index].tobytes()
        image.file_meta = FileMetaDataset()
        image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dcmwrite(folder / f"CT.{index:03}.dcm", image, enforce_file_format=True)
    return folder


def make_masks(shape: tuple[int, int, int] = SHAPE) -> dict[str, np.ndarray]:
    """Masks that trouble other writers: a ring with an island, one voxel, a straw, touching diagonals, the border."""
    z, y, x = np.indices(shape)
    radius = np.hypot(y - 19.5, (x - 23.5) * SPACING[2] / SPACING[1])
    inner = (z > 1) & (z < 10)
    masks = {
        "Ring": inner & (radius < 15) & (radius > 8) | inner & (radius < 4) & (radius > 2),
        "Ball": (radius**2 + ((z - 5.5) * 2.4) ** 2) < 11**2,
        "One": (z == 4) & (y == 30) & (x == 7),
        "Straw": (y == 12) & (x == 33),
        "Diagonal": (z == 6) & ((y == 5) & (x == 5) | (y == 6) & (x == 6) | (y == 5) & (x == 7)),
        "Border": (z >= 0) & ((y == 0) | (x == 0) | (y == shape[1] - 1) | (x == shape[2] - 1)),
        "Sieve": (z == 3) & ((y % 3 != 1) | (x % 4 != 1)),
    }
    return {name: np.ascontiguousarray(mask) for name, mask in masks.items()}


def make_structure(name: str, number: int, mask: np.ndarray, ct: CTVolume, **fields: object) -> Structure:
    values: dict[str, object] = {"provenance": Provenance("autocontour rules", "1.0"), **fields}
    return Structure(name, number, contours_from_mask(mask, ct.geometry), **values)  # type: ignore[arg-type]


def make_set(ct: CTVolume, masks: dict[str, np.ndarray] | None = None, **fields: object) -> StructureSet:
    masks = make_masks(ct.geometry.shape_zyx) if masks is None else masks
    structures = [make_structure(name, i, mask, ct, **fields) for i, (name, mask) in enumerate(masks.items(), 1)]
    return StructureSet("TEST", tuple(structures))


def fill_even_odd(path: Path, ct: CTVolume) -> dict[str, np.ndarray]:
    """Read a file as the plainest reader does: pydicom, and every voxel centre tested against every ring."""
    geometry, found = ct.geometry, {}
    dataset = dcmread(path)
    names = {int(item.ROINumber): str(item.ROIName) for item in dataset.StructureSetROISequence}
    v, u = np.indices(geometry.shape_zyx[1:], dtype=float)
    for item in dataset.ROIContourSequence:
        mask = np.zeros(geometry.shape_zyx, dtype=bool)
        for contour in item.get("ContourSequence", []):
            uvw = np.array(contour.ContourData, dtype=float).reshape(-1, 3) @ geometry.direction
            index = int(np.abs(geometry.slice_positions_mm - uvw[:, 2].mean()).argmin())
            columns, rows = (uvw[:, :2] - geometry.plane_origins_uv_mm[index]).T / [
                [geometry.pixel_spacing_vu_mm[1]],
                [geometry.pixel_spacing_vu_mm[0]],
            ]
            for u0, v0, u1, v1 in zip(columns, rows, np.roll(columns, -1), np.roll(rows, -1), strict=True):
                spans = (v0 > v) != (v1 > v)
                mask[index] ^= spans & (u < u0 + (v - v0) / ((v1 - v0) or 1.0) * (u1 - u0))
        found[names[int(item.ReferencedROINumber)]] = mask
    return found


def run_dciodvfy(path: Path) -> list[str]:
    """Return the errors and warnings of David Clunie's validator."""
    program = Path(sys.executable).with_name("dciodvfy")
    done = subprocess.run([program, path], capture_output=True, text=True, check=False, errors="replace")
    assert "RTStructureSet" in done.stderr
    return [line for line in done.stderr.splitlines() if line.startswith(("Error", "Warning"))]


def dice(a: np.ndarray, b: np.ndarray) -> float:
    return 2.0 * np.count_nonzero(a & b) / max(1, np.count_nonzero(a) + np.count_nonzero(b))


@pytest.fixture(scope="session")
def ct() -> CTVolume:
    return make_ct()


@pytest.fixture(scope="session")
def make() -> type:
    """The helpers above, for tests."""

    class Make:
        geometry, ct, masks, structure, set = map(
            staticmethod, (make_geometry, make_ct, make_masks, make_structure, make_set)
        )
        series, fill, dciodvfy, dice = map(staticmethod, (write_series, fill_even_odd, run_dciodvfy, dice))
        orientations = ORIENTATIONS

    return Make


@pytest.fixture
def edit_file(tmp_path: Path) -> Callable[[Path, Callable[[Dataset], object]], Path]:
    """Change a structure set with plain pydicom and save it as another system would."""

    def edit(path: Path, change: Callable[[Dataset], object]) -> Path:
        dataset = dcmread(path)
        change(dataset)
        changed = tmp_path / f"changed-{path.name}"
        dcmwrite(changed, dataset)
        return changed

    return edit
