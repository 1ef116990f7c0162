"""Building a model package from the best weights of a run, calibrated with the inference code of the program."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from autocontour.base.errors import TrainingError
from autocontour.base.jobs import Job
from autocontour.models.data.dataset import Dataset
from autocontour.models.data.fingerprint import sample_fingerprint
from autocontour.models.package.members import read_members
from autocontour.models.package.package import ModelPackage, write_package
from autocontour.models.training.calibrate import calibrate
from autocontour.models.training.config import TrainingConfig
from autocontour.models.training.curves import read_log
from autocontour.models.training.initial import initial_weights
from autocontour.models.training.loop import stage_identity
from autocontour.models.training.metadata import Calibration, build_metadata
from autocontour.models.training.run import begun_with, read_run_data

BEST = "best.pt"
LOG = "training.json"


def package_run(
    config: TrainingConfig,
    run: Path,
    job: Job,
    *,
    data: Path | None = None,
    source: ModelPackage | None = None,
    device: str = "auto",
) -> ModelPackage:
    """Write the package of a run into its folder ``package``, replacing an existing one.

    Parameters
    ----------
    config
        The run's configuration.
    run
        Folder that `autocontour.models.training.run.train_run` filled. Of each stage's folder only ``best.pt`` is
        needed (``average``, a state dict; ``step``; ``score``) and, if present, ``log.jsonl``.
    job
        Reports progress; may cancel.
    data
        Folder of the data, instead of the configuration's.
    source
        Package whose weights are used for stages that were not trained in the run. With it and an empty folder a
        package is calibrated again.
    device
        As of `autocontour.models.inference.infer.segment_structures`.

    Raises
    ------
    TrainingError
        ``AC-TR-007`` if a stage has no weights; ``AC-TR-004`` if they were trained for another network, grid or list
        of structures; ``AC-TR-008`` or ``AC-TR-011`` if those of `source` do not fit, ``AC-TR-031`` if they are
        those of several networks.
    """
    stages = {name: _read_stage(config, run, name, source) for name in config.stages}
    weights = {name: stage["weights"] for name, stage in stages.items()}
    dataset = read_run_data(config, job, data)
    organs = [name for name in config.data.structures if name not in config.package.research]
    with tempfile.TemporaryDirectory() as folder:
        draft = write_package(Path(folder) / "package", build_metadata(config, Calibration()), weights)
        calibration = calibrate(draft, dataset, organs, job, device)
    metadata = build_metadata(config, calibration)
    metadata["training"] = _summarize(config, dataset, stages) | {"begun_with": begun_with(run) or _name(source)}
    logs = {name: stage["log"] for name, stage in stages.items()}
    return write_package(run / "package", metadata, weights, {LOG: json.dumps(logs, indent=1)})


def _read_stage(config: TrainingConfig, run: Path, name: str, source: ModelPackage | None) -> dict[str, Any]:
    """Return a stage's weights, the log of its validations, and the metadata's summary of both."""
    if (run / name / BEST).exists():
        _check_origin(config, run / name, name)
        best = read_best(run / name)
        path = run / name / "log.jsonl"
        log = [line for line in read_log(path) if line["kind"] == "validate"] if path.exists() else []
        summary = {"step": best["step"], "validation_score": round(best["score"], 4)}
        return {"weights": halve_weights(best["average"]), "log": log, "summary": summary}
    if source is None:
        raise TrainingError("AC-TR-007", stage=name)
    if missing := [one for one in config.data.structures if one not in source.structures]:
        raise TrainingError("AC-TR-011", package=source.name, structure=missing[0])
    if name not in source.stages:
        raise TrainingError("AC-TR-007", stage=name)
    if source.networks(name) > 1:
        raise TrainingError("AC-TR-031", package=f"{source.name} {source.version}", stage=name)
    weights = initial_weights(source, name, config.stages[name], config.data.structures, config.data.seed)
    logs = json.loads(read_members(source.path).get(LOG, b"{}"))
    before = source.metadata.get("training", {}).get("stages", {}).get(name, {})
    summary = {key.replace("fold_", "validation_"): value for key, value in before.items()}
    if all(value.dtype == np.float16 for value in source.read_weights(name).values()):
        weights = halve_weights(weights)
    return {"weights": weights, "log": logs.get(name, []), "summary": summary | {"from": _name(source)}}


def read_best(folder: Path) -> dict[str, Any]:
    """Return the ``average`` weights of a stage's folder, with their ``step`` and ``score``."""
    best: dict[str, Any] = torch.load(folder / BEST, map_location="cpu", weights_only=True)
    return best


def _check_origin(config: TrainingConfig, folder: Path, name: str) -> None:
    """Reject weights trained for other structures or another grid, if the folder records these."""
    structures, checkpoint = folder / "structures.json", folder / "checkpoint.pt"
    if structures.exists() and json.loads(structures.read_text(encoding="utf-8")) != list(config.data.structures):
        raise TrainingError("AC-TR-004", stage=name)
    if checkpoint.exists():
        state = torch.load(checkpoint, map_location="cpu", weights_only=True, mmap=True)
        if state["identity"] != stage_identity(config.stages[name], config.data.structures):
            raise TrainingError("AC-TR-004", stage=name)


def _name(package: ModelPackage | None) -> str:
    return f"{package.name} {package.version} ({package.checksum})" if package else ""


def halve_weights(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights in float16; its precision is higher than that of bf16, in which the network runs."""
    return {name: value.half() if value.is_floating_point() else value for name, value in weights.items()}


def _summarize(config: TrainingConfig, dataset: Dataset, stages: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    return {
        "patients": len(dataset.training),
        "fingerprints": sorted(sample_fingerprint(sample) for sample in dataset.training),
        "validation_patients": [sample.patient for sample in dataset.validation],
        "quarantined": dataset.quarantined,
        "seed": config.data.seed,
        "history": config.package.history,
        "stages": {name: stage["summary"] for name, stage in stages.items()},
    }
