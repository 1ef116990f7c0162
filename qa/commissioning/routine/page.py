"""The page of routine QA."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from autocontour.qa.commissioning.routine.chart import METRICS, list_months
from autocontour.qa.commissioning.routine.observe import REJECTED, Observation
from autocontour.report.fonts import hangul_in_pictures
from autocontour.report.page import Figure, Row, Table, write_page

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Json = Mapping[str, Any]
LABELS = {"dsc": "DSC, automatic and approved", "added_path_length_mm": "added path length, mm"}
RULES = {
    1: "one month beyond 3σ",
    2: "nine months in a row on one side",
    3: "six months in a row rising or falling",
    4: "fourteen months alternating",
    5: "two of three months beyond 2σ",
    6: "four of five months beyond 1σ",
    7: "fifteen months within 1σ",
    8: "eight months beyond 1σ on both sides",
}
TESTS = {
    "month": "the month against the baseline",
    "months": "the month and the two before it against the baseline",
    "tail": "contours of the month and the two before it beyond the baseline's worst 5 %",
}
ABOUT = (
    "Edit load: what was changed of each automatic contour before it was approved. DSC is that of the automatic and "
    "the approved contours, from the areas on the slices; added path length is the outline that had to be drawn "
    "(Vaassen 2020; further than 0.5 mm from the automatic one). A rejected structure, or one that the approved set "
    "does not have, counts as DSC 0 in the tests and is left out of the means.",
    "A signal is a rule of Nelson (1984) on the monthly means; over many structures and months some occur by chance. "
    "An alarm is a difference from the baseline that is expected in at most 5 % of the years without any change, over "
    "all structures, metrics and tests together (Bonferroni), or another package: by name, version or checksum.",
    "Less editing than before is not always an improvement: contours may be approved with less attention. The figures "
    "do not show whether an approved contour is right.",
    "σ and limits are stated from a complete baseline and five contours of a month on. Nelson's rules count the months "
    "that have them, also with months without contours between them.",
)


def write_routine_page(path: Path, content: Json, observations: Sequence[Observation]) -> None:
    """Write the page.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    about = (
        f"Status: {content['status']}. {content['cases']} cases, {content['observations']} contours, "
        f"{content['first'] or '–'} to {content['last'] or '–'}; {content['cases_now']} cases were read in this run, "
        f"the others are kept from earlier ones; autocontour {content['program']}. Baseline: the first "
        f"{content['settings']['baseline']} contours of each structure"
        + (f" from {content['settings']['since']} on." if content["settings"]["since"] else ".")
    )
    by_structure: dict[str, list[Observation]] = {}
    for one in observations:
        by_structure.setdefault(one.structure, []).append(one)
    figures = [_chart(one, by_structure.get(one["structure"], [])) for one in content["structures"] if one["months"]]
    write_page(path, "Routine quality assurance", paragraphs=(about, *ABOUT), tables=_tables(content), figures=figures)


def _tables(content: Json) -> list[Table]:
    charts = content["structures"]
    tables = [
        _table("Structures", "structure,status,drawn by,baseline,DSC of the baseline,last month,contours,DSC,"
               "added path length mm,unedited,rejected", map(_overview, charts)),
        _table("Alarms", "month,structure,figure,corrected,test,p,level,acknowledged",
               ((one["month"], chart["structure"], LABELS[one["metric"]], one["direction"], TESTS[one["test"]],
                 f"{one['p']:.1e}", f"{one['level']:.1e}", _yes(one)) for chart in charts for one in chart["alarms"])),
        _table("Other packages than that of the baseline", "first contour,structure,before,after,same version,"
               "acknowledged", ((one["at"], chart["structure"], short_identity(one["before"]),
                                 short_identity(one["after"]), "yes" if one["same_version"] else "no", _yes(one))
                                for chart in charts for one in chart["changes"])),
        _table("Signals", "month,structure,figure,corrected,rule",
               ((one["month"], chart["structure"], LABELS[one["metric"]], one["direction"],
                 f"{one['rule']}: {RULES[one['rule']]}") for chart in charts for one in chart["signals"])),
        _table("Months", "structure,month,contours,rejected,unedited,DSC mean,σ from the baseline,"
               "added path length mm mean,σ from the baseline", _months(charts)),
        _table("Acknowledged", "up to,note,at", ((one["month"], one["note"], one["at"])
                                                 for one in content["acknowledged"])),
        _table("Not used", "case or file,code,reason", ((one["name"], one["code"], one["message"])
                                                        for one in content["skipped"])),
    ]  # fmt: skip
    return [table for table in tables if table.rows]


