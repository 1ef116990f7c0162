"""A head-and-neck patient in nominal mm: x to the left, y to the back, z to the head, 0 between the ear canals."""

from __future__ import annotations

import numpy as np

from autocontour.phantom.combine import Difference, Intersection, Offset, Shared, Union
from autocontour.phantom.larynx import draw_larynx
from autocontour.phantom.plane import Shape
from autocontour.phantom.shapes import HalfSpace
from autocontour.phantom.shoulders import draw_apices, draw_shoulders, paint_shoulder_muscles
from autocontour.phantom.sketch import (
    AIR_HU,
    FAT_HU,
    MUSCLE_HU,
    SIDES,
    Anatomy,
    Painting,
    Sketch,
    mirrored,
    tapered,
    union,
)
from autocontour.phantom.spine import Curve, Spine, draw_spine

SPINE = Curve(
    canal_zy=(
        (-420, 66), (-320, 62), (-270, 57), (-240, 52), (-215, 45), (-190, 36), (-170, 28), (-150, 20), (-130, 14),
        (-110, 11), (-90, 10), (-70, 11), (-45, 13), (-22, 15),
    ),
    levels=(-58, -76, -93, -110, -127, -145, -164, -184, -205, -227, -249, -272, -296, -320),
)  # fmt: skip  # C2 to T8; C1 and the dens are drawn separately


def draw_head_neck(seed: int, *, contrast: bool = False) -> Anatomy:
    """Draw the patient of `seed`."""
    sketch = Sketch((seed, 1), bend_from=-150)
    cavity = Shared(_cavity(sketch))
    skin = _surface(sketch, cavity)
    surface = Shared(skin)
    truth: dict[str, Shape] = {"External": surface}
    _soft_tissue(sketch, surface, contrast=contrast)
    truth |= _glands(sketch, Offset(skin, -3.0))
    orbits: list[Shape] = [_orbit(sketch, side) for side, _ in SIDES]
    skull = _skull(sketch, cavity, orbits)
    spine = draw_spine(sketch, SPINE, canal_mm=(11.5, 7.8), cord_mm=(6.3, 4.2))
    axis = _atlas_and_dens(sketch, spine)
    jaw = _mandible(sketch)
    teeth = _teeth(sketch)
    lungs = draw_apices(sketch, _blood_hu(contrast=contrast))
    chest = draw_shoulders(sketch)
    truth |= _brain(sketch, cavity, contrast=contrast)
    truth |= _eyes(sketch)
    sinuses = _sinuses(sketch)
    truth["Brain"] = Difference(truth["Brain"], tuple(Offset(sinus, 1.0) for sinus in sinuses))
    hollows: list[Shape] = [cavity, spine.canal, *orbits, *sinuses]
    airway, hyoid = _airway(sketch)
    truth |= airway
    spine.paint_canal(sketch)
    solid = union(*skull, *spine.bones, *axis, jaw, hyoid, *teeth, *chest)
    hard = {"Parotid": union(*skull[1:], jaw), "Glnd": union(jaw), "Lung": union(*chest)}
    truth |= lungs
    truth |= {n: Difference(s, (hard[n.split("_")[0]],)) for n, s in truth.items() if n.split("_")[0] in hard}
    truth |= {"SpinalCanal": spine.canal, "SpinalCord": spine.cord, "Bone_Mandible": jaw}
    truth["Bone"] = Difference(solid, tuple(hollows))
    return Anatomy(Painting(tuple(sketch.parts)), truth, surface, _fillings(sketch, teeth))


def _cavity(sketch: Sketch) -> Union:
    """Draw the space inside the skull."""
    pieces: list[Shape] = [
        sketch.ellipsoid((0, 2, 62), (sketch.vary(66, 0.03), sketch.vary(84, 0.03), 57)),
        sketch.ellipsoid((0, 14, 2), (26, 26, 30)),
        sketch.ellipsoid((0, 42, 14), (50, 42, 38)),
    ]
    for side, _ in SIDES:
        pieces.append(sketch.ellipsoid(mirrored((38, -18, 20), side), (25, 34, 21)))
        pieces.append(sketch.ellipsoid(mirrored((21, 42, 0), side), (30, 30, 22)))
    return union(*pieces, blend_mm=18)


