"""A run of the gate: both packages on the same unseen patients of one or more sites."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from itertools import zip_longest
from pathlib import Path
from typing import Any

from autocontour import __version__
from autocontour.base.errors import UsageError
from autocontour.base.jobs import Job
from autocontour.models import ModelPackage
from autocontour.models.data.fingerprint import ct_fingerprint
from autocontour.qa.commissioning.cohort import CohortCase, list_patients, read_cases
from autocontour.qa.commissioning.gate.judge import GateLimits, Judgement, judge_drawn, judge_site
from autocontour.qa.commissioning.gate.record import FORMAT, GateRecord, seal_of
from autocontour.qa.commissioning.measure import MeasuredStructure, measure_case, run_case


@dataclass(frozen=True)
class Site:
    """Frozen patients for the gate.

    Attributes
    ----------
    name
        In the record, such as ``new clinic`` and ``original``.
    data, split
        Data set and split; see `autocontour.qa.commissioning.cohort.list_patients`.
    """

    name: str
    data: Path
    split: str

    @classmethod
    def parse(cls, text: str) -> Site:
        """Return the site of ``[SITE=]FOLDER[:SPLIT]``."""
        name, equals, place = text.rpartition("=")
        folder, colon, split = place.rpartition(":")
        if not colon or not split or "/" in split or "\\" in split:
            folder, split = place, "validation"
        return cls(name if equals else Path(folder).name, Path(folder).expanduser(), split)

    def __str__(self) -> str:
        """Return the text that `parse` reads, with the whole path: it is the same from every working folder."""
        return f"{self.name}={self.data.resolve()}:{self.split}"


def run_gate(
    candidate: ModelPackage,
    against: ModelPackage,
    sites: Sequence[Site],
    limits: GateLimits,
    job: Job,
    *,
    device: str = "auto",
) -> GateRecord:
    """Contour the patients of all sites with both packages and judge the candidate.

    Parameters
    ----------
    candidate, against
        The package that shall be used, and the one in use.
    sites
        Each is judged apart; the candidate passes if it passes in all.
    limits
        Margins; see `autocontour.qa.commissioning.gate.judge`.
    job
        Reports progress; may cancel.
    device
        As of `autocontour.models.segment_structures`.

    Raises
    ------
    UsageError
        ``AC-QA-039`` if the candidate does not state the patients it was trained on, ``AC-QA-040`` if one of them is
        among the test patients, ``AC-QA-047`` if a CT is twice among those of a site, ``AC-QA-041`` if no structure of
        a site can be judged or there is no site, or the errors of reading. The patients of all sites are checked
        before the first is contoured.
    """
    seen = _trained_on(candidate)
    if not sites:
        raise UsageError("AC-QA-041", site="–")
    fingerprints = [_check_patients(site, against, seen, job) for site in sites]
    judgements: list[Judgement] = []
    described = []
    for site, prints in zip(sites, fingerprints, strict=True):
        before, after = _measure(candidate, against, site, prints, job, device)
        if not before:
            raise UsageError("AC-QA-041", site=site.name)
        judgements += judge_site(site.name, before, after, limits)
        described.append(
            {"name": site.name, "split": site.split, "patients": len(prints)}
            | {"fingerprints": seal_of({"": sorted(prints)})}
        )
    known = {one.structure for one in judgements}
    judgements += judge_drawn(against.drawn_names, tuple(candidate.structures), candidate.drawn_names, known, limits)
    return GateRecord(
        {
            "format": FORMAT,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "program": __version__,
            "candidate": _identity(candidate),
            "against": _identity(against),
            "sites": described,
            "limits": asdict(limits),
            "judgements": [judgement.to_json() for judgement in judgements],
            "passed": not any(judgement.problems for judgement in judgements),
        }
    )


def _check_patients(site: Site, against: ModelPackage, seen: frozenset[str], job: Job) -> list[str]:
    """Return the fingerprints of a site's patients; raise an error if one was trained on, or is there twice."""
    count = len(list_patients(site.data, site.split, against)[1])
    names: dict[str, str] = {}
    for case in job.track(read_cases(site.data, site.split, against), f"checking the patients of {site.name}", count):
        fingerprint = _fingerprint(case)
        if fingerprint in seen:
            raise UsageError("AC-QA-040", patient=case.patient, site=site.name)
        if fingerprint in names:
            raise UsageError("AC-QA-047", patient=case.patient, other=names[fingerprint], site=site.name)
        names[fingerprint] = case.patient
    return list(names)


def _fingerprint(case: CohortCase) -> str:
    return ct_fingerprint(case.ct.hu, case.ct.geometry.spacing_zyx_mm)


def _measure(
    candidate: ModelPackage, against: ModelPackage, site: Site, prints: Sequence[str], job: Job, device: str
) -> tuple[list[MeasuredStructure], list[MeasuredStructure]]:
    """Return the measurements of the package in use and those of the candidate in the patients that were checked.

    Every structure of the package in use is measured with both, whether it is drawn by default or not.
    """
    before, after = [], []
    cases = zip_longest(read_cases(site.data, site.split, against), prints)
    for case, fingerprint in job.track(cases, f"contouring {site.name}", len(prints)):
        if case is None or _fingerprint(case) != fingerprint:
            raise UsageError("AC-QA-048", site=site.name)
        before += measure_case(case, run_case(case, against, device))
        common = _only(case, candidate.structures)
        after += measure_case(common, run_case(common, candidate, device))
    return before, after


def _only(case: CohortCase, names: Iterable[str]) -> CohortCase:
    known = set(names)
    return replace(case, references={name: mask for name, mask in case.references.items() if name in known})


def _trained_on(package: ModelPackage) -> frozenset[str]:
    fingerprints = package.metadata.get("training", {}).get("fingerprints")
    if not isinstance(fingerprints, list) or not fingerprints:
        raise UsageError("AC-QA-039", package=f"{package.name} {package.version}")
    return frozenset(str(one) for one in fingerprints)


def _identity(package: ModelPackage) -> dict[str, Any]:
    return {"name": package.name, "version": package.version, "checksum": package.checksum}
