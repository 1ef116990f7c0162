"""``autocontour models validate`` and ``card``: a model package measured on patients with reference contours."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from autocontour.base.jobs import Job
    from autocontour.models import ModelPackage
    from autocontour.qa.commissioning import MeasuredStructure


def add_actions(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add both actions to those of ``models``."""
    validate = actions.add_parser("validate", help="measure a package on patients with reference contours")
    _add_common(validate)
    validate.add_argument("-o", "--output", type=Path, help="write every measurement to this JSON file")
    validate.add_argument("--without-localizer", action="store_true", help="run the segmenter over the whole body")
    validate.add_argument("--record", action="store_true", help="write the figures into the package (a folder) as well")
    validate.add_argument("--json", action="store_true", help="print JSON for scripts")
    validate.set_defaults(run=_validate)
    card = actions.add_parser("card", help="write the model card of a package, measured on a data set")
    _add_common(card, needs_data=False)
    card.add_argument("-o", "--output", type=Path, help="Markdown file (default: print); measurements beside it")
    card.add_argument("--rows", type=Path, help="reuse measurements of `models validate` or `card`")
    card.add_argument("--notes", type=Path, help="Markdown to put at the end of the card, such as known limits")
    card.add_argument("--baseline", type=Path, help="measurements of another package, for comparison")
    card.add_argument("--failures", type=int, default=0, metavar="N", help="draw the N worst cases for the card")
    card.add_argument("--record", action="store_true", help="write the figures into the package (a folder) as well")
    card.set_defaults(run=_card)


def _add_common(parser: argparse.ArgumentParser, *, needs_data: bool = True) -> None:
    parser.add_argument("package", help="name, folder or zip")
    data = "folder of a data set, as for training"
    data += "" if needs_data else "; without it, the card states what is known"
    parser.add_argument("--data", type=Path, required=needs_data, help=data)
    parser.add_argument(
        "--split", default="validation", help="of the data set; `calibration`: used for the package's limits"
    )
    parser.add_argument("--patients", type=int, help="only the first ones")
    devices = ("auto", "cpu", "cuda", "torch-cpu")
    parser.add_argument("--device", choices=devices, default="auto", help="for the networks")


def _measure(package: ModelPackage, args: argparse.Namespace, job: Job) -> list[MeasuredStructure]:
    from autocontour.models.inference.runtime import keep_runners
    from autocontour.qa.commissioning import measure_package

    keep_runners()
    return measure_package(package, args.data, args.split, job, device=args.device, patients=args.patients)


def _validate(args: argparse.Namespace) -> int:
    from autocontour.cli.console import console, print_json, progress_job
    from autocontour.models import find_package
    from autocontour.qa.commissioning import write_measured
    from autocontour.qa.commissioning.card import summarize_structures, table_of
    from autocontour.qa.commissioning.measure import without_localizer

    package = find_package(args.package)
    with progress_job(quiet=args.json) as job:
        rows = _measure(without_localizer(package) if args.without_localizer else package, args, job)
    if args.output:
        write_measured(args.output, rows)
    if args.record:
        _record(package, args, rows)
    if args.json:
        print_json(summarize_structures(package, rows))
    else:
        console().print(table_of(rows, list(package.structures)), markup=False, soft_wrap=True)
    return 0


def _card(args: argparse.Namespace) -> int:
    from autocontour.base.files import write_atomically
    from autocontour.cli.console import console, progress_job
    from autocontour.models import find_package
    from autocontour.qa.commissioning import read_measured, write_card, write_measured

    package = find_package(args.package)
    baseline = read_measured(args.baseline) if args.baseline else []
    notes = args.notes.read_text(encoding="utf-8") if args.notes else ""
    failures = ""
    with progress_job(quiet=args.output is None) as job:
        measures = args.data is not None and not args.rows
        rows = _measure(package, args, job) if measures else read_measured(args.rows) if args.rows else []
        if args.output and args.failures and args.data:
            failures = _write_failures(package, args, rows, job)
    name = args.baseline.stem if args.baseline else ""
    text = write_card(package, rows, args.split, notes=notes, failures=failures, baseline=baseline, baseline_name=name)
    if args.output is None:
        console().print(text, markup=False, soft_wrap=True)
        return 0
    if rows:
        write_measured(args.output.with_suffix(".json"), rows)
    write_atomically(args.output, text.encode())
    if args.record and rows:
        _record(package, args, rows)
    console().print(f"Wrote {args.output}.", markup=False)
    return 0


def _record(package: ModelPackage, args: argparse.Namespace, rows: Sequence[MeasuredStructure]) -> None:
    """Write the figures into the package; structures measured before and not now keep theirs."""
    from datetime import UTC, datetime

    from autocontour.models.package.history import rewrite_and_record
    from autocontour.qa.commissioning.card import summarize_structures

    before = package.metadata.get("validation")
    known = before.get("structures") if isinstance(before, dict) and package.procedure is not None else None
    structures = {**(known if isinstance(known, dict) else {}), **summarize_structures(package, rows)}
    patients = len({row.patient for row in rows})
    date = datetime.now(UTC).date().isoformat()
    figures = {"split": args.split, "date": date, "patients": patients, "structures": structures}
    rewrite_and_record(package, {**package.metadata, "validation": figures}, "figures of a validation")


def _write_failures(
    package: ModelPackage, args: argparse.Namespace, rows: Sequence[MeasuredStructure], job: Job
) -> str:
    """Write the pictures and their page into the card's folder, and return the page's name."""
    from autocontour.base.files import write_atomically
    from autocontour.qa.commissioning.failures import worst_of, write_failures

    worst = worst_of(rows, package, args.failures)
    folder = args.output.parent / "failure-cases"
    table = write_failures(package, args.data, args.split, worst, folder, job, device=args.device)
    page = Path(args.output).with_name("failure-cases.md")
    heading = f"# The {len(worst)} worst structures of {package.name} {package.version}\n\n"
    write_atomically(page, (heading + table).encode())
    return page.name
