"""The 3D scene in VTK: a surface per structure, and the masks it is meshed from.

Surfaces are meshed on pixels joined up to 3 mm; VTK is used on the window's thread alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QImage

from autocontour.gui.views.renderers import is_hardware, opengl_name
from autocontour.gui.views.volume import MOST_RAYS, Tissue, build_volume, placed, show_tissue
from autocontour.gui.views.vtk_arrays import to_numpy, to_vtk
from autocontour.gui.views.windowing import PRESETS, Window
from autocontour.patient.geometry import Box, VolumeGeometry
from autocontour.patient.structures import Contours, Structure
from autocontour.patient.volume import CTVolume

CLOSER, ROOM, NEAREST_MM = 1.25, 1.5, 120.0
BODY_OPACITY, OTHERS_OPACITY = 0.15, 0.5
LARGEST_STEP_MM, FEWEST_PIXELS = 3.0, 24
Voxel = tuple[int, int, int]
NOWHERE: tuple[Voxel, Voxel] = ((0, 0, 0), (0, 0, 0))
MOST_VOXELS = 250_000
"""Inside a structure; more would hold the window up while they are meshed."""


class SurfaceScene:
    """VTK's side: one surface per structure, in patient mm, meshed again only when its contours change."""

    def __init__(self) -> None:
        import vtkmodules.vtkRenderingOpenGL2  # noqa: F401  (registers the OpenGL classes)
        from vtkmodules.vtkRenderingCore import vtkRenderer, vtkRenderWindow

        self._renderer = vtkRenderer()
        self._renderer.SetBackground(8 / 255, 10 / 255, 13 / 255)
        self._window = vtkRenderWindow()
        self._window.SetOffScreenRendering(1)
        self._window.SetMultiSamples(0)
        self._renderer.UseFXAAOn()
        self._window.AddRenderer(self._renderer)
        self._actors: dict[int, tuple[Contours, Any]] = {}
        self._placed = False
        self._volume: Any = None
        self._cut: Any = None
        """The plane in patient mm behind which everything is left out."""
        self._slice = SliceInSpace(self._renderer)
        self._face_front()

    def add(self, structure: Structure, mask: NDArray[np.uint8], grid: VolumeGeometry) -> None:
        """Mesh a structure and put it in place of its surface before."""
        known = self._actors.get(structure.number)
        if known is not None:
            self._renderer.RemoveActor(known[1])
        self._actors[structure.number] = (structure.contours, build_actor(mask, grid))
        self._renderer.AddActor(self._actors[structure.number][1])
        self._cut_one(self._actors[structure.number][1])

    def show_volume(self, hu: NDArray[np.int16], grid: VolumeGeometry) -> None:
        """Take a volume of which bone and skin are shown, in place of the one before."""
        self.forget_volume()
        self._volume = build_volume(hu, grid, on_gpu=self.is_on_gpu)
        self._renderer.AddVolume(self._volume)
        self._cut_one(self._volume)
        if not self._placed:
            self._look_from_front()

    def show_tissue(self, tissue: Tissue) -> None:
        """Show bone, or bone and skin, of the volume."""
        if self._volume is not None:
            show_tissue(self._volume, tissue)

    def forget_volume(self) -> None:
        """Take the volume away."""
        if self._volume is not None:
            self._renderer.RemoveVolume(self._volume)
        self._volume = None

    @property
    def has_volume(self) -> bool:
        """Whether there is a volume."""
        return self._volume is not None

    @property
    def is_on_gpu(self) -> bool:
        """Whether OpenGL runs on a graphics processor."""
        return is_hardware(opengl_name(self.report()))

    def cut(self, ct: CTVolume | None, z: int, window: Window, body: tuple[Voxel, Voxel]) -> None:
        """Leave out what lies on the head's side of slice `z` and show the slice there; None shows everything.

        Of the slice that is shown which lies between the voxels of `body`.
        """
        from vtkmodules.vtkCommonDataModel import vtkPlane

        self._cut = None
        if ct is not None:
            g = ct.geometry
            self._cut = vtkPlane()
            self._cut.SetOrigin(*g.slice_origins_lps_mm[z])
            self._cut.SetNormal(*(-g.step_to_head * g.direction[:, 2]))
        self._slice.show(ct, z, window, body)
        for prop in (*(actor for _, actor in self._actors.values()), self._volume):
            if prop is not None:
                self._cut_one(prop)

    def _cut_one(self, prop: Any) -> None:  # noqa: ANN401  (VTK has no types)
        prop.GetMapper().RemoveAllClippingPlanes()
        if self._cut is not None:
            prop.GetMapper().AddClippingPlane(self._cut)

    def show(self, structures: list[Structure], selected: int | None) -> list[Structure]:
        """Show the surfaces of `structures` and no other; return those whose surface is missing or out of date."""
        for number in set(self._actors) - {structure.number for structure in structures}:
            self._renderer.RemoveActor(self._actors.pop(number)[1])
        waiting = []
        for structure in structures:
            known = self._actors.get(structure.number)
            if known is None or known[0] is not structure.contours:
                waiting.append(structure)
            if known is None:
                continue
            look = known[1].GetProperty()
            look.SetColor(*(c / 255 for c in structure.color_rgb))
            is_body = structure.interpreted_type == "EXTERNAL"
            # Their far sides left out, transparent surfaces need no sorting, which costs seconds without a GPU.
            look.SetBackfaceCulling(is_body or structure.number != selected)
            look.SetOpacity(BODY_OPACITY if is_body else 1.0 if structure.number == selected else OTHERS_OPACITY)
        if not self._placed and self._actors:
            self._look_from_front()
        return waiting

    def turn(self, azimuth_deg: float, elevation_deg: float) -> None:
        """Turn the camera about the patient."""
        camera = self._renderer.GetActiveCamera()
        camera.Azimuth(azimuth_deg)
        camera.Elevation(elevation_deg)
        camera.OrthogonalizeViewUp()

    def zoom(self, factor: float) -> None:
        """Come closer by `factor`."""
        self._renderer.GetActiveCamera().Dolly(factor)

    def fit(self) -> None:
        """Move the camera so that every surface is in sight."""
        if self._actors or self._volume is not None:
            self._renderer.ResetCamera()
            self._renderer.GetActiveCamera().Dolly(CLOSER)

    def focus(self, number: int) -> bool:
        """Move the camera to one surface; return whether it is there."""
        if number in self._actors:
            low_high = self._actors[number][1].GetBounds()
            middle = [(a + b) / 2 for a, b in zip(low_high[::2], low_high[1::2], strict=True)]
            half = [max(ROOM * (b - a) / 2, NEAREST_MM / 2) for a, b in zip(low_high[::2], low_high[1::2], strict=True)]
            wide = [edge for m, h in zip(middle, half, strict=True) for edge in (m - h, m + h)]
            self._renderer.ResetCamera(wide)
            self._renderer.GetActiveCamera().Dolly(CLOSER)
        return number in self._actors

    def screen_axes(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Return the patient directions that point right and up on the screen."""
        camera = self._renderer.GetActiveCamera()
        up, towards = np.array(camera.GetViewUp()), np.array(camera.GetDirectionOfProjection())
        return tuple(np.cross(towards, up)), tuple(up)

    def picture(self, width: int, height: int) -> QImage:
        """Render and return the picture."""
        from vtkmodules.vtkCommonCore import vtkUnsignedCharArray

        self._window.SetSize(width, height)
        if self._volume is not None and not self._volume.GetMapper().IsA("vtkGPUVolumeRayCastMapper"):
            self._volume.GetMapper().SetImageSampleDistance(max(1.0, (width * height / MOST_RAYS) ** 0.5))
        self._renderer.ResetCameraClippingRange()
        self._window.Render()
        pixels = vtkUnsignedCharArray()
        self._window.GetRGBACharPixelData(0, 0, width - 1, height - 1, 1, pixels, 0)
        rgba = np.ascontiguousarray(to_numpy(pixels).reshape(height, width, 4)[::-1])
        return QImage(rgba.data, width, height, 4 * width, QImage.Format.Format_RGBX8888).copy()

    def report(self) -> str:
        """Return what VTK reports of its window."""
        return str(self._window.ReportCapabilities())

    def clear(self) -> None:
        """Forget every surface (another CT)."""
        for _, actor in self._actors.values():
            self._renderer.RemoveActor(actor)
        self._actors.clear()
        self.forget_volume()
        self._cut = None
        self._slice.show(None, 0, PRESETS["Soft tissue"])
        self._placed = False

    def finalize(self) -> None:
        """Give back the window."""
        self.clear()
        self._window.Finalize()

    def _look_from_front(self) -> None:
        self._face_front()
        self._placed = True
        self.fit()

    def _face_front(self) -> None:
        camera = self._renderer.GetActiveCamera()
        camera.SetFocalPoint(0, 0, 0)
        camera.SetPosition(0, -1, 0)
        camera.SetViewUp(0, 0, 1)


class SliceInSpace:
    """One axial slice of the CT where it lies in the patient, without what lies beside the patient."""

    def __init__(self, renderer: Any) -> None:  # noqa: ANN401  (VTK has no types)
        from vtkmodules.vtkCommonDataModel import vtkImageData
        from vtkmodules.vtkRenderingCore import vtkImageSlice, vtkImageSliceMapper

        self._image, mapper, self._prop = vtkImageData(), vtkImageSliceMapper(), vtkImageSlice()
        mapper.SetInputData(self._image)
        mapper.BorderOn()
        self._prop.SetMapper(mapper)
        self._prop.VisibilityOff()
        renderer.AddViewProp(self._prop)

    def show(self, ct: CTVolume | None, z: int, window: Window, body: tuple[Voxel, Voxel] = NOWHERE) -> None:
        """Show slice `z` between two voxels; None shows none."""
        self._prop.SetVisibility(ct is not None)
        if ct is None:
            return
        g = ct.geometry
        step_v, step_u = g.pixel_spacing_vu_mm
        (_, y0, x0), (_, y1, x1) = body
        self._image.SetDimensions(x1 - x0 + 1, y1 - y0 + 1, 1)
        self._image.SetSpacing(step_u, step_v, 1)
        self._image.GetPointData().SetScalars(to_vtk(ct.hu[z, y0 : y1 + 1, x0 : x1 + 1].ravel()))
        self._image.Modified()
        self._image.SetOrigin(x0 * step_u, y0 * step_v, 0)
        self._prop.SetUserMatrix(placed(g, z))
        self._prop.GetProperty().SetColorWindow(max(window.width_hu, 1.0))
        self._prop.GetProperty().SetColorLevel(window.level_hu)


def build_actor(mask: NDArray[np.uint8], grid: VolumeGeometry) -> Any:  # noqa: ANN401  (VTK has no types)
    """Return a structure's surface in patient mm: its mask, meshed by surface nets, each slice at its true position."""
    import vtkmodules.vtkRenderingOpenGL2  # noqa: F401  (registers the mappers)
    from vtkmodules.vtkCommonDataModel import vtkImageData
    from vtkmodules.vtkFiltersCore import vtkPolyDataNormals, vtkSurfaceNets3D
    from vtkmodules.vtkRenderingCore import vtkActor, vtkPolyDataMapper

    image = vtkImageData()
    image.SetDimensions(*mask.shape[::-1])
    spacing = grid.spacing_zyx_mm
    image.SetSpacing(spacing[2], spacing[1], spacing[0])
    image.GetPointData().SetScalars(to_vtk(mask.ravel()))
    nets = vtkSurfaceNets3D()
    nets.SetInputData(image)
    nets.SetValue(0, 1)
    nets.SetNumberOfIterations(12)
    nets.SetConstraintScale(2.0)
    nets.Update()
    surface = nets.GetOutput()
    surface.GetPoints().SetData(to_vtk(_in_patient(to_numpy(surface.GetPoints().GetData()), grid)))
    normals = vtkPolyDataNormals()
    normals.SetInputData(surface)
    normals.SplittingOff()
    mapper = vtkPolyDataMapper()
    mapper.SetInputConnection(normals.GetOutputPort())
    mapper.ScalarVisibilityOff()
    mapper.Update()
    actor = vtkActor()
    actor.SetMapper(mapper)
    actor.GetProperty().SetSpecular(0.25)
    actor.GetProperty().SetSpecularPower(20)
    return actor


def _in_patient(points_mm: NDArray[np.float32], grid: VolumeGeometry) -> NDArray[np.float32]:
    """Return points of an evenly spaced image, (points, 3) along u, v, w, in patient mm on the grid's own slices."""
    place = points_mm[:, 2] / grid.spacing_zyx_mm[0]
    numbers = np.arange(len(grid.slice_origins_lps_mm))
    origins = np.stack([np.interp(place, numbers, axis) for axis in grid.slice_origins_lps_mm.T], axis=1)
    return (origins + points_mm[:, :2] @ grid.direction[:, :2].T).astype(np.float32)


def coarse_mask(contours: Contours, geometry: VolumeGeometry) -> tuple[NDArray[np.uint8], VolumeGeometry]:
    """Return the structure's mask on pixels of up to 3 mm with a rim of nothing, which closes the surface.

    A large structure gets larger voxels, so that it is meshed in less than a tenth of a second.
    """
    from autocontour.contouring import box_of, mask_from_contours

    contours, grid = _coarser(contours, geometry)
    box = (box_of(contours, grid) or Box((0, 0, 0), (1, 1, 1))).padded((0, 1, 1), grid.shape_zyx)
    mask = np.pad(mask_from_contours(contours, grid, box).astype(np.uint8), 1)
    return mask, _with_rim(grid.cropped(box))


def _with_rim(grid: VolumeGeometry) -> VolumeGeometry:
    """Return the grid with another voxel on every side; the slices before the first and after the last as far away."""
    step_w, step_v, step_u = grid.spacing_zyx_mm
    origins = grid.slice_origins_lps_mm
    steps = np.diff(origins, axis=0) if len(origins) > 1 else [grid.direction[:, 2] * step_w]
    origins = np.vstack((origins[0] - steps[0], origins, origins[-1] + steps[-1]))
    origins = origins - grid.direction[:, :2] @ np.array([step_u, step_v])
    return VolumeGeometry(grid.rows + 2, grid.columns + 2, (step_v, step_u), grid.direction, origins)


def _coarser(contours: Contours, geometry: VolumeGeometry) -> tuple[Contours, VolumeGeometry]:
    """Return a grid with voxels as large as the structure allows, and its contours on the slices of that grid."""
    every, largest_mm = 1, LARGEST_STEP_MM
    step_w, step_v, step_u = geometry.spacing_zyx_mm
    area_mm2 = max(shape.area for shape in contours.values())
    while len(contours) / every * area_mm2 / max(largest_mm, step_v, step_u) ** 2 > MOST_VOXELS:
        every, largest_mm = (every + 1, largest_mm) if every * step_w < largest_mm else (every, largest_mm + 1.5)
    origins = geometry.slice_origins_lps_mm[::every]
    chosen = {z // every: shape for z, shape in contours.items() if z % every == 0} or {
        min(z // every, len(origins) - 1): shape for z, shape in contours.items()
    }
    thinner = VolumeGeometry(geometry.rows, geometry.columns, geometry.pixel_spacing_vu_mm, geometry.direction, origins)
    return chosen, _joined(chosen, thinner, largest_mm)


def _joined(contours: Contours, geometry: VolumeGeometry, largest_mm: float) -> VolumeGeometry:
    """Return a grid of the same slices with pixels of up to `largest_mm`, as large as the structure allows."""
    across_mm = max(max(p.bounds[2] - p.bounds[0], p.bounds[3] - p.bounds[1]) for p in contours.values())
    step_v, step_u = geometry.pixel_spacing_vu_mm
    join = max(1, int(min(largest_mm, across_mm / FEWEST_PIXELS) / max(step_v, step_u)))
    # The first of the joined pixels' centre moves by half of what they gained.
    shift = geometry.direction[:, :2] @ np.array([step_u, step_v]) * (join - 1) / 2
    rows, columns = -(-geometry.rows // join), -(-geometry.columns // join)
    origins = geometry.slice_origins_lps_mm + shift
    return VolumeGeometry(rows, columns, (step_v * join, step_u * join), geometry.direction, origins)
