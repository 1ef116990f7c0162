"""The model card of a package: how it does on patients that neither training nor any choice has seen.

python benchmarks/model_card.py --data ../shared/data/openkbp [--package models/bundled/head-and-neck]

Writes docs/model-card.md, the table of every case beside it (docs/model-card.json) and pictures of the worst cases, and
puts the summary into the package's metadata. Metrics: voxel DSC; area-weighted HD95 (the larger of both directions);
surface DSC at 3 mm; on slices that hold enough CT, on the reference's own grid.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from cases import Case, Mask, judge_case, read_cases, run_case

from autocontour.models import ModelPackage, read_package, write_package
from autocontour.models.members import read_members

ROOT = Path(__file__).resolve().parents[1]
LEAST_MEDIAN = 0.5
TEXTS = ("LICENSE", "README.md", "training.json")
WORST = 10
AIMS = {
    "Brainstem": 0.83,
    "SpinalCord": 0.79,
    "Parotid_R": 0.81,
    "Parotid_L": 0.81,
    "Esophagus": 0.50,
    "Larynx": 0.70,
    "Bone_Mandible": 0.89,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--package", type=Path, default=ROOT / "models/bundled/head-and-neck")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared/data/openkbp")
    parser.add_argument("--split", default="validation")
    parser.add_argument("--limit", type=int, default=1000, help="first cases only, for a try")
    parser.add_argument("--output", type=Path, default=ROOT / "docs")
    args = parser.parse_args()
    package = read_package(args.package)
    rows, kept = measure(package, args.data, args.split, args.limit)
    summary = {name: summarize_structure(group) for name, group in by_structure(rows, package).items()}
    args.output.mkdir(parents=True, exist_ok=True)
    (args.output / "model-card.json").write_text(json.dumps(rows, indent=0), encoding="utf-8")
    package = add_validation(package, summary, args.split)
    pictures = draw_worst(rows, kept, args.output / "model-card")
    (args.output / "model-card.md").write_text(write_card(package, summary, rows, pictures), encoding="utf-8")
    print(write_table(summary))


Kept = dict[str, tuple[Case, dict[str, Mask]]]


def measure(package: ModelPackage, data: Path, split: str, limit: int) -> tuple[list[dict[str, Any]], Kept]:
    rows: list[dict[str, Any]] = []
    kept: Kept = {}
    for number, case in enumerate(read_cases(data, split, list(package.structures))):
        if number >= limit:
            break
        drawn, seconds = run_case(case, package)
        judged = judge_case(case, drawn)
        rows += judged
        kept[case.patient] = case, drawn
        print(case.patient, f"{seconds:.1f} s", {row["structure"]: round(row["dsc"], 2) for row in judged}, flush=True)
    return rows, kept


def by_structure(rows: list[dict[str, Any]], package: ModelPackage) -> dict[str, list[dict[str, Any]]]:
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for name in package.structures:
        groups[name] += [row for row in rows if row["structure"] == name]
    return {name: group for name, group in groups.items() if group}


def summarize_structure(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Summarize one structure; a case that was not drawn has a DSC of 0 and an endless distance."""
    summary: dict[str, Any] = {"n": len(rows), "not_drawn": sum(row["volume_b_cc"] == 0 for row in rows)}
    for metric in ("dsc", "hd95_mm", "surface_dsc"):
        values = np.array([np.inf if row[metric] is None else row[metric] for row in rows])
        finite = values[np.isfinite(values)]
        summary[metric] = {
            "mean": round(float(finite.mean()), 4),
            "sd": round(float(finite.std(ddof=1)) if len(finite) > 1 else 0.0, 4),
            "median": _finite(float(np.median(values))),
        }
    return summary


def _finite(value: float) -> float | None:
    return round(value, 4) if np.isfinite(value) else None


def add_validation(package: ModelPackage, summary: dict[str, Any], split: str) -> ModelPackage:
    """Write the figures into the package's metadata; nothing else in it changes."""
    metadata = {**package.metadata, "validation": {"split": split, "structures": summary}}
    weights = {role: package.read_weights(role) for role in package.stages}
    import torch

    states = {role: {key: torch.from_numpy(value) for key, value in state.items()} for role, state in weights.items()}
    texts = {name: data.decode() for name, data in read_members(package.path).items() if name in TEXTS}
    return write_package(package.path, metadata, states, texts)


