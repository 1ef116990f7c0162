"""A thorax patient, nominal millimetres: x to the left, y to the back, z to the head, 0 at the carina; arms raised."""

from __future__ import annotations

import numpy as np

from autocontour.phantom.combine import Difference, Intersection, Offset, Shared, Union
from autocontour.phantom.larynx import draw_larynx
from autocontour.phantom.plane import Shape
from autocontour.phantom.shapes import HalfSpace, Loft
from autocontour.phantom.sketch import (
    AIR_HU,
    FAT_HU,
    MUSCLE_HU,
    SIDES,
    Anatomy,
    Painting,
    Points,
    Sketch,
    Station,
    mirrored,
    tapered,
    union,
)
from autocontour.phantom.spine import Curve, draw_spine

LUNG_HU = -840
SPINE = Curve(
    canal_zy=(
        (-330, 44), (-260, 50), (-200, 60), (-140, 68), (-80, 72), (-20, 71), (40, 62), (80, 48),
        (110, 36), (150, 24), (200, 14), (260, 10),
    ),
    levels=(188, 170, 152, 134, 115, 95, 74, 52, 30, 8, -15, -38, -62, -87, -113, -140, -168, -198, -229,
            -261, -294),
)  # fmt: skip  # C3 to L3
RIB_LEVELS = SPINE.levels[5:17]


def draw_thorax(seed: int, *, contrast: bool = False) -> Anatomy:
    """Draw the patient of `seed`."""
    sketch = Sketch((seed, 2), bend_from=120)
    blood = 190.0 if contrast else 42.0
    surface = Shared(_surface(sketch))
    ribs_inside = _cavity(sketch)
    cavity = Shared(ribs_inside)
    sketch.paint(surface, FAT_HU)
    _chest_wall(sketch, surface, cavity)
    sketch.paint(cavity, FAT_HU)
    domes, liver = _abdomen(sketch, cavity, contrast=contrast)
    truth: dict[str, Shape] = {"External": surface, "Liver": liver}
    truth |= _lungs(sketch, cavity, domes)
    truth |= _heart(sketch, blood)
    vessels = _great_vessels(sketch, blood)
    spine = draw_spine(sketch, SPINE, canal_mm=(10.5, 8.0), cord_mm=(5.2, 4.0))
    bones = [*spine.bones, *_rib_cage(sketch, ribs_inside), *_shoulder_girdle(sketch)]
    airway, bronchi, hyoid = _airway(sketch)
    truth |= airway
    spine.paint_canal(sketch)
    solid = Shared(union(*bones, hyoid), margin_mm=5.0)
    outside = (Shared(union(solid, *vessels, *bronchi, airway["Esophagus"]), margin_mm=5.0),)
    truth |= {name: Difference(truth[name], outside) for name in ("Lung_L", "Lung_R")}
    truth |= {"SpinalCanal": spine.canal, "SpinalCord": spine.cord, "Bone": solid}
    return Anatomy(Painting(tuple(sketch.parts)), truth, surface)


def _surface(sketch: Sketch) -> Union:
    """Draw the skin: trunk, neck and raised arms."""
    wide, deep = sketch.vary(1.0, 0.04), sketch.vary(1.0, 0.05)
    trunk = sketch.loft([
        (z, 0, y, half * wide, front * deep, back * deep, exponent)
        for z, y, half, front, back, exponent in (
            (-1500, 0, 158, 108, 104, 2.5), (-400, 0, 158, 108, 104, 2.5),
            (-250, 0, 158, 110, 106, 2.5), (-140, 0, 162, 112, 108, 2.5),
            (-50, 0, 168, 113, 110, 2.5),
            (30, 2, 174, 108, 111, 2.5), (80, 6, 180, 92, 106, 2.5), (112, 10, 184, 76, 96, 2.3),
            (136, 12, 160, 66, 84, 2.1),
            (158, 8, 96, 60, 70, 2.0), (178, 4, 66, 58, 66, 2.0), (210, 0, 60, 58, 66, 2.0), (330, 0, 62, 64, 70, 2.0),
        )
    ])  # fmt: skip
    arms = [
        sketch.tube(
            [mirrored(p, side) for p in ((150, 18, 70), (178, 10, 130), (188, -8, 200), (180, -30, 380))],
            (48, 52, 44, 38),
            margin_mm=40,
        )
        for side, _ in SIDES
    ]
    return union(trunk, *arms, blend_mm=24)


