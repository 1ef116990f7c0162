"""Corrected slices carried through a structure."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from shapely import MultiPolygon
from shapely.affinity import scale

from autocontour.base.errors import FollowError
from autocontour.contouring import interpolate_contours
from autocontour.models.follow.channels import CHANNELS, NETWORK, WINDOW_ZYX, Corrected, build_channels
from autocontour.models.follow.decision import Blend, Decision, Tried
from autocontour.models.follow.follow import DOUBT, FAR_MM, NEAR_MM, Scan, follow_slices, prepare_scan
from autocontour.models.follow.network import FOLDER, open_network, read_weights
from autocontour.models.networks import plan_network
from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.structures import Contours
from autocontour.patient.volume import CTVolume
from tests.models.follow.conftest import adding, build_ct, disc, radius_mm

HFS, HFP, FFS = np.eye(3), np.diag([-1.0, -1.0, 1.0]), np.diag([-1.0, 1.0, -1.0])


def test_an_untrained_network_changes_nothing(scan: Scan, automatic: Contours) -> None:
    followed = follow_slices(scan, {20: disc(22)}, automatic, adding(0))
    assert not followed.changes
    assert [finding.code for finding in followed.findings] == ["AC-FO-012"]


@pytest.mark.parametrize("direction", [HFS, HFP, FFS])
def test_the_outline_moves_by_what_the_network_adds(direction: np.ndarray) -> None:
    """In every patient position, on the sides and slices of the structure itself."""
    prepared = prepare_scan(build_ct(direction))
    automatic = {k: disc(18, 30, -15) for k in range(12, 29)}
    followed = follow_slices(prepared, {20: disc(22, 30, -15)}, automatic, adding(1 + DOUBT))
    assert set(followed.changes) == {k for k in automatic if 0 < 3 * abs(k - 20) <= NEAR_MM}
    for k in range(14, 27):
        if k != 20:
            shape = followed.changes[k]
            assert shape is not None
            assert radius_mm(shape) == pytest.approx(20, abs=0.15)
            assert shape.centroid.distance(shapely.Point(30, -15)) < 0.1


def test_a_slice_far_from_every_corrected_one_stays_unless_the_structure_has_ended(
    scan: Scan, automatic: Contours
) -> None:
    corrected = {13: disc(22), 15: disc(22)}
    assert max(follow_slices(scan, corrected, automatic, adding(3)).changes) == 15 + NEAR_MM // 3
    ended = follow_slices(scan, corrected, automatic, adding(3), ends=True).changes
    assert {k for k, shape in ended.items() if shape is None} == {12, *range(16, 29)}


def test_an_asymmetric_change_is_on_the_right_side(scan: Scan, automatic: Contours) -> None:
    def grows_to_the_left(channels: np.ndarray) -> np.ndarray:
        result = np.zeros(channels.shape[1:], np.float32)
        inside = np.argwhere(channels[2] > 0)
        result[..., round(inside[:, 2].mean()) :] = 2
        return result

    for direction in (HFS, HFP, FFS):
        prepared = prepare_scan(build_ct(direction))
        followed = follow_slices(prepared, {20: disc(22)}, automatic, grows_to_the_left)
        shape = followed.changes[16]
        assert shape is not None
        left = prepared.ct.geometry.to_patient([[*shape.centroid.coords[0], 0.0], [20.0, 10.0, 0.0]])[:, 0]
        assert left[0] > left[1] + 1, direction


def test_corrected_slices_are_never_changed(scan: Scan, automatic: Contours) -> None:
    followed = follow_slices(scan, {12: None, 20: disc(22), 25: disc(10)}, automatic, adding(2))
    assert not {12, 20, 25} & set(followed.changes)


def test_from_nothing_the_untrained_network_interpolates(scan: Scan) -> None:
    drawn = {12: disc(10), 20: disc(18, 30), 28: disc(12)}
    followed = follow_slices(scan, drawn, None, adding(0))
    for k, expected in interpolate_contours(drawn, scan.ct.geometry).items():
        if k not in drawn:
            shape = followed.changes[k]
            assert shape is not None
            assert shape.intersection(expected).area > 0.96 * max(shape.area, expected.area)


def test_from_nothing_it_ends_at_the_outermost_slices(scan: Scan) -> None:
    followed = follow_slices(scan, {15: disc(18), 20: disc(18)}, None, adding(5))
    assert set(followed.changes) == {16, 17, 18, 19}


def test_a_slice_marked_empty_is_an_end(scan: Scan) -> None:
    followed = follow_slices(scan, {15: disc(14), 20: disc(14), 24: None}, None, adding(0))
    assert max(followed.changes) in (21, 22)


def test_with_automatic_contours_a_slice_corrected_to_nothing_is_an_end(scan: Scan, automatic: Contours) -> None:
    """Nothing is drawn beyond it, whatever the network wants; what is automatic there is deleted."""
    followed = follow_slices(scan, {20: disc(20), 25: None}, automatic, adding(3))
    assert {k for k, shape in followed.changes.items() if shape is None} == {26, 27, 28}
    assert not [k for k, shape in followed.changes.items() if shape is not None and k > 25]
    assert followed.changes[14] is not None


def test_stated_ends_delete_what_is_beyond_and_nothing_grows_there(scan: Scan, automatic: Contours) -> None:
    corrected = {10: disc(20), 20: disc(20), 25: disc(20)}
    followed = follow_slices(scan, corrected, automatic, adding(3), ends=True)
    assert {k for k, shape in followed.changes.items() if shape is None} == {26, 27, 28}
    assert {k for k, shape in followed.changes.items() if shape} == set(range(12, 25)) - {20}
    with pytest.raises(FollowError) as refused:
        follow_slices(scan, {20: disc(20), 24: None}, automatic, adding(3), ends=True)
    assert refused.value.code == "AC-FO-007"


def test_a_structure_that_fills_the_scan_has_no_slices_beyond_its_ends(scan: Scan) -> None:
    automatic = {k: disc(18) for k in range(40)}
    followed = follow_slices(scan, {0: disc(22), 39: disc(22)}, automatic, adding(3), ends=True)
    assert all(shape is not None for shape in followed.changes.values())


def test_another_piece_is_not_ended(scan: Scan) -> None:
    automatic = {k: disc(18) for k in (*range(8, 17), *range(22, 30))}
    followed = follow_slices(scan, {12: disc(20), 15: None}, automatic, adding(0))
    assert followed.changes[16] is None
    assert not set(followed.changes) & set(range(17, 40))


def test_a_gap_in_the_middle_ends_nothing(scan: Scan, automatic: Contours) -> None:
    gap = follow_slices(scan, {14: disc(20), 20: None, 26: disc(20)}, automatic, adding(3))
    assert all(gap.changes[k] is not None for k in (17, 23, 28))


@pytest.mark.parametrize("slices", [(20,), (27, 28)])
def test_from_deleted_slices_alone_nothing_is_proposed(
    scan: Scan, automatic: Contours, slices: tuple[int, ...]
) -> None:
    """The program's own network would shrink the whole structure towards a slice that was deleted to be redrawn."""
    followed = follow_slices(scan, dict.fromkeys(slices), automatic, adding(-3))
    assert not followed.changes
    assert [finding.code for finding in followed.findings] == ["AC-FO-015"]


