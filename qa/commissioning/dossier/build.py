"""The content of a dossier: plain values from a study, the self test, the time study and routine QA."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from autocontour import __version__
from autocontour.base.errors import ModelError, UsageError
from autocontour.models import ModelPackage, find_package
from autocontour.qa.commissioning.dossier.statements import Statements, read_statements
from autocontour.qa.commissioning.routine.times import AUTOMATIC
from autocontour.qa.commissioning.study.patient import PATIENTS
from autocontour.qa.commissioning.study.request import REFERENCE
from autocontour.qa.commissioning.study.worst import caption_of, picture_path, worst_of

Json = dict[str, Any]
FORMAT, VERSION = "autocontour dossier", 1
WORST = 3
CASE_METRICS = ("dsc", "hd95_mm", "surface_dsc", "added_path_length_mm", "missing")
FORMATS = {
    "selftest": "autocontour self test",
    "times": "autocontour time study",
    "routine": "autocontour routine QA",
    "review": "autocontour blind review report",
}
"""Part → the format of its file."""
ROWS = {"times": ("rows",), "review": ("drawn", "not_compared")}
"""Lists of single cases, which are not taken over."""
OF_PATIENT = ("patient", "ct_hash", "shape_zyx", "spacing_zyx_mm", "sets")
OF_METHOD = ("results", "non_inferiority", "places", "dose_differences")


@dataclass(frozen=True)
class DossierRequest:
    """What a dossier is made of.

    Attributes
    ----------
    study
        Folder of a commissioning report.
    method
        Its subject: a method of the study; "" for its only or first one.
    selftest, times, routine, review
        JSON files of ``selftest --full --json``, ``timestudy``, ``monitor`` and ``review report``; None: not done.
    statements
        Of the clinic (see `Statements`); None: not stated.
    date
        As it shall be printed; "" leaves it out. The clock is never read, so that the same input gives the same bytes.
    """

    study: Path
    method: str = ""
    selftest: Path | None = None
    times: Path | None = None
    routine: Path | None = None
    review: Path | None = None
    statements: Path | None = None
    date: str = ""


@dataclass(frozen=True)
class Picture:
    """A worst case: its structure, the picture and its caption."""

    structure: str
    png: bytes
    caption: str


def build_content(request: DossierRequest) -> tuple[Json, list[Picture]]:
    """Return the content of ``dossier.json``, and the pictures of the worst cases.

    Raises
    ------
    UsageError
        ``AC-QA-330`` to ``-333``.
    """
    study = _read_study(request.study)
    records = _read_records(request.study, study)
    method = _choose_method(study, request.method)
    statements = read_statements(request.statements)
    parts = {name: _read_part(getattr(request, name), name) for name in FORMATS}
    worst = _worst(request.study, records, study, method)
    content: Json = {
        "format": FORMAT,
        "version": VERSION,
        "program": __version__,
        "date": request.date,
        "method": method,
        "identity": study["settings"]["methods"].get(method, ""),
        "package": _describe_package(method, study),
        "files": _hash_files(request),
        "study": {
            "program": study["program"],
            "settings": study["settings"],
            "patients": len(records),
            "left_out": study["left_out"],
            "remarks": _remarks(study, method),
            "waiting_names": study["waiting_names"],
            "observers": study["observers"],
            "paired_tests": [one for one in study["paired_tests"] if method in (one["first"], one["second"])],
            "not_offered": [one["structure"] for one in study["not_offered"] if one["method"] == method],
            **{name: [one for one in study[name] if one["method"] == method] for name in OF_METHOD},
        },
        "protocols": _summarize_protocols(records),
        "patients": [{key: record[key] for key in OF_PATIENT} for record in records],
        "cases": _cases(records, method),
        "worst": [{"structure": one.structure, "caption": one.caption, "sha256": _hash(one.png)} for one in worst],
        "statements": asdict(statements),
        **parts,
    }
    plain = json.loads(json.dumps(content))
    return plain | {"id": id_of(plain)}, worst


def _remarks(study: Json, method: str) -> list[Json]:
    """Return the remarks that concern the figures of a method: all but those about the other methods."""
    settings = study["settings"]
    others = {*settings["methods"], *settings.get("others", ())} - {method}
    return [one for one in study["remarks"] if one["subject"] not in others]


def id_of(content: Mapping[str, Any]) -> str:
    """Return the SHA-256 of plain values."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _read_study(folder: Path) -> Json:
    content = _read_json(folder / "report.json")
    is_known = content.get("format") == "autocontour commissioning" and content.get("version") == 1
    if not (is_known and content.get("results")):
        raise UsageError("AC-QA-331", file=f"{folder.name}/report.json")
    return content


def _read_json(path: Path) -> Json:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise UsageError("AC-QA-331", file=path.name) from error
    if not isinstance(content, dict):
        raise UsageError("AC-QA-331", file=path.name)
    return content


