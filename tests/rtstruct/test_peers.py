"""Our files in the hands of other programs: plastimatch, rt-utils, and the plainest reader there is."""

from __future__ import annotations

import logging
import shutil
import subprocess

import numpy as np
import pytest

from autocontour.rtstruct import HoleStyle, WriteOptions, read_structure_set, write_structure_set


@pytest.fixture(scope="module")
def series(make, ct, tmp_path_factory):
    return make.series(ct, tmp_path_factory.mktemp("series"))


@pytest.fixture(scope="module")
def written(make, ct, tmp_path_factory):
    path = tmp_path_factory.mktemp("written") / "RS.dcm"
    write_structure_set(make.set(ct), ct, path)
    return path


def test_plastimatch_reads_our_masks_back(make, ct, series, written, tmp_path):
    program = shutil.which("plastimatch")
    if program is None:
        pytest.skip("plastimatch is not installed")
    import SimpleITK as sitk

    command = [program, "convert", "--input", written, "--referenced-ct", series, "--output-prefix", tmp_path / "m"]
    subprocess.run([*command, "--prefix-format", "nrrd"], check=True, capture_output=True, timeout=300)
    for name, mask in make.masks().items():
        image = sitk.ReadImage(str(tmp_path / "m" / f"{name}.nrrd"))
        assert make.dice(sitk.GetArrayFromImage(image) > 0, mask) >= 0.999, name


@pytest.mark.parametrize("holes", HoleStyle)
def test_a_point_in_polygon_reader_sees_the_masks(holes, make, ct, tmp_path):
    write_structure_set(make.set(ct), ct, tmp_path / "RS.dcm", options=WriteOptions(holes=holes))
    filled = make.fill(tmp_path / "RS.dcm", ct)
    for name, mask in make.masks().items():
        assert np.array_equal(filled[name], mask), name


def test_rt_utils_reads_every_roi(make, tmp_path):
    """On square slices, the only ones it reads."""
    from rt_utils import RTStructBuilder

    ct = make.ct(make.geometry(shape=(12, 48, 48)))
    series, written, masks = make.series(ct, tmp_path / "ct"), tmp_path / "RS.dcm", make.masks((12, 48, 48))
    write_structure_set(make.set(ct, masks), ct, written)
    logging.getLogger("rt_utils").setLevel(logging.ERROR)
    peer = RTStructBuilder.create_from(dicom_series_path=str(series), rt_struct_path=str(written))
    assert peer.get_roi_names() == list(masks)
    for name, mask in masks.items():
        read = np.moveaxis(peer.get_roi_mask_by_name(name), 2, 0)
        assert read.shape == mask.shape
        # It counts the outline's pixels as inside and cannot know a channel, so only presence is to be expected.
        assert read[mask.any(axis=(1, 2))].any(axis=(1, 2)).all(), name


def test_what_rt_utils_writes_is_read(make, ct, series, tmp_path):
    from rt_utils import RTStructBuilder

    peer = RTStructBuilder.create_new(dicom_series_path=str(series))
    masks = make.masks()
    peer.add_roi(mask=np.moveaxis(masks["Ball"], 0, 2), name="Ball", color=[1, 2, 3])
    peer.save(str(tmp_path / "peer.dcm"))
    read = read_structure_set(tmp_path / "peer.dcm", ct)
    assert read["Ball"].color_rgb == (1, 2, 3)
    assert sorted(read["Ball"].contours) == np.flatnonzero(masks["Ball"].any(axis=(1, 2))).tolist()
    write_structure_set(read, ct, tmp_path / "again.dcm")
    assert make.dciodvfy(tmp_path / "again.dcm") == []