def test_a_hole_that_is_lost_is_named_with_its_slices(scan: Scan, automatic: Contours) -> None:
    ring = MultiPolygon([next(iter(disc(20).geoms)).difference(next(iter(disc(9).geoms)))])
    lost = follow_slices(scan, {16: ring, 20: ring, 24: disc(20)}, automatic, adding(2))
    (finding,) = [one for one in lost.findings if one.code == "AC-FO-016"]
    assert set(finding.slices) == {17, 18, 19}
    kept = follow_slices(scan, {16: ring, 20: ring}, None, adding(0))
    assert all(len(next(iter(kept.changes[k].geoms)).interiors) == 1 for k in (17, 18, 19))  # type: ignore[union-attr]
    assert not kept.findings


def test_the_end_of_the_scan_is_stated(scan: Scan) -> None:
    followed = follow_slices(scan, {6: disc(21)}, {k: disc(18) for k in range(2, 12)}, adding(7.2))
    assert 0 in followed.changes
    assert "AC-FO-014" in [finding.code for finding in followed.findings]
    assert min(followed.changes) >= 0


def test_a_far_move_is_named_with_its_slices(scan: Scan, automatic: Contours) -> None:
    followed = follow_slices(scan, {20: disc(34)}, automatic, adding(5.9))
    far = [finding for finding in followed.findings if finding.code == "AC-FO-010"]
    assert far
    assert set(far[0].slices) == {k for k, moved in followed.moved_mm.items() if moved > FAR_MM}


def test_nothing_is_proposed_outside_the_body(scan: Scan) -> None:
    followed = follow_slices(scan, {15: disc(9, 115, 0), 20: disc(9, 115, 0)}, None, adding(0))
    assert not followed.changes
    assert [finding.code for finding in followed.findings] == ["AC-FO-013"]


def test_a_proposal_ends_at_the_skin(scan: Scan) -> None:
    followed = follow_slices(scan, {12: disc(20, 82, 0), 20: disc(20, 82, 0)}, None, adding(3))
    assert max(shape.bounds[2] for shape in followed.changes.values() if shape) < 100 + 2 * 4


