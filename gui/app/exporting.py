"""Writing the structure set: checked, asked about, written beside the window."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QMessageBox

from autocontour.base.errors import AutoContourError
from autocontour.base.jobs import Job
from autocontour.case.export import choose_for_export, remember_export, write_export
from autocontour.gui.dialogs.ask import ask
from autocontour.gui.dialogs.export import ExportDialog, ExportRequest
from autocontour.gui.look.language import tr, tr_count
from autocontour.patient.identity import PatientFacts, iso_date
from autocontour.patient.volume import CTVolume

if TYPE_CHECKING:
    from autocontour.gui.app.window import MainWindow

LABEL = "Export"


@dataclass(frozen=True)
class OldFile:
    """What is known of a file that an export would replace.

    Attributes
    ----------
    patient
        Name and ID; empty where it is not a structure set that can be read.
    details
        Its label, date and number of structures.
    is_ours
        Whether it is a structure set of the series that is open, of the same patient.
    """

    patient: str
    details: str
    is_ours: bool


def ask_export(window: MainWindow) -> None:
    """Check, ask and write the RTSTRUCT."""
    space = window.workspace
    if space.ct is None or space.case is None:
        return
    if space.ct.reference is None:
        space.refuse(tr("A research volume has no DICOM series to refer to; no structure set can be written."))
        return
    ct, path = space.ct, (space.folder or Path.home()).resolve().parent / default_name(space.ct)
    if path.exists():
        space.background.run(LABEL, (), lambda _: free_path(path, ct), lambda free: _ask(window, free, ct))
    else:
        _ask(window, path, ct)


def _ask(window: MainWindow, path: Path, ct: CTVolume) -> None:
    case = window.workspace.case
    assert case is not None  # ask_export has looked
    dialog = ExportDialog(window, ct, case, window.settings.profile, path, window.workspace.apply)
    if dialog.exec():
        assert dialog.request is not None  # what was accepted
        window.settings.profile = dialog.request.options.profile_name
        _look(window, dialog.request, ct)


def _look(window: MainWindow, request: ExportRequest, ct: CTVolume) -> None:
    """Look beside the window whose file would be replaced, ask, and write."""
    if not request.path.exists():
        write_request(window, request, ct)
        return

    def answer(old: OldFile) -> None:
        if _may_replace(window, request.path, old):
            write_request(window, request, ct)

    window.workspace.background.run(LABEL, (), lambda _: read_old_file(request.path, ct), answer)


def write_request(window: MainWindow, request: ExportRequest, ct: CTVolume) -> None:
    """Write what was asked for, beside the window; what stands there is replaced."""
    from autocontour.rtstruct import are_approved

    space = window.workspace
    assert space.case is not None  # ask_export has looked
    try:
        chosen = choose_for_export(space.case, ct, request.options, request.accepted)
    except AutoContourError as error:
        space.report_error(error)
        return

    folder, sequence = space.case.folder, space.case.sequence

    def write(job: Job) -> str:
        write_export(chosen, ct, request.path, request.options, overwrite=True, job=job)
        remember_export(folder, sequence, chosen)
        return "APPROVED" if are_approved(chosen.structures) else "UNAPPROVED"

    def show(status: str) -> None:
        space.notify(
            tr_count(
                len(chosen.structures),
                "{count} structure written to {file}, {status}.",
                "{count} structures written to {file}, {status}.",
                file=request.path.name,
                status=status,
            )
        )

    space.background.run(LABEL, (), write, show, can_stop=False)


def _may_replace(window: MainWindow, path: Path, old: OldFile) -> bool:
    """Ask whether a file may be replaced; where it is not of this patient's series, no is the answer of Enter."""
    if not old.patient:
        whose = tr("It is not a structure set that can be read.")
    elif old.is_ours:
        whose = tr("It belongs to this patient and series: {patient}", patient=old.patient)
    else:
        whose = tr("It belongs to another patient or series: {patient}", patient=old.patient)
    icon = QMessageBox.Icon.Question if old.is_ours else QMessageBox.Icon.Warning
    question, details = tr("{name} exists. Replace it?", name=path.name), f"{whose}\n{old.details}".strip()
    return ask(window, tr("Export"), question, details, tr("Replace"), icon=icon, is_default=old.is_ours)


def default_name(ct: CTVolume) -> str:
    """Return a file name that differs between patients: patient ID and date of the scan."""
    facts = PatientFacts.of(ct)
    parts = ["RTSTRUCT", facts.patient_id, facts.scan_date]
    plain = ["".join(c if c.isalnum() or c in "-+." else "_" for c in part).strip("._") for part in parts]
    return "_".join(part for part in plain if part) + ".dcm"


def free_path(path: Path, ct: CTVolume) -> Path:
    """Return `path`, or the first numbered one after it, that does not exist or is a structure set of this series."""
    count, candidate = 1, path
    while candidate.exists() and not read_old_file(candidate, ct).is_ours:
        count += 1
        candidate = path.with_stem(f"{path.stem}_{count}")
    return candidate


def read_old_file(path: Path, ct: CTVolume) -> OldFile:
    """Read whose structure set lies at `path`."""
    from autocontour.dicom import guarded, read_dataset
    from autocontour.rtstruct.read.summary import read_summary

    try:
        summary = read_summary(path)
        tags = [0x00080005, 0x00100010, 0x00100020]
        dataset = read_dataset(path, specific_tags=tags)
        with guarded():
            name, patient_id = str(dataset.get("PatientName") or ""), str(dataset.get("PatientID") or "").strip()
    except AutoContourError:
        return OldFile("", "", is_ours=False)
    facts = [name.replace("^", " ").strip() or tr("No name"), f"ID {patient_id}" if patient_id else ""]
    count = tr_count(summary.structures, "{count} structure", "{count} structures")
    details = [summary.label, iso_date(summary.date), count, tr("approved") if summary.is_approved else ""]
    reference = ct.reference
    is_ours = (
        reference is not None
        and summary.belongs_to(reference.series_instance_uid, reference.frame_of_reference_uid)
        and patient_id == PatientFacts.of(ct).patient_id
    )
    return OldFile("   ·   ".join(f for f in facts if f), "   ·   ".join(d for d in details if d), is_ours)
