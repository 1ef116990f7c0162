"""Published networks on a made-up patient, with an oracle in the network's place that knows organs by HU and side."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autocontour.base.errors import ModelError
from autocontour.base.jobs import Job
from autocontour.cli import main
from autocontour.contouring import contours_from_mask, mask_from_contours
from autocontour.models import segment_structures
from autocontour.models.inference.body import find_parts
from autocontour.models.inference.localizer import find_patient
from autocontour.models.inference.published import coarse, segment
from autocontour.models.inference.published import cropped as cropping
from autocontour.models.inference.published.oriented import orient
from autocontour.models.inference.published.prepare import prepare
from autocontour.models.inference.published.profiles import Comparison, measure_profiles, record
from autocontour.models.inference.published.resample import resample, resampled_shape, separate_axis
from autocontour.models.inference.published.segment import draw_published, exact_labels
from autocontour.models.inference.published.sides import check_sides, compare_places, compare_sides
from autocontour.models.inference.published.tiles import importance, starts_over, window_box, window_starts
from autocontour.models.inference.sampling import Frame
from autocontour.models.package.history import install_package
from autocontour.models.package.importers import checkpoint as reading
from autocontour.models.package.importers import nnunet
from autocontour.models.package.importers.nnunet import import_nnunet
from autocontour.models.package.importers.writing import write_imported
from autocontour.models.package.package import read_package, rewrite_metadata
from autocontour.models.package.patient import PatientBinding
from autocontour.models.package.procedure import Crop, Resampling, SidesCheck
from autocontour.patient.geometry import Box, VolumeGeometry
from autocontour.patient.identity import PatientFacts
from autocontour.patient.volume import CTVolume
from tests.models import tiny_nnunet as tiny

torch = pytest.importorskip("torch")

MM = 5.0
ORGANS_MM = {"Liver": (0.0, -20.0, -60.0), "Kidney_L": (-20.0, 25.0, 45.0), "Kidney_R": (-20.0, 25.0, -45.0)}
HU = {"Liver": 120, "Kidney_L": 300, "Kidney_R": 300}
RADIUS_MM = {"Liver": 30.0, "Kidney_L": 22.0, "Kidney_R": 22.0}


def paint_trunk(direction=(1, 1, 1), spacing=(MM, MM, MM), shape=(20, 40, 48), matrix=None):
    """Scan the made-up trunk, its axes in any direction."""
    matrix = np.diag(np.asarray(direction, dtype=float)) if matrix is None else np.asarray(matrix, dtype=float)
    half = np.subtract(shape, 1)[::-1] * np.asarray(spacing)[::-1] / 2
    geometry = VolumeGeometry.regular(shape, spacing, -matrix @ half, matrix)
    index = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1)[..., ::-1] * np.asarray(spacing)[::-1]
    x, y, z = np.moveaxis(index @ matrix.T - matrix @ half, -1, 0)
    hu = np.full(shape, -1000, np.int16)
    hu[(x / 105) ** 2 + (y / 85) ** 2 < 1] = 20
    for name, (cz, cy, cx) in ORGANS_MM.items():
        hu[(z - cz) ** 2 + (y - cy) ** 2 + (x - cx) ** 2 < RADIUS_MM[name] ** 2] = HU[name]
    return CTVolume(hu, geometry)


class Oracle(torch.nn.Module):
    """Knows an organ by its HU, and left from right as a network does: by the index in its window."""

    def __init__(self, axis=2):
        super().__init__()
        self.axis = axis + 2

    def forward(self, image):
        hu = image * tiny.PROPERTIES["std"] + tiny.PROPERTIES["mean"]
        count = image.shape[self.axis]
        shape = [1] * 5
        shape[self.axis] = count
        left = (torch.arange(count) >= count / 2).view(shape)
        kidney = (hu - 210) / 10
        liver = torch.minimum(hu - 70, 210 - hu) / 10
        none = torch.full_like(hu, -20)
        background = torch.zeros_like(hu)
        return torch.cat([background, liver, torch.where(left, kidney, none), torch.where(left, none, kidney)], 1)


class Runner:
    device = "CPU oracle"

    def __init__(self, network):
        self.network, self.windows = network, 0

    def __call__(self, windows):
        for window in windows:
            self.windows += 1
            yield self.network(torch.from_numpy(window[None]))[0].numpy()


@pytest.fixture
def oracle(monkeypatch):
    def install(axis=2):
        network = Oracle(axis)
        runner = Runner(network)
        monkeypatch.setattr(segment, "load_fold", lambda *_: network)
        monkeypatch.setattr(segment, "open_logits", lambda *_: runner)
        return runner

    return install


@pytest.fixture
def build(tmp_path, monkeypatch):
    """Return a function that makes a package of a tiny model."""

    def read(path):
        folder = tmp_path / "read"
        folder.mkdir(exist_ok=True)
        facts = reading._convert(path, folder)
        return reading.Checkpoint(reading.parse_weights(path.name, (folder / reading.WEIGHTS_FILE).read_bytes()), facts)

    monkeypatch.setattr(nnunet, "read_checkpoint", read)

    def make(
        name="tiny", orientation="LPS", spacing=(MM, MM, MM), patch=(12, 40, 48), mirror=None, labels=None, **changes
    ):
        configuration = tiny.configuration(spacing=list(spacing), patch_size=list(patch))
        stated = tiny.plans(configurations={"3d_fullres": configuration}, **changes)
        described = tiny.dataset(labels) if labels else None
        axes = {"inference_allowed_mirroring_axes": mirror}
        folder = tiny.write(tmp_path / name / "model", stated=stated, described=described, **axes)
        imported = import_nnunet(folder, orientation=orientation)
        package, _ = write_imported(imported, tmp_path / name / "package", name=name)
        return package

    return make


def truth(ct, name):
    geometry, mask = ct.geometry, ct.hu == HU[name]
    if name == "Liver":
        return mask
    u = np.arange(geometry.columns) * geometry.pixel_spacing_vu_mm[1]
    x = geometry.slice_origins_lps_mm[0, 0] + u * geometry.direction[0, 0]
    return mask & (np.sign(x) == np.sign(ORGANS_MM[name][2]))


@pytest.mark.parametrize("direction", [(1, 1, 1), (-1, 1, -1), (-1, -1, 1), (1, -1, -1)])
def test_every_patient_position_keeps_its_sides(build, oracle, direction):
    oracle()
    ct, package = paint_trunk(direction), build()
    drawn = draw_published(ct, package, list(package.structures), Job(), "cpu", "exact")
    assert sorted(drawn.drawings) == sorted(ORGANS_MM)
    for name, one in drawn.drawings.items():
        assert np.array_equal(mask_from_contours(one.contours, ct.geometry), truth(ct, name)), name
    assert drawn.device == "CPU torch, exact"


def turned(degrees, axis):
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.insert(np.insert([[c, -s], [s, c]], axis, 0, axis=0), axis, np.eye(3)[axis], axis=1)


LYING_ON_A_SIDE = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])


@pytest.mark.parametrize("orientation", ["LPS", "RAS"])
@pytest.mark.parametrize(
    "how",
    [
        {"matrix": turned(8, 0)},
        {"matrix": turned(8, 2)},
        {"matrix": turned(8, 0) @ np.diag([-1.0, 1.0, -1.0])},
        {"matrix": LYING_ON_A_SIDE, "shape": (20, 48, 40)},
        {"spacing": (10.0, MM, MM), "shape": (10, 40, 48)},
        {"shape": (20, 64, 80)},
        {"shape": (14, 30, 36)},
    ],
    ids=["oblique", "turned", "oblique, feet first", "on a side", "thick slices", "large field", "cut body"],
)
def test_every_kind_of_ct_keeps_its_organs(build, oracle, how, orientation):
    """Each organ is drawn where it is in the patient, by both profiles."""
    oracle()
    ct = paint_trunk(**how)
    package = build(orientation=orientation, patch=(8, 64, 80))
    if orientation == "RAS":  # the oracle's left is the higher index
        package = replace(package, procedure=replace(package.procedure, values=SWAPPED))
    # In resampled slices the rims of the kidneys have the liver's HU.
    names = [name for name in ORGANS_MM if name != "Liver" or "spacing" not in how]
    for profile in ("exact", "fast"):
        measures = draw_published(ct, package, names, Job(), "cpu", profile).measures
        for name in names:
            assert np.allclose(measures[name].centre_zyx_mm, ORGANS_MM[name], atol=9), (profile, name)


SWAPPED = {"Liver": (1,), "Kidney_L": (3,), "Kidney_R": (2,)}


def test_transposed_axes(build, oracle):
    oracle(axis=0)
    ct = paint_trunk()
    package = build(transpose_forward=[2, 0, 1], transpose_backward=[1, 2, 0], patch=(48, 12, 40))
    labels, _, _ = exact_labels(ct, package, Job(), "cpu")
    for value, name in ((1, "Liver"), (2, "Kidney_L"), (3, "Kidney_R")):
        assert np.array_equal(labels == value, truth(ct, name)), name


def test_mirrored_orientation_is_refused(build, oracle):
    """The network learnt LPS and is imported as RAS: it draws both kidneys well, by the wrong names."""
    oracle()
    with pytest.raises(ModelError, match="AC-MD-081") as caught:
        check_sides(paint_trunk(), build(orientation="RAS"), Job(), "cpu")
    assert "Kidney_L left of Kidney_R" in str(caught.value)


def test_right_orientation_passes_and_is_recorded(build, oracle, monkeypatch):
    oracle()
    ct, package = paint_trunk(), build()
    with pytest.raises(ModelError, match="AC-MD-080"):
        segment_structures(ct, package, device="cpu")
    sides = check_sides(ct, package, Job(), "cpu")
    assert "Kidney_L left of Kidney_R" in sides.structures
    assert "Liver on the right" in sides.structures
    checked = record(package, sides)
    found = segment_structures(ct, checked, list(ORGANS_MM), device="cpu")
    assert sorted(found.drawings) == sorted(ORGANS_MM)
    assert 0.5 < found.confidence["Liver"] <= 1
    install_package(checked.path)


@pytest.mark.parametrize("key", ["orientation", "values", "profile"])
def test_package_changed_by_hand_after_its_test_is_not_tested(build, oracle, key):
    """With its checksums made anew nothing but the record of the test shows it: another orientation, other labels."""
    oracle()
    ct, package = paint_trunk(), build()
    checked = record(package, check_sides(ct, package, Job(), "cpu"))
    new = {"orientation": "RAS", "values": {"Liver": [1], "Kidney_L": [3], "Kidney_R": [2]}, "profile": "fast"}
    metadata = checked.metadata | {"procedure": checked.metadata["procedure"] | {key: new[key]}}
    changed = rewrite_metadata(checked, metadata)
    if key == "profile":  # whichever was tested, the sides are the same
        assert changed.sides is not None
        return
    assert changed.sides is None
    with pytest.raises(ModelError, match="AC-MD-080"):
        segment_structures(ct, changed, device="cpu")
    with pytest.raises(ModelError, match="AC-MD-080"):
        install_package(changed.path)


def test_nothing_with_a_side_is_refused(build, oracle):
    oracle()
    ct = paint_trunk()
    air = CTVolume(np.where(ct.hu > 100, np.int16(20), ct.hu), ct.geometry)
    with pytest.raises(ModelError, match="AC-MD-082"):
        check_sides(air, build(), Job(), "cpu")


def test_swapped_labels_are_refused(build, oracle):
    """Liver and kidneys as trained, but the labels of the kidneys exchanged."""
    oracle()
    package = build()
    procedure = replace(package.procedure, values={"Liver": (1,), "Kidney_L": (3,), "Kidney_R": (2,)})
    with pytest.raises(ModelError, match="AC-MD-081"):
        check_sides(paint_trunk(), replace(package, procedure=procedure), Job(), "cpu")


class Chance(torch.nn.Module):
    """Draws lungs of what is air, by the side of the window, and a heart of what is bright: on any CT."""

    lowest_hu = -2000.0

    def forward(self, image):
        hu = image * tiny.PROPERTIES["std"] + tiny.PROPERTIES["mean"]
        count = image.shape[4]
        left = (torch.arange(count) >= count / 2).view(1, 1, 1, 1, count)
        air = torch.minimum(-300 - hu, hu - self.lowest_hu) / 10
        none = torch.full_like(hu, -20)
        return torch.cat([0 * hu, torch.where(left, air, none), torch.where(left, none, air), (hu - 210) / 10], 1)


@pytest.fixture
def by_chance(build, monkeypatch):
    monkeypatch.setattr(segment, "load_fold", lambda *_: Chance())
    return build("chance", labels={"background": 0, "Lung_L": 1, "Lung_R": 2, "Heart": 3})


def paint_thorax(lungs=True, heart_mm=(0.0, -10.0, 20.0), radius_mm=32.0, wall_mm=20.0):
    ct = paint_trunk()
    hu = np.where(ct.hu > 100, np.int16(20), ct.hu)
    z, y, x = (np.arange(count) * MM - (count - 1) * MM / 2 for count in hu.shape)
    z, y, x = np.meshgrid(z, y, x, indexing="ij")
    if lungs:
        hu[(np.abs(x) > 8) & ((x / (105 - wall_mm)) ** 2 + (y / (85 - wall_mm)) ** 2 < 1) & (np.abs(z) < 40)] = -800
    hu[(z - heart_mm[0]) ** 2 + (y - heart_mm[1]) ** 2 + (x - heart_mm[2]) ** 2 < radius_mm**2] = 300
    return CTVolume(hu, ct.geometry)


def test_what_lies_right_by_chance_proves_nothing(by_chance):
    """A model of the thorax on a scan of another site: lungs in the air around the patient, a heart in the neck."""
    ct = paint_thorax(lungs=False)
    test = compare_sides(ct, by_chance, Job(), "cpu")
    assert all(one.holds for one in test.verdicts if one.about_sides)
    assert sorted(test.implausible) == ["Heart", "Lung_L", "Lung_R"]
    assert not test.is_proven
    with pytest.raises(ModelError, match="AC-MD-099") as caught:
        test.check()
    assert "External " in str(caught.value)
    assert "Lungs 0 %" in str(caught.value)


def test_organs_that_cannot_be_carry_a_warning(by_chance, monkeypatch):
    """The same model, tested on a thorax, contours the scan of another site."""
    ct = paint_thorax(lungs=False)
    tested = record(by_chance, SidesCheck("0" * 64, ("Lung_L left of Lung_R",), "2026-01-02T03:04:05+00:00"))
    found = segment_structures(ct, tested, list(tested.structures), device="cpu")
    for name in ("Lung_L", "Lung_R", "Heart"):
        assert "AC-MD-139" in [one.code for one in found.drawings[name].findings], name
    monkeypatch.setattr(Chance, "lowest_hu", -900.0)
    found = segment_structures(paint_thorax(), tested, list(tested.structures), device="cpu")
    assert not [one for each in found.drawings.values() for one in each.findings if one.code == "AC-MD-139"]


def test_found_organs_prove_it(by_chance, monkeypatch):
    monkeypatch.setattr(Chance, "lowest_hu", -900.0)  # not the air around the patient
    thin = compare_sides(paint_thorax(wall_mm=8.0), by_chance, Job(), "cpu")
    assert not thin.implausible  # what is thinner than a couch encloses lungs as well
    test = compare_sides(paint_thorax(), by_chance, Job(), "cpu")
    assert not test.implausible
    assert test.is_proven
    small = compare_sides(paint_thorax(radius_mm=15.0), by_chance, Job(), "cpu")
    assert list(small.implausible) == ["Heart"]
    assert small.implausible["Heart"].startswith("Heart (1")
    assert small.is_proven  # by the lungs
    assert "Heart on the left" not in small.check().structures


def test_both_of_a_pair_on_one_side_prove_nothing():
    from autocontour.models.inference.plausibility import Measure
    from autocontour.models.inference.published.plausible import find_implausible
    from autocontour.models.inference.published.sides import _rules

    ct = paint_trunk()
    patient = find_patient(ct)
    mask = truth(ct, "Kidney_L")
    contours = dict.fromkeys(("Eye_L", "Eye_R"), contours_from_mask(mask, ct.geometry))

    def implausible(left, right, cc=7.0):
        measures = {"Eye_L": Measure(7.0, (0, 0, left)), "Eye_R": Measure(cc, (0, 0, right))}
        return sorted(find_implausible(patient, contours, measures, list(contours), _rules()))

    assert implausible(40, -40) == []
    assert implausible(-40, 40) == []  # plausible organs, exchanged: a contradiction of another kind
    assert implausible(60, 20) == ["Eye_L", "Eye_R"]
    assert implausible(40, -40, cc=1.5) == ["Eye_L", "Eye_R"]


def test_leg_apart_from_the_other_belongs_to_the_patient():
    from autocontour.models.inference.plausibility import Measure
    from autocontour.models.inference.published.plausible import find_implausible
    from autocontour.models.inference.published.sides import _rules

    ct = paint_trunk()
    x, y = (np.arange(count) * MM - (count - 1) * MM / 2 for count in (48, 40))
    hu, bones = np.full(ct.hu.shape, -1000, np.int16), {}
    for name, middle in (("Femur_L", 60), ("Femur_R", -60)):
        from_middle = np.hypot(x - middle, y[:, None])
        hu[:, from_middle < 45] = 20
        bone = np.zeros(hu.shape, bool)
        bone[:, from_middle < 15] = True
        hu[bone] = 300
        bones[name] = contours_from_mask(bone, ct.geometry)
    measures = {"Femur_L": Measure(70.0, (0, 0, 60), at_end=True), "Femur_R": Measure(70.0, (0, 0, -60), at_end=True)}
    patient = find_patient(CTVolume(hu, ct.geometry))
    assert abs(patient.midline_x_mm) > 40  # that of one leg
    assert find_implausible(patient, bones, measures, list(bones), _rules()) == {}


def test_heights_are_compared():
    from autocontour.models.inference.plausibility import Measure

    def at(z, y, x):
        return Measure(100.0, (z, y, x))

    verdicts = {one.what: one.holds for one in compare_places({"Brain": at(0, 0, 0), "Liver": at(50, 0, -40)}, 0.0)}
    assert verdicts == {"Liver on the right": True, "Brain above Liver": False}
    verdicts = {one.what: one.holds for one in compare_places({"SpinalCord": at(0, 9, 0), "Heart": at(0, 30, 20)}, 0.0)}
    assert verdicts == {"Heart on the left": True, "SpinalCord behind Heart": False}


@pytest.mark.parametrize("orientation", ["LPS", "RAS"])
def test_fast_lies_where_exact_lies(build, oracle, orientation):
    oracle()
    ct = paint_trunk(spacing=(MM, 2.5, 2.5), shape=(20, 80, 96))
    package = build(orientation=orientation)
    found = measure_profiles(ct, package, ["fast"], Job(), "cpu")
    dsc = found["fast"].dsc  # the rims of the kidneys have the liver's HU, and no thickness
    assert min(dsc[name] for name in ("Kidney_L", "Kidney_R")) > 0.94, dsc
    assert set(dsc) == set(ORGANS_MM)


def test_two_stage_draws_the_same_with_fewer_windows(build, oracle, monkeypatch):
    runner = oracle()
    fine, rough = build(patch=(8, 12, 48)), build("rough", spacing=(10.0, 10.0, 10.0), patch=(12, 20, 24))
    ct = paint_trunk()
    with pytest.raises(ModelError, match="AC-MD-086"):
        draw_published(ct, fine, ["Kidney_L"], Job(), "cpu", "two-stage")
    rough = record(rough, check_sides(ct, rough, Job(), "cpu"))
    monkeypatch.setattr(coarse, "available_packages", lambda: [rough, fine])
    fast = draw_published(ct, fine, ["Kidney_L"], Job(), "cpu", "fast")
    runner.windows = 0
    draw_published(ct, fine, ["Kidney_L"], Job(), "cpu", "fast")
    all_windows, runner.windows = runner.windows, 0
    both = draw_published(ct, fine, ["Kidney_L"], Job(), "cpu", "two-stage")
    assert runner.windows < all_windows
    one, other = (drawn.drawings["Kidney_L"].contours for drawn in (both, fast))
    assert one.keys() == other.keys()
    assert all(one[z].symmetric_difference(other[z]).area < 0.002 * one[z].area for z in one)  # averaged otherwise
    assert "two-stage by rough" in both.device


def test_windows_over_the_body_are_fewer_and_give_the_same(build, oracle):
    """The model's own windows also cover the air beside the patient; the profile ``fast`` leaves that out."""
    runner = oracle()
    ct = paint_trunk(shape=(20, 72, 80))
    package = build(patch=(12, 16, 80))
    draw_published(ct, package, list(ORGANS_MM), Job(), "cpu", "fast")
    grid = prepare(orient(ct, "LPS"), package.stages["segmenter"], package.procedure).image.shape
    assert runner.windows < 0.6 * len(window_starts(grid, (12, 16, 80), 0.5))
    fast = draw_published(ct, package, list(ORGANS_MM), Job(), "cpu", "fast")
    for name, one in fast.drawings.items():
        mask = mask_from_contours(one.contours, ct.geometry)
        assert 2 * (mask & truth(ct, name)).sum() > 0.9 * (mask.sum() + truth(ct, name).sum()), name


