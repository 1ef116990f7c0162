"""Keep the viewer's translations: collect its texts, update the .ts files, compile the .qm files.

``make translations``. Translations of texts that are no longer shown are kept as vanished. The text before the root of
a .ts file (the glossary) is kept too.
"""

from __future__ import annotations

import ast
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
GUI = ROOT / "gui"
FOLDER = GUI / "translations"
CONTEXT = "autocontour"
LITERALS_OF = {"tr": (0,), "later": (0,), "tr_count": (1, 2), "ActionRow": (2, 3)}
"""Arguments of a call that are English texts shown by the viewer."""


def collect_strings(folder: Path = GUI) -> list[str]:
    """Return every string the viewer translates, sorted."""
    found: set[str] = set()
    for path in sorted(folder.rglob("*.py")):
        for call in _calls(ast.parse(path.read_text(encoding="utf-8"))):
            for position in LITERALS_OF.get(_name(call), ()):
                argument = call.args[position] if position < len(call.args) else None
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                    found.add(argument.value)
    return sorted(found)


def read_ts(path: Path) -> dict[str, str]:
    """Return source → translation of a .ts file, those that are finished and those that have vanished."""
    if not path.exists():
        return {}
    messages = ET.parse(path).getroot().iter("message")
    pairs = ((m.findtext("source", ""), m.find("translation")) for m in messages)
    return {source: node.text for source, node in pairs if node is not None and node.text}


def write_ts(path: Path, language: str, shown: list[str], translations: dict[str, str]) -> None:
    """Write the .ts file of a language: current texts, then vanished ones."""
    root = ET.Element("TS", version="2.1", language=language, sourcelanguage="en")
    context = ET.SubElement(root, "context")
    ET.SubElement(context, "name").text = CONTEXT
    for source in (*shown, *sorted(set(translations) - set(shown))):
        message = ET.SubElement(context, "message")
        ET.SubElement(message, "source").text = source
        state = "vanished" if source not in shown else "" if source in translations else "unfinished"
        translation = ET.SubElement(message, "translation", {"type": state} if state else {})
        translation.text = translations.get(source)
    ET.indent(root, "  ")
    before, begins, _ = path.read_text(encoding="utf-8").partition("<TS ") if path.exists() else ("", "", "")
    head = before if begins else '<?xml version="1.0" encoding="utf-8"?>\n<!DOCTYPE TS>\n'
    path.write_text(head + ET.tostring(root, encoding="unicode") + "\n", encoding="utf-8")


def main() -> int:
    """Update and compile the files of every language; 1 if a translation is missing."""
    shown, missing = collect_strings(), 0
    for path in sorted(FOLDER.glob(f"{CONTEXT}_*.ts")):
        translations = read_ts(path)
        write_ts(path, path.stem.removeprefix(f"{CONTEXT}_"), shown, translations)
        lrelease = Path(sys.executable).with_name("pyside6-lrelease")
        subprocess.run([lrelease, "-silent", path, "-qm", path.with_suffix(".qm")], check=True)
        absent = [source for source in shown if source not in translations]
        missing += len(absent)
        print(f"{path.name}: {len(shown) - len(absent)} of {len(shown)} translated", *absent, sep="\n  ")  # noqa: T201
    return int(missing > 0)


def _calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def _name(call: ast.Call) -> str:
    function = call.func
    return (
        function.id if isinstance(function, ast.Name) else function.attr if isinstance(function, ast.Attribute) else ""
    )


if __name__ == "__main__":
    sys.exit(main())
