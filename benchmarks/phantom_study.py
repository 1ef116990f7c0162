"""Write a study of 62 phantom patients, split 35/13/14 into training, validation and test, for three methods.

``python benchmarks/phantom_study.py OUTPUT`` writes ``OUTPUT/training``, ``OUTPUT/validation`` and
``OUTPUT/test``, each patient with CT and true contours; a stopped run is continued. The patients differ in anatomy (one
seed each). `autocontour commission OUTPUT/test -o REPORT --rules --atlas OUTPUT/training` compares two methods; a third
one is a package trained on a data set of ``training`` and ``validation``.
"""

from __future__ import annotations

import sys
from pathlib import Path

from autocontour.dicom.series import SeriesDescription, write_ct_series
from autocontour.patient.structures import GenerationAlgorithm, Structure, StructureSet
from autocontour.phantom import build_phantom
from autocontour.rtstruct import write_structure_set

SPLITS = {"training": 35, "validation": 13, "test": 14}
SPACING_ZYX_MM, SHAPE_ZYX = (5.0, 4.0, 4.0), (66, 100, 128)
ORGANS = ("External", "Lung_L", "Lung_R", "Heart", "Liver", "Trachea", "Esophagus", "SpinalCanal", "SpinalCord")
FIRST_SEED = 100


def write_patient(seed: int, folder: Path) -> None:
    """Write the CT of a seed with its true contours as a manual structure set."""
    phantom = build_phantom("thorax", seed, spacing_zyx_mm=SPACING_ZYX_MM, shape_zyx=SHAPE_ZYX)
    name = f"PHANTOM{seed}"
    ct = write_ct_series(phantom.hu, phantom.geometry, folder / "CT", SeriesDescription(name, name, uid_seed=name))
    structures = tuple(
        Structure(organ, number, phantom.truth[organ], organ, generation=GenerationAlgorithm.MANUAL)
        for number, organ in enumerate(ORGANS, 1)
        if organ in phantom.truth
    )
    write_structure_set(StructureSet("TRUTH", structures), ct, folder / "RS.truth.dcm")


def main() -> None:
    """Write what is not there yet."""
    output, seed = Path(sys.argv[1]), FIRST_SEED
    for split, count in SPLITS.items():
        for _ in range(count):
            folder = output / split / f"phantom{seed}"
            if not (folder / "RS.truth.dcm").exists():
                write_patient(seed, folder)
                print(split, seed, flush=True)
            seed += 1


if __name__ == "__main__":
    main()
