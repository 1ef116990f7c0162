"""Published models in the window: import, test on the open CT, profiles; several drawers; clicks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog, QMessageBox

from autocontour.base.errors import ModelError
from autocontour.contouring import contours_from_mask
from autocontour.gui.app import clicking
from autocontour.gui.app.clicking import ClickServerDialog
from autocontour.gui.dialogs import import_model, models
from autocontour.gui.dialogs.import_model import ImportModelDialog
from autocontour.gui.dialogs.models import ModelsDialog
from autocontour.gui.state.tasks import Task
from autocontour.models.inference.published.profiles import Comparison
from autocontour.models.inference.published.sides import SidesTest, Verdict
from autocontour.models.package import library
from autocontour.models.package.importers import checkpoint as reading
from autocontour.models.package.importers import nnunet
from autocontour.models.package.package import read_package
from autocontour.models.prompted import Answer
from autocontour.patient.geometry import Box
from autocontour.patient.provenance import Provenance
from autocontour.pipeline.trial import Tried
from tests.gui.conftest import Hand, ball, small_ct
from tests.gui.test_editing import press
from tests.models import tiny_nnunet as tiny

pytest.importorskip("torch")
KEY = Qt.Key


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A library of the user's without packages, and checkpoints read in this process."""

    def read(path):
        folder = tmp_path / "read"
        folder.mkdir(exist_ok=True)
        facts = reading._convert(path, folder)
        return reading.Checkpoint(reading.parse_weights(path.name, (folder / reading.WEIGHTS_FILE).read_bytes()), facts)

    monkeypatch.setattr(nnunet, "read_checkpoint", read)
    folder = tmp_path / "library"
    for module in (library, import_model):
        monkeypatch.setattr(module, "install_folder", lambda: folder)
    return folder


@pytest.fixture
def trial(monkeypatch):
    """Answer trials at once: what the test says, in the place of a process."""

    def install(verdicts, measured=None, drawings=True, implausible=None):
        def answer(ct, order):
            mask = np.zeros(ct.hu.shape, bool)
            mask[8:14, 40:70, 30:60] = True
            drawn = {"Liver": contours_from_mask(mask, ct.geometry)} if drawings else {}
            package = read_package(order.package)
            sides = SidesTest(package, "0" * 64, drawn, tuple(verdicts), implausible=implausible or {})
            return Task(lambda _: Tried(sides, measured or {}))

        for module in (import_model, models):
            monkeypatch.setattr(module, "try_beside", answer)

    return install


def choose(monkeypatch, folder):
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(folder))


def click(button):
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def idle(dialog, qtbot):
    qtbot.waitUntil(lambda: dialog.running.is_idle, timeout=20000)


def test_model_is_imported_tested_and_given_a_profile(opened, qtbot, answer, own, trial, monkeypatch, tmp_path):
    labels = {"background": 0, "liver": 1, "my_thing": 2}
    tiny.write(tmp_path / "Dataset007_Tiny" / "model", described=tiny.dataset(labels))
    choose(monkeypatch, tmp_path / "Dataset007_Tiny")
    measured = {"fast": Comparison(3.0, {"Liver": 0.97}, "CPU")}
    trial([Verdict("Liver on the right", holds=True, about_sides=True)], measured)
    seen = {}

    def import_it(dialog):
        idle(dialog, qtbot)
        assert "AC" not in dialog.verdict.text()
        assert "orientation" in dialog.verdict.text().lower()
        assert "--" not in dialog.verdict.text()  # an option of the command line helps nobody here
        assert dialog.agreed.isHidden()
        dialog.orientation.setCurrentIndex(1)
        idle(dialog, qtbot)
        rows = [dialog.names.topLevelItem(n) for n in range(dialog.names.topLevelItemCount())]
        seen["names"] = [(row.text(0), row.text(1)) for row in rows]
        assert not dialog.test.isEnabled()
        dialog.licence.setText("CC BY 4.0")
        assert not dialog.test.isEnabled()
        click(dialog.agreed)
        dialog.agreed.setChecked(True)
        assert not dialog.ok.isEnabled()
        click(dialog.test)
        idle(dialog, qtbot)
        qtbot.waitUntil(lambda: not dialog.picture.isHidden(), timeout=20000)
        idle(dialog, qtbot)
        seen["verdicts"] = [dialog.verdicts.item(n).text() for n in range(dialog.verdicts.count())]
        click(dialog.ok)

    def manage(dialog):
        answer(ImportModelDialog, import_it)
        click(dialog.folder)
        qtbot.waitUntil(lambda: dialog.package is not None and dialog.package.procedure is not None, timeout=30000)
        seen["package"] = dialog.package
        dialog.profile.setCurrentText("fast")
        click(dialog.verify)
        idle(dialog, qtbot)
        click(dialog.use)
        seen["used"] = dialog.package
        seen["report"] = dialog.report.toPlainText()
        click(dialog.ok)

    answer(ModelsDialog, manage)
    press(opened, KEY.Key_M, Qt.KeyboardModifier.ControlModifier)
    assert seen["names"] == [("liver", "Liver"), ("my_thing", "my_thing   (not in the nomenclature)")]
    assert seen["verdicts"] == ["✓  Liver on the right"]
    assert seen["package"].license == "CC BY 4.0"
    assert seen["package"].procedure.sides.method == "anatomy"
    assert seen["used"].procedure.profile == "fast"
    assert seen["used"].procedure.measured["fast"].seconds == 3.0
    assert "2 structures are not measured here" in seen["report"]
    assert [one.name for one in own.iterdir()] == ["Dataset007_Tiny"]


