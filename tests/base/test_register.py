"""Every code stands once, with its sentences in every language."""

import ast
import json
import pickle
import re
import runpy
from dataclasses import replace
from pathlib import Path

import pytest

from autocontour.base import register
from autocontour.base.errors import AutoContourError, Cancelled, OutputError
from autocontour.base.findings import Finding, Severity

CODES = register.read_register().values()


@pytest.mark.parametrize("code", CODES, ids=lambda code: code.code)
def test_a_code_has_every_language_and_the_same_fields_in_each(code):
    assert code.severity in ("INFO", "WARN", "BLOCK", "ERROR")
    for templates in (code.sentence, code.remedy):
        if templates:
            assert set(templates) == set(register.LANGUAGES)
            assert all(templates.values())
            assert len({frozenset(register.fields_of(text)) for text in templates.values()}) == 1
    if code.remedy:
        assert register.fields_of(code.remedy["en"]) <= register.fields_of(code.sentence["en"]) | {"file", "option"}


@pytest.fixture
def toy(monkeypatch):
    sentence = {
        "en": "{count:# slice is|# slices are} {mm:.1f} mm off.",
        "ko": "단면 {count}장이 {mm:.1f} mm 벗어났습니다.",
    }
    toy_code = register.Code("AC-XX-1", "WARN", sentence, {"en": "Look.", "ko": "보십시오."})
    codes = {**register.read_register(), "AC-XX-1": toy_code}
    monkeypatch.setattr(register, "read_register", lambda: codes)


def test_a_finding_speaks_every_language(toy):
    finding = Finding.of("AC-XX-1", "Larynx", (5, 3), count=1, mm=2.04)
    assert (finding.severity, finding.slices) == (Severity.WARN, (3, 5))
    assert finding.message == "1 slice is 2.0 mm off."
    assert finding.in_language("ko") == ("단면 1장이 2.0 mm 벗어났습니다.", "보십시오.")
    assert Finding.from_json(finding.to_json()) == finding
    assert Finding.of("AC-XX-1", count=2, mm=1).message == "2 slices are 1.0 mm off."


def test_an_accepted_finding_says_so_in_every_language(toy):
    finding = replace(Finding.of("AC-XX-1", count=1, mm=2.04), severity=Severity.BLOCK).accept()
    assert (finding.severity, finding.accepted, finding.remedy) == (Severity.WARN, True, "")
    assert finding.message == "Accepted by the user: 1 slice is 2.0 mm off."
    assert finding.in_language("en") == (finding.message, "")
    assert finding.in_language("ko") == ("사용자가 수락함: 단면 1장이 2.0 mm 벗어났습니다.", "")
    warning = Finding.of("AC-XX-1", count=1, mm=2.04)
    assert warning.accept() is warning


def test_an_accepted_finding_is_the_same_json_as_before_and_comes_back_accepted(toy):
    finding = replace(Finding.of("AC-XX-1", count=1, mm=2.04), severity=Severity.BLOCK).accept()
    record = json.loads(json.dumps(finding.to_json()))
    assert set(record) == {"code", "severity", "message", "where", "remedy", "slices", "values"}
    assert record["message"].startswith("Accepted by the user: ")  # what files of older versions hold
    assert Finding.from_json(record) == finding
    assert not Finding.from_json(Finding.of("AC-XX-1", count=1, mm=2.04).to_json()).accepted


def test_an_error_keeps_its_values_between_processes(toy):
    error = pickle.loads(pickle.dumps(OutputError("AC-XX-1", count=3, mm=1)))
    assert str(error) == "AC-XX-1: 3 slices are 1.0 mm off. Look."
    assert error.in_language("ko")[0].startswith("단면 3장")
    assert type(pickle.loads(pickle.dumps(Cancelled()))) is Cancelled


ROOT = Path(__file__).parents[2]
ROOMS = ("autocontour", "gui", "models", "rtstruct", "qa")
ERRORS = {kind.__name__ for kind in AutoContourError.__subclasses__()}


def sources():
    return (path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py")))


def calls():
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
                yield f"{path.relative_to(ROOT)}:{node.lineno}", name, node


def test_every_code_that_is_used_is_in_the_register_and_the_other_way_round():
    used = {code for path in sources() for code in re.findall(r'"(AC-[A-Z]+-\d+)"', path.read_text(encoding="utf-8"))}
    assert used - set(register.read_register()) == set()
    assert set(register.read_register()) - used == set()


def test_no_sentence_of_an_error_or_a_finding_stands_in_the_code():
    literal = (ast.Constant, ast.JoinedStr)
    spoken = [at for at, name, call in calls() if name in ERRORS and isinstance((call.args[1:] or [None])[0], literal)]
    spoken += [at for at, name, call in calls() if name == "Finding" and not at.startswith("autocontour/base/")]
    assert spoken == []


def test_the_page_of_codes_is_up_to_date():
    page = runpy.run_path(str(ROOT / "docs" / "make_codes.py"))["build_page"]()
    assert (ROOT / "docs" / "codes.md").read_text(encoding="utf-8") == page
