"""One rule of pairing structures by name."""

import unicodedata

import pytest

from autocontour.patient.matching import find_partner, match_structures
from autocontour.patient.structures import Structure, StructureSet

HANGUL = "귀밑샘_좌"  # composed


def named(*names, tg263=""):
    return StructureSet("S", tuple(Structure(name, n, {}, tg263_name=tg263) for n, name in enumerate(names, 1)))


def pairs(a, b):
    return [(one.name, other.name) for one, other in match_structures(a, b)]


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (("Heart",), ("hEaRt ",), [("Heart", "hEaRt ")]),
        (("Heart", "HEART"), ("HEART",), [("HEART", "HEART")]),
        (("Heart",), ("HEART", "heart"), []),
        (("Lung_L", "lung left"), ("lung left",), [("lung left", "lung left")]),
        (("Lung_L",), ("Lt. Lung",), [("Lung_L", "Lt. Lung")]),
        (("Lung_L",), ("lung left", "Lt. Lung"), []),
        (("Heart",), ("Heart_PRV05",), []),
        (("CTV", "ctv"), ("Ctv",), []),
        ((HANGUL,), (unicodedata.normalize("NFD", HANGUL),), [(HANGUL, unicodedata.normalize("NFD", HANGUL))]),
    ],
)
def test_pairs_by_name_then_whatever_its_case_then_by_tg263_name(a, b, expected):
    assert pairs(named(*a), named(*b)) == expected
    assert pairs(named(*b), named(*a)) == [(y, x) for x, y in expected]


def test_a_structure_has_one_partner_at_most():
    own, other = named("Heart", "cor", tg263="Heart"), named("Heart", tg263="Heart")
    assert find_partner(own.structures[0], own, other) is other.structures[0]
    assert find_partner(own.structures[1], own, other) is None
