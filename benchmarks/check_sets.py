"""Sensitivity of the checks of a structure set to simulated faults, and their warnings on clinical sets.

``python benchmarks/check_sets.py OPENKBP_FOLDER [--patients N] [--dicom FOLDER]``. Contours are checked unchanged, then
with one fault each (seed 1 selects the structure). With ``--dicom``, a folder of ``NAME/ct``, the sides of whole thorax
CTs are checked too, unchanged and mirrored.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from shapely.affinity import scale, translate

from autocontour.base.findings import Severity
from autocontour.base.jobs import Job
from autocontour.contouring import contours_from_mask
from autocontour.dicom import planning_cts, read_ct, scan_folder
from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.structures import Structure, StructureSet
from autocontour.patient.volume import CTVolume
from autocontour.qa.checks import check_set
from autocontour.qa.checks.sides import HEART_OFFSET_MM, heart_offset_mm
from autocontour.rules import draw_structures

ORGANS = ("Brainstem", "SpinalCord", "Parotid_R", "Parotid_L", "Esophagus", "Larynx", "Bone_Mandible")
Change = Callable[[StructureSet, np.random.Generator], StructureSet]


def read_patient(folder: Path, entry: dict, bits: list[str]) -> tuple[CTVolume, StructureSet]:
    start, stop = max(entry["solid_slices"], key=lambda run: run[1] - run[0])
    path = next(folder.glob(f"*/{entry['patient']}.npz"))
    with np.load(path) as arrays:
        hu, labels = arrays["hu"][start:stop], arrays["labels"][start:stop]
    geometry = VolumeGeometry.regular(hu.shape, tuple(entry["spacing_zyx_mm"]))
    structures = []
    for number, organ in enumerate(ORGANS, 1):
        mask = (labels >> bits.index(organ) & 1) > 0
        if mask.any():
            structures.append(Structure(organ, number, contours_from_mask(mask, geometry), tg263_name=organ))
    return CTVolume(hu, geometry), StructureSet("CLINICAL", tuple(structures))


def exchange(one: str, other: str) -> Change:
    names = {one: other, other: one}

    def change(whole: StructureSet, _: np.random.Generator) -> StructureSet:
        if not {one, other} <= set(whole.names):
            return whole
        return replace(
            whole,
            structures=tuple(
                replace(s, name=names.get(s.name, s.name), tg263_name=names.get(s.name, s.name))
                for s in whole.structures
            ),
        )

    return change


def reshape(change_one: Callable[[Structure, np.random.Generator], Structure]) -> Change:
    def change(whole: StructureSet, rng: np.random.Generator) -> StructureSet:
        at = int(rng.integers(len(whole.structures)))
        return replace(
            whole, structures=tuple(change_one(s, rng) if i == at else s for i, s in enumerate(whole.structures))
        )

    return change


def mapped(how: Callable) -> Callable[[Structure, np.random.Generator], Structure]:
    return lambda s, _: replace(s, contours={k: how(shape) for k, shape in s.contours.items()})


def without_slices(s: Structure, rng: np.random.Generator) -> Structure:
    slices = sorted(s.contours)
    at = int(rng.integers(1, max(2, len(slices) - 2)))
    return replace(s, contours={k: v for k, v in s.contours.items() if k not in slices[at : at + 2]})


FAULTS: dict[str, Change] = {
    "parotids exchanged": exchange("Parotid_L", "Parotid_R"),
    "brainstem and larynx exchanged": exchange("Brainstem", "Larynx"),
    "cord and esophagus exchanged": exchange("SpinalCord", "Esophagus"),
    "moved 40 mm to the left": reshape(mapped(lambda shape: translate(shape, 40, 0))),
    "moved 40 mm to the front": reshape(mapped(lambda shape: translate(shape, 0, -40))),
    "2.5 times as wide": reshape(mapped(lambda shape: scale(shape, 2.5, 2.5))),
    "0.3 times as wide": reshape(mapped(lambda shape: scale(shape, 0.3, 0.3))),
    "two slices missing within": reshape(without_slices),
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("openkbp", type=Path)
    parser.add_argument("--patients", type=int, default=1000)
    parser.add_argument("--dicom", type=Path)
    args = parser.parse_args()
    index = json.loads((args.openkbp / "index.json").read_text())
    entries = index["patients"][: args.patients]
    sound, found, tried = Counter(), Counter(), Counter()
    warned = 0
    for number, entry in enumerate(entries):
        ct, whole = read_patient(args.openkbp, entry, index["structures_by_bit"])
        before = {(f.code, f.where) for f in check_set(ct, whole) if f.severity >= Severity.WARN}
        warned += bool(before)
        sound.update({code for code, _ in before})
        for name, fault in FAULTS.items():
            changed = fault(whole, np.random.default_rng([1, number]))
            if changed is whole:
                continue
            after = {(f.code, f.where) for f in check_set(ct, changed) if f.severity >= Severity.WARN}
            tried[name] += 1
            found[name] += bool(after - before)
    print(f"{len(entries)} clinical sets: {warned} with a warning; sets by code: {dict(sorted(sound.items()))}")
    for name in FAULTS:
        print(f"{name}: found in {found[name]} of {tried[name]}")
    if args.dicom:
        check_sides_of(args.dicom)


def check_sides_of(folder: Path) -> None:
    """Print the distance of the tissue between the lungs to the left of the spine, for the CT and its mirror image."""
    for path in sorted(folder.glob("*/ct")):
        for series in planning_cts(scan_folder(path, Job())):
            ct = read_ct(series, Job())
            drawn = draw_structures(ct, ["Lung_L", "Lung_R"], Job())
            if len(drawn) < 2:
                print(f"{path.parent.name}: no two lungs")
                continue
            offset = heart_offset_mm(ct, drawn["Lung_L"].contours, drawn["Lung_R"].contours)
            mirrored = CTVolume(ct.hu[:, :, ::-1].copy(), ct.geometry)
            again = draw_structures(mirrored, ["Lung_L", "Lung_R"], Job())
            other = heart_offset_mm(mirrored, again["Lung_L"].contours, again["Lung_R"].contours)
            print(f"{path.parent.name}: {offset} mm, mirrored {other} mm (limit {-HEART_OFFSET_MM})")


if __name__ == "__main__":
    main()
