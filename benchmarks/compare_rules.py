"""The rules of this checkout against those of another: contours, findings and processor time on the same CTs.

``python benchmarks/compare_rules.py OTHER_CHECKOUT DICOM_DATA OPENKBP [--only lung1] [--repeat 1]`` draws all rules on
four whole CTs and seven limbs of the second folder, on three heads and necks made from patients of the third
(``whole_ct.py``), and on phantoms. Both checkouts draw each CT in processes of their own, one after the other. The
table contains the lowest DSC of any structure (of areas, over all slices), the findings that differ, and the processor
time of both: the shortest of ``--repeat`` runs. The exit code is 1 if a DSC is below 0.999 or findings differ.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import shapely
from whole_ct import build_whole_ct, solid_box

from autocontour.base.jobs import Job
from autocontour.dicom import planning_cts, read_ct, scan_folder
from autocontour.patient.structures import Contours
from autocontour.patient.volume import CTVolume
from autocontour.phantom import PhantomOptions, build_phantom

LEAST_DSC = 0.999
WHOLE = ("lung1-001", "lung1-002", "lung1-007", "pancreas-ct-cb-001")
HEADS = ("pt_106", "pt_12", "pt_150")
PHANTOMS = (("thorax", "HFS"), ("thorax", "FFP"), ("thorax", "HFDL"), ("head-neck", "HFS"), ("head-neck", "FFS"))

DRAW = """
import inspect, pickle, sys, time
from autocontour.base.jobs import Job
from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.volume import CTVolume
from autocontour.rules import NAMES, draw_structures
given = pickle.load(open(sys.argv[1], "rb"))
findings = []
ct = CTVolume(given.pop("hu"), VolumeGeometry(**given))
takes = inspect.signature(draw_structures).parameters  # the reasons for what is not drawn came later
reasons = {"on_finding": findings.append} if "on_finding" in takes else {}
start = time.process_time()
drawn = draw_structures(ct, NAMES, Job(), **reasons)
seconds = time.process_time() - start
findings += [finding for drawing in drawn.values() for finding in drawing.findings]
found = sorted((finding.where or "", finding.code, tuple(finding.slices or ())) for finding in findings)
contours = {name: drawing.contours for name, drawing in drawn.items()}
pickle.dump((contours, found, seconds), open(sys.argv[2], "wb"))
"""
"""Draws a CT; the second file receives contours, findings and processor seconds."""

Found = tuple[str, str, tuple[int, ...]]
"""Structure, code and slices of a finding."""


@dataclass(frozen=True)
class Result:
    """Contours by name, findings, and processor seconds."""

    contours: dict[str, Contours]
    findings: list[Found]
    seconds: float


def list_cts(data: Path, openkbp: Path) -> Iterator[tuple[str, Callable[[], CTVolume]]]:
    """Return names of CTs and what builds them."""
    limbs = sorted((data / "limbs").glob("sts-*"))
    for folder in [*(data / name / "ct" for name in WHOLE), *limbs]:
        yield folder.parent.name if folder.name == "ct" else folder.name, partial(read, folder)
    records = {one["patient"]: one for one in json.loads((openkbp / "index.json").read_text())["patients"]}
    for name in HEADS:
        yield f"head {name}", partial(build_head, openkbp / "train" / f"{name}.npz", records[name])
    for site, position in PHANTOMS:
        yield f"phantom {site} {position}", partial(phantom, site, position)


def read(folder: Path) -> CTVolume:
    return read_ct(planning_cts(scan_folder(folder, Job()))[0], Job())


def build_head(path: Path, record: dict) -> CTVolume:
    return build_whole_ct(path, solid_box(record))[0]


def phantom(site: str, position: str) -> CTVolume:
    built = build_phantom(site, 3, position=position, options=PhantomOptions(mask=site == "head-neck"))
    return CTVolume(built.hu, built.geometry)


def draw_in(checkout: Path, given: Path, folder: Path) -> Result:
    """Draw the CT of the file `given` with the rules of `checkout`, in a process of its own."""
    command = [sys.executable, "-c", DRAW, str(given), str(folder / "drawn")]
    subprocess.run(command, env={**os.environ, "PYTHONPATH": str(checkout)}, cwd=checkout, check=True)
    return Result(*pickle.loads((folder / "drawn").read_bytes()))


def save(ct: CTVolume, path: Path) -> None:
    grid = ct.geometry
    keys = ("rows", "columns", "pixel_spacing_vu_mm", "direction", "slice_origins_lps_mm")
    path.write_bytes(pickle.dumps({"hu": np.array(ct.hu), **{key: getattr(grid, key) for key in keys}}))


def compute_dsc(one: Contours, other: Contours) -> float:
    """Return DSC of areas; 0 if only one of both is drawn."""
    shared = sum(shapely.intersection(one[k], other[k]).area for k in one.keys() & other.keys())
    total = sum(shape.area for shapes in (one, other) for shape in shapes.values())
    return float(2 * shared / total)


def compare(name: str, new: Result, old: Result) -> bool:
    """Print a row; return whether both results agree."""
    names = sorted(new.contours.keys() | old.contours.keys())
    dsc = {one: compute_dsc(new.contours.get(one, {}), old.contours.get(one, {})) for one in names}
    worst = min(dsc, key=lambda one: dsc[one], default="")
    lost, added = (sorted(set(a) - set(b)) for a, b in ((old.findings, new.findings), (new.findings, old.findings)))
    differ = "; ".join(f"{sign}{where} {code}" for sign, some in (("−", lost), ("+", added)) for where, code, _ in some)
    print(
        f"| {name} | {len(names)} | {dsc.get(worst, 1.0):.5f} {worst} | {differ or 'same'} | {new.seconds:.2f} | "
        f"{old.seconds:.2f} | {new.seconds / old.seconds:.2f} |",
        flush=True,
    )
    return not differ and all(value >= LEAST_DSC for value in dsc.values())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("openkbp", type=Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--repeat", type=int, default=1)
    args = parser.parse_args()
    checkouts = (Path(__file__).resolve().parents[1], args.other.resolve())
    print("| CT | structures | lowest DSC | findings | seconds here | there | ratio |\n|---|---|---|---|---|---|---|")
    agree = True
    for name, build in list_cts(args.data, args.openkbp):
        if args.only not in name:
            continue
        with tempfile.TemporaryDirectory() as folder:
            given = Path(folder) / "ct"
            save(build(), given)
            runs = [[draw_in(root, given, Path(folder)) for root in checkouts] for _ in range(args.repeat)]
        new, old = (min(some, key=lambda result: result.seconds) for some in zip(*runs, strict=True))
        agree &= compare(name, new, old)
    return 0 if agree else 1


if __name__ == "__main__":
    sys.exit(main())
