"""The segmenter: each structure's probability inside its box, at high resolution."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autocontour.base.findings import Finding
from autocontour.base.jobs import Job
from autocontour.contouring import contours_from_probability
from autocontour.models.inference.localizer import Patient
from autocontour.models.inference.postprocess import apply_rules
from autocontour.models.inference.runtime import Runner
from autocontour.models.inference.sampling import Grid
from autocontour.models.package.package import ModelPackage
from autocontour.patient.geometry import Box, Floats, VolumeGeometry
from autocontour.patient.structures import Contours

MOST_GROWTHS = 3


@dataclass(frozen=True)
class Segmented:
    """Result for one structure.

    Attributes
    ----------
    probability
        (z, y, x) over `grid`, after the structure's postprocessing rules.
    grid
        Its box.
    findings
        Findings about it.
    uncleaned
        The probability before postprocessing.
    agreement
        How far the networks of an ensemble agree on it, as a DSC; None for one network.
    """

    probability: NDArray[np.float32]
    grid: Grid
    findings: tuple[Finding, ...]
    uncleaned: NDArray[np.float32]
    agreement: float | None = None

    def contours_at(self, level: float, ct: VolumeGeometry) -> Contours:
        """Return the contours at a probability of `level` on the slices of a CT."""
        return contours_from_probability(self.on_ct_axes(), self.grid.geometry, ct, level=level)

    def on_ct_axes(self) -> NDArray[np.float32]:
        """Return the probability over the CT's w, v, u."""
        return np.ascontiguousarray(self.grid.frame.to_ct(self.probability))


def segment_boxes(
    patient: Patient,
    package: ModelPackage,
    runner: Runner,
    boxes_mm: Mapping[str, tuple[Floats, Floats]],
    job: Job,
) -> dict[str, Segmented]:
    """Run the segmenter over each structure's box, which is enlarged where the structure reaches its side.

    Parameters
    ----------
    patient
        The scan on the package's axes.
    package
        Whose segmenter is run.
    runner
        Runs the network.
    boxes_mm
        Structure → lower and upper edges of its box along the patient's z, y, x.
    job
        Reports progress; may cancel.

    Returns
    -------
    dict[str, Segmented]
        The results; structures that were not found are missing.
    """
    stage = package.stages["segmenter"]
    whole = patient.grid_of(stage)
    body = patient.body_box(whole)
    boxes = {name: _within(whole.box_of(*edges), body) for name, edges in boxes_mm.items()}
    outcome: dict[str, Segmented] = {}
    for growth in range(MOST_GROWTHS + 1):
        label = "contouring the organs" if growth == 0 else "contouring beyond the box"
        by_channel = {package.channel(name): box for name, box in boxes.items()}
        predicted = patient.predict(stage, runner, by_channel, job, label)
        smaller = (_smaller_windows(predicted.window_zyx),) if predicted.window_zyx != stage.window_zyx else ()
        grown: dict[str, Box] = {}
        for name, box in boxes.items():
            structure, grid, channel = package.structures[name], whole.cropped(box), package.channel(name)
            raw = predicted.probabilities[channel]
            cleaned, all_wrong = apply_rules(raw, structure.threshold, structure.rules, grid, patient.midline_x_mm)
            larger = _grow(cleaned >= structure.threshold, box, body, structure.margin_mm, stage.spacing_zyx_mm)
            findings = smaller + ((Finding.of("AC-MD-110", name, structure=name),) if all_wrong else ())
            if larger != box and growth == MOST_GROWTHS:
                findings += (Finding.of("AC-MD-103", name, structure=name, growths=MOST_GROWTHS),)
            elif larger != box:
                grown[name] = larger
            if cleaned.any():
                outcome[name] = Segmented(cleaned, grid, findings, raw, predicted.agreement.get(channel))
        boxes = grown
        if not boxes:
            break
    return outcome


def _grow(mask: NDArray[np.bool_], box: Box, limit: Box, margin_mm: float, spacing_zyx_mm: tuple[float, ...]) -> Box:
    """Return `box` grown on every side that the mask touches, within `limit`."""
    start, stop = list(box.start_zyx), list(box.stop_zyx)
    for axis in range(3):
        step = max(2, round(margin_mm / spacing_zyx_mm[axis]))
        ends = np.take(mask, (0, -1), axis=axis)
        if np.take(ends, 0, axis=axis).any():
            start[axis] = max(limit.start_zyx[axis], start[axis] - step)
        if np.take(ends, 1, axis=axis).any():
            stop[axis] = min(limit.stop_zyx[axis], stop[axis] + step)
    return Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))


def _within(box: Box, limit: Box) -> Box:
    start = np.clip(box.start_zyx, limit.start_zyx, np.subtract(limit.stop_zyx, 1)).tolist()
    stop = np.clip(box.stop_zyx, np.add(start, 1), limit.stop_zyx).tolist()
    return Box(tuple(start), tuple(stop))


def _smaller_windows(window: tuple[int, int, int]) -> Finding:
    return Finding.of("AC-MD-109", size="×".join(str(n) for n in window))
