"""Learning from approved cases: switch it on, retrain in another process, look at it, and put a candidate into use."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from PySide6.QtCore import QSize, Qt, QTimer
from PySide6.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QDialog,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QSlider,
    QSpinBox,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from autocontour.gui.dialogs.frame import room_on_screen
from autocontour.gui.look.language import later, tr
from autocontour.gui.state.command import Command
from autocontour.gui.views.training import CurvesView, SampleView, list_samples, read_curves, read_samples

POLL_MS = 1000
SIZE = QSize(1040, 800)
COLUMNS = (later("Structure"), later("Site"), "n", "DSC", later("Surface DSC"), later("Worst cases"), "")


class LearningDialog(QDialog):
    """The dialog; it blocks nothing, and a retraining goes on while it is closed.

    Parameters
    ----------
    parent
        The window.
    folder
        Of the learning.
    cases
        Folder of the cases.
    """

    def __init__(self, parent: QWidget, folder: Path, cases: Path) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Learn from approved cases"))
        self.resize(SIZE.boundedTo(room_on_screen(self)))
        self.folder, self.cases = folder, cases
        self.round: dict[str, Any] = {}
        self._shown_samples: list[Path] = []
        self.work, self.change, self.status = Command(self), Command(self), Command(self)
        self._build()
        self.work.printed.connect(self._follow)
        self.work.ended.connect(self._end)
        self.change.ended.connect(self._changed)
        self.status.ended.connect(self._show_status)
        self._timer = QTimer(self, interval=POLL_MS)
        self._timer.timeout.connect(self._look)
        self.ask_status()

    # What is shown

    def _build(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 16, 20, 16)
        column.setSpacing(10)
        words = tr(
            "Approved, corrected cases retrain the package. A share of the patients is put aside for the test. A "
            "candidate is used only after it has passed the gate, or by your reasoned decision."
        )
        column.addWidget(QLabel(words, wordWrap=True))
        first = QHBoxLayout()
        self.collects = QCheckBox(tr("Collect approved cases on this computer"))
        self.collects.clicked.connect(self._switch)
        self.when = QSpinBox(minimum=1, maximum=100_000, value=10)
        self.when.setAccessibleName(tr("New cases"))
        self.when.editingFinished.connect(self._switch)
        self.start = QPushButton(tr("Retrain now"))
        self.start.setObjectName("primary")
        self.start.clicked.connect(self.retrain)
        self.stop = QPushButton(tr("Stop"))
        self.stop.setEnabled(False)
        self.stop.clicked.connect(self.work.stop)
        for part in (self.collects, QLabel(tr("New cases for a retraining:")), self.when):
            first.addWidget(part)
        first.addStretch(1)
        first.addWidget(self.start)
        first.addWidget(self.stop)
        column.addLayout(first)
        self.facts = QLabel("…", wordWrap=True)
        column.addWidget(self.facts)
        self.progress = QProgressBar(maximum=1000)
        self.progress.setTextVisible(False)
        self.stage = QLabel("")
        column.addWidget(self.progress)
        column.addWidget(self.stage)
        self._build_pictures(column)
        self._build_gate(column)

    def _build_pictures(self, column: QVBoxLayout) -> None:
        self.curves, self.samples = CurvesView(), SampleView()
        self.curves.setAccessibleName(tr("Learning curves"))
        self.samples.setAccessibleName(tr("Sample slices"))
        row = QHBoxLayout()
        row.addWidget(self.curves, 1)
        right = QVBoxLayout()
        right.addWidget(self.samples, 1)
        self.step = QSlider(Qt.Orientation.Horizontal)
        self.step.setAccessibleName(tr("Time of the sample slices"))
        self.step.valueChanged.connect(self._show_samples)
        self.caption = QLabel(tr("Solid: reference; dotted: network"))
        self.caption.setObjectName("muted")
        right.addWidget(self.step)
        right.addWidget(self.caption)
        row.addLayout(right, 1)
        column.addLayout(row, 2)

    def _build_gate(self, column: QVBoxLayout) -> None:
        self.verdict = QLabel("", wordWrap=True)
        self.table = QTableWidget(0, len(COLUMNS))
        self.table.setHorizontalHeaderLabels([tr(name) if name.strip() else "" for name in COLUMNS])
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.verticalHeader().hide()
        self.table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.table.horizontalHeader().setStretchLastSection(True)
        self.table.setAccessibleName(tr("Result of the gate"))
        column.addWidget(self.verdict)
        column.addWidget(self.table, 1)
        last = QHBoxLayout()
        self.reason, self.name = QLineEdit(), QLineEdit()
        self.reason.setPlaceholderText(tr("Reason for using it although it has not passed"))
        self.name.setPlaceholderText(tr("Your name"))
        for field in (self.reason, self.name):
            field.setAccessibleName(field.placeholderText())
            field.textChanged.connect(self._allow)
        self.use = QPushButton(tr("Use the candidate"))
        self.use.clicked.connect(self.promote)
        self.use.setObjectName("good")
        last.addWidget(self.reason, 3)
        last.addWidget(self.name, 2)
        last.addStretch(1)
        last.addWidget(self.use)
        column.addLayout(last)
        for button in self.findChildren(QPushButton):
            button.setAutoDefault(False)
        self._show_gate()

    # What the user does

    def retrain(self) -> None:
        """Collect and retrain in another process."""
        if self.work.is_running:
            return
        self.start.setEnabled(False)
        self.stop.setEnabled(True)
        self.stage.setText(tr("Starting…"))
        self.round = {}
        self._show_gate()
        self._timer.start()
        self.work.start("learn", "run", "--now", "--json", "--folder", str(self.folder))

    def promote(self) -> None:
        """Put the candidate into use; the button is there only if that is allowed."""
        arguments = ["models", "promote", self.round["candidate"], "--record", self.round["record"], "--json"]
        if not self.round["passed"]:
            arguments += ["--override", self.reason.text().strip(), "--by", self.name.text().strip()]
        self.use.setEnabled(False)
        self.change.start(*arguments)

    def ask_status(self) -> None:
        """Read what is known of the cases and rounds."""
        self.status.start("learn", "status", "--json", "--folder", str(self.folder))

    def _switch(self) -> None:
        common = ["--folder", str(self.folder), "--json"]
        if self.collects.isChecked():
            self.change.start("learn", "on", "--cases", str(self.cases), "--when", str(self.when.value()), *common)
        else:
            self.change.start("learn", "off", *common)

    # Messages of the processes

    def _follow(self, event: dict[str, Any]) -> None:
        if event.get("event") == "progress":
            self.progress.setValue(round(1000 * event["fraction"]))
            left = event["seconds_left"]
            words = "" if left is None else " · " + tr("about {minutes} min left", minutes=max(1, round(left / 60)))
            self.stage.setText(f"{event['stage']}{words}")
        elif "case" in event and "code" in event:
            self.stage.setText(tr("A case was set aside: {code}", code=event["code"]))
        elif event.get("event") == "end":
            self._ended_with(event)

    def _ended_with(self, event: dict[str, Any]) -> None:
        if event["waiting"]:
            words = tr(
                "Too few cases: {new} new ones, and {tests} for the test.", new=event["new"], tests=event["tests"]
            )
            self.stage.setText(words)
            return
        self.stage.setText(event.get("message") or tr("Done."))
        self.round = event if event["state"] == "candidate" else {}

    def _end(self, code: int, _: str, error: str) -> None:
        self._timer.stop()
        self._look()
        self.start.setEnabled(True)
        self.stop.setEnabled(False)
        self.progress.setValue(0)
        if code == 130:
            self.stage.setText(tr("Stopped; the next retraining continues it."))
        elif code not in (0, 1):
            self.stage.setText(error.strip().splitlines()[0] if error.strip() else tr("The process ended."))
        self._show_gate()
        self.ask_status()

    def _changed(self, code: int, _: str, error: str) -> None:
        if code:
            self.verdict.setText(error.strip().splitlines()[0] if error.strip() else tr("The process ended."))
        self.ask_status()

    def _show_status(self, code: int, output: str, error: str) -> None:
        if code:
            self.facts.setText(error.strip().splitlines()[0] if error.strip() else "")
            return
        status = json.loads(output)
        self.collects.setChecked(status["enabled"])
        if not self.when.hasFocus():
            self.when.setValue(status["wanted"])
        self.start.setEnabled(status["enabled"] and not self.work.is_running)
        states = ", ".join(f"{count} {state}" for state, count in status["states"].items())
        words = tr("{package}: {new} new cases, {tests} put aside for the test.", **_only(status))
        self.facts.setText(f"{words}  ({states})" if states else words)
        rounds = [one for one in status["rounds"] if one["state"] == "candidate"]
        if rounds and not self.work.is_running:
            self.round = rounds[-1]
            self._look()
            self._show_gate()

    # Pictures and the gate

    @property
    def _stage_folder(self) -> Path | None:
        rounds = sorted((self.folder / "rounds").glob("[0-9]*/run/segmenter*"))
        return rounds[-1] if rounds else None

    def _look(self) -> None:
        """Show what the training has written by now."""
        stage = self._stage_folder
        if stage is None:
            return
        self.curves.show_curves(read_curves(stage))
        found = list_samples(stage)
        if found != self._shown_samples:
            was_last = self.step.value() == self.step.maximum()
            self._shown_samples = found
            self.step.setMaximum(max(0, len(found) - 1))
            if was_last:
                self.step.setValue(self.step.maximum())
            self._show_samples()

    def _show_samples(self) -> None:
        if not self._shown_samples:
            return
        path = self._shown_samples[min(self.step.value(), len(self._shown_samples) - 1)]
        words = tr("Step {step}. Solid: reference; dotted: network", step=int(path.stem))
        self.caption.setText(words)
        self.samples.show_images(read_samples(path), words)

    def _show_gate(self) -> None:
        content = _read_record(self.round)
        self.table.setRowCount(0)
        if content is None:
            self.verdict.setText(tr("There is no candidate yet."))
        elif self.round.get("in_use"):
            self.verdict.setText(tr("{version} is in use.", version=self.round["version"]))
        elif self.round["passed"]:
            self.verdict.setText(tr("{version} has passed the gate.", version=self.round["version"]))
        else:
            self.verdict.setText(tr("{version} has not passed the gate.", version=self.round["version"]))
        for row in content["judgements"] if content else ():
            self._add_row(row)
        self._allow()

    def _add_row(self, row: dict[str, Any]) -> None:
        number = self.table.rowCount()
        self.table.insertRow(number)
        dsc, surface = row["dsc"], row["surface_dsc"]
        problems = "; ".join(problem["message"] for problem in row["problems"])
        cells = (
            row["structure"],
            row["site"],
            str(row["n"]),
            f"{dsc['before']:.3f} → {dsc['after']:.3f}",
            f"{surface['before']:.3f} → {surface['after']:.3f}",
            f"{row['worst_before']:.3f} → {row['worst_after']:.3f}",
            problems or tr("passed"),
        )
        for place, text in enumerate(cells):
            self.table.setItem(number, place, QTableWidgetItem(text))

    def _allow(self) -> None:
        """Offer the candidate only after a pass, or with a reason and a name."""
        is_new = bool(self.round) and not self.round.get("in_use") and not self.change.is_running
        passed = is_new and bool(self.round["passed"])
        for field in (self.reason, self.name):
            field.setVisible(is_new and not passed)
        decided = bool(self.reason.text().strip() and self.name.text().strip())
        self.use.setEnabled(passed or (is_new and decided))


def _read_record(one: dict[str, Any]) -> dict[str, Any] | None:
    try:
        content: dict[str, Any] = json.loads(Path(one["record"]).read_text(encoding="utf-8"))
    except (KeyError, OSError, ValueError):
        return None
    return content


def _only(status: dict[str, Any]) -> dict[str, Any]:
    return {name: status[name] for name in ("package", "new", "tests")}
