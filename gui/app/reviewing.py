"""Walking through what needs a look."""

from __future__ import annotations

from autocontour.case.need import choose_next, runs
from autocontour.gui.look.language import tr
from autocontour.gui.look.phrases import in_words
from autocontour.gui.state.workspace import Workspace


def review_next(space: Workspace) -> None:
    """Go to what most needs a look, and say why."""
    chosen = choose_next(space.state, space.selected, space.seen)
    if chosen is None:
        space.say(tr("Every structure is approved.") if space.state.items else tr("There is nothing to review yet."))
        return
    item, need = chosen
    space.say(f"{item.structure.name}: {in_words(need.reason)}.")
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
        space.say(tr("No finding points at a slice."))
        return
    z = space.slice_index
    beyond = [p for p in places if p.start > z] if by > 0 else [p for p in places if p.stop <= z][::-1]
    place = beyond[0] if beyond else places[0 if by > 0 else -1]
    space.go_to_place(place)
    space.say(" ".join(dict.fromkeys(finding.message for z in place for finding in marked[z])))
