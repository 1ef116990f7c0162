"""The dialog of learning from approved cases: a process of its own, pictures, the gate, and who may use a candidate."""

import json

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from autocontour.gui.app import learning
from autocontour.gui.dialogs.learning import LearningDialog
from autocontour.gui.state.command import Command
from autocontour.gui.views.training import read_curves, read_samples

CHANGE = {"before": 0.8, "after": 0.9, "lower_bound": 0.05}
ROW = {"structure": "Heart", "site": "clinic", "n": 9, "dsc": CHANGE, "surface_dsc": CHANGE}
ROW |= {"worst_before": 0.7, "worst_after": 0.8, "problems": []}


@pytest.fixture
def dialog(window, qtbot, tmp_path, monkeypatch):
    monkeypatch.setattr(learning, "learning_folder", lambda: tmp_path / "learning")
    monkeypatch.setattr(Command, "start", lambda self, *arguments: started.append(arguments))
    started = []
    QTest.keyClick(window, Qt.Key.Key_K, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier)
    found = window.findChild(LearningDialog)
    assert found is not None
    found.started = started
    return found


def show_candidate(dialog, tmp_path, *, passed):
    record = tmp_path / "record.json"
    problem = {"code": "AC-QA-034", "message": "The DSC is lower."}
    rows = [ROW, {**ROW, "structure": "Lung_L", "problems": [] if passed else [problem]}]
    record.write_text(json.dumps({"judgements": rows}))
    event = {"state": "candidate", "passed": passed, "version": "1.0+1", "record": str(record), "candidate": "PACKAGE"}
    dialog._follow({"event": "end", "waiting": False, **event})
    dialog._end(0, "", "")


def click(button):
    QTest.mouseClick(button, Qt.MouseButton.LeftButton, pos=QPoint(8, 8))


def test_a_retraining_runs_in_a_process_and_shows_its_progress(dialog):
    assert dialog.started[0][:2] == ("learn", "status")
    click(dialog.collects)
    assert dialog.started[-1][:2] == ("learn", "on")
    status = {"enabled": True, "package": "toy 1.0", "new": 3, "wanted": 4, "tests": 2, "states": {}, "rounds": []}
    dialog._show_status(0, json.dumps(status), "")
    click(dialog.start)
    assert dialog.started[-1][:4] == ("learn", "run", "--now", "--json")
    dialog._follow({"event": "progress", "stage": "training the segmenter", "fraction": 0.5, "seconds_left": 125})
    assert "about 2 min left" in dialog.stage.text()
    assert dialog.progress.value() == 500
    dialog._end(130, "", "")
    assert "Stopped" in dialog.stage.text()
    click(dialog.collects)
    assert dialog.started[-1][:2] == ("learn", "off")


def test_too_few_cases_and_errors_are_shown(dialog):
    dialog._follow({"event": "set aside", "code": "AC-DS-031"})
    dialog._follow({"event": "end", "waiting": True, "new": 1, "tests": 0})
    assert "Too few cases: 1" in dialog.stage.text()
    dialog._end(14, "", "AC-LN-005: Another program is learning in this folder.\n")
    assert dialog.stage.text().startswith("AC-LN-005")
    dialog._changed(2, "", "AC-QA-043: another package is in use\n")
    assert dialog.verdict.text().startswith("AC-QA-043")


def test_a_candidate_that_passed_can_be_used(dialog, tmp_path):
    show_candidate(dialog, tmp_path, passed=True)
    assert dialog.table.rowCount() == 2
    assert not dialog.reason.isVisible()
    click(dialog.use)
    assert dialog.started[-1] == ("models", "promote", "PACKAGE", "--record", str(tmp_path / "record.json"), "--json")


def test_a_candidate_that_did_not_pass_needs_a_reason_and_a_name(dialog, tmp_path):
    show_candidate(dialog, tmp_path, passed=False)
    assert not dialog.use.isEnabled()
    QTest.keyClicks(dialog.reason, "Fewer corrections in a blind review")
    assert not dialog.use.isEnabled()
    QTest.keyClicks(dialog.name, "   ")
    assert not dialog.use.isEnabled()
    QTest.keyClicks(dialog.name, "A. Physicist")
    assert dialog.use.isEnabled()
    click(dialog.use)
    assert "--override" in dialog.started[-1]
    assert dialog.started[-1][-1] == "A. Physicist"


def test_curves_and_sample_slices_are_read_while_they_are_written(dialog, tmp_path):
    stage = tmp_path / "learning" / "rounds" / "0001" / "run" / "segmenter"
    (stage / "samples").mkdir(parents=True)
    assert read_curves(stage) == []
    (stage / "structures.json").write_text('["Heart", "Lung_L"]')
    rows = [{"kind": "train", "step": 20 * k, "dice": [0.1 * k, None]} for k in (1, 2, 3)]
    (stage / "log.jsonl").write_text("\n".join(map(json.dumps, rows)) + '\n{"kind": "tr')
    (curve,) = read_curves(stage)
    assert (curve.name, curve.steps) == ("Heart", [20, 40, 60])
    masks = np.zeros((1, 2, 20, 30), np.uint8)
    masks[0, 0, 5:15, 5:15] = 255
    np.savez(
        stage / "samples" / "00000020.npz", ct=np.zeros((1, 20, 30), np.float16), reference=masks, drawn=masks,
        known=np.array([[True, False]]), structures=np.array(["Heart", "Lung_L"]), spacing_yx_mm=np.array([2.0, 1.0]),
    )  # fmt: skip
    (stage / "samples" / "00000040.npz").write_bytes(b"damaged")
    assert read_samples(stage / "samples" / "00000040.npz") == []
    dialog._look()
    dialog.step.setValue(0)
    assert "Step 20" in dialog.caption.text()
    assert dialog.samples.images[0].reference[0].sum() == 100
    assert not dialog.curves.grab().isNull()
    assert not dialog.samples.grab().isNull()


def test_a_command_runs_beside_the_window(window, qtbot):
    command = Command(window)
    with qtbot.waitSignal(command.ended, timeout=60_000) as blocker:
        command.start("--version")
    code, output, _ = blocker.args
    assert code == 0
    assert output.startswith("autocontour")
