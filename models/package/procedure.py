"""How a published network is run: what happens to a CT before it and to its logits after it.

Networks trained by this program need none of this; nnU-Net's and MONAI's have fixed ways of their own, and give other
contours with any other.
"""

# `annotations` is not imported from __future__: cattrs needs the limits.

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

from autocontour.base.findings import Finding
from autocontour.base.limits import Keys, Length, OneOf, Range, Text, Unique, shown

FRAMEWORKS = ("nnunet", "monai")
ORIENTATIONS = ("LPS", "RAS")
NORMALISATIONS = ("ct", "zscore", "none", "rescale_to_01", "range", "zscore_to_range")
OUTPUTS = ("labels", "regions")
PROFILES = ("exact", "fast", "two-stage")
METHODS = ("anatomy", "reference", "person")
MOST_HEADS = 256

Axis = Annotated[int, Range(0, 2)]
Head = Annotated[int, Range(0, 65535)]
Level = Annotated[float, Range(-1e6, 1e6)]
Order = Annotated[int, Range(0, 5)]
ShortText = Annotated[str, Text(200)]
Spacing = Annotated[float, Range(0.1, 50)]
Step = Annotated[float, Range(0.05, 1)]


@dataclass(frozen=True)
class Normalisation:
    """Conversion of Hounsfield units to the network's input.

    Attributes
    ----------
    kind
        ``ct``: clip to `low` and `high`, subtract `mean`, divide by `sd`; ``zscore``: with the mean and standard
        deviation of the image; ``zscore_to_range``: after that, from the image's minimum and maximum to `low` and
        `high`; ``rescale_to_01``: with its minimum and maximum; ``range``: `low` becomes `mean` and
        `high` becomes `sd`, clipped; ``none``.
    low, high, mean, sd
        See `kind`.
    inside
        Whether only voxels that are not zero are counted and changed (``zscore``).
    """

    kind: Annotated[str, OneOf(NORMALISATIONS)]
    low: Level = 0.0
    high: Level = 0.0
    mean: Level = 0.0
    sd: Level = 1.0
    inside: bool = False

    def find_problems(self) -> Iterator[Finding]:
        """Yield ``AC-CFG-009`` for limits the wrong way round, or no standard deviation: both give a flat image."""
        if self.kind in ("ct", "range", "zscore_to_range") and self.high <= self.low:
            yield Finding.of("AC-CFG-009", "high", low=f"{self.low:g}", high="1000000", value=f"{self.high:g}")
        if self.kind == "ct" and self.sd <= 0:
            yield Finding.of("AC-CFG-009", "sd", low="0", high="1000000", value=f"{self.sd:g}")


@dataclass(frozen=True)
class Resampling:
    """nnU-Net's resampling to the grid of its network and back.

    Attributes
    ----------
    order, order_z
        Of the spline; along the axis of the largest spacing where that is resampled by itself.
    separate_z
        Whether the axis of the largest spacing is resampled by itself; None: if it is more than three times another.
    """

    order: Order = 3
    order_z: Order = 0
    separate_z: bool | None = None


@dataclass(frozen=True)
class SidesCheck:
    """Result of the test that left is left, on a CT of the user's.

    Attributes
    ----------
    ct
        SHA-256 of the CT's Hounsfield units.
    structures
        The structures whose side or height was as expected.
    date
        Of the test, UTC, ISO 8601.
    method
        ``anatomy``: places of the structures in the patient; ``reference``: contours of another drawer on the same CT,
        also compared with those of the mirrored CT; ``person``: somebody looked at the contours.
    reference
        What it was compared with (``reference``).
    by
        Who looked (``person``).
    content
        `content_of` of the package that was tested; empty in records of former versions.
    """

    ct: ShortText
    structures: tuple[ShortText, ...]
    date: ShortText
    method: Annotated[str, OneOf(METHODS)] = "anatomy"
    reference: Annotated[str, Text(200, least=0)] = ""
    by: Annotated[str, Text(200, least=0)] = ""
    content: Annotated[str, Text(64, least=0)] = ""

    @property
    def proof(self) -> str:
        """How it was proven, for people."""
        how = {
            "anatomy": "by the anatomy of the patient",
            "reference": f"compared with {self.reference}",
            "person": f"confirmed by {self.by}",
        }
        return how[self.method]


@dataclass(frozen=True)
class Measured:
    """A profile compared with ``exact`` on one CT; only the fields in use.

    Attributes
    ----------
    seconds
        Wall-clock time.
    dsc
        Structure → DSC with ``exact``.
    """

    open_keys: ClassVar[bool] = True
    seconds: Annotated[float, Range(0, 1e7)]
    dsc: dict[str, Annotated[float, Range(0, 1)]] = field(default_factory=dict)


@dataclass(frozen=True)
class Crop:
    """The part of a CT that a network is run on: the box of structures that another network finds.

    Attributes
    ----------
    structures
        Whose box it is.
    finder
        The `Procedure.model` of the other network.
    margin_mm
        Around the box.
    """

    structures: Annotated[tuple[ShortText, ...], Length(1, MOST_HEADS), Unique()]
    finder: ShortText
    margin_mm: Annotated[float, Range(0, 200)] = 20.0


