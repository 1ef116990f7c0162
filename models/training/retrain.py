"""Retraining a package on a clinic's own cases, without forgetting what it knew.

The weights start from the package; patches come from the new cases and from a replay of earlier patients in turn
(experience replay: Rolnick et al. 2019, arXiv:1811.11682); and every step pulls the weights back towards the package's
(L2-SP: Li, Grandvalet, Davoine 2018, arXiv:1802.01483). Where there is no label, and in the patients that the package
was made from, the network learns the probabilities that the package has there (learning without forgetting: Li, Hoiem
2016, arXiv:1606.09282; on replay: Buzzega et al. 2020, arXiv:2004.07211): to train on with their labels changes the
volumes of organs that nobody corrected. Thresholds, statistics and limits stay those of the package: some cases are too
few to calibrate them anew.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from autocontour.base.errors import TrainingError
from autocontour.base.files import write_atomically
from autocontour.base.findings import Finding
from autocontour.base.jobs import Job
from autocontour.models.data.dataset import Dataset, Sample, read_dataset, read_index
from autocontour.models.data.fingerprint import data_checksum, sample_fingerprint
from autocontour.models.networks import head_names
from autocontour.models.package.ensemble import number_networks
from autocontour.models.package.package import ModelPackage, check_trainable, write_package
from autocontour.models.training.config import AugmentConfig, DataConfig, PackageConfig, StageConfig, TrainingConfig
from autocontour.models.training.initial import initial_weights
from autocontour.models.training.loop import Trainer
from autocontour.models.training.packaging import halve_weights, read_best
from autocontour.models.training.teacher import TeacherOfUnlabelled

RUN = "retraining.json"
BACKGROUND = -3.0
"""Logit with which an added structure begins: a probability of 0.05."""
STEPS_PER_CASE, LEAST_STEPS, MOST_STEPS = 40, 200, 4000


@dataclass(frozen=True)
class Manner:
    """How a package is retrained.

    Attributes
    ----------
    replay_share
        Fraction of the patches that come from the replay.
    replay_labels
        Fraction of the patches in which the labels of the package's original patients are used; in the others the
        network learns the package's probabilities. Those of other earlier patients are always used.
    teacher
        Whether the package's probabilities are learnt wherever there is no label (learning without forgetting: Li,
        Hoiem 2016, arXiv:1606.09282).
    research_weight
        Weight, in the loss and of the patches, of structures that the package does not draw by default and that no new
        case has.
    anchor, learning_rate, augment
        As of `autocontour.models.training.config.StageConfig`.
    """

    replay_share: float = 0.5
    replay_labels: float = 1.0
    teacher: bool = False
    research_weight: float = 1.0
    anchor: float = 0.02
    learning_rate: float = 5e-4
    augment: AugmentConfig = field(default_factory=AugmentConfig)


CLINIC = Manner(
    replay_labels=0.0,
    teacher=True,
    research_weight=0.1,
    augment=AugmentConfig(mirror_probability=0.0, gamma=0.2, low_resolution_probability=0.1),
)
"""For the cases of a clinic."""
PATIENT = Manner(
    anchor=0.005,
    learning_rate=1e-3,
    augment=AugmentConfig(
        rotation_zyx_deg=(12.0, 8.0, 15.0),
        scale=0.1,
        elastic_mm=5.0,
        mirror_probability=0.0,
        cut_probability=0.1,
        gamma=0.2,
        low_resolution_probability=0.1,
    ),
)
"""For the later CTs of one patient: posture and weight change, the organs do not."""


@dataclass(frozen=True)
class Retraining:
    """What a package is retrained on.

    Attributes
    ----------
    package
        The package in use.
    data
        Data set of the new cases; its split ``train`` is used.
    replay
        Data sets of earlier patients; without one only the pull towards the package's weights keeps what it knew.
    added
        Structures of `data` that the package does not have and shall learn.
    steps
        0 means `STEPS_PER_CASE` for each new case, from `LEAST_STEPS` to `MOST_STEPS`.
    manner
        `CLINIC` or `PATIENT`.
    seed
        Of the patches.
    samples
        How often sample slices of the new cases are written (`autocontour.models.training.samples`).
    """

    package: ModelPackage
    data: Path
    replay: tuple[Path, ...] = ()
    added: tuple[str, ...] = ()
    steps: int = 0
    manner: Manner = CLINIC
    seed: int = 1
    samples: int = 0

    @property
    def structures(self) -> tuple[str, ...]:
        """The package's structures, then the added ones."""
        return (*self.package.structures, *self.added)

    @property
    def stages(self) -> tuple[str, ...]:
        """Stages that are trained: the localizer only has to learn where an added structure is."""
        return tuple(role for role in self.package.stages if role == "segmenter" or self.added)


