"""From a run's best weights to a model package: thresholds from the fold, statistics from what was learnt."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from autocontour.base.errors import TrainingError
from autocontour.base.jobs import Job
from autocontour.models.data.dataset import Dataset, Sample
from autocontour.models.inference.plausibility import Measure, compute_statistics
from autocontour.models.networks import build_network
from autocontour.models.package.description import StructureRules
from autocontour.models.package.package import ModelPackage, write_package
from autocontour.models.training.config import StageConfig, TrainingConfig
from autocontour.models.training.curves import read_log
from autocontour.models.training.run import begun_with, read_run_data
from autocontour.models.training.validate import dice_of_sample, predict_sample

THRESHOLDS = tuple(round(0.3 + 0.05 * k, 2) for k in range(9))
NEAR_BEST = 0.003
LEAST_MEDIAN = 0.5  # of the DSC on the fold, for a structure to be drawn unasked
CONFIDENCE_PERCENTILE = 5.0
CONFIDENCE_SLACK = 0.95


def package_run(config: TrainingConfig, run: Path, job: Job, *, data: Path | None = None) -> ModelPackage:
    """Write the package of a run into its folder ``package``, replacing what is there.

    Parameters
    ----------
    run
        Folder that `autocontour.models.training.run.train_run` filled.
    data
        Folder of the data, in place of the configuration's.

    Raises
    ------
    TrainingError
        If a stage has no weights yet (``AC-TR-007``).
    """
    best = {name: read_best(run / name) for name in config.stages}
    dataset = read_run_data(config, job, data)
    weights = {name: _halved(found["average"]) for name, found in best.items()}
    network = load_average(config.stages["segmenter"], weights["segmenter"])
    chosen = choose_thresholds(network, dataset.validation, config, job)
    cases = [measure_sample(sample, config.data.structures) for sample in dataset.training]
    metadata = build_metadata(config, chosen, compute_statistics(cases), best)
    metadata["training"] = _training_summary(config, dataset, best) | {"begun_with": begun_with(run)}
    log = {name: [line for line in read_log(run / name / "log.jsonl") if line["kind"] == "validate"] for name in best}
    return write_package(run / "package", metadata, weights, {"training.json": json.dumps(log, indent=1)})


def _halved(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights in half the size; their precision stays above that of bf16, in which the network runs."""
    return {name: value.half() if value.is_floating_point() else value for name, value in weights.items()}


def read_best(folder: Path) -> dict[str, Any]:
    """Return a stage's averaged weights that did best on the fold, with their step and score."""
    path = folder / "best.pt"
    if not path.exists():
        raise TrainingError("AC-TR-007", f"The stage {folder.name} has no validated weights yet.", "Train it first.")
    found: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return found


def load_average(stage: StageConfig, weights: Mapping[str, Tensor]) -> nn.Module:
    """Build the stage's network with `weights`."""
    network = build_network(stage.network)
    network.load_state_dict(dict(weights))
    return network.eval()


def choose_thresholds(
    network: nn.Module, fold: Sequence[Sample], config: TrainingConfig, job: Job
) -> dict[str, dict[str, float]]:
    """Return for every structure its threshold, its mean and median DSC on the fold, and a least confidence.

    Among the thresholds within 0.003 of the best mean DSC the one nearest to 0.5 is taken: a fold of twenty tells no
    finer.
    """
    stage, names = config.stages["segmenter"], config.data.structures
    table, certainty = [], []
    for sample in job.track(fold, "choosing thresholds"):
        probability = predict_sample(network, sample, stage)
        table.append([dice_of_sample(probability, sample, [level] * len(names)) for level in THRESHOLDS])
        certainty.append(_confidences(probability))
    dice: NDArray[np.float64] = np.array(table)
    chosen = {}
    for k, name in enumerate(names):
        column, sure = dice[:, :, k], np.array(certainty)[:, k]
        sure = sure[np.isfinite(sure)]
        if np.isnan(column).all():
            chosen[name] = {"threshold": 0.5}
            continue
        means = np.nanmean(column, axis=0)
        near = [level for level, mean in zip(THRESHOLDS, means, strict=True) if mean >= means.max() - NEAR_BEST]
        threshold = min(near, key=lambda level: abs(level - 0.5))
        at = column[:, THRESHOLDS.index(threshold)]
        chosen[name] = {
            "threshold": threshold,
            "fold_mean": round(float(np.nanmean(at)), 4),
            "fold_median": round(float(np.nanmedian(at)), 4),
        }
        if len(sure):
            chosen[name]["confidence"] = round(CONFIDENCE_SLACK * float(np.percentile(sure, CONFIDENCE_PERCENTILE)), 3)
    return chosen


