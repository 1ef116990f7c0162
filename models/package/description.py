"""What ``metadata.json`` says of structures and networks, checked field by field."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from autocontour.base.errors import ModelError
from autocontour.models.package.members import METADATA

MAX_STRUCTURES = 256
MAX_WINDOW_VOXELS = 1 << 24
SIDES = ("", "left", "right")
PREDICTORS = ("expected_dsc", "border_confidence", "volume_agreement")


@dataclass(frozen=True)
class StructureRules:
    """What is done to a structure's mask, as data.

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
        Whether it runs along the patient and out of most scans, as the spinal cord does, so that its length and its
        position along z say nothing.
    """

    components: int = 1
    minimum_cc: float = 0.0
    fill_holes: bool = True
    side: str = ""
    elongated: bool = False


@dataclass(frozen=True)
class PackageStructure:
    """One structure that a package can draw.

    Attributes
    ----------
    name
        Its TG-263 name.
    drawn
        Whether it is drawn unless asked otherwise; False for what is trained for research only.
    threshold
        Probability at which its contour runs.
    margin_mm
        What the localizer's box gains on every side.
    rules
        See `StructureRules`.
    statistics
        What training saw (see `autocontour.models.inference.plausibility`); empty if unknown.
    """

    name: str
    drawn: bool = True
    threshold: float = 0.5
    margin_mm: float = 15.0
    rules: StructureRules = StructureRules()
    statistics: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Stage:
    """One network of a package and how it sees a CT.

    Attributes
    ----------
    network
        Argument of `autocontour.models.networks.build_network`; one output channel per structure of the package.
    spacing_zyx_mm
        Its grid along the patient's z, y, x.
    window_zyx
        Voxels that it takes at once.
    intensity_windows_hu
        One input channel each, as `autocontour.models.inference.intensity.scale_intensity` makes them.
    overlap
        Part of a window that neighbouring windows share.
    threshold
        Probability from which the localizer counts a voxel as found.
    """

    network: Mapping[str, Any]
    spacing_zyx_mm: tuple[float, float, float]
    window_zyx: tuple[int, int, int]
    intensity_windows_hu: tuple[tuple[float, float], ...]
    overlap: float = 0.25
    threshold: float = 0.5


@dataclass(frozen=True)
class Uncertainty:
    """When the networks count as unsure of a structure.

    Attributes
    ----------
    predictors
        Name of a predictor (see `autocontour.models.inference.plausibility.predictors_of`) → its mean and standard
        deviation over the organs of the patients that calibrated the package.
    limit
        Score from which a structure counts as uncertain.
    """

    predictors: Mapping[str, tuple[float, float]]
    limit: float

    def score(self, values: Mapping[str, float]) -> float:
        """Return by how many standard deviations the known predictors (not nan) lie below their means, on average."""
        below = [(mean - values[name]) / sd for name, (mean, sd) in self.predictors.items()]
        known = [one for one in below if not math.isnan(one)]
        return sum(known) / len(known) if known else 0.0


def parse_uncertainty(value: Any) -> Uncertainty | None:  # noqa: ANN401
    """Return the entry ``uncertainty``; None for a package that has none."""
    if value is None:
        return None
    fields = mapping(value, "uncertainty")
    predictors: dict[str, tuple[float, float]] = {}
    for name, pair in mapping(fields.get("predictors"), "uncertainty.predictors").items():
        if name not in PREDICTORS:
            raise damaged(f"uncertainty.predictors.{name} is unknown")
        _numbers(pair, f"uncertainty.predictors.{name}", 2)
        predictors[name] = float(pair[0]), number(pair[1], f"uncertainty.predictors.{name}", 1e-9, 1e6)
    return Uncertainty(predictors, number(fields.get("limit"), "uncertainty.limit", -1e6, 1e6))


def parse_quiet_findings(value: Any) -> frozenset[str]:  # noqa: ANN401
    """Return the codes of ``findings`` that are not shown as warnings."""
    entries = {code: mapping(entry, f"findings.{code}") for code, entry in mapping(value, "findings").items()}
    return frozenset(code for code, entry in entries.items() if entry.get("shown") is False)


def parse_structure(item: Any, index: int) -> PackageStructure:  # noqa: ANN401
    """Return one entry of ``structures``."""
    where = f"structures[{index}]"
    fields = mapping(item, where)
    rules = mapping(fields.get("rules", {}), f"{where}.rules")
    if rules.get("side", "") not in SIDES:
        raise damaged(f"{where}.rules.side must be left, right or empty")
    return PackageStructure(
        name=text(fields, "name"),
        drawn=bool(fields.get("drawn", True)),
        threshold=number(fields.get("threshold", 0.5), f"{where}.threshold", 0.01, 0.99),
        margin_mm=number(fields.get("margin_mm", 15.0), f"{where}.margin_mm", 0, 200),
        rules=StructureRules(
            components=whole(rules.get("components", 1), f"{where}.rules.components", 0, 1000),
            minimum_cc=number(rules.get("minimum_cc", 0.0), f"{where}.rules.minimum_cc", 0, 1e6),
            fill_holes=bool(rules.get("fill_holes", True)),
            side=rules.get("side", ""),
            elongated=bool(rules.get("elongated", False)),
        ),
        statistics=_statistics(fields.get("statistics", {}), f"{where}.statistics"),
    )


def _statistics(value: Any, where: str) -> dict[str, Any]:  # noqa: ANN401
    fields = mapping(value, where)
    if "volume_cc" in fields:
        _numbers(fields["volume_cc"], f"{where}.volume_cc", 2)
    if "confidence" in fields:
        number(fields["confidence"], f"{where}.confidence", 0, 1)
    for other, limits in mapping(fields.get("offset_zyx_mm", {}), f"{where}.offset_zyx_mm").items():
        if not isinstance(limits, list) or len(limits) != 2:
            raise damaged(f"{where}.offset_zyx_mm.{other} must be a low and a high offset")
        for offset in limits:
            _numbers(offset, f"{where}.offset_zyx_mm.{other}", 3)
    return fields


def _numbers(value: Any, where: str, count: int) -> None:  # noqa: ANN401
    if not isinstance(value, list) or len(value) != count:
        raise damaged(f"{where} must hold {count} numbers")
    for item in value:
        number(item, where, -1e6, 1e6)


def parse_stage(item: Any, where: str) -> Stage:  # noqa: ANN401
    """Return one entry of ``stages``."""
    fields = mapping(item, where)
    spacing = [number(v, f"{where}.spacing_zyx_mm", 0.1, 50) for v in items(fields, "spacing_zyx_mm", 3)]
    window = [whole(v, f"{where}.window_zyx", 1, 4096) for v in items(fields, "window_zyx", 3)]
    levels = [_levels(v, f"{where}.intensity_windows_hu") for v in items(fields, "intensity_windows_hu", 16)]
    if len(spacing) != 3 or len(window) != 3 or math.prod(window) > MAX_WINDOW_VOXELS or not levels:
        raise damaged(f"{where} needs three spacings, a window of three sizes and an intensity window")
    network = mapping(fields.get("network"), f"{where}.network")
    _check_modest(network, f"{where}.network")
    return Stage(
        network=network,
        spacing_zyx_mm=(spacing[0], spacing[1], spacing[2]),
        window_zyx=(window[0], window[1], window[2]),
        intensity_windows_hu=tuple(levels),
        overlap=number(fields.get("overlap", 0.25), f"{where}.overlap", 0, 0.75),
        threshold=number(fields.get("threshold", 0.5), f"{where}.threshold", 0.01, 0.99),
    )


def _levels(value: Any, where: str) -> tuple[float, float]:  # noqa: ANN401
    if not isinstance(value, list) or len(value) != 2:
        raise damaged(f"{where} must hold pairs of levels")
    low, high = (number(level, where, -32768, 65535) for level in value)
    if low >= high:
        raise damaged(f"{where} must rise")
    return low, high


def _check_modest(value: Any, where: str) -> None:  # noqa: ANN401
    """Refuse a network's description that would ask for an absurd network."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list):
        if len(value) > 64:
            raise damaged(f"{where} is too long")
        for item in value:
            _check_modest(item, where)
    elif not isinstance(value, str | bool):
        number(value, where, 0, 4096)


