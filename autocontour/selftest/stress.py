"""The stress suite: the main job on phantoms scanned, stored and damaged in many ways.

A trial is *held* when every structure is about as good as on the plain phantom, *refused* when the job stops with an
error, and *warned* when a structure is worse or missing and a finding reports it. Anything else is *silent*, which
fails.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cache
from pathlib import Path

import numpy as np

from autocontour.base.errors import AutoContourError, Cancelled
from autocontour.base.findings import Finding, Severity
from autocontour.base.jobs import Job
from autocontour.dicom.ct import read_ct
from autocontour.dicom.scan import planning_cts, scan_folder
from autocontour.dicom.series import SeriesDescription, write_ct_series
from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.structures import Contours
from autocontour.patient.volume import CTVolume
from autocontour.phantom import Site
from autocontour.pipeline.request import Request, contour_path
from autocontour.qa.compare import compare_contours
from autocontour.rtstruct import read_structure_set
from autocontour.selftest.trials import Phantoms, Scan, Trial, list_trials

ALLOWED_LOSS = 0.10
"""In DSC against the plain phantom. A larger loss must be accompanied by a finding."""
MOST_PROCESSES = 4
"""Each holds the networks and its own phantoms: about 1 GB."""
UNPLACED_DSC = 0.5
"""A structure that the phantom does not have, or that lies elsewhere, has a DSC below this."""


class Outcome(StrEnum):
    """Outcome of a trial."""

    HELD = "held"
    WARNED = "warned"
    REFUSED = "refused"
    SILENT = "SILENT"


@dataclass(frozen=True, slots=True)
class Result:
    """A trial's outcome, the findings or structures that decided it, and the error's sentence if it was refused."""

    group: str
    name: str
    outcome: Outcome
    detail: str = ""
    message: str = ""

    def to_json(self) -> dict[str, str]:
        """Return plain JSON values."""
        found = {"group": self.group, "trial": self.name, "outcome": self.outcome.value, "detail": self.detail}
        return found | ({"message": self.message} if self.message else {})


@dataclass
class Bench(Phantoms):
    """The phantoms, and the results of the plain ones."""

    plain: dict[Site, dict[str, float]] = field(default_factory=dict)

    def plain_dsc(self, site: Site) -> dict[str, float]:
        """Return the DSC of each structure that is drawn on a site's plain phantom."""
        if site not in self.plain:
            with tempfile.TemporaryDirectory(prefix="autocontour-stress-") as folder:
                drawn = _contour(self.scan(site), Path(folder))
            self.plain[site] = {name: dsc for name, dsc in drawn.dsc.items() if dsc >= UNPLACED_DSC}
        return self.plain[site]


@dataclass(frozen=True)
class Drawn:
    """The result of the job on a trial's files: DSC by structure, and the findings by their subject."""

    dsc: Mapping[str, float]
    findings: tuple[Finding, ...]


def run_stress(job: Job, groups: frozenset[str] = frozenset(), processes: int | None = None) -> list[Result]:
    """Run every trial, or those of some groups, and assess each.

    Parameters
    ----------
    job
        Reports progress; may cancel, after the trials that have begun.
    groups
        Only the trials of these groups; all if empty.
    processes
        How many trials run at a time; by default one per processor core, at most `MOST_PROCESSES`.

    Returns
    -------
    list of Result
        In the order of the trials.

    Raises
    ------
    AutoContourError
        ``AC-PL-010`` if a process ended without a result.
    """
    chosen = [number for number, trial in enumerate(_trials()) if not groups or trial.group in groups]
    count = min(processes or os.cpu_count() or 1, MOST_PROCESSES, len(chosen))
    if count < 2:
        return [_judge_number(number) for number in job.track(chosen, "stress suite")]
    return list(_judge_in_processes(chosen, count, job))


def _judge_in_processes(numbers: Sequence[int], count: int, job: Job) -> Iterator[Result]:
    # A fresh interpreter each: a fork would inherit the locks of the networks' threads.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count, context, initializer=signal.signal,
                             initargs=(signal.SIGINT, signal.SIG_IGN)) as pool:  # fmt: skip
        futures: list[Future[Result]] = [pool.submit(_judge_number, number) for number in numbers]
        try:
            for done in job.track(as_completed(futures), "stress suite", len(futures)):
                done.result()
        except Cancelled:
            pool.shutdown(cancel_futures=True)
            raise
        except BrokenProcessPool as error:
            raise AutoContourError("AC-PL-010") from error
        yield from (one.result() for one in futures)


