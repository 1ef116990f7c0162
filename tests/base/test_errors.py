"""Which exceptions are faults of the program, and which may come from a damaged file."""

import json
import re

import pytest

from autocontour.base import errors, register
from autocontour.base.errors import CTError, is_program_error
from autocontour.base.findings import Finding


def run_in_the_program(source):
    """Run a statement as if it were in a module of the program, and return what it raises."""
    try:
        exec(source, {"__name__": "autocontour.somewhere", "register": register, "Finding": Finding, "json": json})
    except Exception as error:  # noqa: BLE001
        return error
    raise AssertionError("nothing was raised")


@pytest.mark.parametrize(
    "source",
    [
        "undefined",
        "import autocontour.no_such_module",
        "register.no_such_function()",
        "Finding.no_such_method()",
        "Finding('AC-CT-001').no_such_attribute",
        "register.sentence()",
        "register.sentence('AC-CT-001', {}, 'en', wrong=1)",
        "register.sentence(1, 2, 3, 4, 5, 6)",
    ],
)
def test_a_fault_of_the_program_is_one(source):
    assert is_program_error(run_in_the_program(source))


@pytest.mark.parametrize(
    "source",
    [
        "None.value",
        "'text'.items()",
        "float(None)",
        "len(5)",
        "[][3]",
        "{}['key']",
        "int('x')",
        "json.loads('{')",
        "3 + 'x'",
        "raise AttributeError('as libraries raise it')",
        "raise RecursionError",
        "assert False",
    ],
)
def test_what_a_damaged_file_can_cause_is_not_one(source):
    assert not is_program_error(run_in_the_program(source))


def test_the_same_fault_in_a_library_may_come_from_a_file():
    with pytest.raises(TypeError) as wrong_call:
        re.compile()
    with pytest.raises(NameError) as undefined:
        exec("undefined", {"__name__": "pydicom.filereader"})
    assert not is_program_error(wrong_call.value)
    assert not is_program_error(undefined.value)
    assert not is_program_error(CTError("AC-CT-001", count=1, files=""))
    assert not is_program_error(NameError("raised nowhere"))
    assert errors.OWN == "autocontour."
