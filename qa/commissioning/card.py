"""The model card of a package: results on patients used neither for training nor for any selection."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autocontour.models import ModelPackage
from autocontour.models.package.description import Member
from autocontour.models.package.members import read_members
from autocontour.models.package.procedure import Procedure
from autocontour.models.training.calibrate import BAD_DSC, GRADED, LEAST_AUROC, compute_power
from autocontour.qa.commissioning.measure import MeasuredStructure, of_structure, values_of
from autocontour.qa.metrics import TAU_MM
from autocontour.qa.statistics import bonferroni, compare_paired, summarize

LOW_MEDIAN = 0.5
NOTHING = (
    "**Nothing measured here yet.** Its structures carry a warning until it was measured on patients of this clinic."
)
WHOLE = 0.9
"""Fraction of a reference on the evaluated slices above which the structure counts as complete in the scan."""


def write_card(
    package: ModelPackage,
    rows: Sequence[MeasuredStructure],
    split: str,
    *,
    notes: str = "",
    failures: str = "",
    baseline: Sequence[MeasuredStructure] = (),
    baseline_name: str = "the baseline",
) -> str:
    """Return the card as Markdown.

    Parameters
    ----------
    package
        That was measured.
    rows
        Measurements of the package (see `autocontour.qa.commissioning.measure.measure_package`); none if it was not
        measured.
    split
        Name of the patients they are from.
    notes
        Markdown to append, such as known limits.
    failures
        Path of a page about the worst cases, relative to the card.
    baseline
        Measurements of another package on the same patients, for comparison.
    baseline_name
        Name of the baseline.
    """
    own = package.procedure is None  # a published network draws only what is asked for
    research = [name for name, one in package.structures.items() if own and not one.drawn]
    organs = [name for name in package.structures if name not in research]
    if not rows:
        known = [_head(package), f"## Figures\n\n{NOTHING}", notes.strip()]
        return "\n\n".join(part for part in known if part) + "\n"
    parts = [
        _head(package),
        f"## Figures\n\n{_preamble(split, rows)}\n\n{table_of(rows, organs)}",
        f"Structures at least {100 * WHOLE:.0f} % of which lie on the slices that count (the others are cut off by the "
        f"end of the scan):\n\n{table_of([row for row in rows if row.inside >= WHOLE], organs)}",
        _remarks(rows, organs, research, failures),
    ]
    if any(of_structure(rows, name) for name in research):
        parts.append(f"Structures that are drawn only when asked for, for research:\n\n{table_of(rows, research)}")
    if baseline:
        parts.append(f"## Compared with {baseline_name}\n\n{compare_with(rows, baseline, organs)}")
    parts.append(f"## Findings\n\n{findings_of(package, rows, organs, split)}")
    return "\n\n".join([*parts, *([notes.strip()] if notes.strip() else [])]) + "\n"


def summarize_structures(
    package: ModelPackage, rows: Sequence[MeasuredStructure]
) -> dict[str, dict[str, float | int | None]]:
    """Return the results of every structure, in the form of a package's ``validation``."""
    summary: dict[str, dict[str, float | int | None]] = {}
    for name in package.structures:
        if mine := of_structure(rows, name):
            figures: dict[str, float | int | None] = {"n": len(mine), "not_drawn": _not_drawn(mine)}
            for metric, values in _metrics_of(mine).items():
                finite, every = summarize(values[np.isfinite(values)]), summarize(values)
                figures[f"{metric}_mean"] = _rounded(finite.mean)
                figures[f"{metric}_sd"] = _rounded(finite.sd)
                figures[f"{metric}_median"] = _rounded(every.median)
            summary[name] = figures
    return summary


