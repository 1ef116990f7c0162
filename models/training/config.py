"""The settings of a training run, read from one TOML file and checked before the training starts.

The types of the fields are the schema: see `autocontour.base.typed`.
"""

# `annotations` is not imported from __future__: cattrs needs the limits.

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from autocontour.base.errors import ModelError, TrainingError
from autocontour.base.findings import Finding
from autocontour.base.limits import FileName, Keys, Length, OneOf, Range, Text, Unique, key_path, shown
from autocontour.base.typed import SettingsError, read_file, read_toml
from autocontour.models.networks import plan_network, window_multiple_zyx
from autocontour.models.package.description import (
    MAX_STRUCTURES,
    ROLES,
    NetworkDescription,
    Size,
    Spacing,
    StructureRules,
    Threshold,
    Windows,
    check_names,
    check_voxels,
)

FOCUSES = ("body", "structures")
PRECISIONS = ("auto", "bf16", "fp16", "fp32")

Degrees = Annotated[float, Range(0, 180)]
Hounsfield = Annotated[float, Range(0, 3000)]
Minutes = Annotated[float, Range(0, 1e6)]
Millimetres = Annotated[float, Range(0, 500)]
Name = Annotated[str, Text(64)]
Names = Annotated[tuple[Name, ...], Unique()]
Probability = Annotated[float, Range(0, 1)]
Share = Annotated[float, Range(0, 1000)]


@dataclass(frozen=True)
class DataConfig:
    """The data of a training run.

    Attributes
    ----------
    folder
        Contains ``index.json`` and one folder of ``.npz`` files per split.
    structures
        TG-263 names in the order of the network's outputs.
    split
        Folder of the patients.
    validation_patients
        Patients held out for selecting checkpoints and thresholds.
    folds, fold
        With `folds` above 0 the patients are divided into that many parts, and part `fold`, counted from 0, is held out
        instead: runs that differ in `fold` alone hold out every patient once (cross-validation).
    seed
        Determines the patients for validation, the initial weights and every patch.
    """

    folder: Annotated[str, Text(4096, path=True)]
    structures: Annotated[tuple[Name, ...], Length(1, MAX_STRUCTURES), Unique()]
    split: Annotated[str, FileName()] = "train"
    validation_patients: Annotated[int, Range(0, 100_000)] = 20
    folds: Annotated[int, Range(0, 100)] = 0
    fold: Annotated[int, Range(0, 99)] = 0
    seed: Annotated[int, Range(0, 2**31)] = 1

    def find_problems(self) -> Iterator[Finding]:
        """Yield ``AC-CFG-009`` for a fold that does not exist, or a single fold, which would leave none to train on."""
        if self.folds == 1:
            yield Finding.of("AC-CFG-009", "folds", low="2", high="100", value="1")
        if self.fold >= max(1, self.folds):
            yield Finding.of("AC-CFG-009", "fold", low="0", high=str(max(0, self.folds - 1)), value=str(self.fold))


@dataclass(frozen=True)
class AugmentConfig:
    """Data augmentation; every value is a maximum, or a probability where named so.

    Attributes
    ----------
    gamma
        Largest natural logarithm of the power of the grey values.
    low_resolution_probability
        Of a patch as if scanned with up to twice the spacing.
    cut_probability, circle_probability
        Of the scan's end, and of the edge of a circular field of view, within a patch.
    """

    rotation_zyx_deg: tuple[Degrees, Degrees, Degrees] = (12.0, 6.0, 12.0)
    scale: Annotated[float, Range(0, 1)] = 0.18
    shift_zyx_mm: tuple[Millimetres, Millimetres, Millimetres] = (50.0, 20.0, 20.0)
    elastic_mm: Annotated[float, Range(0, 50)] = 3.0
    mirror_probability: Probability = 0.5
    hu_shift: Hounsfield = 25.0
    hu_scale: Probability = 0.06
    noise_hu: Hounsfield = 25.0
    blur_probability: Probability = 0.15
    cut_probability: Probability = 0.25
    metal_probability: Probability = 0.05
    gamma: Annotated[float, Range(0, 2)] = 0.0
    low_resolution_probability: Probability = 0.0
    circle_probability: Probability = 0.0


