"""One retraining from plan to gate; everything it depends on is in its folder, so that it can be continued.

``ROUND/plan.json`` states who is learnt from, who is repeated and who is in the test; ``ROUND/run`` is the retraining;
``ROUND/record.json`` is the gate's record; ``ROUND/result.json`` is written last.
"""

# `annotations` is not imported from __future__: cattrs needs the limits.

import json
import os
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from autocontour.base.errors import LearningError
from autocontour.base.files import cannot_write, write_atomically
from autocontour.base.limits import OneOf, Range
from autocontour.base.typed import SettingsError, build, read_json
from autocontour.learning.folder import Folder
from autocontour.learning.records import TEST, TRAIN, CaseRecord
from autocontour.models.data.planes import FORMAT, PATIENTS, VERSION
from autocontour.models.package.package import ModelPackage

PLAN, RESULT, RECORD, RUN, ATTEMPT = "plan.json", "result.json", "record.json", "run", "attempt.json"
CASES, EARLIER = "cases", "earlier"
CANDIDATE, FAILED, ABANDONED = "candidate", "failed", "abandoned"
RETRAINED = re.compile(r"\S+ \S+\+\d+(-habits)?|\S+-patient-[0-9a-f]{8} \S+")
"""Name and version of a retrained package, or of one for a single patient."""


@dataclass(frozen=True)
class Learnt:
    """A case as it was used: its name, the checksum of its content, and the structures that were used."""

    case: str
    content: str
    structures: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """What a round does.

    Attributes
    ----------
    package
        Checksum of the package in use.
    cases, earlier, tests
        Cases that are learnt from, that are repeated, and that are in the test.
    created
        UTC, ISO 8601.
    """

    package: str
    cases: tuple[Learnt, ...]
    earlier: tuple[Learnt, ...]
    tests: tuple[Learnt, ...]
    created: str


@dataclass(frozen=True)
class Result:
    """How a round ended.

    Attributes
    ----------
    state
        ``candidate``: there is one, with the gate's record; ``failed``, with the code; ``abandoned``: its package or
        cases changed meanwhile.
    passed
        Whether the candidate passed the gate.
    version, checksum
        Of the candidate.
    code, message
        Why it failed or was abandoned.
    finished
        UTC, ISO 8601.
    """

    state: Annotated[str, OneOf((CANDIDATE, FAILED, ABANDONED))]
    passed: bool = False
    version: str = ""
    checksum: str = ""
    code: str = ""
    message: str = ""
    finished: str = ""


@dataclass(frozen=True)
class Attempt:
    """How often a round was begun, and failed for a reason that may pass.

    Attributes
    ----------
    starts
        Since the training last advanced.
    step
        Where the training was at the last start.
    failures, not_before
        Attempts that failed, and the time of the next (s since 1970).
    """

    starts: Annotated[int, Range(0, 1_000_000)] = 0
    step: Annotated[int, Range(0, 1 << 40)] = 0
    failures: Annotated[int, Range(0, 1_000_000)] = 0
    not_before: Annotated[float, Range(0, 1e12)] = 0.0


@dataclass(frozen=True)
class Round:
    """A round on the disk."""

    path: Path
    plan: Plan
    result: Result | None = None
    attempt: Attempt = field(default_factory=Attempt)

    @property
    def number(self) -> int:
        """Its number, from 1."""
        return int(self.path.name)

    @property
    def candidate(self) -> Path:
        """The folder of the candidate."""
        return self.path / RUN / "package"

    @property
    def record(self) -> Path:
        """The gate's record."""
        return self.path / RECORD

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        counts = {"cases": len(self.plan.cases), "earlier": len(self.plan.earlier), "tests": len(self.plan.tests)}
        result = asdict(self.result) if self.result else {"state": "unfinished"}
        found = {"candidate": str(self.candidate), "record": str(self.record)} if self.has_candidate else {}
        return {"round": self.number, **counts, **result, "created": self.plan.created, **found}

    @property
    def has_candidate(self) -> bool:
        """Whether it ended with a candidate."""
        return self.result is not None and self.result.state == CANDIDATE


def read_rounds(folder: Folder) -> list[Round]:
    """Return all rounds, oldest first; a folder without a plan is that of a killed program, and is not one.

    Raises
    ------
    LearningError
        ``AC-LN-003`` if a file is damaged.
    """
    found = []
    for path in sorted(folder.rounds.iterdir()) if folder.rounds.is_dir() else ():
        if path.name.isdigit() and (path / PLAN).exists():
            plan = _read(path / PLAN, Plan)
            result = _read(path / RESULT, Result) if (path / RESULT).exists() else None
            attempt = _read(path / ATTEMPT, Attempt) if (path / ATTEMPT).exists() else Attempt()
            found.append(Round(path, plan, result, attempt))
    return found


def write_plan(folder: Folder, plan: Plan, rounds: Sequence[Round]) -> Round:
    """Begin a round."""
    path = folder.rounds / f"{1 + max((one.number for one in rounds), default=0):04d}"
    write_atomically(path / PLAN, json.dumps(asdict(plan), indent=1).encode())
    return Round(path, plan)


def write_attempt(one: Round, attempt: Attempt) -> None:
    """Replace the attempt."""
    write_atomically(one.path / ATTEMPT, json.dumps(asdict(attempt)).encode())


def write_result(one: Round, result: Result) -> Round:
    """End a round; the copies of the cases are removed, the candidate and the record stay."""
    ended = Result(**{**asdict(result), "finished": datetime.now(UTC).isoformat(timespec="seconds")})
    write_atomically(one.path / RESULT, json.dumps(asdict(ended), indent=1).encode())
    clean_round(one)
    return Round(one.path, one.plan, ended, one.attempt)


