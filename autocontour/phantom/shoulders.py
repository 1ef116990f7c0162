"""The lower end of a head-and-neck scan: shoulders, upper ribs, the lungs' apices and the vessels between them."""

from __future__ import annotations

import numpy as np

from autocontour.phantom.combine import Offset
from autocontour.phantom.plane import Shape
from autocontour.phantom.sketch import FAT_HU, MUSCLE_HU, SIDES, Sketch, mirrored


def paint_shoulder_muscles(sketch: Sketch) -> None:
    """Paint the muscles around the shoulder, separated by fat, and the fat of axilla and neck's root."""
    for side, _ in SIDES:
        for center, radii, tilt in (
            ((176, 30, -240), (44, 50, 62), (0, 0, 0)), ((86, -58, -262), (62, 16, 44), (0, 0, -22)),
            ((80, 62, -190), (74, 15, 34), (0, 0, 14)), ((118, 58, -262), (34, 26, 60), (0, 0, 24)),
            ((62, 82, -270), (46, 10, 70), (0, 0, 10)), ((44, 44, -172), (26, 22, 34), (0, 0, 0)),
        ):  # fmt: skip
            sketch.muscle(
                sketch.ellipsoid(mirrored(center, side), radii, (tilt[0], tilt[1], tilt[2] * side)), MUSCLE_HU
            )
        for center, radii in (
            ((116, 2, -246), (17, 26, 34)),
            ((62, -14, -178), (26, 20, 16)),
            ((28, -40, -212), (20, 7, 16)),
        ):
            sketch.paint(sketch.wavy(sketch.ellipsoid(mirrored(center, side), radii), 2.5, 24), FAT_HU)


def draw_apices(sketch: Sketch, blood_hu: float) -> dict[str, Shape]:
    """Paint the lungs' apices, which the scan truncates, and the vessels between them."""
    sketch.paint(sketch.wavy(sketch.ellipsoid((0, -2, -290), (30, 46, 66)), 2.0, 30), FAT_HU)
    arch = [(-14, -26, -310), (-10, -26, -266), (2, -14, -250), (17, 16, -252), (20, 34, -276), (18, 38, -420)]
    for path, radius in ((arch, 12.0), ([(-24, -18, -222), (-26, -16, -320)], 8.0)):
        vessel = sketch.tube(path, sketch.vary(radius, 0.06))
        sketch.paint(Offset(vessel, 1.2), MUSCLE_HU - 5)
        sketch.paint(vessel, blood_hu)
    truth: dict[str, Shape] = {}
    for side, letter in SIDES:
        lung = sketch.ellipsoid(mirrored((58, 26, -275), side), (42, 54, 78))
        sketch.paint(Offset(lung, 1.5), 30)
        truth[f"Lung_{letter}"] = sketch.paint(lung, -850)
    return truth


def draw_shoulders(sketch: Sketch) -> list[Shape]:
    """Paint clavicles, scapulae, arms, ribs and sternum, and return the bones."""
    bones: list[Shape] = []
    for side, _ in SIDES:
        clavicle = [(14, -45, -210), (42, -45, -207), (78, -32, -202), (112, -6, -198), (144, 14, -196)]
        spine = [(95, 76, -258), (128, 64, -222), (154, 40, -208)]
        shapes: list[Shape] = [
            sketch.tube([mirrored(p, side) for p in clavicle], (8, 6, 5.5, 5.5, 6)),
            sketch.tube([mirrored(p, side) for p in spine], (3.5, 3.5, 7), (45, 20, 4)),
            sketch.ellipsoid(mirrored((166, 28, -226), side), (22, 22, 22)),
            sketch.tube([mirrored(p, side) for p in ((168, 28, -236), (184, 32, -290), (192, 36, -420))], (17, 12, 11)),
        ]
        bones += [sketch.bone(shape, cortical_hu=900, marrow_hu=200) for shape in shapes]
        bones += _ribs(sketch, side)
    sternum = sketch.loft([(-330, 0, -82, 14, 6, 6, 2.5), (-262, 0, -66, 22, 7, 7, 2.5), (-205, 0, -48, 26, 7, 7, 2.5)])
    return [*bones, sketch.bone(sternum, marrow_hu=180)]


def _ribs(sketch: Sketch, side: int) -> list[Shape]:
    """Paint the upper ribs around a lung's apex."""
    ribs: list[Shape] = []
    for level in (-205, -227, -249, -272, -296, -320):
        path = []
        for angle in np.radians(np.arange(20, 165, 18)):
            z = level - 32 * angle / np.pi
            rise = np.sqrt(max(0.08, 1 - ((z + 275) / 84) ** 2)) if z > -275 else 1.0
            path.append(
                (side * (52 * min(1, 2 * angle) + 56 * rise * np.sin(angle)), 26 + 60 * rise * np.cos(angle), z)
            )
        ribs.append(sketch.bone(sketch.tube(path, 4.0, 3.0), shell_mm=1.6, cortical_hu=700, marrow_hu=200))
    return ribs