def _cavity(sketch: Sketch) -> Loft:
    """Draw the inside of the rib cage."""
    wide, deep = sketch.vary(1.0, 0.04), sketch.vary(1.0, 0.04)
    return sketch.loft([
        (z, 0, y, half * wide, front * deep, back * deep, exponent)
        for z, y, half, front, back, exponent in (
            (-260, 0, 128, 84, 82, 2.3), (-150, 0, 134, 88, 84, 2.3), (-80, 0, 134, 88, 85, 2.3),
            (-20, 0, 129, 84, 85, 2.3),
            (30, 2, 114, 74, 82, 2.3), (65, 6, 94, 58, 72, 2.2), (92, 10, 70, 42, 56, 2.1),
            (110, 14, 50, 26, 38, 2.0), (122, 16, 26, 10, 18, 2.0),
        )
    ])  # fmt: skip


def _chest_wall(sketch: Sketch, surface: Shape, cavity: Shape) -> None:
    """Muscles between ribs and skin, with fat between them."""
    above = HalfSpace(sketch.place((0, 0, 62))[0], np.array([0.0, 0.35, -0.94]))
    sketch.paint(Intersection((sketch.wavy(Offset(surface, -sketch.vary(11, 0.2)), 2.5, 40), above)), MUSCLE_HU)
    sketch.paint(sketch.wavy(Offset(cavity, 15), 2.0, 45), MUSCLE_HU)
    neck = [
        (z, 0, SPINE.y(z) - 14, half, 34, 38, 2.0)
        for z, half in ((90.0, 92.0), (125.0, 84.0), (150.0, 56.0), (200.0, 48.0), (300.0, 48.0))
    ]
    sketch.paint(sketch.wavy(sketch.loft(neck), 3.0, 40), MUSCLE_HU)
    for side, _ in SIDES:
        muscles: list[list[Station]] = [
            [(z, 24 * side, SPINE.y(z) + 27, 24, 19, 18, 2.3) for z in (-330.0, -200.0, -60.0, 40.0, 110.0)],
            [(z, 98 * side, 62, 34, 22, 20, 2.0) for z in (-60.0, -20.0, 40.0, 90.0)],
            [
                (z, 62 * side, y, 52, 11, 8, 2.0)
                for z, y in ((-30.0, -92.0), (10.0, -88.0), (45.0, -78.0), (80.0, -62.0))
            ],
            [(z, 140 * side, 40, 11, 34, 32, 2.0) for z in (-110.0, -60.0, 0.0, 50.0)],
        ]
        for stations in muscles:
            sketch.muscle(sketch.loft(tapered(stations)), MUSCLE_HU)
        arm = sketch.tube(
            [mirrored(p, side) for p in ((140, 30, 75), (172, 14, 125), (186, -8, 200), (180, -30, 380))],
            (30, 40, 32, 28),
        )
        sketch.muscle(arm, MUSCLE_HU)
        for center, radii, tilt in (
            ((78, 70, 104), (66, 17, 36), 16), ((150, 22, 96), (40, 44, 44), 0), ((116, 66, 66), (26, 26, 46), 24),
        ):  # fmt: skip
            sketch.muscle(sketch.ellipsoid(mirrored(center, side), radii, (0, 0, tilt * side)), MUSCLE_HU)
        for center, radii in (((114, 6, 48), (19, 28, 36)), ((66, -18, 118), (24, 18, 14))):
            sketch.paint(sketch.wavy(sketch.ellipsoid(mirrored(center, side), radii), 2.5, 24), FAT_HU)


