"""The spine, common to all sites: vertebrae, discs, canal and cord along a curve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator

from autocontour.phantom.combine import Difference, Union
from autocontour.phantom.plane import Shape
from autocontour.phantom.shapes import Loft
from autocontour.phantom.sketch import Sketch, union

CSF_HU, CORD_HU, DISC_HU, EPIDURAL_HU = 8, 38, 85, -20


@dataclass(frozen=True)
class Curve:
    """Course of the spine, from its lowest to its highest point (nominal mm).

    Attributes
    ----------
    canal_zy
        (z, y) of the canal's centre, z ascending.
    levels
        z of each vertebra's middle, from the head down.
    """

    canal_zy: Sequence[tuple[float, float]]
    levels: Sequence[float]

    def y(self, z: float) -> float:
        """Y of the canal's centre at `z`."""
        zs, ys = zip(*self.canal_zy, strict=True)
        return float(PchipInterpolator(zs, ys)(z))

    @property
    def zs(self) -> list[float]:
        """Heights of the stations of lofts along the spine."""
        low, high = self.canal_zy[0][0], self.canal_zy[-1][0]
        return [float(z) for z in np.linspace(low, high, round((high - low) / 12) + 1)]


@dataclass(frozen=True)
class Spine:
    """The spine's structures, painted with `paint_canal` after everything that might cover them."""

    bones: tuple[Shape, ...]
    canal: Loft
    cord: Loft

    def paint_canal(self, sketch: Sketch) -> None:
        """Paint fat, fluid and cord inside the canal."""
        sketch.paint(self.canal, EPIDURAL_HU)
        sketch.paint(Loft(self.canal.stations - [0, 0, 0, 1.5, 1.2, 1.2, 0]), CSF_HU)
        sketch.paint(self.cord, CORD_HU)


def draw_spine(sketch: Sketch, curve: Curve, *, canal_mm: tuple[float, float], cord_mm: tuple[float, float]) -> Spine:
    """Paint vertebrae and discs, and return the bones with the canal open.

    Parameters
    ----------
    sketch
        Receives the shapes.
    curve
        Course of the spine.
    canal_mm, cord_mm
        Half width and half depth.
    """
    canal_size, cord_size = (sketch.vary(1.0, 0.06) * np.array(size) for size in (canal_mm, cord_mm))
    canal = sketch.loft([(z, 0, curve.y(z), canal_size[0], canal_size[1], canal_size[1], 2.1) for z in curve.zs])
    cord = sketch.loft([(z, 0, curve.y(z), cord_size[0], cord_size[1], cord_size[1], 2.0) for z in curve.zs])
    bodies = [_body(sketch, curve, z, below) for z, below in zip(curve.levels, (*curve.levels[1:], None), strict=True)]
    bones = [
        Difference(union(body, _arch(sketch, curve, z)), (canal,)) for z, body in zip(curve.levels, bodies, strict=True)
    ]
    return Spine(tuple(sketch.bone(bone, shell_mm=1.8, cortical_hu=680, marrow_hu=230) for bone in bones), canal, cord)


def _body_size(z: float, curve: Curve) -> tuple[float, float]:
    """Half width and half depth of a vertebral body; they grow downwards."""
    down = (curve.levels[0] - z) / 330
    return 11.5 + 8 * min(down, 1.2), 8.5 + 6.5 * min(down, 1.2)


def _body(sketch: Sketch, curve: Curve, z: float, below: float | None) -> Loft:
    half, depth = _body_size(z, curve)
    y = curve.y(z) - 6.5 - depth
    pitch = (z - below) if below is not None else 22.0
    height = 0.38 * pitch
    if below is not None:
        middle = (z + below) / 2
        flat = (half, depth, depth, 2.4)
        sketch.paint(sketch.loft([(middle - 0.2 * pitch, 0, y, *flat), (middle + 0.2 * pitch, 0, y, *flat)]), DISC_HU)
    waist, rim = (half * 0.9, depth * 0.92, depth), (half, depth, depth)
    return sketch.loft([(z - height, 0, y, *rim, 2.4), (z, 0, y, *waist, 2.4), (z + height, 0, y, *rim, 2.4)])


def _arch(sketch: Sketch, curve: Curve, z: float) -> Union:
    """Pedicles, laminae, transverse and spinous processes."""
    y, (half, _) = curve.y(z), _body_size(z, curve)
    wide, tip = half + 10, y + 21 + 0.25 * half
    pieces: list[Shape] = [sketch.tube([(0, y + 11, z - 3), (0, tip, z - 11)], (3.5, 3.0), (4.0, 4.0))]
    for side in (-1, 1):
        pedicle = [(side * half * 0.75, y - 8, z + 2), (side * (half * 0.75 + 3), y + 1, z)]
        lamina = [(side * (half * 0.75 + 3), y + 1, z), (side * 8, y + 9, z - 2), (0, y + 11, z - 3)]
        process = [(side * (half * 0.75 + 3), y + 1, z), (side * wide, y + 5, z + 1)]
        pieces += [sketch.tube(pedicle, 3.5, 2.0), sketch.tube(lamina, 2.8, 4.0), sketch.tube(process, (3.5, 3.0), 1.5)]
    return union(*pieces)
