"""The sections of a dossier. A part without data states that it was not done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from autocontour.base.register import read_register
from autocontour.qa.commissioning.dossier.build import Picture, statements_of
from autocontour.qa.commissioning.routine.page import TIME_HEADS, short_identity, time_rows
from autocontour.qa.commissioning.study.report import SHOWN_DOSES
from autocontour.report.document import Block, Document, NotDone, Paragraph, Section, Signatures, table
from autocontour.report.page import Figure, Table

Json = Mapping[str, Any]
Rows = list[Sequence[object]]
TRIGGERS = (
    "another version or checksum of the package, or another version of the program",
    "a new scanner, reconstruction, or scan protocol, or a scan outside the ranges of section 3",
    "patients outside the intended use of section 2",
    "an alarm of routine QA (autocontour monitor), or an incident",
    "a change of the clinic's contouring guideline",
)
"""The program's proposal; shown where the clinic states none of its own."""
PICTURE_SCALE = "The reference is green, the method red."


def build_document(content: Json, pictures: Sequence[Picture]) -> Document:
    """Return the dossier as a document."""
    statements = statements_of(dict(content))
    sections = (
        Section("Identity", tuple(_identity(content))),
        Section("Intended use, exclusions and refusals", tuple(_use(content))),
        Section("Scanners and protocols", tuple(_protocols(content))),
        Section("End-to-end test", tuple(_end_to_end(content))),
        Section("Results per organ", tuple(_results(content))),
        Section("Worst cases", tuple(_worst(pictures))),
        Section("Observers", tuple(_observers(content))),
        Section("Effect on the dose", tuple(_dose(content))),
        Section("Edit time", tuple(_times(content))),
        Section("Failures and what was left out", tuple(_failures(content))),
        Section("Routine QA", tuple(_routine(content))),
        Section("Model card", tuple(_card(content))),
        Section("Roles, limits, and when to do it again", tuple(_roles(content))),
        Section("Decision", (*_decision(content), Signatures(statements.signatures))),
    )
    clinic = f"{statements.clinic}, " if statements.clinic else ""
    date = f", {content['date']}" if content["date"] else ""
    return Document(f"Commissioning dossier: {content['method']}", f"{clinic}id {content['id'][:16]}{date}", sections)


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
    if content["identity"] and not package and content["method"] not in ("rules", "program"):
        yield NotDone("The package of the study is not installed with this checksum: its own statements are missing.")
    yield table("Files that this dossier was made of", "part,SHA-256", list(content["files"].items()))


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
    if content["selftest"] and content["selftest"].get("stress"):
        refused = Counter(one["detail"] for one in content["selftest"]["stress"] if one["outcome"] == "refused")
        rows = [(code, count, _sentence(code)) for code, count in sorted(refused.items())]
        yield table("Scans that the program refused in the stress suite", "code,trials,reason", rows)
    else:
        yield NotDone("Refusals were not shown: run autocontour selftest --full --json and state its file.")


def _sentence(code: str) -> str:
    """Return the sentence of a code without values."""
    known = read_register().get(code)
    return known.sentence["en"] if known else ""


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


def _range(pair: Sequence[float]) -> str:
    return f"{pair[0]:g}" if pair[0] == pair[1] else f"{pair[0]:g} to {pair[1]:g}"


def _end_to_end(content: Json) -> Iterator[Block]:
    tested = content["selftest"]
    if tested is None:
        yield NotDone("Run autocontour selftest --full --json on this computer and state its file.")
        return
    yield Paragraph(f"The self test of this installation {'passed' if tested['passed'] else 'FAILED'}.")
    rows: Rows = [(one["site"], one["structure"], _number(one["expected_dsc"], 3), _number(one["found_dsc"], 3),
             _passed(one)) for one in tested["checks"]]  # fmt: skip
    yield table("Analytic phantoms, contoured from DICOM files to the structure set", "site,structure,expected DSC,"
                "found,result", rows)  # fmt: skip
    if trips := tested.get("round_trips"):
        rows = [(one["position"], one["profile"], one["contours"], _number(one["largest_shift_mm"], 4), _passed(one))
                for one in trips]  # fmt: skip
        yield table("True contours written and read again, in every position and with every export profile",
                    "position,export profile,contours,largest shift mm,result", rows)  # fmt: skip
        areas = {(one["position"], one["contours"]) for one in trips}
        same = len(areas) == len({one["position"] for one in trips}) and all(one["passed"] for one in trips)
        yield Paragraph(f"Parity of the export profiles: {'the same contours with each' if same else 'NOT the same'}.")
    else:
        yield NotDone("Structure sets were not written and read with every export profile (selftest --full).")
    yield from _stress(tested.get("stress"))


