"""A document of sections, as one self-contained HTML page or as a PDF."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from autocontour.base.files import write_atomically
from autocontour.report.page import Figure, Table


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph of plain text."""

    text: str


@dataclass(frozen=True, slots=True)
class NotDone:
    """A part for which there are no data, and what would provide them."""

    text: str


@dataclass(frozen=True, slots=True)
class Signatures:
    """Lines to be signed by hand: the role of each person."""

    roles: tuple[str, ...]


Block = Paragraph | NotDone | Signatures | Table | Figure


@dataclass(frozen=True, slots=True)
class Section:
    """A section under a title."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """A document; no part of it may contain a patient's name.

    Attributes
    ----------
    title
        On the first page.
    subtitle
        Below it, and at the foot of each page of the PDF.
    sections
        In order; they are numbered.
    """

    title: str
    subtitle: str
    sections: tuple[Section, ...]


def kind_of(block: Block) -> str:
    """Return the name of a block's kind, for the template."""
    return type(block).__name__


def write_html(path: Path, document: Document) -> None:
    """Write the document as one page that needs no other file; the same document gives the same bytes.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    from jinja2 import Environment

    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    source = Path(__file__).with_name("document.html.jinja").read_text(encoding="utf-8")
    text = environment.from_string(source).render(document=document, kind_of=kind_of)
    write_atomically(path, text.encode("utf-8"))


def table(title: str, heads: str, rows: Sequence[Sequence[object]]) -> Table:
    """Return a table of anything that can be shown as text; the heads are separated by commas."""
    from autocontour.report.page import Row

    return Table(title, tuple(heads.split(",")), tuple(Row(tuple(str(cell) for cell in row)) for row in rows))