def checked(opened, qtbot, folder, orientation):
    """Return the dialog after a model was tested with an orientation of its list."""
    from autocontour.models.package.importers.look import look_at

    dialog = ImportModelDialog(opened, look_at(tiny.write(folder)), opened.workspace.ct, {})
    dialog.show()
    idle(dialog, qtbot)
    dialog.orientation.setCurrentIndex(orientation)
    idle(dialog, qtbot)
    dialog.licence.setText("mine")
    dialog.agreed.setChecked(True)
    click(dialog.test)
    idle(dialog, qtbot)
    return dialog


def test_model_that_fails_is_not_installed(opened, qtbot, own, trial, tmp_path):
    trial([Verdict("Kidney_L left of Kidney_R", holds=False, about_sides=True)])
    dialog = checked(opened, qtbot, tmp_path / "model", orientation=2)
    assert not dialog.ok.isEnabled()
    assert dialog.looked.isHidden()
    assert "cannot be" in dialog.verdict.text()
    dialog.reject()
    assert list(own.iterdir()) == []


def test_model_of_another_body_site_is_not_installed(opened, qtbot, own, trial, tmp_path):
    found = Verdict("Liver on the right", holds=True, about_sides=True, structures=("Liver",))
    trial([found], implausible={"Liver": "Liver (3.0 cc)"})
    dialog = checked(opened, qtbot, tmp_path / "model", orientation=1)
    assert not dialog.ok.isEnabled()
    assert "Liver (3.0 cc)" in dialog.verdict.text()
    assert dialog.verdicts.item(0).text() == "–  Liver on the right"
    dialog.reject()


def test_midline_model_is_confirmed_by_name_after_its_picture(opened, qtbot, own, trial, tmp_path):
    from autocontour.models.package.importers.look import look_at

    described = tiny.dataset({"background": 0, "larynx": 1}, licence="MIT")
    folder = tiny.write(tmp_path / "model", described=described)
    trial([])
    dialog = ImportModelDialog(opened, look_at(folder), opened.workspace.ct, {})
    dialog.show()
    idle(dialog, qtbot)
    dialog.orientation.setCurrentIndex(1)
    idle(dialog, qtbot)
    assert dialog.licence.text() == "MIT"
    assert dialog.licence.isReadOnly()
    dialog.agreed.setChecked(True)
    click(dialog.test)
    qtbot.waitUntil(lambda: not dialog.picture.isHidden(), timeout=20000)
    idle(dialog, qtbot)
    assert not dialog.ok.isEnabled()
    QTest.keyClicks(dialog.looked, "Dr. Kim")
    click(dialog.ok)
    assert dialog.answer.procedure.sides.by == "Dr. Kim"


def test_reading_can_be_stopped_and_errors_are_shown(opened, qtbot, own, monkeypatch, tmp_path):
    dialog = ModelsDialog(opened, opened.workspace.ct, {})
    dialog.show()
    dialog.import_from(tmp_path)
    idle(dialog, qtbot)
    assert "nnU-Net" in dialog.report.toPlainText()
    monkeypatch.setattr(models, "look_at", lambda _: QTest.qWait(1))
    dialog.import_from(tmp_path)
    click(dialog.progress.cancel)
    assert "Stopped" in dialog.report.toPlainText()
    dialog.reject()


def drawn_twice(window):
    one = replace(ball(), provenance=Provenance("a", "1"))
    other = replace(ball(2, "Heart^2"), provenance=Provenance("b", "1"))
    shifted = dict(list(other.contours.items())[2:])
    for structure in (one, replace(other, contours=shifted)):
        window.workspace.receive(structure)