def _surface(sketch: Sketch, cavity: Shape) -> Union:
    """Draw the skin: scalp, face, nose, ears, neck and shoulders."""
    fat = sketch.vary(1.0, 0.06)
    face = sketch.loft([
        (48, 0, -30, 66, 62, 60, 2.2), (20, 0, -28, 70, 66, 60, 2.2), (0, 0, -24, 75, 71, 60, 2.2),
        (-25, 0, -20, 75, 79, 58, 2.1), (-50, 0, -18, 71, 83, 52, 2.1), (-72, 0, -22, 62, 83, 46, 2.0),
        (-90, 0, -24, 50, 75, 42, 2.0), (-102, 0, -24, 30, 52, 36, 2.0),
    ])  # fmt: skip
    neck = sketch.loft([
        (4, 0, 24, 77, 60, 64, 2.0), (-20, 0, 24, 74, 60, 64, 2.0), (-40, 0, 22, 68, 60, 62, 2.0),
        (-60, 0, 20, 62 * fat, 62, 60 * fat, 2.1),
        (-85, 0, 14, 60 * fat, 68, 62 * fat, 2.1),
        (-115, 0, 12, 61 * fat, 70, 64 * fat, 2.1), (-140, 0, 14, 69 * fat, 66, 68 * fat, 2.0),
        (-158, 0, 18, 96 * fat, 66, 71 * fat, 2.0), (-176, 0, 22, 148, 70, 73 * fat, 2.1),
        (-196, 0, 22, 192, 78, 78 * fat, 2.3),
        (-222, 0, 20, 220, 90, 84 * fat, 2.5), (-262, 0, 18, 232 * fat, 106, 88 * fat, 2.7),
        (-430, 0, 15, 236 * fat, 122, 92 * fat, 2.8), (-1500, 0, 15, 236 * fat, 122, 92 * fat, 2.8),
    ])  # fmt: skip
    nose = sketch.tube([(0, -92, 18), (0, -106, -4), (0, -104, -14)], (7, 10, 12), margin_mm=40)
    ears = [sketch.ellipsoid(mirrored((83, 12, 2), side), (4.5, 15, 28), (0, 0, -22 * side)) for side, _ in SIDES]
    head = union(Offset(cavity, sketch.vary(12.5, 0.06)), face, blend_mm=16)
    return union(union(union(head, nose, blend_mm=10), neck, blend_mm=20), *ears, blend_mm=6)


def _soft_tissue(sketch: Sketch, surface: Shape, *, contrast: bool) -> None:
    """Skin, fat, muscles and vessels, the body's filling."""
    layer = sketch.vary(5.0, 0.25)
    sketch.paint(surface, FAT_HU)
    below_jaw = HalfSpace(sketch.place((0, 10, -140))[0], np.array([0.0, -0.35, 0.94]))
    sketch.paint(Intersection((sketch.wavy(Offset(surface, -2 - 1.6 * layer), 2.5, 38), below_jaw)), MUSCLE_HU)
    paint_shoulder_muscles(sketch)
    sketch.paint(sketch.ellipsoid((0, -38, -62), (44, 44, 38)), MUSCLE_HU - 12)
    for side, _ in SIDES:
        for muscle in _muscles(sketch, side):
            sketch.paint(sketch.wavy(muscle, 1.2, 26), MUSCLE_HU + float(sketch.rng.normal(0, 4)))
        _vessels(sketch, side, _blood_hu(contrast=contrast))


