"""Write a dossier, or the comparison of two."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any

from autocontour.base.errors import UsageError
from autocontour.base.files import foreign_names, shown_path, write_atomically
from autocontour.qa.commissioning.dossier.build import DossierRequest, build_content
from autocontour.qa.commissioning.dossier.compare import build_comparison, compare_dossiers, read_dossier
from autocontour.qa.commissioning.dossier.pages import build_document, tables_of
from autocontour.report.document import Document, write_html

ENDINGS = (".html", ".pdf", ".json", ".csv")


def write_dossier(request: DossierRequest, output: Path) -> dict[str, Any]:
    """Write ``dossier.html``, ``.pdf``, ``.json`` and ``.csv`` into a folder; return the content of the JSON.

    Raises
    ------
    UsageError
        ``AC-QA-330`` to ``-333``; ``AC-QA-073`` if the folder holds other files.
    OutputError
        If it cannot be written.
    """
    content, pictures = build_content(request)
    _write(output, "dossier", content, build_document(content, pictures))
    return content


def write_comparison(first: Path, second: Path, output: Path) -> dict[str, Any]:
    """Write ``comparison.html``, ``.pdf``, ``.json`` and ``.csv`` of two dossiers; return the content of the JSON.

    Raises
    ------
    UsageError
        ``AC-QA-334`` if one is not a dossier; ``AC-QA-073`` if the folder holds other files.
    OutputError
        If it cannot be written.
    """
    content = compare_dossiers(read_dossier(first), read_dossier(second))
    _write(output, "comparison", content, build_comparison(content))
    return content


def _write(output: Path, stem: str, content: Mapping[str, Any], document: Document) -> None:
    from autocontour.report.pdf import write_pdf

    known = {stem + ending for ending in ENDINGS}
    if output.exists() and (not output.is_dir() or foreign_names(output, known)):
        raise UsageError("AC-QA-073", folder=shown_path(output))
    output.mkdir(parents=True, exist_ok=True)
    write_atomically(output / f"{stem}.json", json.dumps(content, indent=1).encode())
    write_atomically(output / f"{stem}.csv", _as_csv(document))
    write_html(output / f"{stem}.html", document)
    write_pdf(output / f"{stem}.pdf", document)


def _as_csv(document: Document) -> bytes:
    """Return every table: section, table, row, column, value."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("section", "table", "row", "column", "value"))
    for section, one in tables_of(document):
        for number, row in enumerate(one.rows, 1):
            for head, cell in zip(one.heads, row.cells, strict=True):
                writer.writerow((section, one.title, number, head, cell))
    return text.getvalue().encode()
