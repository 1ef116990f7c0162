"""The journal's records: long ones are compressed in parts, and are one zlib stream all the same."""

import zlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely import MultiPolygon, Point

from autocontour.case import Edit
from autocontour.case.records import PART_BYTES, compress, decode_edit, encode_ahead, pack, pack_change, unpack


@pytest.mark.parametrize("size", [0, 1, PART_BYTES, PART_BYTES + 1, 3 * PART_BYTES, 3 * PART_BYTES + 17])
def test_every_length_is_read_back_by_plain_zlib(size):
    data = bytes(range(256)) * (size // 256) + bytes(size % 256)
    assert zlib.decompress(compress(data)) == data


@given(st.binary(max_size=300), st.integers(1, 4))
def test_any_content_is_read_back(part, count):
    data = (part or b"x") * (count * PART_BYTES // max(len(part), 1))
    assert zlib.decompress(compress(data)) == data


def test_a_flipped_bit_in_a_long_record_is_found():
    payload = bytearray(pack({"words": "abc" * PART_BYTES}))
    payload[len(payload) // 2] ^= 16
    with pytest.raises((zlib.error, ValueError)):
        unpack(bytes(payload))


def test_a_long_record_is_read_back():
    record = {"numbers": list(range(200_000))}
    assert unpack(pack(record)) == record


@pytest.mark.parametrize("count", [1, 400])
def test_an_edit_that_was_encoded_ahead_is_written_as_any_other(count):
    contours = {1: {z: MultiPolygon([Point(z, 0).buffer(20, quad_segs=60)]) for z in range(count)}}
    edit, reviews = Edit("Brush", contours), {1: ("unapproved", False)}
    plain = pack_change("edit", 1.5, edit, reviews)
    encode_ahead(edit)
    ahead = pack_change("edit", 1.5, edit, reviews)
    assert unpack(ahead) == unpack(plain)
    assert decode_edit(unpack(ahead)["edit"]) == edit
    other = replace(edit, label="Push")
    assert unpack(pack_change("edit", 0.0, other, reviews))["edit"]["label"] == "Push"
