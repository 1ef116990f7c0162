"""Fast parser of the top level of a DICOM file's data elements (PS3.5 section 7.1).

Scanning thousands of files needs about thirty attributes of each and the position of its Pixel Data, and no nested
ones. The parser only reads the start of a file, does not recurse and checks every length; unusual files are left to the
full reader.
"""

from __future__ import annotations

import struct
from collections.abc import Collection
from dataclasses import dataclass
from typing import BinaryIO

PIXEL_DATA = 0x7FE00010
MODALITY_LUT = 0x00283000
UNDEFINED = 0xFFFFFFFF
PRESENT = b"present"
"""Placeholder for a sequence's value."""
MEDIA_SOP_CLASS = 0x00020002
TRANSFER_SYNTAX = 0x00020010
DICOMDIR = b"1.2.840.10008.1.3.10"
IMPLICIT_LITTLE = "1.2.840.10008.1.2"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
DEFLATED = "1.2.840.10008.1.2.1.99"
EXPLICIT_BIG = "1.2.840.10008.1.2.2"
NATIVE = frozenset({IMPLICIT_LITTLE, EXPLICIT_LITTLE, DEFLATED, EXPLICIT_BIG})
JPEG_FAMILY = "1.2.840.10008.1.2.4."
LOSSY = frozenset(JPEG_FAMILY + number for number in ("50", "51", "81", "91"))
LOSSLESS = frozenset({"1.2.840.10008.1.2.5", *(JPEG_FAMILY + number for number in ("57", "70", "80", "90"))})

_FIRST_READ = 1 << 14
_PREAMBLE = 132
_ROWS = 0x00280010
_IMAGE_GROUP = 0x0028
_RADIOTHERAPY_GROUPS = range(0x3002, 0x3012, 2)
_LONG_LENGTH = {b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"}
_SHORT_LENGTH = {
    *(b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FL", b"FD", b"IS", b"LO", b"LT"),
    *(b"PN", b"SH", b"SL", b"SS", b"ST", b"TM", b"UI", b"UL", b"US"),
}
_IMPLICIT = struct.Struct("<HHI").unpack_from
_EXPLICIT = struct.Struct("<HH2sH").unpack_from
_LENGTH = struct.Struct("<I").unpack_from


class UnusualEncodingError(Exception):
    """An encoding that only the full reader supports."""


class _NeedsMoreError(Exception):
    """The end of the part of the file that was read."""

    def __init__(self, end: int) -> None:
        self.end = end


@dataclass(frozen=True, slots=True)
class Elements:
    """Raw values of some attributes of one file, and the position of its Pixel Data.

    Attributes
    ----------
    values
        Tag → raw value; numbers little endian.
    transfer_syntax
        Transfer Syntax UID.
    pixel_offset, pixel_length
        Position of the Pixel Data's value in the file and its stated length; offset 0 if there is none, or if it needs
        the full reader.
    """

    values: dict[int, bytes]
    transfer_syntax: str
    pixel_offset: int = 0
    pixel_length: int = 0


def read_elements(file: BinaryIO, wanted: Collection[int]) -> Elements:
    """Parse a file in Little Endian up to its Pixel Data.

    Parameters
    ----------
    file
        Open at its start, unbuffered.
    wanted
        Tags whose values to keep.

    Raises
    ------
    UnusualEncodingError
        If the full reader is needed.
    """
    data = file.read(_FIRST_READ)
    while True:
        try:
            return _walk_file(data, wanted)
        except _NeedsMoreError as more:
            missing = max(len(data), more.end - len(data))
            extra = file.read(min(missing, 1 << 30))
            if not extra:
                raise UnusualEncodingError from None
            data += extra


def _walk_file(data: bytes, wanted: Collection[int]) -> Elements:
    values: dict[int, bytes] = {}
    start, syntax = _read_transfer_syntax(data, values)
    if values.get(MEDIA_SOP_CLASS, b"").rstrip(b"\0 ") == DICOMDIR:
        return Elements(values, syntax)
    if syntax in ("", DEFLATED, EXPLICIT_BIG):
        raise UnusualEncodingError
    offset, length = _walk(data, start, wanted, values, explicit=syntax != IMPLICIT_LITTLE, only_meta=False)
    return Elements(values, syntax, offset, length)


def _read_transfer_syntax(data: bytes, meta: dict[int, bytes]) -> tuple[int, str]:
    """Return the start of the dataset and its Transfer Syntax UID, for a bare dataset from its first VR."""
    if data[128:_PREAMBLE] == b"DICM":
        start, _ = _walk(data, _PREAMBLE, (MEDIA_SOP_CLASS, TRANSFER_SYNTAX), meta, explicit=True, only_meta=True)
        return start, meta.get(TRANSFER_SYNTAX, b"").rstrip(b"\0 ").decode("latin-1")
    if data[:2] == b"\x08\0" and data[3:4] == b"\0":
        return 0, EXPLICIT_LITTLE if data[4:6] in _SHORT_LENGTH else IMPLICIT_LITTLE
    raise UnusualEncodingError


def _walk(
    data: bytes, position: int, wanted: Collection[int], values: dict[int, bytes], *, explicit: bool, only_meta: bool
) -> tuple[int, int]:
    """Collect `wanted` in `values`; return the end position and the length stated there.

    Inside a sequence of undefined length `depth` is the number of open delimiters; its items of undefined length are
    traversed.
    """
    end, depth = len(data), 0
    while True:
        if position + 12 > end:
            raise _NeedsMoreError(position + 12)
        group, element, length = _IMPLICIT(data, position)
        value = position + 8
        if only_meta and group != 2:
            return position, 0
        if group == 0xFFFE:
            if depth == 0 or element not in (0xE000, 0xE00D, 0xE0DD):
                raise UnusualEncodingError
            depth -= element == 0xE0DD
            position = value if length == UNDEFINED else value + length
            continue
        if explicit:
            _, _, vr, length = _EXPLICIT(data, position)
            if vr in _LONG_LENGTH:
                length, value = _LENGTH(data, value)[0], value + 4
                if vr == b"UN" and length == UNDEFINED:
                    raise UnusualEncodingError
            elif vr not in _SHORT_LENGTH:
                raise UnusualEncodingError
        tag = group << 16 | element
        if depth == 0:
            if tag == PIXEL_DATA:
                return value, length
            if group in _RADIOTHERAPY_GROUPS or (group > _IMAGE_GROUP and _ROWS not in values):
                return 0, 0
            if tag in wanted:
                if tag == MODALITY_LUT:
                    values[tag] = PRESENT
                elif length != UNDEFINED:
                    if value + length > end:
                        raise _NeedsMoreError(value + length)
                    values[tag] = data[value : value + length]
        if length == UNDEFINED:
            depth += 1
            position = value
            continue
        position = value + length