def retrain_package(plan: Retraining, run: Path, job: Job, *, device: str = "") -> ModelPackage:
    """Retrain and return the candidate, written into ``run/package``; a run that was stopped is continued.

    Each network of an ensemble is retrained.

    Parameters
    ----------
    plan
        Package and data.
    run
        Folder of the run; ``retraining.json`` in it lists what was learnt from, by fingerprint. A run whose contours,
        replay or settings have changed meanwhile is not continued.
    job
        Reports progress; may cancel.
    device
        Where it is trained: see `autocontour.models.training.loop.Trainer`.

    Raises
    ------
    TrainingError
        ``AC-TR-022`` if an added structure is in the package already or in no new case, ``AC-TR-023`` if `run` belongs
        to another retraining, ``AC-TR-024`` if no new case has a structure of the package, or the errors
        of `check_trainable` and of reading.
    """
    check_trainable(plan.package)
    dataset, cases = _read(plan, job)
    config = _configure(plan, cases)
    summary = _summarize(plan, dataset, cases, config)
    start_run(run, RUN, summary)
    weights = {role: plan.package.read_weights(role) for role in plan.package.stages}
    for role in plan.stages:
        count = plan.package.networks(role)
        networks = []
        for number in range(count):
            folder = run / (role if count == 1 else f"{role}.{number + 1}")
            initial = initial_weights(
                plan.package, role, config.stages[role], plan.structures, config.data.seed, number
            )
            added = [k for k, name in enumerate(plan.structures) if name in plan.added]
            _start_outputs(initial, config.stages[role].network, added)
            teacher = TeacherOfUnlabelled(plan.package, role) if plan.manner.teacher else None
            trainer = Trainer(role, config, dataset, folder, initial, device, added=added, teacher=teacher)
            trainer.show_samples(cases, plan.samples if role == "segmenter" else 0)
            trainer.run(job)
            best = halve_weights(read_best(folder)["average"])
            networks.append({name: value.numpy() for name, value in best.items()})
        weights[role] = number_networks(networks)
    return write_package(run / "package", _describe(plan, summary, dataset), weights)


def about_retraining(plan: Retraining, candidate: ModelPackage) -> Iterator[Finding]:
    """Yield what the candidate did not learn from.

    ``AC-TR-040`` for patients that could not be read, and ``AC-AD-010`` for each structure of the new cases that is
    neither one of the package nor was added.
    """
    damaged = candidate.metadata["training"]["retrained"][-1]["quarantined"]
    for patient, reason in sorted(damaged.items())[:1]:
        yield Finding.of("AC-TR-040", count=len(damaged), patient=patient, reason=reason)
    cases = [entry for entry in read_index(plan.data)["patients"] if entry["split"] == "train"]
    contoured = {name for entry in cases for name in entry.get("structures", entry.get("voxels", ()))}
    for name in sorted(contoured - set(plan.structures)):
        yield Finding.of("AC-AD-010", name, structure=name)


