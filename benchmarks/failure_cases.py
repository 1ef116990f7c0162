"""Pictures of the organs that a package draws worst on openkbp's validation patients.

python benchmarks/failure_cases.py DATA [--package NAME] [--cases 10]

Goes by docs/model-card.json, which model_card.py wrote of the same package, and fills docs/failure-cases/; the target
levels, which are research, are left out. Each picture shows the slice where drawn and reference differ most, in three
planes: reference green, drawn red.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import matplotlib as mpl
import numpy as np
from cases import Case, Mask, Row, read_cases, run_case
from numpy.typing import NDArray

from autocontour.models import find_package

mpl.use("Agg")
DOCS = Path(__file__).resolve().parents[1] / "docs"
LEVELS_HU = {"cmap": "gray", "vmin": -160, "vmax": 240}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--package", default="head-and-neck")
    parser.add_argument("--cases", type=int, default=10)
    args = parser.parse_args()
    package = find_package(args.package)
    rows = [row for row in json.loads((DOCS / "model-card.json").read_text()) if not row["structure"].startswith("PTV")]
    worst = sorted(rows, key=lambda row: row["dsc"])[: args.cases]
    shutil.rmtree(DOCS / "failure-cases", ignore_errors=True)
    (DOCS / "failure-cases").mkdir()
    wanted = {row["patient"] for row in worst}
    for case in read_cases(args.data, "validation", package):
        drawn = run_case(case, package).masks if case.patient in wanted else {}
        for number, row in enumerate(worst, 1):
            if row["patient"] == case.patient:
                draw_case(case, drawn[row["structure"]], row, number)


def draw_case(case: Case, drawn: Mask, row: Row, number: int) -> None:
    """Save a case's picture and print what is known of it."""
    reference = case.masks[row["structure"]]
    name = f"{number:02d}-{row['patient']}-{row['structure']}.png"
    draw_planes(case.ct.hu, reference, drawn, case.ct.geometry.spacing_zyx_mm, DOCS / "failure-cases" / name)
    distance = "endless" if row["hd95_mm"] is None else f"{row['hd95_mm']:.0f} mm"
    print(
        f"{name}: DSC {row['dsc']:.2f}, HD95 {distance}, reference {row['volume_a_cc']:.1f} cm³, "
        f"drawn {row['volume_b_cc']:.1f} cm³, findings {', '.join(row['findings']) or 'none'}"
    )


def draw_planes(
    hu: NDArray[np.int16],
    reference: NDArray[np.bool_],
    drawn: NDArray[np.bool_],
    spacing_zyx_mm: tuple[float, float, float],
    path: Path,
) -> None:
    """Save the axial, coronal and sagittal slices where the two masks differ most, around both."""
    import matplotlib.pyplot as plt

    wrong = reference ^ drawn
    places = np.argwhere(reference | drawn)
    margin = np.ceil(40 / np.array(spacing_zyx_mm)).astype(int)
    start = np.maximum(places.min(axis=0) - margin, 0)
    stop = np.minimum(places.max(axis=0) + margin + 1, hu.shape)
    figure, axes = plt.subplots(1, 3, figsize=(10, 3.6), facecolor="black")
    for axis, panel in enumerate(axes):
        others = [k for k in range(3) if k != axis]
        index = int(wrong.sum(axis=tuple(others)).argmax())
        aspect = spacing_zyx_mm[others[0]] / spacing_zyx_mm[others[1]]
        panel.imshow(hu.take(index, axis), aspect=aspect, interpolation="bilinear", **LEVELS_HU)
        for mask, colour in ((reference, "lime"), (drawn, "red")):
            plane = mask.take(index, axis)
            if plane.any():
                panel.contour(plane, [0.5], colors=colour, linewidths=1.0)
        panel.set_xlim(start[others[1]] - 0.5, stop[others[1]] - 0.5)
        rows = (start[others[0]] - 0.5, stop[others[0]] - 0.5)
        panel.set_ylim(*(rows[::-1] if axis == 0 else rows))
        panel.set_axis_off()
    figure.subplots_adjust(0, 0, 1, 1, 0.02)
    figure.savefig(path, dpi=80, facecolor="black", pil_kwargs={"optimize": True})
    plt.close(figure)


if __name__ == "__main__":
    main()
