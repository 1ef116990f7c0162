"""Published networks on a made-up patient, with an oracle in the network's place that knows organs by HU and side."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from autocontour.base.errors import ModelError
from autocontour.base.jobs import Job
from autocontour.contouring import mask_from_contours
from autocontour.models import segment_structures
from autocontour.models.inference.published import coarse, segment
from autocontour.models.inference.published.oriented import orient
from autocontour.models.inference.published.prepare import prepare
from autocontour.models.inference.published.profiles import measure_profiles, record
from autocontour.models.inference.published.resample import resample, resampled_shape, separate_axis
from autocontour.models.inference.published.segment import draw_published, exact_labels
from autocontour.models.inference.published.sides import check_sides, compare_places
from autocontour.models.inference.published.tiles import importance, window_starts
from autocontour.models.package.importers import checkpoint as reading
from autocontour.models.package.importers import nnunet
from autocontour.models.package.importers.nnunet import import_nnunet
from autocontour.models.package.importers.writing import write_imported
from autocontour.models.package.library import install_package
from autocontour.models.package.procedure import Resampling
from autocontour.patient.geometry import Box, VolumeGeometry
from autocontour.patient.volume import CTVolume
from tests.models import tiny_nnunet as tiny

torch = pytest.importorskip("torch")

MM = 5.0
ORGANS_MM = {"Liver": (0.0, -20.0, -60.0), "Kidney_L": (-20.0, 25.0, 45.0), "Kidney_R": (-20.0, 25.0, -45.0)}
HU = {"Liver": 120, "Kidney_L": 300, "Kidney_R": 300}
RADIUS_MM = 22.0


def paint_trunk(direction=(1, 1, 1), spacing=(MM, MM, MM), shape=(20, 40, 48)):
    """Scan the made-up trunk, its axes in any direction."""
    matrix = np.diag(np.asarray(direction, dtype=float))
    half = np.subtract(shape, 1)[::-1] * np.asarray(spacing)[::-1] / 2
    geometry = VolumeGeometry.regular(shape, spacing, -matrix @ half, matrix)
    index = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1)[..., ::-1] * np.asarray(spacing)[::-1]
    x, y, z = np.moveaxis(index @ matrix.T - matrix @ half, -1, 0)
    hu = np.full(shape, -1000, np.int16)
    hu[(x / 105) ** 2 + (y / 85) ** 2 < 1] = 20
    for name, (cz, cy, cx) in ORGANS_MM.items():
        hu[(z - cz) ** 2 + (y - cy) ** 2 + (x - cx) ** 2 < RADIUS_MM**2] = HU[name]
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

    def make(name="tiny", orientation="LPS", spacing=(MM, MM, MM), patch=(12, 40, 48), mirror=None, **changes):
        configuration = tiny.configuration(spacing=list(spacing), patch_size=list(patch))
        stated = tiny.plans(configurations={"3d_fullres": configuration}, **changes)
        folder = tiny.write(tmp_path / name / "model", stated=stated, inference_allowed_mirroring_axes=mirror)
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
    assert both.drawings["Kidney_L"].contours == fast.drawings["Kidney_L"].contours
    assert "two-stage by rough" in both.device


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
        where, margin, _ = found[name]
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
