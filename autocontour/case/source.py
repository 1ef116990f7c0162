"""Location and checksum of the CT of a case, so that a closed case can be used again."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from autocontour.base.errors import CaseError, CTError
from autocontour.base.files import write_atomically
from autocontour.base.jobs import Job
from autocontour.patient.identity import CaseKey, case_key, series_key
from autocontour.patient.volume import CHECKSUM_OF, CTVolume

if TYPE_CHECKING:
    from autocontour.dicom import Series

SOURCE = "ct.json"
KEY = "case.json"


@dataclass(frozen=True)
class CTSource:
    """Location of the CT of a case.

    Attributes
    ----------
    path
        Folder of its files, or a NIfTI or NRRD file; None if unknown.
    content_checksum
        See `CTVolume`; empty for a research file, whose voxels are part of the case's key, and where an older version
        used another definition.
    """

    path: Path | None
    content_checksum: str


def read_source(folder: Path) -> CTSource | None:
    """Return the location of the CT of the case in `folder`; None for a case of an older version."""
    try:
        content = json.loads((folder / SOURCE).read_bytes())
        checksum = str(content["content_checksum"]) if content["checksum_of"] == CHECKSUM_OF else ""
        return CTSource(Path(content["path"]) if content["path"] else None, checksum)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def read_key(folder: Path) -> CaseKey | None:
    """Return the CT that the case in `folder` belongs to; None if there is no case."""
    try:
        return CaseKey(**json.loads((folder / KEY).read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


def check_content(folder: Path, ct: CTVolume) -> None:
    """Refuse a CT whose values have changed since the case in `folder` was created.

    Raises
    ------
    CaseError
        ``AC-CASE-030``.
    """
    known = read_source(folder)
    if known and known.content_checksum and ct.content_checksum not in ("", known.content_checksum):
        raise CaseError("AC-CASE-030", file=folder.name)


def keep_source(folder: Path, ct: CTVolume, path: Path | None) -> None:
    """Store the location and checksum of the CT with the case; existing values are kept if no new ones are given.

    Raises
    ------
    OutputError
        If the disk is full.
    """
    known = read_source(folder)
    found = CTSource(path.resolve() if path else None, ct.content_checksum)
    if known and found.path is None:
        found = replace(found, path=known.path)
    if known and not found.content_checksum:
        found = replace(found, content_checksum=known.content_checksum)
    if found != known:
        checksum = {"checksum_of": CHECKSUM_OF, "content_checksum": found.content_checksum}
        content = {"path": str(found.path or ""), **checksum}
        write_atomically(folder / SOURCE, json.dumps(content).encode())


def read_case_ct(
    folder: Path, roots: Sequence[Path] = (), job: Job | None = None, accepted: frozenset[str] = frozenset()
) -> CTVolume:
    """Read the CT of the case in `folder`: from its stored location, else by a search for its UIDs.

    Parameters
    ----------
    folder
        Where the CT lies.
    roots
        Folders that are searched, with all subfolders, if the CT has been moved.
    job
        Reports progress; may cancel.
    accepted
        Codes of blocking findings that the user accepts.

    Raises
    ------
    CaseError
        ``AC-CASE-030`` if the CT has changed since, ``AC-CASE-031`` if it was not found, ``AC-CASE-032`` if there is no
        case, or the location is unknown and no `roots` are given.
    CTError
        If the CT cannot be read.
    """
    source, key, job = read_source(folder), read_key(folder), job or Job()
    if key is None or (source is None and not roots):
        raise CaseError("AC-CASE-032")
    for place in ([source.path] if source and source.path else []) + list(roots):
        for ct in _read_matching(place, key, job, accepted):
            check_content(folder, ct)
            keep_source(folder, ct, place)
            return ct
    raise CaseError("AC-CASE-031")


def find_case_ct(folder: Path, roots: Sequence[Path], job: Job) -> Path:
    """Return where the CT of the case in `folder` lies now, by its UIDs and slices; no voxels are read.

    Parameters
    ----------
    folder
        The case's.
    roots
        Folders or files that are searched in this order, folders with all below them.
    job
        Reports progress; may cancel.

    Returns
    -------
    Path
        The folder of its files, or a NIfTI or NRRD file.

    Raises
    ------
    CaseError
        ``AC-CASE-031`` if it is in none of `roots`, ``AC-CASE-032`` if there is no case.
    """
    key, source = read_key(folder), read_source(folder)
    if key is None:
        raise CaseError("AC-CASE-032")
    for root in roots:
        if key.series_instance_uid:
            for series in _series_at(root, job):
                if series_key(series, series.geometry) == key:
                    return Path(os.path.commonpath([path.parent for path in series.files]))
        elif place := _image_at(root, key, source.path.name if source and source.path else "", job):
            return place
    raise CaseError("AC-CASE-031")


def cases_of(root: Path, paths: Collection[Path]) -> dict[Path, Path]:
    """Return the CT's folder → the case that was drawn on it, the one changed last, for those of `paths` with one."""
    found: dict[Path, Path] = {}
    changed = {place.parent: place.stat().st_mtime for place in root.glob("*/journal.bin")}
    for folder in sorted(changed, key=lambda folder: changed[folder]):
        source = read_source(folder)
        if source and source.path and source.path in paths:
            found[source.path] = folder
    return found


def _image_at(root: Path, key: CaseKey, name: str, job: Job) -> Path | None:
    """Return the research image of `key` below `root`: the file itself, or one of the same name."""
    from autocontour.dicom import read_image

    for path in [root] if root.is_file() else root.rglob(name) if name else ():
        job.advance("looking for the CT", 0.0)
        with suppress(CTError):
            if case_key(read_image(path)) == key:
                return path
    return None


def _read_matching(place: Path, key: CaseKey, job: Job, accepted: frozenset[str]) -> Iterator[CTVolume]:
    """Yield the CT of `key` if it is in a folder or file; it is read lazily."""
    from autocontour.dicom import read_ct, read_image

    if not key.series_instance_uid:
        with suppress(CTError):
            ct = read_image(place)
            if case_key(ct) == key:
                yield ct
        return
    for series in _series_at(place, job):
        if series_key(series, series.geometry) == key:
            yield read_ct(series, job, accepted)


def _series_at(folder: Path, job: Job) -> list[Series]:
    from autocontour.dicom import planning_cts, scan_folder

    with suppress(CTError):
        return planning_cts(scan_folder(folder, job))
    return []
