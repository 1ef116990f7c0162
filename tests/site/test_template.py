"""Templates a physicist edits."""

from __future__ import annotations

from pathlib import Path

import pytest

from autocontour.base.errors import UsageError
from autocontour.site.template import list_templates, read_template


@pytest.mark.parametrize("name", list_templates())
def test_every_template_of_the_program_is_sound(name: str) -> None:
    template = read_template(name)
    assert template.structures
    assert len(template.checksum) == 64


def test_a_clinics_own_names_colours_and_margins(tmp_path: Path) -> None:
    path = tmp_path / "ours.toml"
    path.write_text(
        'title = "Ours"\nsmallest_island_cc = 0.2\n'
        '[[structures]]\nname = "Rückenmark"\ntg263 = "SpinalCord"\ncolor = "#00ff7f"\ntype = "ORGAN"\n'
        '[[structures]]\nname = "PRV"\nmargin_of = "Rückenmark"\nmargin_mm = [1, 2, 3, 4, 5, 6]\n'
        "smallest_island_cc = 0\n",
        encoding="utf-8",
    )
    cord, prv = read_template(str(path)).structures
    assert (cord.name, cord.tg263_name, cord.color_rgb) == ("Rückenmark", "SpinalCord", (0, 255, 127))
    assert cord.smallest_island_cc == 0.2
    assert prv.margin_of == "Rückenmark"
    assert prv.margins_mm == (1, 2, 3, 4, 5, 6)
    assert prv.smallest_island_cc == 0


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("title = 'x'", "names no structures"),
        ("[[structures]]\nname = 'A'\ncolour = '#000000'", "unknown keys"),
        ("tittle = 'x'\n[[structures]]\nname = 'A'", "unknown keys"),
        ("[[structures]]\nname = 'A'\n[[structures]]\nname = 'A'", "named twice"),
        ("[[structures]]\nname = 'A'\ncolor = 'red'", "colour"),
        ("[[structures]]\nname = 'A'\nmargin_mm = [1, 2]", "margin_mm"),
        ("[[structures]]\nname = 'A'\nmargin_of = 'B'\n[[structures]]\nname = 'B'", "before it"),
        ("[[structures]]\nname = 'External'\nwith_mask = 'yes'", "with_mask"),
        ("[[structures]]\ncolor = '#000000'", "without a name"),
        ("structures = 3", "names no structures"),
        ("not toml", "not sound"),
    ],
)
def test_an_unsound_template_is_refused_with_the_reason(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=why) as refusal:
        read_template(str(path))
    assert refusal.value.code == "AC-US-011"


def test_an_unknown_template_names_the_known_ones() -> None:
    with pytest.raises(UsageError, match="head-neck") as refusal:
        read_template("no-such-site")
    assert refusal.value.code == "AC-US-010"
