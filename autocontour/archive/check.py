"""Checks of a data set on the disk: files, entries, voxels, and the same patient in two splits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from autocontour.base.errors import DatasetError, is_program_error
from autocontour.base.files import shown_path
from autocontour.base.findings import Finding
from autocontour.base.jobs import Job
from autocontour.base.typed import SettingsError, build, read_json
from autocontour.models.data.planes import (
    PATIENTS,
    PlanesIndex,
    StoredPatient,
    find_leaks,
    group_patients,
    hash_file,
    open_arrays,
    plane_of,
    read_stored,
)

INDEX = "index.json"
UNUSABLE = (ValueError, KeyError, IndexError, TypeError, OSError, EOFError, MemoryError)


def read_dataset_index(folder: Path) -> dict[str, Any]:
    """Read ``index.json`` of a data set that the program built.

    Raises
    ------
    DatasetError
        ``AC-DS-006``.
    """
    try:
        index: dict[str, Any] = read_json((folder / INDEX).read_bytes())
        build(PlanesIndex, index)
        for key in ("patients", "quarantine"):
            [str(entry["patient"]) for entry in index[key]]
        [str(entry["split"]) for entry in index["patients"]]
    except SettingsError as error:
        raise DatasetError("AC-DS-006", error.problems, folder=shown_path(folder), reason=INDEX) from error
    except (OSError, KeyError, TypeError) as error:
        reason = f"{INDEX}: {type(error).__name__}"
        raise DatasetError("AC-DS-006", folder=shown_path(folder), reason=reason) from error
    return index


def check_dataset(folder: Path, job: Job, against: Sequence[Path] = ()) -> list[Finding]:
    """Return the findings about a data set.

    Parameters
    ----------
    folder
        The data set.
    job
        Reports progress; may cancel.
    against
        Other data sets, such as a test set: no patient and no CT may be in both.

    Raises
    ------
    DatasetError
        ``AC-DS-006`` if one of the folders is not a data set.
    """
    index = read_dataset_index(folder)
    others = [(path, read_dataset_index(path)) for path in against]
    found: list[Finding] = []
    entries = index["patients"]
    for name, count in Counter(str(entry["patient"]) for entry in entries).items():
        if count > 1:
            found.append(Finding.of("AC-DS-067", name, patient=name))
    for entry in job.track(entries, "checking the patients"):
        found += _check_patient(folder, entry)
    found += _check_leaks(entries)
    for _, other in others:
        found += _check_against(index, other)
    listed = {str(entry.get("folder", "")) for entry in entries}
    place = folder / PATIENTS
    unlisted = sorted(path.name for path in place.iterdir() if path.name not in listed) if place.is_dir() else []
    if unlisted:
        found.append(Finding.of("AC-DS-062", count=len(unlisted), name=unlisted[0]))
    return found


def _check_patient(folder: Path, entry: Mapping[str, Any]) -> Iterator[Finding]:
    name = str(entry["patient"])
    try:
        listed = read_stored(entry)
    except ValueError as error:
        yield Finding.of("AC-DS-061", name, patient=name, reason=str(error))
        return
    damaged = [file for file, known in listed.files.items() if _hash(folder, listed, file) != known]
    for file in damaged:
        yield Finding.of("AC-DS-060", name, patient=name, file=file)
    if damaged:
        return
    try:
        hu, flat = open_arrays(folder, listed)
        runs = [stop for _, stop in listed.solid_slices if stop > len(hu)]
        if runs:
            yield Finding.of("AC-DS-061", name, patient=name, reason=f"solid_slices go to {runs[0]}")
        for structure, stored in listed.structures.items():
            voxels = int(np.count_nonzero(plane_of(flat, stored).inside))
            if voxels != stored.voxels:
                known = stored.voxels
                yield Finding.of("AC-DS-063", name, patient=name, structure=structure, found=voxels, listed=known)
    except UNUSABLE as error:
        if is_program_error(error):
            raise
        yield Finding.of("AC-DS-061", name, patient=name, reason=str(error) or type(error).__name__)


def _hash(folder: Path, listed: StoredPatient, file: str) -> str:
    try:
        return hash_file(folder / PATIENTS / listed.folder / Path(file).name)
    except OSError:
        return ""


def _check_leaks(entries: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    split = {str(entry["patient"]): str(entry["split"]) for entry in entries}
    for one, other in find_leaks(entries):
        where = f"{one}, {other}"
        yield Finding.of("AC-DS-064", where, one=one, other=other, split=split[one], other_split=split[other])


def _check_against(index: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[Finding]:
    """Compare two data sets: by CT always, by patient if they have the same key."""
    has_same_key = index["key_check"] == other["key_check"]
    if not has_same_key:
        yield Finding.of("AC-DS-066")
    kinds = ("ct_hash", "patient_hash", "person_hash") if has_same_key else ("ct_hash",)
    mine = [_only(entry, "mine", kinds) for entry in index["patients"]]
    theirs = [_only(entry, "theirs", kinds) for entry in other["patients"]]
    groups = group_patients([*mine, *theirs])
    first = {groups[entry["patient"]]: entry for entry in reversed(theirs)}
    for entry in mine:
        if same := first.get(groups[entry["patient"]]):
            one, two = entry["patient"].removeprefix("mine "), same["patient"].removeprefix("theirs ")
            yield Finding.of("AC-DS-065", one, one=one, other=two)


def _only(entry: Mapping[str, Any], whose: str, kinds: Sequence[str]) -> dict[str, str]:
    return {"patient": f"{whose} {entry['patient']}", **{kind: str(entry.get(kind, "")) for kind in kinds}}
