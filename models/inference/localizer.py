"""The localizer: the box of each structure in the whole scan, and the check of the package's body site."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from autocontour.base.jobs import Job
from autocontour.models.inference.body import find_body
from autocontour.models.inference.ensemble import Predicted, predict_stage
from autocontour.models.inference.intensity import OUTSIDE_HU
from autocontour.models.inference.plausibility import Measure, matches_site, measure_probability
from autocontour.models.inference.postprocess import apply_rules
from autocontour.models.inference.runtime import Runner
from autocontour.models.inference.sampling import Frame, Grid, sample_ct, sample_mask
from autocontour.models.inference.windows import Probability
from autocontour.models.package.description import Stage
from autocontour.models.package.package import ModelPackage
from autocontour.patient.geometry import Box, Floats
from autocontour.patient.volume import CTVolume


@dataclass(frozen=True)
class Patient:
    """A CT with the segmented body.

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

    def grid_of(self, stage: Stage) -> Grid:
        """Return the grid of a stage over the whole scan."""
        return Grid.over(self.body_grid.frame, stage.spacing_zyx_mm)

    def body_box(self, grid: Grid) -> Box:
        """Return the box of the body on `grid`."""
        return grid.box_of(self.low_zyx_mm, self.high_zyx_mm)

    def predict(self, stage: Stage, runner: Runner, boxes: Mapping[int, Box], job: Job, label: str) -> Predicted:
        """Run a stage over boxes of its grid; see `autocontour.models.inference.ensemble.predict_stage`."""
        grid = self.grid_of(stage)
        return predict_stage(runner, stage, lambda box: self.sample(grid.cropped(box)), boxes, job, label)


def find_patient(ct: CTVolume) -> Patient | None:
    """Find the body in a scan and return the patient; None if there is no body.

    Raises
    ------
    ModelError
        ``AC-MD-030`` for a CT too oblique to the patient's axes.
    """
    return Patient.of(ct, *find_body(ct, Frame.of(ct.geometry)))


@dataclass(frozen=True)
class Found:
    """Result of the localizer.

    Attributes
    ----------
    boxes_mm
        Structure → lower and upper edges of its box along z, y, x, margin included; structures not in the scan are
        missing.
    site_matches
        Whether the scan is of the package's body site.
    volumes_cc
        Structure → its volume in the localizer's result.
    """

    boxes_mm: Mapping[str, tuple[Floats, Floats]]
    site_matches: bool
    volumes_cc: Mapping[str, float] = field(default_factory=dict)


def locate_structures(patient: Patient, package: ModelPackage, runner: Runner, job: Job) -> Found:
    """Run the localizer over the whole body and return the boxes of the structures."""
    stage = package.stages["localizer"]
    boxes: dict[str, tuple[Floats, Floats]] = {}
    measures: dict[str, Measure] = {}
    probabilities, grid = localize_probabilities(patient, package, runner, job)
    for name, probability in probabilities.items():
        measure = measure_probability(probability, stage.threshold, grid)
        inside = Box.around(probability >= stage.threshold)
        if measure is None or inside is None:
            continue
        low, high = grid.edges_of(inside)
        margin_mm = package.structures[name].margin_mm
        boxes[name] = (low - margin_mm, high + margin_mm)
        measures[name] = measure
    volumes_cc = {name: measure.volume_cc for name, measure in measures.items()}
    return Found(boxes, matches_site(package, measures), volumes_cc)


def localize_probabilities(
    patient: Patient, package: ModelPackage, runner: Runner, job: Job
) -> tuple[dict[str, Probability], Grid]:
    """Run the localizer over the whole body.

    Returns
    -------
    dict[str, Probability]
        Structure → (z, y, x) probability, after the structure's postprocessing rules.
    Grid
        Grid of the probabilities.
    """
    stage = package.stages["localizer"]
    whole = patient.grid_of(stage)
    box = patient.body_box(whole)
    wanted = dict.fromkeys(range(len(package.structures)), box)
    probabilities = patient.predict(stage, runner, wanted, job, "finding the organs").probabilities
    grid = whole.cropped(box)
    cleaned = {
        name: apply_rules(
            probabilities[package.channel(name)], stage.threshold, structure.rules, grid, patient.midline_x_mm
        )[0]
        for name, structure in package.structures.items()
    }
    return cleaned, grid