def clean_round(one: Round) -> None:
    """Remove the copies of the cases of a round, and the checkpoints of its training."""
    for name in (CASES, EARLIER):
        shutil.rmtree(one.path / name, ignore_errors=True)
    for path in (one.path / RUN).glob("*/*.pt"):
        path.unlink(missing_ok=True)


def make_plan(
    records: Iterable[CaseRecord], rounds: Sequence[Round], package: ModelPackage
) -> tuple[Plan, tuple[str, ...]]:
    """Return the plan of a round that would begin now, and the cases in it that no round has used.

    A case is learnt from unless the package in use has learnt from this content: cases of a candidate that never came
    into use are used again. What the package in use has learnt from is repeated.
    """
    collected = sorted((one for one in records if one.is_collected), key=lambda one: one.name)
    used = {learnt.content for one in rounds if _counts(one) for learnt in one.plan.cases}
    known = learnt_contents(rounds, package)
    train = [one for one in collected if one.split == TRAIN]
    fresh = [one for one in train if one.content not in known]
    plan = Plan(
        package.checksum,
        tuple(Learnt(one.name, one.content, structures_to_learn(one)) for one in fresh),
        tuple(Learnt(one.name, one.content, one.edited) for one in train if one.content in known),
        tuple(Learnt(one.name, one.content, one.edited) for one in collected if one.split == TEST),
        datetime.now(UTC).isoformat(timespec="seconds"),
    )
    return plan, tuple(one.name for one in fresh if one.content not in used)


def structures_to_learn(record: CaseRecord) -> tuple[str, ...]:
    """Return the edited structures, and those that a package approved untouched had drawn unless it was retrained.

    A package that was retrained here would learn from what it drew itself, again and again.
    """
    unedited = [name for name, drawn_by in record.unedited.items() if drawn_by and not RETRAINED.fullmatch(drawn_by)]
    return tuple(sorted({*record.edited, *unedited}))


def learnt_contents(rounds: Sequence[Round], package: ModelPackage) -> set[str]:
    """Return the checksums of the contents that a package has learnt from, itself or as one of its predecessors."""
    training = package.metadata.get("training", {})
    own = [str(entry.get("from", "")) for how in ("retrained", "distilled") for entry in training.get(how, ())]
    versions = {package.checksum, *(match[1] for text in own if (match := re.search(r"\((\w+)\)$", text)))}
    return {
        learnt.content
        for one in rounds
        if one.result and one.result.checksum and one.result.checksum in versions
        for learnt in (*one.plan.cases, *one.plan.earlier)
    }


def find_changes(plan: Plan, records: Mapping[str, CaseRecord]) -> list[str]:
    """Return the cases of a plan that have been changed, withdrawn, deleted or put into the other split since."""
    changed = []
    for split, learnt in ((TRAIN, (*plan.cases, *plan.earlier)), (TEST, plan.tests)):
        for one in learnt:
            record = records.get(one.case)
            if not (record and record.is_collected and record.content == one.content and record.split == split):
                changed.append(one.case)
    return changed


def write_view(
    target: Path, split: str, chosen: Sequence[Learnt], records: Mapping[str, CaseRecord], folder: Folder
) -> None:
    """Write a data set of some cases, with the chosen structures; voxels are linked, not copied.

    Raises
    ------
    OutputError
        If it cannot be written.
    LearningError
        ``AC-LN-003`` if what was collected is gone.
    """
    partial = target.with_name(f"{target.name}.part")
    try:
        for path in (partial, target):
            shutil.rmtree(path, ignore_errors=True)
        entries = [_link(partial, split, one, records[one.case], folder) for one in chosen]
        names = sorted({name for entry in entries for name in entry["structures"]})
        index = {"format": FORMAT, "version": VERSION, "structures": names, "key_check": "", "patients": entries}
        partial.mkdir(parents=True, exist_ok=True)
        write_atomically(partial / "index.json", json.dumps(index | {"quarantine": []}).encode())
        partial.rename(target)
    except OSError as error:
        raise cannot_write(target, error) from error


def _link(target: Path, split: str, one: Learnt, record: CaseRecord, folder: Folder) -> dict[str, Any]:
    source = folder.collected / record.entry
    try:
        (entry,) = read_json((source / "index.json").read_bytes())["patients"]
        files = list((source / PATIENTS / entry["folder"]).iterdir())
    except (OSError, SettingsError, KeyError, ValueError, TypeError) as error:
        raise LearningError("AC-LN-003", file=record.entry) from error
    place = target / PATIENTS / record.entry
    place.mkdir(parents=True)
    for path in files:
        try:
            os.link(path, place / path.name)
        except OSError:  # a disk without links
            shutil.copy2(path, place / path.name)
    structures = {name: plane for name, plane in entry["structures"].items() if name in one.structures}
    return {**entry, "split": split, "folder": record.entry, "structures": structures}


def _counts(one: Round) -> bool:
    return one.result is None or one.result.state != ABANDONED


def _read(path: Path, kind: type[Any]) -> Any:  # noqa: ANN401
    try:
        return build(kind, read_json(path.read_bytes()))
    except (OSError, SettingsError) as error:
        raise LearningError("AC-LN-003", file=path.name) from error


def training_step(one: Round) -> int:
    """Return how far the training of a round is on the disk, in bytes of its reports; it only grows."""
    total = 0
    for path in (one.path / RUN).glob("*/log.jsonl"):
        with suppress(OSError):
            total += path.stat().st_size
    return total
