"""Colours of the window: dark for a dark room, and light."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from string import Template

from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QApplication


@dataclass(frozen=True)
class Theme:
    """One set of colours."""

    name: str
    ground: str
    panel: str
    raised: str
    line: str
    text: str
    muted: str
    accent: str
    accent_text: str
    good: str
    warn: str
    bad: str


DARK = Theme(
    "dark", "#0f1216", "#171b21", "#232932", "#2c343f", "#dfe6ee", "#8793a3", "#3fa7ff", "#04121f",
    "#46c58b", "#f2b53c", "#f06a6a",
)  # fmt: skip
LIGHT = Theme(
    "light", "#dfe3e8", "#f4f6f8", "#ffffff", "#c9d0d8", "#1b2430", "#5d6a79", "#0f6fc5", "#ffffff",
    "#1f8a57", "#a86c00", "#c23b3b",
)  # fmt: skip
THEMES = {theme.name: theme for theme in (DARK, LIGHT)}

_SHEET = Template("""
* { font-size: 13px; }
QMainWindow, QDialog, QMessageBox { background: $ground; color: $text; }
QWidget { color: $text; }
QToolTip { background: $raised; color: $text; border: 1px solid $line; padding: 5px 7px; }
#banner { background: $panel; border-bottom: 1px solid $line; }
#banner QLabel#patient { font-size: 17px; font-weight: 600; }
#banner QLabel#fact { color: $muted; }
#toolbar { background: $panel; border: none; border-bottom: 1px solid $line; padding: 4px 6px; spacing: 3px; }
#tools { background: $panel; border: none; border-right: 1px solid $line; padding: 4px 3px; spacing: 1px; }
#tools QToolButton { padding: 3px 8px; }
QToolBar::separator { background: $line; width: 1px; height: 1px; margin: 6px 5px; }
#tools::separator { margin: 2px 5px; }
#tools QToolButton { padding: 3px 8px; }
QToolButton { background: transparent; border: 1px solid transparent; border-radius: 7px; padding: 5px 8px; }
QToolButton:hover { background: $raised; }
QToolButton:checked { background: $accent; color: $accent_text; }
QToolButton:disabled { color: $muted; }
QToolButton::menu-indicator { image: none; }
#tools #qt_toolbar_ext_button, #toolbar #qt_toolbar_ext_button { padding: 0; border-radius: 3px; background: $raised; }
QTabBar::tab { background: $panel; color: $muted; padding: 7px 12px; border-bottom: 2px solid transparent; }
QTabBar::tab:selected { color: $text; border-bottom-color: $accent; }
QTabWidget::pane { border: none; } QTabBar { qproperty-drawBase: 0; }
QPushButton { background: $raised; border: 1px solid $line; border-radius: 7px; padding: 6px 14px; }
QPushButton:hover { border-color: $accent; }
QPushButton:default, QPushButton#primary { background: $accent; color: $accent_text; border-color: $accent;
  font-weight: 600; }
QPushButton:disabled { color: $muted; background: $panel; border-color: $line; }
QPushButton#primary:disabled { background: $panel; color: $muted; border-color: $line; }
QPushButton#answer:checked { background: $accent; color: $accent_text; border-color: $accent; }
QPushButton#good { background: $good; color: $accent_text; border-color: $good; font-weight: 600; }
QPushButton#good:disabled { background: $panel; color: $muted; border-color: $line; }
#panel { background: $panel; border-left: 1px solid $line; }
#heading { font-size: 12px; font-weight: 600; color: $muted; letter-spacing: 0.3px; }
#muted { color: $muted; }
#refusal { color: $bad; }
#warning { color: $warn; }
QLineEdit, QComboBox, QDoubleSpinBox, QSpinBox, QPlainTextEdit, QTextEdit { background: $raised; color: $text;
  border: 1px solid $line; border-radius: 6px; padding: 5px 8px; selection-background-color: $accent; }
