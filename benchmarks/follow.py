"""How much better the other slices become when corrected slices are followed, on patients with clinical contours.

    python benchmarks/follow.py measure --data ../shared/data/openkbp --split val -o follow.json
    python benchmarks/follow.py table follow.json
    python benchmarks/follow.py shares --data ../shared/data/openkbp --split fold -o shares.json
    python benchmarks/follow.py blend shares.json
    python benchmarks/follow.py session --data ../shared/data/openkbp --split val -o session.json

The clinical contours play the person: on a corrected slice the contour becomes the clinical one. Everything is
counted on the other slices of the structure (those that either contour is on, within the solid part of the scan).
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from shapely import MultiPolygon

from autocontour.contouring import contours_from_probability, interpolate_contours, mask_from_contours
from autocontour.edits import added_path_length_mm
from autocontour.models.data.dataset import choose_validation, read_index, read_patient
from autocontour.models.data.sample import Sample
from autocontour.models.follow.decision import UNTRIED, Blend, Decision, features_of
from autocontour.models.follow.follow import Followed, Scan, follow_slices, prepare_scan
from autocontour.models.follow.network import Network, open_network
from autocontour.models.inference.infer import segment_structures
from autocontour.models.package.library import find_package
from autocontour.models.training.config import DataConfig
from autocontour.patient.structures import Contours, SliceChanges

ORGANS = ("Brainstem", "SpinalCord", "Parotid_R", "Parotid_L", "Esophagus", "Larynx", "Bone_Mandible")
TARGETS = ("PTV_Low", "PTV_Mid", "PTV_High")
COUNTS = (1, 3, 5)
LEAST_SLICES = 8
LEAST_GROUP = 7
SHARES = (0.01, 0.2, 0.4, 0.6, 0.8, 0.99)
ADDED_MM = 10.0
TOLERANCES_MM = (0.5, 2.0)
"""Outline that is nearer to the old one does not count as new; 2 mm is half a voxel of this data."""


@dataclass(frozen=True)
class Trial:
    """One structure of a patient: its clinical contours, and the automatic ones (empty if it was not found)."""

    patient: str
    name: str
    scan: Scan
    sample: Sample
    reference: Contours
    automatic: Contours

    @property
    def slices(self) -> list[int]:
        """Slices within the solid part of the scan that either contour is on."""
        return [k for k in sorted({*self.reference, *self.automatic}) if self.sample.solid[k]]

    def dsc(self, contours: SliceChanges, without: Mapping[int, object] | set[int]) -> float:
        """Return the DSC with the clinical contours on the slices outside `without`; NaN if there is nothing."""
        chosen = [k for k in self.slices if k not in without]
        geometry = self.scan.ct.geometry
        masks = [
            mask_from_contours({k: one[k] for k in chosen if one.get(k) is not None}, geometry)
            for one in (self.reference, contours)
        ]
        total = int(masks[0].sum() + masks[1].sum())
        return 2 * int((masks[0] & masks[1]).sum()) / total if total else float("nan")


def read_trials(args: argparse.Namespace, names: tuple[str, ...]) -> Iterator[Trial]:
    """Yield every structure of the patients; automatic contours by the package, of networks that did not see them."""
    index = read_index(args.data)
    structures = tuple(index["structures_by_bit"])
    package = find_package(args.package)
    for entry in chosen_patients(args, index):
        sample = read_patient(args.data, entry, index, structures)
        scan = prepare_scan(sample.to_ct())
        drawn = segment_structures(scan.ct, package, [one for one in names if one in package.structures]).drawings
        for name in names:
            mask = sample.reference(structures.index(name))
            if mask is None or mask.any(axis=(1, 2)).sum() < LEAST_SLICES:
                continue
            geometry = scan.ct.geometry
            reference = contours_from_probability(mask.astype(np.float32), geometry, geometry)
            automatic = dict(drawn[name].contours) if name in drawn else {}
            yield Trial(str(entry["patient"]), name, scan, sample, reference, automatic)


def chosen_patients(args: argparse.Namespace, index: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the patients of a split; of ``fold`` those of ``train`` that the bundled package did not see."""
    split = "train" if args.split == "fold" else args.split
    found = [entry for entry in index["patients"] if entry["split"] in (split, {"val": "validation"}.get(split))]
    if args.split == "fold":
        held = choose_validation(sorted(str(one["patient"]) for one in found), DataConfig("data", ("any",)))
        found = [entry for entry in found if entry["patient"] in held]
    return found[: args.patients or None]


