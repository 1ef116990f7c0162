"""Time to list cases, against the time to open them: ``python benchmarks/case_list.py [CASES]``."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from shapely import MultiPolygon, Point

from autocontour.case import Case, CaseKey, CaseStructure, Edit
from autocontour.case.summary import CaseList
from autocontour.patient.structures import Structure

STRUCTURES, SLICES, EDITS, OPENED = 30, 60, 20, 10


def make_case(root: Path, number: int) -> CaseKey:
    """Make a case of 30 structures on 60 slices with some edits."""
    key, rng = CaseKey(f"1.2.{number}", "1.3"), np.random.default_rng(number)
    with Case(root / key.folder_name, key) as case:
        for index in range(1, STRUCTURES + 1):
            contours = {
                z: MultiPolygon([Point(0, 0).buffer(20 + float(rng.random()), quad_segs=40)]) for z in range(SLICES)
            }
            structure = Structure(f"S{index}", index, contours)
            case.apply(Edit("Open", added=(CaseStructure(structure, contours),)))
        for step in range(EDITS):
            case.apply(Edit("Brush", {1 + step: {step: MultiPolygon([Point(1, 0).buffer(20, quad_segs=40)])}}))
    return key


def seconds(act: Callable[[], object]) -> float:
    """Return how long `act` takes."""
    begun = time.perf_counter()
    act()
    return time.perf_counter() - begun


def main() -> None:
    """Print the times and their ratio."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        keys = [make_case(root, number) for number in range(count)]
        reader = CaseList(root)
        first, again = seconds(reader.read), seconds(reader.read)
        opening = seconds(lambda: [Case(root / key.folder_name, key).close() for key in keys[:OPENED]]) / OPENED
    print(f"{count} cases: list {first:.2f} s, unchanged {again:.3f} s; opening one {opening:.3f} s")
    print(f"listing a case takes {first / count / opening:.3f} of opening it")


if __name__ == "__main__":
    main()