def test_body_in_two_pieces_is_searched_whole(build, oracle):
    """The legs, or an arm beside the trunk: what does not touch the largest piece has windows as well."""
    oracle()
    ct = paint_trunk(shape=(20, 40, 64))
    hu = ct.hu.copy()
    hu[:, :, 30:34] = -1000  # apart in the middle of the scan
    hu[:, :, 34:][hu[:, :, 34:] == HU["Liver"]] = 20
    apart = CTVolume(hu, ct.geometry)
    parts = find_parts(apart, Frame.of(apart.geometry))
    assert len(parts) == 2
    centres = [ORGANS_MM[name] for name in ("Kidney_R", "Kidney_L")]
    for (low, high), centre in zip(sorted(parts, key=lambda edges: edges[0][2]), centres, strict=True):
        assert (low < np.asarray(centre)).all()
        assert (high > np.asarray(centre)).all()
    package = build(patch=(12, 40, 64))
    found = draw_published(apart, package, ["Kidney_L", "Kidney_R"], Job(), "cpu", "fast").drawings
    assert sorted(found) == ["Kidney_L", "Kidney_R"]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(*[st.integers(0, 30)] * 3, *[st.integers(1, 20)] * 3), min_size=1, max_size=3),
    st.tuples(*[st.integers(6, 16)] * 3),
    st.sampled_from([0.5, 0.8, 1.0]),
)
def test_windows_cover_every_voxel_of_their_boxes(sides, window, step):
    shape = (34, 28, 40)
    boxes = []
    for *start, depth, height, width in sides:
        low = [min(a, n - 1) for a, n in zip(start, shape, strict=True)]
        high = [min(a + d, n) for a, d, n in zip(low, (depth, height, width), shape, strict=True)]
        boxes.append(Box(tuple(low), tuple(high)))
    covered = np.zeros(shape, bool)
    starts = starts_over(boxes, shape, window, step)
    for start in starts:
        assert all(a >= 0 and a + w <= n for a, w, n in zip(start, window, shape, strict=True))
        covered[window_box(start, window).slices] = True
    assert all(covered[box.slices].all() for box in boxes)
    assert starts == sorted(set(starts))


