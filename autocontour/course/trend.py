"""The trend of a course: volumes, positions, distances and agreement over the dates, with limits."""

# `annotations` is not imported from __future__: cattrs needs the limits (see `autocontour.base.typed`).

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from autocontour.base.findings import Finding
from autocontour.base.limits import Length, OneOf, Text
from autocontour.course.choice import fits, read_settings
from autocontour.course.measures import Measures, area_change
from autocontour.course.record import PLANNING, Course, CourseCT, read_record, read_result

BUNDLED = Path(__file__).with_name("trend.toml")
MEASURES = ("volume", "shift", "nearer", "gas", "body")
CONTOURED, REFUSED, WAITING = "contoured", "refused", "waiting"


@dataclass(frozen=True)
class Limit:
    """A limit of a measure.

    Attributes
    ----------
    below, above
        The measure is reported outside these; None for no limit.
    source
        Where it is from.
    """

    measure: Annotated[str, OneOf(MEASURES)]
    structures: Annotated[tuple[Annotated[str, Text(100)], ...], Length(1, 200)]
    source: Annotated[str, Text(1000)]
    below: float | None = None
    above: float | None = None

    def crossed(self, value: float | None) -> float | None:
        """Return the limit that a value crosses; None if there is none."""
        if value is None or math.isnan(value):
            return None
        if self.below is not None and value < self.below:
            return self.below
        return self.above if self.above is not None and value > self.above else None


@dataclass(frozen=True)
class Limits:
    """The content of the file."""

    limits: Annotated[tuple[Limit, ...], Length(0, 500)]

    def find(self, measure: str, name: str) -> Limit | None:
        """Return the first limit of a measure that fits a structure's name."""
        return next((one for one in self.limits if one.measure == measure and fits(name, one.structures)), None)


@dataclass(frozen=True)
class Point:
    """One structure on one later CT, compared with the planning CT.

    Attributes
    ----------
    method
        The chosen one.
    volume_cc, volume_change
        Volume, and its change as a fraction; None where the structure is cut by an end of a scan.
    shift_mm
        Movement of the centre of gravity, LPS, against the rigid registration of the bodies.
    target_mm, nearer_mm
        Target → distance, and how much nearer it has come.
    gas
        Fraction of gas.
    dsc
        ``method~method`` → DSC of their contours.
    """

    method: str
    volume_cc: float
    volume_change: float | None
    shift_mm: tuple[float, float, float]
    target_mm: Mapping[str, float]
    nearer_mm: Mapping[str, float]
    gas: float
    dsc: Mapping[str, float]

    @property
    def distance_mm(self) -> float:
        """Length of the movement."""
        return math.hypot(*self.shift_mm)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "method": self.method,
            "volume_cc": self.volume_cc,
            "volume_change": None if self.volume_change is None else round(self.volume_change, 4),
            "shift_mm": list(self.shift_mm),
            "target_mm": dict(self.target_mm),
            "nearer_mm": dict(self.nearer_mm),
            "gas": self.gas,
            "dsc": dict(self.dsc),
        }


@dataclass(frozen=True)
class TrendDate:
    """A later CT in the trend.

    Attributes
    ----------
    ct
        The CT.
    state
        ``contoured``, ``refused`` or ``waiting``.
    error
        Code and sentence of the refusal.
    points
        Structure → its point.
    body_change
        Change of the body's cross section as a fraction; None where unknown.
    findings
        About the CT and its structures, with those of crossed limits.
    """

    ct: CourseCT
    state: str
    error: tuple[str, str] = ("", "")
    points: Mapping[str, Point] = field(default_factory=dict)
    body_change: float | None = None
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class Trend:
    """The trend of a course.

    Attributes
    ----------
    planning
        Structure → measures on the planning CT; empty before the first date was contoured.
    dates
        In order of time.
    """

    planning: Mapping[str, Measures]
    dates: tuple[TrendDate, ...]

    def curve(self, name: str, measure: str) -> list[tuple[str, float]]:
        """Return (date, value) of a structure, the planning CT first, without dates that lack it.

        Parameters
        ----------
        name
            Of the structure.
        measure
            ``volume_cc``, ``distance_mm`` or ``gas``.
        """
        found = []
        if name in self.planning:
            start = {"volume_cc": self.planning[name].volume_cc, "gas": self.planning[name].gas}.get(measure, 0.0)
            found.append(("", start))
        drawn = [one for one in self.dates if name in one.points]
        return found + [(one.ct.date or one.ct.name, float(getattr(one.points[name], measure))) for one in drawn]

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "planning": {name: one.to_json() for name, one in self.planning.items()},
            "dates": [
                {
                    "name": one.ct.name,
                    "date": one.ct.date,
                    "series": one.ct.series_instance_uid,
                    "state": one.state,
                    "error": {"code": one.error[0], "message": one.error[1]} if one.error[0] else None,
                    "body_change": None if one.body_change is None else round(one.body_change, 4),
                    "structures": {name: point.to_json() for name, point in one.points.items()},
                    "findings": [finding.to_json() for finding in one.findings],
                }
                for one in self.dates
            ],
        }


