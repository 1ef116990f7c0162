"""A page of pictures of contours on real CTs: three views through the middle, and the worst slices.

``python benchmarks/pictures.py DICOM_FOLDER OUTPUT_FOLDER [--openkbp FOLDER]`` uses every folder that contains ``ct/``,
with ``rtstruct.dcm`` beside it if there is one, and a dozen heads of the research set. Worst are the slices on which a
drawn structure and its clinical contour agree least. Keep the output out of the repository: some data sets may not be
redistributed.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import shapely
from rules import ALSO_KNOWN_AS

from autocontour.base.jobs import Job
from autocontour.dicom import planning_cts, read_ct, scan_folder
from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.nomenclature import find_term
from autocontour.patient.structures import Structure
from autocontour.patient.volume import CTVolume
from autocontour.report.page import Figure, write_page
from autocontour.report.pictures import WIDE_HU, middle_of, render_slices, voxel_at
from autocontour.rtstruct import read_structure_set
from autocontour.rules import NAMES, draw_structures

CLINICAL_RGB = (255, 255, 255)
SHOWN = tuple(name for name in NAMES if name != "Lungs")
HEADS = 12
WORST = 2
LEAST_MM2 = 200.0
HEIGHT_PX = 560


def draw(ct: CTVolume) -> list[Structure]:
    """Draw every structure that has a rule, in its default colour."""
    drawings = draw_structures(ct, SHOWN, Job())
    return [
        Structure(name, number, drawing.contours, color_rgb=find_term(name).color_rgb)
        for number, (name, drawing) in enumerate(drawings.items(), 1)
    ]


def three_views(ct: CTVolume, structures: list[Structure], what: str) -> Iterator[Figure]:
    """Yield pictures at a quarter, the middle and three quarters of the patient."""
    _, y, x = middle_of(ct.geometry, [structure.contours for structure in structures])
    slices = sorted(structures[0].contours)
    for part in (0.25, 0.5, 0.75):
        k = slices[int(part * (len(slices) - 1))]
        png = render_slices(ct, structures, (k, y, x), window_hu=WIDE_HU, height_px=HEIGHT_PX)
        yield Figure(png, f"{what}: slice {k + 1} of {len(ct.hu)}")


def worst_slices(ct: CTVolume, drawn: list[Structure], clinical: list[Structure], what: str) -> Iterator[Figure]:
    """Yield, for every structure with a clinical counterpart, the slices on which they agree least."""
    known = {name: ours for name, ours in ALSO_KNOWN_AS.items() if ours != "SpinalCanal"}  # the canal is not the cord
    by_name = {known.get(s.name, s.name): s for s in clinical if s.contours}
    for structure in drawn:
        if structure.name not in by_name:
            continue
        theirs = by_name[structure.name]
        agreement = sorted(slice_dsc(structure, theirs))[:WORST]
        reference = Structure("clinical", 99, theirs.contours, color_rgb=CLINICAL_RGB)
        for dsc, k in agreement:
            shapes = [s.contours[k] for s in (structure, theirs) if k in s.contours]
            box = shapely.box(*shapely.total_bounds(shapes))
            at = voxel_at(ct.geometry, k, box.centroid.x, box.centroid.y)
            png = render_slices(ct, [structure, reference], at, window_hu=WIDE_HU, height_px=HEIGHT_PX)
            yield Figure(
                png, f"{what}, {structure.name}, worst: slice {k + 1}, DSC {dsc:.2f}; clinical contour in white"
            )


def slice_dsc(drawn: Structure, clinical: Structure) -> Iterator[tuple[float, int]]:
    """Yield DSC and slice wherever either area is large enough."""
    nothing = shapely.MultiPolygon()
    for k in sorted({*drawn.contours, *clinical.contours}):
        ours, theirs = drawn.contours.get(k, nothing), shapely.make_valid(clinical.contours.get(k, nothing))
        if ours.area + theirs.area >= LEAST_MM2:
            yield 2 * ours.intersection(theirs).area / (ours.area + theirs.area), k


def dicom_figures(folder: Path) -> Iterator[Figure]:
    for path in sorted(path for path in folder.iterdir() if (path / "ct").is_dir()):
        ct = read_ct(planning_cts(scan_folder(path / "ct", Job()))[0], Job())
        drawn = draw(ct)
        yield from three_views(ct, drawn, path.name)
        if (path / "rtstruct.dcm").exists():
            clinical = list(read_structure_set(path / "rtstruct.dcm", ct).structures)
            yield from worst_slices(ct, drawn, clinical, path.name)


def head_figures(folder: Path) -> Iterator[Figure]:
    files = sorted(folder.glob("*.npz"))
    for path in files[:: max(1, len(files) // HEADS)][:HEADS]:
        with np.load(path, allow_pickle=False) as arrays:
            hu, spacing = arrays["hu"], arrays["spacing_zyx_mm"]
        z, y, x = (float(mm) for mm in spacing)
        ct = CTVolume(hu, VolumeGeometry.regular(hu.shape, (z, y, x)))
        structures = draw(ct)
        at = middle_of(ct.geometry, [structure.contours for structure in structures])
        png = render_slices(ct, structures, at, window_hu=WIDE_HU, height_px=HEIGHT_PX)
        yield Figure(png, f"{path.stem}: {', '.join(structure.name for structure in structures)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dicom", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--openkbp", type=Path, help="folder of npz heads")
    args = parser.parse_args()
    figures = list(dicom_figures(args.dicom))
    if args.openkbp:
        figures += head_figures(args.openkbp)
    args.output.mkdir(parents=True, exist_ok=True)
    page = args.output / "pictures.html"
    write_page(page, "Contours drawn without training, on real CTs", figures=figures)
    print(f"{len(figures)} pictures in {page}")


if __name__ == "__main__":
    main()