def _abdomen(sketch: Sketch, cavity: Shape, *, contrast: bool) -> tuple[list[Shape], Shape]:
    """Paint the diaphragm's domes and the abdomen below them."""
    inside = Offset(cavity, -3.0)
    breath = float(sketch.rng.normal(0, 6))
    right = sketch.ellipsoid((-60, -4, -206 + breath), (82, 92, sketch.vary(90, 0.04)))
    left = sketch.ellipsoid((62, -4, -212 + breath), (78, 92, sketch.vary(88, 0.04)))
    middle = sketch.ellipsoid((6, -22, -212 + breath), (74, 62, 82))
    domes: list[Shape] = [right, left, middle]
    diaphragm = Shared(union(*domes, blend_mm=12), margin_mm=10.0)
    sketch.paint(Intersection((diaphragm, cavity)), MUSCLE_HU)
    sketch.paint(Intersection((Offset(diaphragm, -3.0), inside)), FAT_HU)
    lobe = sketch.ellipsoid((22, -38, -186 + breath), (62, 36, 42))
    bulk = sketch.ellipsoid((-62, -2, -210 + breath), (76, 84, 88))
    extra = 50 if contrast else 0
    spleen = sketch.ellipsoid((98, 38, -190 + breath), (24, 38, 48), (15, 0, 20))
    stomach = Shared(sketch.wavy(sketch.ellipsoid((68, -22, -196 + breath), (42, 40, 50)), 2.0, 40))
    kidneys = [sketch.ellipsoid(mirrored((58, 48, -262), side), (27, 26, 52)) for side, _ in SIDES]
    taken = (Offset(_column(sketch), 3.0), Offset(stomach, 2.0), *(Offset(kidney, 2.0) for kidney in kidneys))
    within = Intersection((sketch.wavy(union(bulk, lobe, blend_mm=20), 1.5, 55), Offset(diaphragm, -1.5), inside))
    liver = Shared(Difference(within, taken))
    sketch.paint(liver, 58 + extra)
    sketch.paint(Intersection((stomach, inside)), 45)
    sketch.paint(Intersection((Offset(stomach, -4.0), inside)), 20)
    gas = HalfSpace(sketch.place((0, -34, -196 + breath))[0], np.array([0.0, 1.0, 0.0]))
    sketch.paint(Intersection((Offset(stomach, -4.5), gas)), -960)
    sketch.paint(Intersection((spleen, inside)), 52 + extra)
    for kidney in kidneys:
        sketch.paint(kidney, 36 + 2 * extra)
    return domes, liver


def _column(sketch: Sketch) -> Loft:
    """Draw the spine with the muscles at its sides, a region without lung or liver."""
    return sketch.loft([(z, 0, SPINE.y(z) - 8, 25, 30, 48, 2.4) for z in SPINE.zs])


def _lungs(sketch: Sketch, cavity: Shape, domes: list[Shape]) -> dict[str, Shape]:
    """Both lungs: the cavity without mediastinum, heart, spine and diaphragm."""
    middle = sketch.loft([
        (-260, 8, 0, 46, 92, 60, 2.4), (-110, 10, -4, 42, 86, 50, 2.2), (-60, 10, -6, 40, 76, 52, 2.2),
        (-10, 4, -4, 40, 62, 56, 2.0),
        (30, 2, 0, 36, 60, 54, 2.0), (60, 0, 4, 34, 50, 52, 2.0), (95, 0, 8, 36, 44, 50, 2.0),
        (140, 0, 10, 34, 40, 50, 2.0),
    ])  # fmt: skip
    column = _column(sketch)
    sketch.paint(Offset(column, 2.0), MUSCLE_HU - 10)
    organs = (Offset(_pericardium(sketch), 2.0), *(Offset(dome, 1.5) for dome in domes))
    taken = Shared(Union((middle, column, *organs), margin_mm=10.0))
    truth: dict[str, Shape] = {}
    for side, letter in SIDES:
        half = HalfSpace(sketch.place((0, 0, 0))[0], np.array([-float(side), 0.0, 0.0]))
        lung = Shared(sketch.wavy(Difference(Intersection((Offset(cavity, -1.0), half)), (taken,)), 0.8, 35))
        truth[f"Lung_{letter}"] = sketch.paint(lung, sketch.vary(LUNG_HU, 0.02))
        _lung_vessels(sketch, side, lung)
    return truth


def _lung_vessels(sketch: Sketch, side: int, lung: Shape) -> None:
    """Vessels that branch from the hilum, thinner at each step."""
    twigs: list[Shape] = []
    tips = [(np.array([38.0 * side, 14.0, -14.0]), sketch.rng.normal((1.2 * side, 0, 0), 1), 4.2) for _ in range(13)]
    for _ in range(4):
        grown = []
        for start, heading, radius in tips:
            step = heading / np.linalg.norm(heading) * sketch.vary(24, 0.2)
            stop = start + step * (1.0, 0.85, 1.25)
            twigs.append(sketch.tube([tuple(start), tuple(stop)], (radius, radius * 0.75)))
            grown += [
                (stop, heading / np.linalg.norm(heading) + sketch.rng.normal(0, 0.55, 3), radius * 0.68)
                for _ in range(2)
            ]
        tips = grown
    sketch.paint(Intersection((lung, union(*twigs))), 25)


