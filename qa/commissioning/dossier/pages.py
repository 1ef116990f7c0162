"""The sections of a dossier. A part without data states that it was not done."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from autocontour.qa.commissioning.dossier.build import Picture, statements_of
from autocontour.qa.commissioning.dossier.measured import (
    show_dose,
    show_observers,
    show_results,
    show_review,
    show_worst,
)
from autocontour.qa.commissioning.dossier.sources import check_part
from autocontour.qa.commissioning.dossier.tested import show_end_to_end, show_refusals
from autocontour.qa.commissioning.routine.page import ABOUT_TIMES, short_identity, times_tables
from autocontour.qa.commissioning.study.request import ATLAS, PROGRAM, RULES
from autocontour.qa.commissioning.study.text import number_text
from autocontour.report.document import Block, Document, NotDone, Paragraph, Section, Signatures, table
from autocontour.report.page import Table

Json = Mapping[str, Any]
Rows = list[Sequence[object]]
TRIGGERS = (
    "another version or checksum of the package, or another version of the program",
    "a new scanner, reconstruction, or scan protocol, or a scan outside the ranges of this dossier",
    "patients outside the intended use of this dossier",
    "an alarm of routine QA (autocontour monitor), or an incident",
    "a change of the clinic's contouring guideline",
)
"""The program's proposal; shown where the clinic states none of its own."""
WITHOUT_PACKAGE = (RULES, PROGRAM, ATLAS)


TITLES = (
    *("Identity", "Intended use, exclusions and refusals", "Scanners, protocols and patients", "End-to-end test"),
    *("Results per organ", "Worst cases", "Observers", "Blind review", "Effect on the dose", "Edit time"),
    *("Failures and what was left out", "Routine QA", "Model card", "Roles, limits, and when to do it again"),
    "Decision",
)


def build_document(content: Json, pictures: Sequence[Picture]) -> Document:
    """Return the dossier as a document."""
    statements = statements_of(dict(content))
    parts = (
        *(_identity(content), _use(content), _protocols(content), show_end_to_end(content), show_results(content)),
        *(show_worst(pictures), show_observers(content), show_review(content), show_dose(content), _times(content)),
        *(_failures(content), _routine(content), _card(content), _roles(content)),
        (*_decision(content), Signatures(statements.signatures)),
    )
    sections = tuple(Section(title, tuple(blocks)) for title, blocks in zip(TITLES, parts, strict=True))
    clinic = f"{statements.clinic}, " if statements.clinic else ""
    date = f", {content['date']}" if content["date"] else ""
    return Document(f"Commissioning dossier: {content['method']}", f"{clinic}id {content['id'][:16]}{date}", sections)


def _section(title: str) -> str:
    """Return how the text refers to a section."""
    return f"section {TITLES.index(title) + 1}"


def _identity(content: Json) -> Iterator[Block]:
    package = content["package"]
    rows: Rows = [
        ("Method", content["method"]),
        ("Version and checksum", content["identity"] or "another program's structure sets; version not known"),
        ("Program", f"autocontour {content['program']}; study made with {content['study']['program']}"),
        ("Dossier", content["id"]),
        ("Date", content["date"] or "not stated"),
    ]
    if package:
        rows += [("Licence", package.get("license", "not stated")), ("Structures", ", ".join(package["structures"]))]
    yield table("", "item,value", rows)
    if content["program"] != content["study"]["program"]:
        yield NotDone("The dossier was written by another version of the program than the study.")
    if content["identity"] and not package and content["method"] not in WITHOUT_PACKAGE:
        yield NotDone("The package of the study is not installed with this checksum: its own statements are missing.")
    yield table("Study", "item,value", list(_study(content)))
    yield table("Files that this dossier was made of", "part,SHA-256", list(content["files"].items()))


def _study(content: Json) -> Iterator[Sequence[object]]:
    """Yield what was compared, and how."""
    study, settings = content["study"], content["study"]["settings"]
    yield "Patients", study["patients"]
    yield "Reference contours (pattern of the files)", settings["reference"]
    for role, label in (("observers", "Further observer"), ("others", "Other program")):
        for name, pattern in settings.get(role, {}).items():
            yield f"{label} {name} (pattern of the files)", pattern
    for name, identity in settings["methods"].items():
        if name != content["method"]:
            yield f"Compared with {name}", identity
    yield "Structures", ", ".join(settings.get("structures", ())) or "all with a confirmed name"
    yield "Tolerances", settings["tolerances"]
    if settings.get("with_dangling"):
        yield "References to images that are not in the CT", "accepted; see the remarks"
    if bootstrap := settings.get("bootstrap"):
        yield "Bootstrap", f"{bootstrap['resamples']} resamples, seed {bootstrap['seed']}"