@dataclass(frozen=True)
class StageConfig:
    """One network's training.

    Attributes
    ----------
    network
        Description for `autocontour.models.networks.build_network`.
    spacing_zyx_mm, window_zyx
        Grid of the network's input, and size of a patch.
    intensity_windows_hu
        (low, high) of every input channel; they become −1 and 1.
    minutes, steps
        Budget; with ``steps`` above 0 the time is ignored.
    anchor
        Fraction of the way back to the initial weights that each step moves (L2-SP), against forgetting.
    focus
        ``structures`` centres patches on structures, ``body`` on the middle of the body.
    sampling_weights
        Relative frequency of patches centred on each structure (default 1).
    loss_weights
        Weight of each structure in the loss and in the score that selects a checkpoint (default 1).
    deep_supervision
        Weight of the loss of each coarser level of the network relative to the next finer one; 0 for none.
    precision
        ``bf16``, ``fp16`` with a scaled loss, ``fp32``, or ``auto`` (see
        `autocontour.models.training.precision.choose_precision`).
    compile
        Whether the network is compiled by ``torch.compile``: pays in long runs on a GPU; the first step takes minutes.
    """

    network: NetworkDescription
    spacing_zyx_mm: tuple[Spacing, Spacing, Spacing]
    window_zyx: tuple[Size, Size, Size]
    intensity_windows_hu: Windows
    minutes: Annotated[float, Range(0.001, 1e6)] = 60.0
    steps: Annotated[int, Range(0, 10**9)] = 0
    batch: Annotated[int, Range(1, 256)] = 2
    learning_rate: Annotated[float, Range(1e-9, 1)] = 1.5e-3
    weight_decay: Annotated[float, Range(0, 1)] = 1e-2
    ema_decay: Annotated[float, Range(0, 0.999999)] = 0.995
    focus: Annotated[str, OneOf(FOCUSES)] = "structures"
    sampling_weights: dict[str, Share] = field(default_factory=dict)
    loss_weights: dict[str, Share] = field(default_factory=dict)
    deep_supervision: Probability = 0.0
    precision: Annotated[str, OneOf(PRECISIONS)] = "auto"
    compile: bool = False
    anchor: Probability = 0.0
    anywhere_probability: Probability = 0.1
    validate_minutes: Minutes = 15.0
    validate_patients: Annotated[int, Range(1, 100_000)] = 8
    checkpoint_minutes: Minutes = 2.0
    augment: AugmentConfig = AugmentConfig()

    def find_problems(self) -> Iterator[Finding]:
        """Yield ``AC-CFG-027`` for a patch that needs more memory than any machine has."""
        yield from check_voxels(self.window_zyx, "window_zyx")


@dataclass(frozen=True)
class PackageConfig:
    """Content of the metadata of the run's model package.

    Attributes
    ----------
    body_site
        DICOM code meaning in capitals, such as ``HEAD AND NECK``.
    anchors, anchors_minimum
        Structures that identify the body site, and how many of them must be found in a scan.
    history
        Notes on the run, such as settings changed during it.
    changelog
        Version → what changed.
    intended_use
        Purpose of the package, and conditions of its use.
    rules
        Structure → fields of `autocontour.models.package.description.StructureRules`.
    research
        Structures that are never drawn by default.
    """

    body_site: Annotated[str, Text(200)]
    license: Annotated[str, Text(200)]
    version: Annotated[str, FileName()] = "1"
    description: str = ""
    authors: str = ""
    data_source: str = ""
    history: str = ""
    changelog: dict[str, str] = field(default_factory=dict)
    intended_use: str = "Proposals for review by qualified staff; never to be used unreviewed."
    anchors: Names = ()
    anchors_minimum: Annotated[int, Range(0, MAX_STRUCTURES)] | None = None
    margin_mm: Annotated[float, Range(0, 200)] = 15.0
    localizer_threshold: Threshold = 0.5
    research: Names = ()
    rules: dict[str, StructureRules] = field(default_factory=dict)

    @property
    def least_anchors(self) -> int:
        """How many anchors must be found in a scan: `anchors_minimum`, or by default two, or all of fewer."""
        return min(2, len(self.anchors)) if self.anchors_minimum is None else self.anchors_minimum

    def find_problems(self) -> Iterator[Finding]:
        """Yield ``AC-CFG-009`` if more anchors are required than there are: nothing would ever be drawn."""
        if self.least_anchors > len(self.anchors):
            least, most = str(self.least_anchors), str(len(self.anchors))
            yield Finding.of("AC-CFG-009", "anchors_minimum", low="0", high=most, value=least)