def table_of(rows: Sequence[MeasuredStructure], names: Sequence[str]) -> str:
    """Return mean, SD, median and quartiles of each structure as a table."""
    lines = [
        "| structure | n | not drawn | DSC mean ± SD | DSC median (quartiles) | HD95 mm mean ± SD | HD95 mm median "
        f"| surface DSC {TAU_MM:g} mm median | added path length mm median |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name in names:
        if not (mine := of_structure(rows, name)):
            continue
        values = _metrics_of(mine)
        dsc, distance = summarize(values["dsc"]), values["hd95_mm"]
        finite = summarize(distance[np.isfinite(distance)])
        medians = [_number(summarize(values[key]).median, digits) for key, digits in MEDIANS]
        lines.append(
            f"| {name} | {len(mine)} | {_not_drawn(mine)} | {dsc.mean:.3f} ± {dsc.sd:.3f} "
            f"| **{dsc.median:.3f}** ({dsc.lower_quartile:.2f}–{dsc.upper_quartile:.2f}) "
            f"| {_number(finite.mean, 1)} ± {_number(finite.sd, 1)} | {' | '.join(medians)} |"
        )
    return "\n".join(lines)


MEDIANS = (("hd95_mm", 1), ("surface_dsc", 3), ("added_path_length_mm", 0))


def compare_with(rows: Sequence[MeasuredStructure], baseline: Sequence[MeasuredStructure], names: Sequence[str]) -> str:
    """Return a table of the differences in DSC, patient by patient, with corrected p values."""
    before = {(row.patient, row.structure): row.metrics.dsc for row in baseline}
    tests = {}
    for name in names:
        pairs = [(before[row.patient, name], row.metrics.dsc) for row in of_structure(rows, name)
                 if (row.patient, name) in before]  # fmt: skip
        if pairs:
            tests[name] = np.array(pairs)
    results = {name: compare_paired(pairs[:, 0], pairs[:, 1]) for name, pairs in tests.items()}
    corrected = bonferroni([result.wilcoxon_p for result in results.values()])
    lines = ["| structure | n | DSC median before | now | median difference | p |", "|---|---|---|---|---|---|"]
    for (name, result), p in zip(results.items(), corrected, strict=True):
        old, new = (float(np.median(column)) for column in tests[name].T)
        change = f"{result.median_difference:+.4f}"
        lines.append(f"| {name} | {result.n} | {old:.3f} | {new:.3f} | {change} | {_number(p, 3)} |")
    return "\n".join(lines) + "\n\np: two-sided Wilcoxon signed-rank test, Bonferroni-corrected."


def findings_of(package: ModelPackage, rows: Sequence[MeasuredStructure], names: Sequence[str], split: str) -> str:
    """Return the power of the findings on the calibration patients, and on these."""
    drawn = [row for row in rows if row.structure in names and row.is_drawn]
    powers = package.metadata.get("findings", {})
    lines = [
        f"How well a finding distinguishes a bad contour (DSC below {BAD_DSC}) from a good one, for structures "
        "that were drawn. AUROC is the area under the curve of this one decision: the mean of sensitivity and "
        f"specificity; 0.5 is chance. A finding under {LEAST_AUROC} on the calibration patients (limits are "
        "cross-validated) is kept in the record and not shown as a warning. The patients of "
        f"the split `{split}` had no part in that choice.",
        "",
        "| finding | patients | structures | bad | raised | sensitivity | specificity | AUROC | shown as a warning |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    codes = [*GRADED, *sorted({code for row in drawn for code in row.findings} - {*GRADED})]
    for code in codes:
        entry = powers.get(code, {}) if isinstance(powers, dict) else {}
        groups = {"calibration patients": entry} if entry else {}
        quiet = code in package.quiet_findings
        seen = [(row.metrics.dsc, frozenset(row.findings if quiet else row.warnings)) for row in drawn]
        shown = "no" if quiet else "yes"
        for label, power in {**groups, f"split `{split}`": compute_power(seen, code)}.items():
            figures = [_number(power.get(key), 2) for key in ("sensitivity", "specificity", "auroc")]
            counts = [str(power.get(key, "")) for key in ("structures", "bad", "raised")]
            lines.append(f"| {code} | {label} | {' | '.join(counts + figures)} | {shown} |")
    codes_without = [code for code in codes if code not in GRADED]
    if codes_without:
        lines += ["", f"Not graded, always shown: {', '.join(codes_without)} (a fault of a contour or of its side)."]
    return "\n".join(lines)


def _head(package: ModelPackage) -> str:
    about = package.metadata
    return f"""# Model card: {package.name} {package.version}

Written by `autocontour models card`; do not edit by hand.

{about.get("description", "")}

- **For**: {package.body_site.lower()}. {about.get("intended_use", "")}
- **Licence of the weights**: {package.license}. **Data**: {about.get("data_source", "not stated")}.
{_training(package) if package.procedure is None else _source(package, package.procedure)}"""


def _source(package: ModelPackage, procedure: Procedure) -> str:
    """Return where a published model comes from, what its source states, and what was tested here."""
    about, source = package.metadata, procedure.source
    facts = [f"{key} {source[key]}" for key in ("trainer", "configuration") if source.get(key)]
    stage = package.stages["segmenter"]
    spacing = " × ".join(f"{mm:g}" for mm in stage.spacing_zyx_mm)
    window = " × ".join(map(str, stage.window_zyx))
    published = about.get("published_figures") or {}
    figures = ", ".join(f"{name} {value:g}" for name, value in published.items()) if isinstance(published, dict) else ""
    lines = [
        f"- **Source**: a published model ({', '.join([procedure.framework, *facts])}), run by the profile "
        f"`{procedure.profile}`. Folds: {', '.join(procedure.folds)}. Authors: {about.get('authors', 'not stated')}. "
        f"References: {about.get('references', 'not stated')}.",
        f"- **Network**: {stage.network['architecture']}, grid {spacing} mm (z, y, x), window {window}.",
        f"- **Figures that its source states** (not measured here): {figures or 'none'}.",
        f"- **Orientation**: {procedure.orientation}, {_proof(package)}.",
    ]
    files = source.get("files")
    if isinstance(files, dict):
        lines += ["- **Files** (SHA-256):", *(f"    - `{name}` {checksum}" for name, checksum in files.items())]
    lines += ["", "## Profiles", "", _profiles(procedure)]
    return "\n".join(lines)


def _proof(package: ModelPackage) -> str:
    sides = package.sides
    if sides is None:
        return "**not tested**: it cannot be installed"
    return f"left and right tested on {sides.date[:10]} {sides.proof} ({'; '.join(sides.structures[:20])})"


def _profiles(procedure: Procedure) -> str:
    """Return the profiles that were compared with ``exact`` on a CT of this clinic."""
    if not procedure.measured:
        return "No profile was compared with `exact` here."
    lines = ["| profile | seconds | lowest DSC with exact | mean |", "|---|---|---|---|"]
    for name, one in procedure.measured.items():
        values = list(one.dsc.values())
        lowest, mean = (f"{min(values):.4f}", f"{np.mean(values):.4f}") if values else ("–", "–")
        lines.append(f"| {name} | {one.seconds:.0f} | {lowest} | {mean} |")
    return "\n".join(lines)


def _training(package: ModelPackage) -> str:
    training = package.metadata.get("training", {})
    stages = training.get("stages", {})
    validation = training.get("validation_patients", training.get("fold_patients", ()))
    thresholds = ", ".join(f"{name} {one.threshold:g}" for name, one in package.structures.items())
    lines = [
        f"- **Trained on** {training.get('patients', '?')} patients. {len(validation)} other patients, the calibration "
        f"patients, chose the checkpoint, the thresholds ({thresholds}) and the limits of the findings."
    ]
    for role, stage in package.stages.items():
        facts = stages.get(role, {})
        score = facts.get("validation_score", facts.get("fold_score"))
        figures = f"; {facts['step']} steps" if "step" in facts else ""
        figures += f", mean DSC {score:.3f} on the calibration patients when it was chosen" if score is not None else ""
        lines.append(
            f"- **{role}**: {stage.network['architecture']}, grid {' × '.join(f'{v:g}' for v in stage.spacing_zyx_mm)} "
            f"mm (z, y, x), window {' × '.join(str(v) for v in stage.window_zyx)}{figures}."
        )
        lines += [f"  - averaged: {member.name}{_weights_of(member, package)}" for member in stage.members]
    start = training.get("begun_with") or "random weights"
    learnt = map(_distilled, training.get("distilled", ()))
    text = " ".join([training.get("history", ""), f"Started from: {start}.", *learnt])
    return "\n".join(lines) + f"\n\n## How it was trained\n\n{text.strip()}\n\n{_history(package)}".rstrip()


def _distilled(entry: Mapping[str, Any]) -> str:
    """Return from which package, on how many patients, a smaller one learnt."""
    width = f", with {entry['width']:g} of the channels" if entry["width"] != 1 else ""
    return (
        f"Learnt from the probabilities of {entry['from']} (weight {entry['teacher_share']:g}) and the labels of "
        f"{len(entry['cases'])} patients{width}."
    )


def _weights_of(member: Member, package: ModelPackage) -> str:
    """Return the weights of one of several networks, where they are not 1."""
    weights = [f"{name} {member.weight(name):g}" for name in package.structures if member.weight(name) != 1]
    return f"; weight in the mean 1, but {', '.join(weights)}" if weights else ""


def _history(package: ModelPackage) -> str:
    """Return the segmenter's validations during training as a table."""
    lines = json.loads(read_members(package.path).get("training.json", b"{}")).get("segmenter", [])
    if not lines:
        return ""
    names = list(package.structures)
    table = [
        "Mean DSC of calibration patients during the training, at a probability of 0.5:",
        "",
        f"| minutes | steps | {' | '.join(names)} |",
        "|---" * (len(names) + 2) + "|",
    ]
    for line in lines:
        cells = " | ".join("–" if value is None else f"{value:.2f}" for value in line["dice"])
        table.append(f"| {line['elapsed_s'] / 60:.0f} | {line['step']} | {cells} |")
    return "\n".join(table)


def _preamble(split: str, rows: Sequence[MeasuredStructure]) -> str:
    patients = len({row.patient for row in rows})
    return (
        f"Split `{split}` of the data, {patients} patients, none of whom was trained on (choices that were made on "
        "them are stated above); run as in use (body, localizer, segmenter, rules, contours), on the grid of the "
        "references, on slices that contain enough CT. A structure that was not drawn counts with a DSC of 0; its "
        "distances are infinite, count in the median, and are left out of mean and SD. HD95 is area-weighted, the "
        "larger of both directions."
    )


def _remarks(rows: Sequence[MeasuredStructure], organs: Sequence[str], research: Sequence[str], failures: str) -> str:
    medians = {name: summarize(_metrics_of(of_structure(rows, name))["dsc"]).median for name in organs}
    low = [name for name, median in medians.items() if median < LOW_MEDIAN]
    lines = [
        f"Median DSC below {LOW_MEDIAN}: {', '.join(low) or 'none'}.",
        f"Off by default: {', '.join(research) or 'none'}.",
    ]
    if failures:
        lines.append(f"The worst cases, with pictures: [{failures}]({failures}).")
    return "\n".join(lines)


def _metrics_of(rows: Sequence[MeasuredStructure]) -> dict[str, NDArray[np.float64]]:
    return {
        "dsc": values_of(rows, lambda metrics: metrics.dsc),
        "hd95_mm": values_of(rows, lambda metrics: metrics.hd95_mm),
        "surface_dsc": values_of(rows, lambda metrics: metrics.surface_dsc),
        "added_path_length_mm": values_of(rows, lambda metrics: metrics.added_path_length_mm),
    }


def _not_drawn(rows: Sequence[MeasuredStructure]) -> int:
    return sum(not row.is_drawn for row in rows)


def _number(value: Any, digits: int) -> str:  # noqa: ANN401  (a value of external metadata)
    if not isinstance(value, int | float) or np.isnan(value):
        return "–"
    return "∞" if np.isinf(value) else f"{value:.{digits}f}"


def _rounded(value: float) -> float | None:
    return round(value, 4) if np.isfinite(value) else None
