"""The panel beside the views: the questions about a contour, or the tools for drawing one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QButtonGroup,
    QFrame,
    QGridLayout,
    QLabel,
    QPushButton,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from autocontour.gui.look.language import later, tr
from autocontour.gui.tools import TOOLS, Tool
from autocontour.qa.commissioning.blind.plan import CORRECT, CORRECTIONS, ORIGINS, Task

PANEL_PX = 300
CORRECTION_WORDS = dict(zip(CORRECTIONS, (later("No"), later("Minor"), later("Major")), strict=True))
ORIGIN_WORDS = dict(zip(ORIGINS, (later("Human"), later("Machine")), strict=True))
CORRECTION_KEYS, ORIGIN_KEYS = ("1", "2", "3"), ("4 H", "5 M")
DRAWING = (
    ("undo", later("Undo"), "Ctrl+Z"),
    ("redo", later("Redo"), "Ctrl+Y Ctrl+Shift+Z"),
    ("interpolate", later("Interpolate"), "I"),
    ("copy_up", later("Copy up"), "Shift+Up"),
    ("copy_down", later("Copy down"), "Shift+Down"),
    ("delete_here", later("Delete"), "Del"),
    ("smaller", later("Smaller"), "["),
    ("larger", later("Larger"), "]"),
)
BY_HAND: dict[str, type[Tool]] = {
    name: TOOLS[name]
    for name in ("navigate", "brush", "eraser", "push", "freehand", "smart", "flood", "points", "ruler")
    if name in TOOLS
}
"""Tools of a drawing: none of a network, with which a structure would not be drawn from nothing."""
LOOKING = (
    (later("Up, Down, PgUp, PgDn, wheel"), later("Slices")),
    (later("Ctrl + wheel"), later("Zoom")),
    ("Space", later("First view again")),
    ("0", later("Fit views")),
    ("Q", later("Show or hide outlines")),
    ("L", later("Next window preset")),
    (later("Right drag"), later("Window and level")),
)


class QuestionPanel(QFrame):
    """What is asked; every button has a key.

    Signals
    -------
    correction_chosen, origin_chosen
        An answer, of `CORRECTIONS` or `ORIGINS`.
    asked
        The name of a command: ``next``, ``back``, ``pause``, ``done``, ``impossible``, or one of `DRAWING`.
    tool_chosen
        The identity of a tool.
    """

    correction_chosen = Signal(str)
    origin_chosen = Signal(str)
    asked = Signal(str)
    tool_chosen = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("panel")
        self.setFixedWidth(PANEL_PX)
        self.setAccessibleName(tr("Questions"))
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 12)
        column.setSpacing(10)
        self.progress = _label("heading")
        self.structure = _label("title", wrap=True)
        self.words = _label("", wrap=True)
        for label in (self.progress, self.structure, self.words):
            column.addWidget(label)
        self.pages = QStackedWidget()
        self.judging, self.drawing, self.ending, self.waiting = QWidget(), QWidget(), QWidget(), QWidget()
        for page in (self.judging, self.drawing, self.ending, self.waiting):
            self.pages.addWidget(page)
        self._build_judging()
        self._build_drawing()
        self._build_ending()
        column.addWidget(self.pages)
        column.addStretch()
        column.addWidget(_keys())
        self.back = self._command("back", tr("Back"), "Backspace")
        self.pause = self._command("pause", tr("Pause"), "Ctrl+Q")
        column.addWidget(self.back)
        column.addWidget(self.pause)

    def _command(self, name: str, text: str, key: str) -> QPushButton:
        button = _button(text, key)
        button.clicked.connect(lambda: self.asked.emit(name))
        return button

    def _build_judging(self) -> None:
        column = _column(self.judging)
        question = tr("Would you correct this contour?")
        chosen = self.correction_chosen.emit
        self.corrections = self._group(column, question, CORRECTION_WORDS, CORRECTION_KEYS, chosen)
        question = tr("Was it drawn by a human or by a machine?")
        self.origins = self._group(column, question, ORIGIN_WORDS, ORIGIN_KEYS, self.origin_chosen.emit)
        self.next = self._command("next", tr("Next"), "Return")
        self.next.setObjectName("primary")
        column.addWidget(self.next)

    def _group(
        self, column: QVBoxLayout, question: str, words: Mapping[str, str], keys: Sequence[str],
        chosen: Callable[[str], object],
    ) -> dict[str, QPushButton]:  # fmt: skip
        label = _label("", wrap=True)
        label.setText(question)
        column.addWidget(label)
        group = QButtonGroup(self)
        group.setExclusive(False)
        buttons = {}
        for (answer, text), key in zip(words.items(), keys, strict=True):
            button = buttons[answer] = _button(tr(text), key.split()[0])
            button.setCheckable(True)
            button.setObjectName("answer")
            button.clicked.connect(lambda _=False, answer=answer: chosen(answer))
            button.setAccessibleDescription(question)
            group.addButton(button)
            column.addWidget(button)
        return buttons

    def _build_drawing(self) -> None:
        column = _column(self.drawing)
        grid = QGridLayout()
        grid.setSpacing(5)
        self.tools: dict[str, QPushButton] = {}
        for identity, tool in BY_HAND.items():
            button = self.tools[identity] = _button(tr(tool.name), tool.keys.split()[0])
            button.setCheckable(True)
            button.setObjectName("answer")
            button.clicked.connect(lambda _=False, identity=identity: self.tool_chosen.emit(identity))
        self.commands = {name: self._command(name, tr(text), keys.split()[0]) for name, text, keys in DRAWING}
        for number, button in enumerate((*self.tools.values(), *self.commands.values())):
            button.setStyleSheet("padding: 4px 6px; text-align: left;")
            grid.addWidget(button, number // 2, number % 2)
        column.addLayout(grid)
        self.done = self._command("done", tr("Done"), "Ctrl+Return")
        self.done.setObjectName("primary")
        self.impossible = self._command("impossible", tr("Cannot be drawn on this scan"), "")
        column.addWidget(self.done)
        column.addWidget(self.impossible)

    def _build_ending(self) -> None:
        column = _column(self.ending)
        self.finish = self._command("finish", tr("Finish"), "Return")
        self.finish.setObjectName("primary")
        column.addWidget(self.finish)

    def ask(self, task: Task, number: int, count: int) -> None:
        """Show the question of a task."""
        self.progress.setText(tr("{number} OF {count}", number=number, count=count))
        self.structure.setText(task.structure)
        if task.item:
            self.words.setText("")
            self.pages.setCurrentWidget(self.judging)
        else:
            from_nothing = tr("Draw this structure from nothing, as you would contour it for a plan.")
            correct = tr("Correct this contour until you would approve it for a plan.")
            self.words.setText(correct if task.kind == CORRECT else from_nothing)
            self.pages.setCurrentWidget(self.drawing)

    def show_answer(self, correction: str, origin: str) -> None:
        """Show what is chosen; empty for nothing yet."""
        for buttons, chosen in ((self.corrections, correction), (self.origins, origin)):
            for answer, button in buttons.items():
                button.setChecked(answer == chosen)
        self.next.setEnabled(bool(correction and origin))

    def show_words(self, title: str, words: str, *, is_end: bool = False) -> None:
        """Show a sentence instead of a question."""
        self.structure.setText(title)
        self.words.setText(words)
        self.pages.setCurrentWidget(self.ending if is_end else self.waiting)


def _label(name: str, *, wrap: bool = False) -> QLabel:
    label = QLabel(wordWrap=wrap)
    label.setObjectName(name)
    label.setTextFormat(Qt.TextFormat.PlainText)
    return label


def _button(text: str, key: str) -> QPushButton:
    short = key.replace("Shift+", "⇧").replace("Down", "↓").replace("Up", "↑")
    button = QPushButton(f"{text}   {short}" if key else text)
    button.setAccessibleName(text)
    button.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # the keys belong to the questions and to the views
    return button


def _column(page: QWidget) -> QVBoxLayout:
    column = QVBoxLayout(page)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(7)
    return column


def _keys() -> QLabel:
    label = _label("muted", wrap=True)
    label.setText("\n".join(f"{tr(key)}: {tr(words)}" for key, words in LOOKING))
    return label
