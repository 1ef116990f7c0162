"""The model card of a package: how it does on patients that neither training nor any choice has seen.

python benchmarks/model_card.py --data ../shared/data/openkbp [--package models/bundled/head-and-neck]

Writes docs/model-card.md and the table of every case beside it (docs/model-card.json; failure_cases.py draws the worst
of them), and puts the summary into the package's metadata. Metrics: voxel DSC; area-weighted HD95 (the larger of both
directions); surface DSC at 3 mm; on slices that hold enough CT, on the reference's own grid.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch
from cases import Row, judge_case, read_cases, rows_of, run_case, summarize

from autocontour.models import ModelPackage, read_package, write_package
from autocontour.models.package.members import read_members

ROOT = Path(__file__).resolve().parents[1]
LEAST_MEDIAN = 0.5
TEXTS = ("LICENSE", "README.md", "training.json")
AIMS = {
    "Brainstem": 0.83,
    "SpinalCord": 0.79,
    "Parotid_R": 0.81,
    "Parotid_L": 0.81,
    "Esophagus": 0.50,
    "Larynx": 0.70,
    "Bone_Mandible": 0.89,
}

UNET = {
    "Brainstem": 0.80,
    "SpinalCord": 0.76,
    "Parotid_R": 0.78,
    "Parotid_L": 0.76,
    "Esophagus": 0.0,
    "Larynx": 0.60,
    "Bone_Mandible": 0.87,
}
"""Median DSC of MONAI's BasicUNet (1.4 million weights, 4,500 steps, hardly any augmentation); came with the data."""
WHOLE = 0.9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--package", type=Path, default=ROOT / "models/bundled/head-and-neck")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared/data/openkbp")
    parser.add_argument("--split", default="validation")
    parser.add_argument("--limit", type=int, default=1000, help="first cases only, for a try")
    parser.add_argument("--output", type=Path, default=ROOT / "docs")
    args = parser.parse_args()
    package = read_package(args.package)
    rows = measure(package, args)
    summary = {name: summarize(rows_of(rows, name)) for name in package.structures if rows_of(rows, name)}
    args.output.mkdir(parents=True, exist_ok=True)
    (args.output / "model-card.json").write_text(json.dumps(rows, indent=0), encoding="utf-8")
    package = add_validation(package, summary, args.split)
    (args.output / "model-card.md").write_text(write_card(package, summary, rows), encoding="utf-8")
    print(write_table(summary))
    print(write_whole(rows))


def measure(package: ModelPackage, args: argparse.Namespace) -> list[Row]:
    rows: list[Row] = []
    for number, case in enumerate(read_cases(args.data, args.split, package)):
        if number >= args.limit:
            break
        drawn = run_case(case, package)
        judged = judge_case(case, drawn)
        rows += judged
        scores = {row["structure"]: round(row["dsc"], 2) for row in judged}
        print(case.patient, f"{drawn.wall_s:.1f} s", scores, flush=True)
    return rows


def add_validation(package: ModelPackage, summary: dict[str, Any], split: str) -> ModelPackage:
    """Write the figures into the package's metadata; nothing else in it changes."""
    metadata = {**package.metadata, "validation": {"split": split, "structures": summary}}
    weights = {role: package.read_weights(role) for role in package.stages}
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
        aim = f"{AIMS[name]:.2f}" if name in AIMS else "–"
        far = "endless | " if distance["mean"] is None else f"{distance['mean']:.1f} ± {distance['sd']:.1f} | "
        far += "endless" if distance["median"] is None else f"{distance['median']:.1f}"
        lines.append(
            f"| {name} | {one['n']} | {one['not_drawn']} "
            f"| {dsc['mean']:.3f} ± {dsc['sd']:.3f} | **{dsc['median']:.3f}** | {aim} | {far} "
            f"| {surface['mean']:.3f} ± {surface['sd']:.3f} | {surface['median']:.3f} |"
        )
    return "\n".join(lines)


def write_whole(rows: list[Row]) -> str:
    """Return a table of the structures of which nearly all lies in the scan, beside the plain U-Net's."""
    lines = ["| structure | n | DSC mean ± SD | DSC median | plain U-Net, median |", "|---|---|---|---|---|"]
    for name, peer in UNET.items():
        one = summarize([row for row in rows_of(rows, name) if row["inside"] >= WHOLE])
        dsc = one["dsc"]
        lines.append(
            f"| {name} | {one['n']} | {dsc['mean']:.3f} ± {dsc['sd']:.3f} | **{dsc['median']:.3f}** | {peer:.2f} |"
        )
    return "\n".join(lines)


def write_card(package: ModelPackage, summary: dict[str, Any], rows: list[Row]) -> str:
    told, training = package.metadata, package.metadata["training"]
    organs = {name: one for name, one in summary.items() if name in AIMS}
    research = {name: one for name, one in summary.items() if name not in AIMS}
    weak = [name for name, one in organs.items() if (one["dsc"]["median"] or 0) < LEAST_MEDIAN]
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
  checkpoint and the thresholds ({thresholds}).
  The figures below come from other patients, which no training, checkpoint or threshold has seen.
{stages}

## How it was trained

{training["history"]} Its first weights: {training.get("begun_with") or "random"}.

Mean DSC on part of the fold on the way, at 0.5, without rules:

{write_history(package)}

## Figures

Split `{told["validation"]["split"]}`, whole pipeline (body, localizer, segmenter, rules, contours), slices that hold
enough CT, the references' own grid. A structure that was not drawn counts with a DSC of 0; its distance is endless and
left out of mean and SD. The aims are those set before training.

{write_table(organs)}

Structures at least {100 * WHOLE:.0f} % of which lie on slices that count (the others are cut off by the scan's end),
beside a plain U-Net of the same patients, trained for 80 minutes on two processor cores and judged without a pipeline:

{write_whole(rows)}

Below a median DSC of {LEAST_MEDIAN}: {", ".join(weak) or "none"}.
Not drawn unless asked for: {", ".join(withheld) or "none"}.
The worst cases, with pictures and what happened: [failure-cases.md](failure-cases.md).

Target levels, learnt for research and never drawn unasked; a target is a physician's decision, which no scan shows:

{write_table(research)}

## Limits

- The references are clinical contours of many hands on 3.9 mm voxels; an edge is known no better than that.
- A second network of another build agrees with this one far better than either agrees with the references
  ([decision 7](adr/0007-one-segmenter.md)): expect figures against one careful observer to differ from these.
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


if __name__ == "__main__":
    main()
