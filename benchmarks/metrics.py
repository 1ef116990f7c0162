"""Metrics: 30 pairs of masks at 512×512×150, compared with SimpleITK's filters and surface-distance on the same masks.

Run with `python benchmarks/metrics.py`. Every line contains the seconds and the ratio of autocontour to that library,
measured in the same run. SimpleITK gets each pair cut to its joint box, as autocontour does internally; both libraries
compute Dice,
HD95, mean
surface distance and surface DSC (SimpleITK between border voxels), no added path length, no centroid.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np
import SimpleITK as sitk
import surface_distance

from autocontour.patient.geometry import Box
from autocontour.qa import compute_metrics

SHAPE_ZYX = (150, 512, 512)
SPACING_ZYX_MM = (3.0, 1.0, 1.0)
TAU_MM = 3.0
PAIRS = 30
Mask = np.ndarray


def make_pairs() -> Iterator[tuple[Mask, Mask]]:
    """Ellipsoids from the size of a body to that of a lens, and copies with errors of about 2 mm."""
    rng = np.random.default_rng(7)
    for size_mm in np.geomspace(190.0, 4.0, PAIRS):
        radii = np.minimum(size_mm * rng.uniform(0.6, 1.0, 3) / SPACING_ZYX_MM, (68, 190, 235))
        middle = np.array(SHAPE_ZYX) / 2 + rng.uniform(-1, 1, 3) * (np.array(SHAPE_ZYX) / 2 - radii - 6)
        moved = middle + rng.normal(0, 1.0, 3) / SPACING_ZYX_MM
        yield _ellipsoid(middle, radii, 0.0), _ellipsoid(moved, radii, min(1.5, size_mm / 8))


def _ellipsoid(middle: np.ndarray, radii: np.ndarray, ripple_mm: float) -> Mask:
    mask = np.zeros(SHAPE_ZYX, bool)
    low = np.maximum(0, np.floor(middle - radii * 1.3 - 2)).astype(int)
    high = np.minimum(SHAPE_ZYX, np.ceil(middle + radii * 1.3 + 3)).astype(int)
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    z, y, x = np.ogrid[box]
    level = np.sqrt(sum(((axis - m) / r) ** 2 for axis, m, r in zip((z, y, x), middle, radii, strict=True)))
    smallest_mm = float((radii * SPACING_ZYX_MM).min())
    mask[box] = level < 1 + ripple_mm / smallest_mm * np.sin(x / 9) * np.sin(y / 11) * np.sin(z / 4)
    return mask


def with_autocontour(a: Mask, b: Mask) -> float:
    return compute_metrics(a, b, SPACING_ZYX_MM, TAU_MM).dsc


def with_surface_distance(a: Mask, b: Mask) -> float:
    distances = surface_distance.compute_surface_distances(a, b, SPACING_ZYX_MM)
    surface_distance.compute_robust_hausdorff(distances, 95)
    surface_distance.compute_surface_dice_at_tolerance(distances, TAU_MM)
    surface_distance.compute_average_surface_distance(distances)
    return float(surface_distance.compute_dice_coefficient(a, b))


def with_simpleitk(a: Mask, b: Mask) -> float:
    boxes = [Box.around(mask) for mask in (a, b)]
    start = np.min([box.start_zyx for box in boxes], axis=0) - 1
    stop = np.max([box.stop_zyx for box in boxes], axis=0) + 1
    box = tuple(slice(max(0, low), high) for low, high in zip(start, stop, strict=True))
    images = [sitk.GetImageFromArray(mask[box].view(np.uint8)) for mask in (a, b)]
    for image in images:
        image.SetSpacing(SPACING_ZYX_MM[::-1])
    overlap = sitk.LabelOverlapMeasuresImageFilter()
    overlap.Execute(*images)
    outlines = [sitk.LabelContour(image) for image in images]
    maps = [sitk.SignedMaurerDistanceMap(line, squaredDistance=False, useImageSpacing=True) for line in outlines]
    borders = [sitk.GetArrayViewFromImage(line) > 0 for line in outlines]
    distances = [np.abs(sitk.GetArrayViewFromImage(maps[1 - i])[borders[i]]) for i in (0, 1)]
    max(np.percentile(each, 95) for each in distances)
    np.concatenate(distances).mean(), (np.concatenate(distances) <= TAU_MM).mean()
    return overlap.GetDiceCoefficient()


def seconds(function: Callable[[Mask, Mask], float], a: Mask, b: Mask) -> tuple[float, float]:
    start = time.perf_counter()
    result = function(a, b)
    return time.perf_counter() - start, result


def main() -> None:
    methods = {"autocontour": with_autocontour, "SimpleITK": with_simpleitk, "surface-distance": with_surface_distance}
    total = dict.fromkeys(methods, 0.0)
    for a, b in make_pairs():
        dsc = set()
        for name, method in methods.items():
            took, value = seconds(method, a, b)
            total[name] += took
            dsc.add(round(value, 6))
        if len(dsc) > 1:
            raise SystemExit(f"the methods disagree on Dice: {dsc}")
    for name, took in total.items():
        print(f"{name:<18} {took:6.2f} s   ours is {total['autocontour'] / took:.3f} ×")


if __name__ == "__main__":
    main()
