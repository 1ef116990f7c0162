"""A smaller package from a larger one: one network that learns from the probabilities of several, or a narrower one.

The student has the grid, window, rules, thresholds and structures of its teacher, in the same order. It starts from one
of the teacher's networks, from the mean of their weights, from the most important channels of one of them (pruning, see
`autocontour.models.training.prune`) or from random weights. Patients that were held out from the teacher's training
stay held out, and the candidate states everybody that the teacher or the student was trained on.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from autocontour.base.errors import TrainingError
from autocontour.base.jobs import Job
from autocontour.models.data.dataset import Dataset, Sample, read_dataset
from autocontour.models.data.fingerprint import data_checksum, sample_fingerprint
from autocontour.models.networks import narrow_network
from autocontour.models.package.package import ModelPackage, check_trainable, write_package
from autocontour.models.training.config import DataConfig, PackageConfig, StageConfig, TrainingConfig
from autocontour.models.training.initial import initial_weights
from autocontour.models.training.joined import calibrate_joined
from autocontour.models.training.loop import Trainer
from autocontour.models.training.packaging import halve_weights, read_best
from autocontour.models.training.prune import prune_network
from autocontour.models.training.retrain import CLINIC, next_version, start_run
from autocontour.models.training.teacher import Teacher

RECORD = "distillation.json"
TEACHER_SHARE = 0.7
RESEARCH_LOSS, RESEARCH_PATCHES = 0.2, 0.1
"""Weights of structures that are not drawn by default: they are kept, and do not take the network from the organs."""
RATES = {"network": 5e-4, "mean": 5e-4, "channels": 1e-3, "random": 2e-3}
MINUTES = 40.0
Start = Literal["network", "mean", "channels", "random"]


@dataclass(frozen=True)
class Distillation:
    """How a smaller package is made.

    Attributes
    ----------
    package
        The teacher.
    data
        Data set with the patients to learn from; its split ``train`` is used.
    start
        ``network``: weights of one network of the teacher; ``mean``: of all its networks; ``channels``: the most
        important channels of one network; ``random``.
    number
        Which network of the teacher, counted from 0; None for the one with the largest part in the mean.
    width
        Fraction of the channels of each layer; below 1 only with ``channels`` or ``random``.
    minutes, steps
        Budget of each stage that is trained; with `steps` above 0 the time is ignored.
    seed
        Of the patches, and of random weights.
    """

    package: ModelPackage
    data: Path
    start: Start = "network"
    number: int | None = None
    width: float = 1.0
    minutes: float = MINUTES
    steps: int = 0
    seed: int = 1

    @property
    def stages(self) -> tuple[str, ...]:
        """Stages that are trained: the segmenter, and a localizer of several networks."""
        return tuple(role for role in self.package.stages if role == "segmenter" or self.package.networks(role) > 1)

    def network(self, role: str) -> dict[str, Any]:
        """Return the description of the student's network; only the segmenter is narrowed."""
        network = self.package.stages[role].network
        return narrow_network(network, self.width) if self.width < 1 and role == "segmenter" else dict(network)


@dataclass(frozen=True)
class Split:
    """The patients of a distillation.

    Attributes
    ----------
    training
        To learn from.
    held_out
        Held out from the teacher's training, and from the student's.
    quarantined
        Excluded patient → why.
    """

    training: tuple[Sample, ...]
    held_out: tuple[Sample, ...]
    quarantined: dict[str, str]


