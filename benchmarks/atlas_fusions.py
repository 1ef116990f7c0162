"""Draw a cohort with an atlas once, fuse by all three methods, and write each as a structure set beside the CT.

``python benchmarks/atlas_fusions.py COHORT ATLAS NAMES.toml OUTPUT [--nearest 5] [--part K/N]``. COHORT has one folder
for each patient, with ``CT`` and ``RS.clinical.dcm``; ATLAS is a folder of the same kind. ``OUTPUT/PATIENT`` links both
and gets ``RS.weighted.dcm``, ``RS.majority.dcm`` and ``RS.staple.dcm``; a stopped run is continued, and parts may run
at the same time. Then

    autocontour commission OUTPUT -o REPORT --reference '*/RS.clinical.dcm' --package head-and-neck
        --other weighted='*/RS.weighted.dcm' --other majority='*/RS.majority.dcm' --other staple='*/RS.staple.dcm'
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from shapely import MultiPolygon, box

from autocontour.archive.find import Archive
from autocontour.archive.key import open_key
from autocontour.archive.names import confirmed_names, read_names
from autocontour.base.jobs import Job
from autocontour.dicom.ct import read_ct
from autocontour.dicom.scan import planning_cts, scan_folder
from autocontour.patient.structures import Contours, GenerationAlgorithm, Structure, StructureSet
from autocontour.patient.volume import CTVolume
from autocontour.qa.commissioning.study.atlas import FUSIONS, AtlasMethod, fuse_all, owners_of, read_atlas
from autocontour.qa.commissioning.study.request import StudyRequest
from autocontour.rtstruct import read_structure_set, write_structure_set


def placeholder(ct: CTVolume) -> dict[str, Contours]:
    """Return a small square of an organ that is not compared: a patient of whom nothing was drawn must have a set."""
    return {"Brain": {len(ct.hu) // 2: MultiPolygon([box(0, 0, 10, 10)])}}


def draw_patient(source: Path, folder: Path, atlas: AtlasMethod) -> str:
    """Draw one patient and write the three structure sets."""
    job = Job()
    begin = time.process_time()
    (series,) = planning_cts(scan_folder(source / "CT", job))
    ct = read_ct(series, job)
    manual = read_structure_set(source / "RS.clinical.dcm", ct)
    wanted = [name for name in manual.names if name in atlas.offered]
    votes, used = atlas.collect_votes(ct, owners_of(ct, series), wanted, job)
    registered = time.process_time()
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("CT", "RS.clinical.dcm"):
        if not (folder / name).exists():
            (folder / name).symlink_to((source / name).resolve())
    counts = []
    for fusion in FUSIONS:
        fused = fuse_all(votes, ct.geometry, fusion, job)
        structures = tuple(
            Structure(name, number, contours, name, generation=GenerationAlgorithm.AUTOMATIC)
            for number, (name, contours) in enumerate((fused or placeholder(ct)).items(), 1)
        )
        write_structure_set(StructureSet(fusion.upper(), structures), ct, folder / f"RS.{fusion}.dcm")
        counts.append(len(fused))
    seconds = registered - begin, time.process_time() - registered
    return f"{source.name}: {len(used)} atlases, {counts} structures, {seconds[0]:.0f} + {seconds[1]:.0f} s"


def main() -> None:
    """Draw every patient that is not drawn yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cohort", type=Path)
    parser.add_argument("atlas", type=Path)
    parser.add_argument("names", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--nearest", type=int, default=5)
    parser.add_argument("--part", default="1/1")
    args = parser.parse_args()
    part, parts = map(int, args.part.split("/"))
    sources = sorted(one for one in args.cohort.iterdir() if (one / "RS.clinical.dcm").exists())[part - 1 :: parts]
    waiting = [one for one in sources if not (args.output / one.name / f"RS.{FUSIONS[-1]}.dcm").exists()]
    if not waiting:
        return
    args.output.mkdir(parents=True, exist_ok=True)
    request = StudyRequest(args.cohort, args.output, names=args.names, atlas=args.atlas, atlas_nearest=args.nearest)
    key = open_key(args.names.with_name("key"), "")
    begin = time.process_time()
    names = confirmed_names(read_names(args.names), args.names, (), ())
    atlas, unusable = read_atlas(request, Archive((), ()), names, key, Job())
    print(f"{len(atlas.atlases)} atlases read in {time.process_time() - begin:.0f} s", *unusable, flush=True)
    for source in waiting:
        print(draw_patient(source, args.output / source.name, atlas), flush=True)


if __name__ == "__main__":
    main()
