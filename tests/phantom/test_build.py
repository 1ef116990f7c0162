"""Phantoms: anatomy, truth, positions, and what the scanner adds."""

import numpy as np
import pytest

from autocontour.base.errors import Cancelled, UsageError
from autocontour.base.jobs import Job
from autocontour.contouring import mask_from_contours, volume_cc
from autocontour.phantom import PATIENT_POSITIONS, PhantomOptions, build_phantom
from autocontour.phantom.artifacts import correlated_noise
from autocontour.phantom.positions import direction_of
from autocontour.phantom.render import contours_of

from .conftest import CLEAN, GRID

ORGANS = {
    "head-neck": {
        "External", "Brain", "Brainstem", "SpinalCord", "SpinalCanal", "Parotid_L", "Parotid_R", "Bone_Mandible",
        "Larynx",
        "Esophagus", "Trachea", "Eye_L", "Eye_R", "Bone", "Lung_L", "Lung_R", "Glnd_Submand_L", "Glnd_Submand_R",
    },
    "thorax": {
        "External", "Lung_L", "Lung_R", "Heart", "SpinalCord", "SpinalCanal", "Esophagus", "Trachea", "Larynx", "Bone",
        "Liver",
    },
}  # fmt: skip
# Adults, cm³: wide enough for any seed, too narrow for a shape gone wrong.
VOLUMES_CC = {
    "Brain": (1100, 2000), "Brainstem": (18, 42), "Parotid_L": (18, 50), "Parotid_R": (18, 50), "Eye_L": (5, 10),
    "Larynx": (22, 55), "Bone_Mandible": (45, 105), "Heart": (380, 850), "Lung_L": (1300, 3300), "Lung_R": (1500, 3600),
}  # fmt: skip
MEDIAN_HU = {
    "Brain": (20, 45), "Brainstem": (20, 45), "Eye_L": (0, 40), "Parotid_R": (-40, 30), "Lung_L": (-900, -780),
    "Trachea": (-1000, -840), "Heart": (30, 60), "Liver": (45, 70), "SpinalCord": (15, 50), "Esophagus": (10, 60),
    "Bone": (200, 900), "Bone_Mandible": (400, 1400),
}  # fmt: skip


@pytest.fixture(params=["head-neck", "thorax"])
def phantom(request, head_neck, thorax):
    return {"head-neck": head_neck, "thorax": thorax}[request.param]


def test_every_organ_is_there(phantom):
    assert set(phantom.truth) == ORGANS[phantom.site]


def test_volumes_and_levels_are_those_of_an_adult(phantom):
    for name, contours in phantom.truth.items():
        if name in VOLUMES_CC and phantom.site == ("thorax" if name.startswith("Lung") else phantom.site):
            low, high = VOLUMES_CC[name]
            assert low < volume_cc(contours, phantom.geometry) < high, name
        if name in MEDIAN_HU:
            low, high = MEDIAN_HU[name]
            assert low <= np.median(phantom.hu[mask_from_contours(contours, phantom.geometry)]) <= high, name


def test_left_is_left(phantom):
    pairs = [name[:-2] for name in phantom.truth if name.endswith("_L")]
    for organ in pairs:
        left, right = (_middle(phantom, f"{organ}_{side}") for side in "LR")
        assert left[0] > right[0] + 20, organ


def test_organs_lie_where_they_belong(head_neck, thorax):
    brain, brainstem, larynx, cord = (_middle(head_neck, n) for n in ("Brain", "Brainstem", "Larynx", "SpinalCord"))
    eyes = _middle(head_neck, "Eye_L")
    assert brain[2] > brainstem[2] > larynx[2]
    assert eyes[1] < brainstem[1]
    assert larynx[1] < cord[1]
    heart, liver = _middle(thorax, "Heart"), _middle(thorax, "Liver")
    assert heart[0] > liver[0]
    assert heart[2] > liver[2]
    assert _middle(thorax, "Trachea")[1] < _middle(thorax, "Esophagus")[1] < _middle(thorax, "SpinalCord")[1]


def test_structures_lie_inside_the_skin_and_the_cord_in_its_canal(phantom):
    skin = phantom.truth["External"]
    for name, contours in phantom.truth.items():
        outside = sum(polygons.difference(skin[index].buffer(0.05)).area for index, polygons in contours.items())
        assert outside * phantom.geometry.slice_spacing_mm < 200, name  # mm³: bone or gland may reach the skin
    for index, cord in phantom.truth["SpinalCord"].items():
        assert cord.difference(phantom.truth["SpinalCanal"][index].buffer(0.05)).area < 0.5


def test_seeds_differ_and_repeat(head_neck):
    again = build_phantom("head-neck", 4, **GRID, options=CLEAN)
    assert np.array_equal(again.hu, head_neck.hu)
    assert all(again.truth[name] == head_neck.truth[name] for name in head_neck.truth)
    other = build_phantom("head-neck", 5, **GRID, options=CLEAN)
    sizes = [volume_cc(each.truth["Brain"], each.geometry) for each in (head_neck, other)]
    assert abs(sizes[0] - sizes[1]) > 1
    left, right = (volume_cc(other.truth[f"Parotid_{side}"], other.geometry) for side in "LR")
    assert left != pytest.approx(right, rel=1e-3)


