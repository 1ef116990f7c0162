"""Pictures of the worst cases of a package."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from autocontour.base.jobs import Job
from autocontour.models import ModelPackage
from autocontour.qa.commissioning.cohort import CohortCase, read_cases
from autocontour.qa.commissioning.measure import MeasuredStructure, run_case

LEVELS_HU = {"cmap": "gray", "vmin": -160, "vmax": 240}
MARGIN_MM = 40.0


def worst_of(rows: Sequence[MeasuredStructure], package: ModelPackage, count: int) -> list[MeasuredStructure]:
    """Return the rows with the lowest DSC, the worst first; structures that are off by default are left out."""
    shown = [row for row in rows if row.structure in package.drawn_names]
    return sorted(shown, key=lambda row: row.metrics.dsc)[:count]


def write_failures(
    package: ModelPackage,
    data: Path,
    split: str,
    rows: Sequence[MeasuredStructure],
    folder: Path,
    job: Job,
    *,
    device: str = "auto",
) -> str:
    """Draw the given rows into `folder`, which is emptied first, and return a table of them as Markdown.

    Each picture shows the slice on which drawn and reference differ most, in three planes: reference green, drawn red.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    patients = {row.patient for row in rows}
    for case in job.track(read_cases(data, split, package), "drawing the worst cases"):
        if case.patient not in patients:
            continue
        masks = run_case(case, package, device).masks
        for number, row in enumerate(rows, 1):
            if row.patient == case.patient:
                draw_planes(case, row.structure, masks[row.structure], folder / _name(number, row))
    lines = ["| # | patient | structure | DSC | HD95 mm | reference cm³ | drawn cm³ | findings |", "|---" * 8 + "|"]
    for number, row in enumerate(rows, 1):
        metrics = row.metrics
        distance = f"{metrics.hd95_mm:.0f}" if np.isfinite(metrics.hd95_mm) else "∞"
        lines.append(
            f"| {number} | {row.patient} | {row.structure} | {metrics.dsc:.2f} | {distance} "
            f"| {metrics.volume_a_cc:.1f} | {metrics.volume_b_cc:.1f} | {', '.join(row.findings) or 'none'} |"
        )
    pictures = [f"![{_name(n, row)[:-4]}]({folder.name}/{_name(n, row)})" for n, row in enumerate(rows, 1)]
    return "\n".join([*lines, "", *pictures, ""])


def _name(number: int, row: MeasuredStructure) -> str:
    return f"{number:02d}-{row.patient}-{row.structure}.png"


def draw_planes(case: CohortCase, name: str, drawn: NDArray[np.bool_], path: Path) -> None:
    """Save the axial, coronal and sagittal slices on which the two masks differ most, around both."""
    from matplotlib.figure import Figure

    reference, hu, spacing_zyx_mm = case.references[name], case.ct.hu, case.ct.geometry.spacing_zyx_mm
    different, places = reference ^ drawn, np.argwhere(reference | drawn)
    margin = np.ceil(MARGIN_MM / np.array(spacing_zyx_mm)).astype(int)
    start = np.maximum(places.min(axis=0) - margin, 0)
    stop = np.minimum(places.max(axis=0) + margin + 1, hu.shape)
    figure = Figure(figsize=(10, 3.6), facecolor="black")
    for axis, panel in enumerate(figure.subplots(1, 3)):
        others = [k for k in range(3) if k != axis]
        index = int(different.sum(axis=tuple(others)).argmax())
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