def test_structure_that_the_coarse_network_misses_is_reported(build, oracle, monkeypatch):
    oracle()
    ct = paint_trunk()
    fine, rough = build(), build("rough", spacing=(10.0, 10.0, 10.0), patch=(12, 20, 24))
    rough = record(rough, check_sides(ct, rough, Job(), "cpu"))
    monkeypatch.setattr(coarse, "available_packages", lambda: [rough])
    hu = ct.hu.copy()
    hu[hu == HU["Kidney_L"]] = 20
    found = draw_published(CTVolume(hu, ct.geometry), fine, ["Liver", "Kidney_L"], Job(), "cpu", "two-stage")
    assert [finding.code for finding in found.findings] == ["AC-MD-133"]
    assert "Kidney_L" in found.findings[0].message
    assert list(found.drawings) == ["Liver"]


def test_structure_of_which_the_coarse_network_found_a_part_is_reported_as_cut(build, oracle, monkeypatch):
    """The fine network is run where the coarse one found the structure: what lies beyond was missing without a word."""
    oracle()
    ct = paint_trunk()
    package = build(patch=(12, 12, 48))
    z, y, x = ORGANS_MM["Liver"]

    def findings(front_mm):
        edges = {"Liver": (np.array([z - 45, y - 45, x - 45]), np.array([z + 45, y + front_mm, x + 45]))}
        monkeypatch.setattr(segment, "find_boxes", lambda *_: coarse.Boxes(edges, ("rough",)))
        drawn = draw_published(ct, package, ["Liver"], Job(), "cpu", "two-stage").drawings["Liver"]
        return [one.code for one in drawn.findings], mask_from_contours(drawn.contours, ct.geometry).sum()

    (none, whole), (cut, part) = findings(45.0), findings(-10.0)
    assert none == []
    assert part < 0.8 * whole
    assert cut == ["AC-MD-142"]


