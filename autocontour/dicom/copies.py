"""Duplicates of images in a folder."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from autocontour.base.errors import CTError
from autocontour.base.findings import Finding
from autocontour.dicom.header import SliceHeader
from autocontour.dicom.read import dataset_start, read_bytes
from autocontour.dicom.wording import shown

COPIES = "AC-CT-004"
CONFLICTING_COPIES = "AC-CT-005"


def drop_copies(slices: Sequence[SliceHeader]) -> tuple[list[SliceHeader], list[Finding]]:
    """Keep one of several files with the same SOP Instance UID and the same content.

    Returns
    -------
    list of SliceHeader, list of Finding
        The kept files, in the order given, and findings: files with the same UID and different contents block the
        series.
    """
    by_uid: dict[str, list[SliceHeader]] = defaultdict(list)
    for header in slices:
        by_uid[header.sop_instance_uid].append(header)
    kept: list[SliceHeader] = []
    dropped: list[SliceHeader] = []
    conflicting: list[SliceHeader] = []
    for uid, same in by_uid.items():
        kept.append(same[0])
        for other in same[1:]:
            if uid and _have_same_content(same[0], other):
                dropped.append(other)
            else:
                kept.append(other)
                conflicting += [other] if uid else []
    return kept, [*_say_dropped(dropped), *_say_conflicting(conflicting)]


def _have_same_content(a: SliceHeader, b: SliceHeader) -> bool:
    """Whether two files hold the same dataset; the File Meta Information may differ, as copying programs rewrite it."""
    try:
        first, second = read_bytes(a.path), read_bytes(b.path)
    except CTError:
        return False
    return first[dataset_start(first) :] == second[dataset_start(second) :]


def _say_dropped(files: Sequence[SliceHeader]) -> list[Finding]:
    if not files:
        return []
    return [Finding.of(COPIES, shown(files[0].path), count=len(files))]


def _say_conflicting(files: Sequence[SliceHeader]) -> list[Finding]:
    if not files:
        return []
    return [Finding.of(CONFLICTING_COPIES, shown(files[0].path), count=len(files))]
