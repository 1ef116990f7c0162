"""Check of the lengths of a file's sequences and items (PS3.5 section 7.5), before it is read with pydicom.

With a wrong length, pydicom continues at a wrong position without an error: a structure set is then read with fewer
contours than it has. Here every element must be inside its item, the elements of an item must fill it, the items of a
sequence must fill the sequence, and the elements of the dataset the file.
"""

from __future__ import annotations

import re
import zlib
from functools import cache
from struct import Struct
from typing import NoReturn

from pydicom._dicom_dict import DicomDictionary
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian

from autocontour.base.errors import StructureSetError
from autocontour.dicom.read import INFLATED_LIMIT

DAMAGED, LENGTHS, TOO_DEEP, CANNOT_OPEN = "AC-RS-001", "AC-RS-006", "AC-RS-007", "AC-RS-009"
MAX_DEPTH = 16
"""Sequences within sequences; those of the standard need five. pydicom uses exponentially more memory for an error in
deeper ones."""
_UNDEFINED = 0xFFFFFFFF
_DELIMITERS, _ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFE, 0xE000, 0xE00D, 0xE0DD
_SHORT = {b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS", b"LO", b"LT", b"PN", b"SH", b"SL"}
_SHORT |= {b"SS", b"ST", b"TM", b"UI", b"UL", b"US"}
_LONG = {b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"}
_PLAIN = {b"AE", b"AS", b"CS", b"DA", b"DS", b"DT", b"IS", b"TM", b"UI"}
"""Value representations of a few ASCII characters: a NUL can only be padding at the end."""
_TEXT = {b"LO", b"LT", b"PN", b"SH", b"ST", b"UC", b"UT"}
_HEADER_IN_TEXT = re.compile(rb"[\x00-\x30][\x00\x30]..(?:[A-Z]{2}|..\x00\x00)", re.DOTALL)
"""Form of a data element's tag and length within text."""
_GROUP_BACKWARDS = 0x0400
"""Group 0004, read in the wrong byte order; the groups before it are not in a structure set."""
_ITEM_TAGS = {"<": b"\xfe\xff\x00\xe0", ">": b"\xff\xfe\xe0\x00"}


def check_nesting(data: bytes) -> bytes:
    """Reject a DICOM file with inconsistent lengths.

    Parameters
    ----------
    data
        The file.

    Returns
    -------
    bytes
        The file without zeros that pad its end.

    Raises
    ------
    StructureSetError
        ``AC-RS-001`` if it is truncated, ``AC-RS-006`` if a length contradicts another or an attribute occurs twice in
        one item with different values, ``AC-RS-007`` if its sequences are nested too deeply.
    """
    start, syntax = _read_meta(data)
    if syntax == DeflatedExplicitVRLittleEndian:
        _walk(_inflated(data[start:]), 0, "<")
        return data
    is_big = _is_big_endian(data, start) if syntax is None else syntax == ExplicitVRBigEndian
    return data[: _walk(data, start, ">" if is_big else "<")]


def _read_meta(data: bytes) -> tuple[int, str | None]:
    """Return the start of the dataset, and the Transfer Syntax UID of the File Meta Information (PS3.10 7.1)."""
    place, syntax = (132 if data[128:132] == b"DICM" else 0), None
    while data[place : place + 2] == b"\x02\x00":
        vr = data[place + 4 : place + 6]
        if vr in _LONG:
            start, length = place + 12, int.from_bytes(data[place + 8 : place + 12], "little")
        elif vr in _SHORT:
            start, length = place + 8, int.from_bytes(data[place + 6 : place + 8], "little")
        else:
            _refuse(LENGTHS, place)
        if start + length > len(data):
            _refuse(DAMAGED, place)
        if data[place : place + 4] == b"\x02\x00\x10\x00":
            syntax = data[start : start + length].decode("latin-1").strip(" \0")
        place = start + length
    return place, syntax


def _is_big_endian(data: bytes, start: int) -> bool:
    """Whether pydicom treats a dataset without File Meta Information as big endian: by its first group's number."""
    is_explicit = data[start + 4 : start + 6] in _SHORT | _LONG
    return is_explicit and int.from_bytes(data[start : start + 2], "little") >= _GROUP_BACKWARDS


def _inflated(data: bytes) -> bytes:
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        found = inflate.decompress(data, INFLATED_LIMIT)
    except zlib.error as fault:
        raise _fault(DAMAGED, 0) from fault
    if not inflate.eof:
        _refuse(DAMAGED, 0)
    return found


def _walk(data: bytes, start: int, order: str) -> int:
    """Visit every element of the dataset once; return its end.

    The open sequences and items are on a stack. Each has its end, whether a delimiter must close it, whether it
    contains items or elements, whether its elements are Implicit VR, and the positions of its values.
    """
    short_header, long_length = Struct(f"{order}HHI").unpack_from, Struct(f"{order}I").unpack_from
    short_length, item_tag = Struct(f"{order}H").unpack_from, _ITEM_TAGS[order]
    kinds = _kinds()
    stack: list[tuple[int, bool, bool, bool, dict[int, tuple[int, int]]]] = []
    place, end, delimited, items, seen = start, len(data), False, False, dict[int, tuple[int, int]]()
    implicit = not _has_letters(data, place)
    while True:
        if place == end and not delimited:
            if not stack:
                return place
            end, delimited, items, implicit, seen = stack.pop()
            continue
        if not stack and not data[place : place + 4].strip(b"\0") and not data[place:].strip(b"\0"):
            return place
        if place + 8 > end:
            _refuse(DAMAGED if end == len(data) else LENGTHS, place)
        group, element, length = short_header(data, place)
        if group == _DELIMITERS:
            if items and element == _ITEM:
                stack.append((end, delimited, items, implicit, seen))
                place, items, seen = place + 8, False, {}
                delimited = length == _UNDEFINED
                if not delimited:
                    end = _end(place, length, end, data)
                implicit = implicit or not _has_letters(data, place)
                continue
            if delimited and not length and element == (_SEQUENCE_END if items else _ITEM_END):
                place += 8
                end, delimited, items, implicit, seen = stack.pop()
                continue
            _refuse(LENGTHS, place)
        if items:
            _refuse(LENGTHS, place)
        tag = group << 16 | element
        if implicit:
            vr, place = kinds.get(tag, b"UN"), place + 8
        else:
            vr = data[place + 4 : place + 6]
            if vr in _SHORT:
                (length,), place = short_length(data, place + 6), place + 8
            elif vr in _LONG and place + 12 <= end:
                (length,), place = long_length(data, place + 8), place + 12
            else:
                _refuse(LENGTHS, place)
        if length == _UNDEFINED and vr in {b"OB", b"OW"}:
            place = _after_fragments(data, place, end, order)
            continue
        if length == _UNDEFINED:
            if vr not in {b"SQ", b"UN"}:
                _refuse(LENGTHS, place)
            inside, is_sequence = end, True
        else:
            inside = _end(place, length, end, data)
            is_sequence = vr == b"SQ" or (vr == b"UN" and _holds_items(data, place, length, tag, item_tag, kinds))
        if tag in seen and (is_sequence or data[place:inside] != data[slice(*seen[tag])]):
            _refuse(LENGTHS, place)
        seen[tag] = place, inside
        if is_sequence:
            if len(stack) >= 2 * MAX_DEPTH:
                _refuse(TOO_DEEP, place)
            stack.append((end, delimited, items, implicit, seen))
            end, delimited, items, seen = inside, length == _UNDEFINED, True, {}
            continue
        if length and (vr in _PLAIN or vr in _TEXT):
            value = data[place:inside].rstrip(b"\0 ")
            if b"\0" in value and (vr in _PLAIN or _HEADER_IN_TEXT.search(value)):
                _refuse(LENGTHS, place)
        place = inside


def _after_fragments(data: bytes, place: int, end: int, order: str) -> int:
    """Return the end of encapsulated pixels (PS3.5 A.4): an image must be recognised as an image, not as damaged."""
    header = Struct(f"{order}HHI").unpack_from
    element = _ITEM
    while element != _SEQUENCE_END:
        if place + 8 > end:
            _refuse(DAMAGED, place)
        group, element, length = header(data, place)
        if group != _DELIMITERS or element not in {_ITEM, _SEQUENCE_END}:
            _refuse(LENGTHS, place)
        place = _end(place + 8, length, end, data)
    return place


def _has_letters(data: bytes, place: int) -> bool:
    """Whether an element has a value representation; pydicom also uses the first element for this."""
    first, second = data[place + 4 : place + 5], data[place + 5 : place + 6]
    return b"A" <= first <= b"Z" and b"A" <= second <= b"Z"


def _holds_items(data: bytes, place: int, length: int, tag: int, item_tag: bytes, kinds: dict[int, bytes]) -> bool:
    """Whether a value of unknown representation is a sequence: by its tag, or by its first bytes."""
    return length > 0 and (kinds.get(tag) == b"SQ" or (length >= 8 and data[place : place + 4] == item_tag))


def _end(place: int, length: int, end: int, data: bytes) -> int:
    """Return the end of a value, which must be within its item or sequence."""
    if place + length > end:
        _refuse(DAMAGED if end == len(data) else LENGTHS, place)
    return place + length


@cache
def _kinds() -> dict[int, bytes]:
    """Return the value representation of every tag of the standard's dictionary."""
    return {tag: entry[0].encode()[:2] for tag, entry in DicomDictionary.items()}


def _refuse(code: str, place: int) -> NoReturn:
    raise _fault(code, place)


def _fault(code: str, place: int) -> StructureSetError:
    return StructureSetError(code, place=place, limit=MAX_DEPTH)
