"""Contour Data (3006,0050) between numpy and decimal strings, many contours at once.

Most of a structure set consists of these strings; formatting them value by value is slow.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from autocontour.base.errors import OutputError
from autocontour.patient.geometry import Floats

Ints = NDArray[np.int64]
Bytes = NDArray[np.uint8]

MAX_DECIMAL_STRING = 16
"""Characters that a value of VR DS may have (PS3.5 table 6.2-1); Eclipse rejects longer ones."""
DECIMALS = 3
OBLIQUE_DECIMALS = 4
"""If no coordinate is constant over a contour, one more decimal keeps its points in the plane within 0.0002 mm."""
_INTEGER_DIGITS = 5
_EXACT_DIGITS = 15
"""Digits of an integer that a float represents exactly."""
_TEN_TO = 10 ** np.arange(_EXACT_DIGITS + 1, dtype=np.int64)
_ZERO, _DOT, _MINUS, _BACKSLASH = b"0.-\\"


def format_contour_data(points_lps_mm: Floats, starts: Ints) -> list[bytes]:
    """Write every contour's points as a Contour Data value, padded to even length.

    Parameters
    ----------
    points_lps_mm
        (n, 3) points of all contours, one after another.
    starts
        Index of the first point of every contour; no contour is empty.

    Returns
    -------
    list of bytes
        One value per contour. Coordinates are rounded to 0.001 mm; the one that is constant over every contour, as z is
        on axial slices, is written as exactly as 16 characters allow.
    """
    if not len(starts):
        return []
    if not np.all(np.abs(points_lps_mm) < 10**_INTEGER_DIGITS):
        raise OutputError("AC-OUT-101")
    lengths = np.diff(starts, append=len(points_lps_mm))
    lowest, highest = np.minimum.reduceat(points_lps_mm, starts), np.maximum.reduceat(points_lps_mm, starts)
    constant = np.all(lowest == highest, axis=0)
    decimals = DECIMALS if constant.any() else OBLIQUE_DECIMALS
    columns = [
        np.repeat(_exact_characters(lowest[:, axis]), lengths, axis=0)
        if constant[axis]
        else _rounded_characters(points_lps_mm[:, axis], decimals)
        for axis in range(3)
    ]
    return _join(np.concatenate(columns, axis=1), starts)


def parse_contour_data(data: bytes) -> Floats | None:
    """Read a Contour Data value as (n, 3) points; None if it is not a list of whole, finite points."""
    return parse_many([data])[0]


def parse_many(data: Sequence[bytes]) -> list[Floats | None]:
    """Read the Contour Data values of many contours, all at once if they are plain numbers."""
    texts = [value.strip(b" \0") for value in data]
    counts = [text.count(b"\\") + 1 for text in texts]
    values = _parse_plain(b"\\".join(texts))
    if values is None:
        parts = [_parse_any(text, count) for text, count in zip(texts, counts, strict=True)]
    else:
        stops = list(accumulate(counts))
        parts = [values[stop - count : stop] for stop, count in zip(stops, counts, strict=True)]
    return [None if part is None or len(part) % 3 else part.reshape(-1, 3) for part in parts]


def shorten_values(data: bytes) -> bytes:
    """Shorten the values that are too long for DS; the others are unchanged."""
    if longest_value(data) <= MAX_DECIMAL_STRING:
        return data
    values = data.strip(b" \0").split(b"\\")
    return pad(b"\\".join(v if len(v) <= MAX_DECIMAL_STRING else decimal_string(float(v)) for v in values))


def longest_value(data: bytes) -> int:
    """Return the length of the longest value, without the padding at the ends."""
    return max(map(len, data.strip(b" \0").split(b"\\")))


def decimal_string(value: float) -> bytes:
    """Write a number as exactly as the 16 characters of VR DS allow."""
    text = repr(value + 0.0)
    text = text.removesuffix(".0")
    digits = MAX_DECIMAL_STRING
    while len(text) > MAX_DECIMAL_STRING:
        text = f"{value:.{digits}g}"
        digits -= 1
    return text.encode()


def pad(value: bytes) -> bytes:
    """Pad a text value to even length."""
    return value + b" " if len(value) % 2 else value


def _parse_any(text: bytes, count: int) -> Floats | None:
    """Read numbers of any form, also with blanks around them; None if they are not `count` finite ones."""
    if b"_" in text:
        return None
    try:
        values = np.fromstring(text.decode("latin-1"), sep="\\")
    except ValueError:
        return None
    return values if len(values) == count and np.isfinite(values).all() else None


def _parse_plain(text: bytes) -> Floats | None:
    """Read numbers of only sign, digits and point, all at once; None if there is any other.

    Every number is the exact integer of its digits divided by an exact power of ten, hence the nearest float there is.
    """
    characters = np.frombuffer(text + b"\\", dtype=np.uint8)
    ends = np.flatnonzero(characters == _BACKSLASH)
    starts = np.append(0, ends[:-1] + 1)
    is_digit = (characters - np.uint8(_ZERO)) < 10
    counts = np.add.reduceat(is_digit, starts, dtype=np.int64)
    points = np.flatnonzero(characters == _DOT)
    negative = characters[starts] == _MINUS
    with_point = np.searchsorted(ends, points)
    others = len(characters) - len(ends) - len(points) - np.count_nonzero(negative) - int(counts.sum())
    if others or counts.min() < 1 or counts.max() > _EXACT_DIGITS or np.any(np.diff(with_point) == 0):
        return None
    decimals = np.zeros(len(ends), dtype=np.int64)
    decimals[with_point] = ends[with_point] - points - 1
    last = np.cumsum(counts)
    place = np.repeat(last, counts) - np.arange(1, last[-1] + 1)
    digits = characters[is_digit].astype(np.int64) - _ZERO
    whole = np.add.reduceat(digits * _TEN_TO[place], last - counts)
    values: Floats = np.where(negative, -whole, whole) / 10.0**decimals
    return values


def _exact_characters(values: Floats) -> Bytes:
    """Return (n, 17) characters of each value and a backslash, zero where there is none."""
    texts = np.array([decimal_string(value) + b"\\" for value in values.tolist()], dtype="S17")
    return texts.view(np.uint8).reshape(len(values), 17)


def _rounded_characters(values: Floats, decimals: int) -> Bytes:
    """Return the characters of each rounded value and a backslash, zero where there is none.

    Sign, integer digits without leading zeros, and decimals without trailing zeros.
    """
    scaled = np.rint(values * 10**decimals).astype(np.int64)
    digits = _INTEGER_DIGITS + 1 + decimals
    characters = np.zeros((len(values), 1 + digits + 1 + 1), dtype=np.uint8)
    rest, nonzero_after = np.abs(scaled), np.zeros(len(values), dtype=bool)
    for place in range(decimals):
        rest, digit = np.divmod(rest, 10)
        nonzero_after |= digit != 0
        characters[:, -2 - place] = np.where(nonzero_after, digit + _ZERO, 0)
    point = 1 + digits - decimals
    characters[:, point] = np.where(nonzero_after, _DOT, 0)
    column = point - 1
    characters[:, column] = rest % 10 + _ZERO
    while (rest := rest // 10).any():
        column -= 1
        characters[:, column] = np.where(rest > 0, rest % 10 + _ZERO, 0)
    characters[:, 0] = np.where(scaled < 0, _MINUS, 0)
    characters[:, -1] = _BACKSLASH
    return characters


def _join(characters: Bytes, starts: Ints) -> list[bytes]:
    """Join the rows of characters, one value per contour, without its last backslash."""
    kept = characters != 0
    ends = np.append(np.cumsum(kept.sum(axis=1))[np.append(starts[1:], len(kept)) - 1], 0)
    text = characters[kept].tobytes()
    begins = [0, *ends[:-2].tolist()]
    return [pad(text[a : b - 1]) for a, b in zip(begins, ends[:-1].tolist(), strict=True)]