QLineEdit:focus, QComboBox:focus, QDoubleSpinBox:focus { border-color: $accent; }
QComboBox::drop-down { border: none; width: 24px; }
QComboBox::down-arrow { image: url($assets/down.svg); width: 12px; height: 12px; }
QAbstractSpinBox::up-button, QAbstractSpinBox::down-button { border: none; background: transparent; width: 20px; }
QAbstractSpinBox::up-arrow { image: url($assets/up.svg); width: 10px; height: 10px; }
QAbstractSpinBox::down-arrow { image: url($assets/down.svg); width: 10px; height: 10px; }
QComboBox QAbstractItemView { background: $raised; color: $text; border: 1px solid $line;
  selection-background-color: $accent; selection-color: $accent_text; }
QListView, QTreeView, QTableView, QTableWidget, QListWidget, QTreeWidget { background: $panel; border: none;
  outline: none; alternate-background-color: $panel; }
QTableWidget { gridline-color: $line; }
QTreeWidget::item, QListWidget::item { padding: 5px; }
QTreeWidget::item:selected, QListWidget::item:selected, QTableWidget::item:selected { background: $accent;
  color: $accent_text; }
QHeaderView::section { background: $panel; color: $muted; border: none; border-bottom: 1px solid $line; padding: 6px; }
QMenu { background: $raised; border: 1px solid $line; padding: 5px; }
QMenu::item { padding: 6px 26px 6px 12px; border-radius: 5px; }
QMenu::item:selected { background: $accent; color: $accent_text; }
QMenu::item:disabled { color: $muted; }
QMenu::separator { height: 1px; background: $line; margin: 5px; }
QMenuBar { background: $panel; } QMenuBar::item { padding: 5px 10px; }
QMenuBar::item:selected { background: $raised; }
QStatusBar { background: $panel; border-top: 1px solid $line; color: $muted; }
QStatusBar::item { border: none; }
QSplitter::handle { background: $line; } QSplitter::handle:hover { background: $accent; }
QScrollBar:vertical { background: transparent; width: 9px; } QScrollBar:horizontal { background: transparent;
  height: 9px; }
QScrollBar::handle { background: $line; border-radius: 4px; min-height: 30px; min-width: 30px; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; }
QSlider::groove:horizontal { background: $line; height: 4px; border-radius: 2px; }
QSlider::handle:horizontal { background: $accent; width: 14px; margin: -5px 0; border-radius: 7px; }
QProgressBar { background: $raised; border: none; border-radius: 4px; height: 8px; text-align: center; }
QProgressBar::chunk { background: $accent; border-radius: 4px; }
QCheckBox::indicator { width: 16px; height: 16px; border: 1px solid $muted; border-radius: 4px; background: $raised; }
QCheckBox::indicator:checked { background: $accent; border-color: $accent; image: url($assets/check.svg); }
QListWidget::indicator, QTreeWidget::indicator { width: 15px; height: 15px; border: 1px solid $muted;
  border-radius: 4px; }
QListWidget::indicator:checked, QTreeWidget::indicator:checked { background: $accent; border-color: $accent;
  image: url($assets/check.svg); }
QGroupBox { border: 1px solid $line; border-radius: 8px; margin-top: 14px; padding: 10px; }
QGroupBox::title { subcontrol-origin: margin; left: 10px; color: $muted; }
#card { background: $panel; border: 1px solid $line; border-radius: 12px; }
#title { font-size: 24px; font-weight: 600; }
""")

ASSETS = (Path(__file__).parent / "assets").as_posix()
current = DARK


def use_theme(app: QApplication, theme: Theme) -> None:
    """Dress the whole program in `theme`."""
    global current
    current = theme
    app.setStyle("Fusion")
    palette = QPalette()
    for role, color in (
        (QPalette.ColorRole.Window, theme.ground),
        (QPalette.ColorRole.Base, theme.panel),
        (QPalette.ColorRole.Text, theme.text),
        (QPalette.ColorRole.WindowText, theme.text),
        (QPalette.ColorRole.Button, theme.raised),
        (QPalette.ColorRole.ButtonText, theme.text),
        (QPalette.ColorRole.Highlight, theme.accent),
        (QPalette.ColorRole.HighlightedText, theme.accent_text),
        (QPalette.ColorRole.PlaceholderText, theme.muted),
    ):
        palette.setColor(role, QColor(color))
    app.setPalette(palette)
    app.setStyleSheet(_SHEET.substitute(vars(theme), assets=ASSETS))
