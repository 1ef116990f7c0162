"""Structures drawn without training, on patients made of ellipses that are known exactly."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from autocontour.base.errors import Cancelled
from autocontour.base.jobs import Job
from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.volume import CTVolume
from autocontour.rules import NAMES, draw_structures

POSITIONS = ("HFS", "HFP", "FFS", "FFP", "HFDR", "HFDL", "FFDR", "FFDL", "coronal slices")
PAIRED = ("External", "Lung_L", "Lung_R", "Trachea", "SpinalCanal")


@pytest.mark.parametrize("position", POSITIONS)
def test_same_anatomy_and_sides_in_every_position(thorax, dsc, position):
    drawn = draw_structures(thorax.ct(position), NAMES, Job())
    for name in PAIRED:
        assert dsc(thorax.masks_of(drawn[name].contours, position), thorax.truth[name]) > 0.99, name


def test_external_has_arms_and_no_couch_and_no_holes(thorax):
    external = draw_structures(thorax.ct(), ["External"], Job())["External"].contours
    mask = thorax.masks_of(external)
    arms = np.abs(np.arange(mask.shape[2]) - (mask.shape[2] - 1) / 2) * 3 > 180
    assert mask[:, :, arms].any(axis=(1, 2)).all()
    assert not mask[:, 96:].any(), "the couch begins there"
    assert all(not polygon.interiors for multi in external.values() for polygon in multi.geoms)


def test_contours_are_valid_multipolygons_on_the_slices(thorax):
    ct = thorax.ct()
    for drawing in draw_structures(ct, NAMES, Job()).values():
        assert set(drawing.contours) <= set(range(len(ct.hu)))
        for multi in drawing.contours.values():
            assert multi.geom_type == "MultiPolygon"
            assert multi.is_valid
            assert not multi.is_empty


def test_outline_is_sub_voxel():
    """A cylinder whose partial volume is exact comes out with its own area, far better than voxels could."""
    y, x = np.ogrid[:100, :100]
    covered = np.clip(61.7 / 2 + 0.5 - np.hypot(y - 50.3, x - 49.6), 0, 1)
    hu = np.broadcast_to(np.rint(-1000 + 1000 * covered).astype(np.int16), (20, 100, 100)).copy()
    ct = CTVolume(hu, VolumeGeometry.regular(hu.shape, (3.0, 3.0, 3.0)))
    external = draw_structures(ct, ["External"], Job())["External"].contours
    expected_mm2 = np.pi * (61.7 / 2 * 3) ** 2
    assert len(external) == 20
    assert max(abs(multi.area / expected_mm2 - 1) for multi in external.values()) < 0.002


@pytest.mark.parametrize("gap_mm", [-6.0, 0.0])
def test_lungs_that_touch_are_parted(make_thorax, dsc, gap_mm):
    toy = make_thorax(gap_mm=gap_mm)
    drawn = draw_structures(toy.ct(), ["Lung_L", "Lung_R", "Lungs"], Job())
    for name in ("Lung_L", "Lung_R"):
        assert dsc(toy.masks_of(drawn[name].contours), toy.truth[name]) > 0.97
    both = sum(multi.area for multi in drawn["Lungs"].contours.values())
    shared = [
        drawn["Lung_L"].contours[k].intersection(drawn["Lung_R"].contours[k]).area
        for k in set(drawn["Lung_L"].contours) & set(drawn["Lung_R"].contours)
    ]
    assert sum(shared) < 0.001 * both


@pytest.mark.parametrize("position", ["HFS", "FFP"])
def test_a_single_lung_is_named_by_its_side(make_thorax, position):
    toy = make_thorax(left_lung=False)
    drawn = draw_structures(toy.ct(position), ["Lung_L", "Lung_R"], Job())
    assert set(drawn) == {"Lung_R"}
    assert "AC-RU-003" in {finding.code for finding in drawn["Lung_R"].findings}


def test_windpipe_is_not_lung(thorax):
    drawn = draw_structures(thorax.ct(), ["Lung_L", "Lung_R"], Job())
    for drawing in drawn.values():
        assert not (thorax.masks_of(drawing.contours) & thorax.truth["Trachea"]).any()


def test_vessels_belong_to_the_lung_and_a_solid_mass_does_not(thorax):
    lung = thorax.masks_of(draw_structures(thorax.ct(), ["Lung_L"], Job())["Lung_L"].contours)
    vessels = thorax.truth["Lung_L"] & (thorax.hu == 45)
    assert vessels.any()
    assert (lung & vessels).sum() > 0.97 * vessels.sum()

    hu = thorax.hu.copy()
    z, y, x = (np.argwhere(thorax.truth["Lung_R"]).mean(axis=0)).astype(int)
    hu[z - 8 : z + 8, y - 8 : y + 8, x - 8 : x + 8] = 45
    right = draw_structures(CTVolume(hu, thorax.ct().geometry), ["Lung_R"], Job())["Lung_R"].contours
    assert not thorax.masks_of(right)[z - 5 : z + 5, y - 5 : y + 5, x - 5 : x + 5].any()


def test_head_has_a_trachea_and_no_lung(head, dsc):
    drawn = draw_structures(head.ct(), NAMES, Job())
    assert set(drawn) == {"External", "Trachea", "Bone"}
    assert dsc(head.masks_of(drawn["Trachea"].contours), head.truth["Trachea"]) > 0.97
    assert dsc(head.masks_of(drawn["External"].contours), head.truth["External"]) > 0.99


def test_bowel_gas_is_neither_lung_nor_trachea(abdomen, dsc):
    drawn = draw_structures(abdomen.ct(), NAMES, Job())
    assert set(drawn) == {"External", "SpinalCanal", "Bone"}
    assert dsc(abdomen.masks_of(drawn["External"].contours), abdomen.truth["External"]) > 0.99


def test_bone_holds_marrow_and_leaves_the_canal_free(thorax):
    drawn = draw_structures(thorax.ct(), ["Bone", "SpinalCanal"], Job())
    bone = thorax.masks_of(drawn["Bone"].contours)
    hard = (thorax.hu >= 180) & (thorax.hu != 50)
    assert (bone & hard).sum() > 0.97 * hard.sum()
    assert (bone & ~hard).sum() < 0.1 * bone.sum()
    for k, canal in drawn["SpinalCanal"].contours.items():
        assert drawn["Bone"].contours[k].intersection(canal).area < 1e-6


def test_only_what_is_asked_for(thorax):
    assert set(draw_structures(thorax.ct(), ["Lung_R", "Heart"], Job())) == {"Lung_R"}


def test_same_contours_twice(thorax):
    once, again = (draw_structures(thorax.ct(), NAMES, Job()) for _ in range(2))
    assert list(once) == list(again)
    for name, drawing in once.items():
        assert shapely.equals_exact(list(drawing.contours.values()), list(again[name].contours.values()), 0.0).all()


@pytest.mark.parametrize("hu", [-1000, 0, 3071])
def test_a_volume_without_anatomy(hu):
    voxels = np.full((6, 40, 40), hu, np.int16)
    ct = CTVolume(voxels, VolumeGeometry.regular(voxels.shape, (3.0, 2.0, 2.0)))
    assert set(draw_structures(ct, NAMES, Job())) <= {"External", "Bone"}


@settings(max_examples=12, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 9), st.integers(2, 40), st.integers(2, 40)),
    spacing=st.tuples(*[st.sampled_from([0.4, 1.0, 2.5, 6.0])] * 3),
    seed=st.integers(0, 99),
)
def test_any_volume_gives_valid_contours_or_none(shape, spacing, seed):
    rng = np.random.default_rng(seed)
    hu = rng.choice(np.array([-3024, -1000, -850, -90, 40, 300, 3071], np.int16), shape)
    for drawing in draw_structures(CTVolume(hu, VolumeGeometry.regular(shape, spacing)), NAMES, Job()).values():
        assert all(multi.is_valid and not multi.is_empty for multi in drawing.contours.values())


def test_noise_and_metal_change_little(thorax, dsc):
    rng = np.random.default_rng(1)
    hu = thorax.hu + rng.normal(0, 40, thorax.hu.shape)
    z, y, x = np.ogrid[: hu.shape[0], : hu.shape[1], : hu.shape[2]]
    for x0 in (30, 140):
        hu[((z - 36) ** 2 + (y - 60) ** 2 + (x - x0) ** 2) < 9] = 20000
    hu[34:38, 60] += 400 * np.sin(np.arange(hu.shape[2]))
    hu = np.clip(hu, -3024, 32767).astype(np.int16)
    drawn = draw_structures(CTVolume(hu, thorax.ct().geometry), PAIRED, Job())
    for name in PAIRED:
        assert dsc(thorax.masks_of(drawn[name].contours), thorax.truth[name]) > (0.9 if name == "SpinalCanal" else 0.97)


def test_padding_outside_the_field_of_view_is_air(thorax, dsc):
    hu = thorax.hu.copy()
    y, x = np.ogrid[: hu.shape[1], : hu.shape[2]]
    hu[:, np.hypot(y - 59.5, x - 83.5) > 86] = -3024
    drawn = draw_structures(CTVolume(hu, thorax.ct().geometry), ["External"], Job())
    assert dsc(thorax.masks_of(drawn["External"].contours), thorax.truth["External"]) > 0.98


def test_mask_is_left_out_or_taken_in_as_asked(head):
    hu = head.hu.copy()
    z, y, x = ((np.arange(n) - (n - 1) / 2) * 3 for n in hu.shape)
    z, y, x = z[:, None, None], y[:, None], x
    radius = np.sqrt(((z - 40) / 68) ** 2 + (y / 90) ** 2 + (x / 75) ** 2)
    shell = (radius > 1.13) & (radius < 1.18) & (y < 20) & (z > 0)
    hu[shell] = -100
    ct = CTVolume(hu, head.ct().geometry)
    without = head.masks_of(draw_structures(ct, ["External"], Job())["External"].contours)
    within = head.masks_of(draw_structures(ct, ["External"], Job(), with_mask=True)["External"].contours)
    assert (without & shell).sum() < 0.02 * shell.sum()
    assert (within & shell).sum() > 0.95 * shell.sum()
    assert (within & head.truth["External"]).sum() > 0.99 * head.truth["External"].sum()


def test_findings_say_what_is_cut_off(thorax):
    box = (slice(20, 50), slice(None), slice(30, None))
    hu = np.ascontiguousarray(thorax.hu[box])
    ct = CTVolume(hu, VolumeGeometry.regular(hu.shape, (3.0, 3.0, 3.0)))
    drawn = draw_structures(ct, ["External", "Lung_L"], Job())
    assert "AC-RU-002" in {finding.code for finding in drawn["External"].findings}
    cut = next(f for f in drawn["Lung_L"].findings if f.code == "AC-RU-001")
    assert "first and the last" in cut.message
    assert cut.slices == (0, 29)
    (edge,) = (f.slices for f in drawn["External"].findings if f.code == "AC-RU-002")
    assert edge == tuple(range(30))  # the image is cut through the patient on every slice


def test_a_windpipe_that_ends_above_its_fork_is_reported(thorax):
    whole = draw_structures(thorax.ct(), ["Trachea"], Job())["Trachea"]
    hu = thorax.hu.copy()
    hu[:45, 50:64, 66:102] = 45  # fork and bronchi filled
    blocked = draw_structures(CTVolume(hu, thorax.ct().geometry), ["Trachea"], Job())["Trachea"]
    assert next(f for f in blocked.findings if f.code == "AC-RU-006").slices == (min(blocked.contours),)
    assert "AC-RU-006" not in {finding.code for finding in whole.findings}


def test_cancel_stops_the_work(thorax):
    job = Job()
    job.cancel()
    with pytest.raises(Cancelled):
        draw_structures(thorax.ct(), NAMES, job)


def with_lungs_that_reach_back(thorax):
    """Return the voxels of a flat chest with air beside the spine on all slices of the lungs, as in sound patients."""
    whole = thorax.hu.copy()
    whole[:, :62][whole[:, :62] == -850] = 45
    slices = np.flatnonzero((whole == -850).any(axis=(1, 2)))
    for columns in (slice(61, 73), slice(95, 107)):
        whole[slices[0] : slices[-1] + 1, 76:90, columns] = -850
    return whole


def test_consolidated_lung_at_the_back_is_reported(thorax):
    whole = with_lungs_that_reach_back(thorax)
    hu = whole.copy()
    hu[15:55, 74:91, 94:] = np.where(hu[15:55, 74:91, 94:] == -850, 20, hu[15:55, 74:91, 94:])
    drawn = draw_structures(CTVolume(hu, thorax.ct().geometry), ["Lung_L", "Lung_R", "Lungs"], Job())
    codes = {name: {finding.code for finding in drawing.findings} for name, drawing in drawn.items()}
    assert "AC-RU-016" in codes["Lung_L"] & codes["Lungs"]
    assert "AC-RU-016" not in codes["Lung_R"]
    sound = draw_structures(CTVolume(whole, thorax.ct().geometry), ["Lung_L", "Lung_R"], Job())
    assert not any(finding.code == "AC-RU-016" for drawing in sound.values() for finding in drawing.findings)


def test_fluid_behind_both_lungs_is_reported(thorax):
    """The lungs are compared with each other, and were sound if both had it."""
    hu = with_lungs_that_reach_back(thorax)
    hu[15:55, 74:91] = np.where(hu[15:55, 74:91] == -850, 20, hu[15:55, 74:91])
    drawn = draw_structures(CTVolume(hu, thorax.ct().geometry), ["Lung_L", "Lung_R", "Lungs"], Job())
    codes = {name: {finding.code for finding in drawing.findings} for name, drawing in drawn.items()}
    assert "AC-RU-016" in codes["Lung_L"] & codes["Lung_R"] & codes["Lungs"]