def _stress(results: Sequence[Json] | None) -> Iterator[Block]:
    if not results:
        yield NotDone("The stress suite was not run (selftest --full).")
        return
    positions = [(one["trial"], one["outcome"], one["detail"]) for one in results if one["group"] == "position"]
    yield table("The phantoms in every patient position", "trial,outcome,findings", positions)
    groups = list(dict.fromkeys(one["group"] for one in results))
    outcomes = ("held", "warned", "refused", "SILENT")
    counts = Counter((one["group"], one["outcome"]) for one in results)
    rows: Rows = [(group, *(counts[group, outcome] for outcome in outcomes)) for group in groups]
    yield table("Stress suite, trials by outcome (SILENT: wrong without a finding)", "group,held,warned,refused,SILENT",
                rows)  # fmt: skip
    if silent := [(one["trial"], one["detail"]) for one in results if one["outcome"] == "SILENT"]:
        yield table("Wrong without a finding", "trial,what", silent)


def _passed(one: Json) -> str:
    return "pass" if one["passed"] else "FAIL"


def _results(content: Json) -> Iterator[Block]:
    study = content["study"]
    yield Paragraph(
        f"{study['patients']} patients. A structure that was not drawn has a DSC of 0 and infinite distances. "
        "Intervals: 95 % percentile bootstrap over patients, from 8 patients on."
    )
    rows: Rows = []
    for one in study["results"]:
        dsc, far, surface = (one["metrics"][key] for key in ("dsc", "hd95_mm", "surface_dsc"))
        spread = f"{_number(dsc['mean'], 3)} ± {_number(dsc['sd'], 3)}"
        rows.append((one["structure"], one["n"], one["failures"], spread, _interval(dsc["mean_interval"]),
                     _number(dsc["median"], 3), _number(dsc["minimum"], 3), _number(far["median"], 1),
                     f"{_number(surface['median'], 3)} at {one['tau_mm']:g} mm",
                     _number(one["metrics"]["added_path_length_mm"]["median"], 0)))  # fmt: skip
    yield table("", "structure,n,not drawn,DSC mean ± SD,95 % interval,median,lowest,HD95 mm median,surface DSC median,"
                "added path length mm median", rows)  # fmt: skip
    limits = [(one["structure"], f"{limit['statistic']} {limit['metric']}", _number(limit["value"], 3),
               f"{limit['limit']:g}", {True: "yes", False: "NO", None: "comparison only"}[limit["within"]],
               limit["source"]) for one in study["results"] for limit in one["limits"]]  # fmt: skip
    own = [row for row in limits if row[4] != "comparison only"]
    if not own:
        yield NotDone("No tolerances of the clinic (commission --tolerances): nothing is judged as acceptable or not.")
    if limits:
        yield table("Against limits", "structure,figure,value,limit,within,source", limits)
    yield from _tests(content)
    if study["not_offered"]:
        yield Paragraph(f"Not offered by the method: {', '.join(study['not_offered'])}.")


def _tests(content: Json) -> Iterator[Block]:
    study = content["study"]
    tests = [one for one in study["paired_tests"] if one["metric"] == "dsc"]
    if tests:
        rows: Rows = [(one["structure"], one["first"], one["second"], one["n"], _number(one["median_difference"], 3),
                 _number(one["wilcoxon_p"], 4), f"{one['alpha']:.4f}",
                 {True: "yes", False: "no", None: "–"}[one["significant"]] if one["can_be_significant"]
                 else "too few patients") for one in tests]  # fmt: skip
        yield table("DSC against other methods, paired", "structure,first,second,n,median difference (second − first),"
                    "Wilcoxon p,level,significant", rows)  # fmt: skip
    else:
        yield NotDone("No other method in the study to compare with.")
    if shown := study["non_inferiority"]:
        rows = [(one["structure"], one["comparator"], one["n"], _number(one["mean_difference"], 3),
                 _number(one["lower_bound"], 3), f"{one['margin']:g}",
                 {True: "yes", False: "no", None: "too few patients"}[one["shown"]]) for one in shown]  # fmt: skip
        heads = "structure,comparator,n,mean difference,lower bound,margin,shown"
        yield table("Non-inferiority of the DSC", heads, rows)


def _worst(pictures: Sequence[Picture]) -> Iterator[Block]:
    if not pictures:
        yield NotDone("The study has no result of this method.")
        return
    yield Paragraph(
        "The three lowest DSC of each organ, on the slice with the longest added path, and the sagittal and coronal "
        f"planes through it. {PICTURE_SCALE}"
    )
    for one in pictures:
        if one.png:
            yield Figure(one.png, one.caption)
        else:
            yield Paragraph(f"{one.caption} – not pictured (commission --pictures 3).")


