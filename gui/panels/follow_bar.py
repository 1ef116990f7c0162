"""The bar over the views while slices are proposed: what would change, and what to do with it."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from autocontour.base.findings import Severity
from autocontour.gui.look.language import sentence_of, tr, tr_count
from autocontour.gui.state.following import Proposal
from autocontour.gui.state.workspace import Workspace

WIDTH_PX, BELOW_PX = 800, 12


class FollowBar(QFrame):
    """Lies over the lower edge of the views, so that nothing moves when it appears.

    Parameters
    ----------
    workspace
        With the proposal.
    parent
        A plain widget.
    over
        Where it appears.
    """

    def __init__(self, workspace: Workspace, parent: QWidget, over: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("banner")
        self.setAccessibleName(tr("Proposal for other slices"))
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setAutoFillBackground(True)
        self._workspace, self._parent, self._over = workspace, parent, over
        self.words = QLabel(wordWrap=True)
        self.words.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        following = workspace.following
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 8, 14, 8)
        column.addWidget(self.words)
        self._hint = QLabel(tr("Y all · Shift+Y this slice · Alt+Up, Alt+Down from here · Shift+F8 ends · Esc dismiss"))
        self._hint.setObjectName("muted")
        row = QHBoxLayout()
        column.addLayout(row)
        column.addWidget(self._hint)
        self.buttons: dict[str, QPushButton] = {}
        for name, text, key, act in (
            ("all", tr("Accept all"), "Y", following.accept),
            ("here", tr("This slice"), "Shift+Y", following.accept_here),
            ("up", tr("From here up"), "Alt+Up", partial(following.accept_from_here, 1)),
            ("down", tr("From here down"), "Alt+Down", partial(following.accept_from_here, -1)),
            ("ends", tr("Ends at drawn"), "Shift+F8", partial(following.ask, ends=True)),
            ("dismiss", tr("Dismiss"), "Esc", following.dismiss),
        ):
            button = self.buttons[name] = QPushButton(text)
            button.setToolTip(f"{text}  ({key})")
            button.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # the keyboard stays with the views
            button.clicked.connect(lambda _=False, act=act: act())
            row.addWidget(button)
        self.buttons["all"].setObjectName("primary")
        following.changed.connect(self.follow)
        workspace.position_changed.connect(self._follow_position)
        self.hide()

    def follow(self) -> None:
        """Show the proposal; hide where there is none."""
        proposal = self._workspace.following.proposal
        if proposal is None:
            self.hide()
            return
        words = proposal_in_words(self._workspace, proposal)
        self.words.setText(words)
        self.words.setAccessibleName(words)
        self.buttons["ends"].setEnabled(not proposal.ends)
        self._follow_position()
        self.place()
        if not self.isVisible():
            self.show()
            QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(self.words, words))
        self.raise_()

    def place(self) -> None:
        """Lie over the middle of the lower edge."""
        self.setFixedWidth(min(WIDTH_PX, self._over.width() - 2 * BELOW_PX))
        self.adjustSize()
        left = (self._over.width() - self.width()) // 2
        top = self._over.height() - self.height() - BELOW_PX
        self.move(self._over.mapTo(self._parent, QPoint(left, top)))

    def _follow_position(self) -> None:
        """Enable what would accept something from the slice that is shown."""
        proposal, space = self._workspace.following.proposal, self._workspace
        if proposal is None:
            return
        steps = [(z - space.slice_index) * space.step_to_head for z in proposal.changes]
        self.buttons["here"].setEnabled(0 in steps)
        self.buttons["up"].setEnabled(any(step >= 0 for step in steps))
        self.buttons["down"].setEnabled(any(step <= 0 for step in steps))


def proposal_in_words(space: Workspace, proposal: Proposal) -> str:
    """Return how many slices would change and by how much at most, and the warnings."""
    name = space.state[proposal.number].structure.name
    added = sum(z not in proposal.before for z in proposal.new)
    moved = len(proposal.new) - added
    farthest = max((proposal.moved_mm[z] for z in proposal.new if z in proposal.before), default=0.0)
    parts = []
    if moved:
        far = f"{farthest:.1f}"
        words = tr_count(moved, "{count} slice moves by {far} mm", "{count} slices move by up to {far} mm", far=far)
        parts.append(words)
    if added:
        parts.append(tr_count(added, "{count} slice is added", "{count} slices are added"))
    if proposal.gone:
        parts.append(tr_count(len(proposal.gone), "{count} slice is deleted", "{count} slices are deleted"))
    warnings = [f"▲ {sentence_of(one)}" for one in proposal.findings if one.severity >= Severity.WARN]
    sentence = tr("Proposal for {name}:", name=name) + " " + ", ".join(parts) + "."
    if proposal.ends:
        sentence += " " + tr("It ends at the outermost drawn slices.")
    return "\n".join([sentence, *warnings])
