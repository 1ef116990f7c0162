"""An HTML page with tables and pictures, in a single file."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from autocontour.base.files import write_atomically


@dataclass(frozen=True, slots=True)
class Row:
    """A table's row: its cells, and the colour of its structure."""

    cells: tuple[str, ...]
    color: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table under a title.

    Raises
    ------
    ValueError
        If a row has not as many cells as there are heads: values would stand under the wrong head.
    """

    title: str
    heads: tuple[str, ...]
    rows: tuple[Row, ...]

    def __post_init__(self) -> None:
        if any(len(row.cells) != len(self.heads) for row in self.rows):
            raise ValueError(
                f"the table {self.title!r} has rows with more or fewer cells than its {len(self.heads)} heads"
            )


@dataclass(frozen=True, slots=True)
class Figure:
    """A PNG picture and its caption."""

    png: bytes
    caption: str

    @property
    def png_base64(self) -> str:
        """The picture as the page embeds it."""
        return base64.b64encode(self.png).decode("ascii")


def write_page(
    path: Path,
    title: str,
    *,
    paragraphs: Sequence[str] = (),
    tables: Sequence[Table] = (),
    figures: Sequence[Figure] = (),
) -> None:
    """Write the page; every text is escaped, and must not contain a patient's name."""
    from jinja2 import Environment

    template = Environment(autoescape=True).from_string(
        Path(__file__).with_name("page.html.jinja").read_text(encoding="utf-8")
    )
    text = template.render(title=title, paragraphs=paragraphs, tables=tables, figures=figures)
    write_atomically(path, text.encode("utf-8"))
