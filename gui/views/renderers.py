"""Which renderer draws the slices: VTK where OpenGL is computed by hardware, else Qt's painter (decision 11).

VTK is used only if it draws a test picture as the painter does: a faulty driver must not change what is seen.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QImage, QPainter
from shapely import MultiPolygon, Point, Polygon, box

from autocontour.gui.look.language import later
from autocontour.gui.views.content import Content, Frame, Renderer, Shape, ShownShape
from autocontour.gui.views.painted import PaintedSlices
from autocontour.gui.views.planes import Extent
from autocontour.gui.views.vtk_slices import VtkSlices
from autocontour.gui.views.windowing import Window

AUTO, QT, VTK = "auto", "qt", "vtk"
TITLES = {AUTO: later("Automatic"), QT: later("Qt (processor)"), VTK: later("VTK (OpenGL)")}
VARIABLE = "AUTOCONTOUR_RENDERER"
"""The environment variable that chooses; the command line goes before it, the setting after it."""
SOFTWARE = ("llvmpipe", "softpipe", "swrast", "software", "swiftshader", "gdi", "basic")
"""Parts of the names of OpenGL renderers that compute on the processor."""
MEAN_GREY, FAR_GREY, FAR_SHARE = 3.0, 48, 0.001
"""Two pictures are the same: difference on average, and the share of pixels that may lie further than `FAR_GREY`
outside the values round the same place in the other picture."""


@dataclass(frozen=True)
class Choice:
    """The renderer of the slices.

    Attributes
    ----------
    asked
        What was asked for: a key of `TITLES`.
    name
        What draws: ``qt`` or ``vtk``.
    opengl
        Name of the OpenGL renderer; empty where it is not known.
    is_faulty
        Whether VTK was to draw and its test picture was wrong.
    """

    asked: str
    name: str
    opengl: str = ""
    is_faulty: bool = False


def asked_for(setting: str, argument: str = "", environment: Mapping[str, str] = os.environ) -> str:
    """Return what is asked for: by the command line, else the environment, else the setting; else ``auto``."""
    wanted = (argument, environment.get(VARIABLE, "").strip().lower(), setting)
    return next((name for name in wanted if name in TITLES), AUTO)


def choose(asked: str, opengl: str) -> Choice:
    """Choose the renderer, knowing the name of the OpenGL renderer (see `opengl_name`)."""
    if asked == QT or (asked == AUTO and not is_hardware(opengl)):
        return Choice(asked, QT, opengl)
    is_sound = draws_as_painted(VtkSlices())
    return Choice(asked, VTK if is_sound else QT, opengl, is_faulty=not is_sound)


def make_renderer(name: str) -> Renderer:
    """Return a renderer for one view."""
    return VtkSlices() if name == VTK else PaintedSlices()


def is_hardware(opengl: str) -> bool:
    """Whether OpenGL of this name runs on a graphics processor."""
    return bool(opengl) and not any(part in opengl.lower() for part in SOFTWARE)


def opengl_name(capabilities: str) -> str:
    """Return the name of the OpenGL renderer from VTK's report of its window; empty where there is none."""
    found = re.search(r"renderer.string:\s*(.+)", capabilities)
    return found[1].strip() if found else ""


def draws_as_painted(renderer: Renderer) -> bool:
    """Whether a renderer draws a test picture as the painter does; it is closed afterwards."""
    content, frame = _test_content(), Frame(160, 120, 1.0, 1.5, (6.0, -4.0), (-1, 1))
    try:
        picture = picture_of(renderer, content, frame)
    finally:
        renderer.close()
    return are_same(picture, picture_of(PaintedSlices(), content, frame))


def picture_of(renderer: Renderer, content: Content, frame: Frame) -> NDArray[np.int16]:
    """Return what a renderer draws as (rows, columns, 3) from 0 to 255."""
    width, height = (round(n * frame.ratio) for n in (frame.width_px, frame.height_px))
    image = QImage(width, height, QImage.Format.Format_RGB32)
    image.setDevicePixelRatio(frame.ratio)
    image.fill(0xFF00FF00)  # what is not drawn shows
    painter = QPainter(image)
    try:
        renderer.draw(painter, content, frame)
    finally:
        painter.end()
    flat = np.frombuffer(image.constBits(), np.uint8)
    return flat.reshape(image.height(), image.width(), 4)[..., 2::-1].astype(np.int16)


def are_same(a: NDArray[np.int16], b: NDArray[np.int16]) -> bool:
    """Whether two pictures show the same but for the smoothing of edges, which moves them by up to a pixel."""
    if np.abs(a - b).mean() > MEAN_GREY:
        return False
    far = (_outside(a, b) > FAR_GREY) | (_outside(b, a) > FAR_GREY)
    return bool(far.mean() <= FAR_SHARE)


def _outside(a: NDArray[np.int16], b: NDArray[np.int16]) -> NDArray[np.int16]:
    """Return how far each pixel of `a` lies outside the values of `b` on the 3 × 3 pixels round it."""
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(b, ((1, 1), (1, 1), (0, 0)), mode="edge"), (3, 3), (0, 1))
    least, most = windows.min(axis=(-2, -1)), windows.max(axis=(-2, -1))
    outside: NDArray[np.int16] = np.maximum(a - most, least - a).max(axis=-1)
    return outside


def _test_content() -> Content:
    """Return an image that is different at every place, a ring with a hole, and a box that runs out of the picture."""
    rows, columns = np.mgrid[:40, :50].astype(np.float32)
    hu = (20 * rows - 6 * columns - 300 + 200 * ((rows // 8 + columns // 8) % 2)).astype(np.int16)
    ring = MultiPolygon([Polygon(Point(5, -6).buffer(22).exterior, [Point(9, -2).buffer(8).exterior])])
    shapes = (
        ShownShape(Shape.of_outline(ring), (255, 60, 20), 1.5, 0.3),
        ShownShape(Shape.of_outline(MultiPolygon([box(20, 0, 70, 30)])), (40, 120, 255), 2.4, 0.5),
    )
    return Content(hu, Extent(-50, -44, 100, 80), Window(900, 0), shapes)
