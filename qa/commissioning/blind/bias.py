"""Automation bias: how much closer to an automatic contour one is that was approved after seeing it."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from autocontour.archive.convert import hash_ct
from autocontour.archive.find import as_finding
from autocontour.base.errors import AutoContourError, CTError, UsageError
from autocontour.base.findings import Finding
from autocontour.base.jobs import InnerJob, Job
from autocontour.dicom.ct import read_ct
from autocontour.dicom.scan import planning_cts, scan_folder
from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.structures import Contours, hash_contours
from autocontour.patient.volume import CTVolume
from autocontour.qa.commissioning.blind import files
from autocontour.qa.commissioning.blind.answers import Entry, final_answers
from autocontour.qa.commissioning.blind.files import Review, load_contours
from autocontour.qa.commissioning.blind.plan import CORRECT, DRAW, Pair
from autocontour.qa.commissioning.blind.request import AUTOMATIC, MANUAL
from autocontour.qa.compare import compare_contours
from autocontour.qa.intervals import CONFIDENCE, LEAST_FOR_INTERVAL, Interval, bootstrap_interval

MEASURES = ("dsc", "added_path_length_mm", "volume_difference_percent")
LEAST_FOR_T = 3

Json = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Redrawn:
    """A structure that a reviewer has drawn from nothing, with the others of it.

    Attributes
    ----------
    automatic, drawn
        The automatic contours, and those drawn without seeing them.
    approved, approved_by
        Those approved after seeing them, and by whom: the reviewer, or as they came; empty without any.
    manual
        The manual contours of the review; empty without any.
    seconds
        Of drawing.
    """

    reviewer: str
    patient: str
    structure: str
    automatic: Contours = field(repr=False)
    drawn: Contours = field(repr=False)
    approved: Contours = field(repr=False)
    approved_by: str
    manual: Contours = field(repr=False)
    seconds: float


def read_review_ct(review: Review, patient: str, job: Job) -> CTVolume:
    """Read the scan of a patient, from where it lay when the review was prepared.

    Raises
    ------
    CTError
        If it cannot be read.
    UsageError
        ``AC-QA-237`` if it is not there, or has other values.
    """
    scan = review.read_private(files.SCANS).get(patient)
    if not isinstance(scan, dict):
        raise UsageError("AC-QA-237", patient=patient)
    try:
        found = [
            one for one in planning_cts(scan_folder(Path(scan["folder"]), InnerJob(job)))
            if one.series_instance_uid == scan["series"]
        ]  # fmt: skip
    except CTError as error:
        raise UsageError("AC-QA-237", patient=patient) from error
    for series in found:
        ct = read_ct(series, InnerJob(job))
        if hash_ct(ct) == review.content["scans"].get(patient):
            return ct
    raise UsageError("AC-QA-237", patient=patient)


class RedrawnReader:
    """Finds what was drawn from nothing, with its counterparts."""

    def __init__(self, review: Review, origins: Mapping[str, Any]) -> None:
        self._review = review
        self._items: dict[tuple[Pair, str], str] = {
            (review.items[name].pair, kind): name for name, kind in origins["items"].items()
        }
        self._hashes: Mapping[str, str] = origins.get("contours", {})
        self._approved = {(one["patient"], one["structure"]): one["contours"] for one in origins["approved"]}

    def run(self, reviewer: str, entries: Sequence[Entry]) -> Iterator[Redrawn]:
        """Yield every structure that a reviewer has drawn."""
        answers = final_answers(entries)
        mine = {(one["kind"], (one["patient"], one["structure"])): one for one in answers.values()}
        for (kind, pair), answer in sorted(mine.items(), key=lambda one: one[0]):
            if kind != DRAW or not answer["drawn"]:
                continue
            drawn = self._review.read_drawn(reviewer, answer["drawn"])
            corrected = mine.get((CORRECT, pair))
            approved: Contours
            if corrected is not None and corrected["drawn"]:
                approved, by = self._review.read_drawn(reviewer, corrected["drawn"]), "the reviewer"
            elif pair in self._approved:
                approved, by = self._load(self._approved[pair]), "the clinic"
            else:
                approved, by = {}, ""
            own = {kind: self._items.get((pair, kind), "") for kind in (AUTOMATIC, MANUAL)}
            yield Redrawn(
                reviewer, *pair, self._load(own[AUTOMATIC]), drawn, approved, by, self._load(own[MANUAL]),
                float(answer["seconds"]),
            )  # fmt: skip

    def _load(self, name: str) -> Contours:
        if not name:
            return {}
        path = self._review.private / files.CONTOURS / f"{name}.json.gz"
        found = load_contours(path)
        if self._hashes.get(name, hash_contours(found)) != hash_contours(found):
            raise UsageError("AC-QA-226", file=path.name)
        return found


def measure_bias(review: Review, redrawn: Sequence[Redrawn], job: Job) -> tuple[list[Json], list[Finding]]:
    """Return a row for each structure drawn from nothing, and the patients whose scan cannot be read."""
    rows, problems = [], []
    by_patient: dict[str, list[Redrawn]] = defaultdict(list)
    for one in redrawn:
        by_patient[one.patient].append(one)
    for patient, mine in job.track(sorted(by_patient.items()), "comparing the drawn structures", len(by_patient)):
        try:
            geometry = read_review_ct(review, patient, job).geometry
        except AutoContourError as error:
            problems.append(replace(as_finding(error), where=patient))
            continue
        rows += [_row(one, geometry) for one in mine]
    return rows, problems


def _row(one: Redrawn, geometry: VolumeGeometry) -> Json:
    """Compare each contour with the automatic one, which is A: what would have to be added to it."""
    row: Json = {
        "reviewer": one.reviewer, "patient": one.patient, "structure": one.structure,
        "approved_by": one.approved_by, "seconds": one.seconds,
    }  # fmt: skip
    for name, contours in (("drawn", one.drawn), ("approved", one.approved), ("manual", one.manual)):
        row[name] = _closeness(one.automatic, contours, geometry) if contours else None
    row["difference"] = {key: row["approved"][key] - row["drawn"][key] for key in MEASURES} if row["approved"] else None
    row["drawn_against_manual_dsc"] = compare_contours(one.manual, one.drawn, geometry).dsc if one.manual else None
    return row


def _closeness(automatic: Contours, contours: Contours, geometry: VolumeGeometry) -> Json:
    """Return how close contours are to the automatic ones; the added path is that of the contours' own outline."""
    found = compare_contours(contours, automatic, geometry)  # A: its outline that the automatic one lacks
    volume = found.volume_a_cc - found.volume_b_cc
    return {
        "dsc": found.dsc,
        "added_path_length_mm": found.added_path_length_mm,
        "volume_difference_percent": 100 * abs(volume) / found.volume_b_cc if found.volume_b_cc else math.nan,
    }


