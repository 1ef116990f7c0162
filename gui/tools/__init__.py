"""The tools of the mouse on a slice."""

from autocontour.gui.tools.ball import Ball
from autocontour.gui.tools.base import Pointer, Tool
from autocontour.gui.tools.brush import Brush, Eraser
from autocontour.gui.tools.click import ClickTool
from autocontour.gui.tools.flood import Flood
from autocontour.gui.tools.freehand import Freehand
from autocontour.gui.tools.navigate import Navigate
from autocontour.gui.tools.points import Points
from autocontour.gui.tools.push import Push
from autocontour.gui.tools.register import TOOLS, forget_tool, register_tool
from autocontour.gui.tools.ruler import Ruler
from autocontour.gui.tools.smart import SmartBrush

for _tool in (Navigate, Brush, Eraser, Push, Freehand, SmartBrush, Flood, Points, ClickTool, Ruler):
    register_tool(_tool)

__all__ = [
    "TOOLS",
    "Ball",
    "Brush",
    "ClickTool",
    "Eraser",
    "Flood",
    "Freehand",
    "Navigate",
    "Pointer",
    "Points",
    "Push",
    "Ruler",
    "SmartBrush",
    "Tool",
    "forget_tool",
    "register_tool",
]
