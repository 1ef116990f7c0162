"""The main window's questions: each asks in a dialog, then changes the case by one step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtGui import QColor
from PySide6.QtWidgets import QColorDialog, QFileDialog, QInputDialog, QMainWindow

from autocontour.base.errors import AutoContourError, Cancelled
from autocontour.base.jobs import Job
from autocontour.case import actions
from autocontour.case.effort import measure_effort
from autocontour.case.need import open_places
from autocontour.edits import combined, cropped, mapped, moved, replaced, rotated
from autocontour.gui.dialogs.ask import ask
from autocontour.gui.dialogs.review import ApprovalDialog
from autocontour.gui.dialogs.shape import BooleanDialog, CropDialog, MarginDialog, MoveDialog, NameDialog
from autocontour.gui.look.language import tr, tr_count
from autocontour.gui.panels.structure_list import is_by_hand
from autocontour.patient.structures import Contours, StructureSet
from autocontour.site.preflight import INTERPRETED_TYPES

if TYPE_CHECKING:
    from autocontour.contouring.margins import Margins
    from autocontour.gui.panels.auto_bar import AutoBar
    from autocontour.gui.panels.structures_panel import StructuresPanel
    from autocontour.gui.state.comparison import Comparison
    from autocontour.gui.state.settings import ViewerSettings
    from autocontour.gui.state.workspace import Workspace
    from autocontour.gui.views.view_grid import ViewGrid


class Questions(QMainWindow):
    """What the main window asks; a part of it."""

    workspace: Workspace
    settings: ViewerSettings
    panel: StructuresPanel
    views: ViewGrid
    auto_bar: AutoBar
    comparison: Comparison

    def ask_structure(self) -> None:
        """Ask for a name and add an empty structure."""
        if self.workspace.case is None:
            return
        dialog = NameDialog(self, tr("Add a structure"))
        if dialog.exec():
            self.workspace.add_structure(actions.new_structure(dialog.name, {}))

    def ask_template(self) -> None:
        """Ask for a site template and add those of its structures that are not there, empty, to be drawn."""
        from autocontour.site.template import list_templates, read_template

        space = self.workspace
        name, is_given = QInputDialog.getItem(
            self, tr("Structures of a site"), tr("Template"), list_templates(), 0, False
        )
        if space.case is None or not is_given:
            return
        entries = [entry for entry in read_template(name).structures if space.state.find(entry.name) is None]
        wanted = tuple(actions.new_structure(entry.name, {}) for entry in entries)
        if wanted:
            space.apply(actions.add(space.state, *wanted, label=f"Add structures of {name}"))

    def ask_color(self) -> None:
        """Ask for the selected structure's colour."""
        current = self.workspace.current
        if current is None:
            return
        color = QColorDialog.getColor(QColor(*current.structure.color_rgb), self, current.structure.name)
        if color.isValid():
            rgb = (color.red(), color.green(), color.blue())
            self.workspace.apply(actions.set_color(current.structure.number, rgb))

    def ask_type(self) -> None:
        """Ask for the selected structure's type."""
        current = self.workspace.current
        if current is None:
            return
        types = sorted(INTERPRETED_TYPES)
        now = types.index(current.structure.interpreted_type) if current.structure.interpreted_type in types else 0
        kind, is_given = QInputDialog.getItem(
            self, tr("Type"), tr("Type of {name}", name=current.structure.name), types, now, False
        )
        if is_given:
            self.workspace.apply(actions.set_type(self.workspace.state, current.structure.number, kind))

    def ask_margin(self) -> None:
        """Ask for margins and grow the selected structure."""
        current = self.workspace.current
        if current is None or self.workspace.ct is None:
            return
        dialog = MarginDialog(self, current.structure.name)
        if not dialog.exec():
            return
        number, contours, margins_mm = current.structure.number, current.structure.contours, dialog.margins_mm
        name = f"{current.structure.name}_PRV{round(max(margins_mm)):02d}"
        target = None if dialog.makes_new else number
        self._compute("Margin", {number}, target, name, lambda job: self._grown(contours, margins_mm, job))

    def ask_boolean(self) -> None:
        """Ask for two structures and join them."""
        space = self.workspace
        if space.ct is None or space.current is None:
            return
        dialog = BooleanDialog(self, space.state, space.selected)
        if not dialog.exec():
            return
        first, second = dialog.first.currentData(), dialog.second.currentData()
        sides = [
            (space.state[number].structure.contours, (margin.value(),) * 6)
            for number, margin in ((first, dialog.first_margin), (second, dialog.second_margin))
        ]
        how = dialog.how.currentData()

        def compute(job: Job) -> Contours:
            a, b = (self._grown(contours, margins_mm, job) for contours, margins_mm in sides)
            return combined(a, b, how, job)

        name = f"{dialog.first.currentText()}_{how}_{dialog.second.currentText()}"
        self._compute("Boolean", {first, second}, dialog.target.currentData(), name, compute)

    def ask_crop(self) -> None:
        """Ask for a structure to crop the selected one at."""
        space = self.workspace
        current = space.current
        if current is None or len(space.state.items) < 2:
            return
        number, contours = current.structure.number, current.structure.contours
        dialog = CropDialog(self, space.state, number, current.structure.name)
        if not dialog.exec():
            return
        other, gap_mm, inside = dialog.other.currentData(), dialog.gap.value(), dialog.inside
        edge = space.state[other].structure.contours
        self._compute(
            "Crop", {number, other}, number, "", lambda job: cropped(contours, edge, gap_mm, inside=inside, job=job)
        )

    def ask_move(self) -> None:
        """Ask how far to move or turn the selected structure."""
        space = self.workspace
        current = space.current
        if current is None or not current.structure.contours:
            return
        dialog = MoveDialog(self, current.structure.name)
        if dialog.exec():
            contours = current.structure.contours
            slices = [space.slice_index] if dialog.where.currentIndex() else list(contours)
            middle = (contours.get(space.slice_index) or next(iter(contours.values()))).centroid
            u, v, degrees = dialog.right.value(), dialog.down.value(), dialog.degrees.value()
            centre = (middle.x + u, middle.y + v)
            space.redraw("Move", mapped(contours, lambda p: rotated(moved(p, u, v), degrees, centre), slices))

    def ask_auto_contour(self) -> None:
        """Ask what to draw and begin."""
        from autocontour.gui.dialogs.auto import AutoContourDialog

        space = self.workspace
        if space.ct is None or self.auto_bar.is_running:
            return
        dialog = AutoContourDialog(self, space.state, self.settings.template, self.settings.package)
        if not dialog.exec():
            return
        template, package, names, replaced = dialog.answer
        self.settings.template, self.settings.package = template, package
        if self._may_redraw(replaced):
            self.auto_bar.start(template, names, package=package)

    def _may_redraw(self, names: Sequence[str]) -> bool:
        """Ask whether structures that a person has drawn or edited may be replaced; nothing is asked for none."""
        if not names:
            return True
        words = tr("These structures were edited by hand or come from a file. Replace their contours?")
        return ask(self, tr("Auto-contour"), words, "\n".join(names), tr("Replace"))

    def rerun_current(self) -> None:
        """Draw the selected structure again."""
        current = self.workspace.current
        if current is None or self.auto_bar.is_running:
            return
        if current.is_protected:
            self.workspace.said.emit(tr("{name} is protected; unlock it first.", name=current.structure.name), True)
            return
        if not self._may_redraw([current.structure.name] if is_by_hand(current) else []):
            return
        self.auto_bar.rerun(current.structure)

    def ask_approval(self) -> None:
        """Ask who approves the selected structure; of an approved one, ask whether that is withdrawn."""
        space = self.workspace
        current = space.current
        if current is None or space.ct is None:
            return
        if current.is_approved:
            words = tr("Withdraw the approval of {name}?", name=current.structure.name)
            by = tr("Approved by {name}", name=current.approved_by) if current.approved_by else ""
            if ask(self, tr("Withdraw approval"), words, by, tr("Withdraw")):
                space.withdraw_approval(current.structure.number)
            return
        details = self.panel.model.details(current)
        effort = measure_effort(current, space.case.seconds.get(current.structure.number, 0.0) if space.case else 0.0)
        unseen = open_places(current, space.seen)
        dialog = ApprovalDialog(self, space.ct, current, details, effort, unseen, self.settings.reviewer)
        if dialog.exec():
            self.settings.reviewer = dialog.reviewer
            space.approve(current.structure.number, dialog.reviewer)

    def ask_structure_set(self) -> None:
        """Ask for an RTSTRUCT and add its structures."""
        path = self._ask_file()
        if path:
            self.open_structure_set(path)

    def open_structure_set(self, path: Path) -> None:
        """Add the structures of an RTSTRUCT of this scan."""
        self._read_sets("Open structure set", [path], lambda _, found: self._import(found))

    def _import(self, found: StructureSet) -> None:
        space = self.workspace
        if space.case is None:
            return
        try:
            edit = actions.import_structures(space.case, found)
        except AutoContourError as error:
            space.say_error(error)
            return
        if space.apply(edit):
            notes = f" {found.findings[0].message}" if found.findings else ""
            count = len(found.structures)
            space.say(tr_count(count, "{count} structure opened.", "{count} structures opened.") + notes)

    def _read_sets(self, label: str, paths: Sequence[Path], take: Callable[[Path, StructureSet], None]) -> None:
        """Read structure sets of this scan beside the window and take in each; one of another scan is refused."""
        from autocontour.rtstruct import read_structure_set

        ct = self.workspace.ct
        if ct is None or not paths:
            return

        def read(job: Job) -> list[tuple[Path, StructureSet | AutoContourError]]:
            found: list[tuple[Path, StructureSet | AutoContourError]] = []
            for path in job.track(paths, "reading the structure sets", len(paths)):
                try:
                    found.append((path, read_structure_set(path, ct)))
                except Cancelled:
                    raise
                except AutoContourError as error:
                    found.append((path, error))
            return found

        def take_in(found: list[tuple[Path, StructureSet | AutoContourError]]) -> None:
            for path, one in found:
                if isinstance(one, AutoContourError):
                    self.workspace.say_error(one)
                else:
                    take(path, one)

        self.workspace.background.run(label, (), read, take_in)

    def ask_comparison(self) -> None:
        """Ask for other observers' RTSTRUCTs, one or several, and show them against this one."""
        start = str(self.workspace.folder or Path.home())
        paths, _ = QFileDialog.getOpenFileNames(self, tr("Compare with"), start, "RTSTRUCT (*.dcm *);;All (*)")
        self.compare_with([Path(path) for path in paths])

    def compare_with(self, paths: Iterable[Path]) -> None:
        """Show structure sets of this scan against this one; one of another scan is refused."""
        self._read_sets("Compare with", list(paths), lambda path, found: self.comparison.add(found, path.name))

    def toggle_comparison(self) -> None:
        """Show or hide what is compared with."""
        self.comparison.show(shown=not self.comparison.is_shown)

    def show_statistics(self) -> None:
        """Say volume, mean and SD of the HU of the selected structure."""
        from autocontour.contouring import mask_from_contours

        space = self.workspace
        if space.current is None or space.ct is None or not space.current.structure.contours:
            return
        structure = space.current.structure
        hu = space.ct.hu[mask_from_contours(structure.contours, space.ct.geometry)]
        volume = self.panel.model.volume(structure)
        spread = f"{hu.mean():.0f} ± {hu.std():.0f} HU" if hu.size else tr("smaller than a voxel")
        slices = tr_count(len(structure.contours), "{count} slice", "{count} slices")
        words = f"{structure.name}:   {volume:.2f} cc   ·   {spread}   ·   {slices}"
        minutes = (space.case.seconds.get(structure.number, 0.0) if space.case else 0.0) / 60
        space.say(f"{words}   ·   {tr('{minutes:.1f} min of editing', minutes=minutes)}")

    def _compute(
        self, label: str, numbers: set[int], target: int | None, name: str, compute: Callable[[Job], Contours]
    ) -> None:
        """Compute contours of structures beside the window and put them into `target`, or into a new one."""
        space = self.workspace
        if target is None or space.may_change(target):
            sources, hands = numbers if target is None else numbers | {target}, space.hands
            space.background.run(
                label, sources, compute, lambda contours: self._put(label, contours, target, name, hands)
            )

    def _grown(self, contours: Contours, margins_mm: Margins, job: Job) -> Contours:
        from autocontour.contouring import margin_contours

        assert self.workspace.ct is not None  # whoever asks has seen to it
        return margin_contours(contours, self.workspace.ct.geometry, margins_mm, job) if any(margins_mm) else contours

    def _ask_file(self) -> Path | None:
        start = str(self.workspace.folder or Path.home())
        path, _ = QFileDialog.getOpenFileName(self, tr("Open a structure set"), start, "RTSTRUCT (*.dcm *);;All (*)")
        return Path(path) if path else None

    def _put(self, label: str, contours: Contours, number: int | None, name: str, hands: int) -> None:
        """Put a result into a structure, or into a new one called `name`."""
        if number is None:
            self.workspace.add_structure(actions.new_structure(name, contours), hands=hands)
        else:
            before = self.workspace.state[number].structure.contours
            self.workspace.redraw(label, replaced(before, contours), number)
