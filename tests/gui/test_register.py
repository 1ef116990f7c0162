"""A tool is one class: a toy tool added from outside has its key, its icon, its place in menu, bar and list of keys."""

import math

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from shapely import MultiPolygon, Point

from autocontour.edits import union
from autocontour.gui.tools import TOOLS, Tool, forget_tool, register_tool
from tests.gui.conftest import Hand, ball, small_ct
from tests.gui.test_editing import outline, press

KEY = Qt.Key


class Stamp(Tool):
    """Adds a disc of 10 mm wherever it is pressed."""

    identity = "stamp"
    name = "Stamp"
    tip = "Add a disc"
    keys = "Y"
    icon = '<circle cx="12" cy="12" r="8"/>'

    def begin(self, pointer):
        """Add the disc."""
        self.working = union(self.working, MultiPolygon([Point(pointer.at).buffer(10)]))


@pytest.fixture
def stamped(another_window, qtbot):
    register_tool(Stamp)
    window = another_window()
    window.show_ct(small_ct())
    window.workspace.receive(ball())
    window.workspace.go_to_slice(12)
    qtbot.waitUntil(lambda: window.views.axial.width() > 300)
    yield window
    forget_tool("stamp")


def test_a_toy_tool_from_outside_draws_with_its_key(stamped):
    before = outline(stamped)
    press(stamped, KEY.Key_Y)
    assert stamped.views.axial.tool.name == "Stamp"
    Hand(stamped).stroke([(60, 0)])
    assert outline(stamped).area - before.area == pytest.approx(math.pi * 100, rel=0.02)
    assert stamped.workspace.case.undo_label == "Stamp"


def test_a_toy_tool_has_its_place_everywhere(stamped):
    action = stamped.action_set.by_name["stamp"]
    assert action.isChecked() is False
    assert not action.icon().isNull()
    assert "Add a disc" in action.toolTip()
    assert stamped.side_bar.widgetForAction(action).isVisible()
    (tools,) = [menu for menu in stamped.menuBar().actions() if menu.text() == "Tools"]
    assert action in tools.menu().actions()
    QTest.keyClick(stamped, "?")
    assert ("Y", "Stamp") in [row for _, rows in stamped.cheat_sheet.sections for row in rows]


@pytest.mark.parametrize("taken", [{"identity": "brush"}, {"keys": "B"}, {"name": ""}, {"keys": ""}])
def test_a_tool_without_an_identity_of_its_own_is_refused(taken):
    with pytest.raises(ValueError, match="Broken"):
        register_tool(type("Broken", (Stamp,), taken))
    assert "stamp" not in TOOLS