def test_package_of_another_patient_finds_no_boxes(build, oracle, monkeypatch, toy_package):
    """A package that was made for one patient must not decide where another patient's organs are searched."""
    oracle()
    ct, today = paint_trunk(), date.today()
    own = replace(toy_package, structures=dict.fromkeys(ORGANS_MM))
    here = replace(own, patient=PatientBinding.of(PatientFacts(patient_id="A", birth_date="19500101"), 10, today))
    monkeypatch.setattr(coarse, "available_packages", lambda: [here])
    with pytest.raises(ModelError, match="AC-MD-086"):
        draw_published(ct, build(), ["Liver"], Job(), "cpu", "two-stage")
    for patient, is_used in (("A", True), ("B", False)):
        facts = PatientFacts(patient_id=patient, birth_date="19500101")
        monkeypatch.setattr(PatientFacts, "of", lambda _, facts=facts: facts)
        assert coarse._is_for(ct, here) is is_used
        assert coarse._is_for(ct, own)
        assert not coarse._is_for(ct, replace(here, patient=replace(here.patient, expires=today.isoformat())))


def test_probabilities_of_fast_are_those_of_all_windows(build, oracle):
    """Layers and boxes change nothing: the same sums as over the whole image, for several windows and mirrorings."""
    from autocontour.models.inference.published.boxes import predict_in_boxes
    from autocontour.models.inference.published.exact import mirrored
    from autocontour.models.inference.published.tiles import pad_to_window, window_box

    torch.manual_seed(0)
    network = torch.nn.Conv3d(1, 4, 3, padding=1)
    package = build(patch=(8, 16, 20), mirror=(0, 2))
    procedure = package.procedure
    prepared = prepare(orient(paint_trunk(), "LPS"), package.stages["segmenter"], procedure)
    window = package.stages["segmenter"].window_zyx
    padded, inner = pad_to_window(prepared.image, window)
    sums, counts = np.zeros((4, *padded.shape)), np.zeros(padded.shape)
    share = importance(window).astype(np.float64)
    with torch.inference_mode():
        for start in window_starts(padded.shape, window, procedure.step):
            place = window_box(start, window).slices
            part = torch.from_numpy(np.ascontiguousarray(padded[place]))[None, None]
            sums[(slice(None), *place)] += mirrored(network, part, procedure.mirror_axes)[0].numpy() * share
            counts[place] += share
        logits = sums / counts
        parts = predict_in_boxes([Runner(network)], prepared, window, list(procedure.values), None, Job())
        found = {name: part for name, *part in parts}
    assert found
    probability = np.exp(logits - logits.max(axis=0))
    probability /= probability.sum(axis=0)
    probability = probability[(slice(None), *inner.slices)]
    for name, (value,) in procedure.values.items():
        own = probability.argmax(axis=0) == value
        box = Box.around(own)
        if box is None:
            assert name not in found
            continue
        where, margin, _, is_cut = found[name]
        assert not is_cut
        others = np.delete(probability, value, axis=0).max(axis=0)
        expected = (1 + probability[value] - others) / 2
        clear = np.abs(expected[where.slices] - 0.5) > 2e-3
        assert np.array_equal((margin >= 0.5)[clear], own[where.slices][clear])
        near = expected[where.slices] > 0.3
        assert np.abs(margin - expected[where.slices])[near].max() < 2e-3
        outside = np.ones(own.shape, bool)
        outside[where.slices] = False
        assert not own[outside].any()


