"""Collecting approved cases: each becomes a de-identified data set of its own, so that a bad one stops no other."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from autocontour.archive.build import Build, BuildRequest
from autocontour.archive.find import origin_of
from autocontour.archive.key import Key
from autocontour.archive.names import NameMap, confirmed_names, extend_names, fold, read_names, write_names
from autocontour.base.errors import AutoContourError, Cancelled, DatasetError, LearningError, OutputError
from autocontour.base.findings import Finding, Severity
from autocontour.base.jobs import InnerJob, Job
from autocontour.case.closed import read_case
from autocontour.case.lock import is_locked
from autocontour.case.source import read_source
from autocontour.case.state import CaseStructure
from autocontour.learning.folder import Folder
from autocontour.learning.records import CaseRecord, State
from autocontour.learning.settings import LearningSettings
from autocontour.models.data.dataset import UNUSABLE, read_index, read_patient
from autocontour.models.data.fingerprint import sample_fingerprint
from autocontour.models.data.planes import UNEDITED
from autocontour.models.package.package import ModelPackage
from autocontour.queue.run import TEMPORARY
from autocontour.site.site import Site, SiteStructure

MOST_STARTS = 12
"""A case at which the program ended so often is set aside."""
RETRY_S, LONGEST_WAIT_S = 60.0, 3600.0
CRASHED, UNEXPECTED, GONE = "AC-LN-010", "AC-LN-011", "AC-DS-031"
PASSING = TEMPORARY | {GONE, "AC-CASE-001", "AC-CASE-031", "AC-LN-014"}
"""Reasons that may pass, such as a share that is gone."""

OnEvent = Callable[[str, dict[str, Any]], None]
Keep = Callable[[CaseRecord], None]


class Collector:
    """Reads the cases and keeps the data sets up to date.

    Parameters
    ----------
    folder, settings
        Of the learning.
    key
        For the names of cases and of identities.
    package
        Its structures are collected.
    records
        Returns what is known of all cases now.
    keep
        Stores a record at once.
    on_event
        Called with each change.
    """

    def __init__(
        self,
        folder: Folder,
        settings: LearningSettings,
        key: Key,
        package: ModelPackage,
        records: Callable[[], Mapping[str, CaseRecord]],
        keep: Keep,
        on_event: OnEvent,
    ) -> None:
        self._folder, self._settings, self._key, self._package = folder, settings, key, package
        self._records, self._keep, self._on_event = records, keep, on_event
        self._names = NameMap({})
        self._found: list[str] = []

    def collect(self, known: dict[str, CaseRecord], job: Job) -> None:
        """Bring every case up to date; `known` is not changed.

        Raises
        ------
        LearningError
            ``AC-LN-006`` if there is no folder of cases, or it is empty although cases were collected: a share that is
            not connected is not the same as deleted cases.
        """
        root = self._settings.cases_folder
        places = sorted(path.parent for path in root.glob("*/case.json")) if root.is_dir() else []
        if not root.is_dir() or (not places and any(record.is_collected for record in known.values())):
            raise LearningError("AC-LN-006")
        self._read_names()
        names = {self._key.name("c", place.name): place for place in places}
        for name, record in known.items():
            if name not in names and record.state != State.DELETED:
                self._end(record, State.DELETED)
        for name, place in job.track(list(names.items()), "reading the cases"):
            self._update(known.get(name, CaseRecord(name, str(place))), place, job)
        content = read_names(self._folder.names)
        extended = extend_names(content, self._found, self._package.structures)
        if len(extended.names) > len(content.names):
            write_names(self._folder.names, extended)

    def _read_names(self) -> None:
        """Read the confirmed names; a case is read again when they change."""
        path, structures = self._folder.names, tuple(self._package.structures)
        self._names = confirmed_names(read_names(path), path, structures, ())
        self._names_checksum = hashlib.sha256(repr(sorted(self._names.structures.items())).encode()).hexdigest()

    def _update(self, record: CaseRecord, place: Path, job: Job) -> None:
        record = replace(record, path=str(place))
        stamp = _stamp(place, self._names_checksum)
        is_settled = stamp == record.stamp and record.state not in (State.OPEN, State.WAITING, State.DELETED)
        if is_settled and not self._is_due(record):
            return
        if is_locked(place) or _age_s(place) < 60 * self._settings.quiet_minutes:
            if record.state not in (State.OPEN, State.COLLECTED):
                self._keep(replace(record, state=State.OPEN))
            return  # what was collected stays until the case is closed
        try:
            items = [item for item in read_case(place).state.items if item.is_approved]
        except (AutoContourError, OSError) as error:
            self._set_aside(replace(record, stamp=stamp), error)
            return
        content, edited, unedited = self._describe(place, items)
        if content == record.content and record.is_collected:
            self._keep(replace(record, stamp=stamp))
            return
        fresh = replace(record, stamp=stamp, edited=edited, unedited=unedited)
        if edited:
            self._collect(fresh, content, place, job)
        elif record.is_collected or record.state == State.WITHDRAWN:
            self._end(fresh, State.WITHDRAWN)
        elif self._is_waiting(items):
            self._set_aside(fresh, LearningError("AC-LN-012"))
        else:
            self._end(fresh, State.NOT_CORRECTED if items else State.NOT_APPROVED)

    def _is_waiting(self, items: Sequence[CaseStructure]) -> bool:
        """Whether a structure was edited whose name is not decided."""
        edited = (item.structure.name for item in items if origin_of(item) != UNEDITED)
        return any(fold(name) not in self._names.structures for name in edited)

    def _is_due(self, record: CaseRecord) -> bool:
        """Whether a case that was set aside for a reason that may pass is tried again."""
        return record.state == State.SET_ASIDE and 0 < record.not_before <= time.time()

    def _describe(self, place: Path, items: Sequence[CaseStructure]) -> tuple[str, tuple[str, ...], dict[str, str]]:
        """Return the checksum of the content, the edited structures, and the others with what drew them."""
        edited, unedited, parts = [], {}, []
        for item in items:
            name, provenance = self._names.find(item.structure.name), item.structure.provenance
            if not name:
                self._found.append(item.structure.name)
            if name not in self._package.structures:
                continue
            origin = origin_of(item)
            if origin == UNEDITED:
                unedited[name] = f"{provenance.algorithm} {provenance.version}" if provenance else ""
            else:
                edited.append(name)
            contours = sorted((z, polygon.wkb_hex) for z, polygon in item.structure.contours.items())
            parts.append((name, origin, contours))
        source = read_source(place)
        text = repr((place.name, source.content_checksum if source else "", sorted(parts)))
        return hashlib.sha256(text.encode()).hexdigest(), tuple(sorted(edited)), unedited

    def _collect(self, record: CaseRecord, content: str, place: Path, job: Job) -> None:
        """Build the case's data set; any fault sets this case aside."""
        tries = record.tries + 1 if record.content == content else 1
        record = replace(record, content=content, tries=tries, state=State.WAITING)
        if tries > MOST_STARTS:
            self._set_aside(record, LearningError(CRASHED, count=MOST_STARTS))
            return
        self._keep(record)  # before it is begun: a case that ends the program is found by its tries
        entry = f"{record.name}-{content[:12]}"
        try:
            fields = self._build(record, entry, place, job)
        except (Cancelled, OutputError):
            raise
        except AutoContourError as error:
            self._set_aside(record, error)
        except (*UNUSABLE, ArithmeticError, RuntimeError, AttributeError) as error:
            self._set_aside(record, LearningError(UNEXPECTED, reason=type(error).__name__))
        else:
            if (other := self._same_ct(record, fields["identities"])) or not fields["edited"]:
                code = "AC-LN-014" if other else "AC-LN-013"
                shutil.rmtree(self._folder.collected / entry, ignore_errors=True)
                self._set_aside(record, LearningError(code, other=other))
                return
            was = record.entry
            self._keep(replace(record, state=State.COLLECTED, entry=entry, tries=0, **NO_REASON, **fields))
            if was and was != entry:
                self._remove(was)
            self._on_event("collected", {"case": record.name, "structures": list(record.edited)})

    def _build(self, record: CaseRecord, entry: str, place: Path, job: Job) -> dict[str, Any]:
        site = Site(self._package.name, self._package.name, tuple(map(SiteStructure, self._package.structures)), {})
        request = BuildRequest(
            None,
            self._folder.collected / entry,
            names=self._folder.names,
            decisions=self._folder.decisions,
            key=self._folder.key_file,
            site=site,
            case_folders=(place,),
        )
        request.private.mkdir(parents=True, exist_ok=True)
        request.private.chmod(0o700)
        build = Build(request, InnerJob(job))
        try:
            build.run()
        except DatasetError as error:
            raise _reason(error, build) from error
        index = read_index(request.output)
        (stored,) = index["patients"]
        listed = set(stored["structures"])
        sample = read_patient(request.output, stored, index, list(stored["structures"]))
        kinds = ("patient_hash", "person_hash", "ct_hash")
        identities = tuple(f"{kind}:{stored[kind]}" for kind in kinds if stored[kind])
        return {
            "patient": str(stored["patient"]),
            "identities": identities,
            "fingerprint": sample_fingerprint(sample),
            "edited": tuple(name for name in record.edited if name in listed),
            "unedited": {name: by for name, by in record.unedited.items() if name in listed},
        }

    def _same_ct(self, record: CaseRecord, identities: Sequence[str]) -> str:
        """Return another collected case of the same CT; empty if there is none."""
        cts = {one for one in identities if one.startswith("ct_hash:")}
        others = (one for one in self._records().values() if one.is_collected and one.name != record.name)
        return next((one.name for one in others if cts & set(one.identities)), "")

    def _set_aside(self, record: CaseRecord, error: AutoContourError | OSError) -> None:
        if not isinstance(error, AutoContourError):
            error = LearningError(UNEXPECTED, reason=error.strerror or type(error).__name__)
        self._remove(record.entry)
        passes = error.code in PASSING
        wait_s = min(RETRY_S * 2 ** min(record.failures, 10), LONGEST_WAIT_S)
        self._keep(
            replace(
                record,
                state=State.SET_ASIDE,
                entry="",
                code=error.code,
                message=_safe(error),
                tries=0,
                failures=record.failures + 1 if passes else 0,
                not_before=time.time() + wait_s if passes else 0.0,
            )
        )
        self._on_event("set aside", {"case": record.name, "code": error.code})

    def _end(self, record: CaseRecord, state: State) -> None:
        """Record that a case is not used, and remove what was collected from it."""
        if record.state == State.WITHDRAWN and state == State.WITHDRAWN and not record.entry:
            self._keep(record)
            return
        self._remove(record.entry)
        self._keep(replace(record, state=state, entry="", tries=0, **NO_REASON))
        if record.state == State.COLLECTED:
            self._on_event("withdrawn", {"case": record.name, "state": state.value})

    def _remove(self, entry: str) -> None:
        for name in (entry, f"{entry}.private") if entry else ():
            shutil.rmtree(self._folder.collected / name, ignore_errors=True)

    def remove_others(self, records: dict[str, CaseRecord]) -> None:
        """Remove data sets that no case has, such as those of a killed program."""
        kept = {name for one in records.values() if one.entry for name in (one.entry, f"{one.entry}.private")}
        for path in self._folder.collected.iterdir() if self._folder.collected.is_dir() else ():
            if path.name not in kept:
                shutil.rmtree(path, ignore_errors=True)


