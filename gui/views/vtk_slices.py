"""Slices drawn by VTK: windowing, scaling, fillings and lines on the graphics processor.

VTK draws off the screen and the picture is painted by the view, as in the 3D view: nothing of OpenGL lies in the
layout, so that a view can move to another window or screen. The camera sees the plane from the side on which the first
row that is read back is the top row of the screen: no picture has to be turned over.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF
from PySide6.QtGui import QImage, QPainter

from autocontour.gui.views.content import Content, Floats, Frame, ShownShape
from autocontour.gui.views.triangles import line_triangles
from autocontour.gui.views.vtk_arrays import to_numpy, to_polygons, to_vtk

Point2 = tuple[float, float]
SAMPLES = 4
"""Per pixel, for smooth lines."""
FILL_MM, LINE_MM, EYE_MM = 1.0, 2.0, 100.0
"""Distance from the image towards the eye."""


class VtkSlices:
    """Renderer of one view with VTK."""

    name = "vtk"

    def __init__(self) -> None:
        import vtkmodules.vtkRenderingOpenGL2  # noqa: F401  (registers the mappers)
        from vtkmodules.vtkCommonDataModel import vtkImageData
        from vtkmodules.vtkRenderingCore import vtkImageSlice, vtkImageSliceMapper, vtkRenderer, vtkRenderWindow

        self._renderer, self._window = vtkRenderer(), vtkRenderWindow()
        self._window.SetOffScreenRendering(1)
        self._window.SetMultiSamples(SAMPLES)
        self._window.AddRenderer(self._renderer)
        self._renderer.SetBackground(0, 0, 0)
        self._image, mapper, self._slice = vtkImageData(), vtkImageSliceMapper(), vtkImageSlice()
        mapper.SetInputData(self._image)
        mapper.BorderOn()  # the outer pixels are as large as the others
        self._slice.SetMapper(mapper)
        self._slice.GetProperty().SetInterpolationTypeToLinear()
        self._renderer.AddViewProp(self._slice)
        self._hu: NDArray[np.int16] | None = None
        self._fills, self._lines = Triangles(is_translucent=True), Triangles(is_translucent=False)
        for triangles in (self._fills, self._lines):
            self._renderer.AddActor(triangles.actor)
        camera = self._renderer.GetActiveCamera()
        camera.ParallelProjectionOn()

    def draw(self, painter: QPainter, content: Content, frame: Frame) -> None:
        """Draw image, fillings and lines."""
        self._show_image(content)
        origin = (content.extent.left, content.extent.top)
        self._fills.show([s for s in content.shapes if s.opacity > 0], _filling, origin)
        self._lines.show(content.shapes, partial(_lines, frame.scale), origin, frame.scale)
        towards = frame.signs[0] * frame.signs[1]
        self._fills.actor.SetPosition(0, 0, FILL_MM * towards)
        self._lines.actor.SetPosition(0, 0, LINE_MM * towards)
        self._look(frame, origin)
        painter.drawImage(QRectF(0, 0, frame.width_px, frame.height_px), self._picture(frame))

    def close(self) -> None:
        """Give back the window and what lies on the graphics processor."""
        self._window.Finalize()

    def _show_image(self, content: Content) -> None:
        look, e = self._slice.GetProperty(), content.extent
        look.SetColorWindow(max(content.window.width_hu, 1.0))
        look.SetColorLevel(content.window.level_hu)
        # VTK takes an image of one column for one of one row; two equal columns show the same.
        hu = np.repeat(content.hu, 2, axis=1) if content.hu.shape[1] == 1 else content.hu
        rows, columns = hu.shape
        step_h, step_d = e.width / columns, e.height / rows
        self._image.SetSpacing(step_h, step_d, 1)
        self._image.SetOrigin(step_h / 2, step_d / 2, 0)
        if self._hu is None or not np.array_equal(self._hu, hu):
            self._hu = hu
            self._image.SetDimensions(columns, rows, 1)
            self._image.GetPointData().SetScalars(to_vtk(hu.ravel()))
        self._image.Modified()

    def _look(self, frame: Frame, origin: Point2) -> None:
        camera, (sign_h, sign_d) = self._renderer.GetActiveCamera(), frame.signs
        h, d = frame.centre_mm[0] - origin[0], frame.centre_mm[1] - origin[1]
        camera.SetFocalPoint(h, d, 0)
        camera.SetPosition(h, d, EYE_MM * sign_h * sign_d)
        camera.SetViewUp(0, sign_d, 0)
        camera.SetParallelScale(frame.height_px / 2 / frame.scale)
        camera.SetClippingRange(EYE_MM / 2, 2 * EYE_MM)

    def _picture(self, frame: Frame) -> QImage:
        from vtkmodules.vtkCommonCore import vtkUnsignedCharArray

        width, height = (max(round(n * frame.ratio), 1) for n in (frame.width_px, frame.height_px))
        self._window.SetSize(width, height)
        self._window.Render()
        pixels = vtkUnsignedCharArray()
        self._window.GetRGBACharPixelData(0, 0, width - 1, height - 1, 0, pixels, 0)
        image = QImage(to_numpy(pixels).data, width, height, 4 * width, QImage.Format.Format_RGBX8888)
        return image.copy()


def _filling(shown: ShownShape) -> tuple[Floats, int]:
    return shown.shape.triangles, int(255 * shown.opacity)


def _lines(scale: float, shown: ShownShape) -> tuple[Floats, int]:
    return line_triangles(shown.shape.segments, shown.width_px / scale), 255


class Triangles:
    """Triangles of many shapes in one set, each in the colour of its shape."""

    def __init__(self, *, is_translucent: bool) -> None:
        from vtkmodules.vtkCommonDataModel import vtkPolyData
        from vtkmodules.vtkRenderingCore import vtkActor, vtkPolyDataMapper

        self._key: object = None
        self._data, mapper, self.actor = vtkPolyData(), vtkPolyDataMapper(), vtkActor()
        mapper.SetInputData(self._data)
        mapper.SetScalarModeToUseCellData()
        mapper.SetColorModeToDirectScalars()
        self.actor.SetMapper(mapper)
        self.actor.GetProperty().LightingOff()
        self.actor.ForceTranslucentOn() if is_translucent else self.actor.ForceOpaqueOn()

    def show(
        self, shown: Sequence[ShownShape], part: Callable[[ShownShape], tuple[Floats, int]], origin: Point2, *key: float
    ) -> None:
        """Show of every shape the triangles and alpha that `part` returns; anew where shapes, origin or key differ."""
        self.actor.SetVisibility(bool(shown))
        now = (origin, key, [(s.shape, s.color_rgb, s.width_px, s.opacity) for s in shown])
        if shown and now != self._key:
            self._put([(s.color_rgb, *part(s)) for s in shown], origin)
            self._key = now

    def _put(self, parts: Sequence[tuple[tuple[int, int, int], Floats, int]], origin: Point2) -> None:
        from vtkmodules.vtkCommonCore import vtkPoints

        flat = np.concatenate([triangles for _, triangles, _ in parts])
        points, at = vtkPoints(), np.zeros((3 * len(flat), 3), np.float32)
        at[:, :2] = flat.reshape(-1, 2) - origin  # before the loss of digits
        points.SetData(to_vtk(at))
        colors = np.array([(*color_rgb, alpha) for color_rgb, _, alpha in parts], np.uint8)
        of_each = np.repeat(colors, [len(triangles) for _, triangles, _ in parts], axis=0)
        self._data.Initialize()
        self._data.SetPoints(points)
        self._data.SetPolys(to_polygons(np.arange(len(at)), 3))
        self._data.GetCellData().SetScalars(to_vtk(of_each))
        self._data.Modified()
