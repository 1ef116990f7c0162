"""Export profiles: every rule has a source, every fix solves its problem."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import box

from autocontour.base.errors import UsageError
from autocontour.base.findings import Severity
from autocontour.patient.structures import ImportedContour, ReviewStatus, Structure, StructureSet
from autocontour.site import WHOLE_SET, check_export, list_profiles, read_profile

SQUARE = {3: box(0, 0, 10, 10)}


def approved(name, number=1, **values):
    return Structure(name, number, SQUARE, status=ReviewStatus.APPROVED, **values)


@pytest.mark.parametrize("name", list_profiles())
def test_every_rule_names_its_source(name):
    profile = read_profile(name)
    assert profile.rules
    assert all(len(rule.source) > 10 for rule in profile.rules)
    assert check_export(StructureSet("S", (approved("Heart"),)), profile) == []


names = st.lists(
    st.text(st.characters(codec="ascii", categories=["L", "N"], include_characters="_"), min_size=1, max_size=80),
    min_size=1,
    max_size=6,
    unique_by=str.casefold,
)


@given(names)
@settings(max_examples=60, deadline=None)
def test_fixed_names_are_short_and_unique(names):
    profile = read_profile("eclipse")
    structures = tuple(approved(name, number) for number, name in enumerate(names, 1))
    fixes = {o.number: o.fix for o in check_export(StructureSet("S", structures), profile)}
    fixed = tuple(replace(s, **fixes.get(s.number, {})) for s in structures)
    assert check_export(StructureSet("S", fixed), profile) == []


def test_the_side_survives_a_short_name():
    (problem,) = check_export(StructureSet("S", (approved("Submandibular_gland_L"),)), read_profile("eclipse"))
    assert problem.fix["name"].endswith("_L")
    assert problem.finding.severity is Severity.BLOCK


def test_what_stands_against_an_export_comes_worst_first():
    structures = (
        Structure("Cord", 1, SQUARE),
        Structure("Empty", 2, {}, status=ReviewStatus.APPROVED),
        approved("Lens", 3, interpreted_type=""),
        approved("CORD", 4),
    )
    found = check_export(StructureSet("S", structures), read_profile("raystation"))
    assert [o.finding.code for o in found] == ["AC-EX-002", "AC-EX-003", "AC-EX-004", "AC-EX-005"]


@pytest.mark.parametrize("name", list_profiles())
@pytest.mark.parametrize("label", ["", " ", "A label that is far too long"])
def test_a_label_is_fixed_for_every_system(name, label):
    profile = read_profile(name)
    (problem,) = check_export(StructureSet(label, (approved("Heart"),)), profile)
    assert (problem.finding.code, problem.number) == ("AC-EX-007", WHOLE_SET)
    assert check_export(StructureSet(problem.fix["label"], (approved("Heart"),)), profile) == []


@pytest.mark.parametrize("name", list_profiles())
def test_a_backslash_would_part_a_name_in_two(name):
    structures = (approved("Lens\\L"), approved("Lens_L", 2), approved("Cord\n", 3))
    found = check_export(StructureSet("S", structures), read_profile(name))
    assert {o.number: o.finding.code for o in found} == {1: "AC-EX-006", 3: "AC-EX-006"}
    fixed = tuple(replace(s, **{o.number: o.fix for o in found}.get(s.number, {})) for s in structures)
    assert check_export(StructureSet("S", fixed), read_profile(name)) == []
    assert len({s.name.casefold() for s in fixed}) == 3


@pytest.mark.parametrize(("name", "severity"), [("eclipse", Severity.BLOCK), ("generic", Severity.WARN)])
def test_long_values_of_an_imported_contour_are_written_anew(name, severity):
    long = ImportedContour("CLOSED_PLANAR", "1.00000000000000001\\0\\0\\1\\1\\0\\0\\1\\0")
    short = ImportedContour("CLOSED_PLANAR", "1.0 \\0\\0\\1\\1\\0\\0\\1\\0")
    structure = approved("Heart", imported={3: (long,), 4: (short,)})
    (problem,) = check_export(StructureSet("S", (structure,)), read_profile(name))
    assert (problem.finding.code, problem.finding.severity) == ("AC-EX-008", severity)
    fixed = replace(structure, **problem.fix)
    assert fixed.imported == {4: (short,)}
    assert check_export(StructureSet("S", (fixed,)), read_profile(name)) == []
    (carried,) = check_export(StructureSet("S", (approved("Iso", carried=(long,)),)), read_profile(name))
    assert (carried.finding.code, carried.fix) == ("AC-EX-010", {})


def test_what_is_not_approved_is_asked_about_once():
    structures = tuple(Structure(f"LN_{n}", n, SQUARE) for n in range(1, 10))
    (problem,) = check_export(StructureSet("S", structures), read_profile("generic"))
    assert problem.number == WHOLE_SET
    assert problem.finding.message == "Not approved: LN_1, LN_2, LN_3, LN_4, LN_5, LN_6, … (+3)."  # in any language


RULE = 'title = "x"\n[[rules]]\ncheck = "{}"\nseverity = "{}"\nsource = "{}"\n'


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("title = 1\nrules = 3", {"title": "AC-CFG-007", "rules": "AC-CFG-008"}),
        ('title = "x"\nrules = []', {"rules": "AC-CFG-014"}),
        ('holes = "ring"', {"title": "AC-CFG-017", "rules": "AC-CFG-017", "holes": "AC-CFG-010"}),
        (RULE.format("taste", "WARN", "y"), {"rules[0].check": "AC-CFG-010"}),
        (RULE.format("empty", "WARN", " "), {"rules[0].source": "AC-CFG-011"}),
        (RULE.format("empty", "LOUD", "y"), {"rules[0].severity": "AC-CFG-010"}),
        (RULE.format("empty", "WARN", "y") + "limit = 16", {"rules[0].limit": "AC-CFG-032"}),
        (RULE.format("name_length", "WARN", "y"), {"rules[0].limit": "AC-CFG-017"}),
        (RULE.format("name_length", "WARN", "y") + "limit = 0", {"rules[0].limit": "AC-CFG-009"}),
        (RULE.format("name_length", "WARN", "y") + "limit = 16.5", {"rules[0].limit": "AC-CFG-005"}),
        (RULE.format("empty", "WARN", "y") + "limits = 3", {"rules[0].limits": "AC-CFG-002"}),
        ("no toml", {"": "AC-CFG-001"}),
    ],
)
def test_an_unsound_profile_is_refused_with_its_name_and_every_setting(tmp_path, text, found):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match="mine") as refused:
        read_profile(str(path))
    assert refused.value.code == "AC-US-041"
    assert {problem.where: problem.code for problem in refused.value.problems} == found


def test_an_unknown_profile_names_the_known_ones():
    with pytest.raises(UsageError, match="eclipse"):
        read_profile("pinnacle")