def _table(title: str, heads: str, rows: Any) -> Table:  # noqa: ANN401  (any rows)
    return Table(title, tuple(heads.split(",")), tuple(Row(tuple(str(cell) for cell in row)) for row in rows))


def _yes(one: Json) -> str:
    return "yes" if one["acknowledged"] else "no"


def _overview(chart: Json) -> tuple[object, ...]:
    first, last = chart["baseline"], (chart["months"] or [None])[-1]
    months = [last["month"], last["n"], _number(last["dsc"]["mean"], 3),
              _number(last["added_path_length_mm"]["mean"], 0), last["unedited"],
              last["rejected"]] if last else ["–"] * 6  # fmt: skip
    spread = f"{_number(first['dsc']['mean'], 3)} ± {_number(first['dsc']['sd'], 3)}"
    count = f"{first['n']} of {first['wanted']}"
    return chart["structure"], chart["status"], short_identity(chart["identity"]), count, spread, *months


def short_identity(identity: str) -> str:
    """Return an algorithm's identity with only the start of its checksum."""
    *words, last = identity.split() or ["not stated"]
    return " ".join([*words, last[:12] if len(last) == 64 else last])


def _months(charts: Sequence[Json]) -> Any:  # noqa: ANN401
    for chart in charts:
        by_month = {row["month"]: row for row in chart["months"]}
        for month in list_months(min(by_month), max(by_month)) if by_month else ():
            row = by_month.get(month)
            if row is None:
                yield chart["structure"], month, 0, *"––––––"
                continue
            dsc, length = (row[metric] for metric in METRICS)
            yield (chart["structure"], row["month"], row["n"], row["rejected"], row["unedited"],
                   _number(dsc["mean"], 3), _number(dsc["z"], 1), _number(length["mean"], 0),
                   _number(length["z"], 1))  # fmt: skip


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