def test_uneven_slices_are_reported(build, oracle):
    oracle()
    ct = paint_trunk()
    origins = ct.geometry.slice_origins_lps_mm.copy()
    origins[10:, 2] += 2.0
    geometry = VolumeGeometry(40, 48, (MM, MM), np.eye(3), origins)
    found = draw_published(CTVolume(ct.hu.copy(), geometry), build(), ["Liver"], Job(), "cpu", "exact")
    assert [finding.code for finding in found.findings] == ["AC-MD-131"]
    assert "Liver" in found.drawings


def test_measured_profiles_are_recorded(build, oracle):
    oracle()
    ct, package = paint_trunk(), build()
    measured = measure_profiles(ct, package, ["fast"], Job(), "cpu")
    again = record(package, None, measured, "fast")
    assert again.procedure.profile == "fast"
    assert set(again.procedure.measured) == {"exact", "fast"}
    assert json.loads((package.path / "metadata.json").read_text())["procedure"]["measured"]["fast"]["dsc"]


@pytest.fixture
def cropped(build, oracle, monkeypatch):
    """A package that is run in the box of the left kidney, and the one that finds it."""
    oracle()
    finder = build("finder", spacing=(10.0, 10.0, 10.0), patch=(12, 20, 24))
    finder = replace(finder, procedure=replace(finder.procedure, model="TotalSegmentator 298"))
    sides = check_sides(paint_trunk(), finder, Job(), "cpu")
    finder = replace(finder, procedure=replace(finder.procedure, sides=sides))
    monkeypatch.setattr(cropping, "available_packages", lambda: [finder])
    crop = Crop(("Kidney_L",), "TotalSegmentator 298", 12.0)
    package = build("part", patch=(12, 12, 12))
    return replace(package, procedure=replace(package.procedure, crop=crop))