def summarize_bias(rows: Sequence[Json]) -> list[Json]:
    """Return the mean difference approved − drawn in closeness to the automatic contour, with its interval.

    Per reviewer, and per structure where there are several. The differences of a patient are averaged first: the
    interval is over patients, by the bootstrap from 8 patients on, else by the t distribution from 3 on.
    """
    found = []
    for reviewer in sorted({row["reviewer"] for row in rows}):
        mine = [row for row in rows if row["reviewer"] == reviewer and row["difference"]]
        names = sorted({row["structure"] for row in mine})
        for structure in [*names, "all"] if len(names) > 1 else names:
            some = [row for row in mine if structure in (row["structure"], "all")]
            found.append({"reviewer": reviewer, "structure": structure, "n": len(some),
                          "patients": len({row["patient"] for row in some}),
                          **{key: _difference(some, key) for key in MEASURES}})  # fmt: skip
    return found


def _difference(rows: Sequence[Json], key: str) -> Json:
    by_patient: dict[str, list[list[float]]] = defaultdict(list)
    for row in rows:
        by_patient[row["patient"]].append([row[one][key] for one in ("approved", "drawn", "difference")])
    means = np.array([np.mean(mine, axis=0) for mine in by_patient.values()]).reshape(-1, 3)
    means = means[np.isfinite(means).all(axis=1)]
    if not len(means):
        return {"approved": None, "drawn": None, "mean": None, "interval": None, "by": "too few patients"}
    approved, drawn, values = means.T
    interval, by = _interval(values)
    return {
        "approved": float(approved.mean()),
        "drawn": float(drawn.mean()),
        "mean": float(values.mean()),
        "interval": None if interval is None else {"low": interval.low, "high": interval.high},
        "by": by,
    }


def _interval(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> tuple[Interval | None, str]:
    from scipy.stats import t

    if len(values) >= LEAST_FOR_INTERVAL:
        return bootstrap_interval(values), "bootstrap over patients"
    if len(values) < LEAST_FOR_T:
        return None, "too few patients"
    half = float(t.ppf((1 + CONFIDENCE) / 2, len(values) - 1) * values.std(ddof=1) / math.sqrt(len(values)))
    return Interval(float(values.mean()) - half, float(values.mean()) + half), "t distribution"
