"""The page of a course: tables, curves and pictures of every date, in one HTML file, and the figures as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from autocontour.base.errors import AutoContourError, Cancelled
from autocontour.base.findings import Severity
from autocontour.base.jobs import Job
from autocontour.course.contour import read_date, read_planning
from autocontour.course.record import Course, write_json
from autocontour.course.trend import CONTOURED, Trend, TrendDate
from autocontour.patient.structures import Structure
from autocontour.report.fonts import hangul_in_pictures
from autocontour.report.page import Figure, Row, Table, write_page
from autocontour.report.pictures import render_slices

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PAGE, FIGURES = "index.html", "trend.json"
MOST_LINES = 12


def write_course_page(course: Course, trend: Trend, job: Job) -> Path:
    """Write ``index.html`` and ``trend.json`` into the course's folder and return the page's path."""
    write_json(course.folder / FIGURES, trend.to_json())
    colors = _colors(course, job)
    page = course.folder / PAGE
    write_page(
        page,
        "Course",
        paragraphs=[
            "Volumes, positions and agreement of methods since the planning CT. Contours are proposals: each must be "
            "reviewed before use. Movements are against the rigid registration of the bodies. A crossed limit is a "
            "reason to look, not a reason to adapt.",
        ],
        tables=[_overview(trend), *(_date_table(one, colors) for one in trend.dates if one.points)],
        figures=list(_figures(course, trend, colors, job)),
    )
    return page


def _colors(course: Course, job: Job) -> dict[str, str]:
    """Return structure → colour as on the planning CT; empty if it cannot be read any more."""
    try:
        _, drawn = read_planning(course, job)
    except Cancelled:
        raise
    except AutoContourError:
        return {}
    return {one.name: "#{:02x}{:02x}{:02x}".format(*one.color_rgb) for one in drawn.structures}


def _overview(trend: Trend) -> Table:
    rows = []
    for one in trend.dates:
        warnings = [finding for finding in one.findings if finding.severity > Severity.INFO]
        body = "" if one.body_change is None else f"{100 * one.body_change:+.1f} %"
        state = f"{one.state} {one.error[0]}".strip()
        rows.append(Row((one.ct.date or one.ct.name, state, str(len(one.points)), body, str(len(warnings)))))
    return Table("Dates", ("date", "state", "structures", "body cross section", "warnings"), tuple(rows))


def _date_table(one: TrendDate, colors: dict[str, str]) -> Table:
    rows = []
    for name, point in one.points.items():
        codes = sorted({f.code for f in one.findings if f.where == name and f.severity > Severity.INFO})
        nearest = min(point.target_mm.values(), default=None)
        cells = (
            name,
            point.method,
            f"{point.volume_cc:.1f}",
            "cut" if point.volume_change is None else f"{100 * point.volume_change:+.0f} %",
            "" if point.volume_change is None else f"{point.distance_mm:.1f}",
            "" if nearest is None else f"{nearest:.0f}",
            ", ".join(f"{pair.replace('~', '/')} {value:.2f}" for pair, value in point.dsc.items()),
            ", ".join(codes),
        )
        rows.append(Row(cells, colors.get(name, "")))
    heads = ("structure", "method", "volume cc", "change", "moved mm", "to target mm", "DSC", "findings")
    return Table(one.ct.date or one.ct.name, heads, tuple(rows))


def _figures(course: Course, trend: Trend, colors: dict[str, str], job: Job) -> Iterator[Figure]:
    drawn = [one for one in trend.dates if one.state == CONTOURED]
    if drawn:
        yield Figure(_curves(trend, colors), "Volume relative to the planning CT, and movement, over the dates")
    for one in job.track(drawn, "drawing the pictures", len(drawn)):
        try:
            ct, chosen, others = read_date(course, one.ct, job)
        except Cancelled:
            raise
        except AutoContourError:
            continue  # the CT has been moved away; its figures are on the page
        title = f"{one.ct.date or one.ct.name}: chosen contours"
        shown = [structure for structure in chosen.structures if structure.interpreted_type != "EXTERNAL"]
        yield Figure(render_slices(ct, shown, title=title, labelled=_labelled(shown)), title)
        worst = _least_agreeing(one)
        if worst:
            compared = [structure for structure in others.structures if structure.name.rpartition("^")[0] == worst]
            title = f"{one.ct.date or one.ct.name}: {worst} by every method"
            yield Figure(render_slices(ct, list(_distinct(compared)), title=title), title)


def _labelled(structures: Sequence[Structure]) -> list[Structure]:
    return list(structures[:MOST_LINES])


def _distinct(structures: Sequence[Structure]) -> Iterator[Structure]:
    from dataclasses import replace

    for structure, color in zip(structures, ((0, 255, 0), (255, 160, 0), (0, 200, 255)), strict=False):
        yield replace(structure, color_rgb=color)


def _least_agreeing(one: TrendDate) -> str:
    values = {name: min(point.dsc.values()) for name, point in one.points.items() if point.dsc}
    return min(values, key=lambda name: values[name], default="")


@hangul_in_pictures()
def _curves(trend: Trend, colors: dict[str, str]) -> bytes:
    """Draw a curve per structure: relative volume and movement."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Sheet

    sheet = Sheet(figsize=(11.8, 4.6), dpi=100, facecolor="#15181c")
    FigureCanvasAgg(sheet)
    left, right = sheet.subplots(1, 2)
    labels = ["plan", *(one.ct.date or one.ct.name for one in trend.dates)]
    names = [name for name in trend.planning if any(name in one.points for one in trend.dates)]
    for place, name in enumerate(names):
        values = [100.0]
        moved = [0.0]
        for one in trend.dates:
            point = one.points.get(name)
            change = point.volume_change if point else None
            values.append(np.nan if change is None else 100 * (1 + change))
            moved.append(point.distance_mm if point and change is not None else np.nan)
        style = {"color": colors.get(name, "#98a2ad"), "marker": "os^Dv"[place % 5], "label": name}
        line = ("-", "--", ":", "-.")[place % 4]  # sides and targets often share a colour
        left.plot(labels, values, line, **style)
        right.plot(labels, moved, line, **style)
    _dress(left, "volume, % of the planning CT")
    _dress(right, "movement of the centre, mm")
    right.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False, labelcolor="#d8dde3", fontsize=8)
    sheet.tight_layout()
    file = BytesIO()
    sheet.savefig(file, format="png", facecolor=sheet.get_facecolor())
    return file.getvalue()


def _dress(axes: Axes, title: str) -> None:
    axes.set_title(title, color="#d8dde3", fontsize=10)
    axes.set_facecolor("#15181c")
    axes.tick_params(colors="#98a2ad", labelsize=8)
    axes.tick_params(axis="x", rotation=30)
    axes.grid(color="#2c323a", linewidth=0.6)
    for spine in axes.spines.values():
        spine.set_color("#2c323a")