def _muscles(sketch: Sketch, side: int) -> list[Shape]:
    at = side
    behind = [(z, 21 * at, SPINE.y(z) + 25, 17, 17, 20, 2.3) for z in (-28.0, -60.0, -100.0, -140.0, -190.0)]
    splenius = [(z, 36 * at, SPINE.y(z) + 20, 8, 20, 20, 2.0) for z in (-35.0, -70.0, -110.0, -150.0)]
    scalene = [(z, 30 * at, SPINE.y(z) - 3, 11, 12, 11, 2.0) for z in (-60.0, -100.0, -140.0, -185.0)]
    longus = [(z, 8 * at, SPINE.y(z) - 27, 8, 4, 4, 2.0) for z in (-35.0, -70.0, -110.0, -160.0)]
    return [
        *(sketch.loft(tapered(stations)) for stations in (behind, splenius, scalene, longus)),
        sketch.tube(
            [(58 * at, 22, -28), (50 * at, 8, -85), (32 * at, -22, -135), (12 * at, -36, -185)], (8, 9.5, 9, 7), 5.0
        ),
        sketch.ellipsoid((56 * at, -36, -38), (7.5, 17, 26), (0, 0, 10 * at)),
        sketch.ellipsoid((33 * at, -38, -30), (8.5, 15, 19), (0, 0, -25 * at)),
        sketch.ellipsoid((66 * at, -28, 28), (6, 24, 28), (0, -14 * at, 8 * at)),
        sketch.ellipsoid((14 * at, -48, -86), (12, 26, 8)),
        sketch.tube([(9 * at, -44, -94), (9 * at, -46, -150), (10 * at, -46, -190)], 5.0),
    ]  # fmt: skip


def _blood_hu(*, contrast: bool) -> float:
    return 210.0 if contrast else 42.0


def _vessels(sketch: Sketch, side: int, blood_hu: float) -> None:
    carotid = [
        (22 * side, -6, -10),
        (27 * side, -10, -60),
        (26 * side, -17, -100),
        (22 * side, -14, -150),
        (17 * side, -4, -205),
    ]
    jugular = [
        (28 * side, 2, -18),
        (34 * side, -4, -60),
        (34 * side, -14, -110),
        (29 * side, -20, -155),
        (22 * side, -22, -205),
    ]
    sketch.paint(sketch.tube(carotid, sketch.vary(3.1, 0.1)), blood_hu)
    sketch.paint(sketch.tube(jugular, sketch.vary(4.8, 0.2)), blood_hu * 0.85)
    sketch.paint(sketch.ellipsoid((16 * side, -27, -150), (8, 9, sketch.vary(20, 0.15))), 95 + 0.5 * blood_hu)


def _glands(sketch: Sketch, within: Shape) -> dict[str, Shape]:
    """Parotids and submandibular glands, unequal on the two sides."""
    truth: dict[str, Shape] = {}
    for side, letter in SIDES:
        width, depth, height = sketch.vary(11.5, 0.08), sketch.vary(19, 0.07), sketch.vary(28, 0.07)
        outer = sketch.ellipsoid(mirrored((58, -8, -36), side), (width, depth, height), (0, 0, 12 * side))
        deep = sketch.ellipsoid(mirrored((47, 0, -34), side), (13, 8.5, 20), (0, 0, 15 * side))
        parotid = Intersection((sketch.wavy(union(outer, deep, blend_mm=6), 1.3, 30), within))
        truth[f"Parotid_{letter}"] = sketch.paint(parotid, sketch.vary(-5, 1.5))
        lower = Intersection(
            (sketch.wavy(sketch.ellipsoid(mirrored((30, -40, -82), side), (9.5, 15, 13)), 0.8, 22), within)
        )
        truth[f"Glnd_Submand_{letter}"] = sketch.paint(lower, 45)
    return truth


def _skull(sketch: Sketch, cavity: Shape, orbits: list[Shape]) -> list[Shape]:
    """Vault and base as a shell around the cavity; petrous bones, clivus and face."""
    above = HalfSpace(sketch.place((0, 0, -38))[0], np.array([0.0, 0.0, -1.0]))
    vault = Difference(Intersection((Offset(cavity, sketch.vary(6.5, 0.1)), above)), (cavity,))
    sketch.paint(vault, 1000)
    sketch.paint(Difference(Intersection((Offset(cavity, 4.6), above)), (Offset(cavity, 2.0),)), 520)
    pieces: list[Shape] = [vault]
    clivus = sketch.tube([(0, -7, -24), (0, -19, 10)], 7.5)
    sphenoid = sketch.ellipsoid((0, -34, 9), (17, 15, 13))
    palate = sketch.ellipsoid((0, -62, -27), (22, 26, 3.2))
    ridge = sketch.tube(
        [
            (25, -46, -33),
            (24, -64, -33),
            (16, -80, -33),
            (0, -87, -33),
            (-16, -80, -33),
            (-24, -64, -33),
            (-25, -46, -33),
        ],
        5.5,
        4.0,
    )
    nasal = sketch.tube([(0, -92, 20), (0, -99, 6)], 3.5)
    pieces += [sketch.bone(bone, marrow_hu=420) for bone in (clivus, sphenoid, palate, ridge, nasal)]
    for side, _ in SIDES:
        pieces += _half_face(sketch, side, orbits[0 if side > 0 else 1])
    return pieces