def _pericardium(sketch: Sketch) -> Shape:
    return union(
        sketch.ellipsoid((27, -30, -88), (43, 58, 42), (24, 18, -38)),
        sketch.ellipsoid((-16, -26, -70), (34, 34, 46)),
        blend_mm=16,
    )


def _heart(sketch: Sketch, blood_hu: float) -> dict[str, Shape]:
    heart = sketch.wavy(_pericardium(sketch), 1.5, 45)
    sketch.paint(Offset(heart, 1.8), -60)
    sketch.paint(heart, 48)
    for center, radii, tilt in (
        ((37, -36, -94), (19, 34, 22), (24, 18, -38)), ((2, -46, -84), (20, 22, 30), (0, 0, -30)),
        ((12, 0, -58), (27, 17, 20), (0, 0, 0)), ((-28, -26, -70), (17, 22, 30), (0, 0, 0)),
    ):  # fmt: skip
        sketch.paint(sketch.wavy(sketch.ellipsoid(center, radii, tilt), 1.0, 25), blood_hu)
    return {"Heart": heart}


def _great_vessels(sketch: Sketch, blood_hu: float) -> list[Shape]:
    aorta: Points = [
        (-4, -30, -42),
        (-20, -28, -12),
        (-16, -22, 22),
        (0, -6, 42),
        (18, 20, 38),
        (24, 36, 10),
        (23, 40, -60),
        (14, 38, -150),
        (4, 26, -330),
    ]
    paths: list[tuple[Points, float]] = [
        (aorta, 13), ([(-28, -14, 66), (-30, -14, 10), (-30, -14, -30)], 9),
        ([(14, -42, -40), (16, -34, -8), (10, -18, 8)], 13),
        ([(10, -18, 8), (-18, -6, -4), (-42, 4, -10)], 9.5), ([(10, -18, 8), (30, 2, 0), (44, 14, -8)], 9.5),
        ([(-28, -14, 62), (-24, -16, 96), (-22, -10, 190)], 6),
        ([(-28, -16, 60), (8, -34, 72), (28, -14, 110), (24, -6, 190)], 6.5),
        ([(-8, -16, 40), (-16, -6, 90), (-22, -6, 190)], 5), ([(6, -4, 44), (20, 4, 90), (24, -2, 190)], 4.5),
        ([(-34, -6, -110), (-30, 10, -170), (-22, 14, -330)], 12),
    ]  # fmt: skip
    vessels: list[Shape] = []
    for path, radius in paths:
        tube = sketch.tube(path, sketch.vary(radius, 0.06))
        vessels.append(sketch.paint(Offset(tube, 1.2), MUSCLE_HU - 5))
        sketch.paint(tube, blood_hu)
    for _ in range(8):
        node = sketch.rng.normal((0, -8, 10), (16, 12, 26))
        sketch.paint(sketch.ellipsoid((node[0], node[1], node[2]), (3.5, 3, 4)), 40)
    return vessels


def _rib_cage(sketch: Sketch, cavity: Loft) -> list[Shape]:
    bones: list[Shape] = []
    for number, level in enumerate(RIB_LEVELS, 1):
        for side, _ in SIDES:
            path = _rib_path(sketch, cavity, level, number, side)
            bony = path[: 5 + min(9, 4 + number)] if number < 11 else path[: 19 - number]
            rib = sketch.tube([tuple(p) for p in bony], sketch.vary(3.6), sketch.vary(3.0))
            if number < 8:
                sketch.paint(sketch.tube([tuple(p) for p in path[len(bony) - 1 :]], 4.0, 3.0), 105)
            bones.append(sketch.bone(rib, shell_mm=1.7, cortical_hu=720, marrow_hu=200))
    sternum = sketch.loft(
        [
            (-108, 0, -96, 8, 4, 5, 2.4),
            (-80, 0, -97, 16, 5, 6, 2.4),
            (20, 0, -88, 16, 5, 6, 2.4),
            (34, 0, -83, 19, 6, 6, 2.4),
            (66, 0, -68, 27, 6, 7, 2.4),
        ]
    )
    bones.append(sketch.bone(sternum, shell_mm=1.6, cortical_hu=560, marrow_hu=150))
    return bones


