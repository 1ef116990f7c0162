"""A document as a PDF.

Text is set in DejaVu Sans, which comes with matplotlib and is embedded. It has no Hangul: Korean text is set in a
Korean TrueType font of the computer, embedded too. Without one it is set in HYGothic-Medium of Adobe-Korea1, which the
PDF viewer must supply.
"""

from __future__ import annotations

import re
from html import escape
from io import BytesIO
from pathlib import Path
from typing import Any

from autocontour.base.files import write_atomically
from autocontour.report.document import Block, Document, NotDone, Paragraph, Signatures
from autocontour.report.fonts import find_korean
from autocontour.report.page import Figure, Table

BODY, BOLD = "DejaVuSans", "DejaVuSans-Bold"
KOREAN, KOREAN_OF_VIEWER = "Korean", "HYGothic-Medium"
MARGIN_MM = 18.0
TEXT_PT, CELL_PT = 9.0, 6.5
_HANGUL = re.compile("[\u1100-\u11ff\u3000-\u303f\u3130-\u318f\uac00-\ud7af\uff00-\uffef]+")
_LONG = re.compile(r"\S{24,}")
FIGURE_HEIGHT_PT = 150.0
"""At most."""
HEADING_SPACE_PT = 70.0
"""A heading with less space below it goes to the next page."""
SIGNATURE_PT = 48.0
LEAST_WIDTH = 5
"""Characters that count for the width of a column at least."""


