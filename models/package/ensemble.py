"""Packages joined into one, whose networks are averaged.

The probabilities of networks that were trained apart are averaged, structure by structure (Lakshminarayanan, Pritzel,
Blundell 2017, arXiv:1612.01474).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autocontour.base.errors import ModelError
from autocontour.models.package.description import FORMAT, MOST_MEMBERS
from autocontour.models.package.package import ModelPackage

MEAN = 0
Weights = dict[str, NDArray[np.floating[Any]]]


@dataclass(frozen=True)
class Joining:
    """How packages are joined.

    Attributes
    ----------
    packages
        Two or more with the same structures, stages and networks; they may have several networks each.
    version
        Of the result; its name and everything else that is not joined is the first package's.
    weights
        Structure → weight of each package in its mean; 1 for each if it is left out.
    localizer
        Number of the package whose localizer is used, counted from 1; `MEAN` for the mean of all.
    note
        How packages and weights were chosen.
    """

    packages: Sequence[ModelPackage]
    version: str
    weights: Mapping[str, Sequence[float]] = field(default_factory=dict)
    localizer: int = MEAN
    note: str = ""


def join_packages(joining: Joining) -> tuple[dict[str, Any], dict[str, Weights]]:
    """Return metadata and weights of the joined package, in float16.

    Thresholds are the weighted means of those of the packages; statistics, limits of findings, rules and site are the
    first package's. Figures of validations are left out. `autocontour.models.training.joined.calibrate_joined`
    determines thresholds and limits anew.

    Raises
    ------
    ModelError
        ``AC-MD-068`` if a package does not fit the first, ``AC-MD-069`` for weights that are not one number for each
        package, of a structure that is not in it, or for a package that does not exist.
    """
    first = joining.packages[0]
    _check(joining)
    metadata: dict[str, Any] = json.loads(json.dumps(first.metadata))
    metadata.pop("validation", None)
    stages, weights = metadata["stages"], {}
    for role in first.stages:
        chosen = [joining.localizer - 1] if role == "localizer" and joining.localizer else range(len(joining.packages))
        members, networks = _members(joining, role, list(chosen))
        if len(networks) > 1:
            stages[role]["members"] = members
        weights[role] = number_networks(networks)
    for entry in metadata["structures"]:
        entry["threshold"] = _threshold(joining, entry["name"])
    names = ", ".join(f"{one.name} {one.version}" for one in joining.packages)
    changelog = {**metadata.get("changelog", {}), joining.version: f"the mean of several networks ({names})"}
    changes = {"format": FORMAT, "version": joining.version, "changelog": changelog}
    return metadata | changes | {"training": _training(joining)}, weights


def number_networks(networks: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the weights of a stage's networks as they are stored: preceded by their number if there are several."""
    if len(networks) == 1:
        return dict(networks[0])
    return {f"{number}.{key}": value for number, one in enumerate(networks) for key, value in one.items()}


def _check(joining: Joining) -> None:
    first, count = joining.packages[0], len(joining.packages)
    if count < 2:
        raise ModelError("AC-MD-069", reason="two packages or more are needed")
    for package in joining.packages:
        if differing := _difference(first, package):
            raise ModelError("AC-MD-068", package=f"{package.name} {package.version}", reason=differing)
    if not 0 <= joining.localizer <= count:
        raise ModelError("AC-MD-069", reason=f"there is no package {joining.localizer}")
    for name, values in joining.weights.items():
        if name not in first.structures:
            raise ModelError("AC-MD-069", reason=f"{name!a} is not one of the structures")
        fits = len(values) == count and all(0 <= value <= 1000 for value in values) and sum(values) > 0
        if not fits:
            raise ModelError("AC-MD-069", reason=f"{name} needs {count} weights from 0 to 1000, one of them above 0")
    for role in first.stages:
        networks = sum(package.networks(role) for package in joining.packages)
        if networks > MOST_MEMBERS:
            raise ModelError("AC-MD-069", reason=f"{networks} networks of the {role}, at most {MOST_MEMBERS}")


