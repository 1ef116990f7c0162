"""Routine QA on simulated years: a silent model switch, a trend in one organ, and years in which nothing changes.

``python benchmarks/drift.py [--years 100] [--seed 1]``. 600 cases a year, ten organs. DSC and added path length of a
contour are those of a clinic that leaves a third of the contours unedited; both are skewed. No timed assertion.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import numpy as np

from autocontour.qa.commissioning.routine.chart import DEFAULT_BASELINE, chart_all
from autocontour.qa.commissioning.routine.observe import APPROVED, REJECTED, Observation

CASES = 600
# Organ: mean 1 − DSC of an edited contour, fraction unedited, mean outline in mm, fraction of the cases that have it.
ORGANS = {
    "Brainstem": (0.05, 0.4, 120, 0.8),
    "SpinalCord": (0.06, 0.5, 150, 1.0),
    "Parotid_L": (0.08, 0.3, 260, 0.9),
    "Parotid_R": (0.08, 0.3, 260, 0.9),
    "Bone_Mandible": (0.04, 0.5, 200, 0.9),
    "Larynx": (0.12, 0.2, 300, 0.7),
    "Esophagus": (0.15, 0.2, 280, 0.6),
    "Eye_L": (0.03, 0.6, 40, 0.5),
    "Eye_R": (0.03, 0.6, 40, 0.5),
    "OpticChiasm": (0.20, 0.3, 60, 0.4),
}
FAILURES = 0.005
OLD, NEW = "0" * 64, "f" * 64
SWITCH_MONTH, TREND_FROM, TREND_ORGAN, TREND_PER_MONTH = 7, 4, "Larynx", 0.15


def simulate_year(
    rng: np.random.Generator, *, switch: float = 1.0, trend: float = 0.0, has_checksum: bool = True
) -> Iterator[Observation]:
    """Yield the contours of a year.

    Parameters
    ----------
    rng
        Random numbers.
    switch
        From the 7th month on another package with the same version draws: 1 − DSC and the outline of an edited contour
        are larger by this factor, and fewer contours are left unedited.
    trend
        Relative growth of 1 − DSC and outline of one organ in every month from the 4th on.
    has_checksum
        Whether the contours state the checksum of their package.
    """
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    for case in range(CASES):
        at = begin + timedelta(days=365 * (case + rng.random()) / CASES)
        skill = rng.lognormal(0, 0.25)  # of the patient: organs of one patient are alike
        is_new = switch != 1.0 and at.month >= SWITCH_MONTH
        for organ, (loss, unedited, outline, frequency) in ORGANS.items():
            if rng.random() > frequency:
                continue
            factor = skill * (switch if is_new else 1.0)
            if organ == TREND_ORGAN and at.month >= TREND_FROM:
                factor *= 1 + trend * (at.month - TREND_FROM + 1)
            is_left = rng.random() < unedited / (factor / skill)
            size = rng.lognormal(-0.18, 0.6) * factor
            is_lost = rng.random() < FAILURES
            yield Observation(
                case=f"{case:04d}",
                structure=organ,
                at=at.isoformat(timespec="seconds"),
                decision=REJECTED if is_lost else APPROVED,
                dsc=0.0 if is_lost else 1.0 if is_left else float(np.clip(1 - loss * size, 0, 1)),
                added_path_length_mm=None if is_lost else 0.0 if is_left else outline * size * rng.lognormal(0, 0.2),
                edited_slices=0 if is_left else 10,
                drawn_slices=20,
                seconds=None,
                viewed=None,
                algorithm="head-and-neck",
                version="1.2",
                checksum=(NEW if is_new else OLD) if has_checksum else "",
            )


def judge_year(observations: list[Observation], wanted: int) -> dict[str, object]:
    """Return what is found, and in which month first."""
    charts = chart_all(observations, wanted)
    alarms = [(one["month"], chart["structure"], one["test"]) for chart in charts for one in chart["alarms"]]
    changes = [one["at"] for chart in charts for one in chart["changes"]]
    signals = [(one["month"], chart["structure"]) for chart in charts for one in chart["signals"]]
    first = {name: min(month for month, mine, _ in alarms if mine == name) for name in {name for _, name, _ in alarms}}
    return {
        "changed_package": min(changes, default=None),
        "alarms": len(alarms),
        "first_alarm": dict(sorted(first.items())),
        "signals": len(set(signals)),
        "complete": sum(chart["baseline"]["n"] >= wanted for chart in charts),
    }


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--years", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--baseline", type=int, default=DEFAULT_BASELINE)
    args = parser.parse_args()
    rng = np.random.default_rng(args.seed)
    scenarios = {
        "sound": {},
        "switch 1.5": {"switch": 1.5},
        "switch 1.5, no checksum": {"switch": 1.5, "has_checksum": False},
        "switch 1.25, no checksum": {"switch": 1.25, "has_checksum": False},
        "trend": {"trend": TREND_PER_MONTH},
        "switch and trend": {"switch": 1.5, "trend": TREND_PER_MONTH},
    }
    for name, settings in scenarios.items():
        years = args.years if name == "sound" else max(1, args.years // 5)
        found = [judge_year(list(simulate_year(rng, **settings)), args.baseline) for _ in range(years)]
        months = Counter(min(one["first_alarm"].values(), default="none") for one in found)
        organ = Counter(one["first_alarm"].get(TREND_ORGAN, "none") for one in found)
        print(
            json.dumps(
                {
                    "scenario": name,
                    "years": years,
                    "with an alarm": sum(bool(one["alarms"]) for one in found),
                    "first alarm of any structure": dict(sorted(months.items())),
                    f"first alarm of {TREND_ORGAN}": dict(sorted(organ.items())),
                    "package found": sorted({str(one["changed_package"]) for one in found}),
                    "organs with an alarm, mean": float(np.mean([len(one["first_alarm"]) for one in found])),
                    "signals in a year, mean": float(np.mean([one["signals"] for one in found])),
                }
            ),
            flush=True,
        )


if __name__ == "__main__":
    main()
