"""Promotion and return to an earlier version: nothing is lost, and the history cannot be changed unnoticed."""

from __future__ import annotations

import json
import shutil

import pytest

from autocontour.base.errors import ModelError
from autocontour.cli import main
from autocontour.models import check_history, find_package, read_package
from autocontour.models.package import library, records
from autocontour.models.package.history import (
    HISTORY,
    accept_package,
    damaged_copies,
    install_package,
    promote_package,
    read_history,
    rewrite_and_record,
    rollback_package,
)
from autocontour.models.package.library import install_folder
from autocontour.qa.commissioning.gate import GateRecord, write_record
from autocontour.qa.commissioning.gate.record import FORMAT
from tests.models.package.test_library import change, hand_copied


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


def lines():
    return [(one.action, one.version, one.replaced.get("version")) for one in read_history()]


def found(name="toy-neck"):
    return [finding.code for finding in check_history([find_package(name)])]


def run(capsys, *words):
    code = main(["models", *map(str, words)])
    captured = capsys.readouterr()
    return code, captured.out + captured.err


def test_install_with_replace_is_recorded_and_keeps_the_replaced_version(candidates, capsys):
    """`models install --replace` wrote no line and kept nothing: the way back was lost."""
    code, printed = run(capsys, "install", candidates["2.0.0"], "--replace", "--reason", "trial", "--by", "A. P.")
    assert code == 0
    assert "rollback" in printed
    assert run(capsys, "install", candidates["3.0.0"], "--replace")[0] == 0
    assert lines() == [("installed", "2.0.0", "1.0.0"), ("installed", "3.0.0", "2.0.0")]
    assert (read_history()[0].reason, read_history()[0].by) == ("trial", "A. P.")
    assert rollback_package("toy-neck", reason="worse", by="A. Physicist").version == "2.0.0"
    assert rollback_package("toy-neck", "1.0.0", reason="worse", by="A. Physicist").version == "1.0.0"
    assert found() == []


def test_installing_the_package_in_use_again_changes_nothing(candidates, capsys):
    for _ in range(2):
        assert run(capsys, "install", candidates["2.0.0"], "--replace", "--json")[0] == 0
    assert len(lines()) == 1


def test_a_new_package_is_recorded(candidates, capsys):
    assert run(capsys, "install", change(candidates["2.0.0"], name="another"))[0] == 0
    assert lines() == [("installed", "2.0.0", None)]
    assert found("another") == []


@pytest.mark.parametrize("made", ["retrained", "ensemble", "habit"])
def test_a_retrained_package_does_not_pass_by_the_gate(candidates, capsys, made):
    metadata = json.loads((candidates["2.0.0"] / "metadata.json").read_text())
    if made == "habit":
        metadata["structures"][0]["habit"] = {"superior_mm": 5.0, "cases": 6}
    else:
        metadata.setdefault("training", {})[made] = [{"from": "toy-neck 1.0.0"}]
    change(candidates["2.0.0"], **metadata)
    code, printed = run(capsys, "install", candidates["2.0.0"], "--replace")
    assert code != 0
    assert "AC-MD-065" in printed
    assert in_use() == "1.0.0"
    assert run(capsys, "install", candidates["2.0.0"], "--replace", "--reason", "urgent")[0] != 0
    assert run(capsys, "install", candidates["2.0.0"], "--replace", "--reason", "x", "--by", "A. Physicist")[0] == 0
    assert in_use() == "2.0.0"


def test_a_removed_package_is_recorded_and_comes_back(candidates, capsys):
    run(capsys, "install", candidates["2.0.0"], "--replace")
    code, printed = run(capsys, "remove", "toy-neck", "--reason", "trial over", "--by", "A. Physicist")
    assert code == 0
    assert "toy-neck 1.0.0 is in use" in printed
    assert lines()[-1] == ("removed", "1.0.0", "2.0.0")
    assert rollback_package("toy-neck", reason="not over", by="A. Physicist").version == "2.0.0"


def test_a_removed_package_without_a_bundled_one_comes_back(candidates, capsys):
    run(capsys, "install", change(candidates["2.0.0"], name="another"))
    assert run(capsys, "remove", "another", "--json")[0] == 0
    assert lines()[-1] == ("removed", "", "2.0.0")
    assert rollback_package("another", reason="needed", by="A. Physicist").version == "2.0.0"
    with pytest.raises(ModelError, match="AC-MD-017"):
        rollback_package("never", reason="needed", by="A. Physicist")


def test_removing_a_package_that_is_not_in_use_is_no_change(candidates, capsys):
    hand_copied(candidates["2.0.0"], "toy-neck")
    assert run(capsys, "remove", "toy-neck")[0] == 0
    assert lines() == []


def test_figures_written_into_an_installed_package_do_not_bring_the_bundled_one_back(candidates):
    """The decision to replace the bundled package was about the checksum before the figures."""
    installed = install_package(candidates["2.0.0"], replace=True)
    changed = rewrite_and_record(installed, {**installed.metadata, "validation": {"split": "x"}}, "figures")
    assert find_package("toy-neck").checksum == changed.checksum != installed.checksum
    assert lines()[-1] == ("changed", "2.0.0", "2.0.0")
    assert found() == []