def _confidences(probability: Tensor) -> list[float]:
    """Return every structure's mean probability of its voxels, NaN where nothing is drawn."""
    return [float(one[one > 0.5].mean()) if bool((one > 0.5).any()) else float("nan") for one in probability]


def measure_sample(sample: Sample, structures: Sequence[str]) -> dict[str, Measure]:
    """Measure every contoured structure of a patient; mm run from the array's corner."""
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


def build_metadata(
    config: TrainingConfig,
    chosen: Mapping[str, Mapping[str, float]],
    statistics: Mapping[str, Mapping[str, Any]],
    best: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    """Return the content of ``metadata.json``."""
    told = config.package
    structures = [
        {
            "name": name,
            "drawn": name not in told.research and chosen[name].get("fold_median", 0.0) >= LEAST_MEDIAN,
            "threshold": chosen[name]["threshold"],
            "margin_mm": told.margin_mm,
            "rules": asdict(told.rules.get(name, StructureRules())),
            "statistics": dict(statistics.get(name, {})) | _confidence(chosen[name]),
        }
        for name in config.data.structures
    ]
    stages = {name: _stage(config.stages[name], told.localizer_threshold) for name in best}
    return {
        "format": 1,
        "name": config.name,
        "version": told.version,
        "changelog": dict(told.changelog),
        "monai_version": version("monai"),
        "pytorch_version": version("torch"),
        "numpy_version": version("numpy"),
        "task": "Segmentation of organs at risk on planning CT",
        "description": told.description,
        "authors": told.authors,
        "license": told.license,
        "data_source": told.data_source,
        "data_type": "DICOM CT",
        "intended_use": told.intended_use,
        "body_site": told.body_site,
        "site": {"anchors": list(told.anchors), "minimum": told.least_anchors},
        "structures": structures,
        "stages": stages,
        "network_data_format": {
            "inputs": {"image": {"type": "image", "format": "hounsfield", "modality": "CT"}},
            "outputs": {"pred": {"type": "probabilities", "channel_def": dict(enumerate(config.data.structures))}},
        },
    }


def _confidence(chosen: Mapping[str, float]) -> dict[str, float]:
    return {"confidence": chosen["confidence"]} if "confidence" in chosen else {}


def _stage(stage: StageConfig, threshold: float) -> dict[str, Any]:
    told = {
        "network": stage.network,
        "spacing_zyx_mm": stage.spacing_zyx_mm,
        "window_zyx": stage.window_zyx,
        "intensity_windows_hu": stage.intensity_windows_hu,
        "threshold": threshold if stage.focus == "body" else 0.5,
    }
    plain: dict[str, Any] = json.loads(json.dumps(told))
    return plain


def _training_summary(
    config: TrainingConfig, dataset: Dataset, best: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    stages = {name: {"step": found["step"], "fold_score": round(found["score"], 4)} for name, found in best.items()}
    return {
        "patients": len(dataset.training),
        "validation_patients": [sample.patient for sample in dataset.validation],
        "quarantined": dataset.quarantined,
        "seed": config.data.seed,
        "history": config.package.history,
        "stages": stages,
    }
