"""Bone and skin in 3D, from the CT's values alone: no contour is needed, and none is shown.

The volume is sampled on an even grid, each slice at its true place: uneven and shifted slices keep their shape.
"""

from __future__ import annotations

import math
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autocontour.gui.look.language import later
from autocontour.gui.views.vtk_arrays import to_vtk
from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.volume import CTVolume

AIR_HU = -1000
MOST_VOXELS, MOST_ON_GPU = 600_000, 12_000_000
MOST_RAYS = 60_000
"""Without a graphics processor; more would hold the window up."""
SKIN = ((-1000, 0.0), (-500, 0.0), (-350, 0.10), (-150, 0.10), (-50, 0.0))
BONE = ((0, 0.0), (120, 0.0), (260, 0.7), (3000, 0.9))
"""Opacity by HU."""
COLORS = ((-1000, (0.85, 0.66, 0.55)), (50, (0.85, 0.66, 0.55)), (250, (0.93, 0.88, 0.78)), (3000, (1.0, 0.98, 0.93)))


class Tissue(Enum):
    """What is shown of the CT in 3D."""

    NONE = later("off")
    BONE = later("bone")
    BONE_AND_SKIN = later("bone and skin")

    @property
    def following(self) -> Tissue:
        """The next of them."""
        every = list(Tissue)
        return every[(every.index(self) + 1) % len(every)]


def even_volume(ct: CTVolume, most_voxels: int) -> tuple[NDArray[np.int16], VolumeGeometry]:
    """Return the CT on an even grid of at most about `most_voxels`, each the mean of a block of pixels.

    Places outside every slice are air; between slices the nearest one counts.
    """
    g = ct.geometry
    step_w, step_v, step_u = g.spacing_zyx_mm
    w, origins = g.slice_positions_mm, g.plane_origins_uv_mm
    whole_mm3 = (float(w[-1] - w[0]) + step_w) * g.rows * step_v * g.columns * step_u
    step = (whole_mm3 / most_voxels) ** (1 / 3)
    join_v, join_u = max(1, math.ceil(step / step_v)), max(1, math.ceil(step / step_u))
    low = origins.min(axis=0)
    shifts = np.rint((origins - low) / (step_u, step_v)).astype(int)  # pixels along u, v
    ws = np.arange(w[0], w[-1] + 1e-6, max(step, step_w))
    rows, columns = -(-(g.rows + shifts[:, 1].max()) // join_v), -(-(g.columns + shifts[:, 0].max()) // join_u)
    hu = np.empty((len(ws), rows, columns), np.int16)
    for k, position in enumerate(ws):
        z = int(np.abs(w - position).argmin())
        canvas = np.full((rows * join_v, columns * join_u), AIR_HU, np.int16)
        canvas[shifts[z, 1] : shifts[z, 1] + g.rows, shifts[z, 0] : shifts[z, 0] + g.columns] = ct.hu[z]
        hu[k] = canvas.reshape(rows, join_v, columns, join_u).mean(axis=(1, 3))  # or noise would be bone
    first = low + np.array([(join_u - 1) * step_u / 2, (join_v - 1) * step_v / 2])
    origin = g.slice_origins_lps_mm[0] + g.direction[:, :2] @ (first - origins[0])
    steps = (float(ws[1] - ws[0]) if len(ws) > 1 else step_w, join_v * step_v, join_u * step_u)
    return hu, VolumeGeometry.regular((len(ws), rows, columns), steps, tuple(origin), g.direction)


def build_volume(hu: NDArray[np.int16], grid: VolumeGeometry, *, on_gpu: bool) -> Any:  # noqa: ANN401  (VTK has no types)
    """Return the volume in patient mm, drawn by the graphics processor or without one."""
    import vtkmodules.vtkRenderingVolumeOpenGL2  # noqa: F401  (registers the mappers)
    from vtkmodules.vtkCommonDataModel import vtkImageData
    from vtkmodules.vtkRenderingCore import vtkVolume
    from vtkmodules.vtkRenderingVolume import vtkFixedPointVolumeRayCastMapper, vtkGPUVolumeRayCastMapper

    image = vtkImageData()
    image.SetDimensions(*hu.shape[::-1])
    step_w, step_v, step_u = grid.spacing_zyx_mm
    image.SetSpacing(step_u, step_v, step_w)
    image.GetPointData().SetScalars(to_vtk(hu.ravel()))
    mapper = vtkGPUVolumeRayCastMapper() if on_gpu else vtkFixedPointVolumeRayCastMapper()
    mapper.SetInputData(image)
    if not on_gpu:
        mapper.AutoAdjustSampleDistancesOff()
        mapper.LockSampleDistanceToInputSpacingOff()
        mapper.SetSampleDistance(step_u)
    volume = vtkVolume()
    volume.SetMapper(mapper)
    volume.SetUserMatrix(placed(grid))  # not every mapper supports an image's own direction
    look = volume.GetProperty()
    look.ShadeOn()
    look.SetInterpolationTypeToLinear()
    return volume


def placed(grid: VolumeGeometry, z: int = 0) -> Any:  # noqa: ANN401  (VTK has no types)
    """Return the matrix to patient mm from mm along the axes of the grid, from the first voxel of slice `z`."""
    from vtkmodules.vtkCommonMath import vtkMatrix4x4

    matrix = vtkMatrix4x4()
    for row in range(3):
        for column in range(3):
            matrix.SetElement(row, column, float(grid.direction[row, column]))
        matrix.SetElement(row, 3, float(grid.slice_origins_lps_mm[z][row]))
    return matrix


def show_tissue(volume: Any, tissue: Tissue) -> None:  # noqa: ANN401  (VTK has no types)
    """Show this of a volume."""
    from vtkmodules.vtkCommonDataModel import vtkPiecewiseFunction
    from vtkmodules.vtkRenderingCore import vtkColorTransferFunction

    opacity, color = vtkPiecewiseFunction(), vtkColorTransferFunction()
    for hu, value in (*(SKIN if tissue is Tissue.BONE_AND_SKIN else ()), *BONE):
        opacity.AddPoint(hu, value)
    for hu, rgb in COLORS:
        color.AddRGBPoint(hu, *rgb)
    volume.SetVisibility(tissue is not Tissue.NONE)
    volume.GetProperty().SetScalarOpacity(opacity)
    volume.GetProperty().SetColor(color)
