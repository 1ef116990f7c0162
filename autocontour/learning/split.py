"""Who is put aside for the gate: decided once for each person, and never changed back.

A person who was put aside is never trained on. If two persons turn out to be one, of whom one was trained on, that
person leaves the test patients.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from autocontour.archive.key import Key
from autocontour.base.errors import LearningError
from autocontour.base.files import shown_path, write_atomically
from autocontour.base.typed import SettingsError, read_json
from autocontour.learning.records import TEST, TRAIN, CaseRecord

NAME = "people.json"


def read_people(folder: Path) -> dict[str, str]:
    """Return keyed identity → ``train`` or ``test``.

    Raises
    ------
    LearningError
        ``AC-LN-003`` if the file is damaged.
    """
    path = folder / NAME
    try:
        found = read_json(path.read_bytes())
        if not set(found.values()) <= {TRAIN, TEST}:
            raise LearningError("AC-LN-003", file=shown_path(path))
        return dict(found)
    except FileNotFoundError:
        return {}
    except (OSError, SettingsError, AttributeError, TypeError) as error:
        raise LearningError("AC-LN-003", file=shown_path(path)) from error


def write_people(folder: Path, people: Mapping[str, str]) -> None:
    """Replace the file."""
    write_atomically(folder / NAME, json.dumps(people, indent=0, sort_keys=True).encode())


def decide_splits(
    records: Sequence[CaseRecord], people: Mapping[str, str], share: float, trained: Iterable[str], key: Key
) -> tuple[dict[str, str], dict[str, str]]:
    """Return case → split, and the identities with those of new persons.

    Parameters
    ----------
    records
        Collected cases.
    people
        What was decided before.
    share
        Of the persons that are put aside; of new persons one is put aside as long as there are fewer.
    trained
        Fingerprints of the CTs that the package was trained on: such a person cannot be put aside.
    key
        For the order of new persons, which depends on nothing else.

    Examples
    --------
    >>> key = Key(bytes(32))
    >>> records = [CaseRecord(name, "", identities=(f"patient_hash:{name}",)) for name in "abcd"]
    >>> sorted(decide_splits(records, {}, 0.25, (), key)[0].values())
    ['test', 'train', 'train', 'train']
    """
    seen, known = set(trained), dict(people)
    groups = group_by_person(records)
    decided: dict[str, str] = {}
    tests, count = 0, 0
    new: list[list[CaseRecord]] = []
    for group in groups:
        splits = {known[one] for record in group for one in record.identities if one in known}
        is_trained = TRAIN in splits or any(record.fingerprint in seen for record in group)
        if not splits and not is_trained:
            new.append(group)
            continue
        split = TRAIN if is_trained else TEST
        count, tests = count + 1, tests + (split == TEST)
        _note(group, split, decided, known)
    for group in sorted(new, key=lambda group: key.hash("split", min(group[0].identities, default=group[0].name))):
        count += 1
        split = TEST if tests < share * count else TRAIN
        tests += split == TEST
        _note(group, split, decided, known)
    return decided, known


def group_by_person(records: Sequence[CaseRecord]) -> list[list[CaseRecord]]:
    """Return the cases in groups: those that share a patient, a person or a CT are one, also through a third."""
    groups: list[tuple[set[str], list[CaseRecord]]] = []
    for record in records:
        mine, members = set(record.identities), [record]
        for group in [group for group in groups if group[0] & mine]:
            mine |= group[0]
            members = [*group[1], *members]
            groups.remove(group)
        groups.append((mine, members))
    return [members for _, members in groups]


def _note(group: Sequence[CaseRecord], split: str, decided: dict[str, str], known: dict[str, str]) -> None:
    for record in group:
        decided[record.name] = split
        for identity in record.identities:
            known[identity] = split