def _use(content: Json) -> Iterator[Block]:
    statements, package = statements_of(dict(content)), content["package"] or {}
    rows: Rows = [
        ("Stated by the package", package.get("intended_use", "not stated")),
        ("Body site", str(package.get("body_site", "not stated")).lower()),
        ("Stated by the clinic", statements.intended_use or "not stated"),
    ]
    yield table("Intended use", "source,statement", rows)
    if statements.exclusions:
        yield table("Exclusions of the clinic", "not used for", [(one,) for one in statements.exclusions])
    else:
        yield NotDone("The clinic states no exclusions.")
    yield from show_refusals(content)


def _protocols(content: Json) -> Iterator[Block]:
    statements, found = statements_of(dict(content)), content["protocols"]
    yield Paragraph(f"{content['study']['patients']} scans, as their files state it.")
    rows: Rows = [
        (keyword, ", ".join(f"{value} ({count})" for value, count in values.items()))
        for keyword, values in found["values"].items()
    ]
    steps, sizes = found["spacing_zyx_mm"], found["shape_zyx"]
    for label, index in (("Slice spacing mm", 0), ("Pixel spacing mm, vertical", 1), ("Pixel spacing mm, across", 2)):
        rows.append((label, _range(steps[index])))
    rows += [("Slices", _range(sizes[0])), ("Rows × columns", f"{_range(sizes[1])} × {_range(sizes[2])}"),
             ("Unevenly spaced scans", found["unevenly_spaced"])]  # fmt: skip
    yield table("Measured", "attribute,values (scans)", rows)
    stated = [("scanner", one) for one in statements.scanners] + [("protocol", one) for one in statements.protocols]
    if stated:
        yield table("Accepted by the clinic", "kind,statement", stated)
    else:
        yield NotDone("The clinic states no range of scanners and protocols.")
    rows = [
        (one["patient"], one["ct_hash"][:16], " × ".join(map(str, one["shape_zyx"])),
         " × ".join(f"{step:g}" for step in one["spacing_zyx_mm"]),
         ", ".join(f"{role} {checksum[:16]}" for role, checksum in one["sets"].items()))
        for one in content["patients"]
    ]  # fmt: skip
    yield table("Patients (z, y, x; first 16 digits of SHA-256)",
                "patient,CT values,voxels,spacing mm,structure sets", rows)  # fmt: skip


def _range(pair: Sequence[float]) -> str:
    return f"{pair[0]:g}" if pair[0] == pair[1] else f"{pair[0]:g} to {pair[1]:g}"


def _times(content: Json) -> Iterator[Block]:
    found = content["times"]
    if found is None or not found["structures"]:
        yield NotDone("Run autocontour timestudy on cases of the editor and state its times.json.")
        return
    for text in ABOUT_TIMES:
        yield Paragraph(text.format(idle=found["idle_seconds"]))
    yield from check_part(content, "times", "The time study", found["drawn_by"])
    yield from times_tables(found)


def _failures(content: Json) -> Iterator[Block]:
    missing = [
        (name, patient) for name, mine in content["cases"].items() for patient, row in mine.items() if row["missing"]
    ]
    if missing:
        yield table("Structures of the reference that the method did not draw", "structure,patient", missing)
    else:
        yield Paragraph("The method drew every structure of the reference that it offers.")
    study = content["study"]
    for title, entries in (("Left out of the study", study["left_out"]), ("Remarks", study["remarks"])):
        if entries:
            yield table(title, "code,reason,set or method,structure,n,patients", _by_reason(entries))
    if study["waiting_names"]:
        yield NotDone(f"{study['waiting_names']} names of structures are not confirmed; these structures do not count.")


def _by_reason(entries: Sequence[Json]) -> Rows:
    """Return one row for each reason, with all patients that it is about."""
    found: dict[tuple[str, ...], list[str]] = {}
    for one in entries:
        own = (f"{one['severity']} {one['code']}", one["message"], one["subject"], one["structure"])
        found.setdefault(own, []).append(one["patient"])
    return [(*own, len(mine), ", ".join(mine)) for own, mine in found.items()]


def _routine(content: Json) -> Iterator[Block]:
    found = content["routine"]
    if found is None:
        yield NotDone("Routine QA has not begun (autocontour monitor).")
        return
    yield Paragraph(
        f"Status: {found['status']}. {found['cases']} cases, {found['first'] or '–'} to {found['last'] or '–'}."
    )
    yield from check_part(content, "routine", "Routine QA", (one["identity"] for one in found["structures"]))
    rows: Rows = [(one["structure"], one["status"], short_identity(one["identity"]),
             f"{one['baseline']['n']} of {one['baseline']['wanted']}", number_text(one["baseline"]["dsc"]["mean"], 3),
             len(one["alarms"]), len(one["changes"])) for one in found["structures"]]  # fmt: skip
    yield table("", "structure,status,drawn by,baseline,DSC of the baseline,alarms,other packages", rows)