def write_pdf(path: Path, document: Document) -> None:
    """Write the document; the same document gives the same bytes.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    from reportlab.lib.pagesizes import A4
    from reportlab.lib.units import mm
    from reportlab.platypus import BaseDocTemplate, CondPageBreak, Frame, PageTemplate
    from reportlab.platypus import Paragraph as Text

    styles = _styles()
    margin, (width, height) = MARGIN_MM * mm, A4
    inner = width - 2 * margin
    story: list[Any] = [Text(marked(document.title), styles["title"]), Text(marked(document.subtitle), styles["small"])]
    for number, section in enumerate(document.sections, 1):
        signatures = sum(len(block.roles) for block in section.blocks if isinstance(block, Signatures))
        story.append(CondPageBreak(HEADING_SPACE_PT + 1.5 * SIGNATURE_PT * signatures))
        story.append(Text(marked(f"{number}. {section.title}"), styles["heading"]))
        for block in section.blocks:
            story += _flowables(block, styles, inner)
    file = BytesIO()
    built = BaseDocTemplate(
        file, pagesize=A4, title=document.title, author="autocontour", subject=document.subtitle, invariant=1,
        leftMargin=margin, rightMargin=margin, topMargin=margin, bottomMargin=margin, pageCompression=1,
    )  # fmt: skip
    frame = Frame(margin, margin, inner, height - 2 * margin, 0, 0, 0, 0)

    def foot(canvas: Any, page: Any) -> None:  # noqa: ANN401  (reportlab has no types)
        canvas.saveState()
        text = Text(f"{marked(document.subtitle)} – page {page.page}", styles["foot"])
        text.wrap(inner, margin)
        text.drawOn(canvas, margin, margin / 2)
        canvas.restoreState()

    built.addPageTemplates([PageTemplate("page", [frame], onPage=foot)])
    built.build(story)
    write_atomically(path, file.getvalue())


def marked(text: str) -> str:
    """Return plain text as markup of a paragraph: escaped, with Hangul in its own font, long words breakable."""
    plain = "".join(character for character in text if character.isprintable() or character == "\n")
    broken = _LONG.sub(lambda found: re.sub(r"(.{12})", "\\1\u200b", found[0]), plain)
    parts = _HANGUL.split(broken)
    korean = _HANGUL.findall(broken)
    pieces = [escape(parts[0], quote=False)]
    for own, after in zip(korean, parts[1:], strict=True):
        pieces.append(f'<font name="{korean_font()}">{own}</font>{escape(after, quote=False)}')
    return "".join(pieces).replace("\n", "<br/>").replace("\u200b", '<font size="0.1"> </font>')


def _register_fonts() -> None:
    import matplotlib
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.cidfonts import UnicodeCIDFont
    from reportlab.pdfbase.ttfonts import TTFont

    folder = Path(matplotlib.get_data_path(), "fonts", "ttf")
    known = pdfmetrics.getRegisteredFontNames()
    for name in (BODY, BOLD):
        if name not in known:
            pdfmetrics.registerFont(TTFont(name, folder / f"{name}.ttf"))
    if korean_font() not in known:
        path = find_korean()
        pdfmetrics.registerFont(TTFont(KOREAN, path) if path else UnicodeCIDFont(KOREAN_OF_VIEWER))


def korean_font() -> str:
    """Return the name of the font for Hangul."""
    return KOREAN if find_korean() else KOREAN_OF_VIEWER


def _styles() -> dict[str, Any]:
    from reportlab.lib import colors
    from reportlab.lib.styles import ParagraphStyle

    _register_fonts()
    body = ParagraphStyle("body", fontName=BODY, fontSize=TEXT_PT, leading=TEXT_PT * 1.4, spaceAfter=5)
    return {
        "body": body,
        "title": ParagraphStyle("title", body, fontName=BOLD, fontSize=17, leading=22, spaceAfter=4),
        "heading": ParagraphStyle(
            "heading", body, fontName=BOLD, fontSize=12, leading=16, spaceBefore=14, spaceAfter=5
        ),
        "table": ParagraphStyle("table", body, fontName=BOLD, spaceBefore=6, spaceAfter=3),
        "small": ParagraphStyle("small", body, fontSize=7.5, leading=10, textColor=colors.HexColor("#57606a")),
        "foot": ParagraphStyle("foot", body, fontSize=6.5, leading=8, textColor=colors.HexColor("#57606a")),
        "cell": ParagraphStyle("cell", body, fontSize=CELL_PT, leading=CELL_PT * 1.25, spaceAfter=0),
        "head": ParagraphStyle("head", body, fontName=BOLD, fontSize=CELL_PT, leading=CELL_PT * 1.25, spaceAfter=0),
        "not done": ParagraphStyle(
            "not done", body, backColor=colors.HexColor("#fff6e5"), borderColor=colors.HexColor("#c77700"),
            borderWidth=0.7, borderPadding=4, spaceBefore=5, spaceAfter=9, leftIndent=5, rightIndent=5,
        ),
    }  # fmt: skip


def _flowables(block: Block, styles: dict[str, Any], width: float) -> list[Any]:
    from reportlab.platypus import CondPageBreak
    from reportlab.platypus import Paragraph as Text

    match block:
        case Paragraph(text):
            return [Text(marked(text), styles["body"])]
        case NotDone(text):
            return [Text(f'<font name="{BOLD}">Not done.</font> {marked(text)}', styles["not done"])]
        case Signatures(roles):
            return [_signatures(roles, styles, width)]
        case Table():
            title = Text(marked(block.title), styles["table"])
            heading = [CondPageBreak(HEADING_SPACE_PT), title] if block.title else []
            return [*heading, _table(block, styles, width)]
        case Figure():
            return [_figure(block, styles, width)]


def _table(block: Table, styles: dict[str, Any], width: float) -> Any:  # noqa: ANN401
    from reportlab.lib import colors
    from reportlab.platypus import Paragraph as Text
    from reportlab.platypus import Table as Grid

    cells = [[Text(marked(cell), styles["head"]) for cell in block.heads]]
    cells += [[Text(marked(cell), styles["cell"]) for cell in row.cells] for row in block.rows]
    made = Grid(cells, colWidths=column_widths(block, width), repeatRows=1, spaceAfter=8)
    line = colors.HexColor("#d5dae0")
    made.setStyle(
        [
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ("BACKGROUND", (0, 0), (-1, 0), colors.HexColor("#f3f5f7")),
            ("LINEBELOW", (0, 0), (-1, -1), 0.4, line),
            ("LEFTPADDING", (0, 0), (-1, -1), 3),
            ("RIGHTPADDING", (0, 0), (-1, -1), 3),
            ("TOPPADDING", (0, 0), (-1, -1), 1.5),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 2),
        ]
    )
    return made


def column_widths(block: Table, width: float) -> list[float]:
    """Return widths that share `width` by the length of the texts; the longest word of a short column fits."""
    from reportlab.pdfbase.pdfmetrics import stringWidth

    columns = list(zip(block.heads, *(row.cells for row in block.rows), strict=True))
    words = [
        max(stringWidth(word, BOLD, CELL_PT) for cell in column for word in (cell[:2000].split() or ["–"]))
        for column in columns
    ]
    needed = [min(word, width / 4) + 8 for word in words]
    lengths = [max(LEAST_WIDTH, *(len(cell) for cell in column)) ** 0.7 for column in columns]
    left = width - sum(needed)
    if left < 0:
        return [width * one / sum(needed) for one in needed]
    return [one + left * length / sum(lengths) for one, length in zip(needed, lengths, strict=True)]


def _figure(block: Figure, styles: dict[str, Any], width: float) -> Any:  # noqa: ANN401
    from reportlab.lib.utils import ImageReader
    from reportlab.platypus import Image, KeepTogether
    from reportlab.platypus import Paragraph as Text

    across, down = ImageReader(BytesIO(block.png)).getSize()
    width = min(width, FIGURE_HEIGHT_PT * across / down)
    picture = Image(BytesIO(block.png), width, width * down / across, hAlign="LEFT")
    return KeepTogether([picture, Text(marked(block.caption), styles["small"])])


def _signatures(roles: tuple[str, ...], styles: dict[str, Any], width: float) -> Any:  # noqa: ANN401
    from reportlab.lib import colors
    from reportlab.platypus import Paragraph as Text
    from reportlab.platypus import Table as Grid

    rows = [[Text(marked(f"{role}: name, signature, date"), styles["cell"])] for role in roles]
    made = Grid(rows, colWidths=[width * 0.7], rowHeights=[SIGNATURE_PT] * len(rows), hAlign="LEFT")
    made.setStyle([("VALIGN", (0, 0), (-1, -1), "BOTTOM"), ("LINEABOVE", (0, 0), (-1, -1), 0, colors.white),
                   ("LINEBELOW", (0, 0), (-1, -1), 0.7, colors.black)])  # fmt: skip
    return made
