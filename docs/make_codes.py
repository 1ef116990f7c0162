"""Write ``docs/codes.md`` from the register of codes: ``python docs/make_codes.py``."""

from __future__ import annotations

import re
from itertools import groupby
from pathlib import Path

from autocontour.base import errors, register

PAGE = Path(__file__).with_name("codes.md")
ABOUT = {
    "CASE": "A case being edited",
    "CFG": "A configuration file",
    "CT": "The CT",
    "AD": "A package for one patient",
    "DS": "A data set",
    "EX": "A check before export",
    "MD": "A model package",
    "OUT": "Writing the result",
    "QA": "A comparison or a check of contours",
    "QU": "The queue",
    "RS": "A structure set",
    "RU": "A structure drawn by rules",
    "TG": "A structure made by a recipe",
    "TR": "Training",
    "US": "The request",
}


def build_page() -> str:
    """Return the page: one table per family, one row per code."""
    codes = sorted(register.read_register().values(), key=lambda code: (code.family, code.code))
    lines = [
        "# Codes",
        "",
        "Every error and finding has a code.",
        "Made by `docs/make_codes.py` from `autocontour/base/codes/`; do not edit by hand.",
        "",
        "- `ERROR`: the command or action stops with this error.",
        "- `BLOCK`: a finding that stops the work unless its code is accepted (`--accept CODE`);",
        "  it is then recorded in the output.",
        "- `WARN`, `INFO`: findings that are shown and recorded in the output.",
        "",
        "Words in braces are filled in. Exit codes of the families: "
        + ", ".join(f"`AC-{family}` {code}" for family, code in _exit_codes().items())
        + ".",
    ]
    for family, members in groupby(codes, key=lambda code: code.family):
        lines += ["", f"## AC-{family}: {ABOUT.get(family, family)}", ""]
        lines += ["| code | kind | sentence | what to do |", "|---|---|---|---|"]
        lines += [
            f"| {code.code} | {code.severity} | {_cell(code.sentence['en'])} | {_cell(code.remedy.get('en', ''))} |"
            for code in members
        ]
    return "\n".join(lines) + "\n"


def _exit_codes() -> dict[str, int]:
    """Return each family's exit code; an error class names its family in its docstring."""
    found = {}
    for kind in errors.AutoContourError.__subclasses__():
        if match := re.search(r"``AC-(\w+)``", kind.__doc__ or ""):
            found[match[1]] = kind.exit_code
    return dict(sorted(found.items(), key=lambda item: item[1]))


def _cell(template: str) -> str:
    """Return a template as a table cell: the plural of a choice, no bars, no format specifications."""
    text = ""
    for literal, name, spec, _ in register.parse(template):
        text += literal
        if name:
            text += spec.split("|")[1].replace("#", f"{{{name}}}") if "|" in spec else f"{{{name}}}"
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    PAGE.write_text(build_page(), encoding="utf-8")
