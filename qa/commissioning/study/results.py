"""The results of a study as they lie in its folder, patient by patient, for a view of them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from autocontour.archive.convert import hash_ct
from autocontour.archive.private import SOURCES
from autocontour.base.errors import CTError, UsageError
from autocontour.base.files import read_file, shown_path
from autocontour.base.jobs import InnerJob, Job
from autocontour.dicom.ct import read_ct
from autocontour.dicom.scan import planning_cts, scan_folder
from autocontour.patient.structures import Contours
from autocontour.patient.volume import CTVolume
from autocontour.qa.commissioning.study.analysis import METRICS, value_of
from autocontour.qa.commissioning.study.patient import PATIENTS, contours_path, read_contours
from autocontour.qa.commissioning.study.report import study_tables
from autocontour.qa.commissioning.study.request import REFERENCE
from autocontour.qa.commissioning.study.run import REPORT
from autocontour.report.page import Table

FORMAT, VERSION = "autocontour commissioning", 1
ROUTINE_FORMAT = "autocontour routine QA"
TIMES_FORMAT, REVIEW_FORMAT = "autocontour time study", "autocontour blind review report"
TABLE_REPORTS = {
    "times.json": (TIMES_FORMAT, {"structures", "skipped", "idle_seconds"}),
    "blind-review.json": (
        REVIEW_FORMAT,
        {"proportions", "origins", "agreement", "automation_bias", "items", "reviewers"},
    ),
}
"""File → the format of its content, and what it must have: reports that are shown as tables only."""
WHISKER = 1.5
"""Interquartile ranges from the box beyond which a result is an outlier (Tukey 1977)."""
LOW_IS_BAD = frozenset({"dsc", "surface_dsc"})
NOT_IN_RECORD = frozenset({"rows", "left_out", "remarks", "dose"})
Json = Mapping[str, Any]


@dataclass(frozen=True)
class Result:
    """One structure of one patient by one method.

    Attributes
    ----------
    patient, structure, method
        Whose it is.
    values
        Metric → value; infinite for a distance to what was not drawn, nan where it is not defined.
    is_missing
        Whether the method drew nothing.
    slices
        Per slice: index, position, areas, DSC, added path length.
    """

    patient: str
    structure: str
    method: str
    values: Mapping[str, float]
    is_missing: bool
    slices: Sequence[Json] = field(repr=False)

    @property
    def worst_slice(self) -> int | None:
        """The slice where most had to be added, else where the areas differ most; None without slices."""
        if not self.slices:
            return None

        def badness(one: Json) -> tuple[float, float]:
            return float(one["added_path_length_mm"]), abs(float(one["area_a_mm2"]) - float(one["area_b_mm2"]))

        return int(max(self.slices, key=badness)["slice"])


@dataclass(frozen=True)
class Box:
    """A box plot of one metric of one structure and method.

    Attributes
    ----------
    structure, method
        What it is of.
    quartiles
        Lower, median, upper; of the finite values; nan without any.
    whiskers
        The last finite values within 1.5 interquartile ranges of the box.
    results
        All defined ones, the worst first.
    outliers
        Patients beyond the whiskers, infinite values and structures that were not drawn.
    """

    structure: str
    method: str
    quartiles: tuple[float, float, float]
    whiskers: tuple[float, float]
    results: tuple[Result, ...]
    outliers: frozenset[str]


class StudyResults:
    """The results of a finished study.

    Attributes
    ----------
    folder
        Of the report.
    content
        Of ``report.json``.
    missing
        Patients of the report whose records are not there, or are of another run: they are not shown.
    """

    def __init__(self, folder: Path, content: dict[str, Any]) -> None:
        self.folder, self.content = folder, content
        self.records: dict[str, Json] = {}
        self.missing: list[str] = []
        for one in content["patients"]:
            record = _read_record(folder / PATIENTS / f"{one['patient']}.json")
            if record is not None and _is_same(record, one) and contours_path(folder, one["patient"]).is_file():
                self.records[one["patient"]] = record
            else:
                self.missing.append(one["patient"])

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Structures and methods with results."""
        return [(one["structure"], one["method"]) for one in self.content["results"]]

    @property
    def structures(self) -> list[str]:
        """Structures with results."""
        return list(dict.fromkeys(structure for structure, _ in self.pairs))

    @property
    def methods(self) -> list[str]:
        """Methods with results."""
        return list(dict.fromkeys(method for _, method in self.pairs))

    @property
    def tables(self) -> list[Table]:
        """The tables of the report."""
        return study_tables(self.content)

    @cached_property
    def results(self) -> dict[tuple[str, str], list[Result]]:
        """Structure and method → the patients."""
        found: dict[tuple[str, str], list[Result]] = {pair: [] for pair in self.pairs}
        for patient, record in self.records.items():
            for row in record["rows"]:
                pair = row["structure"], row["b"]
                if row["a"] == REFERENCE and pair in found:
                    values = {metric: value_of(row, metric) for metric in METRICS}
                    result = Result(patient, *pair, values, bool(row["missing"]), row.get("slices", ()))
                    found[pair].append(result)
        return found

    def box(self, structure: str, method: str, metric: str) -> Box:
        """Return the box plot of a metric."""
        known = [one for one in self.results[structure, method] if not math.isnan(one.values[metric])]
        sign = 1 if metric in LOW_IS_BAD else -1
        known.sort(key=lambda one: (sign * _size(metric, one.values[metric]), one.patient))
        finite = np.array([value for one in known if math.isfinite(value := one.values[metric])])
        if not len(finite):
            return Box(structure, method, (math.nan,) * 3, (math.nan,) * 2, tuple(known),
                       frozenset(one.patient for one in known))  # fmt: skip
        low, middle, high = (float(value) for value in np.quantile(finite, (0.25, 0.5, 0.75)))
        reach = WHISKER * (high - low)
        inside = finite[(finite >= low - reach) & (finite <= high + reach)]
        whiskers = float(inside.min()), float(inside.max())
        outliers = frozenset(
            one.patient for one in known
            if one.is_missing or not whiskers[0] <= one.values[metric] <= whiskers[1]
        )  # fmt: skip
        return Box(structure, method, (low, middle, high), whiskers, tuple(known), outliers)

    def contours(self, result: Result) -> tuple[Contours, Contours]:
        """Return the contours of the reference and of the method; empty ones where it drew nothing.

        Raises
        ------
        UsageError
            ``AC-QA-241`` if they cannot be read.
        """
        try:
            drawn = read_contours(self.folder, result.patient)
        except (OSError, EOFError, ValueError, AssertionError, AttributeError) as error:
            raise UsageError("AC-QA-241", patient=result.patient) from error
        return tuple(drawn.get(role, {}).get(result.structure, {}) for role in (REFERENCE, result.method))  # type: ignore[return-value]

    def read_ct(self, patient: str, job: Job) -> CTVolume:
        """Read the CT of a patient from where the study found it.

        Raises
        ------
        UsageError
            ``AC-QA-242`` if it is not there or has other values.
        CTError
            If it cannot be read.
        """
        wanted = str(self.records[patient]["ct_hash"])
        try:
            sources = json.loads(read_file(self.private / SOURCES))
            place = Path(sources[patient]["ct"])
            found = planning_cts(scan_folder(place, InnerJob(job)))
        except (OSError, ValueError, LookupError, TypeError, CTError) as error:
            raise UsageError("AC-QA-242", patient=patient) from error
        failure: CTError | None = None
        for series in found:
            try:
                ct = read_ct(series, InnerJob(job))
            except CTError as error:
                failure = error
                continue
            if hash_ct(ct) == wanted:
                return ct
        raise UsageError("AC-QA-242", patient=patient) from failure

    @property
    def private(self) -> Path:
        """The folder beside the report, of files that name patients or places."""
        folder = self.folder.absolute()
        return folder.with_name(folder.name + ".private")