def _start_outputs(weights: dict[str, Tensor], network: Any, added: Sequence[int]) -> None:  # noqa: ANN401
    """Let the outputs of added structures begin as background everywhere, which disturbs nothing that is known."""
    weight, bias = head_names(network)
    weights[weight][added] = 0.0
    weights[bias][added] = BACKGROUND


def _read(plan: Retraining, job: Job) -> tuple[Dataset, list[Sample]]:
    """Return new cases and replay as one data set, and the new cases."""
    new = _read_all(plan.data, plan.structures, job)
    for name in plan.added:
        k = plan.structures.index(name)
        if name in plan.package.structures or not any(sample.known[k] for sample in new.training):
            raise TrainingError("AC-TR-022", structure=name)
    if not any(sample.known.any() for sample in new.training):
        raise TrainingError("AC-TR-024")
    cases = list(new.training)
    prints = {sample_fingerprint(sample) for sample in cases}
    original = _original_patients(plan.package)
    earlier = []
    replayed = [(folder, _read_all(folder, plan.structures, job)) for folder in plan.replay]
    damaged = {f"{folder.name}/{name}": why for folder, one in replayed for name, why in one.quarantined.items()}
    new = replace(new, quarantined=new.quarantined | damaged)
    for sample in (sample for _, one in replayed for sample in one.training):
        fingerprint = sample_fingerprint(sample)
        if fingerprint not in prints:
            trust = plan.manner.replay_labels if fingerprint in original else 1.0
            earlier.append(_with_trust(sample, trust))
    if not earlier:
        return new, cases
    share = plan.manner.replay_share
    shares = [(1 - share) / len(cases)] * len(cases) + [share / len(earlier)] * len(earlier)
    return Dataset((*cases, *earlier), (), new.quarantined, tuple(shares)), cases


def _original_patients(package: ModelPackage) -> set[str]:
    """Return the fingerprints of the patients that the package was trained on before any retraining.

    The clinic's own cases are not among them: their corrections go on being learnt.
    """
    training = package.metadata.get("training", {})
    corrected = {case for entry in training.get("retrained", ()) for case in entry.get("cases", ())}
    return set(training.get("fingerprints", ())) - corrected


def _with_trust(sample: Sample, trust: float) -> Sample:
    """Return a patient whose labels are used in a fraction of the patches."""
    if trust == 1:
        return sample
    mine = np.ones(len(sample.known), np.float32) if sample.trust is None else sample.trust
    return replace(sample, trust=mine * np.float32(trust))


def _read_all(folder: Path, structures: Sequence[str], job: Job) -> Dataset:
    data = DataConfig(str(folder), tuple(structures), validation_patients=0)
    return read_dataset(data, job)


def _configure(plan: Retraining, cases: Sequence[Sample]) -> TrainingConfig:
    steps = plan.steps or int(np.clip(STEPS_PER_CASE * len(cases), LEAST_STEPS, MOST_STEPS))
    contoured = np.any([sample.known for sample in cases], axis=0)
    unused = [
        name
        for name, has in zip(plan.structures, contoured, strict=True)
        if not has and name in plan.package.structures and not plan.package.structures[name].drawn
    ]
    weights = dict.fromkeys(unused, plan.manner.research_weight) if plan.manner.research_weight != 1 else {}
    stages = {
        role: StageConfig(
            network=_with_outputs(stage.network, len(plan.structures)),
            spacing_zyx_mm=stage.spacing_zyx_mm,
            window_zyx=stage.window_zyx,
            intensity_windows_hu=tuple(stage.intensity_windows_hu),
            steps=steps,
            learning_rate=plan.manner.learning_rate,
            ema_decay=0.99,
            sampling_weights=weights,
            loss_weights=weights,
            anchor=plan.manner.anchor,
            focus="body" if role == "localizer" else "structures",
            augment=plan.manner.augment,
        )
        for role, stage in plan.package.stages.items()
    }
    data = DataConfig(str(plan.data), plan.structures, validation_patients=0, seed=plan.seed)
    package = PackageConfig(plan.package.body_site, plan.package.license)
    return TrainingConfig(plan.package.name, data, stages, package)


