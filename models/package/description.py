"""The description of structures and networks in ``metadata.json``.

The types of the fields are the schema: see `autocontour.base.typed`.
"""

# `annotations` is not imported from __future__: cattrs needs the limits.

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

from autocontour.base.errors import ModelError
from autocontour.base.findings import Finding
from autocontour.base.limits import Keys, Length, OneOf, Range, Rising, Text, Unique, join_path, key_path, shown
from autocontour.base.typed import SettingsError, build, read_json
from autocontour.models.package.habit import Habit
from autocontour.models.package.patient import PatientBinding
from autocontour.models.package.procedure import Procedure

FORMAT = 2
MAX_STRUCTURES = 256
MOST_MEMBERS = 16
MAX_WINDOW_VOXELS = 1 << 24
ROLES = ("localizer", "segmenter")
SIDES = ("", "left", "right")
PREDICTORS = ("expected_dsc", "border_confidence", "volume_agreement", "member_agreement")


@dataclass(frozen=True)
class Modest:
    """Limits of a network's description: numbers from 0 to 4096, lists of at most 64."""

    def problems(self, value: object, path: str = "") -> Iterator[Finding]:
        """Yield ``AC-CFG-009``, ``AC-CFG-014`` or ``AC-CFG-007``."""
        if isinstance(value, Mapping | list):
            if len(value) > 64:
                yield Finding.of("AC-CFG-014", path, low=0, high=64, count=len(value))
                return
            keys = map(key_path, value) if isinstance(value, Mapping) else (f"[{k}]" for k in range(len(value)))
            entries = value.values() if isinstance(value, Mapping) else value
            for key, one in zip(keys, entries, strict=True):
                yield from self.problems(one, join_path(path, key))
        elif not isinstance(value, str | bool) and not (isinstance(value, int | float) and 0 <= value <= 4096):
            yield Finding.of("AC-CFG-009", path, low="0", high="4096", value=shown(value))


@dataclass(frozen=True)
class Fits:
    """A table with the fields of a class, kept unchanged."""

    kind: type

    def problems(self, value: Mapping[str, Any]) -> Iterator[Finding]:
        """Yield its problems."""
        try:
            build(self.kind, value)
        except SettingsError as error:
            yield from error.problems


Confidence = Annotated[float, Range(0, 1)]
HU = Annotated[float, Range(-32768, 65535)]
Number = Annotated[float, Range(-1e6, 1e6)]
Name = Annotated[str, Text(200)]
NetworkDescription = Annotated[dict[str, Any], Modest()]
Offset = tuple[Number, Number, Number]
Size = Annotated[int, Range(1, 4096)]
Spacing = Annotated[float, Range(0.1, 50)]
Threshold = Annotated[float, Range(0.01, 0.99)]
Windows = Annotated[tuple[Annotated[tuple[HU, HU], Rising()], ...], Length(0, 16)]


@dataclass(frozen=True)
class StructureRules:
    """Postprocessing rules of a structure.

    Attributes
    ----------
    components
        How many separate pieces are kept, the largest first; 0 keeps all.
    minimum_cc
        Pieces below this volume are dropped.
    fill_holes
        Whether holes within a slice are filled.
    side
        ``left`` or ``right``: pieces on the other side of the body's midline are dropped.
    elongated
        Whether it extends along the patient beyond most scans, like the spinal cord, so that its length and its
        position along z are not compared with the training data.
    """

    components: Annotated[int, Range(0, 1000)] = 1
    minimum_cc: Annotated[float, Range(0, 1e6)] = 0.0
    fill_holes: bool = True
    side: Annotated[str, OneOf(SIDES)] = ""
    elongated: bool = False


@dataclass(frozen=True)
class Statistics:
    """The statistics of a structure that are used; there may be more.

    Attributes
    ----------
    volume_cc
        Lowest and highest likely volume.
    confidence
        Lowest likely mean probability.
    offset_zyx_mm
        Other structure → lowest and highest likely vector to its centre.
    """

    open_keys: ClassVar[bool] = True
    volume_cc: tuple[Number, Number] | None = None
    confidence: Confidence | None = None
    offset_zyx_mm: dict[str, tuple[Offset, Offset]] = field(default_factory=dict)


