"""Contouring: time of every conversion for 30 organs at 512×512×150, compared with other libraries.

Run with `python benchmarks/contouring.py`. Every line contains the milliseconds and the ratio to its reference,
measured in the same run.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import contourpy
import cv2
import numpy as np
import SimpleITK as sitk
from shapely import MultiPolygon, Point

from autocontour.contouring import (
    contours_from_mask,
    contours_from_probability,
    coverage_from_contours,
    interpolate_contours,
    margin_contours,
    mask_from_contours,
)
from autocontour.patient.geometry import Box, VolumeGeometry
from autocontour.patient.structures import Contours

SHAPE_ZYX = (150, 512, 512)
GEOMETRY = VolumeGeometry.regular(SHAPE_ZYX, (3.0, 0.9765625, 0.9765625), (-250.0, -250.0, -800.0))
REPEATS = 3
MARGIN_MM = 5.0


@dataclass(frozen=True)
class Organ:
    """A mask and its soft version in their box."""

    box: Box
    mask: np.ndarray
    probability: np.ndarray


def make_organs(count: int = 30) -> list[Organ]:
    """Uneven ellipsoids from the size of a body to that of a lens, every fifth one hollow."""
    rng = np.random.default_rng(5)
    sizes = np.geomspace(190.0, 4.0, count)
    return [_make_organ(rng, size, hollow=number % 5 == 1) for number, size in enumerate(sizes)]


def _make_organ(rng: np.random.Generator, size: float, *, hollow: bool) -> Organ:
    radii = np.maximum(1.5, np.array([size / 3, size * rng.uniform(0.6, 1.0), size * rng.uniform(0.6, 1.0)]))
    radii = np.minimum(radii, (70, 200, 240))
    centre = np.array(SHAPE_ZYX) / 2 + rng.uniform(-1, 1, 3) * (np.array(SHAPE_ZYX) / 2 - radii * 1.15).clip(0)
    low = np.maximum(0, np.floor(centre - radii * 1.2)).astype(int)
    high = np.minimum(SHAPE_ZYX, np.ceil(centre + radii * 1.2)).astype(int)
    z, y, x = np.ogrid[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    dz, dy, dx = ((c - m) / r for c, m, r in zip((z, y, x), centre, radii, strict=True))
    angle = np.arctan2(dy, dx)
    radius = np.sqrt(dz**2 + dy**2 + dx**2)
    surface = 1 + 0.08 * np.sin(5 * angle + 3 * dz) + 0.04 * np.cos(9 * angle)
    depth = (surface - radius) * radii.min()
    if hollow:
        depth = np.minimum(depth, (radius - 0.6 * surface) * radii.min())
    probability = (1 / (1 + np.exp(-2 * depth.clip(-20, 20)))).astype(np.float32)
    box = Box(tuple(low.tolist()), tuple(high.tolist()))
    return Organ(box, probability > 0.5, probability)


def seconds(work: Callable[[], object]) -> float:
    """Processor time, best of a few runs; all functions use one thread, and other programs have no influence."""
    taken = []
    for _ in range(REPEATS):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return min(taken)


def contourpy_alone(planes: list[np.ndarray], level: float) -> None:
    for organ in planes:
        for plane in organ:
            contourpy.contour_generator(z=plane, name="serial").lines(level)


def opencv_trace(organs: list[Organ]) -> None:
    """Trace as rt-utils does: OpenCV's findContours, through voxel centres, slice by slice."""
    for organ in organs:
        for plane in organ.mask.astype(np.uint8):
            cv2.findContours(plane, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE)


def opencv_fill(drawn: list[Contours]) -> None:
    """Fill as rt-utils does: OpenCV's fillPoly into a slice of the whole volume, pixel by pixel outline included."""
    for contours in drawn:
        volume = np.zeros(SHAPE_ZYX, np.uint8)
        for k, shape in contours.items():
            rings = [ring for part in shape.geoms for ring in (part.exterior, *part.interiors)]
            points = [np.rint(np.array(ring.coords) / 0.9765625 + 256).astype(np.int32) for ring in rings]
            cv2.fillPoly(volume[k], points, 1)


