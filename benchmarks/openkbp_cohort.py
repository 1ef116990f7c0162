"""Write patients of OpenKBP (github.com/ababier/open-kbp, repacked as npz) as DICOM, for `autocontour commission`.

``python benchmarks/openkbp_cohort.py FOLDER_WITH_NPZ_AND_INDEX SPLIT COUNT OUTPUT``. The first patients of the split
that have every organ of `NEEDED`; with COUNT ``all``, every patient of the split that has an organ of `ORGANS`, as a
cohort to be measured must not be chosen by its contours. Contours only on slices that contain the body. Only slices
between the first and the last solid one are written.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from autocontour.contouring import contours_from_mask
from autocontour.dicom.series import SeriesDescription, write_ct_series
from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.structures import GenerationAlgorithm, Structure, StructureSet
from autocontour.rtstruct import write_structure_set

ORGANS = ("Brainstem", "SpinalCord", "Parotid_R", "Parotid_L", "Esophagus", "Larynx", "Bone_Mandible")
NEEDED = ("Brainstem", "SpinalCord", "Parotid_R", "Parotid_L", "Bone_Mandible")


def choose_patients(index: dict, split: str, count: str) -> list[dict]:
    """Return the first patients of a split with the organs that are needed; with ``all``, those with any organ."""
    mine = [one for one in index["patients"] if one["split"].startswith(split)]
    if count == "all":
        return [one for one in mine if any(one["fraction_inside_ct"].get(name, 0) > 0 for name in ORGANS)]
    return [one for one in mine if all(one["fraction_inside_ct"].get(name, 0) > 0.5 for name in NEEDED)][: int(count)]


def write_patient(source: Path, entry: dict, bits: list[str], folder: Path) -> None:
    """Write one patient."""
    with np.load(source) as stored:
        hu, labels = stored["hu"], stored["labels"]
    runs = entry["solid_slices"]
    first, last = runs[0][0], runs[-1][1]
    solid = np.zeros(len(hu), dtype=bool)
    for start, end in runs:
        solid[start:end] = True
    hu, labels, solid = hu[first:last], labels[first:last], solid[first:last]
    geometry = VolumeGeometry.regular(hu.shape, tuple(entry["spacing_zyx_mm"]))
    name = entry["patient"]
    described = SeriesDescription(f"OPENKBP^{name}", name, uid_seed=name, text=f"OpenKBP {name}")
    ct = write_ct_series(hu, geometry, folder / "CT", described)
    structures = []
    for number, organ in enumerate(ORGANS, 1):
        mask = (labels >> bits.index(organ)) & 1 == 1
        mask &= solid[:, None, None]
        if mask.any():
            contours = contours_from_mask(mask, geometry)
            structures.append(Structure(organ, number, contours, organ, generation=GenerationAlgorithm.MANUAL))
    write_structure_set(StructureSet("CLINICAL", tuple(structures)), ct, folder / "RS.clinical.dcm")


def main() -> None:
    """Write the cohort."""
    data, split, count, output = Path(sys.argv[1]), sys.argv[2], sys.argv[3], Path(sys.argv[4])
    index = json.loads((data / "index.json").read_text())
    for entry in choose_patients(index, split, count):
        write_patient(data / split / f"{entry['patient']}.npz", entry, index["structures_by_bit"],
                      output / entry["patient"])  # fmt: skip
        print(entry["patient"], flush=True)


if __name__ == "__main__":
    main()