@pytest.mark.parametrize("direction", [(1, 1, 1), (-1, -1, 1)])
@pytest.mark.parametrize("orientation", ["LPS", "RAS"])
def test_network_of_a_part_sees_only_that_part(cropped, direction, orientation):
    """The labels are those of the part alone, at its place; what lies outside is not drawn."""
    package = replace(cropped, procedure=replace(cropped.procedure, orientation=orientation))
    ct = paint_trunk(direction)
    labels, oriented, _ = exact_labels(ct, package, Job(), "cpu")
    whole = replace(package, procedure=replace(package.procedure, crop=None))
    kidney = Box.around(np.isin(exact_labels(ct, cropping.available_packages()[0], Job(), "cpu")[0], (2,)))
    box = kidney.padded((2, 2, 2), labels.shape)
    alone, _ = segment._labels_of(oriented.cropped(box), whole, Job(), "cpu")
    assert np.array_equal(labels[box.slices], alone)
    labels[box.slices] = 0
    assert not labels.any()
    for profile in ("exact", "fast"):
        drawn = draw_published(ct, package, list(ORGANS_MM), Job(), "cpu", profile).drawings
        left = drawn.keys() & {"Kidney_L", "Kidney_R"}  # the oracle tells them by the side of its window
        masks = [mask_from_contours(drawn[name].contours, ct.geometry) for name in left]
        there = np.any(masks, axis=0)
        true = truth(ct, "Kidney_L")
        assert 2 * (there & true).sum() > 0.9 * (there.sum() + true.sum()), profile
        assert "Liver" not in drawn or drawn["Liver"].contours.keys() <= set(range(*_slices(true)))


def _slices(mask):
    box = Box.around(mask)
    return box.start_zyx[0] - 4, box.stop_zyx[0] + 4


def test_part_that_is_not_in_the_scan_is_reported(cropped):
    ct = paint_trunk()
    hu = np.where(ct.hu == HU["Kidney_L"], 20, ct.hu).astype(np.int16)
    for profile in ("exact", "fast"):
        drawn = draw_published(CTVolume(hu, ct.geometry), cropped, ["Liver"], Job(), "cpu", profile)
        assert [one.code for one in drawn.findings] == ["AC-MD-135"]
        assert not drawn.drawings


def test_part_without_the_model_that_finds_it(cropped, monkeypatch):
    unchecked = [replace(one, procedure=replace(one.procedure, sides=None)) for one in cropping.available_packages()]
    monkeypatch.setattr(cropping, "available_packages", lambda: unchecked)
    with pytest.raises(ModelError, match="AC-MD-091"):
        draw_published(paint_trunk(), cropped, ["Liver"], Job(), "cpu", "exact")


def test_unknown_profile(build):
    with pytest.raises(ModelError, match="AC-MD-084"):
        draw_published(paint_trunk(), build(), ["Liver"], Job(), "cpu", "fastest")


def test_image_without_any_value(build):
    ct = paint_trunk()
    with pytest.raises(ModelError, match="AC-MD-083"):
        draw_published(CTVolume(np.zeros_like(ct.hu), ct.geometry), build(), ["Liver"], Job(), "cpu", "exact")


def test_windows_of_nnunet():
    """An image of 110 voxels, windows of 64 and half their size between them: 0, 23, 46."""
    assert sorted({start[0] for start in window_starts((110, 64, 64), (64, 64, 64), 0.5)}) == [0, 23, 46]
    weights = importance((8, 8, 8))
    assert weights.dtype == np.float16
    assert weights.max() == weights[4, 4, 4] == 10
    assert weights.min() > 0


def test_shapes_round_halves_to_the_even_number():
    assert resampled_shape((5, 7, 9), (1.0, 1.0, 1.0), (2.0, 2.0, 2.0)) == (2, 4, 4)


@pytest.mark.parametrize(
    ("spacing", "target", "how", "axis"),
    [
        ((5.0, 1.0, 1.0), (1.0, 1.0, 1.0), None, 0),
        ((3.0, 1.0, 1.0), (1.0, 1.0, 1.0), None, None),
        ((1.0, 1.0, 1.0), (1.0, 1.0, 4.0), None, 2),
        ((5.0, 5.0, 1.0), (1.0, 1.0, 1.0), None, None),
        ((5.0, 1.0, 1.0), (1.0, 1.0, 1.0), False, None),
        ((2.0, 1.0, 1.0), (1.0, 1.0, 1.0), True, 0),
    ],
)
def test_axis_that_is_resampled_by_itself(spacing, target, how, axis):
    assert separate_axis(spacing, target, Resampling(separate_z=how)) == axis


