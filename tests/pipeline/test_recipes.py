"""Recipes of a template in the headless job."""

import json

import pytest
from pydicom import dcmread
from shapely import MultiPolygon, Point

from autocontour.base.jobs import Job
from autocontour.cli import main
from autocontour.dicom.ct import read_ct
from autocontour.dicom.scan import planning_cts, scan_folder
from autocontour.dicom.series import SeriesDescription, write_ct_series
from autocontour.patient.structures import Structure, StructureSet
from autocontour.phantom import build_phantom
from autocontour.rtstruct import read_structure_set, write_structure_set

TEMPLATE = """
[[structures]]
name = "External"
type = "EXTERNAL"
[[structures]]
name = "Lunge_L"
tg263 = "Lung_L"
[[recipes]]
name = "Ring"
sources = ["PTV"]
margin_mm = 10
minus = [{ name = "PTV" }]
[[recipes]]
name = "PTV"
sources = ["CTV"]
margin_mm = 8
inside = "External"
inside_mm = 3
color = "#010203"
[[recipes]]
name = "Lung_small"
sources = ["lunge_l"]
margin_mm = -5
type = "CONTROL"
[[recipes]]
name = "Nothing"
sources = ["Lunge_L"]
margin_mm = -200
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recipes")
    phantom = build_phantom("thorax", 1, spacing_zyx_mm=(5.0, 2.5, 2.5), shape_zyx=(50, 200, 200))
    write_ct_series(phantom.hu, phantom.geometry, folder / "CT", SeriesDescription("A^B", "1", uid_seed="1"))
    (folder / "ours.toml").write_text(TEMPLATE, encoding="utf-8")
    return folder


def read(folder, path):
    return read_structure_set(path, read_ct(planning_cts(scan_folder(folder / "CT", Job()))[0], Job()))


def run(capsys, *arguments):
    assert main([str(argument) for argument in arguments] + ["--json"]) == 0
    return json.loads(capsys.readouterr().out)[0]


def test_recipes_are_applied_where_their_sources_are_and_reported_where_not(folder, tmp_path, capsys):
    report = run(capsys, "contour", folder / "CT", "-o", tmp_path / "RS.dcm", "--template", folder / "ours.toml")
    written = read(folder, tmp_path / "RS.dcm")
    assert written.names == ("External", "Lunge_L", "Lung_small")
    small, lung = written["Lung_small"], written["Lunge_L"]
    assert (small.interpreted_type, small.description) == ("CONTROL", "derived: lunge_l − 5 mm")
    assert small.contours.keys() < lung.contours.keys()
    z = sorted(small.contours)[len(small.contours) // 2]
    assert small.contours[z].difference(lung.contours[z].buffer(-4.8)).area < 1
    found = {(f["code"], f["where"]) for f in report["findings"] if f["code"].startswith("AC-TG")}
    assert found == {("AC-TG-030", "PTV"), ("AC-TG-030", "Ring"), ("AC-TG-031", "Nothing")}
    roi = dcmread(tmp_path / "RS.dcm").StructureSetROISequence[2]
    assert roi.ROIDescription == "derived: lunge_l − 5 mm"


def test_targets_of_an_extended_set_are_sources_and_chains_are_made_in_order(folder, tmp_path, capsys):
    ct = read_ct(planning_cts(scan_folder(folder / "CT", Job()))[0], Job())
    u, v = ct.geometry.plane_origins_uv_mm[0] + 250
    ctv = Structure("CTV", 1, dict.fromkeys(range(20, 28), MultiPolygon([Point(u, v).buffer(20)])))
    write_structure_set(StructureSet("CTV", (ctv,)), ct, tmp_path / "RS.dcm")
    run(capsys, "contour", folder / "CT", "-o", tmp_path / "RS.dcm", "--template", folder / "ours.toml", "--append")
    written = read(folder, tmp_path / "RS.dcm")
    assert written.names == ("CTV", "External", "Lunge_L", "PTV", "Ring", "Lung_small")
    ptv, ring = written["PTV"], written["Ring"]
    assert (ptv.interpreted_type, ptv.color_rgb) == ("PTV", (1, 2, 3))
    assert (min(ptv.contours), max(ptv.contours)) == (18, 29)  # 8 mm = 2 slices of 5 mm
    assert ptv.contours[24].bounds[2] - u == pytest.approx(28, abs=0.2)
    assert ring.contours[24].intersection(ptv.contours[24]).area < 0.5
    assert written["CTV"].contours.keys() == ctv.contours.keys()


def test_single_structures_are_drawn_without_the_recipes(folder, tmp_path, capsys):
    options = ("--template", folder / "ours.toml", "--structures", "Lung_L")
    report = run(capsys, "contour", folder / "CT", "-o", tmp_path / "RS.dcm", *options)
    assert [structure["name"] for structure in report["structures"]] == ["Lunge_L"]
    assert not [f for f in report["findings"] if f["code"].startswith("AC-TG")]