def test_two_drawers_are_compared_and_one_is_kept(opened, qtbot):
    drawn_twice(opened)
    space = opened.workspace
    number = space.state.find("Heart").structure.number
    space.select(number)
    press(opened, KEY.Key_C)
    labels = [one.label for one in opened.comparison.sets]
    assert labels == ["original contours", "Heart^2   b"]
    qtbot.waitUntil(lambda: opened.comparison.sets[1].metrics is not None, timeout=10000)
    assert 0.8 < opened.comparison.sets[1].metrics.dsc < 1
    other = space.state.find("Heart^2").structure.number
    space.select(other)
    assert [one.label for one in opened.comparison.sets] == ["original contours", "Heart   a"]
    press(opened, KEY.Key_K, Qt.KeyboardModifier.ControlModifier)
    assert {item.structure.name: item.structure.number for item in space.state.items} == {"Heart": other}
    assert [one.label for one in opened.comparison.sets] == ["original contours"]
    press(opened, KEY.Key_K, Qt.KeyboardModifier.ControlModifier)  # nothing to choose
    press(opened, KEY.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert {item.structure.name for item in space.state.items} == {"Heart", "Heart^2"}


class Answers:
    """Finds the bright ball for a click inside, without its upper half for a click beside it."""

    model, license = "stand-in", "MIT"

    def __init__(self, ct):
        self.ct, self.log, self.error = ct, [], None

    def add_point(self, voxel, *, positive):
        if self.error:
            raise self.error
        self.log.append((voxel, positive))
        mask = self.ct.hu > 200
        if not positive:
            mask[:12] = False
        box = Box.around(mask)
        return Answer(box, mask[box.slices].astype(np.float32))

    def reset(self):
        self.log.append("reset")

    def close(self):
        self.log.append("closed")


def wait_for_answer(window, qtbot):
    qtbot.waitUntil(lambda: not window.clicks.is_busy, timeout=10000)


def test_clicks_are_proposed_accepted_and_undone(opened, qtbot):
    session, space = Answers(opened.workspace.ct), opened.workspace
    opened.clicks.use(session)
    before = dict(space.current.structure.contours)
    hand = Hand(opened)
    press(opened, KEY.Key_G, Qt.KeyboardModifier.ShiftModifier)
    hand.stroke([(0.0, 0.0)])
    wait_for_answer(opened, qtbot)
    assert session.log == [((12, 60, 70), True)]
    assert opened.clicks.proposed
    assert dict(space.current.structure.contours) == before
    hand.stroke([(50.0, 0.0)], Qt.KeyboardModifier.ShiftModifier)
    wait_for_answer(opened, qtbot)
    assert session.log[-1][1] is False
    assert min(opened.clicks.proposed) == 12
    space.redraw("Brush", dict.fromkeys(before), space.selected)  # its contours change: the clicks are forgotten
    assert not opened.clicks.clicks
    hand.stroke([(0.0, 0.0)])
    wait_for_answer(opened, qtbot)
    assert session.log[-2] == "reset"
    proposed = dict(opened.clicks.proposed)
    assert min(proposed) < 10
    press(opened, KEY.Key_Return)
    assert dict(space.current.structure.contours).keys() == proposed.keys()
    press(opened, KEY.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert not space.current.structure.contours
    hand.stroke([(0.0, 0.0)])
    wait_for_answer(opened, qtbot)
    press(opened, KEY.Key_Escape)
    assert not opened.clicks.proposed
    assert opened.views.axial.tool.identity == "click"
    session.error = ModelError("AC-MD-096", reason="gone")
    hand.stroke([(0.0, 0.0)])
    wait_for_answer(opened, qtbot)
    assert not opened.clicks.clicks


def test_click_without_a_server_is_refused(opened, qtbot):
    said = []
    opened.workspace.message.connect(lambda words, refused: said.append((words, refused)))
    press(opened, KEY.Key_G, Qt.KeyboardModifier.ShiftModifier)
    Hand(opened).stroke([(0.0, 0.0)])
    assert any(refused and "no click server" in words for words, refused in said)
    assert opened.clicks.clicks == ()


def test_protected_structure_takes_no_clicks(opened, qtbot):
    session, space = Answers(opened.workspace.ct), opened.workspace
    opened.clicks.use(session)
    opened.action_set.trigger("lock")
    opened.take_tool("click")
    Hand(opened).stroke([(0.0, 0.0)])
    assert session.log == []
    assert space.current.is_protected


def test_server_is_asked_for_and_its_licence_is_shown(opened, qtbot, answer, monkeypatch):
    session = Answers(opened.workspace.ct)
    asked = {}

    def connect(address, ct, *, elsewhere):
        asked["address"] = address
        return session

    monkeypatch.setattr(clicking, "connect", connect)
    monkeypatch.setenv("no_proxy", "127.0.0.1")

    def fill(dialog):
        dialog.address.setText("http://127.0.0.1:4242")
        click(dialog.ok)

    def agree(box):
        asked["words"] = box.text()
        next(one for one in box.buttons() if "Use" in one.text()).click()

    answer(ClickServerDialog, fill)
    answer(QMessageBox, agree)
    opened.action_set.trigger("click_server")
    qtbot.waitUntil(lambda: opened.clicks.session is session, timeout=10000)
    assert asked["address"] == "http://127.0.0.1:4242"
    assert "MIT" in asked["words"]
    assert opened.views.axial.tool.identity == "click"
    opened.show_ct(replace(small_ct(), hu=small_ct().hu + np.int16(1)))