NO_REASON: dict[str, Any] = {"code": "", "message": "", "failures": 0, "not_before": 0.0}


def _reason(error: DatasetError, build: Build) -> AutoContourError:
    """Return why the one patient is not in the data set, instead of that there is none."""
    if error.code != "AC-DS-002":
        return error
    if not build.excluded:
        return error
    finding = build.excluded[0].finding
    values: dict[str, Any] = dict(finding.values)
    return DatasetError(finding.code, **values)


def _safe(error: AutoContourError) -> str:
    """Return the sentence of an error without texts of the archive, such as names of files."""
    if isinstance(error, LearningError):
        return error.message
    values: dict[str, Any] = {
        name: value if isinstance(value, int | float) else "…" for name, value in error.values.items()
    }
    with suppress(KeyError, ValueError):
        return Finding.of(error.code, severity=Severity.BLOCK, **values).message
    return ""


def _files(place: Path) -> Iterator[tuple[str, int, int]]:
    for path in sorted(place.iterdir()):
        if path.is_file() and path.name not in ("lock", "review.json") and not path.name.endswith((".part", ".tmp")):
            status = path.stat()
            yield path.name, status.st_size, status.st_mtime_ns


def _stamp(place: Path, names: str) -> str:
    try:
        return hashlib.sha256(json.dumps([names, *_files(place)]).encode()).hexdigest()
    except OSError:
        return ""


def _age_s(place: Path) -> float:
    try:
        return time.time() - max((modified for _, _, modified in _files(place)), default=0) / 1e9
    except OSError:
        return 0.0
