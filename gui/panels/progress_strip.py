"""A strip under the tool bar: what is being done, how far it is, the time left, and cancel."""

from __future__ import annotations

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QProgressBar, QPushButton

from autocontour.gui.look.language import tr
from autocontour.gui.look.phrases import as_sentence, in_words
from autocontour.gui.state.background import Background

PATIENCE_MS = 300


class ProgressStrip(QFrame):
    """Shows progress; hidden while there is none."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setObjectName("banner")
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 6, 16, 6)
        row.setSpacing(14)
        self._stage = QLabel()
        self._bar = QProgressBar(textVisible=False, maximum=1000)
        self._bar.setAccessibleName(name)
        self._left = QLabel()
        self._left.setObjectName("muted")
        self.cancel = QPushButton(tr("Cancel"))
        row.addWidget(self._stage)
        row.addWidget(self._bar, 1)
        row.addWidget(self._left)
        row.addWidget(self.cancel)
        self.hide()

    def show_progress(self, stage: str, fraction: float, seconds_left: float = -1.0) -> None:
        """Show how far it is; seconds below zero are not known."""
        self._stage.setText(as_sentence(stage))
        self._bar.setValue(round(1000 * fraction))
        self._left.setText(
            "" if seconds_left < 0 else tr("about {seconds} s left", seconds=max(round(seconds_left), 1))
        )


class WorkStrip(ProgressStrip):
    """Shows what is computed beside the window, unless it is over soon."""

    def __init__(self, background: Background) -> None:
        super().__init__(tr("Progress of the computation"))
        self._label, self._background = "", background
        self._timer = QTimer(self, singleShot=True, interval=PATIENCE_MS)
        # It takes room from the views: during a stroke they would move under the pointer.
        self._timer.timeout.connect(lambda: background.when_free(self._appear))
        background.begun.connect(self._begin)
        background.advanced.connect(self._advance)
        background.ended.connect(self._end)
        self.cancel.clicked.connect(background.cancel)

    def _begin(self, label: str) -> None:
        self._label = tr(label)
        self.show_progress(self._label, 0.0)
        self.cancel.setVisible(self._background.can_stop)
        self._timer.start()

    def _appear(self) -> None:
        if self._background.is_running:
            self.show()

    def _advance(self, stage: str, fraction: float, seconds_left: float) -> None:
        self.show_progress(f"{self._label}: {in_words(stage)}" if stage else self._label, fraction, seconds_left)

    def _end(self) -> None:
        self._timer.stop()
        self.hide()
