"""Consistency of the slices of a series: one acquisition, one reconstruction, one order."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence

import numpy as np

from autocontour.base.findings import Finding
from autocontour.dicom.header import ACQUISITION, TIMES, SliceHeader
from autocontour.dicom.placement import Floats

INTERLEAVED = "AC-CT-037"
JOINED = "AC-CT-038"
POSITION_CONTRADICTS = "AC-CT-049"
OTHER_END_FIRST = "AC-CT-051"
NUMBER_OUT_OF_STEP = "AC-CT-052"
LOCATION_OUT_OF_STEP = "AC-CT-053"

_FREE_TEXT = {"Image Type", "Series Description", "Protocol Name", "Image Comments", "Scan Options", "Trigger Time"}
_PAUSE_S = 1.0
_LONG_PAUSE_S = 20.0
_MOST_PARTS = 8
_LOCATION_TOLERANCE_MM = 0.6
_FACING = {"S": ("y", 1.0), "P": ("y", -1.0), "DR": ("x", 0.0), "DL": ("x", 0.0)}


def check_acquisitions(slices: Sequence[SliceHeader]) -> Iterator[Finding]:
    """Detect several acquisitions or reconstructions in one series.

    Parameters
    ----------
    slices
        In spatial order. Values that alternate along it are interleaved; values that change once indicate parts joined
        end to end. A different value in every slice is ignored, and so are parts of equal length, the rotations of an
        axial scan.
    """
    if len({(s.acquisition, s.times) for s in slices}) == 1:
        return
    interleaved: list[str] = []
    joined: dict[str, list[int]] = {}
    for index, name in enumerate(ACQUISITION):
        stated = [s.acquisition[index] for s in slices]
        if len(set(stated)) == 1:
            continue
        plain = {value: _plain(value) for value in set(stated)}
        values = [plain[value] for value in stated]
        runs = _runs(values)
        if len(runs) > len(set(values)):
            if name not in _FREE_TEXT or len(runs) > len(slices) / 4:
                interleaved.append(name)
        elif name not in _FREE_TEXT and _are_parts(runs, len(slices)):
            joined[name] = runs
    for index, name in enumerate(TIMES):
        stated = [s.times[index] for s in slices]
        if len(set(stated)) == 1:
            continue
        seconds = [_seconds(value) for value in stated]
        known = [second for second in seconds if second is not None]
        if len(known) < len(slices):
            continue
        bursts = _bursts(known, _PAUSE_S)
        if len(_runs(bursts)) >= len(set(bursts)) + max(3, len(slices) / 10):
            interleaved.append(name)
            continue
        runs = _runs(parts := _bursts(known, _LONG_PAUSE_S))
        if 2 <= len(runs) == len(set(parts)) <= _MOST_PARTS and _are_parts(runs, len(slices)):
            joined[name] = runs
    if interleaved:
        yield Finding.of(INTERLEAVED, attributes=", ".join(interleaved))
    elif joined:
        starts = sorted({start for runs in joined.values() for start in runs[1:]})
        meets = {index for start in starts for index in (start - 1, start)}
        yield Finding.of(JOINED, slices=meets, count=len(starts) + 1, attributes=", ".join(joined))


def check_order(slices: Sequence[SliceHeader], positions_mm: Floats, direction: Floats) -> Iterator[Finding]:
    """Compare the positions with other attributes about position and order."""
    yield from _check_patient_position(slices[0].patient_position, direction)
    yield from _check_numbers([s.instance_number for s in slices])
    locations = [s.slice_location_mm for s in slices]
    known = np.array([mm for mm in locations if mm is not None])
    if len(known) == len(slices) > 1 and np.ptp(known) > 0:
        yield from _check_locations(known, positions_mm)


def _check_patient_position(position: str, direction: Floats) -> Iterator[Finding]:
    """Compare Patient Position (PS3.3 C.7.3.1.1.2) with the image's columns, which run down the gantry.

    Feet-first scans are often stored as head first; that alone is not a contradiction.
    """
    if position[:2] not in ("HF", "FF") or position[2:] not in _FACING:
        return
    axis, sign = _FACING[position[2:]]
    down = direction[:, 1]
    is_along = int(np.abs(down).argmax()) == "xyz".index(axis)
    if not is_along or down["xyz".index(axis)] * sign < 0:
        yield Finding.of(POSITION_CONTRADICTS, position=position)
    elif (direction[2, 2] > 0) != position.startswith("HF"):
        yield Finding.of(OTHER_END_FIRST, position=position)


def _check_numbers(numbers: Sequence[int]) -> Iterator[Finding]:
    steps = np.diff(np.array(numbers, dtype=np.float64))
    if len(steps) < 2 or not steps.any():
        return
    forward = 1 if (steps > 0).sum() >= (steps < 0).sum() else -1
    off = np.flatnonzero(steps * forward <= 0)
    if len(off):
        yield Finding.of(NUMBER_OUT_OF_STEP, slices=np.union1d(off, off + 1).tolist(), count=len(off))


def _check_locations(locations_mm: Floats, positions_mm: Floats) -> Iterator[Finding]:
    """Slice Location is relative (PS3.3 C.7.6.2.1.2): its origin and sign are free."""
    differences = []
    for sign in (1.0, -1.0):
        difference = locations_mm - sign * positions_mm
        differences.append(np.abs(difference - np.median(difference)))
    difference = min(differences, key=lambda values: float(np.sum(values > _LOCATION_TOLERANCE_MM)))
    off = np.flatnonzero(difference > _LOCATION_TOLERANCE_MM)
    if len(off):
        worst = float(difference.max())
        yield Finding.of(LOCATION_OUT_OF_STEP, slices=off.tolist(), count=len(off), difference_mm=worst)


def _plain(value: bytes) -> str | float:
    """Return a value without differences of notation."""
    text = value.strip(b" \0").decode("latin-1")
    try:
        return round(float(text), 2)
    except ValueError:
        return text


def _runs(values: Sequence[object]) -> list[int]:
    """Return the start of each run of equal values."""
    return [index for index in range(len(values)) if index == 0 or values[index] != values[index - 1]]


def _are_parts(runs: Sequence[int], count: int) -> bool:
    """Whether runs are parts of a scan, not single slices and not the equal steps of an axial scan."""
    lengths = np.diff([*runs, count])
    if len(runs) < 2 or count < 2 * len(runs):
        return False
    return len(runs) == 2 or len(set(lengths[1:-1].tolist())) > 1 or max(lengths[0], lengths[-1]) > lengths[1]


def _bursts(seconds: Sequence[float], pause_s: float) -> list[int]:
    """Return the number of the group of each time; groups are separated by pauses."""
    times = np.array(seconds)
    order = times.argsort(kind="stable")
    numbers = np.empty(len(times), int)
    numbers[order] = np.concatenate([[0], np.cumsum(np.diff(times[order]) > pause_s)])
    return [int(number) for number in numbers]


def _seconds(value: bytes) -> float | None:
    """Seconds of a TM or DT value (PS3.5 6.2); None if there is none."""
    text = re.split(r"[-+&]", value.strip(b" \0").decode("latin-1").replace(":", ""))[0]
    days, clock = (text[6:8], text[8:]) if len(text.split(".")[0]) >= 12 else ("0", text)
    try:
        seconds = int(clock[:2]) * 3600 + int(clock[2:4] or 0) * 60 + float(clock[4:] or 0)
        return int(days) * 86400 + seconds if math.isfinite(seconds) else None
    except ValueError:
        return None
