"""Stability of the rules: each structure of a modified CT compared with the same structure of the original CT.

``python benchmarks/stability.py DICOM_DATA OPENKBP [--only lung1-001] [--table FILE]`` takes ``lung1-001/ct`` and
``lung1-007/ct`` of the first folder, and one head and neck made from a patient of the second (``whole_ct.py``).
Twenty modifications each: the scan cut at either end or around a middle, mirrored, noise, slices of 1 to 10 mm, a round
and a square field of view, a shift, larger voxels, other HU scales. The reference is the result on the original CT,
transformed to the modified CT; where DSC falls below 0.9, a finding must name the structure, or it is *silent*.
Noise is drawn with seed 0.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from whole_ct import build_whole_ct, solid_box

from autocontour.base.jobs import Job
from autocontour.contouring import mask_from_contours
from autocontour.dicom import planning_cts, read_ct, scan_folder
from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.structures import Contours
from autocontour.patient.volume import CTVolume
from autocontour.rules import NAMES, draw_structures

LEAST_DSC = 0.9
LEAST_CC = 1.0  # what is cut to less may be missing
HEAD_AND_NECK = "pt_106"
Voxels = NDArray[np.int16] | NDArray[np.bool_]
Move = Callable[[Voxels], Voxels]
"""An operation on voxels or masks (slices, rows, columns); head first, axes towards back and left."""


def keep(start: float, stop: float) -> Move:
    """Keep a part of the slices."""
    return lambda array: array[round(start * len(array)) : round(stop * len(array))]


def square(share: float) -> Move:
    """Keep a square about the middle."""

    def cut(array: Voxels) -> Voxels:
        rows, columns = (round(n * (1 - share) / 2) for n in array.shape[1:])
        return array[:, rows : array.shape[1] - rows, columns : array.shape[2] - columns]

    return cut


def circle(share: float) -> Move:
    """Keep a disc about the middle of a square, and pad what is outside."""

    def cut(array: Voxels) -> Voxels:
        kept = np.array(square(share)(array))
        y, x = np.ogrid[: kept.shape[1], : kept.shape[2]]
        away = np.hypot(y - (kept.shape[1] - 1) / 2, x - (kept.shape[2] - 1) / 2)
        kept[:, away > min(kept.shape[1:]) / 2] = 0 if kept.dtype == np.bool_ else -1024
        return kept

    return cut


def thick(slice_mm: float, spacing_mm: float) -> Move:
    """Average slices to about `slice_mm`, or interpolate thinner ones."""

    def average(array: Voxels) -> Voxels:
        places = np.arange(0, len(array) - 1, slice_mm / spacing_mm)
        values = ndimage.uniform_filter1d(array.astype(np.float32), max(1, round(slice_mm / spacing_mm)), axis=0)
        low = places.astype(int)
        part = (places - low)[:, None, None]
        between = (1 - part) * values[low] + part * values[np.minimum(low + 1, len(array) - 1)]
        return between > 0.5 if array.dtype == np.bool_ else np.rint(between).astype(np.int16)

    return average


def shift(cells: int) -> Move:
    """Move the patient in the image."""
    return lambda array: np.roll(array, (cells, -cells), (1, 2))


def coarse(step: int) -> Move:
    """Average blocks of voxels in plane."""

    def average(array: Voxels) -> Voxels:
        rows, columns = (n // step * step for n in array.shape[1:])
        blocks = array[:, :rows, :columns].reshape(len(array), rows // step, step, columns // step, step)
        mean = blocks.mean(axis=(2, 4))
        return mean > 0.5 if array.dtype == np.bool_ else mean.astype(np.int16)

    return average


def on_hu(change: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> Move:
    """Change the values only."""

    def move(array: Voxels) -> Voxels:
        if array.dtype == np.bool_:
            return array
        return np.clip(np.rint(change(array.astype(np.float64))), -1024, 3071).astype(np.int16)

    return move


def noise(sigma_hu: float) -> Move:
    """Add noise."""
    return on_hu(lambda hu: hu + np.random.default_rng(0).normal(0, sigma_hu, hu.shape))


def cone_beam(hu: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return values as of a cone-beam CT: a lower contrast, a higher level, cupping and noise."""
    y, x = (np.linspace(-1, 1, n) for n in hu.shape[1:])
    cup = 60 * (y[:, None] ** 2 + x**2)
    return 0.85 * hu + 60 + cup + np.random.default_rng(0).normal(0, 40, hu.shape)


