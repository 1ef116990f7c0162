"""``autocontour dossier``: everything that was measured about a method in one document."""

from __future__ import annotations

import argparse
from pathlib import Path

DESCRIPTION = """Writes a dossier of a method from a commissioning report: one HTML page, a PDF, and JSON and CSV for
programs. Parts for which there are no data state that they were not done. The same input gives the same bytes:
the date is only printed if it is given. --compare shows what differs between two dossiers."""

PARTS = ("method", "selftest", "times", "routine", "review", "statements", "date")


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's arguments."""
    about = "write the dossier of a method as HTML and PDF"
    parser = commands.add_parser("dossier", help=about, description=DESCRIPTION)
    parser.add_argument("study", type=Path, nargs="?", metavar="REPORT", help="folder of a commissioning report")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER", help="of the dossier")
    parser.add_argument("--method", default="", help="a method of the report (default: the first)")
    files = parser.add_argument_group("further parts")
    files.add_argument("--selftest", type=Path, metavar="JSON", help="output of `selftest --full --json`")
    files.add_argument("--times", type=Path, metavar="JSON", help="times.json of `timestudy`")
    files.add_argument("--routine", type=Path, metavar="JSON", help="report.json of `monitor`")
    files.add_argument("--review", type=Path, metavar="JSON", help="blind-review.json of `review report`")
    files.add_argument("--statements", type=Path, metavar="TOML", help="what the clinic states: use, limits, roles")
    files.add_argument("--date", default="", help="to be printed")
    parser.add_argument("--compare", type=Path, nargs=2, metavar=("FIRST", "SECOND"), help="two dossiers")
    parser.add_argument("--json", action="store_true", help="print JSON for scripts")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the dossier or the comparison."""
    from autocontour.base.errors import UsageError
    from autocontour.cli.console import console, print_json
    from autocontour.qa.commissioning.dossier.build import DossierRequest
    from autocontour.qa.commissioning.dossier.run import write_comparison, write_dossier

    if (args.study is None) == (args.compare is None):
        raise UsageError("AC-US-066")
    if args.compare:
        content, stem = write_comparison(args.compare[0], args.compare[1], args.output), "comparison"
    else:
        parts = {name: getattr(args, name) for name in PARTS}
        content, stem = write_dossier(DossierRequest(args.study, **parts), args.output), "dossier"
    if args.json:
        print_json(content)
    else:
        place = args.output / stem
        console().print(f"Wrote {place}.html, .pdf, .json and .csv; id {content['id'][:16]}.", markup=False,
                        soft_wrap=True)  # fmt: skip
    return 0
