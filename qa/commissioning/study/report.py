"""The report of a study: one HTML page, and tables as CSV."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO, StringIO
from typing import TYPE_CHECKING, Any

from autocontour.base.files import write_atomically
from autocontour.base.jobs import Job
from autocontour.dicom.scan import Series
from autocontour.qa.commissioning.study.request import REFERENCE, StudyRequest
from autocontour.qa.commissioning.study.text import (
    beside_text,
    bound_text,
    consensus_text,
    interval_text,
    kappa_text,
    mean_text,
    median_text,
    metric_label,
    number_text,
    where_drawn_text,
)
from autocontour.qa.commissioning.study.worst import draw_worst_cases
from autocontour.report.fonts import hangul_in_pictures
from autocontour.report.page import Figure, Row, Table, write_page

if TYPE_CHECKING:
    from autocontour.qa.commissioning.study.run import StudyReport

Json = Mapping[str, Any]
BOX_INCHES = 0.45

LIMITATIONS = (
    "Limits of this report: the figures hold for these patients, this scanner and these protocols. The reference is "
    "manual and differs between observers; a contour may differ from it and still be acceptable, and the other way "
    "round. The dose, where there is one, is that of a plan made on other contours: a plan made on these could differ. "
    "DSC depends on the size of a structure. HD95 is area-weighted, the larger of both directions; other programs "
    "define it differently.",
    "A structure that the reference has and a method did not draw is a failure: DSC and surface DSC 0, infinite "
    "distances. Infinite distances count in medians; a mean with one of them is infinite, and the mean of the finite "
    "ones stands in brackets with their number. Intervals are 95 % percentile bootstrap intervals over patients; with "
    "fewer than 8 patients none is given, with fewer than 20 no 5th percentile.",
    "Paired tests use the patients that both methods have; an infinite difference (not finite) ranks above all others "
    "in Wilcoxon's test and is left out of the t test. The level is 0.05 divided by the number of pairs of methods "
    "(Bonferroni; 0.0167 for three methods), not by the number of structures and figures. "
    "Non-inferiority: the one-sided 95 % bound of the mean difference lies above the negative margin. "
    "Signatures and the decision about clinical use are the physicist's.",
)


def write_report(report: StudyReport, series: Mapping[str, Series], request: StudyRequest, job: Job) -> None:
    """Write the page and the tables.

    Raises
    ------
    OutputError
        If they cannot be written.
    """
    output, content = request.output, report.content
    write_atomically(output / "results.csv", _csv(_result_rows(report.records)))
    write_atomically(output / "slices.csv", _csv(_slice_rows(report.records)))
    write_atomically(output / "statistics.csv", _csv(_statistic_rows(content)))
    write_atomically(output / "left-out.csv", _csv([*content["left_out"], *content["remarks"]]))
    figures = [figure for figure in (_box_plot(report.records, content),) if figure]
    figures += draw_worst_cases(report, series, request, job)
    paragraphs = [*_identity(content), *LIMITATIONS]
    write_page(output / "report.html", "Commissioning report", paragraphs=paragraphs, tables=study_tables(content),
               figures=figures)  # fmt: skip


def _csv(rows: Sequence[Json] | Iterator[Json]) -> bytes:
    listed = list(rows)
    text = StringIO()
    if listed:
        writer = csv.DictWriter(text, list(dict.fromkeys(key for row in listed for key in row)), lineterminator="\n")
        writer.writeheader()
        writer.writerows(listed)
    return text.getvalue().encode()


def _result_rows(records: Sequence[Json]) -> Iterator[Json]:
    for record in records:
        for row in record["rows"]:
            yield {"patient": record["patient"], **{key: value for key, value in row.items() if key != "slices"}}


def _slice_rows(records: Sequence[Json]) -> Iterator[Json]:
    for record in records:
        for row in record["rows"]:
            for one in row.get("slices", ()):
                yield {"patient": record["patient"], "structure": row["structure"], "a": row["a"], "b": row["b"], **one}


def _statistic_rows(content: Json) -> Iterator[Json]:
    for row in content["results"]:
        for metric, figures in row["metrics"].items():
            plain = {key: value for key, value in figures.items() if not key.endswith("_interval")}
            intervals = {
                f"{key}_{end}": figures[key][end] if figures[key] else None
                for key in ("mean_interval", "median_interval")
                for end in ("low", "high")
            }
            own = {key: row[key] for key in ("structure", "method", "failures", "tau_mm")}
            yield {**own, "metric": metric, **plain, **intervals}


def _identity(content: Json) -> Iterator[str]:
    settings = content["settings"]
    patients = content["patients"]
    yield f"{len(patients)} patients; autocontour {content['program']}; tolerances: {settings['tolerances']}."
    yield f"Reference: {settings['reference']}. Observers: {_listed(settings['observers'])}. " \
          f"Other programs: {_listed(settings['others'])}."  # fmt: skip
    for name, identity in settings["methods"].items():
        yield f"Method {name}: {identity}"
    if text := where_drawn_text(content["results"]):
        yield text
    if content["waiting_names"]:
        yield f"{content['waiting_names']} names of structures wait for confirmation: these structures are not counted."
    if unknown := content["without_fingerprints"]:
        yield (
            f"{', '.join(unknown)}: the package does not list what it was trained on; patients of this cohort may be "
            "among it."
        )
    yield (
        f"Left out: {len(content['left_out'])} patients, sets or structures (see the last tables); "
        f"{len(content['remarks'])} remarks."
    )


def _listed(roles: Mapping[str, str]) -> str:
    return ", ".join(f"{name} ({pattern})" for name, pattern in roles.items()) or "none"


def study_tables(content: Json) -> list[Table]:
    """Return the tables of a report that have rows."""
    tables = [
        _overview(content),
        _table("Distances in mm and added path length, median (quartiles; 5th percentile, 95th percentile)",
               "structure,method,HD95,HD,mean surface distance,distance of the centroids,added path length",
               _distances(content)),
        _table("Volume, method − reference in cm³ (Bland–Altman; failures have no volume)",
               "structure,method,n,bias,95 % interval of the bias,limits of agreement,± of each limit",
               _volumes(content)),
        _table("Against limits", "structure,method,figure,value,limit,within,source", _limits(content)),
        _table("Paired tests", "structure,metric,first,second,n,unpaired,not finite,median difference,t test p,"
               "Wilcoxon p,level,significant", _tests(content)),
        _table("Non-inferiority of the DSC", "structure,method,comparator,n,mean difference,lower bound,margin,shown,"
               "source of the margin", _non_inferiority(content)),
        _table("Manual sets against each other", "structure,pairs,patients,DSC median (range),HD95 median,"
               "surface DSC median,DSC with the STAPLE consensus,Fleiss' kappa,identical pairs (left out)",
               _spread(content)),
        _table("Methods beside the observers: inside if the mean DSC with the manual sets is at least the lowest DSC "
               "of two manual sets in the same patient", "structure,method,n,inside,95 % interval,mean difference,"
               "95 % interval", _places(content)),
        _table("Dose, method − reference (at the voxels of the CT; structures wholly inside the dose grid)",
               "structure,method,figure,n,mean of the reference,mean difference ± SD,median (quartiles),"
               "lowest difference,highest difference", _doses(content)),
        _table("Intraclass correlation ICC(2,1) of volumes", "structure,sets,n,ICC,95 % interval", _icc(content)),
        _table("Not offered by a method", "structure,method",
               [(one["structure"], one["method"]) for one in content["not_offered"]]),
        _table("Patients", "patient,CT hash,voxels,spacing mm z × y × x,structure sets (SHA-256)", _patients(content)),
        _table("Drawn without a reference", "patient,set or method,structures",
               [(one["patient"], role, ", ".join(names)) for one in content["patients"]
                for role, names in one["without_reference"].items()]),
        _table("Left out", "patient,set or method,structure,code,reason", _reasons(content["left_out"])),
        _table("Remarks", "patient,set or method,structure,code,remark", _reasons(content["remarks"])),
    ]  # fmt: skip
    return [table for table in tables if table.rows]


def _table(title: str, heads: str, rows: Sequence[Sequence[object]] | Iterator[Sequence[object]]) -> Table:
    return Table(title, tuple(heads.split(",")), tuple(Row(tuple(str(cell) for cell in row)) for row in rows))


def _overview(content: Json) -> Table:
    rows = []
    for one in content["results"]:
        dsc, surface = one["metrics"]["dsc"], one["metrics"]["surface_dsc"]
        shares = [mean_text(dsc, 3), interval_text(dsc["mean_interval"], 3), median_text(dsc, 3)]
        shares += [number_text(dsc["percentile_5"], 3), number_text(dsc["minimum"], 3), median_text(surface, 3)]
        rows.append((one["structure"], one["method"], one["n"], one["failures"], *shares, f"{one['tau_mm']:g}"))
    heads = (
        "structure,method,n,failures,DSC mean ± SD,95 % interval of the mean,DSC median (quartiles),"
        "5th percentile,lowest,surface DSC median,tau mm"
    )
    return _table("Results", heads, rows)


def _distances(content: Json) -> Iterator[Sequence[object]]:
    keys = ("hd95_mm", "hausdorff_mm", "mean_surface_distance_mm", "centroid_distance_mm", "added_path_length_mm")
    for one in content["results"]:
        yield one["structure"], one["method"], *(_spread_of(one["metrics"][key]) for key in keys)


def _spread_of(figures: Json) -> str:
    tails = [number_text(figures[f"percentile_{tail}"], 1) for tail in (5, 95)]
    end = f"; {tails[0]}, {tails[1]}" if figures["percentile_95"] is not None else ""
    low, high = (number_text(figures[key], 1) for key in ("lower_quartile", "upper_quartile"))
    mean = f" mean {mean_text(figures, 1)}"
    return f"{number_text(figures['median'], 1)} ({low}–{high}{end}){mean}"


def _volumes(content: Json) -> Iterator[Sequence[object]]:
    for one in content["results"]:
        if found := one["bland_altman_volume_cc"]:
            limits = f"{number_text(found['lower_limit'], 2)} … {number_text(found['upper_limit'], 2)}"
            yield (
                one["structure"],
                one["method"],
                found["n"],
                number_text(found["bias"], 2),
                interval_text(found["bias_interval"], 2),
                limits,
                number_text(found["limit_half_width"], 2),
            )


def _limits(content: Json) -> Iterator[Sequence[object]]:
    words = {True: "yes", False: "no", None: "for comparison"}
    for one in content["results"]:
        for limit in one["limits"]:
            figure = f"{limit['statistic']} {metric_label(limit['metric'])}"
            value = beside_text(limit["value"], limit["limit"], 3)
            yield one["structure"], one["method"], figure, *value, words[limit["within"]], limit["source"]


def _tests(content: Json) -> Iterator[Sequence[object]]:
    words = {True: "yes", False: "no", None: "–"}
    for one in content["paired_tests"]:
        shown = words[one["significant"]] if one["can_be_significant"] else "too few patients"
        yield (one["structure"], metric_label(one["metric"]), one["first"], one["second"], one["n"], one["unpaired"],
               one["not_finite"], number_text(one["median_difference"], 3), number_text(one["t_p"], 4),
               *beside_text(one["wilcoxon_p"], one["alpha"], 4), shown)  # fmt: skip


def _non_inferiority(content: Json) -> Iterator[Sequence[object]]:
    words = {True: "yes", False: "no", None: "too few patients"}
    for one in content["non_inferiority"]:
        yield (
            one["structure"],
            one["method"],
            one["comparator"],
            one["n"],
            number_text(one["mean_difference"], 3),
            *bound_text(one),
            words[one["shown"]],
            one["source"],
        )


def _spread(content: Json) -> Iterator[Sequence[object]]:
    for one in content["observers"]:
        dsc = one["metrics"]["dsc"]
        spread = f"{number_text(dsc['median'], 3)} ({number_text(dsc['minimum'], 3)}–{number_text(dsc['maximum'], 3)})"
        yield (
            one["structure"],
            one["pairs"],
            one["patients"],
            spread,
            number_text(one["metrics"]["hd95_mm"]["median"], 1),
            number_text(one["metrics"]["surface_dsc"]["median"], 3),
            consensus_text(one),
            kappa_text(one),
            len(one["identical"]),
        )


def _places(content: Json) -> Iterator[Sequence[object]]:
    for one in content["places"]:
        yield (one["structure"], one["method"], one["n"], one["inside"], interval_text(one["inside_interval"], 2),
               number_text(one["mean_difference"], 3), interval_text(one["mean_difference_interval"], 3))  # fmt: skip


SHOWN_DOSES = ("mean_gy", "d003cc_gy", "d2_gy", "d95_gy", "v20gy_percent", "v30gy_percent", "v50gy_percent")
"""The others are in report.json."""


def _doses(content: Json) -> Iterator[Sequence[object]]:
    for one in content["dose_differences"]:
        if one["figure"] in SHOWN_DOSES and one["n"]:
            found = one["difference"]
            yield (
                one["structure"],
                one["method"],
                metric_label(one["figure"]),
                one["n"],
                number_text(one["reference_mean"], 2),
                mean_text(found, 2),
                median_text(found, 2),
                number_text(found["minimum"], 2),
                number_text(found["maximum"], 2),
            )


def _icc(content: Json) -> Iterator[Sequence[object]]:
    for one in content["volumes"]:
        for label, found in one["icc"].items():
            yield (
                one["structure"],
                label,
                found["n"],
                number_text(found["value"], 3),
                interval_text(found["interval"], 3),
            )


def _patients(content: Json) -> Iterator[Sequence[object]]:
    for one in content["patients"]:
        sets = ", ".join(f"{role} {checksum[:16]}" for role, checksum in one["sets"].items())
        voxels = " × ".join(str(size) for size in one["shape_zyx"])
        spacing = " × ".join(f"{step:g}" for step in one["spacing_zyx_mm"])
        yield one["patient"], one["ct_hash"][:16], voxels, spacing, sets


def _reasons(entries: Sequence[Json]) -> Iterator[Sequence[object]]:
    for one in entries:
        yield one["patient"], one["subject"], one["structure"], f"{one['severity']} {one['code']}", one["message"]


@hangul_in_pictures()
def _box_plot(records: Sequence[Json], content: Json) -> Figure | None:
    """Draw the DSC of every structure and method: boxes are quartiles, whiskers the whole range."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Plot

    pairs = [(one["structure"], one["method"]) for one in content["results"]]
    if not pairs:
        return None
    values: dict[tuple[str, str], list[float]] = {pair: [] for pair in pairs}
    for record in records:
        for row in record["rows"]:
            pair = (row["structure"], row["b"])
            if row["a"] == REFERENCE and pair in values and row["dsc"] is not None:
                values[pair].append(row["dsc"])
    plot = Plot(figsize=(11, 1.2 + BOX_INCHES * len(pairs)), dpi=100)
    FigureCanvasAgg(plot)
    axes = plot.subplots()
    axes.boxplot(list(values.values()), orientation="horizontal", whis=(0, 100),
                 tick_labels=[f"{name}, {method}" for name, method in pairs])  # fmt: skip
    axes.invert_yaxis()
    axes.set_xlim(-0.02, 1.02)
    axes.set_xlabel("DSC")
    axes.grid(axis="x", alpha=0.3)
    plot.tight_layout()
    file = BytesIO()
    plot.savefig(file, format="png", metadata={"Software": None})
    return Figure(file.getvalue(), "DSC of every structure and method; boxes are quartiles, whiskers the whole range.")
