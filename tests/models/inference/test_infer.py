"""Two looks at a made-up neck whose organs are known exactly."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace

import numpy as np
import pytest
from shapely import Point

from autocontour.base.errors import Cancelled, ModelError
from autocontour.base.jobs import Job
from autocontour.contouring import volume_cc
from autocontour.models import segment_structures, write_package
from autocontour.models.inference.runtime import OutOfMemoryError
from autocontour.models.inference.windows import gaussian_weights, merge_boxes, predict_boxes, tile_box
from autocontour.models.package.description import Stage
from autocontour.patient.geometry import Box, VolumeGeometry

GLAND_CC = 4 / 3 * np.pi * 16**3 / 1000
JAW_CC = 20 * 20 * 60 / 1000


def centre_lps_mm(contours, geometry):
    """Centroid of contours in patient mm."""
    areas = np.array([shape.area for shape in contours.values()])
    points = [[shape.centroid.x, shape.centroid.y, geometry.slice_positions_mm[k]] for k, shape in contours.items()]
    return geometry.to_patient(np.average(points, axis=0, weights=areas)[None])[0]


def test_draws_what_is_there(neck, toy_package, oracle):
    found = segment_structures(neck, toy_package)
    assert found.site_matches
    assert set(found.drawings) == {"Parotid_L", "Parotid_R", "Bone_Mandible"}
    for name, cc in (("Parotid_L", GLAND_CC), ("Parotid_R", GLAND_CC), ("Bone_Mandible", JAW_CC)):
        assert volume_cc(found.drawings[name].contours, neck.geometry) == pytest.approx(cc, rel=0.15)
        assert found.drawings[name].findings == ()
    left = centre_lps_mm(found.drawings["Parotid_L"].contours, neck.geometry)
    assert left == pytest.approx([50, 0, 10], abs=0.6)
    assert set(found.seconds) == {"body", "loading", "localizer", "segmenter", "contours"}


def test_a_target_volume_is_never_drawn_without_a_warning(neck, toy_package, oracle, tmp_path):
    """A package for one patient can learn a CTV: on a later CT the image does not show where it ends."""
    metadata = json.loads(json.dumps(toy_package.metadata).replace("Bone_Mandible", "CTV_High"))
    weights = {role: toy_package.read_weights(role) for role in toy_package.stages}
    drawings = segment_structures(neck, write_package(tmp_path / "target", metadata, weights)).drawings
    assert {name: [one.code for one in drawing.findings] for name, drawing in drawings.items()} == {
        "Parotid_L": [],
        "Parotid_R": [],
        "CTV_High": ["AC-MD-112"],
    }


def orientations():
    for axes in itertools.permutations(range(3)):
        for signs in itertools.product((1, -1), repeat=2):
            yield axes, signs


@pytest.mark.parametrize(("axes", "signs"), list(orientations()))
def test_every_orientation_gives_the_same_organs(axes, signs, toy_package, oracle, make_neck):
    direction = np.zeros((3, 3))
    direction[axes[0], 0], direction[axes[1], 1] = signs
    direction[:, 2] = np.cross(direction[:, 0], direction[:, 1])
    shape, spacing = (105, 70, 84), (2.0, 3.0, 2.5)
    origin = -direction @ (np.array([84 * 2.5, 70 * 3.0, 105 * 2.0]) - [2.5, 3.0, 2.0]) / 2
    ct = make_neck(VolumeGeometry.regular(shape, spacing, origin, direction))
    found = segment_structures(ct, toy_package)
    truth = {"Parotid_L": [50, 0, 10], "Parotid_R": [-50, 0, 10], "Bone_Mandible": [0, -50, 10]}
    assert set(found.drawings) == set(truth)
    for name, center in truth.items():
        assert centre_lps_mm(found.drawings[name].contours, ct.geometry) == pytest.approx(center, abs=1.0)


def test_oblique_by_a_few_degrees(toy_package, oracle, make_neck):
    angle = np.radians(4)
    direction = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    origin = -direction @ np.array([104, 104, 103])
    ct = make_neck(VolumeGeometry.regular((70, 105, 105), (3.0, 2.0, 2.0), origin, direction))
    found = segment_structures(ct, toy_package)
    assert centre_lps_mm(found.drawings["Parotid_L"].contours, ct.geometry) == pytest.approx([50, 0, 10], abs=1.0)


def test_turned_too_far_is_refused(toy_package, oracle, make_neck):
    angle = np.radians(45)
    direction = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    ct = make_neck(VolumeGeometry.regular((20, 40, 40), (9.0, 5.0, 5.0), (-100, 0, -140), direction))
    with pytest.raises(ModelError, match="AC-MD-030"):
        segment_structures(ct, toy_package)


def test_uneven_slices_keep_their_true_positions(toy_package, oracle, make_neck):
    z = np.concatenate([np.arange(-100, 0, 3.0), np.arange(0, 30, 5.0), np.arange(30, 100, 2.0)])
    origins = np.column_stack([np.full_like(z, -104), np.full_like(z, -104), z])
    ct = make_neck(VolumeGeometry(105, 105, (2.0, 2.0), np.eye(3), origins))
    drawn = segment_structures(ct, toy_package).drawings["Parotid_L"].contours
    for k, shape in drawn.items():
        radius = np.sqrt(max(0.0, 16**2 - (z[k] - 10) ** 2))
        if radius > 8:
            assert np.sqrt(shape.area / np.pi) == pytest.approx(radius, abs=1.2)
            assert shape.centroid.distance(Point(50, 0)) < 0.6


@pytest.mark.parametrize("ends_at_mm", [12.0, 0.0])
def test_scan_that_ends_within_an_organ(ends_at_mm, toy_package, oracle, make_neck, neck_grid):
    full = neck_grid()
    count = int(np.searchsorted(full.slice_positions_mm, ends_at_mm))
    ct = make_neck(full.cropped(Box((0, 0, 0), (count, *full.shape_zyx[1:]))))
    found = segment_structures(ct, toy_package)
    assert max(found.drawings["Parotid_L"].contours) == count - 1
    cut = next(f for f in found.drawings["Parotid_L"].findings if f.code == "AC-MD-102")
    assert cut.slices == (count - 1,)


def test_another_site_draws_nothing(toy_package, oracle, make_neck, neck_grid):
    found = segment_structures(make_neck(neck_grid(), glands_hu=40.0), toy_package)
    assert not found.site_matches
    assert not found.drawings
    assert [finding.code for finding in found.findings] == ["AC-MD-108"]


def test_air_draws_nothing(toy_package, oracle, make_neck, neck_grid):
    ct = make_neck(neck_grid())
    found = segment_structures(replace(ct, hu=np.full_like(ct.hu, -1000)), toy_package)
    assert not found.site_matches
    assert [finding.code for finding in found.findings] == ["AC-MD-108"]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_few_slices(count, toy_package, oracle, make_neck, neck_grid):
    """Too little to know the site by, or a few slices of what is there; never an accident."""
    grid = neck_grid()
    first = int(np.searchsorted(grid.slice_positions_mm, 10.0))
    ct = make_neck(grid.cropped(Box((first, 0, 0), (first + count, *grid.shape_zyx[1:]))))
    found = segment_structures(ct, toy_package)
    assert found.site_matches == bool(found.drawings)
    for drawing in found.drawings.values():
        assert set(drawing.contours) <= set(range(count))
        assert "AC-MD-102" in [finding.code for finding in drawing.findings]


def test_padding_and_metal(neck, toy_package, oracle):
    """Padding of −3024 outside the field of view and values above 3071 change nothing."""
    hu = neck.hu.copy()
    y, x = np.ogrid[: hu.shape[1], : hu.shape[2]]
    hu[:, np.hypot(y - 69.5, x - 69.5) > 68] = -3024
    hu[30:33, 25:28, 60:63] = 20000
    found = segment_structures(replace(neck, hu=hu), toy_package)
    assert volume_cc(found.drawings["Parotid_L"].contours, neck.geometry) == pytest.approx(GLAND_CC, rel=0.15)
    assert set(found.drawings) == set(toy_package.structures)


def test_one_structure_again(neck, toy_package, oracle):
    whole = segment_structures(neck, toy_package)
    again = segment_structures(neck, toy_package, ["Parotid_L"])
    assert list(again.drawings) == ["Parotid_L"]
    assert volume_cc(again.drawings["Parotid_L"].contours, neck.geometry) == pytest.approx(
        volume_cc(whole.drawings["Parotid_L"].contours, neck.geometry), rel=0.01
    )


def test_unknown_name_and_cancel(neck, toy_package, oracle):
    with pytest.raises(ModelError, match="AC-MD-032"):
        segment_structures(neck, toy_package, ["Spleen"])
    job = Job()
    job.cancel()
    with pytest.raises(Cancelled):
        segment_structures(neck, toy_package, job=job)


def test_box_that_is_too_small_grows(neck, toy_package, oracle, monkeypatch):
    from autocontour.models.inference import infer as inference
    from autocontour.models.inference.localizer import Found

    look = inference.locate_structures

    def shrunk(*arguments):
        found = look(*arguments)
        boxes = {name: (low + 22, high - 22) for name, (low, high) in found.boxes_mm.items()}
        return Found(boxes, found.site_matches)

    monkeypatch.setattr(inference, "locate_structures", shrunk)
    found = segment_structures(neck, toy_package)
    for name, cc in (("Parotid_L", GLAND_CC), ("Bone_Mandible", JAW_CC)):
        assert volume_cc(found.drawings[name].contours, neck.geometry) == pytest.approx(cc, rel=0.15)


def test_box_at_its_limit_is_said(neck, toy_package, oracle, monkeypatch):
    from autocontour.models.inference import segmenter

    monkeypatch.setattr(segmenter, "MOST_GROWTHS", 0)
    jaw = replace(toy_package.structures["Bone_Mandible"], margin_mm=0.0, threshold=0.05)
    package = replace(toy_package, structures={**toy_package.structures, "Bone_Mandible": jaw})
    found = segment_structures(neck, package)
    limit = next(f for f in found.drawings["Bone_Mandible"].findings if f.code == "AC-MD-103")
    assert limit.slices
    assert set(limit.slices) <= set(found.drawings["Bone_Mandible"].contours)


def test_without_a_localizer_the_whole_body_is_segmented(neck, toy_package, oracle):
    package = replace(toy_package, stages={"segmenter": toy_package.stages["segmenter"]})
    found = segment_structures(neck, package)
    assert set(found.drawings) == set(toy_package.structures)
    assert volume_cc(found.drawings["Parotid_R"].contours, neck.geometry) == pytest.approx(GLAND_CC, rel=0.15)


def test_little_memory_takes_smaller_windows(neck, toy_package, oracle, monkeypatch):
    from autocontour.models.inference import infer as inference

    def narrow(windows):
        for window in windows:
            if window[0].size > 12 * 24 * 24:
                raise OutOfMemoryError
            yield oracle.run(window)

    narrow.device = "CUDA"
    monkeypatch.setattr(inference, "open_runner", lambda *_: narrow)
    found = segment_structures(neck, toy_package)
    assert volume_cc(found.drawings["Parotid_L"].contours, neck.geometry) == pytest.approx(GLAND_CC, rel=0.15)
    assert "AC-MD-109" in [finding.code for finding in found.drawings["Parotid_L"].findings]


def test_no_memory_at_all_is_refused(neck, toy_package, monkeypatch):
    from autocontour.models.inference import infer as inference

    def none(_):
        raise OutOfMemoryError

    monkeypatch.setattr(inference, "open_runner", lambda *_: none)
    with pytest.raises(ModelError, match="AC-MD-034"):
        segment_structures(neck, toy_package)


def test_windows_cover_the_box_and_average_to_the_same():
    stage = Stage({}, (1.0, 1.0, 1.0), (16, 16, 16), ((-1000.0, 1000.0),))
    rng = np.random.default_rng(0)
    volume = rng.uniform(-1000, 1000, (40, 33, 20)).astype(np.float32)

    def read(box):
        out = np.full(box.shape_zyx, -1000, np.float32)
        index = [np.arange(a, b) for a, b in zip(box.start_zyx, box.stop_zyx, strict=True)]
        valid = [(i >= 0) & (i < n) for i, n in zip(index, volume.shape, strict=True)]
        out[np.ix_(*valid)] = volume[np.ix_(*(i[v] for i, v in zip(index, valid, strict=True)))]
        return out

    boxes = {0: Box((0, 0, 0), (40, 33, 20)), 1: Box((3, 5, 2), (9, 30, 18))}
    found, window = predict_boxes(
        lambda windows: (np.concatenate([w, -w]) for w in windows), stage, read, boxes, Job(), "test"
    )
    assert window == (16, 16, 16)
    assert found[0] == pytest.approx(volume / 1000, abs=1e-5)
    assert found[1] == pytest.approx(-volume[boxes[1].slices] / 1000, abs=1e-5)


def test_tiles_and_regions():
    tiles = tile_box(Box((0, 0, 0), (100, 10, 64)), (64, 64, 64), 0.25)
    assert [tile.start_zyx for tile in tiles] == [(0, -27, 0), (36, -27, 0)]
    near, far = Box((0, 0, 0), (10, 10, 10)), Box((5, 20, 5), (12, 30, 12))
    assert merge_boxes([near, far], (32, 32, 32), 0.25) == [Box((0, 0, 0), (12, 30, 12))]
    distant = Box((200, 0, 0), (210, 10, 10))
    assert set(merge_boxes([near, distant], (32, 32, 32), 0.25)) == {near, distant}
    weights = gaussian_weights((8, 8, 8))
    assert weights.max() == weights[4, 4, 4] == pytest.approx(weights[3, 3, 3])
    assert weights.min() > 0
