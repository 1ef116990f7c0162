"""What a training run is told, read from one TOML file."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from autocontour.base.errors import TrainingError

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class DataConfig:
    """Which patients are learnt from.

    Attributes
    ----------
    folder
        Holds ``index.json`` and one folder of ``.npz`` files per split.
    structures
        TG-263 names in the order of the network's outputs.
    split
        Folder to learn from.
    validation_patients
        Patients kept apart for choosing checkpoints and thresholds.
    seed
        Decides the fold, the initial weights and every patch.
    """

    folder: str
    structures: tuple[str, ...]
    split: str = "train"
    validation_patients: int = 20
    seed: int = 1


@dataclass(frozen=True)
class AugmentConfig:
    """How far patients are varied; every value is a maximum, or a probability where named so."""

    rotation_zyx_deg: Triple = (12.0, 6.0, 12.0)
    scale: float = 0.18
    shift_zyx_mm: Triple = (50.0, 20.0, 20.0)
    elastic_mm: float = 3.0
    mirror_probability: float = 0.5
    hu_shift: float = 25.0
    hu_scale: float = 0.06
    noise_hu: float = 25.0
    blur_probability: float = 0.15
    cut_probability: float = 0.25
    metal_probability: float = 0.05


@dataclass(frozen=True)
class StageConfig:
    """One network's training.

    Attributes
    ----------
    network
        Description for `autocontour.models.networks.build_network`.
    spacing_zyx_mm, window_zyx
        Grid that the network sees, and how much of it at once.
    intensity_windows_hu
        (low, high) of every input channel; they become −1 and 1.
    minutes, steps
        Budget; with ``steps`` above 0 the time does not count.
    focus
        ``structures`` centres patches on structures, ``body`` on the middle of the body.
    sampling_weights
        How often a patch is centred on each structure (default 1).
    loss_weights
        How much each structure counts in the loss and in the score that chooses a checkpoint (default 1).
    """

    network: dict[str, Any]
    spacing_zyx_mm: Triple
    window_zyx: tuple[int, int, int]
    intensity_windows_hu: tuple[tuple[float, float], ...]
    minutes: float = 60.0
    steps: int = 0
    batch: int = 2
    learning_rate: float = 1.5e-3
    weight_decay: float = 1e-2
    ema_decay: float = 0.995
    focus: str = "structures"
    sampling_weights: dict[str, float] = field(default_factory=dict)
    loss_weights: dict[str, float] = field(default_factory=dict)
    anywhere_probability: float = 0.1
    validate_minutes: float = 15.0
    validate_patients: int = 8
    checkpoint_minutes: float = 2.0
    augment: AugmentConfig = field(default_factory=AugmentConfig)


@dataclass(frozen=True)
class PackageConfig:
    """What the package that comes of a run says of itself.

    Attributes
    ----------
    anchors, anchors_minimum
        Structures that tell the body site, and how many of them a scan must show.
    history
        What a reader must know of how the run went, such as settings changed on the way.
    changelog
        Version → what changed.
    intended_use
        What the package is for, and what must be known before it is used.
    rules
        Structure → fields of `autocontour.models.package.package.StructureRules`.
    research
        Structures that are never drawn unless asked for.
    """

    version: str = "1"
    description: str = ""
    body_site: str = ""
    license: str = ""
    authors: str = ""
    data_source: str = ""
    history: str = ""
    changelog: dict[str, str] = field(default_factory=dict)
    intended_use: str = "Proposals for review by qualified staff; never to be used unreviewed."
    anchors: tuple[str, ...] = ()
    anchors_minimum: int = 2
    margin_mm: float = 15.0
    localizer_threshold: float = 0.5
    research: tuple[str, ...] = ()
    rules: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class TrainingConfig:
    """Both stages, their data and what becomes of them."""

    name: str
    data: DataConfig
    stages: dict[str, StageConfig]
    package: PackageConfig


def read_config(path: Path) -> TrainingConfig:
    """Read and check a training configuration.

    Raises
    ------
    TrainingError
        If the file is missing, is no TOML or holds unknown or unfitting settings (``AC-TR-001``).
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
        stages = {name: _build(StageConfig, values) for name, values in raw["stages"].items()}
        package = _build(PackageConfig, raw.get("package", {}))
        return TrainingConfig(str(raw["name"]), _build(DataConfig, raw["data"]), stages, package)
    except OSError as error:
        raise TrainingError("AC-TR-001", f"The configuration {path.name} cannot be read.", _REMEDY) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
        message = f"The configuration {path.name} does not fit: {error}."
        raise TrainingError("AC-TR-001", message, _REMEDY) from error


Settings = TypeVar("Settings", DataConfig, StageConfig, AugmentConfig, PackageConfig)
_REMEDY = "Compare it with the configurations that come with the program (models/training/configs)."


def _build(kind: type[Settings], values: dict[str, Any]) -> Settings:
    unknown = set(values) - {item.name for item in fields(kind)}
    if unknown:
        raise ValueError(f"unknown setting {', '.join(sorted(unknown))}")
    settled: dict[str, Any] = {name: _frozen(value) for name, value in values.items()}
    if "augment" in values:
        settled["augment"] = _build(AugmentConfig, values["augment"])
    return kind(**settled)


def _frozen(value: object) -> object:
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value
