"""Every action of the program, in one table: menus, tool bars, keys and the cheat sheet are made from it.

The tools bring their own rows (`autocontour.gui.tools.register`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from autocontour.gui.app import (
    blind_review,
    clicking,
    commands,
    courses,
    drawing,
    exporting,
    learning,
    modelling,
    picturing,
    ranges,
    reviewing,
    shaping,
    structure_sets,
    structures,
    targets,
)
from autocontour.gui.app.thresholding import ask_threshold
from autocontour.gui.dialogs.about import show_about
from autocontour.gui.look.language import later
from autocontour.gui.state.workspace import Workspace
from autocontour.gui.tools import TOOLS as REGISTERED
from autocontour.gui.tools import Navigate, Tool

if TYPE_CHECKING:
    from autocontour.gui.app.window import MainWindow

Handler = Callable[["MainWindow"], object]


@dataclass(frozen=True)
class ActionRow:
    """One action.

    Attributes
    ----------
    name
        Stable identity.
    menu
        The menu and section of the cheat sheet it belongs to.
    text, tip
        What it is called, and what it does in one sentence; English, translated where it is shown.
    keys
        Its key, or several parted by blanks; empty for none.
    run
        What happens.
    icon
        Its line icon; empty for none.
    tool
        Whether it selects a tool (checkable).
    needs
        What must be there: ``""`` nothing, ``"ct"`` a scan, ``"structure"`` a selected structure, ``"preview"`` the
        preview of a change, ``"proposal"`` slices that would follow corrected ones.
    """

    name: str
    menu: str
    text: str
    tip: str
    keys: str
    run: Handler
    icon: str = ""
    tool: bool = False
    needs: str = "structure"


def _on(command: Callable[[Workspace], object]) -> Handler:
    return lambda window: command(window.workspace)


FILE, EDIT, TOOLS, SLICES, RANGE, STRUCTURE, VIEW, REVIEW, HELP = (
    later("File"), later("Edit"), later("Tools"), later("Slices"), later("Range"),
    later("Structure"), later("View"), later("Review"), later("Help"),
)  # fmt: skip


def all_actions() -> list[ActionRow]:
    """Return every action, with one for each registered tool at the head of the tools' menu."""
    rows = list(ACTIONS)
    at = next(index for index, row in enumerate(rows) if row.menu == TOOLS)
    rows[at:at] = [_take(tool) for tool in REGISTERED.values()]
    return rows


def _take(tool: type[Tool]) -> ActionRow:
    def take(window: MainWindow) -> None:
        # Navigating is what is left when a tool is put down; its key Esc breaks a stroke off as well.
        window.put_down_tool() if tool is Navigate else window.take_tool(tool.identity)

    icon = tool.icon or tool.identity
    return ActionRow(tool.identity, TOOLS, tool.name, tool.tip, tool.keys, take, icon, tool=True, needs="ct")