def _card(content: Json) -> Iterator[Block]:
    package = content["package"]
    yield Paragraph(
        "Levels of the model card proposed for artificial intelligence in radiotherapy (AID-RT): metadata, basics, "
        "technical, training, evaluation, use and monitoring. What the package does not state is marked."
    )
    if content["method"] in WITHOUT_PACKAGE:
        yield NotDone(f"The method {content['method']} is not a model package: it has no card of its own.")
        return
    if package is None:
        yield NotDone("The method is not a package that is installed here with the checksum of the study.")
        return
    for title, items in _levels(content, package):
        yield table(title, "item,value", [(name, _stated(value)) for name, value in items])


def _levels(content: Json, package: Json) -> Iterable[tuple[str, list[tuple[str, object]]]]:
    training, statements = package["training"], statements_of(dict(content))
    stages = "; ".join(
        f"{role}: {stage['architecture']}, grid {' × '.join(f'{step:g}' for step in stage['spacing_zyx_mm'])} mm "
        f"(z, y, x), window {' × '.join(str(size) for size in stage['window_zyx'])}"
        for role, stage in package["stages"].items()
    )
    tested = content["study"]
    return (
        ("Metadata", [("Name and version", f"{package['name']} {package['version']}"),
                      ("Checksum", package["checksum"]), ("Authors", package.get("authors")),
                      ("Licence", package.get("license")), ("Changes", _changes(package.get("changelog")))]),
        ("Basics", [("Task", package.get("task")), ("Description", package.get("description")),
                    ("Intended use", package.get("intended_use")), ("Body site", package.get("body_site")),
                    ("Structures", ", ".join(package["structures"])), ("Input", package.get("data_type")),
                    ("Output", "contours as RTSTRUCT, for review")]),
        ("Technical", [("Networks", stages), ("Made with", _made_with(package))]),
        ("Training", [("Data", package.get("data_source")), ("Patients", training.get("patients")),
                      ("Patients for choices (checkpoint, thresholds)", training.get("validation_patients")),
                      ("Excluded", training.get("quarantined")), ("Started from", training.get("begun_with")),
                      ("How", training.get("history")), ("Sex, age, scanners of the patients", None),
                      ("CTs listed by fingerprint", package["training_patients_listed"])]),
        ("Evaluation", [("By its makers", _validation(package.get("validation"))),
                        ("Here", f"{tested['patients']} patients, {_section('Results per organ')}"),
                        ("Against people", _section("Observers") if tested["observers"] else None),
                        ("Blind", _section("Blind review") if content["review"] else None),
                        ("On the dose", _section("Effect on the dose") if tested["dose_differences"] else None)]),
        ("Use and monitoring", [("Intended use here", statements.intended_use),
                                ("Exclusions", "; ".join(statements.exclusions)),
                                ("Review", "each structure is approved by a person"),
                                ("Monitoring", _section("Routine QA") if content["routine"] else None),
                                ("When to do it again", _section(TITLES[13]))]),
    )  # fmt: skip


def _stated(value: object) -> str:
    if isinstance(value, list | tuple):
        return str(len(value)) if len(value) > 5 else ", ".join(map(str, value)) or "none"
    if value == {}:
        return "none"
    return "not stated" if value in (None, "") else str(value)


def _changes(found: object) -> str:
    return "; ".join(f"{version}: {text}" for version, text in found.items()) if isinstance(found, dict) else ""


def _made_with(package: Json) -> str:
    versions = {"PyTorch": package.get("pytorch_version"), "MONAI": package.get("monai_version")}
    return ", ".join(f"{name} {version}" for name, version in versions.items() if version)


def _validation(found: object) -> str:
    if not isinstance(found, dict) or not isinstance(found.get("structures"), dict):
        return ""
    figures = (f"{name} {number_text(one.get('dsc_median'), 2)} (n {one.get('n')})"
               for name, one in found["structures"].items())  # fmt: skip
    return f"median DSC: {', '.join(figures)}"


def _roles(content: Json) -> Iterator[Block]:
    statements = statements_of(dict(content))
    if statements.roles:
        yield table("Roles", "task,who", list(statements.roles.items()))
    else:
        yield NotDone("The clinic states no roles.")
    limits = (
        "The figures hold for these patients, scanners and protocols. The reference is manual and differs between "
        "observers. DSC depends on the size of a structure. The program cannot see whether a contour is right.",
        *statements.limits,
    )
    yield table("Limits", "limit", [(one,) for one in limits])
    own = bool(statements.triggers)
    title = "Commissioning is done again after" + ("" if own else " (proposal of the program)")
    yield table(title, "trigger", [(one,) for one in statements.triggers or TRIGGERS])


def _decision(content: Json) -> Iterator[Block]:
    decision = statements_of(dict(content)).decision
    yield Paragraph(decision) if decision else NotDone("No decision is stated. The dossier does not decide: people do.")


def tables_of(document: Document) -> Iterator[tuple[str, Table]]:
    """Yield the section's title and each table of a document."""
    for section in document.sections:
        for block in section.blocks:
            if isinstance(block, Table):
                yield section.title, block
