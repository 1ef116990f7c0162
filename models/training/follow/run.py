"""A whole run: patients prepared, the network trained, its weights and their card written."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from autocontour.base.errors import TrainingError
from autocontour.base.files import write_atomically
from autocontour.base.jobs import Job
from autocontour.base.typed import SettingsError, read_file, read_toml
from autocontour.models.data.dataset import choose_validation, read_index, read_patient
from autocontour.models.data.fingerprint import sample_fingerprint
from autocontour.models.data.sample import Sample
from autocontour.models.follow.channels import Array
from autocontour.models.follow.network import CARD, WEIGHTS
from autocontour.models.inference.localizer import find_patient, locate_structures
from autocontour.models.inference.runtime import Runner, open_runner
from autocontour.models.inference.sampling import Grid, resampling_weights
from autocontour.models.inference.segmenter import Segmented, segment_boxes
from autocontour.models.package.library import find_package
from autocontour.models.package.package import ModelPackage
from autocontour.models.training.config import DataConfig
from autocontour.models.training.follow.config import KIND, FollowConfig
from autocontour.models.training.follow.loop import FollowTrainer
from autocontour.models.training.follow.patients import (
    Prepared,
    Stored,
    plane_distances,
    read_prepared,
    write_prepared,
)
from autocontour.models.training.packaging import halve_weights

FINGERPRINTS = "fingerprints.json"


def is_follow_config(path: Path) -> bool:
    """Whether a TOML file is the configuration of such a run; False for a file that cannot be read."""
    try:
        return tomllib.loads(read_file(path).decode("utf-8-sig")).get("kind") == KIND
    except (OSError, ValueError, RecursionError):
        return False


def read_follow_config(path: Path) -> FollowConfig:
    """Read a configuration and check every setting; raises as `autocontour.models.training.config.read_config`."""
    try:
        return read_toml(FollowConfig, read_file(path))
    except SettingsError as error:
        raise TrainingError("AC-TR-001", problems=error.problems, name=path.name, count=len(error.problems)) from error


def train_follow(config: FollowConfig, folder: Path, job: Job, *, data: Path | None = None) -> dict[str, Any]:
    """Prepare the patients, train, and write the weights into ``weights`` of the run's folder.

    Every part is continued if the folder exists: prepared patients are kept, training goes on from its checkpoint.

    Parameters
    ----------
    config
        The configuration.
    folder
        Of the run.
    job
        Reports progress; may cancel.
    data
        Folder of the data, instead of the configuration's.
    """
    config = replace(config, data=str(data)) if data is not None else config
    folder.mkdir(parents=True, exist_ok=True)
    prepare_patients(config, folder / "patients", job)
    training, held_out = _split(config)
    patients = [read_prepared(path) for path in _prepared_paths(folder / "patients", training)]
    if not patients:
        raise TrainingError("AC-TR-003")
    trainer = FollowTrainer(patients, config.stage, folder, config.seed)
    trainer.run(job)
    write_follow_weights(config, folder)
    return {"patients": len(patients), "held_out": list(held_out), "steps": trainer.step, "weights": str(folder)}


def write_follow_weights(config: FollowConfig, folder: Path) -> Path:
    """Write the averaged weights of a run's checkpoint with their card into its folder ``weights``.

    Raises
    ------
    TrainingError
        ``AC-TR-007`` if the run has no checkpoint.
    """
    from safetensors.numpy import save

    path = folder / "checkpoint.pt"
    if not path.exists():
        raise TrainingError("AC-TR-007", stage="follow")
    state = torch.load(path, map_location="cpu", weights_only=True)
    weights = {name: value.numpy() for name, value in halve_weights(state["average"]).items()}
    content = save(weights)
    training, held_out = _split(config)
    known = _read_fingerprints(folder / "patients")
    card = {
        "name": config.name,
        "version": config.version,
        "license": config.license,
        "data_source": config.data_source,
        "history": config.history,
        "intended_use": "Proposals for review by qualified staff; never to be used unreviewed.",
        "structures": list(config.stage.structures),
        "training": {
            "patients": len(training),
            "held_out": list(held_out),
            "fingerprints": sorted(known[name] for name in training if name in known),
            "steps": state["step"],
            "minutes": round(state["elapsed_s"] / 60, 1),
            "automatic": config.stage.automatic,
            "settings": json.loads(json.dumps(asdict(config.stage))),
        },
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    target = folder / "weights"
    target.mkdir(exist_ok=True)
    write_atomically(target / WEIGHTS, content)
    write_atomically(target / CARD, json.dumps(card, indent=1).encode())
    return target


def prepare_patients(config: FollowConfig, folder: Path, job: Job) -> None:
    """Draw the automatic contours of every patient of the split, and store it on the network's grid.

    Contours are drawn by the first package of `FollowStage.automatic` and `FollowStage.folds` that was not trained on
    the patient, or by the first of all.
    """
    index = read_index(config.folder)
    folder.mkdir(parents=True, exist_ok=True)
    entries = [entry for entry in index["patients"] if entry["split"] == config.split]
    todo = [entry for entry in entries if not (folder / f"{entry['patient']}.npz").exists()]
    if not todo:
        return
    drawers = [_Drawer.open(name) for name in (config.stage.automatic, *config.stage.folds)]
    fingerprints = _read_fingerprints(folder)
    for entry in job.track(todo, "drawing the automatic contours"):
        sample = read_patient(config.folder, entry, index, config.stage.structures)
        fingerprint = sample_fingerprint(sample)
        drawer = next((one for one in drawers if not one.has_seen(fingerprint)), drawers[0])
        prepared = prepare_patient(sample, config.stage.structures, drawer.package, drawer.runners)
        if prepared is not None:
            prepared = replace(prepared, is_seen=drawer.has_seen(fingerprint))
            write_prepared(folder / f"{entry['patient']}.npz", prepared)
            fingerprints[str(entry["patient"])] = fingerprint
            write_atomically(folder / FINGERPRINTS, json.dumps(fingerprints).encode())


@dataclass(frozen=True)
class _Drawer:
    """A package that draws automatic contours, ready to run."""

    package: ModelPackage
    runners: dict[str, Runner]

    @classmethod
    def open(cls, name: str) -> _Drawer:
        package = find_package(name)
        return cls(package, {role: open_runner(package, role) for role in package.stages})

    def has_seen(self, fingerprint: str) -> bool:
        """Whether the package was trained on a patient; True as well if it does not state its patients."""
        known = self.package.metadata.get("training", {}).get("fingerprints")
        return known is None or fingerprint in known


def prepare_patient(
    sample: Sample, structures: tuple[str, ...], package: ModelPackage, runners: dict[str, Runner]
) -> Prepared | None:
    """Return a patient on the network's grid, with automatic contours of the package; None if no body was found."""
    ct = sample.to_ct()
    patient = find_patient(ct)
    if patient is None:
        return None
    stage = package.stages["segmenter"]
    whole = patient.grid_of(stage)
    box = patient.body_box(whole)
    grid = whole.cropped(box)
    found = locate_structures(patient, package, runners["localizer"], Job()) if "localizer" in runners else None
    boxes = dict(found.boxes_mm) if found else dict.fromkeys(package.structures, grid.edges_of(box))
    drawn = segment_boxes(patient, package, runners["segmenter"], boxes, Job()) if boxes else {}
    along = [
        resampling_weights(np.arange(n) * step, grid.positions_mm(axis), grid.spacing_zyx_mm[axis])
        for axis, (n, step) in enumerate(zip(ct.hu.shape, sample.spacing_zyx_mm, strict=True))
    ]
    solid = (along[0] @ sample.solid.astype(np.float32)) > 0.99
    references = {}
    for number, name in enumerate(structures):
        mask = sample.reference(number)
        stored = None if mask is None else plane_distances(_resampled(mask, along), 0.5, grid.spacing_zyx_mm[1:])
        if stored is not None:
            references[name] = stored
    automatic = dict(_automatic(drawn, grid, package))
    return Prepared(sample.patient, patient.sample(grid).round().astype(np.int16), solid, references, automatic)


