"""``autocontour info``: the series in a folder."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autocontour.base.findings import Finding
    from autocontour.dicom import Series

NOT_CT = "AC-CT-010"
REVIEW_COLUMNS = {
    "name": "structure",
    "status": "status",
    "editing_seconds": "seconds",
    "new_outline_mm": "new outline mm",
    "edited_slices": "slices edited",
    "drawn_slices": "drawn",
    "drawn_by": "drawn by",
}


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's arguments."""
    parser = commands.add_parser("info", help="list the series in a folder and their findings")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("folder", type=Path, nargs="?", metavar="FOLDER", help="folder of DICOM files")
    what.add_argument("--templates", action="store_true", help="list the site templates instead")
    what.add_argument(
        "--reviews",
        type=Path,
        nargs="?",
        const=False,
        metavar="CASES",
        help="list the review effort per structure, of this computer's cases or those in a folder",
    )
    parser.add_argument("--patients", action="store_true", help="show patients' names and IDs")
    parser.add_argument("--json", action="store_true", help="report as JSON on standard output")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Scan and report; exit code 0 regardless of the findings."""
    if args.templates:
        return _show_templates(as_json=args.json)
    if args.reviews is not None:
        return _show_reviews(args.reviews, as_json=args.json)
    from autocontour.cli.console import print_json, progress_job
    from autocontour.dicom import scan_folder, with_value_findings

    with progress_job(quiet=args.json) as job:
        found = [with_value_findings(series) for series in scan_folder(args.folder, job)]
    if args.json:
        print_json([_to_json(series, patients=args.patients) for series in found])
    else:
        _show(found, patients=args.patients)
    return 0


def _show_templates(*, as_json: bool) -> int:
    from autocontour.cli.console import console, print_json
    from autocontour.site.template import list_templates

    if as_json:
        print_json(list_templates())
    else:
        console().print("\n".join(list_templates()), markup=False)
    return 0


def _show_reviews(root: Path | bool, *, as_json: bool) -> int:
    from autocontour.base.folders import cases_folder
    from autocontour.case.effort import find_damaged_efforts, read_efforts
    from autocontour.cli.console import console, plain, print_json

    folder = root if isinstance(root, Path) else cases_folder()
    if isinstance(root, Path):
        next(root.iterdir(), None)  # a folder that was asked for must exist
    rows = [{"case": case, **row} for case, row in read_efforts(folder)]
    for finding in find_damaged_efforts(folder):
        sys.stderr.write(f"{finding.code} {finding.where[:8]}: {finding.message} {finding.remedy}\n")
    if as_json:
        print_json(rows)
        return 0
    from rich.table import Table

    table = Table("case", *REVIEW_COLUMNS.values())
    for row in rows:
        table.add_row(row["case"][:8], *(plain(row.get(key, "")) for key in REVIEW_COLUMNS))
    console().print(table)
    return 0


def _to_json(series: Series, *, patients: bool) -> dict[str, Any]:
    geometry = series.geometry
    identity = {"patient_name": series.patient_name, "patient_id": series.patient_id} if patients else {}
    return identity | {
        "modality": series.modality,
        "description": series.description,
        "number": series.number,
        "study_date": series.study_date,
        "series_instance_uid": series.series_instance_uid,
        "study_instance_uid": series.study_instance_uid,
        "frame_of_reference_uid": series.frame_of_reference_uid,
        "files": len(series),
        "planning_ct": series.is_planning_ct,
        "sound": series.is_sound,
        "shape_zyx": list(geometry.shape_zyx) if geometry else None,
        "spacing_zyx_mm": [round(mm, 6) for mm in geometry.spacing_zyx_mm] if geometry else None,
        "slice_positions_mm": [round(float(p), 6) for p in geometry.slice_positions_mm[[0, -1]]] if geometry else None,
        "direction": geometry.direction.round(6).tolist() if geometry else None,
        "findings": [finding.to_json() for finding in series.findings],
    }


def _show(found: list[Series], *, patients: bool) -> None:
    """Print one block per series, and the findings about the folder once, below."""
    from rich.markup import escape

    from autocontour.cli.console import console

    out = console()
    common = set.intersection(*(set(series.findings) for series in found))
    for number, series in enumerate(found, 1):
        who = f"  {series.patient_name} ({series.patient_id})" if patients else ""
        date, description = series.study_date, series.description or "no description"
        out.print(f"[bold]{number}  {escape(series.modality)}  {escape(description)}[/bold]  {escape(date + who)}")
        for line in _describe(series, set() if len(found) == 1 else common):
            out.print(f"   {line}", markup=False, soft_wrap=True)
    for finding in sorted(common, key=lambda f: f.code) if len(found) > 1 else ():
        out.print(_line(finding), markup=False, soft_wrap=True)


def _describe(series: Series, common: set[Finding]) -> Iterator[str]:
    from autocontour.dicom.wording import counted

    grid = series.geometry
    if series.modality != "CT" or grid is None:
        yield counted(len(series), "file")
    else:
        shape = " × ".join(map(str, grid.shape_zyx))
        spacing = " × ".join(f"{mm:.4g}" for mm in grid.spacing_zyx_mm)
        first, last = grid.slice_positions_mm[[0, -1]]
        yield f"{shape} voxels of {spacing} mm (z × y × x), slices from {first:.1f} to {last:.1f} mm"
    if series.is_planning_ct:
        yield f"{'sound' if series.is_sound else 'blocked'}, --series {series.series_instance_uid}"
    # That an RTSTRUCT is not a CT needs no message.
    yield from (_line(f) for f in series.findings if f not in common and (f.code != NOT_CT or series.modality == "CT"))


def _line(finding: Finding) -> str:
    where = f" [{finding.where}]" if finding.where and finding.where not in finding.message else ""
    return f"{finding.severity.name} {finding.code} {finding.message}{where} {finding.remedy}".rstrip()
