"""Reading dose distributions (RTDOSE, PS3.3 C.8.8.3)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from scipy.ndimage import map_coordinates

from autocontour.base.errors import StructureSetError
from autocontour.dicom.read import guarded, read_dataset
from autocontour.patient.geometry import Box, Floats, VolumeGeometry

DAMAGED, UNSUPPORTED = "AC-QA-080", "AC-QA-081"
AXIS_TOLERANCE = 1e-3


@dataclass(frozen=True, eq=False)
class DoseGrid:
    """The dose of a plan.

    Attributes
    ----------
    dose_gy
        (z, y, x) in Gy.
    origin_lps_mm
        Centre of the first voxel.
    spacing_vu_mm
        Between rows and between columns.
    offsets_mm
        (z,) distance of each plane from the first one, ascending, along the normal.
    direction
        3×3, columns: along a row, along a column, normal.
    frame_of_reference_uid
        Of the CT that it belongs to.
    """

    dose_gy: NDArray[np.float32]
    origin_lps_mm: Floats
    spacing_vu_mm: tuple[float, float]
    offsets_mm: Floats
    direction: Floats
    frame_of_reference_uid: str

    def sample(self, geometry: VolumeGeometry, box: Box) -> Floats:
        """Return the dose at the voxel centres of a box, interpolated linearly; nan outside the grid."""
        (z0, y0, x0), (z1, y1, x1) = box.start_zyx, box.stop_zyx
        v_mm, u_mm = geometry.pixel_spacing_vu_mm
        along = np.arange(x0, x1)[:, None] * u_mm * geometry.direction[:, 0]
        down = np.arange(y0, y1)[:, None] * v_mm * geometry.direction[:, 1]
        slices = geometry.slice_origins_lps_mm[z0:z1]
        points = slices[:, None, None] + down[None, :, None] + along[None, None] - self.origin_lps_mm
        u, v, w = np.moveaxis(points @ self.direction, -1, 0)
        planes = np.interp(w, self.offsets_mm, np.arange(len(self.offsets_mm)), left=np.nan, right=np.nan)
        at = np.stack([planes, v / self.spacing_vu_mm[0], u / self.spacing_vu_mm[1]])
        inside = np.isfinite(planes)
        at[:, ~inside] = -1
        values: Floats = map_coordinates(self.dose_gy.astype(np.float64), at, order=1, mode="constant", cval=np.nan)
        for axis, size in enumerate(self.dose_gy.shape):
            inside &= (at[axis] >= 0) & (at[axis] <= size - 1)
        values[~inside] = np.nan
        return values


def read_dose(path: Path) -> DoseGrid:
    """Read the physical or effective dose of a plan.

    Raises
    ------
    StructureSetError
        ``AC-QA-080`` if the file is damaged, ``AC-QA-081`` if it is not the dose of a whole plan in Gy on parallel
        planes.
    """
    dataset = read_dataset(path, error=StructureSetError, code=DAMAGED)
    with guarded(StructureSetError, DAMAGED, path.name):
        _check_kind(dataset)
        pixels = dataset.pixel_array
        frames = pixels[None] if pixels.ndim == 2 else pixels
        offsets = _offsets(dataset, len(frames))
        order = np.argsort(offsets)
        across, down = np.array(dataset.ImageOrientationPatient, dtype=np.float64).reshape(2, 3)
        dose_gy = (frames[order] * np.float64(dataset.DoseGridScaling)).astype(np.float32)
        direction = np.stack([across, down, np.cross(across, down)], axis=1)
        v_mm, u_mm = (float(step) for step in dataset.PixelSpacing)
        # The first plane along the normal is the origin.
        origin = np.array(dataset.ImagePositionPatient, dtype=np.float64) + offsets[order[0]] * direction[:, 2]
        return DoseGrid(
            dose_gy, origin, (v_mm, u_mm), offsets[order] - offsets[order[0]], direction,
            str(dataset.FrameOfReferenceUID),
        )  # fmt: skip


def _check_kind(dataset: Dataset) -> None:
    """Raise ``AC-QA-081`` for anything but the dose of a plan in Gy."""
    orientation = np.array(dataset.ImageOrientationPatient, dtype=np.float64).reshape(2, 3)
    skewed = np.abs(orientation @ orientation.T - np.eye(2)).max() > AXIS_TOLERANCE
    found = {
        "dose units": (dataset.get("DoseUnits"), ("GY",)),
        "dose type": (dataset.get("DoseType"), ("PHYSICAL", "EFFECTIVE")),
        "summation": (dataset.get("DoseSummationType"), ("PLAN", "MULTI_PLAN")),
        "modality": (dataset.get("Modality"), ("RTDOSE",)),
    }
    wrong = [f"{name} {value}" for name, (value, allowed) in found.items() if value not in allowed]
    if skewed or wrong or float(dataset.DoseGridScaling) <= 0:
        raise StructureSetError(UNSUPPORTED, reason=", ".join(wrong) or "orientation or scaling")


def _offsets(dataset: Dataset, planes: int) -> Floats:
    """Return the planes' distances from Image Position (Patient) along the normal.

    Grid Frame Offset Vector (3004,000C) is relative if its first value is 0, else it holds positions along z, for
    transverse planes only (PS3.3 C.8.8.3.2).
    """
    given = dataset.get("GridFrameOffsetVector")
    offsets = np.array(given if given is not None else [0.0], dtype=np.float64).ravel()
    if len(offsets) != planes or len(np.unique(offsets)) != planes:
        raise StructureSetError(UNSUPPORTED, reason="Grid Frame Offset Vector")
    if offsets[0] == 0:
        return offsets
    orientation = np.array(dataset.ImageOrientationPatient, dtype=np.float64)
    across, down = orientation.reshape(2, 3)
    normal_z = float(np.cross(across, down)[2])
    if abs(abs(normal_z) - 1) > AXIS_TOLERANCE:
        raise StructureSetError(UNSUPPORTED, reason="Grid Frame Offset Vector")
    distances: Floats = (offsets - float(dataset.ImagePositionPatient[2])) * normal_z
    if abs(distances[0]) > AXIS_TOLERANCE:
        raise StructureSetError(UNSUPPORTED, reason="Grid Frame Offset Vector")
    return distances
