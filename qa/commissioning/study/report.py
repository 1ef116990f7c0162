"""The report of a study: one HTML page, and tables as CSV."""

from __future__ import annotations

import csv
import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO, StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autocontour.base.errors import AutoContourError
from autocontour.base.files import write_atomically
from autocontour.base.jobs import InnerJob, Job
from autocontour.contouring import box_of
from autocontour.dicom.ct import read_ct
from autocontour.dicom.scan import Series
from autocontour.patient.geometry import Box, VolumeGeometry
from autocontour.patient.structures import Contours, Structure
from autocontour.patient.volume import CTVolume
from autocontour.qa.commissioning.study.patient import PATIENTS, read_contours
from autocontour.qa.commissioning.study.request import REFERENCE, StudyRequest
from autocontour.report.page import Figure, Row, Table, write_page
from autocontour.report.pictures import render_slices, voxel_at

if TYPE_CHECKING:
    from autocontour.qa.commissioning.study.run import StudyReport

Json = Mapping[str, Any]
REFERENCE_RGB, METHOD_RGB = (0, 220, 90), (255, 80, 60)
PICTURE_PX = 320
PICTURE_MARGIN_MM = 30.0
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
    "Paired tests use the patients that both methods have. The level is 0.05 divided by the number of pairs of methods "
    "(Bonferroni; 0.0167 for three methods). Non-inferiority: the one-sided 95 % bound of the mean difference lies "
    "above the negative margin. Signatures and the decision about clinical use are the physicist's.",
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
    figures += _worst_cases(report, series, request, job)
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
    if content["waiting_names"]:
        yield f"{content['waiting_names']} names of structures wait for confirmation: these structures are not counted."
    if unknown := content["without_fingerprints"]:
        yield (
            f"{', '.join(unknown)}: the package does not list what it was trained on; patients of this cohort may be "
            "among it."
        )
    blocked = sum(one["severity"] == "BLOCK" for one in content["left_out"])
    yield f"Left out: {blocked} patients, sets or structures (see the last tables); {len(content['remarks'])} remarks."


def _listed(roles: Mapping[str, str]) -> str:
    return ", ".join(f"{name} ({pattern})" for name, pattern in roles.items()) or "none"