def read_results(folder: Path) -> StudyResults:
    """Read the results in the folder of a report.

    Raises
    ------
    UsageError
        ``AC-QA-240`` if there is no report of a study in it.
    """
    content = read_content(folder)
    try:
        if content["format"] == FORMAT and content["version"] == VERSION:
            results = StudyResults(folder, content)
            _ = results.pairs
            return results
    except (KeyError, TypeError) as error:
        raise UsageError("AC-QA-240", folder=shown_path(folder)) from error
    raise UsageError("AC-QA-240", folder=shown_path(folder))


def read_content(folder: Path, name: str = REPORT) -> dict[str, Any]:
    """Return the content of a report in a folder.

    Raises
    ------
    UsageError
        ``AC-QA-240`` if it is missing or damaged.
    """
    try:
        content = json.loads(read_file(folder / name))
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError("AC-QA-240", folder=shown_path(folder)) from error
    if not isinstance(content, dict):
        raise UsageError("AC-QA-240", folder=shown_path(folder))
    return content


def _size(metric: str, value: float) -> float:
    """Return what orders the values of a metric; differences have a sign that does not matter."""
    return abs(value) if metric == "volume_difference_cc" else value


def _read_record(path: Path) -> Json | None:
    try:
        record = json.loads(read_file(path))
    except (OSError, ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) and "rows" in record else None


def _is_same(record: Json, reported: Json) -> bool:
    """Whether a record is the one that the report was made of."""
    own = {key: value for key, value in record.items() if key not in NOT_IN_RECORD}
    expected = {key: value for key, value in reported.items() if key not in NOT_IN_RECORD}
    return own == expected