def distill_package(plan: Distillation, run: Path, job: Job, *, device: str = "") -> ModelPackage:
    """Train the student and return the candidate, written into ``run/package``; a run that was stopped is continued.

    Thresholds and limits are determined anew on the patients held out, if there are any; which structures are drawn by
    default is not changed.

    Parameters
    ----------
    plan
        Teacher, data and student.
    run
        Folder of the run; ``distillation.json`` in it states teacher, settings and patients, by fingerprint.
    job
        Reports progress; may cancel.
    device
        Where the student is trained: see `autocontour.models.training.loop.Trainer`.

    Raises
    ------
    TrainingError
        ``AC-TR-035`` for a teacher that was not trained by this program, ``AC-TR-039`` for that of
        one patient, ``AC-TR-036`` if it has no network of that number, ``AC-TR-003`` if nobody is left to learn from,
        ``AC-TR-023`` if `run` belongs to another teacher, other data or other settings; or the errors of reading.
    ModelError
        ``AC-MD-022`` if the network cannot be narrowed so.
    """
    check_plan(plan)
    config = _configure(plan)
    split = read_split(plan, job)
    dataset = Dataset(split.training, (), split.quarantined)
    summary = _summarize(plan, split, config) | {"contents": data_checksum(dataset, CLINIC.augment)}
    start_run(run, RECORD, summary)
    weights: dict[str, Mapping[str, Any]] = {
        role: plan.package.read_weights(role) for role in plan.package.stages if role not in plan.stages
    }
    steps: dict[str, int] = {}
    for role in plan.stages:
        teacher = Teacher(plan.package, role, TEACHER_SHARE)
        begun = (run / role / "checkpoint.pt").exists()
        initial = None if begun else _initial(plan, role, config, dataset, teacher)
        Trainer(role, config, dataset, run / role, initial, device, teacher=teacher).run(job)
        best = read_best(run / role)
        weights[role], steps[role] = halve_weights(best["average"]), int(best["step"])
    metadata = _describe(plan, summary, split, steps)
    if split.held_out:
        with tempfile.TemporaryDirectory() as folder:
            metadata = _calibrate(write_package(Path(folder) / "package", metadata, weights), plan, job)
    return write_package(run / "package", metadata, weights)


def check_plan(plan: Distillation) -> None:
    """Raise an error if the package cannot be distilled so."""
    package = plan.package
    check_trainable(package)
    count = package.networks("segmenter")
    if plan.number is not None and not 0 <= plan.number < count:
        raise TrainingError("AC-TR-036", number=plan.number + 1, count=count)
    plan.network("segmenter")


def read_split(plan: Distillation, job: Job) -> Split:
    """Return the patients to learn from, and those held out from the teacher's training.

    Held out is who the teacher names as such and does not list as trained on, by fingerprint. The same CT under another
    name is not learnt from.
    """
    package = plan.package
    data = DataConfig(str(plan.data), tuple(package.structures), validation_patients=0)
    dataset = read_dataset(data, job)
    training = package.metadata.get("training", {})
    named = set(training.get("validation_patients", training.get("fold_patients", ())))
    seen = set(training.get("fingerprints", ()))
    prints = {sample.patient: sample_fingerprint(sample) for sample in dataset.training}
    held_out = {prints[one.patient] for one in dataset.training if one.patient in named} - seen
    learnt = tuple(one for one in dataset.training if prints[one.patient] not in held_out)
    if not learnt:
        raise TrainingError("AC-TR-003")
    kept = tuple(one for one in dataset.training if prints[one.patient] in held_out)
    return Split(learnt, kept, dataset.quarantined)


def _configure(plan: Distillation) -> TrainingConfig:
    package = plan.package
    research = [name for name, one in package.structures.items() if not one.drawn]
    stages = {}
    for role in plan.stages:
        stage = package.stages[role]
        stages[role] = StageConfig(
            network=plan.network(role),
            spacing_zyx_mm=stage.spacing_zyx_mm,
            window_zyx=stage.window_zyx,
            intensity_windows_hu=tuple(stage.intensity_windows_hu),
            minutes=plan.minutes,
            steps=plan.steps,
            learning_rate=RATES[plan.start],
            ema_decay=0.995,
            focus="body" if role == "localizer" else "structures",
            sampling_weights=dict.fromkeys(research, RESEARCH_PATCHES),
            loss_weights=dict.fromkeys(research, RESEARCH_LOSS),
            anywhere_probability=0.2,
            augment=CLINIC.augment,
        )
    data = DataConfig(str(plan.data), tuple(package.structures), validation_patients=0, seed=plan.seed)
    return TrainingConfig(package.name, data, stages, PackageConfig(package.body_site, package.license))