@dataclass(frozen=True)
class PackageStructure:
    """One structure that a package can draw.

    Attributes
    ----------
    name
        Its TG-263 name.
    drawn
        Whether it is drawn by default; False for structures trained for research only.
    threshold
        Probability of its iso-line.
    margin_mm
        Margin added to the localizer's box on every side.
    rules
        See `StructureRules`.
    statistics
        Statistics of the training data (see `Statistics` and `autocontour.models.inference.plausibility`); empty if
        unknown.
    habit
        What a clinic always changes in it; None if nothing is known.
    """

    name: Name
    drawn: bool = True
    threshold: Threshold = 0.5
    margin_mm: Annotated[float, Range(0, 200)] = 15.0
    rules: StructureRules = StructureRules()
    statistics: Annotated[dict[str, Any], Fits(Statistics)] = field(default_factory=dict)
    habit: Habit | None = None


@dataclass(frozen=True)
class Member:
    """One of several networks of a stage, whose probabilities are averaged.

    Attributes
    ----------
    name
        Where it comes from, such as ``head-and-neck 1.1.2``.
    weights
        Structure → weight of its probability in the mean, 1 for those left out; the network is not run for a structure
        of weight 0.
    """

    name: Name
    weights: dict[str, Annotated[float, Range(0, 1000)]] = field(default_factory=dict)

    def weight(self, structure: str) -> float:
        """Return the weight of a structure."""
        return self.weights.get(structure, 1.0)


@dataclass(frozen=True)
class Stage:
    """One network of a package, or several of the same kind that are averaged, and their input.

    Attributes
    ----------
    network
        Argument of `autocontour.models.networks.build_network`; one output channel per structure of the package.
    spacing_zyx_mm
        Its grid along the patient's z, y, x.
    window_zyx
        Voxels of its input.
    intensity_windows_hu
        One input channel each, as `autocontour.models.inference.intensity.scale_intensity` makes them; none in a
        package with a procedure.
    overlap
        Overlap of neighbouring windows, as a fraction.
    threshold
        Probability above which a voxel counts as found by the localizer.
    members
        The networks of an ensemble; empty for one network.
    """

    network: NetworkDescription
    spacing_zyx_mm: tuple[Spacing, Spacing, Spacing]
    window_zyx: tuple[Size, Size, Size]
    intensity_windows_hu: Windows
    overlap: Annotated[float, Range(0, 0.75)] = 0.25
    threshold: Threshold = 0.5
    members: Annotated[tuple[Member, ...], Length(0, MOST_MEMBERS), Unique("name")] = ()

    @property
    def networks(self) -> int:
        """How many networks it has."""
        return max(1, len(self.members))

    def find_problems(self) -> Iterator[Finding]:
        """Yield ``AC-CFG-027`` for a window that needs more memory than any machine has."""
        yield from check_voxels(self.window_zyx, "window_zyx")


@dataclass(frozen=True)
class Site:
    """How the body site is recognised.

    Attributes
    ----------
    anchors
        Structures that identify it.
    minimum
        How many of them must be found in a scan; two, or all of fewer, if None.
    """

    anchors: Annotated[tuple[Name, ...], Unique()] = ()
    minimum: Annotated[int, Range(0, MAX_STRUCTURES)] | None = None

    @property
    def least(self) -> int:
        """How many anchors must be found in a scan."""
        return min(2, len(self.anchors)) if self.minimum is None else self.minimum

    def find_problems(self) -> Iterator[Finding]:
        """Yield ``AC-CFG-009`` if more anchors are required than there are: nothing would ever be drawn."""
        if self.least > len(self.anchors):
            yield Finding.of("AC-CFG-009", "minimum", low="0", high=str(len(self.anchors)), value=str(self.least))


@dataclass(frozen=True)
class Uncertainty:
    """When a structure counts as uncertain.

    Attributes
    ----------
    predictors
        Name of a predictor (see `autocontour.models.inference.plausibility.predictors_of`) → its mean and standard
        deviation over the organs of the patients that calibrated the package.
    limit
        Score from which a structure counts as uncertain.
    """

    predictors: Annotated[dict[str, tuple[Number, Annotated[float, Range(1e-9, 1e6)]]], Keys(OneOf(PREDICTORS))]
    limit: Number

    def score(self, values: Mapping[str, float]) -> float:
        """Return by how many standard deviations the known predictors (not nan) lie below their means, on average."""
        below = [(mean - values[name]) / sd for name, (mean, sd) in self.predictors.items()]
        known = [one for one in below if not math.isnan(one)]
        return sum(known) / len(known) if known else 0.0


@dataclass(frozen=True)
class FindingPower:
    """Power of a finding to predict the quality of the package's contours; only the field in use.

    Attributes
    ----------
    shown
        Whether it is shown as a warning.
    """

    open_keys: ClassVar[bool] = True
    shown: bool = True