def study_tables(content: Json) -> list[Table]:
    """Return the tables of a report that have rows."""
    tables = [
        _overview(content),
        _table("Distances in mm and added path length, median (quartiles; 5th percentile, 95th percentile)",
               "structure,method,HD95,HD,mean surface distance,centroid,added path length", _distances(content)),
        _table("Volume, method − reference in cm³ (Bland–Altman; failures have no volume)",
               "structure,method,n,bias,95 % interval of the bias,limits of agreement,± of each limit",
               _volumes(content)),
        _table("Against limits", "structure,method,figure,value,limit,within,source", _limits(content)),
        _table("Paired tests", "structure,metric,first,second,n,unpaired,not finite,median difference,t test p,"
               "Wilcoxon p,level,significant", _tests(content)),
        _table("Non-inferiority of the DSC", "structure,method,comparator,n,mean difference,lower bound,margin,shown,"
               "source of the margin", _non_inferiority(content)),
        _table("Manual sets against each other", "structure,pairs,patients,DSC median (range),HD95 median,"
               "surface DSC median,DSC with the STAPLE consensus,kappa,identical pairs (left out)", _spread(content)),
        _table("Methods beside the observers: inside if the mean DSC with the manual sets is at least the lowest DSC "
               "of two manual sets in the same patient", "structure,method,n,inside,95 % interval,mean difference,"
               "95 % interval", _places(content)),
        _table("Dose, method − reference (at the voxels of the CT; structures wholly inside the dose grid)",
               "structure,method,figure,n,mean of the reference,mean difference ± SD,median (quartiles),largest loss,"
               "largest gain", _doses(content)),
        _table("Intraclass correlation ICC(2,1) of volumes", "structure,sets,n,ICC,95 % interval", _icc(content)),
        _table("Not offered by a method", "structure,method",
               [(one["structure"], one["method"]) for one in content["not_offered"]]),
        _table("Patients", "patient,CT hash,voxels,spacing mm (z, y, x),structure sets (SHA-256)", _patients(content)),
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
        shares = [_mean(dsc, 3), _interval(dsc["mean_interval"], 3), _median(dsc, 3)]
        shares += [_number(dsc["percentile_5"], 3), _number(dsc["minimum"], 3), _median(surface, 3)]
        rows.append((one["structure"], one["method"], one["n"], one["failures"], *shares, f"{one['tau_mm']:g}"))
    heads = (
        "structure,method,n,failures,DSC mean ± SD,95 % interval,DSC median (quartiles),5th percentile,lowest,"
        "surface DSC median,tau mm"
    )
    return _table("Results", heads, rows)


def _distances(content: Json) -> Iterator[Sequence[object]]:
    keys = ("hd95_mm", "hausdorff_mm", "mean_surface_distance_mm", "centroid_distance_mm", "added_path_length_mm")
    for one in content["results"]:
        yield one["structure"], one["method"], *(_spread_of(one["metrics"][key]) for key in keys)


def _spread_of(figures: Json) -> str:
    tails = [_number(figures[f"percentile_{tail}"], 1) for tail in (5, 95)]
    end = f"; {tails[0]}, {tails[1]}" if figures["percentile_95"] is not None else ""
    low, high = (_number(figures[key], 1) for key in ("lower_quartile", "upper_quartile"))
    mean = f" mean {_mean(figures, 1)}"
    return f"{_number(figures['median'], 1)} ({low}–{high}{end}){mean}"


def _volumes(content: Json) -> Iterator[Sequence[object]]:
    for one in content["results"]:
        if found := one["bland_altman_volume_cc"]:
            limits = f"{_number(found['lower_limit'], 2)} … {_number(found['upper_limit'], 2)}"
            yield (one["structure"], one["method"], found["n"], _number(found["bias"], 2),
                   _interval(found["bias_interval"], 2), limits, _number(found["limit_half_width"], 2))  # fmt: skip


def _limits(content: Json) -> Iterator[Sequence[object]]:
    words = {True: "yes", False: "no", None: "for comparison"}
    for one in content["results"]:
        for limit in one["limits"]:
            figure = f"{limit['statistic']} {limit['metric']}"
            yield (one["structure"], one["method"], figure, _number(limit["value"], 3), f"{limit['limit']:g}",
                   words[limit["within"]], limit["source"])  # fmt: skip


def _tests(content: Json) -> Iterator[Sequence[object]]:
    words = {True: "yes", False: "no", None: "–"}
    for one in content["paired_tests"]:
        shown = words[one["significant"]] if one["can_be_significant"] else "too few patients"
        yield (one["structure"], one["metric"], one["first"], one["second"], one["n"], one["unpaired"],
               one["not_finite"], _number(one["median_difference"], 3), _number(one["t_p"], 4),
               _number(one["wilcoxon_p"], 4), f"{one['alpha']:.4f}", shown)  # fmt: skip


def _non_inferiority(content: Json) -> Iterator[Sequence[object]]:
    words = {True: "yes", False: "no", None: "too few patients"}
    for one in content["non_inferiority"]:
        yield (one["structure"], one["method"], one["comparator"], one["n"], _number(one["mean_difference"], 3),
               _number(one["lower_bound"], 3), f"{one['margin']:g}", words[one["shown"]], one["source"])  # fmt: skip


def _spread(content: Json) -> Iterator[Sequence[object]]:
    for one in content["observers"]:
        dsc, consensus = one["metrics"]["dsc"], one["consensus_dsc"]
        spread = f"{_number(dsc['median'], 3)} ({_number(dsc['minimum'], 3)}–{_number(dsc['maximum'], 3)})"
        yield (one["structure"], one["pairs"], one["patients"], spread, _number(one["metrics"]["hd95_mm"]["median"], 1),
               _number(one["metrics"]["surface_dsc"]["median"], 3), _number(consensus["median"], 3) if consensus else
               "fewer than 3 sets", _number(one["kappa_mean"], 3), len(one["identical"]))  # fmt: skip


def _places(content: Json) -> Iterator[Sequence[object]]:
    for one in content["places"]:
        yield (one["structure"], one["method"], one["n"], one["inside"], _interval(one["inside_interval"], 2),
               _number(one["mean_difference"], 3), _interval(one["mean_difference_interval"], 3))  # fmt: skip


SHOWN_DOSES = ("mean_gy", "d003cc_gy", "d2_gy", "d95_gy", "v20gy_percent", "v30gy_percent", "v50gy_percent")
"""The others are in report.json."""


def _doses(content: Json) -> Iterator[Sequence[object]]:
    for one in content["dose_differences"]:
        if one["figure"] in SHOWN_DOSES and one["n"]:
            found = one["difference"]
            yield (one["structure"], one["method"], one["figure"], one["n"], _number(one["reference_mean"], 2),
                   _mean(found, 2), _median(found, 2), _number(found["minimum"], 2),
                   _number(found["maximum"], 2))  # fmt: skip


def _icc(content: Json) -> Iterator[Sequence[object]]:
    for one in content["volumes"]:
        for label, found in one["icc"].items():
            yield (one["structure"], label, found["n"], _number(found["value"], 3), _interval(found["interval"], 3))


def _patients(content: Json) -> Iterator[Sequence[object]]:
    for one in content["patients"]:
        sets = ", ".join(f"{role} {checksum[:16]}" for role, checksum in one["sets"].items())
        voxels = " × ".join(str(size) for size in one["shape_zyx"])
        spacing = " × ".join(f"{step:g}" for step in one["spacing_zyx_mm"])
        yield one["patient"], one["ct_hash"][:16], voxels, spacing, sets


def _reasons(entries: Sequence[Json]) -> Iterator[Sequence[object]]:
    for one in entries:
        yield one["patient"], one["subject"], one["structure"], f"{one['severity']} {one['code']}", one["message"]


def _mean(figures: Json, digits: int) -> str:
    """Return mean ± SD; with infinite values, those of the finite ones and their number in brackets."""
    text = f"{_number(figures['mean'], digits)} ± {_number(figures['sd'], digits)}"
    if not figures["infinite"]:
        return text
    finite = figures["n"] - figures["infinite"]
    own = f"{_number(figures['finite_mean'], digits)} ± {_number(figures['finite_sd'], digits)}"
    return f"∞ ({own} of {finite} finite, {figures['infinite']} infinite)"


def _median(figures: Json, digits: int) -> str:
    low, high = (_number(figures[key], digits) for key in ("lower_quartile", "upper_quartile"))
    return f"{_number(figures['median'], digits)} ({low}–{high})"


def _interval(interval: Json | None, digits: int) -> str:
    if interval is None:
        return "too few patients"
    return f"{_number(interval['low'], digits)} … {_number(interval['high'], digits)}"


def _number(value: float | str | None, digits: int) -> str:
    if value is None:
        return "–"
    return "∞" if isinstance(value, str) else f"{value:.{digits}f}"


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


def picture_path(output: Path, record: Json, structure: str, method: str) -> Path:
    """Return the file of a picture; another result of the patient has other files."""
    name = hashlib.sha256(f"{structure}\0{method}".encode()).hexdigest()[:16]
    return output / PATIENTS / f"{record['patient']}.{record['fingerprint'][:12]}.{name}.png"


def worst_of(records: Sequence[Json], method: str, count: int, structure: str | None = None) -> list[tuple[Json, Json]]:
    """Return record and row of the lowest DSC of a method, of one structure or of all, the worst first."""
    mine = [
        (record, row)
        for record in records
        for row in record["rows"]
        if row["a"] == REFERENCE and row["b"] == method and structure in (None, row["structure"])
    ]
    return sorted(mine, key=lambda one: (_dsc_of(one[1]), one[0]["patient"], one[1]["structure"]))[:count]


def _dsc_of(row: Json) -> float:
    return -1.0 if row["dsc"] is None else float(row["dsc"])


def caption_of(record: Json, row: Json, method: str) -> str:
    """Return the caption of a picture."""
    found = f"DSC {_number(row['dsc'], 3)}, HD95 {_number(row['hd95_mm'], 1)} mm"
    return f"{row['structure']}, {method}, {record['patient']}: {'not drawn' if row['missing'] else found}"


def _worst_cases(
    report: StudyReport, series: Mapping[str, Series], request: StudyRequest, job: Job
) -> Iterator[Figure]:
    """Draw the lowest DSC of each method and structure, and yield the worst of each method for the page."""
    offered = [(one["structure"], one["method"]) for one in report.content["results"]]
    _draw_pictures(report, offered, series, request, job)
    for method in dict.fromkeys(method for _, method in offered):
        records = [_only_offered(record, method, offered) for record in report.records]
        for record, row in worst_of(records, method, request.pictures):
            path = picture_path(request.output, record, row["structure"], method)
            if path.exists():
                yield Figure(path.read_bytes(), caption_of(record, row, method))


def _only_offered(record: Json, method: str, offered: Sequence[tuple[str, str]]) -> Json:
    rows = [row for row in record["rows"] if (row["structure"], method) in offered]
    return {**record, "rows": rows}


def _draw_pictures(
    report: StudyReport,
    offered: Sequence[tuple[str, str]],
    series: Mapping[str, Series],
    request: StudyRequest,
    job: Job,
) -> None:
    """Write the pictures that are missing, on the slice with the longest added path."""
    output = request.output
    wanted: dict[str, list[tuple[Path, str, Json]]] = {}
    kept: set[Path] = set()
    for structure, method in offered:
        for record, row in worst_of(report.records, method, request.pictures, structure):
            path = picture_path(output, record, structure, method)
            kept.add(path)
            if not path.exists():
                wanted.setdefault(record["patient"], []).append((path, method, row))
    for path in (output / PATIENTS).glob("*.png"):
        if path not in kept:
            path.unlink()
    for patient in job.track(sorted(wanted), "drawing the worst cases"):
        try:
            ct = read_ct(series[patient], InnerJob(job))
        except AutoContourError:
            continue  # it could be read a moment ago; the figures are in the tables
        drawn = read_contours(output, patient)
        for path, method, row in wanted[patient]:
            write_atomically(path, _picture(ct, drawn, patient, method, row))


def _box_around(geometry: VolumeGeometry, drawn: Sequence[Contours]) -> Box:
    """Return the box around some contours with a margin of `PICTURE_MARGIN_MM`."""
    boxes = [box for box in (box_of(contours, geometry) for contours in drawn if contours) if box is not None]
    start = [min(box.start_zyx[axis] for box in boxes) for axis in range(3)]
    stop = [max(box.stop_zyx[axis] for box in boxes) for axis in range(3)]
    margin = [math.ceil(PICTURE_MARGIN_MM / step) for step in geometry.spacing_zyx_mm]
    whole = Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))
    return whole.padded((margin[0], margin[1], margin[2]), geometry.shape_zyx)


def _picture(ct: CTVolume, drawn: Mapping[str, Mapping[str, Contours]], patient: str, method: str, row: Json) -> bytes:
    name = row["structure"]
    reference, own = drawn[REFERENCE][name], drawn.get(method, {}).get(name, {})
    worst = max(row["slices"], key=lambda one: one["added_path_length_mm"], default=None)
    index = worst["slice"] if worst else min(reference)
    shape = reference.get(index) or own.get(index) or reference[min(reference)]
    box = _box_around(ct.geometry, (reference, own))
    ct = CTVolume(ct.hu[box.slices], ct.geometry.cropped(box))
    first = box.start_zyx[0]
    at = voxel_at(ct.geometry, index - first, *shape.centroid.coords[0])
    structures = [
        Structure(REFERENCE, 1, {k - first: one for k, one in reference.items()}, color_rgb=REFERENCE_RGB),
        Structure(method, 2, {k - first: one for k, one in own.items()}, color_rgb=METHOD_RGB),
    ]
    return render_slices(ct, structures, at, title=f"{patient} {name}", height_px=PICTURE_PX)
