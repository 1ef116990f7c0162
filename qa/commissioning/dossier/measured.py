"""The sections of a dossier about the study: results, worst cases, observers, blind review and dose."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from autocontour.qa.commissioning.blind.report import review_tables
from autocontour.qa.commissioning.dossier.build import Picture
from autocontour.qa.commissioning.dossier.sources import check_part
from autocontour.qa.commissioning.study.cohort import DOSE
from autocontour.qa.commissioning.study.report import SHOWN_DOSES
from autocontour.qa.commissioning.study.text import (
    DEFINITIONS,
    beside_text,
    bound_text,
    interval_text,
    kappa_text,
    mean_text,
    median_text,
    metric_label,
    number_text,
    where_drawn_text,
)
from autocontour.report.document import Block, NotDone, Paragraph, table
from autocontour.report.page import Figure

Json = Mapping[str, Any]
Rows = list[Sequence[object]]
PICTURE_SCALE = "The reference is green, the method red."
YES_NO = {True: "yes", False: "no", None: "–"}
DISTANCES = ("hd95_mm", "hausdorff_mm", "mean_surface_distance_mm", "centroid_distance_mm", "added_path_length_mm")


def show_results(content: Json) -> Iterator[Block]:
    """Yield the results per organ: overlap, distances, volumes, limits and tests."""
    study = content["study"]
    yield Paragraph(
        f"{study['patients']} patients; n is the number of patients with the structure in the reference. A structure "
        "that the method did not draw counts with a DSC of 0 and infinite distances. Intervals: 95 % percentile "
        "bootstrap over patients, from 8 patients on; 5th percentile from 20 patients on. SD: sample standard "
        "deviation over patients."
    )
    results = study["results"]
    if text := where_drawn_text(results):
        yield Paragraph(text)
    rows: Rows = []
    for one in results:
        dsc, surface = one["metrics"]["dsc"], one["metrics"]["surface_dsc"]
        rows.append((one["structure"], one["n"], one["failures"], mean_text(dsc, 3),
                     interval_text(dsc["mean_interval"], 3), median_text(dsc, 3), number_text(dsc["percentile_5"], 3),
                     number_text(dsc["minimum"], 3), f"{median_text(surface, 3)} at {one['tau_mm']:g} mm"))  # fmt: skip
    yield table("Overlap", "structure,n,not drawn,DSC mean ± SD,95 % interval of the mean,DSC median (quartiles),"
                "5th percentile,lowest,surface DSC median (quartiles) at tau", rows)  # fmt: skip
    yield table("Distances, median (quartiles)", ",".join(("structure", "n", *map(_head, DISTANCES))),
                [(one["structure"], one["n"], *(median_text(one["metrics"][key], 1) for key in DISTANCES))
                 for one in results])  # fmt: skip
    yield from _volumes(results)
    yield table("Definitions", "figure,unit,definition", DEFINITIONS)
    yield from _limits(results)
    yield from _tests(content)
    if study["not_offered"]:
        yield Paragraph(f"Not offered by the method: {', '.join(study['not_offered'])}.")


def _head(metric: str) -> str:
    return metric_label(metric).replace(",", " in")


def _volumes(results: Sequence[Json]) -> Iterator[Block]:
    rows: Rows = []
    for one in results:
        if found := one["bland_altman_volume_cc"]:
            limits = f"{number_text(found['lower_limit'], 2)} … {number_text(found['upper_limit'], 2)}"
            bias = number_text(found["bias"], 2)
            rows.append((one["structure"], found["n"], bias, interval_text(found["bias_interval"], 2), limits))
    if rows:
        yield table("Volume, method − reference in cm³, of the structures that were drawn (Bland and Altman 1986)",
                    "structure,n,bias,95 % interval of the bias,limits of agreement (bias ± 1.96 SD)",
                    rows)  # fmt: skip


def _limits(results: Sequence[Json]) -> Iterator[Block]:
    limits: Rows = [
        (one["structure"], one["n"], f"{limit['statistic']} {metric_label(limit['metric'])}",
         *beside_text(limit["value"], limit["limit"], 3),
         {True: "yes", False: "NO", None: "comparison only"}[limit["within"]], limit["source"])
        for one in results for limit in one["limits"]
    ]  # fmt: skip
    limits, sources = _numbered(limits)
    if all(row[5] == "comparison only" for row in limits):
        yield NotDone("No tolerances of the clinic (commission --tolerances): nothing is judged as acceptable or not.")
    if limits:
        yield table("Against limits", "structure,n,figure,value,limit,within,source", limits)
        yield from sources


def _numbered(rows: Rows) -> tuple[Rows, list[Block]]:
    """Return rows with a number instead of the source in their last cell, and the sources."""
    numbers = {source: f"[{number}]" for number, source in enumerate(dict.fromkeys(row[-1] for row in rows), 1)}
    return [(*row[:-1], numbers[row[-1]]) for row in rows], [Paragraph(f"{n} {text}") for text, n in numbers.items()]


def _tests(content: Json) -> Iterator[Block]:
    study = content["study"]
    if tests := study["paired_tests"]:
        yield Paragraph(
            "Paired tests of the patients that both methods have, two-sided. A structure that was not drawn counts "
            "with its DSC of 0; its infinite distance (not finite) ranks above all others in Wilcoxon's test and is "
            "left out of the t test. Level: 0.05 divided by the number of pairs of methods that offer the structure "
            "(Bonferroni; 0.0167 for three), not by the number of structures and figures. Too few: so few patients "
            "differ that no result could be significant. A difference that is not significant does not show that both "
            "are equally good."
        )
        rows: Rows = [
            (one["structure"], metric_label(one["metric"]), one["first"], one["second"], one["n"], one["not_finite"],
             number_text(one["median_difference"], 3), number_text(one["t_p"], 4),
             *beside_text(one["wilcoxon_p"], one["alpha"], 4),
             YES_NO[one["significant"]] if one["can_be_significant"] else "too few patients")
            for one in tests
        ]  # fmt: skip
        yield table("Against other methods", "structure,figure,first,second,n,not finite,median difference (second − "
                    "first),t test p,Wilcoxon p,level,significant (Wilcoxon)", rows)  # fmt: skip
    else:
        yield NotDone("No other method in the study to compare with.")
    if shown := study["non_inferiority"]:
        words = {True: "yes", False: "no", None: "too few patients"}
        rows = [(one["structure"], one["comparator"], one["n"], number_text(one["mean_difference"], 3),
                 *bound_text(one), words[one["shown"]], one["source"])
                for one in shown]  # fmt: skip
        rows, sources = _numbered(rows)
        yield table("Non-inferiority of the DSC: shown if the one-sided 95 % bootstrap bound of the mean difference "
                    "lies above the negative margin", "structure,comparator,n,mean difference,lower bound,margin,shown,"
                    "source", rows)  # fmt: skip
        yield from sources


def show_worst(pictures: Sequence[Picture]) -> Iterator[Block]:
    """Yield the pictures of the worst cases."""
    if not pictures:
        yield NotDone("The study has no result of this method.")
        return
    yield Paragraph(
        "The three lowest DSC of each organ, on the slice with the longest added path, and the sagittal and coronal "
        f"planes through the middle of the outlines there. {PICTURE_SCALE} Slices count from the first of the scan."
    )
    for one in pictures:
        if one.png:
            yield Figure(one.png, one.caption)
        else:
            yield Paragraph(f"{one.caption} – not pictured (commission --pictures 3).")


def show_observers(content: Json) -> Iterator[Block]:
    """Yield the spread of the manual sets, and the method beside it."""
    study = content["study"]
    if not study["observers"]:
        yield NotDone("No further observers: whether the method lies inside the spread of people is not known.")
        return
    rows: Rows = [(one["structure"], one["pairs"], one["patients"], median_text(one["metrics"]["dsc"], 3),
             number_text(one["metrics"]["dsc"]["minimum"], 3), number_text(one["metrics"]["hd95_mm"]["median"], 1),
             kappa_text(one), len(one["identical"])) for one in study["observers"]]  # fmt: skip
    yield table("Manual sets against each other; identical pairs are copies and do not count",
                "structure,pairs,patients,DSC median (quartiles),lowest DSC,HD95 in mm median,"
                "Fleiss' kappa over voxels mean,identical pairs", rows)  # fmt: skip
    rows = [(one["structure"], f"{one['inside']} of {one['n']}", interval_text(one["inside_interval"], 2),
             number_text(one["mean_difference"], 3), interval_text(one["mean_difference_interval"], 3))
            for one in study["places"]]  # fmt: skip
    yield table("The method beside the observers: inside if its mean DSC with the manual sets is at least the lowest "
                "DSC of two of them in the same patient", "structure,patients inside,95 % interval (Wilson),mean "
                "difference in DSC,95 % interval", rows)  # fmt: skip


def show_review(content: Json) -> Iterator[Block]:
    """Yield the blind review."""
    found = content["review"]
    if found is None:
        yield NotDone("Run autocontour review prepare, show and report, and state its blind-review.json (--review).")
        return
    counts = ", ".join(f"{count} {kind}" for kind, count in found["items"].items())
    people = ", ".join(
        f"{one['reviewer']} ({one['answered']} of {one['tasks']} tasks; last hash {one['last_hash'][:16]})"
        for one in found["reviewers"]
    )
    yield Paragraph(f"{counts} contours, shown without their origin; seed {found['seed']}. Reviewers: {people}.")
    yield from check_part(content, "review", "The blind review", (one["method"] for one in found.get("methods", ())))
    yield Paragraph(
        "Intervals of one reviewer: Wilson; of several: bootstrap over patients, from 8 patients on. What was drawn by "
        "which method is recorded with the contours and was not shown to the reviewers."
    )
    yield from review_tables(found)


def show_dose(content: Json) -> Iterator[Block]:
    """Yield the differences of the dose figures."""
    study = content["study"]
    found = [one for one in study["dose_differences"] if one["n"] and one["figure"] in SHOWN_DOSES]
    if not found:
        unused = [one for one in study["left_out"] if one["subject"] == DOSE]
        reason = "; ".join(sorted({f"{one['code']}: {one['message']}" for one in unused}))
        yield NotDone(
            f"{len(unused)} dose distributions (RTDOSE) of the cohort were not used. {reason}" if unused
            else "The cohort has no dose distribution (RTDOSE) of a patient with results of this method."
        )  # fmt: skip
        return
    yield Paragraph(
        "Method − reference, with the dose of a plan that was made on other contours: the effect of a contour on the "
        "evaluation, not on the plan. Dx: dose that x % of the volume receives at least; D0.03cc: least dose of the "
        "hottest 0.03 cm³; Vx: share of the volume that receives at least x. The dose is interpolated linearly at the "
        "voxels of the CT; structures wholly inside the dose grid. A structure that was not drawn has no dose figures."
    )
    rows: Rows = [(one["structure"], metric_label(one["figure"]), one["n"], number_text(one["reference_mean"], 2),
             mean_text(one["difference"], 2), number_text(one["difference"]["minimum"], 2),
             number_text(one["difference"]["maximum"], 2)) for one in found]  # fmt: skip
    heads = "structure,figure,n,mean of the reference,mean difference ± SD,lowest difference,highest difference"
    yield table("Differences, in the unit of the figure", heads, rows)
