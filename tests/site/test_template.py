"""Templates a physicist edits."""

from __future__ import annotations

from pathlib import Path

import pytest

from autocontour.base.errors import UsageError
from autocontour.patient.recipe import Minus, Recipe
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
    ("text", "where", "code"),
    [
        ("title = 'x'", "structures", "AC-CFG-017"),
        ("structures = []", "structures", "AC-CFG-014"),
        ("structures = 3", "structures", "AC-CFG-008"),
        ("[[structures]]\nname = 'A'\ncolour = '#000000'", "structures[0].colour", "AC-CFG-002"),
        ("tittle = 'x'\n[[structures]]\nname = 'A'", "tittle", "AC-CFG-002"),
        ("[[structures]]\nname = 'A'\n[[structures]]\nname = 'a'", "structures[1].name", "AC-CFG-015"),
        ("[[structures]]\nname = 'A'\ncolor = 'red'", "structures[0].color", "AC-CFG-020"),
        ("[[structures]]\nname = 'A'\ncolor = '#ééé'", "structures[0].color", "AC-CFG-020"),
        ("[[structures]]\nname = 'A'\ncolor = 3", "structures[0].color", "AC-CFG-007"),
        ("[[structures]]\nname = 'A'\ntype = 'organ'", "structures[0].type", "AC-CFG-031"),
        ("[[structures]]\nname = 'A'\ntype = 3", "structures[0].type", "AC-CFG-007"),
        ("[[structures]]\nname = 'B'\nmargin_mm = 3", "structures[0].margin_mm", "AC-CFG-026"),
        ("[[structures]]\nname = 'A'\nmargin_mm = [1, 2]", "structures[0].margin_mm", "AC-CFG-029"),
        ("[[structures]]\nname = 'A'\nmargin_mm = nan", "structures[0].margin_mm", "AC-CFG-006"),
        ("[[structures]]\nname = 'A'\nmargin_mm = 1e9", "structures[0].margin_mm", "AC-CFG-009"),
        (
            "[[structures]]\nname = 'A'\nmargin_of = 'B'\n[[structures]]\nname = 'B'",
            "structures[0].margin_of",
            "AC-CFG-025",
        ),
        ("[[structures]]\nname = 'A'\nmargin_of = 'A'", "structures[0].margin_of", "AC-CFG-025"),
        ("[[structures]]\nname = 'External'\nwith_mask = 'yes'", "structures[0].with_mask", "AC-CFG-004"),
        ("[[structures]]\nname = 'A'\nsmallest_island_cc = -1", "structures[0].smallest_island_cc", "AC-CFG-009"),
        ("[[structures]]\ncolor = '#000000'", "structures[0].name", "AC-CFG-017"),
        ("[[structures]]\nname = ' '", "structures[0].name", "AC-CFG-011"),
        ('[[structures]]\nname = "A\\nB"', "structures[0].name", "AC-CFG-012"),
        ("[[structures]]\nname = 'A\\B'", "structures[0].name", "AC-CFG-012"),
        ("[[structures]]\nname = 3", "structures[0].name", "AC-CFG-007"),
        ("not toml", "", "AC-CFG-001"),
    ],
)
def test_an_unsound_template_is_refused_with_the_setting(tmp_path: Path, text: str, where: str, code: str) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match="bad") as refusal:
        read_template(str(path))
    assert refusal.value.code == "AC-US-011"
    assert [(problem.where, problem.code) for problem in refusal.value.problems] == [(where, code)]


@pytest.mark.parametrize("name", ["no-such-site", "../profiles/eclipse", "", "a\0b", "/dev/zero"])
def test_what_is_no_template_file(name: str) -> None:
    with pytest.raises(UsageError) as refusal:
        read_template(name)
    assert refusal.value.code == "AC-US-010"


def test_an_unknown_template_names_the_known_ones() -> None:
    with pytest.raises(UsageError, match="head-neck") as refusal:
        read_template("no-such-site")
    assert refusal.value.code == "AC-US-010"


RECIPE = """
[[structures]]
name = "External"
[[recipes]]
name = "PTV_High"
sources = ["CTV_High", "CTV_Mid"]
margin_mm = [5, 5, 7, 3, 6, 6]
plus = ["Boost"]
inside = "External"
inside_mm = 3
minus = [{ name = "SpinalCord", gap_mm = 2 }, { name = "Brainstem" }]
type = "PTV"
color = "#ff6347"
[[recipes]]
name = "Ring"
sources = ["PTV_High"]
margin_mm = 20
minus = [{ name = "PTV_High" }]
"""


def test_a_template_holds_recipes(tmp_path: Path) -> None:
    path = tmp_path / "ours.toml"
    path.write_text(RECIPE, encoding="utf-8")
    ptv, ring = read_template(str(path)).recipes
    minus = (Minus("SpinalCord", 2), Minus("Brainstem"))
    assert ptv.recipe == Recipe(("CTV_High", "CTV_Mid"), (5, 5, 7, 3, 6, 6), ("Boost",), "External", 3, minus)
    assert (ptv.name, ptv.interpreted_type, ptv.color_rgb) == ("PTV_High", "PTV", (255, 99, 71))
    assert ring.recipe.margins_mm == (20,) * 6


@pytest.mark.parametrize(
    ("text", "where", "code"),
    [
        ("name = 'P'", "recipes[0].sources", "AC-CFG-017"),
        ("name = 'P'\nsources = []", "recipes[0].sources", "AC-CFG-014"),
        ("name = 'P'\nsources = 'A'", "recipes[0].sources", "AC-CFG-008"),
        ("name = 'P'\nsources = ['A', 'a']", "recipes[0].sources[1]", "AC-CFG-015"),
        ("name = 'P'\nsources = ['A']\nmargin = 3", "recipes[0].margin", "AC-CFG-002"),
        ("name = 'P'\nsources = ['A']\nmargin_mm = 1e9", "recipes[0].margin_mm", "AC-CFG-009"),
        ("name = 'P'\nsources = ['A']\nmargin_mm = [1, 2]", "recipes[0].margin_mm", "AC-CFG-029"),
        ("name = 'P'\nsources = ['A']\ninside_mm = 3", "recipes[0].inside_mm", "AC-CFG-026"),
        ("name = 'P'\nsources = ['A']\ninside = 'B'\ninside_mm = -3", "recipes[0].inside_mm", "AC-CFG-009"),
        ("name = 'P'\nsources = ['A']\nminus = ['B']", "recipes[0].minus[0]", "AC-CFG-003"),
        (
            "name = 'P'\nsources = ['A']\nminus = [{ name = 'B', gap_mm = nan }]",
            "recipes[0].minus[0].gap_mm",
            "AC-CFG-006",
        ),
        ("name = 'external'\nsources = ['A']", "recipes[0].name", "AC-CFG-015"),
        ("name = 'P'\nsources = ['p']", "recipes", "AC-CFG-033"),
        ("name = 'P'\nsources = ['Q']\n[[recipes]]\nname = 'Q'\nsources = ['P']", "recipes", "AC-CFG-033"),
        ("name = 'P'\nsources = ['A']\n[[recipes]]\nname = 'p'\nsources = ['A']", "recipes[1].name", "AC-CFG-015"),
    ],
)
def test_recipes_that_are_wrong_are_refused(tmp_path: Path, text: str, where: str, code: str) -> None:
    path = tmp_path / "ours.toml"
    path.write_text(f"[[structures]]\nname = 'External'\n[[recipes]]\n{text}", encoding="utf-8")
    with pytest.raises(UsageError) as refused:
        read_template(str(path))
    assert [(one.where, one.code) for one in refused.value.problems] == [(where, code)]
