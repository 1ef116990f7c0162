"""The journal's records: long ones are compressed in parts, and are one zlib stream all the same."""

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autocontour.case.records import PART_BYTES, compress, pack, unpack


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