@dataclass(frozen=True)
class TrainingConfig:
    """Both stages, their data and the package made of them.

    Attributes
    ----------
    name
        Of the package.
    stages
        ``segmenter`` and, optionally, ``localizer``; each is a folder of the run.
    """

    name: Annotated[str, FileName()]
    data: DataConfig
    stages: Annotated[dict[str, StageConfig], Keys(OneOf(ROLES))]
    package: PackageConfig

    def find_problems(self) -> Iterator[Finding]:
        """Yield problems between settings.

        ``AC-CFG-017`` if there is no segmenter, ``AC-CFG-019`` for names that are not structures, ``AC-CFG-024`` if no
        structure has a weight, and inconsistencies between a network, its channels and its patches.
        """
        structures = self.data.structures
        if "segmenter" not in self.stages:
            yield Finding.of("AC-CFG-017", "stages.segmenter")
        yield from check_names(self.package.anchors, structures, "package.anchors")
        yield from check_names(self.package.research, structures, "package.research")
        yield from _check_keys(self.package.rules, structures, "package.rules")
        for role, stage in self.stages.items():
            for setting in ("sampling_weights", "loss_weights"):
                weights, path = getattr(stage, setting), f"stages.{role}.{setting}"
                yield from _check_keys(weights, structures, path)
                if not any(weights.get(name, 1.0) for name in structures):
                    yield Finding.of("AC-CFG-024", path)
            yield from _check_network(stage, len(structures), f"stages.{role}")


def read_config(path: Path) -> TrainingConfig:
    """Read a training configuration and check every setting.

    Raises
    ------
    TrainingError
        ``AC-TR-001`` with every problem of the file, ``AC-TR-020`` if it cannot be read.
    """
    try:
        return read_toml(TrainingConfig, read_file(path))
    except OSError as error:
        raise TrainingError("AC-TR-020", name=path.name, reason=error.strerror or type(error).__name__) from error
    except SettingsError as error:
        raise TrainingError("AC-TR-001", problems=error.problems, name=path.name, count=len(error.problems)) from error


def _check_keys(table: Mapping[str, object], structures: tuple[str, ...], path: str) -> Iterator[Finding]:
    for name in table:
        if name not in structures:
            yield Finding.of("AC-CFG-019", f"{path}.{key_path(name)}", value=shown(name))


def _check_network(stage: StageConfig, structures: int, path: str) -> Iterator[Finding]:
    """Yield inconsistencies between a stage's network, its channels and its window."""
    config = stage.network
    try:
        multiple = window_multiple_zyx(config)
        fits = not any(size % step for size, step in zip(stage.window_zyx, multiple, strict=True))
        plan_network(config, stage.window_zyx if fits else multiple)
    except ModelError as error:
        yield Finding.of("AC-CFG-021", f"{path}.network", reason=error.message)
        return
    windows = len(stage.intensity_windows_hu)
    for key, wanted, code in (("in_channels", windows, "AC-CFG-030"), ("out_channels", structures, "AC-CFG-022")):
        if config.get(key) != wanted:
            yield Finding.of(code, f"{path}.network.{key}", found=shown(config.get(key)), wanted=wanted)
    if not fits:
        steps, sizes = shown(list(multiple)), shown(list(stage.window_zyx))
        yield Finding.of("AC-CFG-023", f"{path}.window_zyx", multiple=steps, value=sizes)