ACTIONS: tuple[ActionRow, ...] = (
    ActionRow(
        "open", FILE, "Open…", "Open a folder with a CT", "Ctrl+O", lambda w: w.intake.ask_folder(), "open", needs=""
    ),
    ActionRow(
        "cases",
        FILE,
        "Cases",
        "Show the list of all cases, or go back to the open one",
        "Ctrl+L",
        lambda w: w.toggle_cases(),
        needs="",
    ),
    ActionRow(
        "open_set",
        FILE,
        "Open structure set…",
        "Add the structures of an RTSTRUCT of this scan",
        "Ctrl+Shift+O",
        structure_sets.ask_structure_set,
        needs="ct",
    ),
    ActionRow(
        "course",
        FILE,
        "Course…",
        "Show a patient's course: another CT beside this one, the contours of each method, curves over the dates",
        "F7",
        courses.show_course,
        needs="",
    ),
    ActionRow(
        "auto",
        FILE,
        "Auto-contour",
        "Draw the organs automatically",
        "F5",
        drawing.ask_auto_contour,
        "auto",
        needs="ct",
    ),
    ActionRow(
        "export",
        FILE,
        "Export…",
        "Check and write the RTSTRUCT",
        "Ctrl+E",
        exporting.ask_export,
        "export",
        needs="ct",
    ),
    ActionRow(
        "models",
        FILE,
        "Models…",
        "List the model packages, import a published model, test it on this CT",
        "Ctrl+M",
        modelling.show_models,
        needs="",
    ),
    ActionRow("quit", FILE, "Quit", "Close the program; everything is saved", "Ctrl+Q", lambda w: w.close(), needs=""),
    ActionRow("undo", EDIT, "Undo", "Undo the last step", "Ctrl+Z", _on(Workspace.undo), "undo", needs="ct"),
    ActionRow(
        "redo", EDIT, "Redo", "Redo the next step", "Ctrl+Shift+Z Ctrl+Y", _on(Workspace.redo), "redo", needs="ct"
    ),
    ActionRow(
        "click_server",
        TOOLS,
        "Click server…",
        "Connect to an nnInteractive server, which answers clicks",
        "",
        clicking.ask_click_server,
        needs="ct",
    ),
    ActionRow("smaller", TOOLS, "Smaller", "Make the tool smaller", "[", lambda w: w.size_tool(1 / 1.15), needs="ct"),
    ActionRow("larger", TOOLS, "Larger", "Make the tool larger", "]", lambda w: w.size_tool(1.15), needs="ct"),
    ActionRow(
        "interpolate",
        SLICES,
        "Interpolate",
        "Draw the slices between those that are drawn, in the range if one is chosen",
        "I",
        _on(ranges.interpolate),
        "interpolate",
    ),
    ActionRow(
        "copy_up",
        SLICES,
        "Copy to slice above",
        "Copy the outline towards the head and go there",
        "Shift+Up",
        lambda w: commands.copy_to_neighbour(w.workspace, 1),
        "copy",
    ),
    ActionRow(
        "copy_down",
        SLICES,
        "Copy to slice below",
        "Copy the outline towards the feet and go there",
        "Shift+Down",
        lambda w: commands.copy_to_neighbour(w.workspace, -1),
    ),
    ActionRow(
        "delete_here",
        SLICES,
        "Delete on slice",
        "Delete the structure on this slice",
        "Del",
        _on(commands.delete_here),
        "delete",
    ),
    ActionRow(
        "delete_above",
        SLICES,
        "Delete above",
        "Delete it on every slice towards the head",
        "Ctrl+Alt+Up",
        _on(commands.delete_above),
    ),
    ActionRow(
        "delete_below",
        SLICES,
        "Delete below",
        "Delete it on every slice towards the feet",
        "Ctrl+Alt+Down",
        _on(commands.delete_below),
    ),
    ActionRow("smooth", SLICES, "Smooth", "Smooth the outline on this slice", "S", _on(commands.smooth), "smooth"),
    ActionRow(
        "largest",
        SLICES,
        "Keep largest piece",
        "On this slice keep only the largest piece",
        "L",
        _on(commands.keep_largest),
    ),
    ActionRow(
        "follow",
        SLICES,
        "Follow corrected slices",
        "Show how the other slices of the structure would follow the corrected ones",
        "F8",
        lambda w: w.workspace.following.ask(),
    ),
    ActionRow(
        "follow_ends",
        SLICES,
        "Follow, and end at the outermost",
        "Show how the other slices would follow if the outermost drawn ones are the structure's first and last",
        "Shift+F8",
        lambda w: w.workspace.following.ask(ends=True),
    ),
    ActionRow(
        "follow_all",
        SLICES,
        "Accept proposal",
        "Accept all proposed slices, as one step",
        "Y",
        lambda w: w.workspace.following.accept(),
        needs="proposal",
    ),
    ActionRow(
        "follow_here",
        SLICES,
        "Accept proposal on slice",
        "Accept the proposal on this slice",
        "Shift+Y",
        lambda w: w.workspace.following.accept_here(),
        needs="proposal",
    ),
    ActionRow(
        "follow_up",
        SLICES,
        "Accept proposal from here up",
        "Accept the proposal on this slice and all towards the head",
        "Alt+Up",
        lambda w: w.workspace.following.accept_from_here(1),
        needs="proposal",
    ),
    ActionRow(
        "follow_down",
        SLICES,
        "Accept proposal from here down",
        "Accept the proposal on this slice and all towards the feet",
        "Alt+Down",
        lambda w: w.workspace.following.accept_from_here(-1),
        needs="proposal",
    ),
    ActionRow("move", SLICES, "Move or rotate…", "Shift or rotate the structure", "T", shaping.ask_move),
    ActionRow(
        "range_start",
        RANGE,
        "Begin range here",
        "Begin a range of slices on this slice",
        ",",
        _on(ranges.start_here),
        needs="ct",
    ),
    ActionRow(
        "range_end", RANGE, "End range here", "End the range on this slice", ".", _on(ranges.end_here), needs="ct"
    ),
    ActionRow(
        "range_up",
        RANGE,
        "Range from here up",
        "Choose this slice and all towards the head",
        "Ctrl+Shift+Up",
        lambda w: w.workspace.range.from_here(1),
        needs="ct",
    ),
    ActionRow(
        "range_down",
        RANGE,
        "Range from here down",
        "Choose this slice and all towards the feet",
        "Ctrl+Shift+Down",
        lambda w: w.workspace.range.from_here(-1),
        needs="ct",
    ),
    ActionRow("range_all", RANGE, "All slices", "Choose all slices", "Ctrl+A", _on(ranges.choose_all), needs="ct"),
    ActionRow(
        "range_none",
        RANGE,
        "Clear range",
        "Clear the range of slices",
        "Ctrl+Shift+A",
        lambda w: w.workspace.range.clear(),
        needs="ct",
    ),
    ActionRow(
        "range_interpolate",
        RANGE,
        "Interpolate in range",
        "Show the slices that would be filled, also over large gaps",
        "Shift+I",
        lambda w: w.range_bar.ask("interpolate"),
    ),
    ActionRow(
        "range_copy",
        RANGE,
        "Copy to range",
        "Copy the outline of this slice to the slices of the range",
        "Shift+C",
        lambda w: w.range_bar.ask("copy"),
    ),
    ActionRow(
        "range_delete",
        RANGE,
        "Delete in range",
        "Delete the structure on the slices of the range",
        "Shift+Del",
        lambda w: w.range_bar.ask("delete"),
    ),
    ActionRow(
        "range_margin",
        RANGE,
        "Margin in range",
        "Expand or shrink the outlines of the range within their slices",
        "Shift+M",
        lambda w: w.range_bar.ask("margin"),
    ),
    ActionRow(
        "range_smooth",
        RANGE,
        "Smooth in range",
        "Smooth the outlines of the range",
        "Shift+S",
        lambda w: w.range_bar.ask("smooth"),
    ),
    ActionRow(
        "range_apply",
        RANGE,
        "Apply to range",
        "Apply the change that is shown",
        "Return",
        lambda w: w.apply_preview(),
        needs="preview",
    ),
    ActionRow("add", STRUCTURE, "Add…", "Add an empty structure", "A", structures.ask_structure, "add", needs="ct"),
    ActionRow(
        "add_site",
        STRUCTURE,
        "Add structures of a site…",
        "Add the empty structures of a template",
        "Shift+A",
        structures.ask_template,
        needs="ct",
    ),
    ActionRow(
        "rename",
        STRUCTURE,
        "Rename",
        "Change its name; TG-263 names are suggested",
        "F2",
        lambda w: w.panel.rename_current(),
    ),
    ActionRow("color", STRUCTURE, "Colour…", "Change its colour", "", structures.ask_color),
    ActionRow("type", STRUCTURE, "Type…", "Change its RT ROI Interpreted Type", "", structures.ask_type),
    ActionRow("duplicate", STRUCTURE, "Duplicate", "Add a copy of it", "Ctrl+D", _on(commands.duplicate_structure)),
    ActionRow("lock", STRUCTURE, "Lock or unlock", "Protect it from changes", "K", structures.toggle_lock),
    ActionRow(
        "target",
        STRUCTURE,
        "Target…",
        "Make a PTV or another structure: margin, inside External, plus and minus others",
        "Shift+T",
        targets.ask_target,
        "target",
        needs="ct",
    ),
    ActionRow(
        "recipe",
        STRUCTURE,
        "Change recipe…",
        "Change how it is made from other structures",
        "Ctrl+Shift+T",
        targets.ask_recipe,
    ),
    ActionRow(
        "refresh",
        STRUCTURE,
        "Refresh",
        "Make it again by its recipe, after its sources changed",
        "F6",
        targets.refresh_current,
    ),
    ActionRow(
        "refresh_all",
        STRUCTURE,
        "Refresh all",
        "Make all structures again whose sources changed",
        "Shift+F6",
        targets.refresh_all,
        needs="ct",
    ),
    ActionRow(
        "margin", STRUCTURE, "Margin…", "Expand or shrink it in six directions", "M", shaping.ask_margin, "margin"
    ),
    ActionRow(
        "boolean",
        STRUCTURE,
        "Boolean…",
        "Combine, intersect or subtract structures",
        "O",
        shaping.ask_boolean,
        "boolean",
    ),
    ActionRow("crop", STRUCTURE, "Crop…", "Keep it inside or away from another structure", "X", shaping.ask_crop),
    ActionRow(
        "smooth_all", STRUCTURE, "Smooth all slices", "Smooth every outline", "Ctrl+Shift+S", _on(commands.smooth_all)
    ),
    ActionRow(
        "simplify",
        STRUCTURE,
        "Simplify",
        "Remove points that change the outline by less than 0.3 mm",
        "",
        _on(commands.simplify_all),
    ),
    ActionRow(
        "threshold",
        STRUCTURE,
        "Threshold…",
        "Draw what lies in a range of HU, inside a structure or a box",
        "Shift+W",
        ask_threshold,
        needs="ct",
    ),
    ActionRow("fill", STRUCTURE, "Fill holes", "Fill the holes on every slice", "H", _on(commands.fill_holes)),
    ActionRow(
        "rerun",
        STRUCTURE,
        "Draw again automatically",
        "Auto-contour this structure alone",
        "Ctrl+R",
        drawing.rerun_current,
    ),
    ActionRow(
        "revert",
        STRUCTURE,
        "Revert to automatic",
        "Restore the automatic contours",
        "Ctrl+Backspace",
        _on(commands.revert),
    ),
    ActionRow(
        "remove", STRUCTURE, "Delete structure", "Remove it from the case", "Ctrl+Del", _on(commands.delete_structure)
    ),
    ActionRow(
        "next",
        REVIEW,
        "Next to review",
        "Go to what most needs review",
        "N",
        _on(reviewing.review_next),
        "review",
        needs="ct",
    ),
    ActionRow(
        "next_mark",
        REVIEW,
        "Next marked slice",
        "Go up to the next slice that a finding points at",
        "J",
        _on(partial(reviewing.next_mark, by=1)),
        needs="ct",
    ),
    ActionRow(
        "previous_mark",
        REVIEW,
        "Previous marked slice",
        "Go down to the next slice that a finding points at",
        "Shift+J",
        _on(partial(reviewing.next_mark, by=-1)),
        needs="ct",
    ),
    ActionRow(
        "approve",
        REVIEW,
        "Approve…",
        "Approve the structure, or withdraw the approval",
        "Ctrl+Return",
        reviewing.ask_approval,
        "approve",
    ),
    ActionRow(
        "reject",
        REVIEW,
        "Reject…",
        "Reject the structure with a reason, or withdraw the rejection",
        "Alt+Return",
        reviewing.ask_rejection,
    ),
    ActionRow(
        "approve_viewed",
        REVIEW,
        "Approve viewed structures…",
        "Approve all structures that were viewed, as one step",
        "Ctrl+Shift+Return",
        reviewing.ask_approvals,
        needs="ct",
    ),
    ActionRow(
        "compare",
        REVIEW,
        "Compare",
        "Compare the edited contours with the original ones",
        "C",
        lambda w: w.comparison.show(shown=not w.comparison.is_shown),
        "compare",
        needs="ct",
    ),
    ActionRow(
        "compare_with",
        REVIEW,
        "Compare with files…",
        "Show other observers' RTSTRUCTs against this one",
        "Ctrl+Shift+C",
        structure_sets.ask_comparison,
        needs="ct",
    ),
    ActionRow(
        "keep_drawer",
        REVIEW,
        "Keep this drawer",
        "Keep these contours where several drawers drew the structure, and remove the others",
        "Ctrl+K",
        _on(modelling.keep_drawer),
    ),
    ActionRow(
        "qa_room",
        REVIEW,
        "QA room",
        "Show the results of commissioning or routine QA, or go back to the views",
        "Ctrl+G",
        lambda w: w.qa_room.toggle(),
        needs="",
    ),
    ActionRow(
        "blind_review",
        REVIEW,
        "Blind review…",
        "Judge contours without knowing who or what drew them, in a window of its own",
        "Ctrl+Shift+G",
        blind_review.ask_review,
        needs="",
    ),
    ActionRow(
        "statistics", REVIEW, "Statistics", "Volume and HU of the structure", "Ctrl+I", structures.show_statistics
    ),
    ActionRow("up", VIEW, "Slice up", "One slice towards the head", "Up PgUp", lambda w: w.step(1), needs="ct"),
    ActionRow(
        "down", VIEW, "Slice down", "One slice towards the feet", "Down PgDown", lambda w: w.step(-1), needs="ct"
    ),
    ActionRow(
        "up_far",
        VIEW,
        "Five slices up",
        "Five slices towards the head",
        "Shift+PgUp",
        lambda w: w.step(ranges.STRIDE),
        needs="ct",
    ),
    ActionRow(
        "down_far",
        VIEW,
        "Five slices down",
        "Five slices towards the feet",
        "Shift+PgDown",
        lambda w: w.step(-ranges.STRIDE),
        needs="ct",
    ),
    ActionRow(
        "centre",
        VIEW,
        "Go to structure",
        "Centre every view on the selected structure and zoom to it",
        "Space",
        lambda w: w.go_to_current(),
    ),
    ActionRow("fit", VIEW, "Fit views", "Show the whole patient", "0", lambda w: w.fit_views(), needs="ct"),
    ActionRow(
        "outlines",
        VIEW,
        "Show or hide outlines",
        "Show the image without outlines",
        "Q",
        lambda w: w.toggle_outlines(),
        needs="ct",
    ),
    ActionRow("hide", VIEW, "Hide or show structure", "Hide the selected structure", "Z", lambda w: w.toggle_visible()),
    ActionRow(
        "tissue",
        VIEW,
        "Bone and skin in 3D",
        "Show nothing, bone, or bone and skin of the CT beside the surfaces",
        "Ctrl+B",
        picturing.next_tissue,
        needs="ct",
    ),
    ActionRow(
        "cut",
        VIEW,
        "Cut 3D at the slice",
        "Leave out in 3D what lies above the axial slice, and show the slice there",
        "U",
        picturing.toggle_cut,
        needs="ct",
    ),
    ActionRow(
        "picture",
        VIEW,
        "Save 3D picture…",
        "Write the 3D view to a PNG file",
        "Ctrl+Shift+P",
        picturing.save_picture,
        needs="ct",
    ),
    ActionRow(
        "film",
        VIEW,
        "Save 3D film…",
        "Write one turn of the 3D view to an animated PNG file",
        "",
        picturing.save_film,
        needs="ct",
    ),
    ActionRow(
        "theme", VIEW, "Dark or light", "Change the theme", "Ctrl+T", lambda w: w.toggle_theme(), "theme", needs=""
    ),
    ActionRow(
        "learn",
        REVIEW,
        "Learn from approved cases…",
        "Retrain the package with approved, corrected cases",
        "Ctrl+Shift+K",
        learning.show_learning,
        needs="",
    ),
    ActionRow("help", HELP, "Keys", "Show all keyboard shortcuts", "? F1", lambda w: w.show_keys(), "help", needs=""),
    ActionRow(
        "about",
        HELP,
        "About autocontour",
        "Show the versions and what draws the views",
        "",
        lambda w: show_about(w, w.renderer),
        needs="",
    ),
)
