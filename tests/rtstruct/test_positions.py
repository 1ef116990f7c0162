"""Eight patient positions: the same shape, laid in the patient where it belongs, in every one of them."""

from __future__ import annotations

import numpy as np
import pytest

from autocontour.contouring import mask_from_contours
from autocontour.rtstruct import read_structure_set, write_structure_set

POSITIONS = ["HFS", "HFP", "HFDR", "HFDL", "FFS", "FFP", "FFDR", "FFDL"]


@pytest.mark.parametrize("position", POSITIONS)
def test_round_trip_in_every_patient_position(position, make, tmp_path):
    ct = make.ct(make.geometry(make.orientations[position]))
    masks = make.masks()
    path = tmp_path / "RS.dcm"
    write_structure_set(make.set(ct), ct, path)
    assert make.dciodvfy(path) == []
    filled = make.fill(path, ct)
    read = read_structure_set(path, ct)
    for name, mask in masks.items():
        assert np.array_equal(filled[name], mask), name
        assert np.array_equal(mask_from_contours(read[name].contours, ct.geometry), mask), name


@pytest.mark.parametrize("position", POSITIONS)
def test_left_stays_left(position, make, tmp_path):
    """A structure on the patient's left has greater x, whatever the array's axes do."""
    ct = make.ct(make.geometry(make.orientations[position]))
    geometry = ct.geometry
    z, y, x = np.indices(geometry.shape_zyx)
    offsets = np.stack([x * geometry.pixel_spacing_vu_mm[1], y * geometry.pixel_spacing_vu_mm[0], 0 * z], axis=-1)
    lps = geometry.slice_origins_lps_mm[:, None, None, :] + offsets @ geometry.direction.T
    left = lps[..., 0] > np.median(lps[..., 0])
    write_structure_set(make.set(ct, {"Left": left}), ct, tmp_path / "RS.dcm")
    from pydicom import dcmread

    contours = dcmread(tmp_path / "RS.dcm").ROIContourSequence[0].ContourSequence
    points = np.concatenate([np.array(c.ContourData, dtype=float).reshape(-1, 3) for c in contours])
    assert points[:, 0].min() == pytest.approx(np.median(lps[..., 0]), abs=1.3)
    assert points[:, 0].max() == pytest.approx(lps[..., 0].max(), abs=1.3)


@pytest.mark.parametrize("degrees", [1.0, 7.5])
def test_oblique_slices(degrees, make, tmp_path):
    angle = np.deg2rad(degrees)
    ct = make.ct(make.geometry((1, 0, 0, 0, float(np.cos(angle)), float(np.sin(angle)))))
    path = tmp_path / "RS.dcm"
    write_structure_set(make.set(ct), ct, path)
    filled, read = make.fill(path, ct), read_structure_set(path, ct)
    for name, mask in make.masks().items():
        assert np.array_equal(filled[name], mask), name
        assert not read[name].findings or {f.code for f in read[name].findings} <= {"AC-RS-042"}
        assert np.array_equal(mask_from_contours(read[name].contours, ct.geometry), mask), name