def _with_outputs(network: Any, count: int) -> Any:  # noqa: ANN401  (a network's description)
    return {**network, "out_channels": count}


def _summarize(plan: Retraining, dataset: Dataset, cases: Sequence[Sample], config: TrainingConfig) -> dict[str, Any]:
    package, stage = plan.package, config.stages["segmenter"]
    return {
        "from": f"{package.name} {package.version} ({package.checksum})",
        "cases": sorted(sample_fingerprint(sample) for sample in cases),
        "contents": data_checksum(dataset, plan.seed, plan.manner),
        "replayed": len(dataset.training) - len(cases),
        "quarantined": dataset.quarantined,
        "added": list(plan.added),
        "structures": [name for k, name in enumerate(plan.structures) if any(one.known[k] for one in cases)],
        "steps": stage.steps,
        "learning_rate": stage.learning_rate,
        "anchor": stage.anchor,
        "teacher": plan.manner.teacher,
        "replay_labels": plan.manner.replay_labels,
    }


def start_run(run: Path, record: str, summary: dict[str, Any]) -> None:
    """Write the summary of a new run; reject a folder of a run with another teacher, other cases or other settings.

    Parameters
    ----------
    run
        Folder of the run.
    record
        Name of the summary's file; a folder with checkpoints and without that file belongs to a run of another kind.
    summary
        What must be the same when the run is continued.
    """
    path = run / record
    before = json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
    if before is None and any(run.glob("*/checkpoint.pt")):
        raise TrainingError("AC-TR-023", folder=run.name)
    if before is not None and before != json.loads(json.dumps(summary)):
        raise TrainingError("AC-TR-023", folder=run.name)
    run.mkdir(parents=True, exist_ok=True)
    write_atomically(path, json.dumps(summary, indent=1).encode())


def _describe(plan: Retraining, summary: dict[str, Any], dataset: Dataset) -> dict[str, Any]:
    """Return the candidate's metadata: the package's, with its next version and what was learnt from.

    The patients of the replay are listed too: one of them who is not known to the package may be a test patient.
    """
    metadata: dict[str, Any] = json.loads(json.dumps(plan.package.metadata))
    training = metadata.setdefault("training", {})
    known = training.pop("fingerprints", None)
    if known is not None:  # without those of the package the list would be incomplete, and the gate must know
        training["fingerprints"] = sorted({*known, *map(sample_fingerprint, dataset.training)})
    training["retrained"] = [*training.get("retrained", []), summary]
    for entry in metadata["structures"]:
        entry.pop("habit", None)  # the new weights learn it from the cases
    metadata["structures"] += [{"name": name, "drawn": True} for name in plan.added]
    for stage in metadata["stages"].values():
        stage["network"] = _with_outputs(stage["network"], len(plan.structures))
    outputs = {"type": "probabilities", "channel_def": dict(enumerate(plan.structures))}
    metadata["network_data_format"]["outputs"] = {"pred": outputs}
    metadata.pop("validation", None)  # figures of other weights
    changes = metadata.setdefault("changelog", {})
    version = next_version(plan.package.version)
    changes[version] = f"retrained on {len(summary['cases'])} cases of the clinic"
    return metadata | {"version": version}


def next_version(version: str) -> str:
    """Return the version of the next retraining: 1.2.0 → 1.2.0+1 → 1.2.0+2.

    Examples
    --------
    >>> next_version("1.2.0"), next_version("1.2.0+9")
    ('1.2.0+1', '1.2.0+10')
    """
    match = re.fullmatch(r"(.*)\+(\d+)", version)
    return f"{match[1]}+{int(match[2]) + 1}" if match else f"{version}+1"
