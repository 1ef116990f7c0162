"""The larynx, common to all sites."""

from __future__ import annotations

from autocontour.phantom.plane import Shape
from autocontour.phantom.shapes import Loft
from autocontour.phantom.sketch import Sketch, mirrored

CARTILAGE_HU = 190


def draw_larynx(sketch: Sketch, cricoid_z: float, y: float) -> tuple[Shape, Loft, Shape]:
    """Paint the larynx with its cartilages and the hyoid.

    Parameters
    ----------
    sketch
        Receives the shapes.
    cricoid_z, y
        Lower edge of the cricoid, where the trachea begins, and the airway's centre there (nominal mm).

    Returns
    -------
    larynx, airway, hyoid
        The structure; the air in it, to be painted after everything around it; the bone above it.
    """
    larynx = sketch.wavy(_loft(sketch, cricoid_z, y, (
        (0, 0, 12, 14, 12, 2.0), (10, 0, 17, 16, 13, 2.0), (24, 0, 19, 19, 13, 1.9), (35, 1, 17, 18, 12, 2.0),
        (45, 1, 13, 12, 9, 2.0),
    )), 0.6, 24)  # fmt: skip
    sketch.paint(larynx, 55)
    for side in (1, -1):
        wing = [(17, y + 11, cricoid_z + 26), (15, y - 1, cricoid_z + 26), (1, y - 16, cricoid_z + 26)]
        sketch.paint(sketch.tube([mirrored(p, side) for p in wing], 1.7, 9), CARTILAGE_HU)
    sketch.paint(_loft(sketch, cricoid_z, y, ((2, 0, 11.5, 11, 11, 2.0), (12, 2, 11.5, 10, 12, 2.0))), CARTILAGE_HU)
    horn = [(17, y + 11, cricoid_z + 46), (13, y - 5, cricoid_z + 47), (0, y - 12, cricoid_z + 47)]
    hyoid = sketch.bone(sketch.tube([*horn, *(mirrored(p, -1) for p in horn[1::-1])], 2.4, 1.5))
    airway = _loft(sketch, cricoid_z, y, (
        (-2, 0, 8.5, 9, 8, 2.0), (10, 0, 7.5, 9, 8, 2.0), (20, -1, 4, 9, 7, 2.0), (25, -1, 2.2, 9, 6, 2.0),
        (32, 0, 7, 8, 6, 2.0), (42, 4, 13, 6, 5, 2.0),
    ))  # fmt: skip
    return larynx, airway, hyoid


def _loft(
    sketch: Sketch, cricoid_z: float, y: float, stations: tuple[tuple[float, float, float, float, float, float], ...]
) -> Loft:
    """Draw a loft whose stations are height above the cricoid, y, half width, front, back, exponent."""
    return sketch.loft([(cricoid_z + z, 0, y + dy, *sizes) for z, dy, *sizes in stations])