def _half_face(sketch: Sketch, side: int, orbit: Shape) -> list[Shape]:
    petrous = sketch.tube([mirrored(p, side) for p in ((57, 9, -6), (40, 2, -1), (20, -8, 3))], (11, 10.5, 6))
    mastoid = sketch.ellipsoid(mirrored((54, 18, -20), side), (10.5, 13, 17))
    maxilla = sketch.ellipsoid(mirrored((27, -62, -18), side), (19, 22, 15.5))
    # The rim lies further back at the temple than at the nose.
    open_front = HalfSpace(sketch.place((31 * side, -73, 0))[0], np.array([0.466 * side, -0.885, 0.0]))
    rim = Difference(Intersection((Offset(orbit, 3.0), open_front)), (orbit,))
    arch = sketch.tube(
        [mirrored(p, side) for p in ((42, -71, -6), (56, -56, -10), (67, -34, -7), (68, -14, -5), (62, -2, -4))],
        (5.5, 6, 3.2, 3.0, 4), 2.0,
    )  # fmt: skip
    lateral = sketch.tube([mirrored(p, side) for p in ((46, -66, 27), (48, -63, 10), (47, -60, -6))], (3.5, 3.5, 4.5))
    styloid = sketch.tube([mirrored(p, side) for p in ((47, 6, -22), (42, -4, -46))], (2.6, 1.6))
    bones: list[Shape] = [petrous, mastoid, maxilla, rim, arch, lateral, styloid]
    dense = sketch.bone(petrous, shell_mm=3, cortical_hu=1300, marrow_hu=900)
    painted = [sketch.bone(bone, shell_mm=1.8, marrow_hu=330) for bone in bones[1:]]
    sketch.paint(orbit, FAT_HU)
    return [dense, *painted]


def _orbit(sketch: Sketch, side: int) -> Shape:
    return sketch.ellipsoid(mirrored((31, -62, 12), side), (18.5, 27, 17.5), (0, 0, 14 * side))


def _atlas_and_dens(sketch: Sketch, spine: Spine) -> list[Shape]:
    y = SPINE.y(-38)
    dens = sketch.tube([(0, y - 14, -54), (0, y - 14, -31)], (5.5, 4.5))
    front = sketch.tube([(-17, y - 14, -39), (0, y - 24, -38), (17, y - 14, -39)], 4.0, 3.0)
    back = sketch.tube(
        [(-20, y - 4, -39), (-15, y + 12, -39), (0, y + 19, -39), (15, y + 12, -39), (20, y - 4, -39)], 3.5, 2.5
    )
    masses = [sketch.tube([(19 * s, y - 10, -38), (36 * s, y - 6, -39)], (8, 4), 4.0) for s, _ in SIDES]
    condyles = [sketch.ellipsoid((17 * s, y - 8, -26), (7, 11, 7)) for s, _ in SIDES]
    solid: list[Shape] = [dens, front, back, *masses, *condyles]
    bones = [Difference(bone, (spine.canal,)) for bone in solid]
    return [sketch.bone(bone, shell_mm=1.6, cortical_hu=750) for bone in bones]


