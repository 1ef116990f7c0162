"""The report of a blind review: JSON, tables and one page."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

from autocontour import __version__
from autocontour.base.errors import UsageError
from autocontour.base.files import foreign_names, shown_path, write_atomically
from autocontour.base.findings import Severity
from autocontour.base.jobs import Job
from autocontour.qa.commissioning.blind.bias import MEASURES, RedrawnReader, measure_bias, summarize_bias
from autocontour.qa.commissioning.blind.files import Review
from autocontour.qa.commissioning.blind.judged import (
    compare_reviewers,
    first_and_repeats,
    judge_origins,
    measure_repeats,
    read_judgements,
    summarize,
    summarize_methods,
)
from autocontour.qa.commissioning.blind.plan import CORRECTIONS
from autocontour.qa.commissioning.blind.prepare import FORMS
from autocontour.qa.commissioning.blind.request import KINDS
from autocontour.qa.commissioning.blind.verify import check_review
from autocontour.report.page import Row, Table, write_page

REPORT, PAGE = "blind-review.json", "blind-review.html"
TABLES = ("answers.csv", "proportions.csv", "origins.csv", "drawn.csv")
Json = Mapping[str, Any]
NAMES = dict(zip(MEASURES, ("DSC", "added path length, mm", "volume difference, %"), strict=True))

LIMITATIONS = (
    "Only the first judgement of a contour counts; the second, of those shown twice, is for the repeatability. The "
    "intervals of one reviewer are Wilson's, those over several a bootstrap over patients (from 8 patients on). "
    "Contours of one patient are not independent: with few patients the intervals of one reviewer are too narrow.",
    "Human or machine: a corrected contour is of both, so no answer about it is wrong; the share that was taken for "
    "human is stated. The balanced accuracy is 0.5 for answers that do not depend on the contour.",
    "Automation bias: closeness to the automatic contour of the contour approved after seeing it, minus that of the "
    "contour drawn without seeing it. Where the clinic's approved contour is of another person, the difference "
    "contains the difference between persons.",
    "What blinding cannot hide: the course of the outline itself, such as slices without a contour or an unusual "
    "smoothness; and the organ's image, which a person may remember.",
)


def report_review(review: Review, output: Path, job: Job) -> dict[str, Any]:
    """Analyse the answers and write the report.

    Raises
    ------
    UsageError
        ``AC-QA-238`` if the answers or contours are not sound, ``AC-QA-239`` without an answer, ``AC-QA-200`` if the
        folder contains something else.
    OutputError
        If it cannot be written.
    """
    own = {REPORT, PAGE, *TABLES}
    if output.exists() and (not output.is_dir() or foreign_names(output, own)):
        raise UsageError("AC-QA-200", folder=shown_path(output))
    problems, states = check_review(review)
    broken = [*problems, *(one for state in states if not state.is_sound for one in state.problems)]
    if broken:
        raise UsageError("AC-QA-238", broken)
    origins = review.read_origins()
    methods = origins.get("methods", {})  # a review that was prepared by an older version does not state them
    judgements = [
        one for state in states
        for one in read_judgements(state.reviewer, state.entries, origins["items"], methods)
    ]  # fmt: skip
    if not judgements:
        raise UsageError("AC-QA-239")
    first, repeats = first_and_repeats(judgements)
    reader = RedrawnReader(review, origins)
    redrawn = [one for state in states for one in reader.run(state.reviewer, state.entries)]
    rows, unread = measure_bias(review, redrawn, job)
    content: dict[str, Any] = {
        "format": "autocontour blind review report",
        "version": 1,
        "program": __version__,
        "plan": review.plan_hash,
        "seed": review.seed,
        "draw_share": review.content["draw_share"],
        "repeat_share": review.content["repeat_share"],
        "outlines": review.content["outlines"],
        "items": {kind: sum(one == kind for one in origins["items"].values()) for kind in KINDS},
        "reviewers": [state.to_json() for state in states],
        "proportions": summarize(first),
        "methods": summarize_methods(first),
        "origins": judge_origins(first),
        "agreement": compare_reviewers(first),
        "repeatability": measure_repeats(repeats),
        "form": review.read_private(FORMS),
        "drawn": rows,
        "automation_bias": summarize_bias(rows),
        "not_compared": [one.to_json() for one in unread],
        "left_out": origins["left_out"],
        "remarks": origins["remarks"],
    }
    write_atomically(output / REPORT, json.dumps(content, indent=1).encode())
    answers = [{key: getattr(one, key) for key in one.__dataclass_fields__} for one in judgements]
    write_atomically(output / TABLES[0], _csv(answers))
    write_atomically(output / TABLES[1], _csv(map(_flat, content["proportions"])))
    write_atomically(output / TABLES[2], _csv(map(_flat, content["origins"])))
    write_atomically(output / TABLES[3], _csv(map(_flat, rows)))
    paragraphs = [*_identity(content), *LIMITATIONS]
    write_page(output / PAGE, "Blind review", paragraphs=paragraphs, tables=review_tables(content))
    return content


def _flat(row: Json, prefix: str = "") -> dict[str, Any]:
    """Return a row with the values of inner objects in columns of their own."""
    flat: dict[str, Any] = {}
    for key, value in row.items():
        flat |= _flat(value, f"{prefix}{key}_") if isinstance(value, Mapping) else {prefix + key: value}
    return flat


def _csv(rows: Iterable[Json]) -> bytes:
    listed = list(rows)
    text = StringIO()
    if listed:
        writer = csv.DictWriter(text, list(dict.fromkeys(key for row in listed for key in row)), lineterminator="\n")
        writer.writeheader()
        writer.writerows(listed)
    return text.getvalue().encode()


def _identity(content: Json) -> Iterator[str]:
    counts = ", ".join(f"{count} {kind}" for kind, count in content["items"].items())
    yield f"{counts} contours, outlines {content['outlines']}; seed {content['seed']}; autocontour {content['program']}"
    yield f"Drawn from nothing: {content['draw_share']:.0%} of the structures with an automatic contour. " \
          f"Shown twice: {content['repeat_share']:.0%}. Plan: SHA-256 {content['plan']}."  # fmt: skip
    for one in content["reviewers"]:
        end = "finished" if one["finished"] else "not finished"
        yield f"{one['reviewer']}: {one['answered']} of {one['tasks']} tasks, {end}; last hash {one['last_hash']}."


def review_tables(content: Json) -> list[Table]:
    """Return the tables of a report that have rows; those of single drawings are empty in a dossier."""
    tables = [
        _table("Would you correct this? (95 % intervals)", "structure,source,reviewer,n,no,minor,major,no or minor",
               _corrections(content)),
        _table("Would you correct this? By the method that drew the contour (95 % intervals)",
               "method,structure,source,reviewer,n,no,minor,major,no or minor,taken for human", _methods(content)),
        _table("Human or machine? Manual and automatic contours (95 % intervals)",
               "structure,reviewer,right,p against chance,manual taken for human,automatic taken for machine,"
               "balanced accuracy,better than chance", _origins(content)),
        _table("Taken for human", "structure,source,reviewer,share", _taken(content)),
        _table("Agreement of the reviewers", "reviewers,question,items,same answer,Fleiss' kappa",
               ((" / ".join(one["reviewers"]), *_agreed(one)) for one in content["agreement"])),
        _table("Repeatability: contours judged twice", "reviewer,question,items,same answer,Fleiss' kappa",
               ((one["reviewer"], *_agreed(one)) for one in content["repeatability"])),
        _table("Automation bias: closeness to the automatic contour, approved − drawn from nothing",
               "structure,reviewer,n,patients,measure,approved,drawn,difference,95 % interval,interval by",
               _bias(content)),
        _table("Drawn from nothing", "patient,structure,reviewer,DSC drawn,DSC approved,added path drawn mm,"
               "added path approved mm,volume drawn %,volume approved %,approved by,minutes", _drawn(content)),
        _table("Origin from the form of the shown outlines: area under the ROC curve, manual against automatic (0.5: "
               "nothing, 1: everything)", "feature,area",
               ((name.replace("_", " "), f"{area:.2f}") for name, area in content["form"].items())),
        _table("Not used", "patient,set,structure,code,reason", _reasons(content["left_out"])),
        _table("Remarks", "patient,set,structure,code,remark", _reasons(content["remarks"])),
        _table("Not compared", "patient,code,reason",
               ((one["where"], one["code"], one["message"]) for one in content.get("not_compared", ()))),
    ]  # fmt: skip
    return [table for table in tables if table.rows]


def _table(title: str, heads: str, rows: Iterable[Sequence[object]]) -> Table:
    return Table(title, tuple(heads.split(",")), tuple(Row(tuple(str(cell) for cell in row)) for row in rows))


def _corrections(content: Json) -> Iterator[Sequence[object]]:
    for one in content["proportions"]:
        shares = (share_text(one[key]) for key in (*CORRECTIONS, "usable"))
        yield one["structure"], one["source"], one["reviewer"], one["n"], *shares


def _methods(content: Json) -> Iterator[Sequence[object]]:
    """Yield the rows of every method; none in a report of a version that did not record them."""
    for one in content.get("methods", ()):
        shares = (share_text(one[key]) for key in (*CORRECTIONS, "usable", "taken_for_human"))
        yield one["method"] or "not stated", one["structure"], one["source"], one["reviewer"], one["n"], *shares


def _origins(content: Json) -> Iterator[Sequence[object]]:
    words = {True: "yes", False: "no", None: "–"}
    for one in content["origins"]:
        balanced = f"{_number(one['balanced_accuracy'])}{interval_text(one['balanced_interval'])}"
        yield (one["structure"], one["reviewer"], share_text(one["accuracy"]), f"{one['p_against_chance']:.3f}",
               share_text(one["manual_right"]), share_text(one["automatic_right"]), balanced,
               words[one["better_than_chance"]])  # fmt: skip


def _taken(content: Json) -> Iterator[Sequence[object]]:
    for one in content["proportions"]:
        yield one["structure"], one["source"], one["reviewer"], share_text(one["taken_for_human"])


def _agreed(one: Json) -> tuple[object, ...]:
    share = f"{one['same']} ({_number(one['share'])}{interval_text(one['interval'])})"
    return one["question"], one["items"], share, _number(one["kappa"])


def _bias(content: Json) -> Iterator[Sequence[object]]:
    for one in content["automation_bias"]:
        for key in MEASURES:
            found, digits = one[key], 3 if key == "dsc" else 1
            yield (one["structure"], one["reviewer"], one["n"], one["patients"], NAMES[key],
                   *(_number(found[part], digits) for part in ("approved", "drawn", "mean")),
                   interval_text(found["interval"], digits).strip() or "–", found["by"])  # fmt: skip


def _drawn(content: Json) -> Iterator[Sequence[object]]:
    for one in content.get("drawn", ()):
        cells = [
            _number((one[part] or {}).get(key), digits)
            for key, digits in zip(MEASURES, (3, 0, 1), strict=True)
            for part in ("drawn", "approved")
        ]
        yield (one["patient"], one["structure"], one["reviewer"], *cells, one["approved_by"] or "–",
               f"{one['seconds'] / 60:.1f}")  # fmt: skip


def _reasons(rows: Sequence[Json]) -> Iterator[Sequence[object]]:
    for one in rows:
        if one["severity"] != Severity.INFO.name:
            yield one["patient"], one["subject"], one["structure"], one["code"], one["message"]


def share_text(share: Json) -> str:
    """Return a share with its count and interval."""
    if not share["n"]:
        return "–"
    return f"{share['share']:.2f}{interval_text(share['interval'])} {share['count']}/{share['n']}"


def interval_text(interval: Json | None, digits: int = 2) -> str:
    """Return an interval in brackets; empty without one."""
    return "" if interval is None else f" ({interval['low']:.{digits}f} … {interval['high']:.{digits}f})"


def _number(value: float | None, digits: int = 2) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
