"""What is stored about the cases: one JSON file, in which a case has a keyed name and no identity but its folder."""

# `annotations` is not imported from __future__: cattrs needs the limits.

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

from autocontour.base.errors import LearningError
from autocontour.base.files import shown_path, write_atomically
from autocontour.base.limits import OneOf, Range
from autocontour.base.typed import SettingsError, build, read_json

NAME = "cases.json"
TRAIN, TEST = "train", "test"


class State(StrEnum):
    """State of a case.

    ``open``: in use in a program, or changed a moment ago; ``not approved``: without an approved structure;
    ``not corrected``: approved as the program drew it; ``waiting``: approved, not yet collected; ``set aside``: cannot
    be used, with the reason; ``collected``; ``withdrawn``: was collected, and is no longer approved; ``deleted``.
    """

    OPEN = "open"
    NOT_APPROVED = "not approved"
    NOT_CORRECTED = "not corrected"
    WAITING = "waiting"
    SET_ASIDE = "set aside"
    COLLECTED = "collected"
    WITHDRAWN = "withdrawn"
    DELETED = "deleted"


@dataclass(frozen=True)
class CaseRecord:
    """A case.

    Attributes
    ----------
    name
        Keyed hash of its folder's name.
    path
        Its folder.
    state
        See `State`.
    stamp
        Names, sizes and times of its files when it was read last; empty to read it again.
    content
        Checksum of CT and approved structures.
    edited, unedited
        Approved structures that were edited; those that were not → what drew them.
    entry
        Name of the collected data set; empty if none.
    patient, identities, fingerprint
        Of the collected data set: its patient, keyed hashes of the person and checksum of the CT, and fingerprint of
        the CT as `autocontour.models.data.fingerprint`.
    split
        ``train`` or ``test``; empty until it is decided.
    code, message
        Why it is set aside.
    tries, failures, not_before
        Starts of collecting it that did not end; attempts that failed for a reason that may pass; time of the next one
        (s since 1970).
    """

    name: str
    path: str
    state: Annotated[str, OneOf(tuple(State))] = State.WAITING
    stamp: str = ""
    content: str = ""
    edited: tuple[str, ...] = ()
    unedited: dict[str, str] = field(default_factory=dict)
    entry: str = ""
    patient: str = ""
    identities: tuple[str, ...] = ()
    fingerprint: str = ""
    split: Annotated[str, OneOf(("", TRAIN, TEST))] = ""
    code: str = ""
    message: str = ""
    tries: Annotated[int, Range(0, 1_000_000)] = 0
    failures: Annotated[int, Range(0, 1_000_000)] = 0
    not_before: Annotated[float, Range(0, 1e12)] = 0.0

    @property
    def is_collected(self) -> bool:
        """Whether it can be used."""
        return self.state == State.COLLECTED

    def to_json(self) -> dict[str, Any]:
        """Return plain values without its folder."""
        shown = ("name", "state", "split", "code", "message", "content")
        values = {name: getattr(self, name) for name in shown} | {"structures": list(self.edited)}
        return {name: value or None for name, value in values.items()}


@dataclass(frozen=True)
class _File:
    cases: tuple[CaseRecord, ...] = ()


def read_records(folder: Path) -> dict[str, CaseRecord]:
    """Return the cases by name; none if nothing was read yet.

    Raises
    ------
    LearningError
        ``AC-LN-003`` if the file is damaged.
    """
    path = folder / NAME
    try:
        return {one.name: one for one in build(_File, read_json(path.read_bytes())).cases}
    except FileNotFoundError:
        return {}
    except (OSError, SettingsError) as error:
        raise LearningError("AC-LN-003", file=shown_path(path)) from error


def write_records(folder: Path, records: Iterable[CaseRecord]) -> None:
    """Replace the file."""
    content = {"cases": [asdict(one) for one in records]}
    write_atomically(folder / NAME, json.dumps(content, indent=0).encode())