def _rib_path(sketch: Sketch, cavity: Loft, level: float, number: int, side: int) -> list[np.ndarray]:
    """From the vertebra round the cavity to the sternum, sinking forwards (nominal mm)."""
    drop = 30 + 6.5 * min(number, 9)
    path = [
        np.array([13.0 * side, SPINE.y(level) - 4, level + 4]),
        np.array([24.0 * side, SPINE.y(level) + 6, level + 4]),
    ]
    for angle in np.radians(np.linspace(26, 168, 16)):
        z = level - drop * (angle / np.pi) ** 1.3
        point = cavity.boundary(z * sketch.scale[2], angle) / sketch.scale
        outwards = np.array([np.sin(angle), np.cos(angle), 0.0])
        path.append((point + 5.5 * outwards) * (side, 1, 1))
    return path


def _shoulder_girdle(sketch: Sketch) -> list[Shape]:
    bones: list[Shape] = []
    for side, _ in SIDES:
        clavicle = [(15, -60, 74), (58, -52, 92), (104, -20, 112), (148, 12, 122)]
        blade = [(64, 84, 20), (98, 80, 25), (132, 52, 40)]
        spine = [(72, 92, 66), (110, 86, 84), (146, 44, 112)]
        shapes = [
            sketch.tube([mirrored(p, side) for p in clavicle], (8.5, 6, 6, 7)),
            sketch.tube([mirrored(p, side) for p in blade], (2.6, 2.6, 7), (66, 60, 38)),
            sketch.tube([mirrored(p, side) for p in spine], (3.2, 4, 6), (4, 5, 5)),
            sketch.tube([mirrored(p, side) for p in ((164, 20, 112), (166, 18, 122))], 22),
            sketch.tube([mirrored(p, side) for p in ((170, 14, 130), (186, -8, 200), (180, -30, 380))], (16, 11.5, 11)),
        ]
        bones += [sketch.bone(shape, shell_mm=2.0, cortical_hu=880, marrow_hu=190) for shape in shapes]
    return bones


def _airway(sketch: Sketch) -> tuple[dict[str, Shape], list[Shape], Shape]:
    """Paint larynx, trachea, bronchi and esophagus; return the structures, the main bronchi and the hyoid."""
    size = sketch.vary(8.8, 0.08)
    larynx, glottis, hyoid = draw_larynx(sketch, 112, -13)
    axis = [(-6, 10), (0, 9.5), (30, 6), (65, 0), (100, -10), (112, -13)]
    trachea = sketch.loft([(z, 0, y, size * (1.35 if z < 5 else 1.0), size, size * 0.75, 2.1) for z, y in axis])
    right = sketch.tube([(-6, 10, 0), (-18, 13, -16), (-32, 17, -30)], (7.5, 7, 6.2))
    lower = sketch.tube([(-32, 17, -30), (-44, 24, -62)], (5, 3.5))
    upper = sketch.tube([(-20, 13, -16), (-46, 14, -8)], (5, 3.8))
    left = sketch.tube([(6, 10, 0), (26, 14, -22), (44, 20, -36)], (6.6, 6.2, 5.4))
    left_lower = sketch.tube([(44, 20, -36), (54, 28, -64)], (4.6, 3.2))
    gullet = [
        (-330, 30, -10), (-176, 28, -8), (-160, 20, 6), (-140, 14, 16), (-100, 8, 26), (-60, 5, 26), (-20, 5, 26),
        (20, 5, 24),
        (60, 5, 17), (100, 4, 4), (112, 4, 1),
    ]  # fmt: skip
    esophagus = sketch.wavy(sketch.loft([(z, x, y, 9, 5.2, 5.2, 2.1) for z, x, y in gullet if z >= -176]), 0.6, 22)
    for tube in (trachea, right, left, lower, upper, left_lower):
        sketch.paint(Offset(tube, 1.5), 60)
    sketch.paint(Offset(esophagus, 1.5), FAT_HU)
    sketch.paint(esophagus, 42)
    sketch.paint(sketch.loft([(20, 5, 23, 3.5, 1.8, 1.8), (70, 5, 15, 3, 1.6, 1.6)]), -650)
    pharynx = sketch.loft([(150, 0, -10, 13, 7, 5, 2.2), (170, 0, -8, 12, 6, 5, 2.2), (260, 0, -12, 12, 6, 6, 2.2)])
    sketch.paint(Offset(pharynx, 3.0), 48)
    for tube in (glottis, pharynx, trachea, right, left, lower, upper, left_lower):
        sketch.paint(tube, AIR_HU)
    return (
        {"Larynx": larynx, "Trachea": trachea, "Esophagus": esophagus},
        [Offset(right, 1.5), Offset(left, 1.5)],
        hyoid,
    )
