"""Numbers that are typed mean the same in every language of the computer."""

import re
from pathlib import Path

import pytest
from PySide6.QtCore import QLocale, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QDoubleSpinBox, QWidget

import autocontour.gui
from autocontour.gui.dialogs.shape import MarginDialog
from autocontour.gui.dialogs.structure_rows import millimetres
from autocontour.gui.look.numbers import DecimalBox

pytestmark = pytest.mark.gui
LANGUAGES = (QLocale.Language.German, QLocale.Language.English, QLocale.Language.Korean, QLocale.Language.French)


@pytest.fixture(params=LANGUAGES, ids=lambda language: language.name)
def language(request):
    before = QLocale()
    QLocale.setDefault(QLocale(request.param))
    yield request.param
    QLocale.setDefault(before)


def typed(box: QDoubleSpinBox, text: str) -> float:
    box.selectAll()
    QTest.keyClicks(box, text)
    QTest.keyClick(box, Qt.Key.Key_Tab)
    return box.value()


@pytest.mark.parametrize("text", ["2.5", "2,5"])
def test_a_margin_is_never_ten_times_what_was_typed(qtbot, language, text):
    for box in (DecimalBox(minimum=-100, maximum=100, decimals=1, suffix=" mm"), millimetres("Gap", -50)):
        qtbot.addWidget(box)
        assert typed(box, text) == 2.5
        assert typed(box, f"-{text}") == -2.5
        assert box.text() == "-2.5 mm"


@pytest.mark.parametrize("text", ["2.5", "2,5"])
def test_a_margin_for_every_side_is_not_replaced_while_it_is_typed(qtbot, language, text):
    parent = QWidget()
    qtbot.addWidget(parent)
    dialog = MarginDialog(parent, "CTV")
    for before in (5.0, 2.5):
        dialog.boxes[0].setValue(before)
        assert typed(dialog.boxes[0], text) == 2.5
        assert dialog.margins_mm == (2.5,) * 6
        dialog.boxes[1].setValue(7.0)


@pytest.mark.parametrize("text", ["1.234,5", "1 000.5", "2..5"])
def test_what_is_no_number_with_one_point_is_not_made_one(qtbot, language, text):
    box = DecimalBox(maximum=100_000, decimals=1)
    qtbot.addWidget(box)
    state, *_ = box.validate(text, len(text))
    assert state is not state.Acceptable


def test_a_value_that_is_shown_is_read_back_as_it_is(qtbot, language):
    box = millimetres("Margin", -50)
    qtbot.addWidget(box)
    box.setValue(2.5)
    box.interpretText()
    assert (box.value(), box.text()) == (2.5, "2.5 mm")


def test_every_box_for_a_number_with_decimals_is_one_of_these():
    boxes = re.compile(r"QDoubleSpinBox\(|\(QDoubleSpinBox\)|getDouble")
    folder = Path(autocontour.gui.__file__).parent
    made = [path.name for path in folder.rglob("*.py") if boxes.search(path.read_text(encoding="utf-8"))]
    assert made == ["numbers.py"]