def test_the_eye_has_its_analytic_volume(head_neck):
    eye = head_neck.anatomy.truth["Eye_L"]
    low, high = eye.box
    size = np.ceil(high - low + 4).astype(int)[::-1]
    geometry = type(head_neck.geometry).regular(tuple(size.tolist()), (1.0, 1.0, 1.0), low - 1.7)
    assert volume_cc(contours_of(eye, geometry, 0.5), geometry) == pytest.approx(eye.volume_cc, rel=2e-3)


@pytest.mark.parametrize("position", PATIENT_POSITIONS)
def test_directions_are_right_handed(position):
    direction = direction_of(position)
    assert np.linalg.det(direction) == pytest.approx(1)
    assert (direction[2, 2] > 0) == position.startswith("HF")
    assert np.linalg.det(direction_of(position, 3.0)) == pytest.approx(1)


@pytest.fixture(scope="module")
def cubic():
    """A grid that every position can lay over the same points."""
    return {"spacing_zyx_mm": (10.0, 6.0, 6.0), "shape_zyx": (16, 80, 80)}


@pytest.fixture(scope="module")
def supine(cubic):
    return build_phantom("head-neck", 6, **cubic, options=CLEAN)


@pytest.mark.parametrize("position", [p for p in PATIENT_POSITIONS if p != "HFS"])
def test_the_same_anatomy_in_every_position(position, supine, cubic):
    turned = build_phantom("head-neck", 6, **cubic, position=position, options=CLEAN)
    assert set(turned.truth) == set(supine.truth)
    difference = np.abs(_to_lps(turned).astype(int) - _to_lps(supine))
    assert np.percentile(difference, 99.9) <= 2
    for name in ("Brain", "Parotid_L", "SpinalCord"):
        assert _middle(turned, name) == pytest.approx(_middle(supine, name), abs=0.05)


def test_oblique_slices_show_the_same_patient(supine, cubic):
    options = PhantomOptions(noise_hu=0.0, couch=False, oblique_deg=3.0)
    oblique = build_phantom("head-neck", 6, **cubic, options=options)
    assert oblique.geometry.direction[2, 2] == pytest.approx(np.cos(np.radians(3)))
    for name in ("Brain", "Brainstem", "Parotid_R"):
        volumes = [volume_cc(each.truth[name], each.geometry) for each in (supine, oblique)]
        assert volumes[0] == pytest.approx(volumes[1], rel=0.05), name
        assert _middle(oblique, name) == pytest.approx(_middle(supine, name), abs=2.5), name


def test_noise_has_the_level_and_texture_asked_for():
    noise = correlated_noise((256, 256), (1.0, 1.0), np.random.default_rng(1))
    assert noise.std() == pytest.approx(1, abs=0.05)
    neighbours = np.corrcoef(noise[:, :-1].ravel(), noise[:, 1:].ravel())[0, 1]
    assert 0.2 < neighbours < 0.8
    power = np.abs(np.fft.fft2(noise)) ** 2
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(256), np.fft.fftfreq(256)))
    # A CT's noise is weak at low frequencies, unlike blurred white noise.
    assert power[frequency < 0.03].mean() < 0.5 * power[(frequency > 0.12) & (frequency < 0.25)].mean()


def test_couch_mask_metal_and_contrast():
    grid = {"spacing_zyx_mm": (6.0, 5.0, 5.0), "shape_zyx": (8, 100, 100)}
    bare = build_phantom("head-neck", 3, **grid, options=CLEAN)
    full = build_phantom("head-neck", 3, **grid, options=PhantomOptions(0.0, True, True, True, True))
    skin = mask_from_contours(full.truth["External"], full.geometry)
    assert (
        (full.hu[~skin] > -600).sum()
        > 500
        > (bare.hu[~mask_from_contours(bare.truth["External"], bare.geometry)] > -300).sum()
    )
    assert bare.hu.max() < 3071 < full.hu.max()
    volumes = [volume_cc(each.truth["Bone_Mandible"], each.geometry) for each in (bare, full)]
    assert volumes[0] == pytest.approx(volumes[1], rel=0.01)


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"site": "pelvis"}, "AC-US-020"),
        ({"position": "LFS"}, "AC-US-020"),
        ({"spacing_zyx_mm": (0, 1, 1)}, "AC-US-021"),
    ],
)
def test_what_cannot_be_built_is_refused(wrong, code):
    with pytest.raises(UsageError) as refused:
        build_phantom(**{"site": "thorax", **wrong})
    assert refused.value.code == code


def test_it_can_be_cancelled():
    job = Job()
    job.cancel()
    with pytest.raises(Cancelled):
        build_phantom("thorax", 0, **GRID, job=job)


def _middle(phantom, name):
    """Centre of gravity, LPS mm."""
    geometry, parts = phantom.geometry, []
    for index, polygons in phantom.truth[name].items():
        center = polygons.centroid
        parts.append((center.x, center.y, geometry.slice_positions_mm[index], polygons.area))
    parts = np.array(parts)
    return geometry.to_patient(np.average(parts[:, :3], axis=0, weights=parts[:, 3])[None])[0]


def _to_lps(phantom):
    """The voxels with axes z, y, x of the patient, all ascending."""
    axes_uvw = np.abs(phantom.geometry.direction).argmax(axis=1)  # for each of x, y, z of the patient
    signs = [phantom.geometry.direction[row, axis] for row, axis in enumerate(axes_uvw)]
    turned = phantom.hu.transpose([2 - axes_uvw[row] for row in (2, 1, 0)])
    return turned[tuple(slice(None, None, 1 if signs[row] > 0 else -1) for row in (2, 1, 0))]
