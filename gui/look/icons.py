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
    "interpolate": '<ellipse cx="12" cy="5" rx="5" ry="2"/><ellipse cx="12" cy="19" rx="8" ry="2.500"/><path d="M5.500 12a6.500 2 0 0013 0 6.500 2 0 00-13 0" stroke-dasharray="2 2"/>',
    "copy": '<rect x="8" y="8" width="12" height="12" rx="2"/><path d="M16 8V6a2 2 0 00-2-2H6a2 2 0 00-2 2v8a2 2 0 002 2h2"/>',
    "delete": '<path d="M4 7h16M10 11v6M14 11v6M6 7l1 13h10l1-13M9 7V4h6v3"/>',
    "smooth": '<path d="M3 15l3-6 3 5 3-7" stroke-dasharray="2 2"/><path d="M3 18c5 0 5-9 10-9s4 6 8 6"/>',
    "target": '<circle cx="12" cy="12" r="3"/><circle cx="12" cy="12" r="7.500"/><path d="M12 1.500v6M12 16.500v6M1.500 12h6M16.500 12h6"/>',
    "margin": '<circle cx="12" cy="12" r="4"/><circle cx="12" cy="12" r="9" stroke-dasharray="3 2.500"/>',
    "boolean": '<circle cx="9" cy="12" r="6"/><circle cx="15" cy="12" r="6"/>',
    "review": '<path d="M2 12s4-7 10-7 10 7 10 7-4 7-10 7S2 12 2 12z"/><circle cx="12" cy="12" r="3"/>',
    "approve": '<path d="M4 12l6 6L20 6"/>',
    "export": '<path d="M12 3v12M8 7l4-4 4 4"/><path d="M4 15v5h16v-5"/>',
    "compare": '<path d="M12 3v18"/><path d="M9 6H4v12h5"/><path d="M15 6h5v12h-5" stroke-dasharray="2 2"/>',
    "help": '<circle cx="12" cy="12" r="9"/><path d="M9.500 9.500a2.500 2.500 0 115 0c0 2-2.500 2-2.500 4"/><path d="M12 17v.2"/>',
    "add": '<path d="M12 5v14M5 12h14"/>',
    "more": '<path stroke-width="4" d="M6 3l10 9-10 9"/>',
    "more_below": '<path stroke-width="4" d="M3 8l9 8 9-8"/>',
    "theme": '<path d="M20 14A8 8 0 1110 4a6.500 6.500 0 0010 10z"/>',
}


@cache
def icon(name: str, color: str, checked: str) -> QIcon:
    """Return an icon in `color`, in `checked` while its button is down; `name` may also be the icon's lines in SVG."""
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
        f'stroke-width="1.700" stroke-linecap="round" stroke-linejoin="round">{_SHAPES.get(name, name)}</svg>'
    )
    pixmap = QPixmap(2 * SIZE, 2 * SIZE)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    QSvgRenderer(QByteArray(svg.encode())).render(painter)
    painter.end()
    pixmap.setDevicePixelRatio(2)
    return pixmap
