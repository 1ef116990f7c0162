"""Calibration of a package on patients that its networks are not trained on, and the power of its findings.

Thresholds and limits are only derived from the validation patients. Whether a finding distinguishes a bad contour (DSC
below
`BAD_DSC`) from a good one is measured on the same patients by cross-validation: each fifth of them with limits from the
other four fifths.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autocontour.base.findings import Severity
from autocontour.base.jobs import Job
from autocontour.contouring import mask_from_contours
from autocontour.models.data.dataset import Dataset, Sample
from autocontour.models.inference.infer import segment_structures
from autocontour.models.inference.localizer import find_patient, locate_structures
from autocontour.models.inference.plausibility import (
    LEAST_CASES,
    Measure,
    check_measures,
    compute_statistics,
    predictors_of,
)
from autocontour.models.inference.postprocess import apply_rules
from autocontour.models.inference.runtime import Runner, open_runner
from autocontour.models.inference.segmenter import segment_boxes
from autocontour.models.package.description import PREDICTORS, Uncertainty
from autocontour.models.package.package import ModelPackage
from autocontour.models.training.metadata import Calibration
from autocontour.models.training.validate import dice

THRESHOLDS = tuple(round(0.3 + 0.05 * k, 2) for k in range(9))
NEAR_BEST = 0.003
UNCERTAIN_SHARE = 0.15
"""Fraction of the contoured structures of the validation patients that count as uncertain."""
GROUPS = 5
BAD_DSC = 0.6
LEAST_AUROC = 0.6
GRADED = ("AC-MD-102", "AC-MD-104", "AC-MD-105", "AC-MD-107")
"""Findings that predict a bad contour; the other findings of inference report a fault, and are always shown."""


@dataclass(frozen=True)
class Graded:
    """One patient contoured by a package.

    Attributes
    ----------
    measures
        Of every structure drawn.
    dsc
        Structure → DSC, for those drawn that are contoured in the patient.
    """

    measures: Mapping[str, Measure]
    dsc: Mapping[str, float]


def calibrate(
    package: ModelPackage, dataset: Dataset, organs: Sequence[str], job: Job, device: str = "auto"
) -> Calibration:
    """Determine a package's thresholds and limits, and measure its findings.

    Parameters
    ----------
    package
        With its weights; thresholds and limits in it are not used.
    dataset
        Patients for training and for validation.
    organs
        Structures by whose contours the findings are measured.
    job
        Reports progress; may cancel.
    device
        As of `autocontour.models.inference.infer.segment_structures`.
    """
    statistics = compute_statistics([measure_sample(sample, list(package.structures)) for sample in dataset.training])
    structures = {name: replace(one, statistics=statistics.get(name, {})) for name, one in package.structures.items()}
    return calibrate_limits(replace(package, structures=structures), dataset.validation, organs, job, device)


def calibrate_limits(
    package: ModelPackage, samples: Sequence[Sample], organs: Sequence[str], job: Job, device: str = "auto"
) -> Calibration:
    """Determine a package's thresholds and limits; the statistics of its structures stay.

    Parameters
    ----------
    package
        With its weights and statistics; thresholds and limits in it are not used.
    samples
        Patients that its networks are not trained on.
    organs, job, device
        As of `calibrate`.
    """
    chosen = choose_thresholds(package, samples, job, device)
    structures = {name: replace(one, threshold=chosen[name]["threshold"]) for name, one in package.structures.items()}
    package = replace(package, structures=structures, quiet_findings=frozenset(), uncertainty=None)
    graded = [
        grade_sample(package, sample, organs, device)
        for sample in job.track(samples, "measuring the findings", len(samples))
    ]
    uncertainty = calibrate_uncertainty(graded)
    plain = None if uncertainty is None else {"predictors": dict(uncertainty.predictors), "limit": uncertainty.limit}
    statistics = {name: one.statistics for name, one in package.structures.items()}
    return Calibration(chosen, statistics, plain, grade_findings(package, graded))


def choose_thresholds(
    package: ModelPackage, samples: Sequence[Sample], job: Job, device: str = "auto"
) -> dict[str, dict[str, float]]:
    """Return for every structure its threshold, and mean and median DSC of the validation patients at it.

    Among the thresholds within `NEAR_BEST` of the best mean DSC the one nearest to 0.5 is used: twenty patients do not
    allow a finer distinction.
    """
    runners = {role: open_runner(package, role, device) for role in package.stages}
    rows = [dice_by_threshold(package, runners, s) for s in job.track(samples, "choosing thresholds", len(samples))]
    chosen: dict[str, dict[str, float]] = {}
    for k, name in enumerate(package.structures):
        column = np.array([row[:, k] for row in rows]).reshape(-1, len(THRESHOLDS))
        known = column[np.isfinite(column).all(axis=1)]
        if not len(known):
            chosen[name] = {"threshold": 0.5}
            continue
        means = known.mean(axis=0)
        near = np.flatnonzero(means >= means.max() - NEAR_BEST)
        best = min(near.tolist(), key=lambda index: abs(THRESHOLDS[index] - 0.5))
        chosen[name] = {
            "threshold": THRESHOLDS[best],
            "validation_mean": round(float(means[best]), 4),
            "validation_median": round(float(np.median(known[:, best])), 4),
        }
    return chosen


def dice_by_threshold(package: ModelPackage, runners: Mapping[str, Runner], sample: Sample) -> NDArray[np.float64]:
    """Return the DSC at every threshold (rows) of every structure (columns); NaN where it is not contoured."""
    references = {name: sample.reference(k) for k, name in enumerate(package.structures)}
    result = np.full((len(THRESHOLDS), len(references)), np.nan)
    result[:, [reference is not None for reference in references.values()]] = 0.0
    ct = sample.to_ct()
    patient = find_patient(ct)
    if patient is None:
        return result
    boxes = dict.fromkeys(references, (patient.low_zyx_mm, patient.high_zyx_mm))
    if "localizer" in runners:
        boxes = dict(locate_structures(patient, package, runners["localizer"], Job()).boxes_mm)
    boxes = {name: box for name, box in boxes.items() if references[name] is not None}
    low = {name: replace(one, threshold=THRESHOLDS[0]) for name, one in package.structures.items()}
    largest = segment_boxes(patient, replace(package, structures=low), runners["segmenter"], boxes, Job())
    for name, outcome in largest.items():
        reference, rules = references[name], package.structures[name].rules
        for row, level in enumerate(THRESHOLDS):
            cleaned, _ = apply_rules(outcome.uncleaned, level, rules, outcome.grid, patient.midline_x_mm)
            contours = replace(outcome, probability=cleaned).contours_at(level, ct.geometry)
            if reference is not None and contours:
                drawn = mask_from_contours(contours, ct.geometry)
                result[row, package.channel(name)] = dice(reference, drawn, sample)
    return result


def grade_sample(package: ModelPackage, sample: Sample, organs: Sequence[str], device: str) -> Graded:
    """Contour a patient as in the program, and compare with the references."""
    ct = sample.to_ct()
    outcome = segment_structures(ct, package, organs, device=device)
    scores: dict[str, float] = {}
    for name, drawing in outcome.drawings.items():
        reference = sample.reference(package.channel(name))
        if reference is not None:
            scores[name] = dice(reference, mask_from_contours(drawing.contours, ct.geometry), sample)
    return Graded(outcome.measures, scores)


def calibrate_uncertainty(graded: Sequence[Graded]) -> Uncertainty | None:
    """Return when a structure counts as uncertain; None from fewer than ten structures. The DSC are not used."""
    measures = [one.measures[name] for one in graded for name in one.dsc]
    if len(measures) < LEAST_CASES:
        return None
    table = np.array([[predictors_of(measure)[name] for name in PREDICTORS] for measure in measures])
    known = [name for name, column in zip(PREDICTORS, table.T, strict=True) if np.isfinite(column).sum() >= LEAST_CASES]
    predictors = {
        name: (round(float(np.nanmean(column)), 4), round(max(1e-4, float(np.nanstd(column))), 4))
        for name, column in zip(PREDICTORS, table.T, strict=True)
        if name in known
    }
    uncertainty = Uncertainty(predictors, 0.0)
    scores = [uncertainty.score(predictors_of(measure)) for measure in measures]
    return replace(uncertainty, limit=round(float(np.quantile(scores, 1 - UNCERTAIN_SHARE)), 3))


def grade_findings(package: ModelPackage, graded: Sequence[Graded]) -> dict[str, dict[str, Any]]:
    """Return for every graded finding whether it is ``shown`` as a warning, and its power (see `compute_power`)."""
    rows: list[tuple[float, frozenset[str]]] = []
    for group in range(GROUPS):
        others = [one for index, one in enumerate(graded) if index % GROUPS != group]
        limits = replace(package, uncertainty=calibrate_uncertainty(others))
        rows += [row for one in graded[group::GROUPS] for row in _raised(limits, one)]
    powers = {code: compute_power(rows, code) for code in GRADED}
    return {
        code: {"shown": power["auroc"] is None or power["auroc"] >= LEAST_AUROC, **power}
        for code, power in powers.items()
    }


def _raised(package: ModelPackage, graded: Graded) -> list[tuple[float, frozenset[str]]]:
    """Return the DSC of each structure, and the codes that would be shown for it as warnings."""
    found = check_measures(package, graded.measures)
    return [
        (dsc, frozenset(f.code for f in found[name] if f.severity >= Severity.WARN)) for name, dsc in graded.dsc.items()
    ]


def compute_power(rows: Sequence[tuple[float, frozenset[str]]], code: str) -> dict[str, Any]:
    """Return how well a finding distinguishes bad contours from good ones.

    Parameters
    ----------
    rows
        DSC of each structure with the codes shown for it.
    code
        The finding.

    Returns
    -------
    dict
        ``structures`` and how many are ``bad`` (DSC below `BAD_DSC`) and ``raised``; ``sensitivity``, ``specificity``
        and ``auroc`` (the area under the curve of this one decision, the mean of both), null where they are undefined.
    """
    bad = np.array([dsc < BAD_DSC for dsc, _ in rows], dtype=bool)
    raised = np.array([code in codes for _, codes in rows], dtype=bool)
    sensitivity = float(raised[bad].mean()) if bad.any() else None
    specificity = float((~raised[~bad]).mean()) if (~bad).any() else None
    auroc = None if sensitivity is None or specificity is None else (sensitivity + specificity) / 2
    figures = {"sensitivity": sensitivity, "specificity": specificity, "auroc": auroc}
    rounded = {name: None if value is None else round(value, 3) for name, value in figures.items()}
    return {"structures": len(rows), "bad": int(bad.sum()), "raised": int(raised.sum()), **rounded}


def measure_sample(sample: Sample, structures: Sequence[str]) -> dict[str, Measure]:
    """Measure every reference of a patient; positions in mm are relative to the array's corner."""
    measures = {}
    ends = np.flatnonzero(sample.solid)[[0, -1]]
    for k, name in enumerate(structures):
        mask = sample.mask(k)
        if not sample.known[k] or not mask.any():
            continue
        places = np.argwhere(mask)
        z, y, x = (float(value) for value in places.mean(axis=0) * sample.spacing_zyx_mm)
        volume = float(len(places) * np.prod(sample.spacing_zyx_mm) / 1000)
        at_end = bool(places[:, 0].min() <= ends[0] or places[:, 0].max() >= ends[1])
        measures[name] = Measure(volume, (z, y, x), at_end=at_end)
    return measures
