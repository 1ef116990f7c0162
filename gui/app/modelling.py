"""The model packages in the window: the list, and which drawer of a structure is kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from autocontour.case import actions
from autocontour.gui.look.language import tr
from autocontour.patient.structures import Contours

if TYPE_CHECKING:
    from autocontour.gui.app.window import MainWindow
    from autocontour.gui.state.workspace import Workspace


def show_models(window: MainWindow) -> None:
    """Show the model packages."""
    from autocontour.gui.dialogs.models import ModelsDialog  # slow to import: not while the window comes up

    space = window.workspace
    ModelsDialog(window, space.ct, contours_by_people(space)).exec()


def contours_by_people(space: Workspace) -> Mapping[str, Contours]:
    """Return structure → contours of the case that a person has drawn, edited or approved."""
    found: dict[str, Contours] = {}
    for item in space.state.items:
        one = item.structure
        is_by_person = item.is_approved or one.provenance is None or one.contours is not item.automatic
        if one.tg263_name and one.contours and is_by_person:
            found.setdefault(one.tg263_name, one.contours)
    return found


def keep_drawer(space: Workspace) -> None:
    """Keep the selected contours of several drawers of one structure, under its name; one step of undo."""
    current = space.current
    if current is None:
        return
    rivals = actions.rivals_of(space.state, current.structure.number)
    if not rivals:
        space.refuse(tr("{name} was drawn once only: there is nothing to choose.", name=current.structure.name))
        return
    number = current.structure.number
    if space.apply(actions.keep_drawer(space.state, number)):
        kept = space.state[number].structure.name
        space.notify(tr("{name} is kept; undo brings the others back.", name=kept))