def read_limits(path: Path | None = None) -> Limits:
    """Read a file of limits; by default the program's own.

    Raises
    ------
    CourseError
        ``AC-CO-005`` if it is not valid, ``AC-CO-006`` if it cannot be read.
    """
    return read_settings(Limits, path or BUNDLED)


def read_trend(course: Course, limits: Limits | None = None) -> Trend:
    """Return the trend of what has been contoured so far."""
    limits = limits or read_limits()
    planning = read_record(course.folder / PLANNING) or {}
    before = {name: Measures.from_json(one) for name, one in planning.get("structures", {}).items()}
    areas = [(z, area) for z, area in planning.get("body_areas", [])]
    return Trend(before, tuple(_read_date(course, ct, before, areas, limits) for ct in course.dates))


def _read_date(
    course: Course, ct: CourseCT, before: Mapping[str, Measures], areas: list[tuple[float, float]], limits: Limits
) -> TrendDate:
    result = read_result(course, ct)
    if result is None:
        return TrendDate(ct, WAITING)
    if result["state"] == REFUSED:
        return TrendDate(ct, REFUSED, (result["error"]["code"], result["error"]["message"]))
    points = {
        name: _point(Measures.from_json(one["measures"]), before[name], one)
        for name, one in result["structures"].items()
        if name in before and one.get("measures")
    }
    change = area_change(areas, [(z, area) for z, area in result["body_areas"]])
    findings = [Finding.from_json(one) for one in result["findings"]]
    findings += [Finding.from_json(f) for one in result["structures"].values() for f in one["findings"]]
    findings += _check_limits(points, change, limits)
    return TrendDate(ct, CONTOURED, points=points, body_change=change, findings=tuple(findings))


def _point(now: Measures, before: Measures, record: Mapping[str, Any]) -> Point:
    whole = not now.is_cut and not before.is_cut and before.volume_cc > 0
    x, y, z = (round(b - a, 2) for a, b in zip(before.centroid_mm, now.centroid_mm, strict=True))
    both = now.target_mm.keys() & before.target_mm.keys()
    nearer = {name: round(before.target_mm[name] - now.target_mm[name], 2) for name in sorted(both)}
    return Point(
        record["method"],
        now.volume_cc,
        now.volume_cc / before.volume_cc - 1 if whole else None,
        (x, y, z),
        now.target_mm,
        nearer,
        now.gas,
        record.get("dsc", {}),
    )


def _check_limits(points: Mapping[str, Point], body: float | None, limits: Limits) -> Iterator[Finding]:
    for name, point in points.items():
        limit = limits.find("volume", name)
        if limit and (crossed := limit.crossed(point.volume_change)) is not None:
            change = point.volume_change or 0.0
            yield Finding.of("AC-CO-060", name, structure=name, percent=100 * change, limit=100 * crossed)
        limit = limits.find("shift", name)
        # The centre of a structure that an end of the scan cuts depends on the scan.
        if limit and point.volume_change is not None and (crossed := limit.crossed(point.distance_mm)) is not None:
            yield Finding.of("AC-CO-061", name, structure=name, mm=point.distance_mm, limit=crossed)
        limit = limits.find("nearer", name)
        for target, mm in point.nearer_mm.items():
            if limit and (crossed := limit.crossed(mm)) is not None:
                yield Finding.of("AC-CO-062", name, structure=name, target=target, mm=mm, limit=crossed)
        limit = limits.find("gas", name)
        if limit and (crossed := limit.crossed(point.gas)) is not None:
            yield Finding.of("AC-CO-064", name, structure=name, percent=100 * point.gas, limit=100 * crossed)
    limit = limits.find("body", "External")
    if limit and body is not None and (crossed := limit.crossed(body)) is not None:
        yield Finding.of("AC-CO-063", "External", percent=100 * body, limit=100 * crossed)
