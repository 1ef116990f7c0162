"""Structures made by recipes, in a case."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
from shapely import MultiPolygon, Point

from autocontour.base.errors import AutoContourError, CaseError, TargetError
from autocontour.case import Case, CaseKey, Edit, actions
from autocontour.case.export import ExportOptions, check_case
from autocontour.case.recipe_status import edited_numbers, recipe_status, stale_numbers
from autocontour.case.targets import (
    add_made,
    add_target,
    add_waiting,
    change_made,
    make,
    refresh,
)
from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.recipe import Minus, NamedRecipe, Recipe
from autocontour.patient.structures import Structure, StructureSet

KEY = CaseKey("1.2.3", "1.2.4")
GRID = VolumeGeometry.regular((41, 120, 120), (3.0, 1.0, 1.0), (-60.0, -60.0, -60.0))
MM = (5.0,) * 6
PTV = Recipe(("CTV",), MM, inside="External", inside_mm=3)
RING = Recipe(("PTV",), (10.0,) * 6, minus=(Minus("PTV"),))


def ball(r):
    squares = r**2 - GRID.slice_positions_mm**2
    return {int(k): MultiPolygon([Point(0, 0).buffer(np.sqrt(squares[k]))]) for k in np.flatnonzero(squares > 0.01)}


def drawn(name, r, number=1):
    return replace(actions.new_structure(name, ball(r)), number=number)


@pytest.fixture
def case(tmp_path):
    with Case(tmp_path / "case", KEY, 41) as case:
        case.apply(actions.add(case.state, drawn("External", 50), drawn("CTV", 15)))
        case.apply(add_target(case.state, "PTV", PTV, GRID))
        yield case


def number(case, name):
    return case.state.find(name).structure.number


def status(case, name):
    return recipe_status(case.state, number(case, name))


def redraw(case, name, r):
    n = number(case, name)
    case.apply(Edit("Brush", {n: {**dict.fromkeys(case.state[n].structure.contours), **ball(r)}}))


def radius(case, name):
    return max(p.bounds[2] for p in case.state.find(name).structure.contours.values())


def test_a_target_has_name_type_colour_description_and_recipe(case):
    item = case.state.find("PTV")
    assert item.structure.interpreted_type == "PTV"
    assert item.structure.description == "derived: CTV + 5 mm, 3 mm inside External"
    assert item.structure.color_rgb not in {case.state[n].structure.color_rgb for n in (1, 2)}
    assert radius(case, "PTV") == pytest.approx(20, abs=0.3)
    assert not status(case, "PTV").is_stale
    assert case.undo_label == "Add PTV"
    case.undo()
    assert case.state.find("PTV") is None
    case.redo()
    assert not status(case, "PTV").is_stale


def test_it_is_stale_when_its_source_changes_and_current_again_after_undo(case):
    redraw(case, "CTV", 18)
    assert status(case, "PTV").changed == ("CTV",)
    assert stale_numbers(case.state) == (3,)
    case.undo()
    assert not status(case, "PTV").is_stale
    case.redo()
    assert status(case, "PTV").is_stale
    redraw(case, "CTV", 15)  # drawn anew exactly as before
    assert not status(case, "PTV").is_stale


def test_a_refresh_is_one_step_and_counts_as_not_viewed(case):
    case.look(3, 20)
    redraw(case, "CTV", 18)
    done = refresh(case.state, GRID)
    assert not done.failed
    case.apply(done.edit)
    assert radius(case, "PTV") == pytest.approx(23, abs=0.3)
    assert not status(case, "PTV").is_stale
    assert not status(case, "PTV").is_edited
    assert 3 not in case.seen
    assert case.undo_label == "Refresh PTV"
    case.undo()
    assert radius(case, "PTV") == pytest.approx(20, abs=0.3)
    assert status(case, "PTV").is_stale
    assert refresh(case.state, GRID, []).edit is None


def test_a_chain_is_stale_along_its_length_and_refreshed_in_order(case):
    case.apply(add_target(case.state, "", RING, GRID))
    ring = case.state.find("Ring_PTV").structure
    assert ring.interpreted_type == "CONTROL"
    case.apply(Edit("Order", order=(ring.number, 3, 1, 2)))  # the ring stands before what it is made from
    redraw(case, "CTV", 18)
    assert status(case, "Ring_PTV").outdated == ("PTV",)
    assert stale_numbers(case.state) == (3, ring.number)
    done = refresh(case.state, GRID, [ring.number])  # with the stale PTV that it is made from
    case.apply(done.edit)
    assert case.undo_label == "Refresh targets"
    assert radius(case, "PTV") == pytest.approx(23, abs=0.3)
    assert radius(case, "Ring_PTV") == pytest.approx(33, abs=0.4)
    assert stale_numbers(case.state) == ()
    case.undo()
    assert stale_numbers(case.state) == (3, ring.number)


def test_a_hand_edit_of_a_target_makes_what_is_made_from_it_stale(case):
    case.apply(add_target(case.state, "Ring", RING, GRID))
    redraw(case, "PTV", 22)
    assert status(case, "PTV").is_edited
    assert not status(case, "PTV").is_stale
    assert status(case, "Ring").changed == ("PTV",)


def test_a_result_that_was_edited_by_hand_is_not_replaced_unasked(case):
    redraw(case, "PTV", 22)
    redraw(case, "CTV", 18)
    assert edited_numbers(case.state) == (3,)
    done = refresh(case.state, GRID)
    assert done.edit is None
    assert [error.code for error in done.failed.values()] == ["AC-TG-009"]
    case.apply(refresh(case.state, GRID, replace_edited=True).edit)
    assert radius(case, "PTV") == pytest.approx(23, abs=0.3)


def test_revert_restores_the_computed_contours(case):
    redraw(case, "PTV", 22)
    case.apply(actions.revert(case.state, 3))
    assert not status(case, "PTV").is_edited


def test_cycles_are_refused(case):
    for name, recipe in (("CTV", Recipe(("PTV",))), ("PTV", Recipe(("PTV",), MM))):
        n = number(case, name)
        with pytest.raises(TargetError, match="AC-TG-006") as refused:
            make(case.state, name, recipe, GRID, number=n)
        assert refused.value.values["target"] == name
    case.apply(add_target(case.state, "Ring", RING, GRID))
    with pytest.raises(TargetError, match="PTV ← Ring ← PTV"):
        make(case.state, "PTV", Recipe(("CTV",), minus=(Minus("Ring"),)), GRID, number=3)


def test_waiting_recipes_that_need_one_another_are_refused_and_do_not_hang(case):
    case.apply(add_waiting(case.state, [NamedRecipe("A", Recipe(("B",))), NamedRecipe("B", Recipe(("A",)))]))
    done = refresh(case.state, GRID)
    assert done.edit is None
    assert {error.code for error in done.failed.values()} == {"AC-TG-006"}


def test_a_recipe_follows_the_new_name_of_its_source(case):
    case.apply(actions.rename(case.state, 2, "CTV_old"))
    assert case.state[3].recipe.recipe.sources == ("CTV_old",)
    assert case.state[3].structure.description.startswith("derived: CTV_old + 5 mm")
    assert not status(case, "PTV").is_stale
    case.undo()
    assert case.state[3].recipe.recipe.sources == ("CTV",)
    assert case.state[3].structure.description.startswith("derived: CTV + 5 mm")


def test_a_namesake_of_a_renamed_source_is_never_taken(case):
    case.apply(actions.rename(case.state, 2, "CTV_old"))
    case.apply(actions.add(case.state, drawn("CTV", 30)))
    assert not status(case, "PTV").is_stale
    case.apply(refresh(case.state, GRID, [3]).edit)
    assert radius(case, "PTV") == pytest.approx(20, abs=0.3)


def test_names_that_change_places_are_followed(case):
    """CTV → X, GTV → CTV: the recipe stays with the structure it was made from."""
    case.apply(actions.add(case.state, drawn("GTV", 8)))
    case.apply(actions.rename(case.state, 2, "X"))
    case.apply(actions.rename(case.state, number(case, "GTV"), "CTV"))
    assert case.state[3].recipe.recipe.sources == ("X",)
    assert not status(case, "PTV").is_stale


def test_an_approved_result_follows_the_name_but_what_was_approved_does_not_change(case):
    case.apply(actions.approve(case.state, 3, "A. Physicist"))
    case.apply(actions.rename(case.state, 2, "CTV_old"))
    assert case.state[3].recipe.recipe.sources == ("CTV_old",)
    assert case.state[3].structure.description.startswith("derived: CTV + 5 mm")
    assert case.state[3].is_approved


def test_a_deleted_source_is_named_and_a_refresh_refused(case):
    case.apply(actions.remove(case.state, 2))
    found = status(case, "PTV")
    assert (found.missing, found.replaced, found.is_stale, found.is_blocked) == (("CTV",), (), False, True)
    assert refresh(case.state, GRID, [3]).failed[3].code == "AC-TG-001"
    case.undo()
    assert not status(case, "PTV").is_blocked


def test_a_deleted_source_is_not_replaced_by_another_of_its_name(case):
    case.apply(actions.remove(case.state, 2))
    case.apply(actions.add(case.state, drawn("CTV", 30, number=9)))
    assert status(case, "PTV").replaced == ("CTV",)
    assert refresh(case.state, GRID, [3]).failed[3].code == "AC-TG-007"
    made = make(case.state, "PTV", case.state[3].recipe.recipe, GRID, number=3)  # confirmed in the dialog
    case.apply(change_made(case.state, 3, made))
    assert radius(case, "PTV") == pytest.approx(35, abs=0.3)
    assert not status(case, "PTV").is_blocked


def test_a_number_that_another_structure_has_now_is_not_taken_for_the_source(case):
    case.apply(actions.remove(case.state, 2))
    case.apply(actions.add(case.state, drawn("Heart", 30, number=2)))
    assert status(case, "PTV").missing == ("CTV",)


def test_an_empty_source_is_named_and_a_refresh_refused(case):
    case.apply(Edit("Delete", {2: dict.fromkeys(case.state[2].structure.contours)}))
    found = status(case, "PTV")
    assert (found.changed, found.empty) == (("CTV",), ("CTV",))
    assert refresh(case.state, GRID).failed[3].code == "AC-TG-002"
    assert case.state[3].structure.contours


def test_a_locked_source_is_read_and_a_locked_result_is_not_changed(case):
    redraw(case, "CTV", 18)
    case.apply(actions.set_locked(case.state, 2, locked=True))
    case.apply(actions.set_locked(case.state, 3, locked=True))
    assert refresh(case.state, GRID).failed[3].code == "AC-CASE-011"
    case.apply(actions.set_locked(case.state, 3, locked=False))
    case.apply(refresh(case.state, GRID).edit)
    assert radius(case, "PTV") == pytest.approx(23, abs=0.3)


def test_an_approved_result_is_stale_but_not_changed(case):
    case.apply(actions.approve(case.state, 3, "A. Physicist"))
    redraw(case, "CTV", 18)
    assert status(case, "PTV").is_stale
    assert refresh(case.state, GRID).failed[3].code == "AC-CASE-012"


def test_one_that_fails_does_not_stop_the_others(case):
    case.apply(add_target(case.state, "Small", Recipe(("CTV",), (-8.0,) * 6), GRID))
    redraw(case, "CTV", 7)
    done = refresh(case.state, GRID)
    assert {case.state[n].structure.name: e.code for n, e in done.failed.items()} == {"Small": "AC-TG-003"}
    case.apply(done.edit)
    assert radius(case, "PTV") == pytest.approx(12, abs=0.3)
    assert status(case, "Small").is_stale
    with pytest.raises(AutoContourError):
        raise done.failed[number(case, "Small")]


def test_a_recipe_that_waits_is_made_when_its_source_is_drawn(case):
    recipes = [NamedRecipe("PTV2", Recipe(("CTV2",), MM), "PTV", (1, 2, 3)), NamedRecipe("ptv", Recipe(("X",)))]
    case.apply(add_waiting(case.state, recipes))
    assert case.undo_label == "Add PTV2"  # there is a PTV
    assert add_waiting(case.state, recipes) is None
    n = number(case, "PTV2")
    found = status(case, "PTV2")
    assert (found.is_made, found.is_stale, found.missing) == (False, True, ("CTV2",))
    assert refresh(case.state, GRID).failed[n].code == "AC-TG-001"
    case.apply(actions.add(case.state, drawn("ctv2", 10)))
    assert status(case, "PTV2").missing == ()
    case.apply(refresh(case.state, GRID).edit)
    assert radius(case, "PTV2") == pytest.approx(15, abs=0.3)
    assert case.state[n].recipe.recipe.sources == ("ctv2",)
    assert not status(case, "PTV2").is_edited


def test_what_is_auto_contoured_over_a_result_has_no_recipe(case):
    case.apply(actions.receive(case.state, Structure("PTV", 1, ball(9))))
    assert case.state.find("PTV").recipe is None
    assert recipe_status(case.state, 3) is None
    case.undo()
    assert case.state.find("PTV").recipe is not None


def test_what_is_auto_contoured_over_a_result_is_not_called_derived(case):
    case.apply(actions.receive(case.state, Structure("PTV", 1, ball(9))))
    assert case.state[3].structure.description == ""
    case.undo()
    assert case.state[3].structure.description.startswith("derived: CTV")


def test_the_description_of_an_edited_result_states_it_in_the_file(case):
    assert case.to_structure_set("S")["PTV"].description == "derived: CTV + 5 mm, 3 mm inside External"
    redraw(case, "PTV", 22)
    assert case.to_structure_set("S")["PTV"].description == "derived: CTV + 5 mm, 3 mm inside External, edited"
    assert case.state[3].structure.description == "derived: CTV + 5 mm, 3 mm inside External"
    case.apply(actions.import_structures(case, StructureSet("S", (case.to_structure_set("S")["PTV"],))))
    redraw(case, "PTV_2", 23)
    assert case.to_structure_set("S")["PTV_2"].description.count("edited") == 1


def test_a_name_fixed_for_export_is_followed(case):
    case.apply(Edit("Fix for export", fields={2: {"name": "CTV_short"}}))
    assert case.state[3].recipe.recipe.sources == ("CTV_short",)


def test_a_structure_without_a_recipe_cannot_be_refreshed(case):
    assert refresh(case.state, GRID, [1]).failed[1].code == "AC-TG-008"


def test_export_warns_of_stale_results_and_names_both(case):
    case.apply(add_target(case.state, "Ring", RING, GRID))

    def found():
        problems = check_case(case, ExportOptions())
        return [(p.finding.code, p.finding.message) for p in problems if p.finding.code.startswith("AC-EX-01")]

    assert found() == []
    redraw(case, "CTV", 18)
    assert found() == [
        ("AC-EX-011", "PTV is out of date: CTV changed after it was made."),
        ("AC-EX-011", "Ring is out of date: PTV changed after it was made."),
    ]
    case.undo()
    case.apply(actions.remove(case.state, 2))
    (problem,) = found()
    assert problem[0] == "AC-EX-012"
    assert "made from CTV" in problem[1]


def test_recipes_are_in_the_journal_and_the_snapshot(case, tmp_path):
    redraw(case, "CTV", 18)
    before = case.state[3].recipe
    folder = shutil.copytree(case.folder, tmp_path / "killed")  # what a kill leaves: the journal alone
    with Case(folder, KEY, 41) as again:  # from the journal
        assert again.state[3].recipe == before
        assert recipe_status(again.state, 3).changed == ("CTV",)
        again.undo()
        assert not recipe_status(again.state, 3).is_stale
    with Case(folder, KEY, 41) as again:  # from the snapshot
        assert again.state[3].recipe == before
        assert not recipe_status(again.state, 3).is_stale
        again.undo()
        assert 3 not in again.state
        again.redo()
        assert again.state[3].recipe == before


def test_a_case_of_a_version_without_recipes_is_read(case):
    from autocontour.case.records import decode_item, encode_item

    record = encode_item(case.state[3])
    del record["review"]["recipe"]
    assert decode_item(record).recipe is None


def test_a_copy_has_no_recipe_of_its_own(case):
    case.apply(actions.duplicate(case.state, 3))
    assert case.state.find("PTV_2").recipe is None


def test_an_import_of_the_file_has_no_recipe(case):
    case.apply(actions.import_structures(case, StructureSet("S", (case.state[3].structure,))))
    assert case.state.find("PTV_2").recipe is None


def test_a_made_target_is_added_with_a_free_name_and_number(case):
    made = make(case.state, "PTV", PTV, GRID)
    case.apply(actions.add(case.state, drawn("Heart", 5)))  # meanwhile
    case.apply(add_made(case.state, made))
    assert case.state.find("PTV_2").recipe == made.recipe


def test_the_change_of_a_recipe_is_one_step_and_refused_where_it_is_locked(case):
    made = make(case.state, "PTV_7", replace(PTV, margins_mm=(7.0,) * 6), GRID, number=3, color_rgb=(1, 2, 3))
    case.apply(change_made(case.state, 3, made))
    item = case.state[3]
    assert (item.structure.name, item.structure.color_rgb) == ("PTV_7", (1, 2, 3))
    assert item.structure.description == "derived: CTV + 7 mm, 3 mm inside External"
    case.undo()
    assert case.state[3].structure.name == "PTV"
    case.apply(actions.set_locked(case.state, 3, locked=True))
    with pytest.raises(CaseError):
        case.apply(change_made(case.state, 3, made))