def evenly_spaced(trial: Trial, count: int) -> list[int]:
    """Return slices of the clinical contours evenly spaced, the ends among them; one is the middle."""
    drawn = [k for k in sorted(trial.reference) if trial.sample.solid[k]]
    places = np.linspace(0, len(drawn) - 1, count) if count > 1 else [(len(drawn) - 1) / 2]
    return sorted({drawn[round(float(place))] for place in places})


def random_slices(trial: Trial, count: int, seed: int) -> list[int]:
    """Return random slices that either contour is on."""
    rng = np.random.default_rng([seed, *trial.patient.encode(), *trial.name.encode()])
    return sorted(int(k) for k in rng.choice(trial.slices, min(count, len(trial.slices)), replace=False))


@dataclass(frozen=True)
class Ways:
    """What is measured: a network with when it is shown and how much is interpolated."""

    network: Network
    decision: Decision | None
    blend: Blend | None

    @classmethod
    def of(cls, args: argparse.Namespace) -> Ways:
        """Return the program's own, with the network of a checkpoint if there is one."""
        own = open_network()
        if args.checkpoint:
            return cls(torch_network(args.checkpoint), None, own.source.blend)
        return cls(own, own.source.decision, own.source.blend)

    def follow(self, trial: Trial, corrected: SliceChanges, automatic: Contours, *, ends: bool = False) -> Followed:
        """Return the proposal."""
        return follow_slices(
            trial.scan, corrected, automatic, self.network, self.decision, self.blend, ends=ends and len(corrected) > 1
        )


def measure(args: argparse.Namespace, ways: Ways) -> None:
    """Measure every structure with several numbers and places of corrected slices."""
    rows = []
    names = ORGANS + TARGETS if args.targets else ORGANS
    for trial in read_trials(args, names):
        rows += list(measure_all(trial, ways, places=("even", "ends", "random") if args.random else ("even", "ends")))
        print(trial.patient, trial.name, len(rows), flush=True)
        args.output.write_text(json.dumps(rows))


