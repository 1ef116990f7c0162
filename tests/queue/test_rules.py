"""Rules choose template and place by DICOM attributes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from autocontour.base.errors import QueueError
from autocontour.cli import main
from autocontour.queue.record import Options
from autocontour.queue.rules import read_rules
from autocontour.queue.store import Store

FILE = """
[[rules]]
name = "Follow-up"
when = { StudyDescription = "*follow*" }
skip = true

[[rules]]
name = "Head and neck"
when = { BodyPartExamined = ["NECK", "HEAD*"], SeriesDescription = "*phantom*" }
least_slices = 20
structures = ["External"]
output = "out/head"
priority = 3

[[rules]]
name = "Long"
least_slices = 500
"""


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    path = tmp_path / "rules.toml"
    path.write_text(FILE)
    return path


def test_the_first_rule_that_fits_is_used(rules: Path, tmp_path: Path) -> None:
    read = read_rules(rules)
    head = {"BodyPartExamined": "HeadNeck", "SeriesDescription": "A phantom"}
    chosen = read.choose(head, 24)
    assert chosen is not None
    assert chosen.name == "Head and neck"
    options = chosen.options(Options(template="thorax", accepted=("AC-CT-032",)))
    assert options == Options("thorax", "", ("External",), ("AC-CT-032",), str(tmp_path / "out" / "head"), 3)
    skipped = read.choose({**head, "StudyDescription": "FOLLOW-UP 3"}, 24)
    assert skipped is not None
    assert skipped.skip
    assert read.choose(head, 19) is None
    assert read.choose({}, 24) is None


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('[[rules]]\nname = "a"\nwhen = { PatientName = "x" }', "AC-CFG-010"),
        ('[[rules]]\nname = "a"\nwhen = { KVP = 120 }', "AC-CFG-007"),
        ('[[rules]]\nname = "a"\nskip = true\ntemplate = "thorax"', "AC-CFG-026"),
        ('[[rules]]\nname = "a"\ntemplat = "thorax"', "AC-CFG-002"),
        ('[[rules]]\nname = "a"\n[[rules]]\nname = "A"', "AC-CFG-015"),
        ("rules = []", "AC-CFG-014"),
    ],
)
def test_a_file_with_a_problem_is_refused(text: str, code: str, tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(text)
    with pytest.raises(QueueError, match="AC-QU-019") as caught:
        read_rules(path)
    assert code in {problem.code for problem in caught.value.problems}


def test_a_template_that_does_not_exist_is_found_before_anything_is_added(tmp_path: Path, ct: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text('[[rules]]\nname = "a"\ntemplate = "thoracks"')
    assert main(["queue", "add", str(ct), "--rules", str(path), "--queue", str(tmp_path / "queue")]) == 2
    assert main(["queue", "rules", str(path)]) == 2
    assert main(["queue", "rules", str(tmp_path / "none.toml")]) == 12


def test_the_explanation_is_what_happens(
    rules: Path, ct: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["queue", "rules", str(rules), "--explain", str(ct), "--json"]) == 0
    explained = json.loads(capsys.readouterr().out)
    assert explained["rule"] == "Head and neck"
    assert [one["fits"] for one in explained["explained"]] == [False, True]
    assert {one["attribute"] for one in explained["explained"][1]["conditions"]} == {
        *("BodyPartExamined", "SeriesDescription", "slices")
    }
    assert main(["queue", "rules", str(rules), "--explain", str(ct)]) == 0
    text = capsys.readouterr().out
    assert "no   StudyDescription: *follow*" in text
    assert "→ Head and neck" in text
    assert "NEVERSHOWN" not in text
    queue = tmp_path / "queue"
    assert main(["queue", "add", str(ct), "--rules", str(rules), "--queue", str(queue)]) == 0
    with Store(queue) as store:
        assert store.find(1).options.output == str(tmp_path / "out" / "head")
        assert store.find(1).options.structures == ("External",)


def test_a_series_that_no_rule_fits_is_skipped_and_reported(
    rules: Path, ct: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in sorted(ct.iterdir())[10:]:
        path.unlink()
    queue = tmp_path / "queue"
    assert main(["queue", "add", str(ct), "--rules", str(rules), "--queue", str(queue)]) == 0
    assert "skipped by the rules" in capsys.readouterr().out
    with Store(queue) as store:
        assert store.records() == []
