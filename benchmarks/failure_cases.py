"""Pictures of the organs that a package draws worst on openkbp's validation patients.

python benchmarks/failure_cases.py DATA ROWS.json FOLDER [--package NAME] [--variant openvino] [--cases 10]

ROWS.json comes from validation.py. Each picture shows the slice where drawn and reference differ most, in three
planes: reference green, drawn red.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray
from validation import read_patient

from autocontour.contouring import mask_from_contours
from autocontour.jobs import Job
from autocontour.models import find_package, segment_structures

mpl.use("Agg")
LEVELS_HU = {"cmap": "gray", "vmin": -160, "vmax": 240}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("rows", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--package", default="head-and-neck")
    parser.add_argument("--variant", default="openvino")
    parser.add_argument("--cases", type=int, default=10)
    args = parser.parse_args()
    package = find_package(args.package)
    records = {r["patient"]: r for r in json.loads((args.data / "index.json").read_text())["patients"]}
    rows = json.loads(args.rows.read_text())[args.variant]
    args.folder.mkdir(parents=True, exist_ok=True)
    for number, row in enumerate(sorted(rows, key=lambda row: row["dsc"])[: args.cases], 1):
        ct, truth, _ = read_patient(args.data / "val" / f"{row['patient']}.npz", records[row["patient"]])
        found = segment_structures(ct, package, [row["structure"]], Job(), "cpu").drawings.get(row["structure"])
        reference = truth[row["structure"]]
        drawn = np.zeros_like(reference) if found is None else mask_from_contours(found.contours, ct.geometry)
        name = f"{number:02d}-{row['patient']}-{row['structure']}.png"
        draw_planes(ct.hu, reference, drawn, ct.geometry.spacing_zyx_mm, args.folder / name)
        volumes = [int(mask.sum()) * ct.geometry.voxel_volume_mm3 / 1000 for mask in (reference, drawn)]
        print(
            f"{name}: DSC {row['dsc']:.2f}, HD95 {row['hd95_mm']:.0f} mm, reference {volumes[0]:.1f} cm³, "
            f"drawn {volumes[1]:.1f} cm³, findings {', '.join(row['findings']) or 'none'}"
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