def test_figures_written_into_a_replaced_bundled_package_do_not_bring_it_back(candidates, bundled):
    install_package(candidates["2.0.0"], replace=True)
    package = read_package(bundled, bundled=True)
    rewrite_and_record(package, {**package.metadata, "validation": {"split": "x"}}, "figures")
    assert in_use() == "2.0.0"
    assert len(lines()) == 1


def test_a_package_outside_the_installation_is_changed_without_a_line(candidates):
    package = read_package(candidates["2.0.0"])
    rewrite_and_record(package, {**package.metadata, "validation": {"split": "x"}}, "figures")
    assert lines() == []


def test_a_folder_copied_by_hand_is_reported_until_a_person_accepts_it(candidates, capsys):
    hand_copied(change(candidates["2.0.0"], name="another"), "another")
    assert found("another") == ["AC-MD-123"]
    assert "AC-MD-123" in run(capsys, "history")[1]
    assert run(capsys, "accept", "another", "--reason", " ", "--by", "B")[0] != 0
    assert run(capsys, "accept", "another", "--reason", "from our other centre", "--by", "A. Physicist")[0] == 0
    assert found("another") == []
    assert lines() == [("accepted", "2.0.0", None)]
    code, printed = run(capsys, "accept", "another", "--reason", "x", "--by", "y", "--json")
    assert code != 0
    assert "AC-MD-062" in printed


def test_a_change_of_the_files_in_use_is_reported(candidates):
    installed = install_package(change(candidates["2.0.0"], name="another"))
    change(installed.path, version="2.0.1")
    assert found("another") == ["AC-MD-124"]
    accept_package("another", reason="a spelling mistake", by="A. Physicist")
    assert found("another") == []


def test_an_update_of_the_program_that_ends_a_promotion_is_reported(candidates, bundled):
    promote_package(candidates["2.0.0"], record="r2")
    change(bundled, version="1.1.0")
    assert in_use() == "1.1.0"
    assert found() == ["AC-MD-124"]


def test_a_history_cut_short_is_reported(candidates):
    install_package(candidates["2.0.0"], replace=True)
    install_package(candidates["3.0.0"], replace=True)
    path = install_folder() / HISTORY
    path.write_text(path.read_text().splitlines(keepends=True)[0])
    assert found() == ["AC-MD-124"]
    path.write_text("?\n")
    assert found() == ["AC-MD-125"]
    path.unlink()
    assert found() == ["AC-MD-123"]


def test_the_bundled_package_alone_needs_no_line(bundled):
    assert found() == []


def test_a_damaged_package_in_use_can_be_replaced_and_removed(candidates, capsys):
    installed = install_package(change(candidates["2.0.0"], name="another"))
    (installed.path / "metadata.json").write_text("{}")
    code, printed = run(capsys, "install", change(candidates["3.0.0"], name="another"), "--replace")
    assert code == 0
    assert "damaged" in printed
    assert lines()[-1] == ("installed", "3.0.0", "")


def test_the_files_of_a_damaged_package_are_kept(candidates, capsys):
    """Silent fault: a damaged package was deleted, and the command stated that it was kept."""
    for command in (["install", change(candidates["3.0.0"], name="another"), "--replace"], ["remove", "another"]):
        if not (install_folder() / "another").is_dir():
            install_package(change(candidates["2.0.0"], name="another"))
        (install_folder() / "another" / "metadata.json").write_text("{}")
        before = damaged_copies("another")
        code, printed = run(capsys, *command)
        assert code == 0
        assert "damaged" in printed
        assert "earlier versions" not in printed
        (kept,) = set(damaged_copies("another")) - set(before)
        assert (kept / "metadata.json").read_text() == "{}"
        assert (kept / "segmenter.safetensors").stat().st_size > 0


def test_a_damaged_package_is_not_said_to_be_hidden_by_another(candidates, capsys):
    installed = install_package(change(candidates["2.0.0"], name="another"))
    (installed.path / "metadata.json").write_text("{}")
    assert "another package has the same name" not in run(capsys, "list")[1]


def test_rollback_brings_the_version_back_that_the_history_states(candidates):
    """Silent fault: after a change by hand, an older version came instead of the stated one."""
    promote_package(candidates["2.0.0"], record="r2")
    promoted = promote_package(candidates["3.0.0"], record="r3")
    change(find_package("toy-neck").path, license="other")
    assert found() == ["AC-MD-124"]
    assert rollback_package("toy-neck", reason="changed by hand", by="A. Physicist").checksum == promoted.checksum
    assert found() == []
    assert rollback_package("toy-neck", "2.0.0", reason="older", by="A. Physicist").version == "2.0.0"


def test_two_programs_do_not_change_the_packages_at_the_same_time(candidates, monkeypatch):
    monkeypatch.setattr(records, "MOST_WAITING_S", 0.2)
    with records.changing_packages(), pytest.raises(ModelError, match="AC-MD-066"):
        install_package(candidates["2.0.0"], replace=True)
    assert in_use() == "1.0.0"


def test_a_folder_that_cannot_be_written_is_refused_by_code(candidates, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(library, "user_data_path", lambda _: tmp_path / "file")
    with pytest.raises(ModelError, match="AC-MD-027"):
        install_package(candidates["2.0.0"], replace=True)