def _difference(first: ModelPackage, package: ModelPackage) -> str:
    """Return why a package cannot be joined with the first; empty if it can."""
    if package.procedure is not None or package.patient is not None:
        return "a published model, or a package of one patient"
    if any(one.habit for one in package.structures.values()):
        return "it has habits of a clinic"
    if list(package.structures) != list(first.structures):
        return "other structures"
    if package.license != first.license:
        return "another licence"
    if set(package.stages) != set(first.stages):
        return "other stages"
    for role, stage in first.stages.items():
        if {**asdict(stage), "members": ()} != {**asdict(package.stages[role]), "members": ()}:
            return f"another network, grid or window of the {role}"
    pairs = [(one, first.structures[name]) for name, one in package.structures.items()]
    if any(one.rules != other.rules or one.margin_mm != other.margin_mm for one, other in pairs):
        return "other rules or margins"
    return ""


def _members(joining: Joining, role: str, chosen: Sequence[int]) -> tuple[list[dict[str, Any]], list[Weights]]:
    """Return the description and the weights of every network of a stage."""
    described: list[dict[str, Any]] = []
    networks: list[Weights] = []
    for number in chosen:
        package = joining.packages[number]
        inner = package.stages[role].members
        for k, weights in enumerate(package.read_networks(role)):
            of_structures = {
                name: _outer(joining, role, name, number) * _inner(package, role, name, k)
                for name in package.structures
            }
            name = f"{package.name} {package.version}" + (f", {inner[k].name}" if inner else "")
            name = name if all(name != one["name"] for one in described) else f"{name} ({number + 1})"
            plain = {key: round(value, 6) for key, value in of_structures.items() if value != 1}
            described.append({"name": name[:200], "weights": plain})
            networks.append({key: value.astype(np.float16) for key, value in weights.items()})
    return described, networks


def _outer(joining: Joining, role: str, structure: str, number: int) -> float:
    """Return the weight of a package in the mean of a structure; the localizer looks for all with all."""
    values = joining.weights.get(structure)
    return 1.0 if values is None or role == "localizer" else float(values[number])


def _inner(package: ModelPackage, role: str, structure: str, number: int) -> float:
    members = package.stages[role].members
    if not members:
        return 1.0
    return members[number].weight(structure) / sum(one.weight(structure) for one in members)


def _threshold(joining: Joining, structure: str) -> float:
    weights = [_outer(joining, "segmenter", structure, number) for number in range(len(joining.packages))]
    levels = [package.structures[structure].threshold for package in joining.packages]
    return round(float(np.average(levels, weights=weights)), 3)


def _training(joining: Joining) -> dict[str, Any]:
    """Return what is known of the training of all packages.

    The fingerprints are left out if one of the packages does not state them: the gate must not take a part for the
    whole. A patient counts as held out only if no package was trained on it.
    """
    known = [package.metadata.get("training", {}) for package in joining.packages]
    training: dict[str, Any] = json.loads(json.dumps(known[0]))
    for key in ("fingerprints", "retrained", "stages"):
        training.pop(key, None)
    if all("fingerprints" in one for one in known):
        training["fingerprints"] = sorted({patient for one in known for patient in one["fingerprints"]})
        training["patients"] = len(training["fingerprints"])
    held_out = [set(one.get("validation_patients", one.get("fold_patients", ()))) for one in known]
    training["validation_patients"] = sorted(set.intersection(*held_out))
    if retrained := [entry for one in known for entry in one.get("retrained", ())]:
        training["retrained"] = retrained
    training["ensemble"] = [
        {"package": f"{package.name} {package.version}", "checksum": package.checksum, "stages": one.get("stages", {})}
        | {"history": one.get("history", "")}
        for package, one in zip(joining.packages, known, strict=True)
    ]
    return training | {"history": joining.note or training.get("history", "")}