def modifications(z_mm: float) -> dict[str, tuple[Move, float, float]]:
    """Return name → operation, slice spacing and in-plane factor afterwards."""
    same = (z_mm, 1.0)
    return {
        "upper two thirds": (keep(1 / 3, 1), *same),
        "upper third": (keep(2 / 3, 1), *same),
        "lower two thirds": (keep(0, 2 / 3), *same),
        "lower third": (keep(0, 1 / 3), *same),
        "middle third": (keep(1 / 3, 2 / 3), *same),
        "mirrored left to right": (lambda array: array[:, :, ::-1], *same),
        "shifted by 20 voxels": (shift(20), *same),
        "noise 40 HU": (noise(40), *same),
        "noise 120 HU": (noise(120), *same),
        "slices of 1 mm": (thick(1.0, z_mm), 1.0, 1.0),
        "slices of 5 mm": (thick(5.0, z_mm), 5.0, 1.0),
        "slices of 8 mm": (thick(8.0, z_mm), 8.0, 1.0),
        "slices of 10 mm": (thick(10.0, z_mm), 10.0, 1.0),
        "voxels twice as large": (coarse(2), z_mm, 2.0),
        "square field, 70 %": (square(0.7), *same),
        "square field, 50 %": (square(0.5), *same),
        "round field, 70 %": (circle(0.7), *same),
        "round field, 50 %": (circle(0.5), *same),
        "HU scale 0.9": (on_hu(lambda hu: 0.9 * (hu + 1000) - 1000), *same),
        "cone beam": (on_hu(cone_beam), *same),
    }


def draw(
    hu: Voxels, spacing_zyx_mm: tuple[float, float, float]
) -> tuple[CTVolume, dict[str, Contours], dict[str, set[str]]]:
    """Return the CT, contours by name, and codes of findings by name."""
    ct = CTVolume(np.ascontiguousarray(hu), VolumeGeometry.regular(hu.shape, spacing_zyx_mm))
    codes: dict[str, set[str]] = {name: set() for name in NAMES}
    reasons = []
    drawn = draw_structures(ct, NAMES, Job(), on_finding=reasons.append)
    for name, drawing in drawn.items():
        codes[name] |= {finding.code for finding in drawing.findings}
    for finding in reasons:
        codes[finding.where].add(finding.code)
    return ct, {name: drawing.contours for name, drawing in drawn.items()}, codes


def compare(mask: NDArray[np.bool_], right: NDArray[np.bool_]) -> float:
    total = np.count_nonzero(mask) + np.count_nonzero(right)
    return 2 * np.count_nonzero(mask & right) / total if total else 1.0


def run(label: str, hu: NDArray[np.int16], spacing_zyx_mm: tuple[float, float, float]) -> tuple[list[str], int]:
    """Return the lines of a CT's table and the number of silent structures."""
    whole, contours, _ = draw(hu, spacing_zyx_mm)
    right = {name: mask_from_contours(shapes, whole.geometry) for name, shapes in contours.items()}
    lines, silent = [f"| {label} | {' | '.join(NAMES)} |", "|" + "---|" * (len(NAMES) + 1)], 0
    for name, (move, z_mm, factor) in modifications(spacing_zyx_mm[0]).items():
        moved = move(hu)
        spacing = (z_mm, spacing_zyx_mm[1] * factor, spacing_zyx_mm[2] * factor)
        swap = {"Lung_L": "Lung_R", "Lung_R": "Lung_L"} if name.startswith("mirrored") else {}
        ct, drawn, codes = draw(moved, spacing)
        cells = []
        for structure in NAMES:
            was = right.get(swap.get(structure, structure))
            expected = np.zeros(moved.shape, np.bool_) if was is None else move(was)
            got = mask_from_contours(drawn.get(structure, {}), ct.geometry)
            dsc = compare(got, expected)
            tiny = np.count_nonzero(expected) * float(np.prod(spacing)) / 1000 < LEAST_CC and structure not in drawn
            reported = sorted(code[-3:] for code in codes[structure])
            is_silent = dsc < LEAST_DSC and not reported and not tiny
            silent += is_silent
            missing = "" if structure in drawn or tiny else " not drawn"
            figure = "–" if tiny else f"{dsc:.3f}{missing}"
            cells.append(f"{figure} {' '.join(reported)}{' **SILENT**' if is_silent else ''}".strip())
        lines.append(f"| {name} | {' | '.join(cells)} |")
        print(lines[-1], flush=True)
    return lines, silent


def load(data: Path, openkbp: Path) -> dict[str, tuple[NDArray[np.int16], tuple[float, float, float]]]:
    cts = {}
    for name in ("lung1-001", "lung1-007"):
        ct = read_ct(planning_cts(scan_folder(data / name / "ct", Job()))[0], Job())
        cts[name] = (ct.hu, ct.geometry.spacing_zyx_mm)
    records = json.loads((openkbp / "index.json").read_text())["patients"]
    record = next(one for one in records if one["patient"] == HEAD_AND_NECK)
    ct, _, _ = build_whole_ct(openkbp / "train" / f"{HEAD_AND_NECK}.npz", solid_box(record))
    cts[f"head and neck {HEAD_AND_NECK}"] = (ct.hu, ct.geometry.spacing_zyx_mm)
    return cts


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("openkbp", type=Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--table", type=Path)
    args = parser.parse_args()
    lines, silent = [], 0
    for label, (hu, spacing) in load(args.data, args.openkbp).items():
        if args.only in label:
            print(f"\n{label}")
            table, count = run(label, hu, spacing)
            lines, silent = [*lines, *table, ""], silent + count
    print(f"silent: {silent}")
    if args.table:
        args.table.write_text("\n".join(lines) + f"\nSilent: {silent}.\n")
    return 1 if silent else 0


if __name__ == "__main__":
    sys.exit(main())
