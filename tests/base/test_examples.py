"""The examples in the docstrings of the public modules give what they show."""

import doctest
from importlib import import_module

import pytest

MODULES = (
    "base.register",
    "base.typed",
    "contouring.between",
    "contouring.coverage",
    "contouring.islands",
    "contouring.isoline",
    "contouring.margins",
    "contouring.measure",
    "contouring.raster",
    "contouring.trace",
    "edits.polygons",
    "patient.geometry",
    "qa.metrics",
    "rtstruct.read.reader",
)


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    failed, attempted = doctest.testmod(import_module(f"autocontour.{name}"), optionflags=options)
    assert attempted
    assert not failed