def test_a_neighbour_on_the_other_side_is_not_captured(scan: Scan) -> None:
    """The network wants a second organ: without contact to the corrected one it is dropped."""

    def finds_another(channels: np.ndarray) -> np.ndarray:
        result = np.zeros(channels.shape[1:], np.float32)
        result[:, 20:26, 2:8] = 20
        return result

    followed = follow_slices(scan, {15: disc(12, 30), 20: disc(12, 30)}, None, finds_another)
    assert all(len(shape.geoms) == 1 for shape in followed.changes.values() if shape is not None)


def test_both_parts_of_a_structure_follow(scan: Scan) -> None:
    both = MultiPolygon([*disc(12, 45).geoms, *disc(12, -45).geoms])
    followed = follow_slices(scan, {12: both, 20: both}, None, adding(0))
    assert all(len(followed.changes[k].geoms) == 2 for k in range(13, 20))  # type: ignore[union-attr]


def test_a_confirmed_slice_alone_suggests_nothing(scan: Scan, automatic: Contours) -> None:
    followed = follow_slices(scan, {20: automatic[20]}, automatic, adding(3))
    assert not followed.changes


def test_a_long_and_wide_structure_is_covered(scan: Scan) -> None:
    """Larger than the network's window along every axis."""
    prepared = prepare_scan(build_ct(slices=70))
    wide = scale(disc(45, 0, 0), 1.9, 1.9, origin=(0, 0))
    automatic = dict.fromkeys(range(4, 66), wide)
    corrected = {k: scale(wide, 1.05, 1.05) for k in range(4, 66, 10)}
    followed = follow_slices(prepared, corrected, automatic, adding(1 + DOUBT / len(corrected)))
    assert set(range(5, 64)) - set(corrected) <= set(followed.changes)
    assert {round(radius_mm(shape)) for k, shape in followed.changes.items() if shape and 5 < k < 65} <= {87, 88}


def test_thin_and_missing_slices_count_by_position() -> None:
    """A gap in a thin scan: outlines are interpolated by mm, not by number."""
    ct = build_ct(slices=90, step_mm=1.0)
    kept = [k for k in range(90) if not 40 <= k < 50]
    origins = ct.geometry.slice_origins_lps_mm[kept]
    geometry = VolumeGeometry(128, 128, ct.geometry.pixel_spacing_vu_mm, ct.geometry.direction, origins)
    prepared = prepare_scan(CTVolume(ct.hu[kept], geometry))
    followed = follow_slices(prepared, {20: disc(10), 70: disc(22)}, None, adding(0))  # at 20 and at 80 mm
    for k in (30, 39, 40, 60):
        shape = followed.changes[k]
        assert shape is not None
        position = geometry.slice_positions_mm[k]
        assert radius_mm(shape) == pytest.approx(10 + 12 * (position - 20) / 60, abs=0.5)


@pytest.mark.parametrize(
    ("corrected", "automatic", "code"),
    [
        ({}, {}, "AC-FO-004"),
        ({5: None}, {}, "AC-FO-004"),
        ({99: disc(9)}, {}, "AC-FO-005"),
        ({}, {3: disc(9)}, "AC-FO-004"),
    ],
)
def test_wrong_slices_are_refused(scan: Scan, corrected: Contours, automatic: Contours, code: str) -> None:
    with pytest.raises(FollowError) as refused:
        follow_slices(scan, corrected, automatic, adding(0))
    assert refused.value.code == code


def test_a_proposal_that_is_not_likely_to_help_says_so(scan: Scan, automatic: Contours) -> None:
    wary = Decision.of_card({"decision": {"weights": [0, -100, 0, 0, 0], "bias": 2, "least": 0.5}})
    small = follow_slices(scan, {20: disc(22)}, {20: disc(18)}, adding(1.2), wary)
    large = follow_slices(scan, {20: disc(22)}, automatic, adding(4), wary)
    assert not large.is_likely
    assert large.changes
    assert "AC-FO-011" in [finding.code for finding in large.findings]
    assert small.is_likely
    assert Decision.of_card({}) is None


