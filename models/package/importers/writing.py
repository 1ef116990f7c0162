"""Writing of an imported model as a package."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autocontour.base.errors import ModelError
from autocontour.base.findings import Finding
from autocontour.base.limits import shown
from autocontour.models.package.description import FORMAT
from autocontour.models.package.importers.names import Names, combined_names, is_known
from autocontour.models.package.package import ModelPackage, write_package

TASK = "Contours a CT by a published network, run as its authors do"
USE = "Contours for review and correction by a qualified person before any use in planning."


@dataclass(frozen=True)
class Imported:
    """A published model that was read.

    Attributes
    ----------
    name
        Its own name.
    license
        As its source states it.
    stage
        Fields of `autocontour.models.package.description.Stage`.
    procedure
        Fields of `autocontour.models.package.procedure.Procedure`, but ``values``.
    labels
        Label → its values in the label image.
    weights
        Name, preceded by the fold's number → array.
    names
        Structure names of the labels.
    about
        Description by the source: fields of a package's metadata, such as ``description``, ``data_source``,
        ``authors``, ``references`` and ``published_figures``.
    """

    name: str
    license: str
    stage: Mapping[str, Any]
    procedure: Mapping[str, Any]
    labels: Mapping[str, tuple[int, ...]]
    weights: Mapping[str, Any]
    names: Names
    about: Mapping[str, Any] = field(default_factory=dict)


def write_imported(
    imported: Imported, folder: Path, *, name: str = "", license_name: str = "", license_text: str = ""
) -> tuple[ModelPackage, tuple[Finding, ...]]:
    """Write the package of an imported model.

    Parameters
    ----------
    imported
        The model.
    folder
        The package's folder; replaced if it exists.
    name
        The package's name; the model's own if empty.
    license_name, license_text
        Name and text of its licence; as the source states it if empty.

    Returns
    -------
    ModelPackage
        The package, read back.
    tuple[Finding, ...]
        ``AC-MD-130`` for labels that keep their name, since it is in no table; ``AC-MD-136`` for a model that needs
        another one; ``AC-MD-137`` for several labels of one name.

    Raises
    ------
    ModelError
        ``AC-MD-048``, ``AC-MD-051`` or ``AC-MD-143`` for a name, or the errors of
        `autocontour.models.package.package.write_package`.
    """
    values = structure_values(imported)
    unknown = [structure for structure in values if not is_known(structure)]
    labels: dict[str, list[str]] = {}
    for label in imported.labels:
        labels.setdefault(imported.names.of(label), []).append(label)
    source = {**imported.procedure.get("source", {}), "labels": labels}
    listed = {structure: list(one) for structure, one in values.items()}
    metadata = {
        **imported.about,
        "format": FORMAT,
        "name": name or imported.name,
        "version": _version(imported),
        "body_site": "WHOLE BODY",
        "license": license_name or imported.license,
        "task": TASK,
        "intended_use": USE,
        "structures": [_structure(structure) for structure in values],
        "stages": {"segmenter": dict(imported.stage)},
        "procedure": {**imported.procedure, "values": listed, "source": source},
    }
    extra = {"LICENSE": license_text} if license_text else {}
    package = write_package(folder, metadata, {"segmenter": imported.weights}, extra)
    findings = []
    if unknown:
        findings.append(Finding.of("AC-MD-130", count=len(unknown), names=", ".join(map(shown, unknown[:20]))))
    if joined := [f"{name} = {' + '.join(map(shown, one))}" for name, one in labels.items() if len(one) > 1]:
        findings.append(Finding.of("AC-MD-137", count=len(joined), names=", ".join(joined[:10])))
    if crop := imported.procedure.get("crop"):
        findings.append(Finding.of("AC-MD-136", structures=", ".join(crop["structures"]), finder=crop["finder"]))
    return package, tuple(findings)


def structure_values(imported: Imported) -> dict[str, tuple[int, ...]]:
    """Return structure → its values in the label image.

    Labels of one name are one structure. What consists of several structures, such as a lung of its lobes, is added.

    Raises
    ------
    ModelError
        ``AC-MD-051`` if the user named a label that the model does not have.
    """
    if wrong := [label for label in imported.names.own if label not in imported.labels]:
        raise ModelError("AC-MD-051", label=shown(wrong[0]), known=", ".join(map(shown, list(imported.labels)[:20])))
    values: dict[str, tuple[int, ...]] = {}
    for label, own in imported.labels.items():
        name = imported.names.of(label)
        values[name] = tuple(sorted({*values.get(name, ()), *own}))
    for whole, parts in combined_names().items():
        if whole not in values and all(part in values for part in parts):
            values[whole] = tuple(sorted({value for part in parts for value in values[part]}))
    return values


def plain_text(value: object, most: int = 100) -> str:
    """Return a text of a foreign file: printable, on one line, at most `most` characters."""
    letters = "".join(letter if letter.isprintable() else " " for letter in str(value))
    return " ".join(letters.split())[:most]


def stated(content: Mapping[str, Any], fields: Mapping[str, str]) -> dict[str, str]:
    """Return what a foreign file states about its model: our field → its text, for those that have one.

    Parameters
    ----------
    content
        Of the file.
    fields
        Its key → our field.
    """
    found: dict[str, str] = {}
    for key, field_name in fields.items():
        value = content.get(key)
        if isinstance(value, list) and all(isinstance(one, str) for one in value):
            value = "; ".join(value)
        if isinstance(value, str | int | float) and not isinstance(value, bool) and (text := plain_text(value, 500)):
            found[field_name] = text
    return found


def _structure(name: str) -> dict[str, Any]:
    """Return the fields of a structure: drawn if asked for, and nothing is removed from what the network draws."""
    rules = {"components": 0, "minimum_cc": 0.0, "fill_holes": False}
    return {"name": name, "drawn": False, "threshold": 0.5, "margin_mm": 15.0, "rules": rules}


def _version(imported: Imported) -> str:
    """Return a version that follows from the source's files: the same files give the same version."""
    digest = hashlib.sha256()
    for file, checksum in sorted(imported.procedure.get("source", {}).get("files", {}).items()):
        digest.update(f"{file} {checksum}\n".encode())
    return f"import-{digest.hexdigest()[:12]}"
