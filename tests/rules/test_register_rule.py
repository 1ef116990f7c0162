"""A rule from outside the package is drawn as the program's own are."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from autocontour.base.jobs import Job
from autocontour.patient.volume import CTVolume
from autocontour.pipeline.contour import contour_ct
from autocontour.pipeline.plan import build_plan, list_drawable
from autocontour.rules import NAMES, RULES, draw_structures, forget_rule, register_rule


@pytest.fixture
def crosshair():
    spec = importlib.util.spec_from_file_location("crosshair", Path(__file__).with_name("crosshair.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    register_rule(module.RULE)
    yield module.RULE
    forget_rule(module.RULE)


@pytest.mark.usefixtures("crosshair")
def test_a_rule_from_outside_draws_through_the_pipeline(thorax):
    assert "Crosshair" in {one.name for one in list_drawable([])}
    (structure,) = contour_ct(thorax.ct(), build_plan(names=["Crosshair"])).structure_set.structures
    assert structure.name == "Crosshair"
    assert structure.contours[30].area == 400
    assert "AC-TOY-1" in {finding.code for finding in structure.findings}


@pytest.mark.usefixtures("crosshair")
def test_its_options_and_its_reasons_reach_it(thorax):
    large = draw_structures(thorax.ct(), ["Crosshair"], Job(), large=True)["Crosshair"]
    assert large.contours[30].area == 1600
    with pytest.raises(TypeError, match="tiny"):
        draw_structures(thorax.ct(), ["Crosshair"], Job(), tiny=True)
    empty = CTVolume(np.full_like(thorax.hu, -1000), thorax.ct().geometry)
    found = contour_ct(empty, build_plan(names=["Crosshair"])).structure_set
    assert not found.structures
    assert [finding.code for finding in found.findings] == ["AC-TOY-2"]


def test_a_name_belongs_to_one_rule_and_a_rule_can_go(crosshair):
    with pytest.raises(ValueError, match="Crosshair"):
        register_rule(crosshair)
    assert tuple(RULES) == (*NAMES, "Crosshair")
    forget_rule(crosshair)
    assert tuple(RULES) == NAMES