def test_separate_axis_repeats_the_nearest_slice():
    array = np.arange(3, dtype=np.float32)[:, None, None] * np.ones((3, 4, 4), np.float32)
    result = resample(array, (6, 4, 4), (10.0, 1.0, 1.0), (5.0, 1.0, 1.0), Resampling(3, 0, None))
    assert result[:, 0, 0].tolist() == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize("direction", [(1, 1, 1), (-1, -1, 1), (-1, 1, -1)])
@pytest.mark.parametrize("orientation", ["LPS", "RAS"])
@pytest.mark.parametrize("axes", [(0, 1, 2), (2, 0, 1)])
def test_grid_of_the_image_lies_on_the_patient(build, direction, orientation, axes):
    """Each organ's centre in the prepared image, mapped by the grid, is where it was painted."""
    spacing = np.asarray((4.0, 3.0, 2.5))[list(axes)]
    patch = np.asarray((12, 16, 16))[list(axes)].tolist()
    changes = {"transpose_forward": list(axes), "transpose_backward": np.argsort(axes).tolist()}
    package = build(orientation=orientation, spacing=spacing.tolist(), patch=patch, **changes)
    prepared = prepare(orient(paint_trunk(direction), orientation), package.stages["segmenter"], package.procedure)
    image = prepared.to_patient(prepared.image)
    assert image.shape == prepared.grid.shape_zyx
    bright = np.nonzero(image * 300 + 20 > 230)
    places = np.stack([prepared.grid.positions_mm(axis)[at] for axis, at in enumerate(bright)])
    near = np.linalg.norm(places.T - ORGANS_MM["Kidney_L"], axis=1) < 30  # not the ripples at the skin
    assert np.abs(places[:, near].mean(axis=1) - ORGANS_MM["Kidney_L"]).max() < 0.5
    box = Box((1, 2, 3), (5, 7, 9))
    part = prepared.image[prepared.box_from_patient(box).slices]
    assert np.array_equal(prepared.to_patient(part), image[box.slices])
    assert prepared.box_to_patient(prepared.box_from_patient(box)) == box


class Middle(torch.nn.Module):
    """Knows one organ by its HU, on one side of its window only where it tells sides; it stands for a midline model."""

    def __init__(self, *, tells=False, wrong=False, others=0):
        super().__init__()
        self.tells, self.wrong, self.others = tells, wrong, others

    def forward(self, image):
        hu = image * tiny.PROPERTIES["std"] + tiny.PROPERTIES["mean"]
        organ = (hu - 210) / 10
        count = image.shape[4]
        columns = torch.arange(count)
        seen = (columns >= count / 2 - 4 if self.wrong else columns < count / 2 + 6).view(1, 1, 1, 1, count)
        if self.tells:
            organ = torch.where(seen, organ, torch.full_like(hu, -20))
        return torch.cat([torch.zeros_like(hu), organ, *[torch.full_like(hu, -20)] * self.others], 1)


@pytest.fixture
def midline(build, monkeypatch):
    """Return a function that makes a package of one structure in the middle of the body."""

    def make(name="one", also=(), **kind):
        network = Middle(others=len(also), **kind)
        monkeypatch.setattr(segment, "load_fold", lambda *_: network)
        labels = {organ: value for value, organ in enumerate(("background", "Larynx", *also))}
        return build(name, labels=labels)

    return make


def paint_middle():
    """A trunk with one organ, a little to the right of the middle."""
    ct = paint_trunk()
    hu = np.where(ct.hu == HU["Kidney_L"], np.int16(20), ct.hu)
    z, y, x = np.ogrid[: hu.shape[0], : hu.shape[1], : hu.shape[2]]
    hu[(z - 10) ** 2 + (y - 20) ** 2 + (x - 21) ** 2 < 16] = 300
    truth = hu == 300
    return CTVolume(hu, ct.geometry), contours_from_mask(truth, ct.geometry)


def test_midline_model_is_proven_by_other_contours(midline):
    ct, other = paint_middle()
    package = midline(tells=True)
    with pytest.raises(ModelError, match="AC-MD-082"):
        check_sides(ct, package, Job(), "cpu")
    test = compare_sides(ct, package, Job(), "cpu", reference={"Larynx": other}, reference_name="RS.dcm")
    assert test.is_proven, test.verdicts
    check = test.check()
    assert (check.method, check.reference, check.proof) == ("reference", "RS.dcm", "compared with RS.dcm")


def test_midline_model_that_does_better_on_a_mirrored_ct_is_refused(midline):
    ct, other = paint_middle()
    test = compare_sides(ct, midline(tells=True, wrong=True), Job(), "cpu", reference={"Larynx": other})
    with pytest.raises(ModelError, match="AC-MD-081"):
        test.check()
    with pytest.raises(ModelError, match="AC-MD-081"):  # nor can a person overrule it
        test.check("Dr. Kim")


def test_contours_elsewhere_refuse_a_midline_model(midline):
    """Such as a model whose slices run from feet to head: the organ is drawn at another height."""
    ct, other = paint_middle()
    moved = {z + 6: outline for z, outline in other.items()}
    with pytest.raises(ModelError, match="AC-MD-081"):
        compare_sides(ct, midline(), Job(), "cpu", reference={"Larynx": moved}).check()


