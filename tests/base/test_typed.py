"""Settings: every problem of a file at once, each with its path; nothing is taken for something else."""

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Annotated, ClassVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autocontour.base.limits import FileName, Keys, Length, OneOf, Range, Rising, Text, Unique
from autocontour.base.typed import SettingsError, build, read_json, read_toml


@dataclass(frozen=True)
class Stage:
    spacing_mm: tuple[float, float, float]
    batch: Annotated[int, Range(1, 64)] = 2
    focus: Annotated[str, OneOf(("body", "structures"))] = "body"
    windows: tuple[Annotated[tuple[float, float], Rising()], ...] = ()
    weights: dict[str, Annotated[float, Range(0, 1)]] = field(default_factory=dict)
    whole: bool = True
    note: str | None = None


@dataclass(frozen=True)
class Config:
    names: Annotated[tuple[Annotated[str, Text(8)], ...], Length(1, 3), Unique()]
    stages: Annotated[dict[str, Stage], Keys(FileName())]


@dataclass(frozen=True)
class Open:
    open_keys: ClassVar[bool] = True
    number: float = 1.0


def problems(kind, content):
    with pytest.raises(SettingsError) as refused:
        build(kind, content)
    return {problem.where: problem.code for problem in refused.value.problems}


def test_every_problem_of_a_file_is_listed_with_its_path():
    content = {
        "names": ["A", "a", 3, "far too long"],
        "stages": {
            "../x": {"spacing_mm": [1, 2, 3]},
            "fine": {
                "spacing_mm": [1, 2], "batch": "one", "focus": "bodi", "windows": [[2, 1], [0, 1]],
                "weights": {"Larynx": 2, "an odd\u202e key": 0}, "whole": 1, "note": 3, "bath": 1,
            },
            "empty": {},
        },
        "more": 1,
    }  # fmt: skip
    assert problems(Config, content) == {
        "names[1]": "AC-CFG-015",
        "names[2]": "AC-CFG-007",
        "names[3]": "AC-CFG-011",
        "names": "AC-CFG-014",
        "stages.'../x'": "AC-CFG-013",
        "stages.fine.spacing_mm": "AC-CFG-029",
        "stages.fine.batch": "AC-CFG-005",
        "stages.fine.focus": "AC-CFG-010",
        "stages.fine.windows[0]": "AC-CFG-016",
        "stages.fine.weights.Larynx": "AC-CFG-009",
        "stages.fine.whole": "AC-CFG-004",
        "stages.fine.note": "AC-CFG-007",
        "stages.fine.bath": "AC-CFG-002",
        "stages.empty.spacing_mm": "AC-CFG-017",
        "more": "AC-CFG-002",
    }


def test_a_sound_file_becomes_typed():
    content = {"names": ["A"], "stages": {"one": {"spacing_mm": [1, 2, 3.5], "weights": {"A": 1}}}}
    assert build(Config, content) == Config(("A",), {"one": Stage((1.0, 2.0, 3.5), weights={"A": 1.0})})
    assert build(Open, {"number": 2, "other": []}) == Open(2.0)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf"), True, "1", None, [1], 10**400])
def test_what_is_not_a_finite_number_is_refused(number):
    assert problems(Open, {"number": number}) == {"number": "AC-CFG-006"}


@pytest.mark.parametrize("count", [2.0, True, "2", None])
def test_a_whole_number_is_not_taken_from_something_else(count):
    assert problems(Stage, {"spacing_mm": [1, 1, 1], "batch": count}) == {"batch": "AC-CFG-005"}


@pytest.mark.parametrize("value", [None, 3, "abc", [1]])
def test_a_table_is_a_table_and_a_list_a_list(value):
    assert problems(Config, value) == {"": "AC-CFG-003"}
    found = problems(Config, {"names": {}, "stages": value})
    assert found == {"names": "AC-CFG-008", "stages": "AC-CFG-003"}


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "a/b", "a\\b", "/etc", "C:x", ".hidden", "end.", "nul", "COM1.txt", "a b", "x" * 65]
)
def test_names_that_are_not_file_names(name):
    assert [problem.code for problem in FileName().problems(name)] == ["AC-CFG-013"]


@pytest.mark.parametrize("name", ["head-and-neck", "1.1.0", "train", "a_b+c", "Nullius"])
def test_names_that_are_file_names(name):
    assert not list(FileName().problems(name))


def test_text_without_control_characters():
    assert [problem.code for problem in Text(8).problems("a\nb")] == ["AC-CFG-012"]
    assert [problem.code for problem in Text(8).problems("a\u202eb")] == ["AC-CFG-012"]
    assert [problem.code for problem in Text(8).problems("  ")] == ["AC-CFG-011"]
    assert not list(Text(8).problems("뇌간 L"))


@pytest.mark.parametrize("data", [b"no toml", b"\xff", b"a = 1\na = 2", b"x = " + b"[" * 5000, b"[a]\n[a]"])
def test_what_is_not_toml(data):
    with pytest.raises(SettingsError, match="TOML"):
        read_toml(Config, data)


@pytest.mark.parametrize("data", [b"", b"{", b"[" * 100_000, b"NaN", b"[Infinity]", b'{"a": 1, "a": 2}', b"\xff"])
def test_what_is_not_json(data):
    with pytest.raises(SettingsError, match="JSON"):
        read_json(data)


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
)
keys = st.sampled_from(["names", "stages", "spacing_mm", "batch", "windows", "weights"])


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(keys, plain | st.dictionaries(keys, st.dictionaries(keys, plain, max_size=3), max_size=3)))
def test_no_content_raises_anything_else(content):
    with suppress(SettingsError):
        build(Config, content)
