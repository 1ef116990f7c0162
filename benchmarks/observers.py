"""Two human observers, measured by the program and independently with DeepMind's surface-distance.

``python benchmarks/observers.py FOLDER OUTPUT.jsonl`` with the masks of an oncologist and a radiographer as npz. One
line for each scan and organ; lines that exist are kept, so that a stopped run is continued. ``… OUTPUT.jsonl --table``
prints the table of docs/experiments/observers.md.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np

from autocontour.archive.names import suggest
from autocontour.contouring import contours_from_mask
from autocontour.patient.geometry import VolumeGeometry
from autocontour.qa.commissioning.study.compare import compare_structure
from autocontour.qa.commissioning.study.request import REFERENCE
from autocontour.qa.commissioning.study.tolerances import read_tolerances

FIRST, SECOND = "oncologist", "radiographer"
METRICS = ("dsc", "hd95_mm", "surface_dsc")
MARGIN = 2


def read_masks(file: np.lib.npyio.NpzFile, organ: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the masks of both observers on their joint box with a margin."""
    boxes = [file[f"{one}/{organ}/box_zyx"] for one in (FIRST, SECOND)]
    start = np.min([box[:, 0] for box in boxes], axis=0) - MARGIN
    stop = np.max([box[:, 1] for box in boxes], axis=0) + MARGIN
    masks = []
    for one, box in zip((FIRST, SECOND), boxes, strict=True):
        size = box[:, 1] - box[:, 0]
        bits = np.unpackbits(file[f"{one}/{organ}/bits"], count=int(np.prod(size))).astype(bool).reshape(size)
        mask = np.zeros(stop - start, bool)
        mask[tuple(slice(low, high) for low, high in (box - start[:, None]).tolist())] = bits
        masks.append(mask)
    return masks[0], masks[1]


def measure(masks: tuple[np.ndarray, np.ndarray], spacing: tuple[float, float, float], organ: str) -> dict:
    """Return the figures of the program and of surface-distance, and whether the pair is a copy."""
    import surface_distance

    geometry = VolumeGeometry.regular(masks[0].shape, spacing)
    first, second = (contours_from_mask(mask, geometry) for mask in masks)
    if not first or not second:
        return {"empty": [not mask.any() for mask in masks]}
    drawn = {REFERENCE: {organ: first}, SECOND: {organ: second}}
    rows, kappa = compare_structure(organ, drawn, (SECOND,), (), geometry, read_tolerances())
    distances = surface_distance.compute_surface_distances(*masks, spacing)
    overlap = surface_distance.compute_dice_coefficient(*masks)
    other = (overlap, surface_distance.compute_robust_hausdorff(distances, 95),
             surface_distance.compute_surface_dice_at_tolerance(distances, rows[0]["tau_mm"]))  # fmt: skip
    return {
        "own": {name: rows[0][name] for name in METRICS},
        "independent": dict(zip(METRICS, map(float, other), strict=True)),
        "identical": rows[0]["identical"],
        "kappa": kappa,
    }


def run(folder: Path, output: Path) -> None:
    """Measure what has no line yet."""
    done = {(one["scan"], one["organ"]) for one in read(output)}
    for path in sorted(folder.glob("*.npz")):
        with np.load(path) as file:
            spacing = tuple(float(step) for step in file["spacing_zyx_mm"])
            for organ in sorted({name.split("/")[1] for name in file.files if name.endswith("/bits")}):
                if (path.stem, organ) not in done:
                    line = {"scan": path.stem, "organ": organ, **measure(read_masks(file, organ), spacing, organ)}
                    with output.open("a") as lines:
                        lines.write(json.dumps(line) + "\n")
                    print(path.stem, organ, flush=True)


def read(output: Path) -> list[dict]:
    """Return the lines of a file; an empty list if it does not exist."""
    return [json.loads(line) for line in output.read_text().splitlines()] if output.exists() else []


def print_table(rows: list[dict]) -> None:
    """Print medians over the pairs that are not copies, and the largest difference of the two computations."""
    organs = defaultdict(list)
    for row in rows:
        organs[row["organ"]].append(row)
    print("| organ | TG-263 name | pairs | copies | DSC | HD95 mm | surface DSC | largest difference |")
    for organ, mine in sorted(organs.items()):
        measured = [one for one in mine if "own" in one]
        real = [one for one in measured if not one["identical"]]
        medians = [f"{np.median([one['own'][name] for one in real]):.3f}" if real else "–" for name in METRICS]
        apart = max(abs(one["own"][name] - one["independent"][name]) for one in measured for name in METRICS)
        cells = (organ, suggest(organ).structure, len(real), len(measured) - len(real), *medians, f"{apart:.1e}")
        print(f"| {' | '.join(map(str, cells))} |")


if __name__ == "__main__":
    if "--table" in sys.argv:
        print_table(read(Path(sys.argv[1])))
    else:
        run(Path(sys.argv[1]), Path(sys.argv[2]))
