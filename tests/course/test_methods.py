"""Choosing the contours of a later CT: by the table, targets by recipes, the patient's own package."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest
import shapely

from autocontour.base.errors import Cancelled, CTError
from autocontour.base.findings import Finding
from autocontour.base.jobs import Job
from autocontour.cli.adapt import _approved
from autocontour.course import methods
from autocontour.course.choice import GENERAL, PATIENT, PROPAGATED, Doubtful, read_table
from autocontour.course.methods import Drawn, choose_contours, draw_by_networks, is_target, trust_findings
from autocontour.models.package.patient import PatientBinding
from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.identity import PatientFacts
from autocontour.patient.provenance import Provenance
from autocontour.patient.recipe import NamedRecipe, Recipe
from autocontour.patient.structures import ReviewStatus, Structure, StructureSet
from autocontour.patient.volume import CTVolume
from autocontour.registration.propagate import Trust
from autocontour.registration.values import with_values_of
from autocontour.rtstruct import read_structure_set
from autocontour.site.template import Template

GRID = VolumeGeometry.regular((12, 60, 60), (3.0, 2.0, 2.0))
CT = CTVolume(np.zeros((12, 60, 60), np.int16), GRID)
GOOD = Trust(1.0, 2.0, 0.5, 0.9, 1.1, 0.02, 1.0, 20.0, 0.0, False)


def box(name, number, at, size, kind="ORGAN", findings=()):
    shape = shapely.MultiPolygon([shapely.box(at, at, at + size, at + size)])
    contours = dict.fromkeys(range(3, 9), shape)
    origin = Provenance("x", "1")
    return Structure(
        name, number, contours, tg263_name=name, interpreted_type=kind, provenance=origin, findings=findings
    )


def warned(structure):
    return replace(structure, findings=(Finding.of("AC-CO-042", structure.name, structure=structure.name, reason="x"),))


HEART, CTV = box("Heart", 1, 20, 30), box("CTV_50", 2, 60, 20, "CTV")
PTV, GONE = box("PTV_50", 3, 55, 30, "PTV"), box("Esophagus", 4, 5, 4)
PLANNING = StructureSet("PLAN", (HEART, CTV, PTV, GONE))


def choose(drawn, template=None):
    return choose_contours(PLANNING, CT, drawn, read_table(), template, [], Job())


def codes(structure):
    return [finding.code for finding in structure.findings]


def test_the_method_without_a_warning_is_taken_and_a_difference_is_reported():
    other = box("Heart", 1, 60, 30)
    drawn = {
        GENERAL: {"Heart": Drawn(other)},
        PROPAGATED: {"Heart": Drawn(warned(HEART), GOOD), "CTV_50": Drawn(warned(CTV), GOOD)},
    }
    chosen = choose(drawn)
    assert chosen.methods == {"Heart": GENERAL, "CTV_50": PROPAGATED}
    assert "AC-CO-047" in codes(chosen.structure_set["Heart"])
    assert chosen.dsc["Heart"] == {"general~propagated": 0.0}
    missing = [finding.where for finding in chosen.structure_set.findings if finding.code == "AC-CO-046"]
    assert missing == ["PTV_50", "Esophagus"]
    assert chosen.others.names == ("Heart^net", "Heart^prop", "CTV_50^prop")


def test_where_every_method_is_doubtful_it_is_said():
    drawn = {GENERAL: {"Heart": Drawn(warned(HEART))}, PROPAGATED: {"Heart": Drawn(warned(HEART), GOOD)}}
    chosen = choose(drawn)
    assert chosen.methods["Heart"] == PROPAGATED
    assert "AC-CO-048" in codes(chosen.structure_set["Heart"])


def test_a_ptv_is_made_by_its_recipe_from_the_propagated_ctv():
    recipes = (
        NamedRecipe("PTV_50", Recipe(("CTV_50",), (6.0,) * 6), "", None),
        NamedRecipe("PTV_Boost", Recipe(("GTV",), (5.0,) * 6), "", None),
        NamedRecipe("Ring", Recipe(("CTV_50",), (8.0,) * 6), "CONTROL", None),
    )
    template = Template("clinic", "Clinic", "0" * 64, (), recipes)
    drawn = {PROPAGATED: {"CTV_50": Drawn(CTV, GOOD), "PTV_50": Drawn(PTV, GOOD)}}
    chosen = choose(drawn, template).structure_set
    assert chosen["PTV_50"].contours[5].area == pytest.approx(32 * 32, rel=0.05)
    assert "AC-CO-044" in codes(chosen["PTV_50"])
    assert chosen["PTV_50"].number == PTV.number
    assert chosen["PTV_50"].description.startswith("derived: ")
    assert chosen["Ring"].number > max(one.number for one in PLANNING.structures)
    assert "PTV_Boost" not in chosen.names


def test_a_ptv_whose_recipe_cannot_be_made_is_propagated_with_a_warning():
    template = Template("c", "C", "0" * 64, (), (NamedRecipe("PTV_50", Recipe(("CTV_50",), (5.0,) * 6), "", None),))
    chosen = choose({PROPAGATED: {"PTV_50": Drawn(PTV, GOOD)}}, template).structure_set
    assert "AC-CO-045" in codes(chosen["PTV_50"])
    assert chosen["PTV_50"].contours == PTV.contours


def test_reasons_for_doubt():
    limits = Doubtful()
    assert not list(limits.reasons(GOOD))
    for change in (
        {"inconsistency_mm": 9.0},
        {"residual_mm": 12.0},
        {"lowest_jacobian": 0.1},
        {"highest_jacobian": 4.0},
        {"volume_ratio": 0.4},
    ):
        assert list(limits.reasons(replace(GOOD, **change)))
    cut = replace(GOOD, volume_ratio=0.4, cut_later=0.5, cut_earlier=True)
    found = [finding.code for finding in trust_findings(CTV, cut, read_table())]
    assert found == ["AC-CO-043", "AC-CO-040", "AC-CO-041"]
    assert is_target(CTV)
    assert is_target(box("gtv n", 1, 5, 5))
    assert not is_target(HEART)


class Package:
    def __init__(self, name, patient=None):
        self.name, self.patient, self.structures = name, patient, ("Heart",)
        self.drawn_names, self.version, self.checksum = ("Heart", "CTV_50"), "1", ""


FACTS = PatientFacts(patient_id="P1")


@pytest.fixture
def packages(monkeypatch):
    today = date.today()
    mine = PatientBinding.of(FACTS, 30, today)
    other = PatientBinding.of(PatientFacts(patient_id="P2"), 30, today)
    old = PatientBinding.of(FACTS, 5, today - timedelta(days=30))
    found = [Package("general"), Package("mine", mine), Package("other", other), Package("old", old)]
    monkeypatch.setattr(methods, "available_packages", lambda: found)
    monkeypatch.setattr(methods.PatientFacts, "of", lambda _ct: FACTS)
    monkeypatch.setattr(methods, "build_plan", lambda _template, names, only=None: FakePlan(tuple(names), only))
    monkeypatch.setattr(methods, "replace", fake_replace)
    return found


class FakePlan:
    def __init__(self, names, only, packages=()):
        self.names, self.only, self.packages = names, only, packages


def fake_replace(one, **changes):
    return FakePlan(one.names, one.only, **changes) if isinstance(one, FakePlan) else replace(one, **changes)


def test_the_patients_own_package_is_a_method_and_others_patients_are_never_used(packages, monkeypatch):
    plans = []

    def contour(_ct, plan, **_):
        plans.append(plan)
        return type("Contoured", (), {"structure_set": StructureSet("", (HEART, CTV))})

    monkeypatch.setattr(methods, "contour_ct", contour)
    findings = []
    drawn = dict(draw_by_networks(PLANNING, CT, "cpu", Job(), findings))
    assert set(drawn) == {GENERAL, PATIENT}
    # Targets are never taken from a network that learnt them from other patients.
    assert set(drawn[GENERAL]) == {"Heart"}
    assert [one.name for one in plans[0].packages] == ["general"]
    assert plans[1].only.name == "mine"
    assert [finding.code for finding in findings] == ["AC-CO-049"]


@pytest.mark.parametrize("made_from_this_ct", [True, False])
def test_of_two_courses_packages_that_of_the_planning_ct_is_used(made_from_this_ct, packages, monkeypatch):
    """The package of an earlier course could otherwise come first by its name, which is random."""
    today, series = date.today(), "1.2.3"
    first = PatientBinding.of(FACTS, 400, today - timedelta(days=90), "1.2.9")
    second = PatientBinding.of(FACTS, 30, today - timedelta(days=2), series if made_from_this_ct else "1.2.8")
    again = PatientBinding.of(FACTS, 30, today, "1.2.7")
    found = [("general", None), ("first", first), ("second", second)]
    found += [("again", again)] if made_from_this_ct else []
    packages[:] = [Package(*one) for one in found]
    plans = []

    def contour(_ct, plan, **_):
        plans.append(plan)
        return type("Contoured", (), {"structure_set": StructureSet("", (HEART,))})

    monkeypatch.setattr(methods, "contour_ct", contour)
    findings = []
    dict(draw_by_networks(replace(PLANNING, series_instance_uid=series), CT, "cpu", Job(), findings))
    assert plans[1].only.name == "second"
    assert [finding.code for finding in findings] == ([] if made_from_this_ct else ["AC-CO-052"])


def test_a_network_that_fails_is_reported_and_cancelling_stops(packages, monkeypatch):
    def fail(*_, **__):
        raise CTError("AC-CT-101")

    monkeypatch.setattr(methods, "contour_ct", fail)
    findings = []
    drawn = dict(draw_by_networks(PLANNING, CT, "cpu", Job(), findings))
    assert drawn == {GENERAL: {}, PATIENT: {}}
    assert [finding.code for finding in findings].count("AC-CO-049") == 3

    def stop(*_, **__):
        raise Cancelled

    monkeypatch.setattr(methods, "contour_ct", stop)
    with pytest.raises(Cancelled):
        dict(draw_by_networks(PLANNING, CT, "cpu", Job(), findings))
    nothing = StructureSet("", (CTV,))
    assert dict(draw_by_networks(nothing, CT, "cpu", Job(), findings))[GENERAL] == {}


def test_adapt_takes_the_approval_of_the_file(patient_folder, phantom):
    from autocontour.dicom import planning_cts, read_ct, scan_folder

    (series,) = planning_cts(scan_folder(patient_folder / "plan", Job()))
    drawn = read_structure_set(patient_folder / "RS_plan.dcm", read_ct(series, Job()))
    assert all(one.status is not ReviewStatus.APPROVED for one in drawn.structures)
    approved = _approved(drawn, patient_folder / "RS_plan.dcm")
    assert all(one.status is ReviewStatus.APPROVED for one in approved.structures)


def test_values_of_one_scale_are_left_as_they_are():
    from autocontour.registration.grid import Grid, Scan
    from autocontour.registration.rigid import Rigid

    grid = Grid((6, 6, 6), np.zeros(3), 4.0)
    everywhere = np.ones((6, 6, 6), bool)
    hu = np.linspace(-100, 100, 216, dtype=np.float32).reshape(6, 6, 6)
    one = Scan(grid, hu, everywhere, everywhere)
    assert with_values_of(one, one, Rigid.identity()) is one
    other = Scan(grid, hu + 200, everywhere, everywhere)  # too few points for a mapping
    assert with_values_of(one, other, Rigid.identity()) is other
