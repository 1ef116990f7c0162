"""Sample slices: the same slice of the same patients over the training, without names, and without an effect on it."""

import numpy as np

from autocontour.base.jobs import Job
from tests.models.training.test_loop import assert_same_state, states, trainer


def test_the_same_slices_are_written_at_intervals_and_the_training_is_the_same(toy, tmp_path):
    plain = trainer(toy, tmp_path / "plain", steps=4)
    plain.run(Job())
    shown = trainer(toy, tmp_path / "shown", steps=4)
    shown.show_samples(toy[1].training, 2)
    shown.run(Job())
    assert_same_state(states(plain.folder), states(shown.folder))
    paths = sorted((shown.folder / "samples").iterdir())
    assert [path.name for path in paths] == ["00000000.npz", "00000002.npz", "00000004.npz"]
    first, last = (np.load(path) for path in (paths[0], paths[-1]))
    assert (first["ct"] == last["ct"]).all()
    assert (first["reference"] == last["reference"]).all()
    assert (first["drawn"] != last["drawn"]).any()
    assert first["reference"].max() == 255


def test_without_a_count_nothing_is_written(toy, tmp_path):
    one = trainer(toy, tmp_path / "none", steps=1)
    one.show_samples(toy[1].training, 0)
    one.run(Job())
    assert not (one.folder / "samples").exists()