def write_table(summary: dict[str, Any]) -> str:
    lines = [
        "| structure | n | not drawn | DSC mean ± SD | DSC median | aim | HD95 mm mean ± SD | median "
        "| surface DSC 3 mm mean ± SD | median |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, one in summary.items():
        dsc, distance, surface = one["dsc"], one["hd95_mm"], one["surface_dsc"]
        median = "endless" if distance["median"] is None else f"{distance['median']:.1f}"
        lines.append(
            f"| {name} | {one['n']} | {one['not_drawn']} "
            f"| {dsc['mean']:.3f} ± {dsc['sd']:.3f} | **{dsc['median']:.3f}** "
            f"| {AIMS.get(name, float('nan')):.2f} | {distance['mean']:.1f} ± {distance['sd']:.1f} | {median} "
            f"| {surface['mean']:.3f} ± {surface['sd']:.3f} | {surface['median']:.3f} |"
        )
    return "\n".join(lines)


def write_card(
    package: ModelPackage, summary: dict[str, Any], rows: list[dict[str, Any]], pictures: dict[tuple[str, str], str]
) -> str:
    told, training = package.metadata, package.metadata["training"]
    weak = [name for name, one in summary.items() if (one["dsc"]["median"] or 0) < LEAST_MEDIAN]
    stages = "\n".join(
        f"- **{role}**: {stage.network['architecture']}, grid {' × '.join(f'{v:g}' for v in stage.spacing_zyx_mm)} mm "
        f"(z, y, x), window {' × '.join(str(v) for v in stage.window_zyx)}; "
        f"{training['stages'][role]['step']} steps, mean DSC {training['stages'][role]['fold_score']:.3f} on the fold "
        "(at 0.5, before any rule)."
        for role, stage in package.stages.items()
    )
    thresholds = ", ".join(f"{name} {one.threshold:g}" for name, one in package.structures.items())
    withheld = [name for name, one in package.structures.items() if not one.drawn]
    return f"""# Model card: {package.name} {package.version}

Made by `benchmarks/model_card.py`; do not edit by hand.

{told["description"]}

- **For**: {told["body_site"].lower()}; {told["intended_use"]}
- **Licence of the weights**: {package.license}. **Data**: {told["data_source"]}.
- **Learnt from** {training["patients"]} patients; {len(training["fold_patients"])} more, apart by patient, chose the
  checkpoint and the thresholds ({thresholds}). The figures below come from other
  patients, which no training, checkpoint or threshold has seen.
{stages}

## How it was trained

{training["history"]}

Mean DSC on part of the fold on the way, at 0.5, without rules:

{write_history(package)}

## Figures

Split `{told["validation"]["split"]}`, whole pipeline (body, localizer, segmenter, rules, contours), slices that hold
enough CT, the references' own grid. A structure that was not drawn counts with a DSC of 0; its distance is endless and
left out of mean and SD. The aims are those set before training.

{write_table(summary)}

Below a median DSC of {LEAST_MEDIAN}: {", ".join(weak) or "none"}.
Not drawn unless asked for: {", ".join(withheld) or "none"}. The three target levels were not trained.

## The {len(pictures)} worst

Yellow is the reference, red what the package drew; the slice is that where they differ most.

{_failures(rows, pictures)}

## Limits

- The references are one clinic's contours on 3.9 mm voxels; an edge is known no better than that.
- The lower end of cord and esophagus follows the habit of the references, not anatomy.
- Scans of children, after laryngectomy or mandibulectomy, or with an unusual position were not looked at.
"""


def write_history(package: ModelPackage) -> str:
    """Return the segmenter's validations during training as a table."""
    lines = json.loads(read_members(package.path)["training.json"])["segmenter"]
    names = list(package.structures)
    table = [f"| minutes | steps | {' | '.join(names)} |", "|---" * (len(names) + 2) + "|"]
    for line in lines:
        cells = " | ".join("–" if value is None else f"{value:.2f}" for value in line["dice"])
        table.append(f"| {line['elapsed_s'] / 60:.0f} | {line['step']} | {cells} |")
    return "\n".join(table)


def _failures(rows: list[dict[str, Any]], pictures: dict[tuple[str, str], str]) -> str:
    lines = []
    for (patient, name), picture in pictures.items():
        row = next(row for row in rows if (row["patient"], row["structure"]) == (patient, name))
        lines.append(f"### {name}, {patient}\n\n{describe(row)}\n\n![{name}, {patient}]({picture})\n")
    return "\n".join(lines)


def describe(row: dict[str, Any]) -> str:
    """Say in a sentence how a case failed."""
    reference, drawn = row["volume_a_cc"], row["volume_b_cc"]
    if drawn == 0:
        return f"Not drawn at all ({reference:.1f} cm³ in the reference)."
    size = "too small" if drawn < 0.75 * reference else "too large" if drawn > 1.33 * reference else "of likely size"
    place = f"its centre {row['centroid_distance_mm']:.0f} mm off"
    return f"DSC {row['dsc']:.2f}: {size} ({drawn:.1f} for {reference:.1f} cm³), {place}, HD95 {row['hd95_mm']:.0f} mm."


def draw_worst(rows: list[dict[str, Any]], kept: Kept, folder: Path) -> dict[tuple[str, str], str]:
    """Draw the cases of lowest DSC and return their files."""
    from matplotlib.figure import Figure

    folder.mkdir(parents=True, exist_ok=True)
    pictures = {}
    for row in sorted(rows, key=lambda row: row["dsc"])[:WORST]:
        case, drawn = kept[row["patient"]]
        name = row["structure"]
        reference, ours = case.masks[name], drawn[name]
        figure = Figure(figsize=(7.5, 2.6), layout="constrained")
        for axes, axis in zip(figure.subplots(1, 3), range(3), strict=True):
            _draw_plane(axes, case, reference, ours, axis)
        path = folder / f"{case.patient}-{name}.png"
        figure.savefig(path, dpi=80)
        pictures[row["patient"], name] = f"{folder.name}/{path.name}"
    return pictures


def _draw_plane(axes: Any, case: Case, reference: Mask, ours: Mask, axis: int) -> None:  # noqa: ANN401  (matplotlib's)
    others = tuple(a for a in range(3) if a != axis)
    place = int((reference ^ ours).sum(axis=others).argmax())
    image, *masks = (np.take(array, place, axis=axis) for array in (case.ct.hu, reference, ours))
    spacing = [case.ct.geometry.spacing_zyx_mm[a] for a in others]
    axes.imshow(image, cmap="gray", vmin=-160, vmax=240, aspect=spacing[0] / spacing[1])
    for mask, colour in zip(masks, ("yellow", "red"), strict=True):
        if mask.any():
            axes.contour(mask, [0.5], colors=colour, linewidths=1)
    rows, columns = np.nonzero((reference | ours).any(axis=axis))
    axes.set_xlim(columns.min() - 12, columns.max() + 12)
    limits = rows.min() - 12, rows.max() + 12
    axes.set_ylim(*(limits if axis else limits[::-1]))
    axes.axis("off")


if __name__ == "__main__":
    main()
