# ruff: noqa: E501  (path data)
"""Line icons, drawn from SVG in the colour of the theme."""

from __future__ import annotations

from functools import cache

from PySide6.QtCore import QByteArray, Qt
from PySide6.QtGui import QIcon, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer

SIZE = 24
_SHAPES = {
    "open": '<path d="M3 7v12h17l2-9H7l-2 9M3 7V5h6l2 2h8v3"/>',
    "auto": '<path d="M12 3l2.2 5.8L20 11l-5.8 2.2L12 19l-2.2-5.8L4 11l5.8-2.2z"/><path d="M19 16v5M16.5 18.500h5"/>',
    "undo": '<path d="M9 14L4 9l5-5"/><path d="M4 9h10a6 6 0 010 12h-3"/>',
    "redo": '<path d="M15 14l5-5-5-5"/><path d="M20 9H10a6 6 0 000 12h3"/>',
    "navigate": '<path d="M5 3l14 8-6 2-3 6z"/>',
    "brush": '<path d="M20 3L10 13"/><path d="M9.500 12.500a3.500 3.500 0 013 3c0 3-2.500 5-8.500 5 1.500-1.500 1.500-3 2-5a3.500 3.500 0 013.500-3z"/>',
    "eraser": '<path d="M8 20L3 15 14 4l7 7-9 9z"/><path d="M8.500 9.500l7 7M8 20h13"/>',
    "freehand": '<path d="M4 15C2 8 9 2 13 6s-6 7-2 11 10-1 9-8"/>',
    "push": '<path d="M4 4c8 2 9 6 5 9s-2 6 4 8"/><path d="M21 12h-8M16 9l-3 3 3 3"/>',
    "points": '<path d="M5 17L8 6l10 2-2 10z"/><circle cx="8" cy="6" r="2"/><circle cx="18" cy="8" r="2"/><circle cx="16" cy="18" r="2"/><circle cx="5" cy="17" r="2"/>',
    "smart": '<path d="M20 3L11 12"/><path d="M10 12a3 3 0 013 3c0 3-2.500 5-8 5 1.500-1.500 1-5 5-8z"/><path d="M18 13v5M15.500 15.500h5"/>',
    "flood": '<path d="M12 3c4 5 6 8 6 11a6 6 0 01-12 0c0-3 2-6 6-11z"/><path d="M9 14a3 3 0 003 3"/><circle cx="12" cy="13" r="10" stroke-dasharray="1.500 3"/>',
    "ruler": '<path d="M3 16L16 3l5 5L8 21z"/><path d="M7 12l2 2M10 9l3 3M13 6l2 2"/>',
    "interpolate": '<ellipse cx="12" cy="5" rx="5" ry="2"/><ellipse cx="12" cy="19" rx="8" ry="2.500"/><path d="M5.500 12a6.500 2 0 0013 0 6.500 2 0 00-13 0" stroke-dasharray="2 2"/>',
    "copy": '<rect x="8" y="8" width="12" height="12" rx="2"/><path d="M16 8V6a2 2 0 00-2-2H6a2 2 0 00-2 2v8a2 2 0 002 2h2"/>',
    "delete": '<path d="M4 7h16M10 11v6M14 11v6M6 7l1 13h10l1-13M9 7V4h6v3"/>',
    "smooth": '<path d="M3 15l3-6 3 5 3-7" stroke-dasharray="2 2"/><path d="M3 18c5 0 5-9 10-9s4 6 8 6"/>',
    "margin": '<circle cx="12" cy="12" r="4"/><circle cx="12" cy="12" r="9" stroke-dasharray="3 2.500"/>',
    "boolean": '<circle cx="9" cy="12" r="6"/><circle cx="15" cy="12" r="6"/>',
    "review": '<path d="M2 12s4-7 10-7 10 7 10 7-4 7-10 7S2 12 2 12z"/><circle cx="12" cy="12" r="3"/>',
    "approve": '<path d="M4 12l6 6L20 6"/>',
    "export": '<path d="M12 3v12M8 7l4-4 4 4"/><path d="M4 15v5h16v-5"/>',
    "compare": '<path d="M12 3v18"/><path d="M9 6H4v12h5"/><path d="M15 6h5v12h-5" stroke-dasharray="2 2"/>',
    "help": '<circle cx="12" cy="12" r="9"/><path d="M9.500 9.500a2.500 2.500 0 115 0c0 2-2.500 2-2.500 4"/><path d="M12 17v.2"/>',
    "add": '<path d="M12 5v14M5 12h14"/>',
    "more": '<path d="M5 12h.2M12 12h.2M19 12h.2"/>',
    "theme": '<path d="M20 14A8 8 0 1110 4a6.500 6.500 0 0010 10z"/>',
}


@cache
def icon(name: str, color: str, checked: str) -> QIcon:
    """Return an icon in `color`, in `checked` while its button is down."""
    made = QIcon()
    made.addPixmap(_drawn(name, color))
    made.addPixmap(_drawn(name, checked), QIcon.Mode.Normal, QIcon.State.On)
    faint = QPixmap(_drawn(name, color))
    dim = QPixmap(faint.size())
    dim.setDevicePixelRatio(2)
    dim.fill(Qt.GlobalColor.transparent)
    painter = QPainter(dim)
    painter.setOpacity(0.35)
    painter.drawPixmap(0, 0, faint)
    painter.end()
    made.addPixmap(dim, QIcon.Mode.Disabled)
    return made


def _drawn(name: str, color: str) -> QPixmap:
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" fill="none" stroke="{color}" '
        f'stroke-width="1.700" stroke-linecap="round" stroke-linejoin="round">{_SHAPES[name]}</svg>'
    )
    pixmap = QPixmap(2 * SIZE, 2 * SIZE)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    QSvgRenderer(QByteArray(svg.encode())).render(painter)
    painter.end()
    pixmap.setDevicePixelRatio(2)
    return pixmap