def test_a_structure_too_large_is_refused(scan: Scan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autocontour.models.follow.follow.MOST_TILES", 0)
    with pytest.raises(FollowError, match="too large"):
        follow_slices(scan, {3: disc(9)}, None, adding(0))


def test_a_sagittal_scan_and_one_without_a_body_are_refused() -> None:
    sagittal = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    with pytest.raises(FollowError, match="axial"):
        prepare_scan(build_ct(sagittal))
    empty = build_ct()
    with pytest.raises(FollowError, match="No body"):
        prepare_scan(CTVolume(np.full_like(empty.hu, -1000), empty.geometry))


def test_the_channels_hold_what_is_known() -> None:
    hu = np.zeros((4, 8, 8), np.float32)
    drawn = np.stack([np.full((8, 8), 6.0, np.float32), np.full((8, 8), -6.0, np.float32)])
    corrected = Corrected(np.array([0.0, 7.5]), drawn, drawn + 3)
    channels = build_channels(hu, np.array([0.0, 2.5, 5.0, 10.0]), corrected, np.zeros_like(hu))
    assert channels.shape == (CHANNELS, 4, 8, 8)
    assert channels[6, :, 0, 0].tolist() == pytest.approx([0.5, 1 / 6, -1 / 6, -0.5])
    assert channels[7, :, 0, 0].tolist() == pytest.approx([-0.25] * 4)
    assert channels[8, :, 0, 0].tolist() == pytest.approx([1, np.exp(-1 / 6), np.exp(-1 / 3), np.exp(-1 / 6)])
    assert channels[9, :, 0, 0].tolist() == pytest.approx([1, np.exp(-1 / 3), np.exp(-1 / 6), 0])


def test_the_bundled_network_runs_and_is_small() -> None:
    network = open_network()
    result = network(np.zeros((CHANNELS, *WINDOW_ZYX), np.float32))
    assert result.shape == WINDOW_ZYX
    assert np.isfinite(result).all()
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 5e6
    plan_network(NETWORK, WINDOW_ZYX)


def test_damaged_weights_are_refused(tmp_path) -> None:
    with pytest.raises(FollowError) as refused:
        read_weights(tmp_path)
    assert refused.value.code == "AC-FO-001"
    for path in FOLDER.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    damaged = bytearray((tmp_path / "follow.safetensors").read_bytes())
    damaged[-100] ^= 1
    (tmp_path / "follow.safetensors").write_bytes(damaged)
    with pytest.raises(FollowError, match="SHA-256"):
        read_weights(tmp_path)


def test_a_result_that_is_not_a_number_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    network = open_network()
    monkeypatch.setattr(network, "_compiled", lambda _: {0: np.full((1, 1, 2, 2, 2), np.nan, np.float32)})
    with pytest.raises(Exception, match="NaN"):
        network(np.zeros((CHANNELS, *WINDOW_ZYX), np.float32))


@pytest.mark.parametrize("is_automatic", [True, False])
def test_between_corrected_slices_a_part_of_the_proposal_is_interpolated(scan: Scan, is_automatic: bool) -> None:
    half = Blend.of_card({"blend": {"automatic": [0, 0, 0], "nothing": [0, 0, 0]}})
    corrected = {14: disc(22), 26: disc(22)}
    automatic = {k: disc(18) for k in range(12, 29)} if is_automatic else None
    plain, blended = (follow_slices(scan, corrected, automatic, adding(2.3), None, one) for one in (None, half))
    alone = {k: radius_mm(shape) for k, shape in plain.changes.items() if shape}
    for k in range(15, 26):
        shape = blended.changes[k]
        assert shape is not None
        assert radius_mm(shape) == pytest.approx((alone[k] + 22) / 2, abs=0.2)
    if is_automatic:
        assert blended.changes[12] == plain.changes[12]
    assert Blend.of_card({}) is None


def test_the_better_interpolation_draws_a_corrected_slice_the_more_of_it_is_used(scan: Scan) -> None:
    """Each slice between two others is left out in turn."""
    learnt = Blend((0, 6, -1), (0, 6, -1))
    steady = {k: disc(15 + k / 4) for k in (8, 14, 20, 26)}
    bulging = {8: disc(10), 17: disc(24), 26: disc(10)}
    shares = []
    for drawn in (steady, bulging):
        alone, blended = (follow_slices(scan, drawn, None, adding(2), None, one).changes[12] for one in (None, learnt))
        between = interpolate_contours(drawn, scan.ct.geometry)[12]
        shares.append((radius_mm(alone) - radius_mm(blended)) / (radius_mm(alone) - radius_mm(between)))  # type: ignore[arg-type]
    assert shares[0] > 0.9
    assert shares[1] < 0.5
    gaps = np.array([0.0, 10.0, 40.0])
    none, near, far = learnt.shares(gaps, Tried(0.5, 20.0), is_automatic=True)
    assert none == 0
    assert near == 0.5 > far
    assert (learnt.shares(gaps, Tried(), is_automatic=False)[1:] < 0.5).all()


def test_the_network_of_the_program_states_its_blend_and_its_decision() -> None:
    source = read_weights()
    assert source.blend is not None
    assert source.decision is not None
