"""What rules do to a probability, and what is doubted about a structure."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from autocontour.models.inference.plausibility import Measure, check_measures, compute_statistics, matches_site
from autocontour.models.inference.postprocess import apply_rules
from autocontour.models.inference.sampling import Frame, Grid
from autocontour.models.package.description import StructureRules
from autocontour.patient.geometry import VolumeGeometry

FRAME = Frame.of(VolumeGeometry.regular((20, 30, 40), (1.0, 1.0, 1.0)))
GRID = Grid.over(FRAME, (1.0, 1.0, 1.0))


@pytest.fixture
def blocks():
    """A large block on the right (low x), a small one on the left, a hole in the large one."""
    probability = np.full((20, 30, 40), 0.1, np.float32)
    probability[5:15, 5:15, 5:15] = 0.9
    probability[8:12, 8:12, 28:32] = 0.8
    probability[9, 9, 9] = 0.2
    return probability


def test_largest_piece_and_hole(blocks):
    cleaned, wrong = apply_rules(blocks, 0.5, StructureRules(), GRID, 20.0)
    assert not wrong
    assert cleaned[9, 9, 9] == 1
    assert not cleaned[8:12, 8:12, 26:34].any()
    assert (cleaned >= 0.5).sum() == 1000
    assert cleaned[5, 5, 4] == np.float32(0.1)  # the skirt shapes the contour


def test_holes_can_stay(blocks):
    cleaned, _ = apply_rules(blocks, 0.5, StructureRules(fill_holes=False), GRID, 20.0)
    assert cleaned[9, 9, 9] == np.float32(0.2)


def test_pieces_by_number_and_volume(blocks):
    both, _ = apply_rules(blocks, 0.5, StructureRules(components=0), GRID, 20.0)
    assert (both >= 0.5).sum() == 1000 + 64
    two, _ = apply_rules(blocks, 0.5, StructureRules(components=2), GRID, 20.0)
    assert np.array_equal(both, two)
    large, _ = apply_rules(blocks, 0.5, StructureRules(components=0, minimum_cc=0.5), GRID, 20.0)
    assert (large >= 0.5).sum() == 1000
    none, _ = apply_rules(blocks, 0.5, StructureRules(minimum_cc=5), GRID, 20.0)
    assert not none.any()


def test_side_beats_size(blocks):
    left, wrong = apply_rules(blocks, 0.5, StructureRules(side="left"), GRID, 20.0)
    assert not wrong
    assert (left >= 0.5).sum() == 64
    right, _ = apply_rules(blocks, 0.5, StructureRules(side="right"), GRID, 20.0)
    assert (right >= 0.5).sum() == 1000


def test_all_on_the_wrong_side_is_kept_and_said(blocks):
    left, wrong = apply_rules(blocks, 0.5, StructureRules(side="left"), GRID, 39.0)
    assert wrong
    assert (left >= 0.5).sum() == 1000


def test_empty():
    cleaned, wrong = apply_rules(np.zeros((20, 30, 40), np.float32), 0.5, StructureRules(side="left"), GRID, 20.0)
    assert not wrong
    assert not cleaned.any()


@pytest.fixture
def drawn():
    return {
        "Parotid_L": Measure(17.0, (10, 0, 50), 0.9),
        "Parotid_R": Measure(17.0, (10, 0, -50), 0.9),
        "Bone_Mandible": Measure(24.0, (10, -50, 0), 0.9),
    }


@pytest.fixture
def learnt(toy_package, drawn):
    """The toy package with statistics of twenty scans like `drawn`."""
    rng = np.random.default_rng(2)
    cases = [
        {
            name: replace(one, volume_cc=one.volume_cc * rng.uniform(0.8, 1.2), centre_zyx_mm=tuple(place))
            for name, one in drawn.items()
            for place in [np.add(one.centre_zyx_mm, rng.normal(0, 3, 3))]
        }
        for _ in range(20)
    ]
    statistics = compute_statistics(cases)
    structures = {n: replace(s, statistics=statistics[n]) for n, s in toy_package.structures.items()}
    return replace(toy_package, structures=structures)


def codes(package, drawn):
    return {name: [f.code for f in found] for name, found in check_measures(package, drawn).items() if found}


def test_statistics_span_what_was_seen(learnt):
    low, high = learnt.structures["Parotid_L"].statistics["volume_cc"]
    assert 13.5 < low < 17 < high < 20.5
    low, high = learnt.structures["Parotid_L"].statistics["offset_zyx_mm"]["Parotid_R"]
    assert low[2] < 100 < high[2]
    assert -15 < low[0] < 0 < high[0] < 15


def test_few_cases_teach_nothing(drawn):
    assert "volume_cc" not in compute_statistics([drawn] * 9)["Parotid_L"]
    assert compute_statistics([drawn] * 9)["Parotid_L"]["offset_zyx_mm"] == {}


def test_sound_structures_raise_nothing(learnt, drawn):
    assert codes(learnt, drawn) == {}
    assert matches_site(learnt, drawn)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"volume_cc": 60.0}, "AC-MD-104"),
        ({"volume_cc": 2.0}, "AC-MD-104"),
        ({"centre_zyx_mm": (10, 80, 50)}, "AC-MD-105"),
        ({"confidence": 0.55}, "AC-MD-107"),
        ({"at_end": True}, "AC-MD-102"),
    ],
)
def test_each_doubt(learnt, drawn, change, code):
    spoilt = {**drawn, "Parotid_L": replace(drawn["Parotid_L"], **change)}
    assert codes(learnt, spoilt)["Parotid_L"] == [code]


def test_one_misplaced_structure_does_not_accuse_the_others(learnt, drawn):
    cord = replace(drawn["Parotid_L"], centre_zyx_mm=(10, 0, 52))
    everything = {
        **drawn,
        "Parotid_L": cord,
        "Bone_Mandible": replace(drawn["Bone_Mandible"], centre_zyx_mm=(99, 9, 9)),
    }
    assert "AC-MD-105" in codes(learnt, everything)["Bone_Mandible"]


def test_swapped_sides(learnt, drawn):
    swapped = {**drawn, "Parotid_L": drawn["Parotid_R"], "Parotid_R": drawn["Parotid_L"]}
    found = codes(learnt, swapped)
    assert "AC-MD-106" in found["Parotid_L"]
    assert "AC-MD-106" in found["Parotid_R"]


def test_a_part_at_the_scans_end_is_not_too_small(learnt, drawn):
    part = replace(drawn["Parotid_L"], volume_cc=2.0, at_end=True)
    assert codes(learnt, {**drawn, "Parotid_L": part})["Parotid_L"] == ["AC-MD-102"]


def test_site_needs_likely_anchors(learnt, drawn):
    assert not matches_site(learnt, {})
    assert not matches_site(learnt, {"Parotid_L": drawn["Parotid_L"]})
    scraps = {name: replace(one, volume_cc=1.0) for name, one in drawn.items()}
    assert not matches_site(learnt, scraps)
    scattered = {n: replace(one, centre_zyx_mm=(k * 300, 0, 0)) for k, (n, one) in enumerate(drawn.items())}
    assert not matches_site(learnt, scattered)