def measure_all(trial: Trial, ways: Ways, places: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """Yield the rows of a structure; ``ends``: evenly spaced, and the ends are stated."""
    for count in COUNTS:
        for place in places:
            if place != "ends" or count > 1:
                slices = random_slices(trial, count, 1) if place == "random" else evenly_spaced(trial, count)
                yield from measure_trial(trial, slices, place, ways)


def measure_trial(trial: Trial, slices: list[int], place: str, ways: Ways) -> Iterator[dict[str, Any]]:
    """Yield a row with automatic contours, and one from nothing, where the ends need not be stated."""
    corrected = {k: trial.reference.get(k) for k in slices}
    drawn = {k: shape for k, shape in corrected.items() if shape is not None}
    between = interpolate_contours(drawn, trial.scan.ct.geometry) if drawn else {}
    if trial.name not in ORGANS or not drawn:
        automatics = [{}] if drawn else []
    else:
        automatics = [trial.automatic, {}] if trial.automatic else [{}]
    for automatic in automatics:
        if not automatic and (place == "ends" or len(drawn) < 2):
            continue
        start = time.perf_counter()
        followed = ways.follow(trial, corrected, automatic, ends=place == "ends")
        seconds = time.perf_counter() - start
        yield {
            "patient": trial.patient,
            "name": trial.name,
            "from": "automatic" if automatic else "nothing",
            "count": len(slices),
            "place": place,
            "automatic": trial.dsc(automatic, corrected),
            "followed": trial.dsc(after(automatic, followed), corrected),
            "interpolated": trial.dsc(between, corrected),
            "correction": followed.correction,
            "change": followed.change,
            "hu": round(followed.hu, 1),
            "likely": followed.is_likely,
            "changed": len(followed.changes),
            "codes": [finding.code for finding in followed.findings],
            "seconds": round(seconds, 3),
        }


def after(contours: Contours, followed: Followed) -> SliceChanges:
    """Return contours with the proposed slices."""
    return {**contours, **followed.changes}


def session(args: argparse.Namespace, ways: Ways) -> None:
    """Simulate a person who corrects slices until none needs more than 10 mm of new outline; see `session_rows`."""
    rows: list[dict[str, Any]] = []
    for trial in read_trials(args, ORGANS):
        if trial.automatic:
            rows += session_rows(trial, ways)
            print(trial.patient, trial.name, len(rows), flush=True)
            args.output.write_text(json.dumps(rows))


def session_rows(trial: Trial, ways: Ways) -> Iterator[dict[str, Any]]:
    """Yield what a person touches and draws, in every way.

    She corrects the worst slice next, or first both ends and the middle, and then states the ends. A proposed slice
    that needs no more than 10 mm is accepted.
    """
    for tolerance_mm in TOLERANCES_MM:
        for way, update in {"alone": _alone, "followed": ways.follow, "interpolated": _interpolating}.items():
            for first in ("worst", "ends") if way != "alone" else ("worst",):
                planned = evenly_spaced(trial, 3) if first == "ends" else []
                row = {"patient": trial.patient, "name": trial.name, "way": way, "first": first}
                yield {**row, "tolerance_mm": tolerance_mm, **_correct_all(trial, update, tolerance_mm, planned)}


Update = Callable[..., Followed | SliceChanges]


def _correct_all(trial: Trial, update: Update, tolerance_mm: float, first: list[int]) -> dict[str, float]:
    corrected: dict[int, MultiPolygon | None] = {}
    accepted: dict[int, MultiPolygon | None] = {}
    contours: SliceChanges = trial.automatic
    added = 0.0
    todo = list(first)
    while True:
        fixed = {**accepted, **corrected}
        left = {k: _added(trial, contours, k, tolerance_mm) for k in trial.slices if k not in fixed}
        worst = todo.pop(0) if todo else max(left, key=lambda k: left[k], default=None)
        if worst is None or (not todo and left.get(worst, 0.0) <= ADDED_MM and worst not in first):
            return {"slices": len(corrected), "added_mm": added, "of": len(trial.slices)}
        added += left.get(worst, 0.0)
        corrected[worst] = trial.reference.get(worst)
        if todo:
            continue
        found = update(trial, {**accepted, **corrected}, trial.automatic, ends=bool(first))
        if isinstance(found, Followed):
            shown = found.changes if found.is_likely else {}
            accepted |= {
                k: shape
                for k, shape in shown.items()
                if _added(trial, shown, k, tolerance_mm) <= ADDED_MM and k in trial.slices
            }
            found = {**trial.automatic, **shown}
        contours = {**found, **accepted, **corrected}


def _added(trial: Trial, contours: SliceChanges, k: int, tolerance_mm: float) -> float:
    """Return the new outline a person would draw on a slice, counting a removed contour by its outline."""
    wanted, found = trial.reference.get(k), contours.get(k)
    if wanted is None:
        return 0.0 if found is None else found.length
    return added_path_length_mm(found, wanted, tolerance_mm)


def _alone(trial: Trial, corrected: SliceChanges, automatic: Contours, *, ends: bool) -> SliceChanges:  # noqa: ARG001
    return automatic


def _interpolating(trial: Trial, corrected: SliceChanges, automatic: Contours, *, ends: bool) -> SliceChanges:
    """Interpolate between corrected slices; beyond them the automatic contours stay, unless these are the ends."""
    drawn = {k: shape for k, shape in corrected.items() if shape is not None}
    between = interpolate_contours(drawn, trial.scan.ct.geometry) if len(drawn) > 1 else {}
    return between if ends and between else {**automatic, **between}


def show(rows: list[dict[str, Any]]) -> None:
    """Print the tables of `measure`."""
    for start in ("automatic", "nothing"):
        for place in sorted({row["place"] for row in rows if row["from"] == start}):
            print(f"\n## from {start}, {place}: median DSC on the other slices (automatic, followed, interpolated)")
            for name in ORGANS + TARGETS:
                cells = []
                for count in COUNTS:
                    some = [r for r in rows if (r["name"], r["from"], r["place"]) == (name, start, place)]
                    cells.append(_cell([r for r in some if r["count"] == count]))
                if any(cells):
                    print(f"{name:14s} " + "   ".join(cells))


def _cell(rows: list[dict[str, Any]]) -> str:
    if not rows:
        return ""
    values = {key: np.array([row[key] for row in rows]) for key in ("automatic", "followed", "interpolated")}
    low, high = np.nanpercentile(values["followed"], [25, 75])
    medians = " ".join(f"{np.nanmedian(value):.3f}" for value in values.values())
    worse = int(np.sum(values["followed"] < values["automatic"] - 0.01))
    return f"{medians} [{low:.2f}-{high:.2f}] worse {worse}/{len(rows)}"


def calibrate(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the ``decision`` of the card: a logistic regression of whether the other slices become better.

    The least probability is the lowest at which no organ at any number of slices is worse on average than the
    automatic contours by more than 0.003; groups of fewer than 7 are left out.
    """
    some = [row for row in rows if row["from"] == "automatic" and row["changed"]]
    inputs = [features_of(row["correction"], row["change"], row["count"], row["hu"]) for row in some]
    x, gain = np.array(inputs), np.array([row["followed"] - row["automatic"] for row in some])
    mean, spread = x.mean(axis=0), x.std(axis=0) + 1e-9
    scaled, helps = np.column_stack([(x - mean) / spread, np.ones(len(x))]), (gain > 0).astype(float)
    fit = np.zeros(scaled.shape[1])
    for _ in range(4000):
        error = 1 / (1 + np.exp(-scaled @ fit)) - helps
        fit -= 0.5 * (scaled.T @ error / len(x) + 0.01 * np.append(fit[:-1], 0))
    weights, bias = fit[:-1] / spread, float(fit[-1] - (fit[:-1] * mean / spread).sum())
    decision = Decision(tuple(weights), bias, 0.0)
    likely = np.array([decision.probability(features) for features in inputs])
    ranks = np.argsort(np.argsort(likely)) + 1.0
    positive = helps.sum()
    auroc = (ranks[helps == 1].sum() - positive * (positive + 1) / 2) / (positive * (len(helps) - positive))
    groups = {(row["name"], row["count"], row["place"]) for row in some}
    member = {group: [(r["name"], r["count"], r["place"]) == group for r in some] for group in groups}
    member = {group: inside for group, inside in member.items() if sum(inside) >= LEAST_GROUP}
    least = 0.95
    for step in np.arange(0.05, 0.95, 0.01):
        shown = np.where(likely >= step, gain, 0.0)
        if all(shown[np.array(inside)].mean() >= -0.003 for inside in member.values()):
            least = float(step)
            break
    rounded = [round(float(value), 4) for value in weights]
    return {
        "weights": rounded,
        "bias": round(bias, 4),
        "least": round(least, 2),
        "n": len(some),
        "auroc": round(float(auroc), 3),
        "shown": round(float((likely >= least).mean()), 3),
        "gain_shown": round(float(gain[likely >= least].mean()), 4) if (likely >= least).any() else None,
        "gain_hidden": round(float(gain[likely < least].mean()), 4) if (likely < least).any() else None,
    }


def measure_shares(args: argparse.Namespace, ways: Ways) -> None:
    """Measure every structure with fixed shares of interpolation, from which `fit_blend` finds how they are chosen."""
    rows: list[dict[str, Any]] = []
    for trial in read_trials(args, ORGANS + TARGETS):
        for count, place in ((3, "ends"), (5, "ends"), (3, "random"), (3, "nothing"), (5, "nothing")):
            slices = random_slices(trial, count, 1) if place == "random" else evenly_spaced(trial, count)
            drawn = {k: trial.reference[k] for k in slices if k in trial.reference}
            automatic = {} if place == "nothing" else trial.automatic
            if len(drawn) < 2 or (not automatic and place != "nothing"):
                continue
            corrected = {k: trial.reference.get(k) for k in slices}
            found = []
            for share in SHARES:
                logit = float(np.log(share / (1 - share)))
                fixed = replace(ways, decision=None, blend=Blend((logit, 0, 0), (logit, 0, 0)))
                followed = fixed.follow(trial, corrected, automatic, ends=place == "ends")
                found.append(trial.dsc(after(automatic, followed), corrected))
            likeness, relative = leave_out(trial, drawn)
            row = {"name": trial.name, "count": count, "place": place, "dsc": found}
            rows.append({**row, "likeness": likeness, "gap": relative})
        print(trial.patient, trial.name, len(rows), flush=True)
        args.output.write_text(json.dumps(rows))


def leave_out(trial: Trial, drawn: Contours) -> tuple[float, float]:
    """Return how well interpolation draws slices that are left out, and how wide the widest gap is, as a logarithm."""
    slices, positions = sorted(drawn), trial.scan.ct.geometry.slice_positions_mm
    scores, gaps_mm = [], []
    for low, k, high in zip(slices, slices[1:], slices[2:], strict=False):
        found = interpolate_contours({low: drawn[low], high: drawn[high]}, trial.scan.ct.geometry).get(k)
        found = MultiPolygon() if found is None else found
        scores.append(2 * found.intersection(drawn[k]).area / (found.area + drawn[k].area))
        gaps_mm.append(positions[high] - positions[low])
    if not scores:
        return UNTRIED, 0.0
    widest = float(np.diff(positions[slices]).max())
    return float(np.mean(scores)), float(np.log(2 * widest / np.mean(gaps_mm)))


def fit_blend(rows: list[dict[str, Any]]) -> dict[str, list[float]]:
    """Return the ``blend`` of the card: the shares with the best mean DSC, each organ and number counted alike."""
    result = {}
    for name, places in (("automatic", ("ends", "random")), ("nothing", ("nothing",))):
        some = [row for row in rows if row["place"] in places and np.isfinite(row["dsc"]).all()]
        keys = [(row["place"], row["count"], row["name"]) for row in some]
        weights = np.array([1 / keys.count(key) for key in keys])
        x = np.array([(1.0, row["likeness"] - 0.5, row["gap"]) for row in some])

        def loss(values: NDArray[np.float64], x: Any = x, some: Any = some, weights: Any = weights) -> float:  # noqa: ANN401
            shares = 1 / (1 + np.exp(-(x @ values)))
            reached = [np.interp(share, SHARES, row["dsc"]) for share, row in zip(shares, some, strict=True)]
            return -float(np.average(reached, weights=weights)) + 1e-5 * float(values @ values)

        starts = [np.random.default_rng(seed).normal(0, 2, 3) for seed in range(6)]
        best = min((minimize(loss, start, method="Nelder-Mead") for start in starts), key=lambda one: float(one.fun))
        result[name] = [round(float(value), 2) for value in best.x]
    return result


def torch_network(checkpoint: Path) -> Network:
    """Return the averaged network of a training in progress."""
    import torch

    from autocontour.models.follow.channels import NETWORK
    from autocontour.models.networks import build_network

    network = build_network(NETWORK).eval()
    network.load_state_dict(torch.load(checkpoint, map_location="cpu", weights_only=True)["average"])

    @torch.inference_mode()
    def run(channels: NDArray[np.float32]) -> NDArray[np.float32]:
        result: NDArray[np.float32] = network(torch.from_numpy(channels)[None])[0, 0].float().numpy()
        return result

    return run


def main() -> int:
    """Run one of the measurements."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("measure", "session", "table", "calibrate", "shares", "blend"))
    parser.add_argument("rows", type=Path, nargs="?")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--split", default="val", help="val, train, or fold")
    parser.add_argument("--patients", type=int, default=0)
    parser.add_argument("--package", default="head-and-neck")
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--targets", action="store_true")
    parser.add_argument("--random", action="store_true")
    parser.add_argument("-o", "--output", type=Path)
    args = parser.parse_args()
    if args.what == "table":
        show(json.loads(args.rows.read_text()))
        return 0
    if args.what in ("calibrate", "blend"):
        fit = calibrate if args.what == "calibrate" else fit_blend
        print(json.dumps(fit(json.loads(args.rows.read_text()))))
        return 0
    {"measure": measure, "session": session, "shares": measure_shares}[args.what](args, Ways.of(args))
    return 0


if __name__ == "__main__":
    sys.exit(main())
