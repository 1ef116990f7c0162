"""What the mouse does on a slice."""

from autocontour.gui.tools.base import Pointer, Tool
from autocontour.gui.tools.brush import Brush, Eraser
from autocontour.gui.tools.freehand import Freehand
from autocontour.gui.tools.navigate import Navigate
from autocontour.gui.tools.points import Points
from autocontour.gui.tools.push import Push
from autocontour.gui.tools.ruler import Ruler
from autocontour.gui.tools.smart import SmartBrush

__all__ = ["Brush", "Eraser", "Freehand", "Navigate", "Pointer", "Points", "Push", "Ruler", "SmartBrush", "Tool"]