@cache
def _bench() -> Bench:
    """Return the phantoms of this process."""
    return Bench()


def _trials() -> list[Trial]:
    return list(list_trials(_bench()))


def _judge_number(number: int) -> Result:
    return judge(_trials()[number], _bench())


def judge(trial: Trial, bench: Bench) -> Result:
    """Run the main job on a trial and compare its contours with the true ones."""
    with tempfile.TemporaryDirectory(prefix="autocontour-stress-") as folder:
        scan = trial.make()
        try:
            drawn = _contour(scan, Path(folder))
        except AutoContourError as error:
            if error.exit_code == 130:
                raise
            return Result(trial.group, trial.name, Outcome.REFUSED, error.code, error.message)
    return _judge_drawn(trial, scan, drawn, bench.plain_dsc(scan.site))


def _judge_drawn(trial: Trial, scan: Scan, drawn: Drawn, plain: Mapping[str, float]) -> Result:
    """Assess the contours: a structure worse than on the plain phantom, missing or misplaced needs a finding."""
    warned = [finding for finding in drawn.findings if finding.severity >= Severity.WARN]
    about_all = {f.code for f in warned if f.code.startswith(("AC-CT", "AC-US"))}
    codes, silent = set(about_all), []
    for name in sorted(scan.truth.keys() | drawn.dsc.keys()):
        expected = plain.get(name)
        if name not in drawn.dsc:
            continue  # each structure that is not drawn is reported as such
        worse = drawn.dsc[name] < (expected - ALLOWED_LOSS if expected is not None else UNPLACED_DSC)
        if not worse:
            continue
        mine = {f.code for f in warned if name in f.where.split(", ")}
        codes |= mine
        if not mine and not about_all:
            silent.append(f"{name} DSC {drawn.dsc[name]:.2f}")
    if silent:
        return Result(trial.group, trial.name, Outcome.SILENT, "; ".join(silent))
    missing = sorted(name for name in scan.truth if name in plain and name not in drawn.dsc)
    reported = {f.where for f in drawn.findings}
    if unreported := [name for name in missing if not any(name in where for where in reported)]:
        return Result(trial.group, trial.name, Outcome.SILENT, f"not drawn and not reported: {', '.join(unreported)}")
    if codes or missing:
        return Result(trial.group, trial.name, Outcome.WARNED, ", ".join([*sorted(codes), *missing]))
    return Result(trial.group, trial.name, Outcome.HELD)


def _contour(scan: Scan, folder: Path) -> Drawn:
    """Write the scan, damage its files, run the main job and compare its contours with the true ones."""
    described = SeriesDescription("PHANTOM^STRESS", "STRESS", scan.position, uid_seed="stress")
    write_ct_series(scan.hu, scan.geometry, folder / "CT", described)
    for harm in scan.damage:
        harm(folder / "CT")
    quiet = Job()  # a cancel ends the suite after this trial
    reports = contour_path(Request(folder / "CT", folder / "RS.dcm"), quiet)
    ct = read_ct(planning_cts(scan_folder(folder / "CT", quiet))[0], quiet)
    drawn = read_structure_set(folder / "RS.dcm", ct)
    truth = {name: _on_slices_of(ct, scan.geometry, contours) for name, contours in scan.truth.items()}
    dsc = {s.name: compare_contours(truth.get(s.name, {}), s.contours, ct.geometry).dsc for s in drawn.structures}
    findings = [finding for report in reports for finding in report.findings]
    findings += [
        replace(finding, where=structure.name)
        for report in reports
        for structure in report.structures
        for finding in structure.findings
    ]
    return Drawn({name: 0.0 if np.isnan(value) else value for name, value in dsc.items()}, tuple(findings))


def _on_slices_of(ct: CTVolume, geometry: VolumeGeometry, contours: Contours) -> Contours:
    """Return true contours by slice of the CT that was read, matched by position."""
    at = {round(float(w), 1): index for index, w in enumerate(ct.geometry.slice_positions_mm)}
    places = ((at.get(round(float(geometry.slice_positions_mm[k]), 1)), shape) for k, shape in contours.items())
    return {index: shape for index, shape in places if index is not None}
