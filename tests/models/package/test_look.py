"""What kind of model a path holds."""

from __future__ import annotations

import json
import zipfile

import pytest

from autocontour.base.errors import ModelError
from autocontour.models.package.importers import checkpoint as reading
from autocontour.models.package.importers import nnunet
from autocontour.models.package.importers.look import look_at, named_labels, read_candidate
from autocontour.models.package.importers.totalsegmentator import known_tasks
from tests.models import tiny_nnunet as tiny

pytest.importorskip("torch")


@pytest.fixture(autouse=True)
def here(monkeypatch, tmp_path):
    def read(path):
        folder = tmp_path / "read"
        folder.mkdir(exist_ok=True)
        facts = reading._convert(path, folder)
        return reading.Checkpoint(reading.parse_weights(path.name, (folder / reading.WEIGHTS_FILE).read_bytes()), facts)

    monkeypatch.setattr(nnunet, "read_checkpoint", read)


def write_task(root, number, classes):
    labels = {"background": 0} | {one: value for value, one in enumerate(classes, 1)}
    folder = root / f"Dataset{number}_x" / "nnUNetTrainerNoMirroring__nnUNetPlans__3d_fullres"
    tiny.write(folder, described=tiny.dataset(labels), trainer_name="nnUNetTrainerNoMirroring")
    return folder


def test_models_of_nnunet(tmp_path):
    labels = {"background": 0, "liver": 1, "my_left_thing": 2}
    tiny.write(tmp_path / "Dataset007_Tiny" / "model", described=tiny.dataset(labels))
    (found,) = look_at(tmp_path)
    assert (found.kind, found.title, found.non_commercial) == ("nnunet", "Dataset007_Tiny model", False)
    with pytest.raises(ModelError, match="AC-MD-045"):
        read_candidate(found)
    named = [(one.label, one.name, one.is_known) for one in named_labels(read_candidate(found, "LPS"))]
    assert named == [("liver", "Liver", True), ("my_left_thing", "my_left_thing", False)]


def test_zip_and_what_is_none(tmp_path):
    folder = tiny.write(tmp_path / "model")
    path = tmp_path / "model.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for one in folder.rglob("*"):
            archive.write(one, one.relative_to(tmp_path))
    (found,) = look_at(path)
    assert (found.kind, found.title) == ("nnunet", "model")
    assert list(read_candidate(found, "LPS").labels) == ["liver", "kidney_left", "kidney_right"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match="AC-MD-040"):
        look_at(tmp_path / "empty")


def test_tasks_of_totalsegmentator_are_known_by_number_and_classes(tmp_path):
    write_task(tmp_path, 291, known_tasks()[291].classes)
    write_task(tmp_path, 481, known_tasks()[481].classes)
    write_task(tmp_path, 297, ["mine", "other"])  # a clinic's own data set of that number
    found = {one.title: (one.kind, one.non_commercial) for one in look_at(tmp_path)}
    assert found == {
        "TotalSegmentator total (291)": ("totalsegmentator", False),
        "TotalSegmentator tissue_types (481)": ("totalsegmentator", True),
        "Dataset297_x nnUNetTrainerNoMirroring__nnUNetPlans__3d_fullres": ("nnunet", False),
    }
    total = next(one for one in look_at(tmp_path) if "291" in one.title)
    imported = read_candidate(total)
    assert imported.procedure["orientation"] == "RAS"
    assert "Wasserthal" in imported.about["references"]


def test_monai_bundle(tmp_path):
    (tmp_path / "configs").mkdir()
    for name in ("inference", "metadata"):
        (tmp_path / "configs" / f"{name}.json").write_text(json.dumps({}))
    (found,) = look_at(tmp_path)
    assert found.kind == "monai"
    with pytest.raises(ModelError, match="AC-MD-054"):  # without weights
        read_candidate(found)
