"""Checksums of the files of a series: the same content has the same ones at any path."""

from __future__ import annotations

import hashlib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from autocontour.base.jobs import Job
from autocontour.dicom.header import SliceHeader
from autocontour.dicom.pixels import check_unchanged
from autocontour.dicom.read import dataset_start, read_bytes
from autocontour.dicom.scan import Series

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
    data = read_bytes(header.path)
    check_unchanged(header)
    return hashlib.sha256(data[dataset_start(data) :]).hexdigest()
