"""A whole run: every stage trained in its own folder, then a model package written from the best weights."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from autocontour.base.errors import TrainingError
from autocontour.base.files import write_atomically
from autocontour.base.jobs import Job
from autocontour.models.data.dataset import Dataset, read_dataset
from autocontour.models.data.fingerprint import data_checksum
from autocontour.models.package.package import ModelPackage
from autocontour.models.training.config import TrainingConfig
from autocontour.models.training.initial import initial_weights
from autocontour.models.training.loop import Trainer
from autocontour.models.training.parallel import join_processes

DATA = "data.json"


def train_run(
    config: TrainingConfig,
    folder: Path,
    job: Job,
    *,
    data: Path | None = None,
    stages: Sequence[str] | None = None,
    source: ModelPackage | None = None,
    events: bool = False,
) -> dict[str, Any]:
    """Train the stages of `config`, each continued from its last checkpoint, and return a summary.

    Parameters
    ----------
    config
        The configuration.
    folder
        The run's; each stage has a folder in it, and ``data.json`` lists the patients for training, those for
        validation, and excluded ones with the reasons.
    job
        Reports progress; may cancel.
    data
        Folder of the data, instead of the configuration's.
    stages
        Stages to train; all if None.
    source
        Package with the initial weights of each stage that is not continued; random weights if None.
    events
        Whether the logs are also written as TensorBoard's event files.

    Raises
    ------
    TrainingError
        ``AC-TR-006`` for a stage that is not in the configuration, ``AC-TR-008`` for a package whose weights do not
        fit, ``AC-TR-009`` or ``AC-TR-012`` for a run that was started from other weights, ``AC-TR-021`` if no patient
        is held out for validation, ``AC-TR-025`` for a structure that no patient has, ``AC-TR-037`` if patients or
        contours have changed since the run was started, or the errors of reading the data.
    """
    wanted = list(stages or config.stages)
    if unknown := [name for name in wanted if name not in config.stages]:
        raise TrainingError("AC-TR-006", stage=unknown[0], known=", ".join(config.stages))
    start = _check_start(folder, source)
    dataset = read_run_data(config, job, data)
    if not dataset.validation:
        raise TrainingError("AC-TR-021")
    for k, name in enumerate(config.data.structures):
        if not any(sample.known[k] for sample in dataset.training):
            raise TrainingError("AC-TR-025", structure=name)
    summary = _summary(dataset) | {"begun_with": start, "contents": data_checksum(dataset)}
    _check_unchanged(folder, summary["contents"])
    processes, device = join_processes()
    processes.wait()  # until all have read the folder as it was
    if processes.is_first:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / DATA, json.dumps(summary, indent=1).encode())
    for name in wanted:
        structures, seed = config.data.structures, config.data.seed
        initial = initial_weights(source, name, config.stages[name], structures, seed) if source else None
        trainer = Trainer(name, config, dataset, folder / name, initial, device, processes=processes, events=events)
        trainer.run(job)
        minutes, patches = trainer.elapsed_s / 60, trainer.step * config.stages[name].batch
        rate = round(patches / trainer.elapsed_s, 2) if trainer.elapsed_s else 0.0
        summary[name] = {"steps": trainer.step, "minutes": round(minutes, 1), "score": trainer.best}
        summary[name] |= {"patches_per_s": rate, "device": str(trainer.device), "processes": processes.count}
    return summary


def begun_with(folder: Path) -> str:
    """Return the package whose weights the run in `folder` was started from; empty for random ones."""
    path = folder / DATA
    return str(json.loads(path.read_text(encoding="utf-8")).get("begun_with", "")) if path.exists() else ""


def _check_start(folder: Path, package: ModelPackage | None) -> str:
    """Return the package that the run starts from; reject a run that was started from another one."""
    named = f"{package.name} {package.version} ({package.checksum})" if package else ""
    before = begun_with(folder)
    if (folder / DATA).exists() and before != named:
        if before:
            raise TrainingError("AC-TR-009", folder=folder.name, start=before)
        raise TrainingError("AC-TR-012", folder=folder.name)
    return named


def _check_unchanged(folder: Path, contents: str) -> None:
    """Reject a run with a checkpoint that was started with other patients or contours, or another division of them.

    Runs of earlier versions have not recorded it.
    """
    path = folder / DATA
    before = json.loads(path.read_text(encoding="utf-8")).get("contents") if path.exists() else None
    if before not in (None, contents) and any(folder.glob("*/checkpoint.pt")):
        raise TrainingError("AC-TR-037", folder=folder.name)


def read_run_data(config: TrainingConfig, job: Job, data: Path | None = None) -> Dataset:
    """Read the data of `config`, or from the folder `data` if it is given."""
    return read_dataset(config.data if data is None else replace(config.data, folder=str(data)), job)


def _summary(dataset: Dataset) -> dict[str, Any]:
    return {
        "training": [sample.patient for sample in dataset.training],
        "validation": [sample.patient for sample in dataset.validation],
        "quarantined": dataset.quarantined,
    }