def _read_records(folder: Path, study: Json) -> list[Json]:
    """Return the records of the patients of the report; each must be that of the report."""
    records = []
    for patient in study["patients"]:
        record = _read_json(folder / PATIENTS / f"{patient['patient']}.json")
        if record.get("fingerprint") != patient["fingerprint"]:
            raise UsageError("AC-QA-331", file=f"{patient['patient']}.json")
        records.append(record)
    return records


def _choose_method(study: Json, wanted: str) -> str:
    names = list(dict.fromkeys(one["method"] for one in study["results"]))
    if not wanted:
        return str(names[0])
    found = [name for name in names if name == wanted] or [name for name in names if name.split()[0] == wanted]
    if len(found) != 1:
        raise UsageError("AC-QA-332", method=wanted, known=", ".join(names))
    return str(found[0])


def _read_part(path: Path | None, name: str) -> Json | None:
    if path is None:
        return None
    content = _read_json(path)
    if content.get("format") != FORMATS[name] or content.get("version", 1) != 1:
        raise UsageError("AC-QA-333", file=path.name, part=name)
    if name == "times":
        rows = [one for one in content.get("rows", ()) if isinstance(one, dict) and one.get("kind") in AUTOMATIC]
        content["drawn_by"] = sorted({str(one.get("drawn_by", "")) for one in rows})
    return {key: value for key, value in content.items() if key not in ROWS.get(name, ())}


def _describe_package(method: str, study: Json) -> Json | None:
    """Return what the package states of itself, if it is installed with the checksum of the study."""
    identity = str(study["settings"]["methods"].get(method, ""))
    package: ModelPackage | None = None
    with suppress(ModelError):
        package = find_package(method.split()[0])
    if package is None or package.checksum not in identity.split():
        return None
    about = dict(package.metadata)
    training = {key: value for key, value in about.get("training", {}).items() if key not in ("fingerprints", "stages")}
    kept = ("description", "authors", "license", "data_source", "data_type", "intended_use", "body_site", "changelog",
            "monai_version", "pytorch_version", "task")  # fmt: skip
    return {
        "name": package.name,
        "version": package.version,
        "checksum": package.checksum,
        "structures": list(package.structures),
        **{key: about[key] for key in kept if key in about},
        "stages": {
            role: {
                "architecture": str(stage.network["architecture"]),
                "spacing_zyx_mm": [float(step) for step in stage.spacing_zyx_mm],
                "window_zyx": [int(size) for size in stage.window_zyx],
            }
            for role, stage in package.stages.items()
        },
        "training": training,
        "training_patients_listed": len(about.get("training", {}).get("fingerprints", [])),
        "validation": about.get("validation"),
    }


def _hash_files(request: DossierRequest) -> dict[str, str]:
    files = {"study": request.study / "report.json", "statements": request.statements}
    files |= {name: getattr(request, name) for name in FORMATS}
    return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items() if path}


def _summarize_protocols(records: Sequence[Json]) -> Json:
    """Return how often each value occurs, and the ranges of the voxels' sizes."""
    counted: dict[str, Counter[str]] = {}
    for record in records:
        for keyword, value in record["protocol"].items():
            counted.setdefault(keyword, Counter())[value] += 1
    for counts in counted.values():
        if missing := len(records) - counts.total():
            counts["not stated"] = missing
    spacings = [record["spacing_zyx_mm"] for record in records]
    sizes = [record["shape_zyx"] for record in records]
    return {
        "values": {keyword: dict(sorted(counts.items())) for keyword, counts in sorted(counted.items())},
        "spacing_zyx_mm": _ranges(spacings),
        "shape_zyx": _ranges(sizes),
        "unevenly_spaced": sum(not record["evenly_spaced"] for record in records),
    }


def _ranges(rows: Sequence[Sequence[float]]) -> list[list[float]]:
    return [[min(column), max(column)] for column in zip(*rows, strict=True)]


def _cases(records: Sequence[Json], method: str) -> dict[str, dict[str, Json]]:
    """Return structure → patient → figures of the method."""
    found: dict[str, dict[str, Json]] = {}
    for record in records:
        for row in record["rows"]:
            if (row["a"], row["b"]) == (REFERENCE, method):
                figures = {metric: row[metric] for metric in CASE_METRICS} | {"ct_hash": record["ct_hash"]}
                found.setdefault(row["structure"], {})[record["patient"]] = figures
    return {name: dict(sorted(mine.items())) for name, mine in sorted(found.items())}


def _worst(output: Path, records: Sequence[Json], study: Mapping[str, Any], method: str) -> list[Picture]:
    pictures = []
    for structure in [one["structure"] for one in study["results"] if one["method"] == method]:
        for record, row in worst_of(records, method, WORST, structure):
            path = picture_path(output, record, structure, method)
            png = path.read_bytes() if path.exists() else b""
            pictures.append(Picture(structure, png, caption_of(record, row, method)))
    return pictures


def _hash(png: bytes) -> str | None:
    return hashlib.sha256(png).hexdigest() if png else None


def statements_of(content: Json) -> Statements:
    """Return the clinic's statements of a dossier."""
    stored = content["statements"]
    values: Json = {key: tuple(value) if isinstance(value, list) else value for key, value in stored.items()}
    return Statements(**values)