def _mandible(sketch: Sketch) -> Shape:
    wide = sketch.vary(1.0, 0.04)
    chin = sketch.vary(-88, 0.02)
    pieces: list[Shape] = []
    for side, _ in SIDES:
        x = side * wide
        pieces += [
            sketch.tube(
                [(0, chin, -74), (17 * x, chin + 7, -73), (31 * x, -62, -68), (43 * x, -40, -58)],
                (6, 5.5, 5.2, 4.5), (11, 10, 10, 11),
            ),
            sketch.ellipsoid((46 * x, -29, -38), (4.6, 15, 31), (-6, 0, 6 * side)),
            sketch.tube([(47 * x, -22, -22), (49 * x, -14, -8)], (4.5, 6)),
            sketch.tube([(46 * x, -38, -22), (46 * x, -43, -6)], (4.2, 2.2)),
        ]  # fmt: skip
    return sketch.bone(union(*pieces, blend_mm=5), shell_mm=2.6, cortical_hu=1250, marrow_hu=420)


def _teeth(sketch: Sketch) -> list[Shape]:
    """Both rows of teeth, with gaps that depend on the seed."""
    teeth: list[Shape] = []
    for low, high, reach in ((-62, -51, 0.98), (-48, -37, 1.0)):
        for angle in np.radians(np.arange(-84, 85, 12)):
            if sketch.rng.random() < 0.06:
                continue
            x, y = 25 * reach * np.sin(angle), -58 - 28 * reach * np.cos(angle)
            tooth = sketch.tube([(x, y, low), (x, y, high)], 3.2 + 1.4 * abs(angle))
            teeth.append(sketch.paint(tooth, 1900))
            sketch.paint(Offset(tooth, -1.9), 1250)
    return teeth


def _fillings(sketch: Sketch, teeth: list[Shape]) -> np.ndarray:
    chosen = sketch.rng.choice(len(teeth), size=4, replace=False)
    return np.array([teeth[index].box.mean(axis=0) for index in sorted(chosen)])


def _brain(sketch: Sketch, cavity: Shape, *, contrast: bool) -> dict[str, Shape]:
    above = HalfSpace(sketch.place((0, 0, -27))[0], np.array([0.0, 0.0, -1.0]))
    inside = Intersection((cavity, above))
    sketch.paint(inside, 12)
    brain = Offset(inside, -1.5)
    sketch.paint(Intersection((sketch.wavy(Offset(cavity, -3.0), 3.5, 13), brain)), 39)
    sketch.paint(sketch.wavy(Offset(cavity, -9.0), 4.0, 21), 29)
    sketch.paint(
        sketch.tube([(0, -76, 40), (0, -60, 95), (0, 10, 112), (0, 76, 70), (0, 70, 30)], 1.2),
        55 if not contrast else 150,
    )
    for side, _ in SIDES:
        horns = [(7, -42, 50), (9, -10, 58), (16, 28, 52), (27, 44, 36), (30, 10, 22)]
        sketch.paint(sketch.tube([mirrored(p, side) for p in horns], (4, 5, 6, 6, 3)), 8)
        sketch.paint(sketch.ellipsoid(mirrored((11, 2, 46), side), (8, 14, 8)), 40)
    stem = sketch.loft([
        (-26, 0, SPINE.y(-26), 6.6, 5.5, 5.5), (-16, 0, 10, 8.5, 8, 8), (-6, 0, 5, 13, 11, 11), (6, 0, 1, 17.5, 13, 13),
        (18, 0, 0, 16, 12, 12), (28, 0, 0, 16.5, 10, 10), (34, 0, 0, 13, 8, 8),
    ])  # fmt: skip
    brainstem = sketch.wavy(stem, 0.6, 25)
    sketch.paint(Offset(brainstem, 2.2), 10)
    sketch.paint(brainstem, 34)
    sketch.paint(sketch.ellipsoid((0, 20, 6), (6, 4, 9)), 8)
    return {"Brain": brain, "Brainstem": brainstem}


