from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autocontour.base.errors import OutputError
from autocontour.rtstruct.contour_data import decimal_string, format_contour_data, parse_contour_data, shorten_values

numbers = st.floats(-99999, 99999, allow_nan=False)


@given(st.lists(st.tuples(numbers, numbers, numbers), min_size=1, max_size=8), st.integers(1, 8))
def test_what_is_written_reads_back(points, split):
    array = np.array(points)
    starts = np.unique([0, min(split, len(points) - 1)])
    texts = format_contour_data(array, starts)
    assert all(len(text) % 2 == 0 for text in texts)
    values = [value for text in texts for value in text.decode().strip().split("\\")]
    assert max(map(len, values)) <= 16
    assert np.allclose(np.array(values, dtype=float).reshape(-1, 3), array, rtol=0, atol=0.000501)


def test_the_constant_coordinate_is_exact():
    z = -123.456789
    points = np.array([[1.23456, 2.0, z], [3.5, -4.00049, z], [0.0, -0.0004, z]])
    (text,) = format_contour_data(points, np.array([0]))
    assert text.strip() == rb"1.235\2\-123.456789\3.5\-4\-123.456789\0\0\-123.456789"


def test_far_away_points_are_refused():
    with pytest.raises(OutputError, match="AC-OUT-101"):
        format_contour_data(np.full((3, 3), 1e5), np.array([0]))
    with pytest.raises(OutputError, match="AC-OUT-101"):
        format_contour_data(np.full((3, 3), np.nan), np.array([0]))


@given(st.floats(-1e15, 1e15))
def test_decimal_string_is_as_exact_as_sixteen_characters_allow(value):
    text = decimal_string(value).decode()
    assert len(text) <= 16
    assert float(text) == pytest.approx(value, rel=1e-8)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"  ",
        rb"1\2",
        rb"1\\3",
        rb"a\2\3",
        rb"1\2\3" + b"\\",
        rb"nan\1\2",
        rb"1e999\1\2",
        rb"1_0\2\3",
        b"\xff\\2\\3",
    ],
)
def test_damaged_data_is_no_list_of_points(data):
    assert parse_contour_data(data) is None


def test_padding_and_blanks_are_allowed():
    assert parse_contour_data(b" 1.5 \\ -2e1\\+3 \0").tolist() == [[1.5, -20.0, 3.0]]


def test_only_long_values_are_shortened():
    data = rb"1.50\2.123456789012345678\3.0 "
    assert shorten_values(data) == rb"1.50\2.12345678901235\3.0 "
    assert shorten_values(b"1.50\\2\\3.0") == b"1.50\\2\\3.0"
