"""Content of the files of a series: checksums, which are the same at any path, and attributes."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pydicom.multival import MultiValue
from pydicom.tag import Tag

from autocontour.base.jobs import Job
from autocontour.dicom.header import SliceHeader
from autocontour.dicom.pixels import check_unchanged
from autocontour.dicom.read import dataset_start, guarded, read_bytes, read_dataset
from autocontour.dicom.scan import Series
from autocontour.dicom.wording import shown

_THREADS = 4


def read_checksums(series: Series, job: Job) -> dict[str, str]:
    """Return the SHA-256 of the dataset in each file of a series, by SOP Instance UID.

    The File Meta Information does not count, as copying programs rewrite it; nor do names and folders of the files.
    Different files with one UID, which block a series, are numbered.

    Raises
    ------
    CTError
        ``AC-CT-006`` if a file has changed since the scan, ``AC-CT-007`` if it cannot be opened.
    """
    found: dict[str, str] = {}
    with ThreadPoolExecutor(_THREADS) as pool:
        try:
            checksums = list(job.track(pool.map(_read_checksum, series.slices), "comparing the files", len(series)))
        finally:
            pool.shutdown(cancel_futures=True)
    taken: Counter[str] = Counter()
    for uid, checksum in sorted(zip(series.sop_instance_uids, checksums, strict=True)):
        taken[uid] += 1
        found[uid if taken[uid] == 1 else f"{uid}#{taken[uid]}"] = checksum
    return found


def _read_checksum(header: SliceHeader) -> str:
    checksum = _checksum_of(header.path)
    check_unchanged(header)
    return checksum


def checksum_files(paths: Sequence[Path]) -> str:
    """Return one SHA-256 of the datasets in some files; their names, order and File Meta Information do not count.

    Raises
    ------
    CTError
        ``AC-CT-007`` if a file cannot be opened.
    """
    with ThreadPoolExecutor(_THREADS) as pool:
        return hashlib.sha256("".join(sorted(pool.map(_checksum_of, paths))).encode()).hexdigest()


def _checksum_of(path: Path) -> str:
    data = read_bytes(path)
    return hashlib.sha256(data[dataset_start(data) :]).hexdigest()


def read_attributes(series: Series, keywords: Sequence[str]) -> dict[str, str]:
    """Return attributes of the first slice as text, several values joined by a backslash; empty where absent.

    Raises
    ------
    CTError
        If the file cannot be read.
    """
    path = series.slices[0].path
    tags = [int(Tag(keyword)) for keyword in keywords]
    dataset = read_dataset(path, specific_tags=[0x00080005, *tags], stop_before_pixels=True)
    with guarded(where=shown(path)):
        return {keyword: _as_text(dataset.get(keyword)) for keyword in keywords}


def _as_text(value: object) -> str:
    values = value if isinstance(value, MultiValue) else [value]
    return "\\".join("" if one is None else str(one).strip() for one in values)