def _eyes(sketch: Sketch) -> dict[str, Shape]:
    truth: dict[str, Shape] = {}
    radius = sketch.vary(12.1, 0.03)
    for side, letter in SIDES:
        eye = sketch.ellipsoid(mirrored((32, -73, 12), side), (radius, radius, radius))
        nerve = [(31, -61, 12), (24, -46, 13), (12, -33, 15)]
        sketch.paint(sketch.tube([mirrored(p, side) for p in nerve], 2.2), 35)
        for x, z in ((43, 12), (21, 12), (31, 23), (31, 2)):
            sketch.paint(sketch.tube([mirrored(p, side) for p in ((x, -66, z), (20, -40, 14))], (2.2, 1.5)), 50)
        truth[f"Eye_{letter}"] = sketch.paint(eye, 38)
        sketch.paint(Offset(eye, -1.4), 10)
        sketch.paint(sketch.ellipsoid(mirrored((32, -82, 12), side), (4.5, 2.2, 4.5)), 75)
    return truth


def _sinuses(sketch: Sketch) -> list[Shape]:
    """Paint the air in the face and in the temporal bone."""
    air: list[Shape] = []
    for side, _ in SIDES:
        spaces: list[tuple[tuple[float, float, float], tuple[float, float, float]]] = [
            ((28, -61, -19), (sketch.vary(15, 0.06), 18, sketch.vary(11.5, 0.06))),
            ((8, -35, 6), (6.5, 10, 7)), ((11, -86, 33), (8, 3.5, 9)), ((7.5, -66, -10), (6, 28, 14)),
            *(((7, y, 11), (4.3, 4.2, 8.5)) for y in (-76, -66, -56, -47)),
            *((tuple(sketch.rng.normal((55, 18, -18), (3.5, 5, 6.5))), (2.3, 2.6, 2.6)) for _ in range(26)),
        ]  # fmt: skip
        air += [sketch.wavy(sketch.ellipsoid(mirrored(center, side), radii), 0.7, 20) for center, radii in spaces]
        air.append(sketch.tube([mirrored(p, side) for p in ((88, 10, -3), (70, 5, -2), (52, 0, 0))], (4, 3.2, 3)))
    for space in air:
        sketch.paint(space, AIR_HU + 40)
    for side, _ in SIDES:
        for z in (-15, -5):
            sketch.paint(sketch.ellipsoid(mirrored((8.5, -62, z), side), (3.2, 20, 3.6)), 45)
    return air


def _airway(sketch: Sketch) -> tuple[dict[str, Shape], Shape]:
    """Paint pharynx, larynx, trachea and the esophagus behind it; return the structures, and the hyoid."""
    pharynx = sketch.loft([
        (-99, 0, -24, 14, 7, 5, 2.2), (-88, 0, -22, 13, 7, 6, 2.2), (-70, 0, -22, 11, 6, 6, 2.2),
        (-52, 0, -24, 10, 5, 5, 2.2),
        (-36, 0, -27, 12, 7, 6, 2.4), (-20, 0, -29, 13, 9, 7, 2.4), (-4, 0, -30, 11, 8, 6, 2.4),
    ])  # fmt: skip
    sketch.paint(Offset(pharynx, 3.0), 48)
    larynx, glottis, hyoid = draw_larynx(sketch, -138, -31)
    axis = [(-138, -31), (-165, -25), (-195, -14), (-225, -4), (-252, 4)]
    size = sketch.vary(8.8, 0.08)
    trachea = sketch.loft([(z, 0, y, size, size, size * 0.8, 2.1) for z, y in axis])
    bronchi: list[Shape] = [
        sketch.tube([(5 * s, 4, -249), (24 * s, 9, -270), (44 * s, 15, -288)], (6.8, 6.3, 5.4)) for s, _ in SIDES
    ]
    gullet, down = sketch.vary(3, 0.5), [*axis, (-290, 10), (-420, 16)]
    esophagus = sketch.wavy(
        sketch.loft([(z, gullet, y + size * 0.8 + 7.5, 8.5, 4.8, 4.8, 2.1) for z, y in down]), 0.5, 20
    )
    walls: list[Shape] = [trachea, *bronchi]
    for wall in walls:
        sketch.paint(Offset(wall, 1.6), 70)
    sketch.paint(esophagus, 42)
    for air in (pharynx, glottis, *walls):
        sketch.paint(air, AIR_HU)
    return {"Larynx": larynx, "Trachea": trachea, "Esophagus": esophagus}, hyoid
