"""Walking through what needs a look."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from autocontour.case import CaseStructure, actions
from autocontour.case.effort import measure_effort
from autocontour.case.need import choose_next, open_places, runs, viewed
from autocontour.gui.dialogs.ask import ask
from autocontour.gui.dialogs.review import ApprovalDialog, RejectDialog, SeveralDialog, rejection_in_words
from autocontour.gui.look.language import sentence_of, tr
from autocontour.gui.panels.structure_list import need_in_words
from autocontour.gui.state.workspace import Workspace

if TYPE_CHECKING:
    from autocontour.gui.app.window import MainWindow


def review_next(space: Workspace) -> None:
    """Go to what most needs a look, and say why."""
    chosen = choose_next(space.state, space.selected, space.seen)
    if chosen is None:
        space.notify(tr("Every structure is approved.") if space.state.items else tr("There is nothing to review yet."))
        return
    item, need = chosen
    space.notify(f"{item.structure.name}: {need_in_words(need)}.")
    space.select(item.structure.number)
    if need.places:
        space.go_to_place(need.places[0])
    else:
        space.go_to_structure(item.structure.number)
    space.look()


def next_mark(space: Workspace, by: int) -> None:
    """Go to the next place up or down that a finding of the selected structure or of the scan points at."""
    marked = space.marked_slices()
    places = runs(marked)
    if not places:
        space.notify(tr("No finding points at a slice."))
        return
    z = space.slice_index
    beyond = [p for p in places if p.start > z] if by > 0 else [p for p in places if p.stop <= z][::-1]
    place = beyond[0] if beyond else places[0 if by > 0 else -1]
    space.go_to_place(place)
    space.notify(" ".join(dict.fromkeys(sentence_of(finding) for z in place for finding in marked[z])))


def ask_approval(window: MainWindow) -> None:
    """Ask who approves the selected structure; of an approved one, ask whether that is withdrawn."""
    space = window.workspace
    current = space.current
    if current is None or space.ct is None:
        return
    number = current.structure.number
    if current.is_approved:
        words = tr("Withdraw the approval of {name}?", name=current.structure.name)
        by = tr("Approved by {name}", name=current.approved_by) if current.approved_by else ""
        if ask(window, tr("Withdraw approval"), words, by, tr("Withdraw")):
            space.withdraw_approval(number)
        return
    details = window.panel.model.details(current)
    effort = measure_effort(current, space.case.seconds.get(number, 0.0) if space.case else 0.0)
    unseen = open_places(current, space.seen)
    dialog = ApprovalDialog(window, space.ct, current, details, effort, unseen, window.settings.reviewer)
    if dialog.exec():
        window.settings.reviewer = dialog.reviewer
        if _as_shown(space, [current]):
            space.approve(number, dialog.reviewer)


def ask_rejection(window: MainWindow) -> None:
    """Ask who rejects the selected structure and why; of a rejected one, ask whether that is withdrawn."""
    space = window.workspace
    current = space.current
    if current is None or space.ct is None:
        return
    name, number = current.structure.name, current.structure.number
    if current.is_rejected:
        words = tr("Withdraw the rejection of {name}?", name=name)
        is_chosen = ask(window, tr("Withdraw rejection"), words, rejection_in_words(current), tr("Withdraw"))
        if is_chosen and _as_shown(space, [current], tr("Not changed")):
            space.apply(actions.withdraw_rejection(space.state, number))
        return
    dialog = RejectDialog(window, space.ct, current, window.panel.model.details(current), window.settings.reviewer)
    if dialog.exec():
        window.settings.reviewer = dialog.reviewer
        if _as_shown(space, [current], tr("Not rejected")):
            space.apply(actions.reject(space.state, number, dialog.reviewer, dialog.reason))


def ask_approvals(window: MainWindow) -> None:
    """Ask who approves all structures that were viewed; it is one step of undo."""
    space = window.workspace
    items = viewed(space.state, space.seen)
    if space.ct is None or space.case is None:
        return
    if not items:
        space.notify(tr("No structure was viewed that is not approved yet."))
        return
    ready = {item.structure.number for item in items}
    waiting = [item for item in space.state.items if not item.is_approved and item.structure.number not in ready]
    left_out = [item.structure.name for item in waiting if not item.is_rejected]
    rejected = [item.structure.name for item in waiting if item.is_rejected]
    details = [(item, window.panel.model.details(item)) for item in items]
    dialog = SeveralDialog(window, space.ct, details, left_out, rejected, window.settings.reviewer)
    dialog.untick({number for number, status in space.recipe_statuses.items() if status.is_stale})
    if dialog.exec():
        window.settings.reviewer = dialog.reviewer
        if _as_shown(space, [item for item in items if item.structure.number in dialog.numbers]):
            space.apply(actions.approve_several(space.state, dialog.numbers, dialog.reviewer))


def _as_shown(space: Workspace, items: Sequence[CaseStructure], refused: str = "") -> bool:
    """Return whether structures are still as the dialog showed them; name those that a result has changed.

    `refused` names what was not done; approving by default.
    """
    numbers = space.state.numbers
    changed = [
        item.structure.name
        for item in items
        if item.structure.number not in numbers or space.state[item.structure.number] is not item
    ]
    if changed:
        space.refuse(
            tr(
                "{refused}: {names} changed while the dialog was open. Review again.",
                refused=refused or tr("Not approved"),
                names=", ".join(changed),
            )
        )
    return not changed