@dataclass(frozen=True)
class Procedure:
    """How a published network is run.

    Attributes
    ----------
    framework
        ``nnunet`` or ``monai``.
    orientation
        Direction in which the indices of its input grow: ``LPS`` (left, posterior, superior) or ``RAS``. Neither
        framework records it.
    axes
        The image's axes z, y, x (0, 1, 2) in the order of the network's (nnU-Net's ``transpose_forward``).
    outputs
        ``labels``: the channel with the largest logit wins; ``regions``: each channel is a region of its own.
    heads
        Number of output channels.
    values
        Structure → values of the label image that belong to it. The value of a label is its channel.
    region_order
        Value that each region gives to its voxels, painted in this order.
    normalisation, data, logits
        See `Normalisation` and `Resampling`.
    step
        Step of the windows, as a fraction of their size.
    mirror_axes
        Axes of the network's input along which it is mirrored; all combinations are averaged.
    first_spacing_mm
        Spacing along z, y, x to which the whole CT is resampled before anything else (TotalSegmentator); empty for
        none.
    model
        What its authors call it, such as ``TotalSegmentator 298``; empty where nothing refers to it.
    crop
        The part of the CT that it is run on; None for the whole.
    folds
        Names of the networks that are averaged.
    gaussian
        Whether the middle of a window counts more than its sides (``monai``; nnU-Net's always does).
    profile
        How it is run by default.
    sides
        The passed test of left and right; None before it.
    measured
        Profile → its comparison with ``exact``.
    source
        Where it came from: file → SHA-256 and other facts, not used.
    """

    framework: Annotated[str, OneOf(FRAMEWORKS)]
    orientation: Annotated[str, OneOf(ORIENTATIONS)]
    heads: Annotated[int, Range(1, MOST_HEADS)]
    values: Annotated[dict[str, Annotated[tuple[Head, ...], Length(1, MOST_HEADS), Unique()]], Length(1, MOST_HEADS)]
    normalisation: Normalisation
    outputs: Annotated[str, OneOf(OUTPUTS)] = "labels"
    axes: Annotated[tuple[Axis, Axis, Axis], Unique()] = (0, 1, 2)
    region_order: Annotated[tuple[Head, ...], Length(0, MOST_HEADS)] = ()
    data: Resampling = Resampling()
    logits: Resampling = Resampling(order=1)
    step: Step = 0.5
    mirror_axes: Annotated[tuple[Axis, ...], Length(0, 3), Unique()] = ()
    first_spacing_mm: Annotated[tuple[Spacing, ...], Length(0, 3)] = ()
    model: Annotated[str, Text(200, least=0)] = ""
    crop: Crop | None = None
    folds: Annotated[tuple[ShortText, ...], Length(1, 32), Unique()] = ("0",)
    gaussian: bool = True
    profile: Annotated[str, OneOf(PROFILES)] = "exact"
    sides: SidesCheck | None = None
    measured: Annotated[dict[str, Measured], Keys(OneOf(PROFILES))] = field(default_factory=dict)
    source: dict[str, Any] = field(default_factory=dict)

    @property
    def labels(self) -> Mapping[str, str]:
        """Structure → the model's own labels that it consists of, for people; without those that are not stated."""
        stated = self.source.get("labels")
        table = stated if isinstance(stated, Mapping) else {}
        return {str(name): " + ".join(map(str, own)) for name, own in table.items() if isinstance(own, list)}

    def find_problems(self) -> Iterator[Finding]:
        """Yield ``AC-CFG-009`` for a value that no channel gives or that is the background's, or axes given twice.

        ``AC-CFG-029`` if there is not one value for each region.
        """
        if sorted(self.axes) != [0, 1, 2]:
            yield Finding.of("AC-CFG-009", "axes", low="0", high="2", value=shown(list(self.axes)))
        if len(self.first_spacing_mm) not in (0, 3):
            yield Finding.of("AC-CFG-029", "first_spacing_mm", wanted=3, count=len(self.first_spacing_mm))
        given = self.region_order if self.outputs == "regions" else tuple(range(1, self.heads))
        for name, values in self.values.items():
            for value in values:
                if value not in given:
                    known = f"{max(given, default=0)}"
                    yield Finding.of("AC-CFG-009", f"values.{name}", low="1", high=known, value=shown(value))
        if self.outputs == "regions" and len(self.region_order) != self.heads:
            yield Finding.of("AC-CFG-029", "region_order", wanted=self.heads, count=len(self.region_order))


def content_of(metadata: Mapping[str, Any]) -> str:
    """Return the SHA-256 of what decides where a published network draws: its procedure, structures and stages.

    The profile and the results of tests are left out; the weights are never changed after the import.
    """
    left_out = ("sides", "measured", "profile", "source")
    procedure = {key: value for key, value in metadata["procedure"].items() if key not in left_out}
    names = [one["name"] for one in metadata["structures"]]
    text = json.dumps([procedure, names, metadata["stages"]], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def weights_of_fold(weights: Mapping[str, Any], fold: int) -> dict[str, Any]:
    """Return the weights of one of the networks of a package, without the number that precedes their names."""
    prefix = f"{fold}."
    return {key.removeprefix(prefix): value for key, value in weights.items() if key.startswith(prefix)}