@dataclass(frozen=True)
class Description:
    """The fields of ``metadata.json`` that are used; there may be others, such as MONAI's."""

    open_keys: ClassVar[bool] = True
    format: Annotated[int, Range(1, FORMAT)]
    name: Name
    version: Name
    body_site: Name
    license: Name
    structures: Annotated[tuple[PackageStructure, ...], Length(1, MAX_STRUCTURES), Unique("name")]
    stages: Annotated[dict[str, Stage], Keys(OneOf(ROLES))]
    site: Site = Site()
    uncertainty: Uncertainty | None = None
    findings: dict[str, FindingPower] = field(default_factory=dict)
    procedure: Procedure | None = None
    patient: PatientBinding | None = None

    @property
    def quiet_findings(self) -> frozenset[str]:
        """Codes of findings that are not shown as warnings."""
        return frozenset(code for code, power in self.findings.items() if not power.shown)

    def find_problems(self) -> Iterator[Finding]:
        """Yield ``AC-CFG-017`` if there is no segmenter, ``AC-CFG-019`` for an anchor that is not drawn.

        ``AC-CFG-014`` for a stage without intensity windows and without a procedure.
        """
        if "segmenter" not in self.stages:
            yield Finding.of("AC-CFG-017", "stages.segmenter")
        for role, stage in self.stages.items():
            if self.procedure is None and not stage.intensity_windows_hu:
                yield Finding.of("AC-CFG-014", f"stages.{role}.intensity_windows_hu", low=1, high=16, count=0)
        if self.procedure is not None:
            names = [one.name for one in self.structures]
            yield from check_names(list(self.procedure.values), names, "procedure.values")
            for role, stage in self.stages.items():
                if stage.members:
                    yield Finding.of("AC-CFG-014", f"stages.{role}.members", low=0, high=0, count=len(stage.members))
            if missing := [name for name in names if name not in self.procedure.values]:
                yield Finding.of("AC-CFG-017", f"procedure.values.{missing[0]}")
        yield from check_names(self.site.anchors, [one.name for one in self.structures], "site.anchors")
        for role, stage in self.stages.items():
            yield from _check_members(stage, [one.name for one in self.structures], f"stages.{role}.members")


def _check_members(stage: Stage, names: Sequence[str], path: str) -> Iterator[Finding]:
    """Yield ``AC-CFG-019`` for a weight of an unknown structure, ``AC-CFG-037`` for a structure without any weight."""
    for index, member in enumerate(stage.members):
        yield from check_names(list(member.weights), names, f"{path}[{index}].weights")
    for name in names if stage.members else ():
        if not any(member.weight(name) > 0 for member in stage.members):
            yield Finding.of("AC-CFG-037", path, structure=name)


def read_metadata(data: bytes) -> Any:  # noqa: ANN401  (external JSON)
    """Return the content of ``metadata.json``, unchecked.

    Raises
    ------
    ModelError
        ``AC-MD-010`` if it is not JSON, or a key is repeated.
    """
    try:
        return read_json(data)
    except SettingsError as error:
        raise damaged(error.problems) from error


def build_description(metadata: Any) -> Description:  # noqa: ANN401  (external JSON)
    """Check the content of ``metadata.json``.

    Raises
    ------
    ModelError
        ``AC-MD-011`` for a later format, regardless of other problems; else ``AC-MD-010`` with every problem.
    """
    later = metadata.get("format") if isinstance(metadata, dict) else None
    if isinstance(later, int) and not isinstance(later, bool) and later > FORMAT:
        raise ModelError("AC-MD-011")
    try:
        return build(Description, metadata)
    except SettingsError as error:
        raise damaged(error.problems) from error


def damaged(problems: Sequence[Finding]) -> ModelError:
    """Return the error for metadata that do not describe a package (``AC-MD-010``)."""
    return ModelError("AC-MD-010", problems=problems, count=len(problems))


def check_names(names: Sequence[str], structures: Sequence[str], path: str) -> Iterator[Finding]:
    """Yield ``AC-CFG-019`` for every name that is not one of the structures; `path` is that of the list or table."""
    for index, name in enumerate(names):
        if name not in structures:
            yield Finding.of("AC-CFG-019", f"{path}[{index}]", value=shown(name))


def check_voxels(sizes_zyx: Sequence[int], path: str) -> Iterator[Finding]:
    """Yield ``AC-CFG-027`` for a patch or window of too many voxels."""
    if math.prod(sizes_zyx) > MAX_WINDOW_VOXELS:
        yield Finding.of("AC-CFG-027", path, most=MAX_WINDOW_VOXELS, value=shown(list(sizes_zyx)))
