"""Two dossiers compared: a package before and after its update, or two scanners."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from autocontour.base.errors import UsageError
from autocontour.qa.commissioning.dossier.build import FORMAT, VERSION, id_of
from autocontour.qa.commissioning.study.analysis import number
from autocontour.qa.commissioning.study.request import REFERENCE
from autocontour.qa.commissioning.study.text import beside_text, number_text
from autocontour.qa.intervals import bootstrap_interval
from autocontour.qa.statistics import compare_paired
from autocontour.report.document import Block, Document, Paragraph, Section, table

Json = dict[str, Any]
LEVEL = 0.05


def read_dossier(path: Path) -> Json:
    """Read a dossier's JSON; a folder stands for its ``dossier.json``.

    Raises
    ------
    UsageError
        ``AC-QA-334`` if it is not a dossier, or its content was changed.
    """
    place = path / "dossier.json" if path.is_dir() else path
    try:
        content = json.loads(place.read_bytes())
        found = dict(content)
        is_known = (found["format"], found["version"]) == (FORMAT, VERSION)
        is_intact = is_known and found.pop("id") == id_of(found)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError("AC-QA-334", file=place.name) from error
    if not is_intact:
        raise UsageError("AC-QA-334", file=place.name)
    return dict(content)


def compare_dossiers(first: Mapping[str, Any], second: Mapping[str, Any]) -> Json:
    """Return what differs: identity, protocols, and the DSC of every organ.

    Patients whose CT is in both are compared in pairs, whatever their names, from two on. Without any of them the
    groups are compared as different patients.
    """
    structures = sorted(set(first["cases"]) | set(second["cases"]))
    cases = [_by_ct(one["cases"]) for one in (first, second)]
    rows = [_compare_structure(name, *(mine.get(name, {}) for mine in cases)) for name in structures]
    tests = sum(one["p"] is not None for one in rows)
    for one in rows:
        one["level"] = LEVEL / max(1, tests)
        one["differs"] = None if one["p"] is None else one["p"] < one["level"]
        # The least two-sided p of a signed-rank test with n pairs that differ is 2 / 2ⁿ.
        one["can_differ"] = one["different"] is None or 2.0 ** (1 - one["different"]) < one["level"]
    content: Json = {
        "format": "autocontour dossiers compared",
        "version": 1,
        "first": _about(first),
        "second": _about(second),
        "identity": [
            {"item": item, "first": first[item], "second": second[item]}
            for item in ("method", "identity", "program", "date")
        ],
        "conditions": list(_conditions(first, second)),
        "common_patients": _common(first, second),
        "protocols": list(_protocols(first["protocols"], second["protocols"])),
        "structures": rows,
        "selftest": [_selftest(one) for one in (first, second)],
    }
    return content | {"id": id_of(content)}


def _by_ct(cases: Mapping[str, Mapping[str, Json]]) -> dict[str, Json]:
    """Return structure → hash of the CT → figures: names of patients differ between reports with other keys."""
    return {name: {row["ct_hash"]: row for row in mine.values()} for name, mine in cases.items()}


def _about(content: Mapping[str, Any]) -> Json:
    return {"id": content["id"], "method": content["method"], "patients": content["study"]["patients"]}


def _selftest(content: Mapping[str, Any]) -> str:
    tested = content["selftest"]
    return "not done" if tested is None else "passed" if tested["passed"] else "FAILED"


def _conditions(first: Mapping[str, Any], second: Mapping[str, Any]) -> Iterator[Json]:
    """Yield how the two studies differ in how they were measured: such a difference is not one of the method."""
    one, two = _measured(first), _measured(second)
    for item in dict.fromkeys([*one, *two]):
        if (before := one.get(item)) != (after := two.get(item)):
            yield {"item": item, "first": before or "not stated", "second": after or "not stated"}


def _measured(content: Mapping[str, Any]) -> dict[str, str]:
    """Return what the figures depend on besides the method and the patients."""
    study = content["study"]
    settings = study["settings"]
    found = {
        "program of the study": study["program"],
        "reference": settings["reference"],
        "file of tolerances": settings["tolerances"],
        "sets that reference other images": "accepted" if settings.get("with_dangling") else "not accepted",
    }
    for one in study["results"]:
        where = ", only from the first to the last slice of the reference" if one.get("where_drawn") else ""
        found[f"{one['structure']}: tau"] = f"{one['tau_mm']:g} mm{where}"
    return found


def _common(first: Mapping[str, Any], second: Mapping[str, Any]) -> Json:
    """Return how many CTs are in both, and how many of them have another file of reference contours."""
    sets = [{one["ct_hash"]: one["sets"].get(REFERENCE) for one in mine["patients"]} for mine in (first, second)]
    both = sets[0].keys() & sets[1].keys()
    return {"n": len(both), "other_reference": sum(sets[0][ct] != sets[1][ct] for ct in both)}


def _protocols(first: Json, second: Json) -> Iterator[Json]:
    for keyword in sorted(set(first["values"]) | set(second["values"])):
        one, two = (found["values"].get(keyword, {}) for found in (first, second))
        if set(one) != set(two):
            yield {"attribute": keyword, "first": ", ".join(one) or "not stated",
                   "second": ", ".join(two) or "not stated"}  # fmt: skip
    for key in ("spacing_zyx_mm", "shape_zyx"):
        if first[key] != second[key]:
            yield {"attribute": f"range of {key}", "first": str(first[key]), "second": str(second[key])}


def _compare_structure(name: str, first: Json, second: Json) -> Json:
    paired = sorted(first.keys() & second.keys())
    one, two = ([row["dsc"] or 0.0 for row in mine.values()] for mine in (first, second))
    found: Json = {
        "structure": name,
        "n": [len(one), len(two)],
        "not_drawn": [sum(row["missing"] for row in mine.values()) for mine in (first, second)],
        "mean": [_mean(one), _mean(two)],
        "median_hd95_mm": [_median_hd95(first), _median_hd95(second)],
        "paired": len(paired),
        "difference": None,
        "interval": None,
        "p": None,
        "different": None,
        "test": "",
    }
    if len(paired) >= 2:
        before, after = ([mine[patient]["dsc"] or 0.0 for patient in paired] for mine in (first, second))
        change = np.subtract(after, before)
        interval = bootstrap_interval(change)
        tested = compare_paired(before, after)
        found |= {"difference": float(change.mean()), "p": tested.wilcoxon_p, "different": tested.n_different,
                  "interval": [interval.low, interval.high] if interval else None,
                  "test": "Wilcoxon signed-rank, same patients"}  # fmt: skip
    elif paired:
        found["test"] = "too few patients in both"
    elif one and two:
        found |= {"difference": float(np.mean(two) - np.mean(one)), "p": _rank_test(one, two),
                  "test": "Mann–Whitney, different patients"}  # fmt: skip
    return found


def _rank_test(one: list[float], two: list[float]) -> float:
    from scipy.stats import mannwhitneyu

    return float(mannwhitneyu(one, two, alternative="two-sided").pvalue)


def _mean(values: list[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _median_hd95(mine: Json) -> float | str | None:
    values = [np.inf if row["hd95_mm"] is None else row["hd95_mm"] for row in mine.values()]
    return number(float(np.median(values))) if values else None


def build_comparison(content: Mapping[str, Any]) -> Document:
    """Return the comparison as a document."""
    first, second = content["first"], content["second"]
    identity = [(one["item"], one["first"] or "not stated", one["second"] or "not stated")
                for one in content["identity"]]  # fmt: skip
    identity += [("patients", first["patients"], second["patients"]), ("dossier", first["id"], second["id"]),
                 ("self test", *content["selftest"])]  # fmt: skip
    protocols: list[Block] = [
        table("", "attribute,first,second", [tuple(one.values()) for one in content["protocols"]])
        if content["protocols"]
        else Paragraph("No difference in what the files of the scans state.")
    ]
    return Document(
        f"Two dossiers: {first['method']} and {second['method']}",
        f"id {content['id'][:16]}",
        (
            Section("Identity", (table("", "item,first,second", identity),)),
            Section("How the two were measured", tuple(_show_conditions(content))),
            Section("Scanners and protocols", tuple(protocols)),
            Section("Results per organ", tuple(_results(content))),
        ),
    )


def _show_conditions(content: Mapping[str, Any]) -> Iterator[Block]:
    common = content["common_patients"]
    yield Paragraph(f"{common['n']} CTs are in both dossiers.")
    if common["other_reference"]:
        yield Paragraph(
            f"{common['other_reference']} of them have another file of reference contours: part of the difference may "
            "be that of the references."
        )
    if content["conditions"]:
        yield Paragraph("The two were not measured in the same way: part of the difference may come from that.")
        yield table("", "item,first,second", [tuple(one.values()) for one in content["conditions"]])
    else:
        yield Paragraph("Same version of the program, tolerances, and choice of the reference.")


def _results(content: Mapping[str, Any]) -> Iterator[Block]:
    yield Paragraph(
        "DSC, second − first. Level of each test: 0.05 divided by the number of organs (Bonferroni). A difference that "
        "is not significant does not show that both are equally good. Difference, interval and test are of the "
        "patients in both dossiers, where there are at least two; n, not drawn, mean and median are of all of each."
    )
    if any(one["paired"] == 0 for one in content["structures"]):
        yield Paragraph("Not all organs have patients in common: those groups may differ in difficulty.")
    rows = [
        (one["structure"], _pair(one["n"], 0), _pair(one["not_drawn"], 0), _pair(one["mean"], 3),
         _pair(one["median_hd95_mm"], 1), one["paired"], number_text(one["difference"], 3),
         f"{one['interval'][0]:.3f} … {one['interval'][1]:.3f}" if one["interval"] else "–",
         *beside_text(one["p"], one["level"], 4),
         {True: "YES", False: "no", None: "–"}[one["differs"]] if one["can_differ"] else "too few patients",
         one["test"] or "only in one dossier")
        for one in content["structures"]
    ]  # fmt: skip
    heads = "structure,n,not drawn,mean DSC,HD95 mm median,in both,difference,95 % interval,p,level,differs,test"
    yield table("", heads, rows)


def _pair(values: list[float | str | None], digits: int) -> str:
    return " → ".join(number_text(value, digits) for value in values)
