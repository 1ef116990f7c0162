"""Later CTs of a phantom patient: invertible, image and contours moved alike, the same for the same seed."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autocontour.base.jobs import Job
from autocontour.contouring import mask_from_contours, volume_cc
from autocontour.dicom.ct import read_ct
from autocontour.dicom.scan import scan_folder
from autocontour.dicom.series import SeriesDescription, write_ct_series
from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.identity import PatientFacts
from autocontour.phantom import truth_structures
from autocontour.phantom.followup import Change, make_followup, random_change
from autocontour.phantom.motion import Bump, Chain, Flexion, Setup, Shoulders, Shrinkage, WeightLoss

GRID = VolumeGeometry.regular((24, 48, 48), (4.0, 4.0, 4.0), (-94.0, -94.0, -46.0))
NUMBERS = st.floats(-1, 1)


def ball(center, radius):
    z, y, x = np.mgrid[:24, :48, :48]
    points = np.stack([x * 4.0 - 94, y * 4.0 - 94, z * 4.0 - 46], axis=-1)
    return ((points - center) ** 2).sum(axis=-1) < radius**2


@pytest.fixture(scope="module")
def patient():
    """A cylinder with two balls of another density and a couch below it."""
    _, y, x = np.mgrid[:24, :48, :48]
    hu = np.full((24, 48, 48), -1024, np.int16)
    hu[(x - 23.5) ** 2 + (y - 20) ** 2 < 16**2] = 0
    hu[:, 44:46, 4:44] = 150
    masks = {"Parotid_L": ball((30, -20, 0), 16), "CTV": ball((-20, -10, 5), 18)}
    for mask in masks.values():
        hu[mask] = 400
    return hu, masks


def motions(a, b, c):
    levels = np.array([-50.0, 0.0, 60.0])
    middles, halves = np.array([[0.0, 0], [5, 3], [0, 0]]), np.array([[90.0, 70], [60, 60], [80, 90]])
    return [
        Setup((5 * a, 3 * b, 4 * c), (3 * a, 2 * b, 3 * c), (1.0, 2.0, 3.0)),
        Flexion(8 * a, (30.0, -20.0), -40.0, 120.0),
        Shoulders(15 * b, 10.0, 60.0, 2.0, 50.0),
        WeightLoss(0.08 * c, levels, middles, halves),
        Shrinkage(0.5 * a, (20.0, 10.0, 0.0), (20.0, 15.0, 25.0)),
        Bump((8 * a, 6 * b, 5 * c), (0.0, 10.0, 5.0), 20.0),
    ]


@given(NUMBERS, NUMBERS, NUMBERS)
@settings(max_examples=25, deadline=None)
def test_the_jacobian_is_positive_and_that_of_finite_differences(a, b, c):
    points = np.random.default_rng(5).uniform(-75, 75, (40, 3))
    for motion in (*motions(a, b, c), Chain(motions(a, b, c))):
        columns = [(motion.pull(points + 1e-4 * e) - motion.pull(points - 1e-4 * e)) / 2e-4 for e in np.eye(3)]
        numerical = np.linalg.det(np.stack(columns, axis=2))
        determinant = motion.jacobian(points)
        assert determinant.min() > 0
        # Levels of the body's outline are joined by straight lines, and a ramp's slope has a kink.
        assert np.median(np.abs(determinant - numerical)) < 1e-5
        assert np.abs(determinant - numerical).max() < 0.02


@given(NUMBERS, NUMBERS, NUMBERS)
@settings(max_examples=25, deadline=None)
def test_push_is_the_inverse_of_pull(a, b, c):
    chain = Chain(motions(a, b, c))
    points = np.random.default_rng(6).uniform(-75, 75, (40, 3))
    assert np.abs(chain.pull(chain.push(points)) - points).max() < 0.01
    assert np.abs(chain.push(chain.pull(points)) - points).max() < 0.01


def test_maps_that_fold_are_refused():
    with pytest.raises(ValueError, match="folds"):
        Bump((40.0, 0.0, 0.0), (0.0, 0.0, 0.0), 20.0)
    with pytest.raises(ValueError, match="folds"):
        Shrinkage(3.0, (0.0, 0.0, 0.0), (9.0, 9.0, 9.0))

    class Fold:
        def pull(self, points):
            return points**2 + 1

    with pytest.raises((ValueError, np.linalg.LinAlgError)):
        Chain([Fold()]).push(np.zeros((1, 3)))


def test_no_change_gives_the_same_voxels_and_masks(patient):
    hu, masks = patient
    same = make_followup(hu, GRID, masks, Change())
    assert (same.hu == hu).all()
    assert all((same.masks[name] == mask).all() for name, mask in masks.items())


def test_a_shift_moves_image_and_contours_alike_and_the_couch_on_its_own(patient):
    hu, masks = patient
    moved = make_followup(hu, GRID, masks, Change(setup_mm=(8.0, 4.0, 0.0), couch_mm=(0.0, 4.0, 0.0)))
    assert (moved.hu[:, 5:38, 5:43] == hu[:, 6:39, 7:45]).all()
    assert (moved.masks["CTV"][:, :-1, :-2] == masks["CTV"][:, 1:, 2:]).all()
    assert (moved.hu[:, 45:47, 8:40] == 150).all()
    assert (moved.hu[:, 44, 8:40] < 0).all()


def test_image_and_contours_move_alike_under_every_change(patient):
    hu, masks = patient
    changed = make_followup(hu, GRID, masks, replace(random_change(masks, 3), noise_hu=0.0))
    for name in masks:
        inside = changed.coverage[name] > 0.99
        assert inside.any()
        assert changed.hu[inside].mean() > 390
    dense = changed.hu > 200
    both = np.logical_or.reduce(list(changed.masks.values()))
    dense[:, 40:] = False
    assert np.count_nonzero(dense & both) * 2 / (dense.sum() + both.sum()) > 0.97


def test_shrinking_loses_the_stated_volume(patient):
    hu, masks = patient
    changed = make_followup(hu, GRID, masks, Change(shrinkage={"CTV": 0.3}))
    lost = 1 - changed.coverage["CTV"].sum() / masks["CTV"].sum()
    assert lost == pytest.approx(0.3, abs=0.05)


def test_weight_loss_brings_the_skin_in_and_keeps_the_middle(patient):
    hu, masks = patient
    changed = make_followup(hu, GRID, masks, Change(weight_loss=0.1))
    before, after = (np.count_nonzero(v[12, :42] > -500) for v in (hu, changed.hu))
    assert 0.75 < after / before < 0.9
    assert changed.motion.pull(np.array([[0.0, -14.0, 0.0]])) == pytest.approx(np.array([[0, -14.0, 0]]), abs=0.2)


def test_the_same_seed_gives_the_same_ct_and_another_seed_another(patient):
    hu, masks = patient
    first, again, other = (make_followup(hu, GRID, masks, random_change(masks, seed)) for seed in (1, 1, 2))
    assert (first.hu == again.hu).all()
    assert first.hu.shape != other.hu.shape or (first.hu != other.hu).any()


def test_later_slices_lie_elsewhere_and_the_scan_is_shorter(patient):
    hu, masks = patient
    change = Change(spacing_z_mm=3.0, offset_z_mm=1.0, cut_mm=(10.0, 20.0))
    later = make_followup(hu, GRID, masks, change)
    assert later.geometry.slice_positions_mm[0] == -46 + 11
    assert later.geometry.slice_spacing_mm == pytest.approx(3.0)
    assert later.geometry.slice_positions_mm[-1] <= 46 - 20
    # Where nothing is cut off the organ keeps its volume on the other slices.
    volume = later.coverage["CTV"].sum() * later.geometry.voxel_volume_mm3
    assert volume == pytest.approx(masks["CTV"].sum() * 64, rel=0.03)


def test_contours_in_contours_out(head_neck):
    body = head_neck.truth["External"]
    chosen = {"External": body, "Parotid_L": head_neck.truth["Parotid_L"]}
    later = make_followup(head_neck.hu, head_neck.geometry, chosen, Change(setup_mm=(0.0, 3.0, 0.0)))
    drawn = later.truth["Parotid_L"]
    before = volume_cc(chosen["Parotid_L"], head_neck.geometry)
    assert volume_cc(drawn, later.geometry) == pytest.approx(before, rel=0.15)
    mask = mask_from_contours(drawn, later.geometry)
    assert np.count_nonzero(mask & later.masks["Parotid_L"]) > 0.9 * np.count_nonzero(later.masks["Parotid_L"])


def test_a_later_ct_is_written_as_dicom_with_its_own_date_and_frame_of_reference(patient, tmp_path):
    hu, masks = patient
    later = make_followup(hu, GRID, masks, Change(noise_hu=8.0))
    described = SeriesDescription("A^B", "1", uid_seed="later", date="20250302", frame_of_reference_uid="1.2.3")
    ct = write_ct_series(later.hu, later.geometry, tmp_path / "CT", described)
    drawn = truth_structures(later, ct)
    assert drawn.names == ("Parotid_L", "CTV")
    assert drawn.frame_of_reference_uid == "1.2.3"
    read = read_ct(scan_folder(tmp_path / "CT", Job())[0], Job())
    assert PatientFacts.of(read).scan_date == "2025-03-02"
    assert (read.hu == later.hu).all()


def test_random_changes_grow_with_the_days():
    early, late = (random_change(("Parotid_L", "PTV_Low", "PTV_High", "Brainstem"), 4, day) for day in (5, 30))
    assert early.weight_loss < late.weight_loss
    assert set(late.shrinkage) == {"Parotid_L", "PTV_High"}
    assert early.shrinkage["PTV_High"] < late.shrinkage["PTV_High"]
    assert early.flexion_deg == late.flexion_deg


def test_a_scan_without_a_body_or_with_an_empty_structure():
    hu = np.full((24, 48, 48), -1024, np.int16)
    later = make_followup(hu, GRID, {"CTV": np.zeros(hu.shape, bool)}, random_change(("CTV",), 1))
    assert not later.coverage
    thin = {"CTV": np.zeros(hu.shape, np.float32)}
    thin["CTV"][3, 4, 5] = 0.2
    assert not make_followup(hu, GRID, thin, Change(shrinkage={"CTV": 0.2})).coverage
