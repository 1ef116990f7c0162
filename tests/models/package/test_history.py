"""Promotion and return to an earlier version: nothing is lost, and the history cannot be changed unnoticed."""

from __future__ import annotations

import json
import shutil

import pytest

from autocontour.base.errors import ModelError
from autocontour.cli import main
from autocontour.models import find_package
from autocontour.models.package import library
from autocontour.models.package.history import HISTORY, promote_package, read_history, rollback_package
from autocontour.models.package.library import install_folder
from autocontour.qa.commissioning.gate import GateRecord, write_record
from autocontour.qa.commissioning.gate.record import FORMAT
from tests.models.package.test_library import change


@pytest.fixture
def bundled(toy_package, tmp_path, monkeypatch):
    monkeypatch.setattr(library, "BUNDLED", tmp_path / "bundled")
    monkeypatch.setattr(library, "user_data_path", lambda _: tmp_path / "data")
    return shutil.copytree(toy_package.path, tmp_path / "bundled" / "toy-neck")


@pytest.fixture
def candidates(toy_package, tmp_path, bundled):
    """Two later versions of the bundled package."""
    made = {}
    for version in ("2.0.0", "3.0.0"):
        made[version] = change(shutil.copytree(toy_package.path, tmp_path / version), version=version)
    return made


def in_use():
    return find_package("toy-neck").version


def test_the_replaced_version_is_kept_and_comes_back(candidates):
    promote_package(candidates["2.0.0"], record="r2")
    promote_package(candidates["3.0.0"], record="r3")
    assert in_use() == "3.0.0"
    assert rollback_package("toy-neck", reason="worse parotids", by="A. Physicist").version == "2.0.0"
    assert rollback_package("toy-neck", "1.0.0", reason="as delivered", by="A. Physicist").version == "1.0.0"
    assert in_use() == "1.0.0"
    lines = [(one.action, one.version, one.replaced["version"]) for one in read_history()]
    assert lines == [
        ("promoted", "2.0.0", "1.0.0"),
        ("promoted", "3.0.0", "2.0.0"),
        ("rolled back", "2.0.0", "3.0.0"),
        ("rolled back", "1.0.0", "2.0.0"),
    ]


def test_the_version_in_use_is_not_promoted_again(candidates, bundled):
    with pytest.raises(ModelError, match="AC-MD-062"):
        promote_package(bundled, record="r")


def test_there_is_nothing_to_go_back_to_before_a_promotion(bundled):
    with pytest.raises(ModelError, match="AC-MD-061"):
        rollback_package("toy-neck", reason="x", by="y")


def test_an_unknown_version_is_named(candidates):
    promote_package(candidates["2.0.0"], record="r2")
    with pytest.raises(ModelError, match=r"AC-MD-061.*9\.9"):
        rollback_package("toy-neck", "9.9", reason="x", by="y")


@pytest.mark.parametrize("damage", ["edited", "removed", "not json"])
def test_a_changed_history_is_noticed_and_nothing_is_promoted(candidates, damage):
    promote_package(candidates["2.0.0"], record="r2")
    promote_package(candidates["3.0.0"], record="r3")
    path = install_folder() / HISTORY
    lines = path.read_text().splitlines()
    if damage == "edited":
        lines[0] = lines[0].replace("r2", "r9")
    elif damage == "removed":
        lines = lines[1:]
    else:
        lines[0] = "?"
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(ModelError, match="AC-MD-060"):
        read_history()
    with pytest.raises(ModelError, match="AC-MD-060"):
        rollback_package("toy-neck", reason="x", by="y")
    assert in_use() == "3.0.0"


def test_a_line_that_a_power_failure_cut_off_is_written_over(candidates):
    promote_package(candidates["2.0.0"], record="r2")
    path = install_folder() / HISTORY
    path.write_text(path.read_text() + '{"time": "20')
    promote_package(candidates["3.0.0"], record="r3")
    assert [one.version for one in read_history()] == ["2.0.0", "3.0.0"]


def record_of(path, candidate, against, *, passed):
    names = [{"name": one.name, "version": one.version, "checksum": one.checksum} for one in (candidate, against)]
    content = {"format": FORMAT, "candidate": names[0], "against": names[1], "passed": passed, "judgements": []}
    write_record(path, GateRecord(content))
    return path


def test_promote_needs_a_record_about_these_two_packages_and_a_pass(candidates, bundled, tmp_path, capsys):
    packages = {version: library.read_package(folder) for version, folder in candidates.items()}
    current = find_package("toy-neck")
    new, other = packages["2.0.0"], packages["3.0.0"]
    passed = record_of(tmp_path / "p.json", new, current, passed=True)
    failed = record_of(tmp_path / "f.json", new, current, passed=False)
    of_another = record_of(tmp_path / "o.json", other, current, passed=True)
    against_another = record_of(tmp_path / "a.json", new, other, passed=True)

    def promote(record, *more):
        code = main(["models", "promote", str(candidates["2.0.0"]), "--record", str(record), *more])
        return code, capsys.readouterr().err

    for record, expected in ((of_another, "AC-QA-042"), (against_another, "AC-QA-043"), (failed, "AC-QA-044")):
        code, text = promote(record)
        assert code != 0
        assert expected in text
    assert promote(failed, "--override", "only the larynx is used")[0] != 0
    assert in_use() == "1.0.0"
    assert promote(failed, "--override", "only the larynx is used", "--by", "A. Physicist")[0] == 0
    assert in_use() == "2.0.0"
    assert main(["models", "rollback", "toy-neck", "--reason", "trial over", "--by", "A. Physicist"]) == 0
    assert promote(passed)[0] == 0
    capsys.readouterr()
    assert main(["models", "history", "toy-neck", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [(one["action"], one["reason"], one["by"]) for one in listed] == [
        ("promoted", "only the larynx is used", "A. Physicist"),
        ("rolled back", "trial over", "A. Physicist"),
        ("promoted", "", ""),
    ]