def itk_margin(organs: list[Organ]) -> None:
    """Grow masks as scripts do: SimpleITK's signed distance of the box, then a threshold."""
    for organ in organs:
        image = sitk.GetImageFromArray(np.pad(organ.mask, ((2, 2), (6, 6), (6, 6))).astype(np.uint8))
        image.SetSpacing(GEOMETRY.spacing_zyx_mm[::-1])
        sitk.GetArrayFromImage(sitk.SignedMaurerDistanceMap(image, False, False, True) <= MARGIN_MM)


def measure_margins() -> None:
    """Margins of a ball: seconds, and the error of the areas of the sections, as a radius."""
    positions = GEOMETRY.slice_positions_mm - GEOMETRY.slice_positions_mm.mean()
    squares = 60.0**2 - positions**2
    ball = {
        int(k): MultiPolygon([Point(0, 0).buffer(squares[k] ** 0.5, quad_segs=64)]) for k in np.flatnonzero(squares > 0)
    }
    for margin_mm in (-10.0, -3.0, 2.0, 5.0, 10.0):
        taken = seconds(lambda margin_mm=margin_mm: margin_contours(ball, GEOMETRY, (margin_mm,) * 6))
        made = margin_contours(ball, GEOMETRY, (margin_mm,) * 6)
        true = np.sqrt(np.maximum((60.0 + margin_mm) ** 2 - positions**2, 0.0))
        middle = [k for k in made if abs(positions[k]) < 45.0]
        off = [(made[k].area / np.pi) ** 0.5 - true[k] for k in middle]
        print(f"ball of 60 mm, {margin_mm:+5.1f} mm {taken * 1e3:14.1f} ms   radius within {np.abs(off).max():.2f} mm")


def main() -> None:
    measure_margins()
    organs = make_organs()
    masks = [organ.mask for organ in organs]
    print(f"{len(organs)} organs, {sum(m.size for m in masks) / 1e6:.0f} M voxels in their boxes")
    drawn = [contours_from_mask(o.mask, GEOMETRY, o.box.start_zyx) for o in organs]
    smooth = [contours_from_probability(o.probability, GEOMETRY.cropped(o.box), GEOMETRY) for o in organs]

    copy = seconds(lambda: [m.copy() for m in masks])
    full = seconds(lambda: [np.full(SHAPE_ZYX, True) for _ in range(3)]) * len(organs) / 3
    plain = seconds(lambda: contourpy_alone([o.probability for o in organs], 0.5))
    traced = seconds(lambda: opencv_trace(organs))
    filled = seconds(lambda: opencv_fill(smooth))
    small = list(zip(organs, smooth, strict=True))[10:]
    grown = seconds(lambda: itk_margin([organ for organ, _ in small]))
    rows = [
        ("mask → polygons", lambda: [contours_from_mask(o.mask, GEOMETRY, o.box.start_zyx) for o in organs],
         "OpenCV findContours", traced),
        ("probability → polygons", lambda: [
            contours_from_probability(o.probability, GEOMETRY.cropped(o.box), GEOMETRY) for o in organs
        ], "contourpy lines alone", plain),
        ("polygons → masks in boxes", lambda: [
            mask_from_contours(c, GEOMETRY, o.box) for c, o in zip(smooth, organs, strict=True)
        ], "copying the masks", copy),
        ("polygons → whole masks", lambda: [mask_from_contours(c, GEOMETRY) for c in smooth],
         "OpenCV fillPoly", filled),
        ("voxel edges → whole masks", lambda: [mask_from_contours(c, GEOMETRY) for c in drawn],
         "writing whole masks", full),
        ("polygons → coverage in boxes", lambda: [
            coverage_from_contours(c, GEOMETRY, o.box) for c, o in zip(smooth, organs, strict=True)
        ], "OpenCV fillPoly", filled),
        ("margin of 5 mm, 20 organs", lambda: [margin_contours(c, GEOMETRY, (MARGIN_MM,) * 6) for _, c in small],
         "SimpleITK distance map", grown),
        ("every third slice, 20 organs", lambda: [
            interpolate_contours({k: shape for k, shape in c.items() if k % 3 == 0}, GEOMETRY) for _, c in small
        ], "SimpleITK distance map", grown),
    ]  # fmt: skip
    for name, work, yardstick, reference in rows:
        taken = seconds(work)
        print(f"{name:30} {taken * 1e3:8.1f} ms   {taken / reference:7.2f} × {yardstick} ({reference * 1e3:.1f} ms)")


if __name__ == "__main__":
    main()