def test_indifference_proves_a_midline_model_only(midline, build, oracle):
    """A structure in the middle is drawn on a mirrored CT as well: it says nothing about structures with a side."""
    ct, other = paint_middle()
    reference = {"Larynx": other}
    assert compare_sides(ct, midline(), Job(), "cpu", reference=reference).is_proven
    both = midline("both", also=("Kidney_L",))
    test = compare_sides(ct, both, Job(), "cpu", reference=reference)
    assert [one.holds for one in test.verdicts] == [True]
    assert not test.is_proven
    with pytest.raises(ModelError, match="AC-MD-088"):
        test.check("Dr. Kim")


def test_person_confirms_a_midline_model_and_no_other(midline, build, oracle):
    ct, _ = paint_middle()
    test = compare_sides(ct, midline(), Job(), "cpu")
    assert test.may_be_confirmed
    assert list(test.drawings) == ["Larynx"]
    check = test.check(" Dr.  Kim ")
    assert (check.method, check.by, check.proof) == ("person", "Dr. Kim", "confirmed by Dr. Kim")
    oracle()
    trunk = paint_trunk()
    air = CTVolume(np.where(trunk.hu > 100, np.int16(20), trunk.hu), trunk.geometry)
    with pytest.raises(ModelError, match="AC-MD-088"):
        compare_sides(air, build("paired"), Job(), "cpu").check("Dr. Kim")


def test_structure_that_was_not_measured_here_carries_a_warning(build, oracle):
    oracle()
    ct, package = paint_trunk(), build()
    checked = record(package, check_sides(ct, package, Job(), "cpu"))
    found = segment_structures(ct, checked, ["Liver", "Kidney_L"], device="cpu")
    assert {name: [f.code for f in one.findings] for name, one in found.drawings.items()} == {
        "Liver": ["AC-MD-134"],
        "Kidney_L": ["AC-MD-134"],
    }
    validation = {"structures": {"Liver": {"n": 3, "dsc_mean": 0.9}, "Kidney_L": {"n": 0}}}
    measured = rewrite_metadata(checked, {**checked.metadata, "validation": validation})
    found = segment_structures(ct, measured, ["Liver", "Kidney_L"], device="cpu")
    assert [f.code for f in found.drawings["Liver"].findings] == []
    assert [f.code for f in found.drawings["Kidney_L"].findings] == ["AC-MD-134"]


def test_profile_that_was_not_compared_or_draws_otherwise_is_named(build, oracle):
    oracle()
    ct, package = paint_trunk(), build()
    checked = record(package, check_sides(ct, package, Job(), "cpu"), profile="fast")

    def codes(one):
        drawings = segment_structures(ct, one, ["Kidney_L"], device="cpu").drawings
        return [finding.code for finding in drawings["Kidney_L"].findings]

    assert codes(checked) == ["AC-MD-134", "AC-MD-141"]
    compared = record(checked, measured={"fast": Comparison(1.0, {"Kidney_L": 0.6}, "CPU")})
    assert codes(compared) == ["AC-MD-134", "AC-MD-140"]
    agreeing = record(checked, measured={"fast": Comparison(1.0, {"Kidney_L": 0.97}, "CPU")})
    assert codes(agreeing) == ["AC-MD-134"]
    assert codes(record(checked, profile="exact")) == ["AC-MD-134"]


@pytest.fixture
def on_disk(midline, monkeypatch):
    """Return the arguments of a verification of a midline model, on a CT in the place of the folder's."""
    from autocontour.cli import inputs

    ct, other = paint_middle()
    monkeypatch.setattr(inputs, "read_ct_of", lambda *_: ct)
    package = midline(tells=True)
    return ["models", "verify", str(package.path), "--ct", "unused", "--device", "cpu"], other


def test_command_compares_a_midline_model_with_a_structure_set(on_disk, monkeypatch, tmp_path, capsys):
    from autocontour import rtstruct
    from autocontour.patient.structures import Structure, StructureSet

    command, other = on_disk
    monkeypatch.setattr(rtstruct, "read_structure_set", lambda *_: StructureSet("S", (Structure("Heart", 1, other),)))
    assert main([*command, "--reference", "RS.dcm"]) != 0
    assert "AC-MD-089" in capsys.readouterr().err
    monkeypatch.setattr(rtstruct, "read_structure_set", lambda *_: StructureSet("S", (Structure("larynx", 1, other),)))
    assert main([*command, "--reference", "RS.dcm"]) == 0
    assert "compared with RS.dcm" in capsys.readouterr().out.replace("\n", " ")
    sides = read_package(Path(command[2])).procedure.sides
    assert (sides.method, sides.reference) == ("reference", "RS.dcm")
    assert main(["models", "show", command[2]]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "compared with RS.dcm" in shown
    assert "measured here: 0 of 1 structures" in shown
    assert "label of the model" in shown
    assert "profile │" not in shown  # nothing was measured: no empty table


def test_command_compares_a_midline_model_with_another_package(on_disk, monkeypatch):
    from autocontour import models
    from autocontour.models import Segmentation
    from autocontour.patient.structures import Drawing

    command, other = on_disk
    found = Segmentation({"Larynx": Drawing(other)})
    monkeypatch.setattr(models, "segment_structures", lambda *_: found)
    assert main([*command, "--against", command[2]]) == 0
    assert read_package(Path(command[2])).procedure.sides.reference.startswith("one import-")


def test_command_needs_a_picture_for_a_confirmation(on_disk, tmp_path, capsys):
    command, _ = on_disk
    assert main(command) != 0
    assert "AC-MD-082" in capsys.readouterr().err
    assert main([*command, "--confirmed-by", "Dr. Kim"]) != 0
    assert "AC-MD-090" in capsys.readouterr().err
    picture = tmp_path / "picture.png"
    assert main([*command, "--confirmed-by", "Dr. Kim", "--picture", str(picture)]) == 0
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert "confirmed by Dr. Kim" in capsys.readouterr().out.replace("\n", " ")
    assert read_package(Path(command[2])).procedure.sides.by == "Dr. Kim"