def _initial(
    plan: Distillation, role: str, config: TrainingConfig, dataset: Dataset, teacher: Teacher
) -> dict[str, Tensor] | None:
    """Return the weights that the student starts from; None for random ones."""
    package, stage, structures = plan.package, config.stages[role], config.data.structures
    if plan.start == "random":
        return None
    whole = replace(stage, network=dict(package.stages[role].network))
    count = package.networks(role)
    number = plan.number if plan.number is not None and plan.number < count else package.main_network(role)
    chosen = range(count) if plan.start == "mean" else [number]
    networks = [initial_weights(package, role, whole, structures, plan.seed, one) for one in chosen]
    weights = {name: torch.stack([one[name].float() for one in networks]).mean(0) for name in networks[0]}
    if stage.network == whole.network:
        return weights
    return prune_network(weights, whole, stage.network, dataset, structures, teacher, plan.seed)


def _summarize(plan: Distillation, split: Split, config: TrainingConfig) -> dict[str, Any]:
    package = plan.package
    return {
        "from": f"{package.name} {package.version} ({package.checksum})",
        "networks": {role: package.networks(role) for role in plan.stages},
        "structures": list(package.structures),
        "start": plan.start,
        "number": plan.number,
        "width": plan.width,
        "network": {role: stage.network for role, stage in config.stages.items()},
        "teacher_share": TEACHER_SHARE,
        "learning_rate": RATES[plan.start],
        "minutes": 0 if plan.steps else plan.minutes,
        "steps": plan.steps,
        "seed": plan.seed,
        "cases": sorted(map(sample_fingerprint, split.training)),
        "held_out": sorted(map(sample_fingerprint, split.held_out)),
        "quarantined": split.quarantined,
    }


def _origin(plan: Distillation) -> str:
    """Return what the student started from, in words; empty for random weights."""
    teacher, main = f"{plan.package.name} {plan.package.version} ({plan.package.checksum})", plan.package.main_network
    number = 1 + (main("segmenter") if plan.number is None else plan.number)
    network = f"network {number} of {teacher}"
    return {"random": "", "mean": f"the mean of the networks of {teacher}"}.get(plan.start, network)


def _describe(plan: Distillation, summary: dict[str, Any], split: Split, steps: Mapping[str, int]) -> dict[str, Any]:
    """Return the candidate's metadata: the teacher's, with the student's networks and what it learnt from.

    Everybody the teacher was trained on counts as trained on: the student learns what the teacher knows of them.
    """
    metadata: dict[str, Any] = json.loads(json.dumps(plan.package.metadata))
    training = metadata.setdefault("training", {})
    known = training.pop("fingerprints", None)
    if known is not None:  # else the list would be incomplete, and the gate must know
        training["fingerprints"] = sorted({*known, *summary["cases"]})
        training["patients"] = len(training["fingerprints"])
    training["validation_patients"] = sorted(one.patient for one in split.held_out)
    training.pop("fold_patients", None)
    before = {key: training.pop(key) for key in ("ensemble", "stages", "begun_with") if key in training}
    stages = before.get("stages", {})
    training["stages"] = {role: {"step": steps[role]} if role in steps else stages[role] for role in (*stages, *steps)}
    training["begun_with"] = _origin(plan)
    training["distilled"] = [*training.get("distilled", []), {**summary, "teacher": before}]
    for role in plan.stages:
        stage = metadata["stages"][role]
        stage.pop("members", None)
        stage["network"] = summary["network"][role]
    metadata.pop("validation", None)  # figures of other weights
    version = next_version(plan.package.version)
    what = f"pruned to {plan.width:g} of the channels" if plan.start == "channels" else "distilled into one network"
    metadata.setdefault("changelog", {})[version] = f"{what}, from {plan.package.name} {plan.package.version}"
    return metadata | {"version": version}


def _calibrate(draft: ModelPackage, plan: Distillation, job: Job) -> dict[str, Any]:
    """Return the metadata with thresholds and limits of the student's own; structures are drawn by default as before.

    A structure that the student draws worse must fail the gate, not disappear from what is drawn.
    """
    metadata, _ = calibrate_joined(draft, plan.data, job)
    for entry in metadata["structures"]:
        entry["drawn"] = plan.package.structures[entry["name"]].drawn
    return metadata
