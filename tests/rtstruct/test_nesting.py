"""One flipped bit in the length of an item or sequence must never lose a contour without a word."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.sequence import Sequence

from autocontour.base.errors import AutoContourError, StructureSetError
from autocontour.patient.structures import StructureSet
from autocontour.rtstruct import append_structures, read_structure_set, write_structure_set
from autocontour.rtstruct.read.nesting import MAX_DEPTH, check_nesting

IMPLICIT, EXPLICIT, BIG, DEFLATED = (f"1.2.840.10008.1.2{end}" for end in ("", ".1", ".2", ".1.99"))
UNDEFINED = "undefined lengths"
ENCODINGS = [IMPLICIT, EXPLICIT, BIG, DEFLATED, UNDEFINED, f"{UNDEFINED}, implicit", "UN", "private sequences"]


def encoded(data: bytes, encoding: str) -> bytes:
    """Return a structure set in another encoding."""
    dataset = dcmread(BytesIO(data))
    for element in dataset.iterall():
        assert element.value is not None or element.is_empty  # converts the raw value
        if element.VR == "SQ" and encoding.startswith(UNDEFINED):
            element.is_undefined_length = True
            for item in element.value:
                item.is_undefined_length_sequence_item = True
    if encoding == "private sequences":
        for item in dataset.StructureSetROISequence:
            add_private_sequence(item)
    uid = {UNDEFINED: EXPLICIT, f"{UNDEFINED}, implicit": IMPLICIT, "UN": EXPLICIT}.get(encoding, encoding)
    uid = IMPLICIT if encoding == "private sequences" else uid
    dataset.file_meta.TransferSyntaxUID = uid
    buffer = BytesIO()
    dcmwrite(buffer, dataset, implicit_vr=uid == IMPLICIT, little_endian=uid != BIG)
    return as_unknown(buffer.getvalue()) if encoding == "UN" else buffer.getvalue()


def add_private_sequence(item: Dataset) -> None:
    inner = Dataset()
    inner.ROIName = "inside"
    item.private_block(0x3007, "Planner", create=True).add_new(0x10, "SQ", Sequence([inner, inner]))


def as_unknown(data: bytes) -> bytes:
    """Write the ROI Contour Sequence as UN, its value in Implicit VR, as a forwarding archive does."""
    sound = dcmread(BytesIO(data))
    implicit = BytesIO()
    part = Dataset()
    part.ROIContourSequence = sound.ROIContourSequence
    dcmwrite(implicit, part, implicit_vr=True, little_endian=True)
    value = implicit.getvalue()[8:]
    place = data.index(b"\x06\x30\x39\x00SQ")
    stop = place + 12 + int.from_bytes(data[place + 8 : place + 12], "little")
    return data[:place] + b"\x06\x30\x39\x00UN\0\0" + struct.pack("<I", len(value)) + value + data[stop:]


def lengths_of(data: bytes, start: int, stop: int, *, implicit: bool) -> list[tuple[int, int]]:
    """Return the place and size of every length in a little endian dataset: an independent reading of the nesting."""
    found, place = [], start
    while place < stop:
        tag, vr = data[place : place + 4], data[place + 4 : place + 6]
        if tag[:2] == b"\xfe\xff" or implicit:
            field, size, head = place + 4, 4, 8
        elif vr in (b"SQ", b"UN", b"OB", b"UT"):
            field, size, head = place + 8, 4, 12
        else:
            field, size, head = place + 6, 2, 8
        length = int.from_bytes(data[field : field + size], "little")
        found.append((field, size))
        nested = tag == b"\xfe\xff\x00\xe0" or data[place + head : place + head + 4] == b"\xfe\xff\x00\xe0"
        place += head
        if length == 0xFFFFFFFF or (nested and length):
            implicit = implicit or vr == b"UN"
            continue  # into it
        place += length
    return found


@pytest.fixture(scope="module")
def sound(make, ct, tmp_path_factory):
    path = tmp_path_factory.mktemp("sound") / "RS.dcm"
    masks = make.masks()
    write_structure_set(make.set(ct, {name: masks[name] for name in ("Ball", "Ring", "Straw")}), ct, path)
    return path.read_bytes()


def contour_data(structure_set: StructureSet) -> list[list[str]]:
    return [
        sorted(c.data.strip() for c in (*s.carried, *(c for items in s.imported.values() for c in items)))
        for s in structure_set.structures
    ]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_encoding_is_read(encoding, sound, ct):
    data = encoded(sound, encoding)
    assert check_nesting(data) == data
    assert check_nesting(data + b"\0" * 24) == data or encoding == DEFLATED
    assert contour_data(read_structure_set(data, ct)) == contour_data(read_structure_set(sound, ct))


@pytest.mark.parametrize("encoding", [e for e in ENCODINGS if e not in (BIG, DEFLATED)])
def test_one_flipped_bit_in_a_length_is_never_silent(encoding, sound, ct):
    """Of 300 such files 78 opened with contours missing."""
    data = encoded(sound, encoding)
    whole = read_structure_set(data, ct)
    start = 132 + 12 + int.from_bytes(data[140:144], "little")
    is_implicit = encoding in (IMPLICIT, f"{UNDEFINED}, implicit", "private sequences")
    places = lengths_of(data, start, len(data), implicit=is_implicit)
    rng = np.random.default_rng(9)
    refused: list[AutoContourError] = []
    for _ in range(300):
        place, size = places[int(rng.integers(len(places)))]
        damaged = bytearray(data)
        damaged[place + int(rng.integers(size))] ^= 1 << int(rng.integers(8))
        try:
            read = read_structure_set(bytes(damaged), ct)
        except AutoContourError as error:
            refused.append(error)
        else:
            assert contour_data(read) == contour_data(whole)
            assert [s.name for s in read.structures] == [s.name for s in whole.structures]
    assert {error.code for error in refused} <= {"AC-RS-001", "AC-RS-006"}
    assert max(len(str(error)) for error in refused) < 400
    assert len(refused) > 290


@pytest.mark.parametrize("encoding", [BIG, DEFLATED])
def test_damaged_lengths_in_big_endian_and_deflated_files(encoding, sound, ct):
    data = encoded(sound, encoding)
    start = 132 + 12 + int.from_bytes(data[140:144], "little")
    body = zlib.decompress(data[start:], -zlib.MAX_WBITS) if encoding == DEFLATED else data[start:]
    tag = b"\xfe\xff\x00\xe0" if encoding == DEFLATED else b"\xff\xfe\xe0\x00"
    place, tried = body.find(tag), 0
    while place >= 0 and tried < 60:
        for bit in (1, 4):
            damaged = bytearray(body)
            damaged[place + (4 if encoding == DEFLATED else 7)] ^= 1 << bit
            packed = bytes(damaged)
            if encoding == DEFLATED:
                deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
                packed = deflate.compress(packed) + deflate.flush()
            with pytest.raises(StructureSetError, match=r"AC-RS-00[16]"):
                read_structure_set(data[:start] + packed, ct)
            tried += 1
        place = body.find(tag, place + 1)
    assert tried >= 40


def test_a_delimiter_inside_an_item_and_an_attribute_twice_are_damage(sound, ct):
    data = encoded(sound, EXPLICIT)
    place = data.index(b"\x06\x30\x42\x00CS")
    for tag in (b"\xfe\xff\x0d\xe0", b"\xfe\xff\xdd\xe0", b"\xfe\xff\x00\xe0"):
        with pytest.raises(StructureSetError, match="AC-RS-006"):
            read_structure_set(data[:place] + tag + data[place + 4 :], ct)
    twice = data[:place] + b"\x06\x30\x50\x00" + data[place + 4 :]
    with pytest.raises(StructureSetError, match="AC-RS-006"):
        read_structure_set(twice, ct)


def test_a_damaged_set_is_not_extended(sound, make, ct, tmp_path):
    """`--append` on a damaged set was a TypeError of 29 kB text."""
    path = tmp_path / "RS.dcm"
    place = sound.index(b"\xfe\xff\x00\xe0", sound.index(b"\x06\x30\x40\x00SQ"))
    damaged = bytearray(sound)
    damaged[place + 4] ^= 4
    path.write_bytes(damaged)
    new = StructureSet("NEW", (make.structure("New", 1, make.masks()["One"], ct),))
    with pytest.raises(StructureSetError, match="AC-RS-006") as caught:
        append_structures(path, new, ct)
    assert len(str(caught.value)) < 400
    assert path.read_bytes() == bytes(damaged)


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 300, 3000])
@pytest.mark.parametrize("defined", [True, False])
def test_deep_nesting_is_refused_by_code(depth, defined, sound, make, ct, tmp_path):
    """pydicom's writer doubles its error text at every level."""
    value = b""
    for _ in range(depth):
        item = b"\xfe\xff\x00\xe0" + (struct.pack("<I", len(value)) + value if defined else b"\xff" * 4 + value)
        item += b"" if defined else b"\xfe\xff\x0d\xe0\0\0\0\0"
        length = struct.pack("<I", len(item)) if defined else b"\xff" * 4
        value = b"\x40\x00\x30\xa7SQ\0\0" + length + item
        value += b"" if defined else b"\xfe\xff\xdd\xe0\0\0\0\0"
    place = sound.index(b"\x06\x30\x20\x00SQ")
    path = tmp_path / "RS.dcm"
    path.write_bytes(sound[:place] + value + sound[place:])
    with pytest.raises(StructureSetError, match="AC-RS-007"):
        read_structure_set(path, ct)
    with pytest.raises(StructureSetError, match="AC-RS-007"):
        append_structures(path, StructureSet("NEW", (make.structure("New", 1, make.masks()["One"], ct),)), ct)


def test_as_deep_as_allowed_is_kept(sound, make, ct, tmp_path):
    dataset = dcmread(BytesIO(sound))
    item = dataset.StructureSetROISequence[0]
    for _ in range(MAX_DEPTH - 2):
        inner = Dataset()
        item.RTRelatedROISequence = [inner]
        inner.RTROIRelationship = "SAME"
        item = inner
    path = tmp_path / "RS.dcm"
    dcmwrite(path, dataset)
    read = read_structure_set(path, ct)
    write_structure_set(read, ct, tmp_path / "again.dcm")
    assert contour_data(read_structure_set(tmp_path / "again.dcm", ct)) == contour_data(read)
    append_structures(path, StructureSet("NEW", (make.structure("New", 1, make.masks()["One"], ct),)), ct)