def damaged(what: str) -> ModelError:
    """Return the refusal of metadata that do not describe a package (``AC-MD-010``)."""
    return ModelError("AC-MD-010", f"{METADATA} does not describe a model package: {what}.", "Ask its maker.")


def mapping(value: Any, where: str) -> dict[str, Any]:  # noqa: ANN401
    """Return a JSON object."""
    if not isinstance(value, Mapping):
        raise damaged(f"{where} is no object")
    return dict(value)


def items(fields: Mapping[str, Any], key: str, most: int) -> Sequence[Any]:
    """Return a JSON list of at most `most`."""
    value = fields.get(key)
    if not isinstance(value, list) or len(value) > most:
        raise damaged(f"{key} must be a list of at most {most}")
    return value


def text(fields: Mapping[str, Any], key: str) -> str:
    """Return a text that is not empty."""
    value = fields.get(key)
    if not isinstance(value, str) or not value.strip() or len(value) > 200:
        raise damaged(f"{key} must be a text")
    return value


def number(value: Any, where: str, low: float, high: float) -> float:  # noqa: ANN401
    """Return a number within limits."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise damaged(f"{where} must be a number from {low:g} to {high:g}")
    return float(value)


def whole(value: Any, where: str, low: int, high: int) -> int:  # noqa: ANN401
    """Return a whole number within limits."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise damaged(f"{where} must be a whole number from {low} to {high}")
    return value