def _observers(content: Json) -> Iterator[Block]:
    study = content["study"]
    if not study["observers"]:
        yield NotDone("No further observers: whether the method lies inside the spread of people is not known.")
        return
    rows: Rows = [(one["structure"], one["pairs"], one["patients"], _number(one["metrics"]["dsc"]["median"], 3),
             _number(one["metrics"]["dsc"]["minimum"], 3), _number(one["metrics"]["hd95_mm"]["median"], 1),
             _number(one["kappa_mean"], 3), len(one["identical"])) for one in study["observers"]]  # fmt: skip
    yield table("Manual sets against each other", "structure,pairs,patients,DSC median,lowest,HD95 mm median,kappa,"
                "identical pairs (left out)", rows)  # fmt: skip
    rows = [(one["structure"], f"{one['inside']} of {one['n']}", _interval(one["inside_interval"]),
             _number(one["mean_difference"], 3), _interval(one["mean_difference_interval"]))
            for one in study["places"]]  # fmt: skip
    yield table("The method beside the observers: inside if its mean DSC with the manual sets is at least the lowest "
                "DSC of two of them in the same patient", "structure,inside,95 % interval,mean difference in DSC,"
                "95 % interval", rows)  # fmt: skip


def _dose(content: Json) -> Iterator[Block]:
    found = [one for one in content["study"]["dose_differences"] if one["n"] and one["figure"] in SHOWN_DOSES]
    if not found:
        yield NotDone("The cohort has no dose distribution (RTDOSE).")
        return
    yield Paragraph(
        "Method − reference, with the dose of a plan that was made on other contours: the effect of a contour on the "
        "evaluation, not on the plan."
    )
    rows: Rows = [(one["structure"], one["figure"], one["n"], _number(one["reference_mean"], 2),
             f"{_number(one['difference']['mean'], 2)} ± {_number(one['difference']['sd'], 2)}",
             _number(one["difference"]["minimum"], 2), _number(one["difference"]["maximum"], 2))
            for one in found]  # fmt: skip
    yield table("", "structure,figure,n,mean of the reference,mean difference ± SD,largest loss,largest gain", rows)


def _times(content: Json) -> Iterator[Block]:
    found = content["times"]
    if found is None or not found["structures"]:
        yield NotDone("Run autocontour timestudy on cases of the editor and state its times.json.")
        return
    yield Paragraph(
        f"Minutes of drawing, mean ± SD; each change counts at most {found['idle_seconds']:g} seconds since the one "
        "before it. Looking without changing is not recorded."
    )
    yield table("", ",".join(TIME_HEADS), time_rows(found))


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
            rows: Rows = [(one["patient"], one["subject"], one["structure"], f"{one['severity']} {one['code']}",
                     one["message"]) for one in entries]  # fmt: skip
            yield table(title, "patient,set or method,structure,code,reason", rows)
    if study["waiting_names"]:
        yield NotDone(f"{study['waiting_names']} names of structures are not confirmed; these structures do not count.")


def _routine(content: Json) -> Iterator[Block]:
    found = content["routine"]
    if found is None:
        yield NotDone("Routine QA has not begun (autocontour monitor).")
        return
    yield Paragraph(
        f"Status: {found['status']}. {found['cases']} cases, {found['first'] or '–'} to {found['last'] or '–'}."
    )
    rows: Rows = [(one["structure"], one["status"], short_identity(one["identity"]),
             f"{one['baseline']['n']} of {one['baseline']['wanted']}", _number(one["baseline"]["dsc"]["mean"], 3),
             len(one["alarms"]), len(one["changes"])) for one in found["structures"]]  # fmt: skip
    yield table("", "structure,status,drawn by,baseline,DSC of the baseline,alarms,other packages", rows)


def _card(content: Json) -> Iterator[Block]:
    package = content["package"]
    yield Paragraph(
        "Levels of the model card proposed for artificial intelligence in radiotherapy (AID-RT): metadata, basics, "
        "technical, training, evaluation, use and monitoring. What the package does not state is marked."
    )
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
                        ("Here", f"{tested['patients']} patients, section 5"),
                        ("Against people", "section 7" if tested["observers"] else None),
                        ("On the dose", "section 8" if tested["dose_differences"] else None)]),
        ("Use and monitoring", [("Intended use here", statements.intended_use),
                                ("Exclusions", "; ".join(statements.exclusions)),
                                ("Review", "each structure is approved by a person"),
                                ("Monitoring", "section 11" if content["routine"] else None),
                                ("When to do it again", "section 13")]),
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
    figures = (f"{name} {_number(one.get('dsc_median'), 2)} (n {one.get('n')})"
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


def _number(value: Any, digits: int) -> str:  # noqa: ANN401  (a number, "infinity" or None)
    if value is None:
        return "–"
    return "∞" if isinstance(value, str) else f"{value:.{digits}f}"


def _interval(found: Json | None) -> str:
    return f"{_number(found['low'], 3)} … {_number(found['high'], 3)}" if found else "too few patients"


def tables_of(document: Document) -> Iterator[tuple[str, Table]]:
    """Yield the section's title and each table of a document."""
    for section in document.sections:
        for block in section.blocks:
            if isinstance(block, Table):
                yield section.title, block
