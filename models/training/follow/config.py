"""The settings of a training run of the network that follows corrected slices."""

# `annotations` is not imported from __future__: cattrs needs the limits.

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from autocontour.base.findings import Finding
from autocontour.base.limits import FileName, Length, OneOf, Range, Text, Unique, key_path, shown

KIND = "follow"

Degrees = Annotated[float, Range(0, 180)]
Name = Annotated[str, Text(64)]
Probability = Annotated[float, Range(0, 1)]
Share = Annotated[float, Range(0, 1000)]


@dataclass(frozen=True)
class FollowStage:
    """How the network is trained, and on which corrections.

    Attributes
    ----------
    structures
        Names in the data set whose corrections are simulated.
    minutes
        Wall-clock time of the training.
    automatic
        Name or folder of the model package that draws the automatic contours.
    folds
        Packages of other folds: a patient that `automatic` was trained on is drawn by the first of these that was not
        trained on it.
    nothing_probability, invented_probability
        Of an example without automatic contours, and of one whose automatic contours have random errors instead of
        those of the package.
    error_growth
        Largest share by which the errors of automatic contours are enlarged where their package was trained on the
        patient: they are smaller there than on other patients.
    unknown_probability, derived_probability
        Of a structure made from the CT's values, and of one made from another structure.
    stroke_probability, wrong_probability
        Of a slice that is corrected only in a part, and of one that is drawn wrongly.
    hand_mm
        Largest standard deviation of a hand-drawn outline.
    """

    structures: Annotated[tuple[Name, ...], Length(1, 200), Unique()]
    automatic: Annotated[str, Text(4096, path=True)] = "head-and-neck"
    folds: Annotated[tuple[Annotated[str, Text(4096, path=True)], ...], Length(0, 100), Unique()] = ()
    minutes: Annotated[float, Range(0.001, 1e6)] = 75.0
    batch: Annotated[int, Range(1, 256)] = 2
    learning_rate: Annotated[float, Range(1e-9, 1)] = 2e-3
    weight_decay: Annotated[float, Range(0, 1)] = 1e-2
    ema_decay: Annotated[float, Range(0, 0.999999)] = 0.995
    checkpoint_minutes: Annotated[float, Range(0, 1e6)] = 2.0
    sampling_weights: dict[str, Share] = field(default_factory=dict)
    nothing_probability: Probability = 0.2
    invented_probability: Probability = 0.25
    error_growth: Annotated[float, Range(0, 2)] = 0.5
    unknown_probability: Probability = 0.12
    derived_probability: Probability = 0.08
    stroke_probability: Probability = 0.15
    wrong_probability: Probability = 0.02
    hand_mm: Annotated[float, Range(0, 20)] = 1.2
    rotation_zyx_deg: tuple[Degrees, Degrees, Degrees] = (15.0, 6.0, 6.0)
    zoom: Annotated[float, Range(0, 2)] = 0.25
    elastic_mm: Annotated[float, Range(0, 50)] = 2.5

    def find_problems(self) -> Iterator[Finding]:
        """Yield ``AC-CFG-019`` for a weight of a structure that is not trained."""
        for name in self.sampling_weights:
            if name not in self.structures:
                yield Finding.of("AC-CFG-019", f"sampling_weights.{key_path(name)}", value=shown(name))


@dataclass(frozen=True)
class FollowConfig:
    """A training run of the network that follows corrected slices.

    Attributes
    ----------
    name, version
        Of the network.
    kind
        Always ``follow``.
    data
        Folder with ``index.json``.
    split
        Folder of the patients.
    validation_patients, seed
        As of `autocontour.models.training.config.DataConfig`: the same seed and number hold out the same patients.
    """

    name: Annotated[str, FileName()]
    version: Annotated[str, FileName()]
    kind: Annotated[str, OneOf((KIND,))]
    data: Annotated[str, Text(4096, path=True)]
    stage: FollowStage
    split: Annotated[str, FileName()] = "train"
    validation_patients: Annotated[int, Range(0, 100_000)] = 20
    seed: Annotated[int, Range(0, 2**31)] = 1
    license: Annotated[str, Text(200)] = "Apache-2.0"
    data_source: str = ""
    history: str = ""

    @property
    def folder(self) -> Path:
        """Folder of the data."""
        return Path(self.data).expanduser()