def _resampled(mask: np.ndarray[Any, np.dtype[np.bool_]], along: list[Any]) -> Array:
    z, y, x = along
    planes = (z @ mask.reshape(len(mask), -1).astype(np.float32)).reshape(-1, *mask.shape[1:])
    return np.stack([(x @ np.ascontiguousarray((y @ plane).T)).T for plane in planes])


def _automatic(drawn: dict[str, Segmented], grid: Grid, package: ModelPackage) -> Iterator[tuple[str, Stored]]:
    """Yield each structure that was drawn with its signed distances on `grid`."""
    for name, outcome in drawn.items():
        field = np.zeros(grid.shape_zyx, np.float32)
        offset = np.subtract(outcome.grid.origin_zyx_mm, grid.origin_zyx_mm) / grid.spacing_zyx_mm
        z, y, x = (slice(int(a), int(a) + n) for a, n in zip(offset.round(), outcome.probability.shape, strict=True))
        field[z, y, x] = outcome.probability
        stored = plane_distances(field, package.structures[name].threshold, grid.spacing_zyx_mm[1:])
        if stored is not None:
            yield name, stored


def _read_fingerprints(folder: Path) -> dict[str, str]:
    """Return the fingerprint of every prepared patient."""
    path = folder / FINGERPRINTS
    known: dict[str, str] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return known


def _split(config: FollowConfig) -> tuple[list[str], tuple[str, ...]]:
    """Return the patients for training, and those held out, as the packages of the same seed hold them out."""
    index = read_index(config.folder)
    names = sorted(str(entry["patient"]) for entry in index["patients"] if entry["split"] == config.split)
    how = DataConfig("data", ("any",), validation_patients=config.validation_patients, seed=config.seed)
    held_out = choose_validation(names, how)
    return [name for name in names if name not in held_out], held_out


def _prepared_paths(folder: Path, names: list[str]) -> Iterator[Path]:
    yield from (path for name in names if (path := folder / f"{name}.npz").exists())
