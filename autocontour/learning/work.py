"""One pass of the learning: collect, and retrain and test if there is enough; a pass that was stopped is continued."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from autocontour.base.errors import AutoContourError, Cancelled, LearningError, UsageError
from autocontour.base.jobs import Job
from autocontour.learning.collect import Collector, OnEvent
from autocontour.learning.folder import Folder
from autocontour.learning.records import TEST, TRAIN, CaseRecord, State, read_records, write_records
from autocontour.learning.rounds import (
    ABANDONED,
    CANDIDATE,
    CASES,
    EARLIER,
    FAILED,
    RUN,
    Attempt,
    Plan,
    Result,
    Round,
    clean_round,
    find_changes,
    learnt_contents,
    make_plan,
    read_rounds,
    training_step,
    write_attempt,
    write_plan,
    write_result,
    write_view,
)
from autocontour.learning.settings import LearningSettings, read_settings
from autocontour.learning.split import decide_splits, read_people, write_people
from autocontour.models.package.library import find_package
from autocontour.models.package.package import ModelPackage, read_package
from autocontour.qa.commissioning.cohort import list_patients
from autocontour.qa.commissioning.gate import GateLimits, Site, read_limits, run_gate, write_record
from autocontour.queue.run import TEMPORARY

CLINIC = "clinic"
MOST_STARTS, MOST_FAILURES = 12, 6
SAMPLES = 10
"""How often sample slices are written during a retraining."""
RETRY_S, LONGEST_WAIT_S = 60.0, 3600.0
OTHER_SETTINGS = "AC-TR-023"
"""The settings were changed during a round: it is planned anew."""
CHANGED, DIED, UNEXPECTED = "AC-LN-020", "AC-LN-021", "AC-LN-011"


@dataclass(frozen=True)
class Outcome:
    """What a pass found.

    Attributes
    ----------
    round
        The round that it ended or left unfinished; None if there are too few cases.
    new, wanted
        New patients' cases for the training, and how many start a round.
    tests, wanted_tests
        Cases in the test, and the least number with which the gate can judge.
    """

    round: Round | None
    new: int
    wanted: int
    tests: int
    wanted_tests: int


class Learning:
    """The learning in one folder; see `work_once`."""

    def __init__(self, path: Path, job: Job, on_event: OnEvent) -> None:
        self.folder, self._job = Folder(path), job
        self._log = self.folder.open_log()
        self._on_event = on_event
        self.settings: LearningSettings = read_settings(path)
        self.records: dict[str, CaseRecord] = {}

    def work_once(self, *, now: bool = False) -> Outcome:
        """Collect, and continue or begin a round.

        Parameters
        ----------
        now
            Begin a round with fewer new cases, at least one.

        Raises
        ------
        LearningError
            ``AC-LN-001`` if learning is switched off, ``AC-LN-003`` to ``-006`` if its files cannot be used.
        UsageError
            ``AC-QA-039`` if the package does not state whom it was trained on: no candidate could pass the gate.
        """
        if not self.settings.enabled:
            raise LearningError("AC-LN-001")
        with self.folder.locked():
            package = find_package(self.settings.package)
            trained = package.metadata.get("training", {}).get("fingerprints")
            if not trained:
                raise UsageError("AC-QA-039", package=f"{package.name} {package.version}")
            self._collect(package, [str(one) for one in trained])
            rounds = read_rounds(self.folder)
            return self._work(package, rounds, now=now)

    def _collect(self, package: ModelPackage, trained: list[str]) -> None:
        key = self.folder.open_key()
        self.folder.confirm_own_names(package)
        self.records = read_records(self.folder.path)

        def keep(record: CaseRecord) -> None:
            self.records[record.name] = record
            write_records(self.folder.path, self.records.values())

        collector = Collector(self.folder, self.settings, key, package, lambda: self.records, keep, self._tell)
        collector.collect(dict(self.records), self._job)
        collector.remove_others(self.records)
        collected = [one for one in self.records.values() if one.is_collected]
        people = read_people(self.folder.path)
        splits, known = decide_splits(collected, people, self.settings.test_share, trained, key)
        if known != people:
            write_people(self.folder.path, known)
        for name, split in splits.items():
            before = self.records[name].split
            if before != split:
                self.records[name] = replace(self.records[name], split=split)
                if before == TEST:
                    self._tell("left the test", {"case": name})
        write_records(self.folder.path, self.records.values())

    def _work(self, package: ModelPackage, rounds: list[Round], *, now: bool) -> Outcome:
        for one in rounds:
            if one.result is not None and (one.path / CASES).exists():
                clean_round(one)  # a program was killed before it had removed them
        active = next((one for one in rounds if one.result is None), None)
        if active is not None and (changed := self._changes(active, package)):
            rounds = [one for one in rounds if one is not active]
            error = LearningError(CHANGED, count=changed)
            rounds.append(self._finish(active, Result(ABANDONED, code=CHANGED, message=error.message)))
            active = None
        plan, new = make_plan(self.records.values(), rounds, package)
        numbers = (len(new), self.settings.when, len(plan.tests), _limits_of(self.settings).least_patients)
        if active is None:
            enough = len(new) >= (1 if now else self.settings.when)
            if not enough or len(plan.tests) < (1 if now else numbers[3]):
                return Outcome(None, *numbers)
            active = write_plan(self.folder, plan, rounds)
            self._tell("begun", {"round": active.number, "cases": len(plan.cases), "tests": len(plan.tests)})
        return Outcome(self._continue(active, package), *numbers)

    def _changes(self, active: Round, package: ModelPackage) -> int:
        """Return how many cases of a round have changed; at least 1 if the package in use has."""
        return len(find_changes(active.plan, self.records)) or int(active.plan.package != package.checksum)

    def _continue(self, active: Round, package: ModelPackage) -> Round:
        attempt = active.attempt
        if attempt.not_before > time.time():
            return active
        step = training_step(active)
        attempt = replace(attempt, starts=attempt.starts + 1 if step == attempt.step else 1, step=step)
        if attempt.starts > MOST_STARTS:
            error = LearningError(DIED, count=MOST_STARTS)
            return self._finish(active, Result(FAILED, code=DIED, message=error.message))
        write_attempt(active, attempt)
        try:
            return self._finish(active, self._retrain_and_test(active, package))
        except Cancelled:
            write_attempt(active, replace(attempt, starts=0))
            raise
        except AutoContourError as error:
            return self._fail(active, attempt, error)
        except (RuntimeError, MemoryError, OSError, ValueError) as error:
            return self._fail(active, attempt, LearningError(UNEXPECTED, reason=type(error).__name__))

    def _retrain_and_test(self, active: Round, package: ModelPackage) -> Result:
        from autocontour.models.training.retrain import Retraining, retrain_package

        plan, place, settings = active.plan, active.path, self.settings
        sites = [Site.parse(text) for text in settings.tests]
        for site in sites:
            list_patients(site.data, site.split, package)  # without its test data no training is worth its hours
        for name, chosen in ((CASES, plan.cases), (EARLIER, plan.earlier)):
            if chosen and not (place / name / "index.json").exists():
                write_view(place / name, TRAIN, chosen, self.records, self.folder)
        earlier = [place / EARLIER] if plan.earlier else []
        replay = (*earlier, *(Path(one).expanduser() for one in settings.replay))
        retraining = Retraining(package, place / CASES, replay, steps=settings.steps, samples=SAMPLES)
        run = place / RUN
        is_complete = (run / "package").exists()
        candidate = read_package(run / "package") if is_complete else retrain_package(retraining, run, self._job)
        write_view(self.folder.test, TEST, plan.tests, self.records, self.folder)
        sites.insert(0, Site(CLINIC, self.folder.test, TEST))
        record = run_gate(candidate, package, sites, _limits_of(settings), self._job, device=settings.device)
        write_record(active.record, record)
        return Result(CANDIDATE, record.passed, candidate.version, candidate.checksum)

    def _fail(self, active: Round, attempt: Attempt, error: AutoContourError) -> Round:
        """Let a round wait for its next attempt, or end it."""
        if error.code in TEMPORARY and attempt.failures + 1 < MOST_FAILURES:
            wait_s = min(RETRY_S * 2**attempt.failures, LONGEST_WAIT_S)
            attempt = replace(attempt, starts=0, failures=attempt.failures + 1, not_before=time.time() + wait_s)
            write_attempt(active, attempt)
            self._tell("waits", {"round": active.number, "code": error.code, "seconds": round(wait_s)})
            return replace(active, attempt=attempt)
        state = ABANDONED if error.code == OTHER_SETTINGS else FAILED
        return self._finish(active, Result(state, code=error.code, message=error.message))

    def _finish(self, active: Round, result: Result) -> Round:
        ended = write_result(active, result)
        values = {"round": active.number, "passed": result.passed, "version": result.version, "code": result.code}
        self._tell(result.state, {name: value for name, value in values.items() if value != ""})
        return ended

    def _tell(self, event: str, values: dict[str, Any]) -> None:
        self._log.write(event, values)
        self._on_event(event, values)


def _limits_of(settings: LearningSettings) -> GateLimits:
    """Return the limits of the gate."""
    return read_limits(Path(settings.limits)) if settings.limits else read_limits()


def read_status(path: Path) -> dict[str, Any]:
    """Return what is known of the cases and rounds, as plain JSON values; nothing is read anew or changed.

    Raises
    ------
    LearningError
        ``AC-LN-003`` if a file is damaged.
    UsageError
        ``AC-QA-030`` if the limits of the gate cannot be read.
    """
    folder, settings = Folder(path), read_settings(path)
    records, rounds = read_records(path), read_rounds(folder)
    package = find_package(settings.package)
    plan, new = make_plan(records.values(), rounds, package)
    counts = {state.value: sum(one.state == state for one in records.values()) for state in State}
    return {
        "enabled": settings.enabled,
        "package": f"{package.name} {package.version}",
        "new": len(new),
        "wanted": settings.when,
        "tests": len(plan.tests),
        "wanted_tests": _limits_of(settings).least_patients,
        "states": {state: count for state, count in counts.items() if count},
        "names": str(folder.names),
        "cases": [one.to_json() for one in sorted(records.values(), key=lambda one: one.name)],
        "rounds": [_with_changes(one, records, package) for one in rounds],
    }


def _with_changes(one: Round, records: Mapping[str, CaseRecord], package: ModelPackage) -> dict[str, Any]:
    """Return a round with the cases that have changed or were withdrawn since, and whether it is in use."""
    learnt = Plan(one.plan.package, one.plan.cases, one.plan.earlier, (), "")
    is_in_use = bool(one.has_candidate and learnt_contents([one], package))
    changed = (
        {}
        if one.result and not one.has_candidate
        else {
            case: records[case].state if case in records else State.DELETED.value
            for case in find_changes(learnt, records)
        }
    )
    return {**one.to_json(), "in_use": is_in_use, "changed_since": changed}


__all__ = ["Learning", "Outcome", "read_status"]