@hangul_in_pictures()
def _chart(chart: Json, observations: Sequence[Observation]) -> Figure:
    """Draw both metrics of a structure: every contour, monthly means, and the limits at 2 and 3σ."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Plot

    plot = Plot(figsize=(11, 3.2), dpi=100)
    FigureCanvasAgg(plot)
    known = {one.month for one in observations}
    months = list_months(min(known), max(known))
    for axes, metric in zip(plot.subplots(1, 2), METRICS, strict=True):
        _draw_metric(axes, metric, chart, observations, months)
    plot.suptitle(f"{chart['structure']} – {chart['status']}", fontsize=11)
    plot.tight_layout()
    file = BytesIO()
    plot.savefig(file, format="png", metadata={"Software": None})
    caption = (
        f"{chart['structure']}: every contour (grey; crosses: rejected), monthly means, limits at 2 and 3 standard "
        "errors (open circles: too few to judge), alarms (red) and the first contour of another package (orange)."
    )
    return Figure(file.getvalue(), caption)


def _draw_metric(
    axes: Axes, metric: str, chart: Json, observations: Sequence[Observation], months: Sequence[str]
) -> None:
    place = {month: index for index, month in enumerate(months)}
    kept = [one for one in observations if one.decision != REJECTED]
    spread = np.random.default_rng(1).uniform(-0.3, 0.3, len(kept))
    values = [getattr(one, metric) for one in kept]
    axes.plot([place[one.month] for one in kept] + spread, values, ".", color="0.75", markersize=3, zorder=1)
    if metric == "dsc" and (gone := [place[one.month] for one in observations if one.decision == REJECTED]):
        axes.plot(gone, [0.0] * len(gone), "x", color="0.4", markersize=4)
    first = chart["baseline"][metric]["mean"]
    rows = [row for row in chart["months"] if row[metric]["mean"] is not None]
    if first is not None:
        axes.axhline(first, color="C0", linewidth=1)
        for sigma, style in ((2, ":"), (3, "--")):
            known = [(place[row["month"]], row[metric]["standard_error"]) for row in rows
                     if row[metric]["standard_error"] is not None]  # fmt: skip
            for sign in (-1, 1):
                axes.plot([x for x, _ in known], [first + sign * sigma * error for _, error in known], style,
                          color="C0", linewidth=1)  # fmt: skip
    alarmed = {one["month"] for one in chart["alarms"] if one["metric"] == metric}
    colors = ["red" if row["month"] in alarmed else "black" for row in rows]
    xs, means = [place[row["month"]] for row in rows], [row[metric]["mean"] for row in rows]
    axes.plot(xs, means, color="black", linewidth=1, zorder=2)
    filled = [color if row[metric]["z"] is not None else "white" for color, row in zip(colors, rows, strict=True)]
    axes.scatter(xs, means, c=filled, edgecolors=colors, s=22, zorder=3)
    for one in chart["changes"]:
        axes.axvline(place[one["month"]] - 0.5, color="orange", linewidth=2)
    axes.set_xticks(range(len(months)), months, rotation=60, fontsize=7)
    axes.set_ylabel(LABELS[metric], fontsize=8)
    axes.tick_params(axis="y", labelsize=7)
    axes.grid(axis="y", alpha=0.3)


TIME_HEADS = ("structure", "by hand", "n", "with automatic contours", "n", "unedited", "replaced", "saved",
              "saved in the same case")  # fmt: skip
ABOUT_TIMES = (
    "Minutes of drawing, mean ± SD; only approved structures. Each change by hand counts the time since the change "
    "before it, at most {idle:g} seconds: longer pauses are not work on it. Looking at a structure without changing it "
    "is not recorded, so a structure that was approved unedited has 0 minutes.",
    "Saved: mean by hand − mean with automatic contours, of different cases, with the 95 % bootstrap interval (from 8 "
    "cases of each on). Difficult cases may have been drawn by hand more often than easy ones, or the other way round: "
    "only cases that have both are free of this. A rejected structure that was drawn by hand counts as automatic, with "
    "the time of both.",
)


def write_times_page(path: Path, content: Json) -> None:
    """Write the page of a time study.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    per_case = content["saved_per_case"]
    about = [text.format(idle=content["idle_seconds"]) for text in ABOUT_TIMES]
    if per_case["n"]:
        about.append(
            f"Saved per case, over structures drawn by hand at least 8 times: {_spread(per_case)} minutes, median "
            f"{_number(per_case['median'], 1)} ({_number(per_case['lower_quartile'], 1)}–"
            f"{_number(per_case['upper_quartile'], 1)}), {per_case['n']} cases."
        )
    write_page(path, "Time study", paragraphs=about, tables=times_tables(content))


def times_tables(content: Json) -> list[Table]:
    """Return the tables of a time study that have rows."""
    tables = [
        Table("Minutes per structure", TIME_HEADS, tuple(Row(row) for row in time_rows(content))),
        _table("Not used", "case,code,reason", ((one["name"], one["code"], one["message"])
                                                for one in content["skipped"])),
    ]  # fmt: skip
    return [table for table in tables if table.rows]


def time_rows(content: Json) -> list[tuple[str, ...]]:
    """Return the rows of the table of a time study."""
    return [
        (
            one["structure"],
            _spread(one["manual"]),
            str(one["manual"]["n"]),
            _spread(one["automatic"]),
            str(one["automatic"]["n"]),
            str(one["counts"]["unedited"]),
            str(one["counts"]["replaced"]),
            _saved(one["saved"]),
            _saved(one["paired"]) + (f", n {one['paired']['n']}" if one["paired"]["n"] else ""),
        )
        for one in content["structures"]
    ]


def _spread(found: Json) -> str:
    return f"{_number(found['mean'], 1)} ± {_number(found['sd'], 1)}" if found["n"] else "–"


def _saved(found: Json | None) -> str:
    if found is None or found["mean"] is None:
        return "–"
    interval = found["interval"]
    return _number(found["mean"], 1) + (f" ({interval[0]:.1f} … {interval[1]:.1f})" if interval else " (too few cases)")
