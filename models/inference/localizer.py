"""The first look: where each structure is in the whole scan, and whether it is a scan for this package at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autocontour.base.jobs import Job
from autocontour.models.inference.intensity import OUTSIDE_HU
from autocontour.models.inference.plausibility import Measure, matches_site, measure_probability
from autocontour.models.inference.postprocess import apply_rules
from autocontour.models.inference.runtime import Runner
from autocontour.models.inference.sampling import Grid, sample_ct, sample_mask
from autocontour.models.inference.windows import predict_boxes
from autocontour.models.package.package import ModelPackage
from autocontour.patient.geometry import Box, Floats
from autocontour.patient.volume import CTVolume


@dataclass(frozen=True)
class Patient:
    """A CT with its body cut out.

    Attributes
    ----------
    ct
        The scan.
    body
        Mask over `body_grid`.
    low_zyx_mm, high_zyx_mm
        Edges of the body along the patient's z, y, x.
    midline_x_mm
        The body's middle along x.
    """

    ct: CTVolume
    body: NDArray[np.bool_]
    body_grid: Grid
    low_zyx_mm: Floats
    high_zyx_mm: Floats
    midline_x_mm: float

    @classmethod
    def of(cls, ct: CTVolume, body: NDArray[np.bool_], body_grid: Grid) -> Patient | None:
        """Return the patient of a scan whose body was found; None if there is no body."""
        box = Box.around(body)
        if box is None:
            return None
        low, high = body_grid.edges_of(box)
        columns = body.sum(axis=(0, 1))
        return cls(ct, body, body_grid, low, high, float(columns @ body_grid.positions_mm(2) / columns.sum()))

    def sample(self, grid: Grid) -> NDArray[np.float32]:
        """Return HU on `grid`, `OUTSIDE_HU` outside the body."""
        hu = sample_ct(self.ct, grid)
        hu[~sample_mask(self.body, self.body_grid, grid)] = OUTSIDE_HU
        return np.maximum(hu, np.float32(OUTSIDE_HU))


@dataclass(frozen=True)
class Found:
    """What the first look found.

    Attributes
    ----------
    boxes_mm
        Structure → lower and upper edges of its box along z, y, x, margin included; what is not in the scan is missing.
    site_matches
        Whether the scan shows the package's part of the body.
    """

    boxes_mm: Mapping[str, tuple[Floats, Floats]]
    site_matches: bool


def locate_structures(patient: Patient, package: ModelPackage, runner: Runner, job: Job) -> Found:
    """Run the localizer over the whole body."""
    stage = package.stages["localizer"]
    whole = Grid.over(patient.body_grid.frame, stage.spacing_zyx_mm)
    box = whole.box_of(patient.low_zyx_mm, patient.high_zyx_mm)
    wanted = dict.fromkeys(range(len(package.structures)), box)
    probabilities, _ = predict_boxes(
        runner, stage, lambda part: patient.sample(whole.cropped(part)), wanted, job, "finding the organs"
    )
    grid = whole.cropped(box)
    boxes: dict[str, tuple[Floats, Floats]] = {}
    measures: dict[str, Measure] = {}
    for name, structure in package.structures.items():
        raw = probabilities[package.channel(name)]
        cleaned, _ = apply_rules(raw, stage.threshold, structure.rules, grid, patient.midline_x_mm)
        measure = measure_probability(cleaned, stage.threshold, grid)
        inside = Box.around(cleaned >= stage.threshold)
        if measure is None or inside is None:
            continue
        low, high = grid.edges_of(inside)
        boxes[name] = (low - structure.margin_mm, high + structure.margin_mm)
        measures[name] = measure
    return Found(boxes, matches_site(package, measures))
