"""Models of nnU-Net become packages, exactly or not at all; hostile files are refused and never executed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from autocontour.base.errors import ModelError
from autocontour.cli import main
from autocontour.models.package.history import install_package
from autocontour.models.package.importers import checkpoint as reading
from autocontour.models.package.importers import nnunet
from autocontour.models.package.importers.names import Names, read_names
from autocontour.models.package.importers.nnunet import import_nnunet
from autocontour.models.package.importers.writing import write_imported
from autocontour.models.package.package import read_package, verify_package
from tests.models import tiny_nnunet as tiny

torch = pytest.importorskip("torch")


@pytest.fixture
def here(monkeypatch, tmp_path):
    """Read checkpoints in this process: a process of its own takes seconds; the code is the same."""

    def read(path):
        reading.check_archive(path)
        folder = tmp_path / f"read-{path.parent.name}"
        folder.mkdir(exist_ok=True)
        facts = reading._convert(path, folder)
        weights = reading.parse_weights(path.name, (folder / reading.WEIGHTS_FILE).read_bytes())
        return reading.Checkpoint(weights, json.loads(json.dumps(facts)))

    monkeypatch.setattr(nnunet, "read_checkpoint", read)


def refused(code, folder, **asked):
    with pytest.raises(ModelError) as caught:
        import_nnunet(folder, **{"orientation": "LPS"} | asked)
    assert caught.value.code == code, caught.value
    return caught.value


def test_model_becomes_a_package(tmp_path):
    model = tiny.write(tmp_path / "Trainer__Plans__3d_fullres")
    package, findings = write_imported(import_nnunet(tmp_path, orientation="RAS"), tmp_path / "package")
    assert list(package.structures) == ["Liver", "Kidney_L", "Kidney_R"]
    assert (package.name, package.license) == ("Dataset007_Tiny", "not stated")
    procedure = package.procedure
    assert procedure.orientation == "RAS"
    assert procedure.values == {"Liver": (1,), "Kidney_L": (2,), "Kidney_R": (3,)}
    assert (procedure.normalisation.mean, procedure.normalisation.sd) == (20.0, 300.0)
    assert procedure.sides is None
    assert set(procedure.source["files"]) == {"plans.json", "dataset.json", "fold_0/checkpoint_final.pth"}
    assert not findings
    verify_package(package)
    weights = package.read_weights("segmenter")
    given = tiny.state()
    assert all(np.array_equal(weights[f"0.{name}"], given[name]) for name in (k[2:] for k in weights))
    assert "0.decoder.seg_layers.0.weight" in weights
    assert not [name for name in weights if "all_modules" in name or "decoder.encoder" in name]
    assert model.exists()


def test_package_is_not_installed_before_its_sides_are_checked(tmp_path, here):
    tiny.write(tmp_path / "model")
    package, _ = write_imported(import_nnunet(tmp_path / "model", orientation="LPS"), tmp_path / "package")
    with pytest.raises(ModelError, match="AC-MD-080") as caught:
        install_package(package.path)
    assert f"models verify {package.path.name}" in caught.value.remedy  # its name would not be found


def test_zip_is_read_like_its_folder(tmp_path, here):
    tiny.write(tmp_path / "a" / "model")
    path = tmp_path / "model.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for one in sorted((tmp_path / "a").rglob("*")):
            archive.write(one, one.relative_to(tmp_path / "a"))
        archive.writestr("model/run.py", "raise SystemExit")
    imported = import_nnunet(path, orientation="LPS")
    again = import_nnunet(tmp_path / "a", orientation="LPS")
    assert imported.procedure == again.procedure


def write_zip(tmp_path, change=lambda name: name, more=(), **how):
    """Write a model's zip with its entries renamed, and others besides."""
    folder, path = tiny.write(tmp_path / "source"), tmp_path / "model.zip"
    with zipfile.ZipFile(path, "w", **how) as archive:
        for one in sorted(folder.rglob("*.*")):
            archive.writestr(change(f"m/{one.relative_to(folder).as_posix()}"), one.read_bytes())
        for name, content in more:
            archive.writestr(name, content)
    return path


CHECKPOINT = "m/fold_0/checkpoint_final.pth"


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("change", "more"),
    [
        (lambda name: f"/{name}", ()),
        (lambda name: f"../{name}", ()),
        (lambda name: f"..\\{name}", ()),
        (lambda name: f"C:/{name}", ()),
        (lambda name: name, [(CHECKPOINT, b"another")]),
        (lambda name: name, [(CHECKPOINT.upper().replace("CHECKPOINT_FINAL.PTH", "checkpoint_final.pth"), b"x")]),
        (lambda name: name.replace(CHECKPOINT, "m/x"), [(CHECKPOINT, bytes(1 << 20))]),
    ],
)
def test_zip_that_cannot_be_a_model(tmp_path, here, change, more):
    """Absolute paths, ways out of the folder, drives, two checkpoints of one name, and zeros that fill a disk."""
    refused("AC-MD-043", write_zip(tmp_path, change, more, compression=zipfile.ZIP_DEFLATED))
    assert not (tmp_path.parent / "m").exists()


@pytest.mark.parametrize("limit", ["MOST_ZIP_ENTRIES", "MOST_ZIP_BYTES", "MOST_JSON_BYTES"])
def test_zip_that_is_too_large(tmp_path, here, monkeypatch, limit):
    monkeypatch.setattr(nnunet, limit, 2)
    refused("AC-MD-043", write_zip(tmp_path))


def test_link_in_a_zip_is_not_followed(tmp_path):
    target = tmp_path / "secret"
    target.write_bytes(b"secret")
    path = write_zip(tmp_path, lambda name: name.replace(CHECKPOINT, "m/x"))
    link = zipfile.ZipInfo(CHECKPOINT)
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(link, str(target))
    refused("AC-MD-043", path)


def test_two_models_in_a_zip_are_named(tmp_path, here):
    path = write_zip(tmp_path, more=[("n/plans.json", b"{}"), ("n/dataset.json", b"{}")])
    assert refused("AC-MD-041", path).values["known"] == "'m', 'n'"


class Canary:
    """Creates a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


@pytest.mark.parametrize("where", ["network_weights", "logging", "extra"])
def test_malicious_pickle_is_not_executed(tmp_path, where):
    canary = tmp_path / "canary"
    hostile = {"decoder.x": Canary(canary)} if where == "network_weights" else Canary(canary)
    folder = tiny.write(tmp_path / "model", checkpoint=tiny.content() | {where: hostile})
    error = refused("AC-MD-042", folder)
    assert "open" in error.message
    assert not canary.exists()


def test_script_without_the_main_condition_gets_the_remedy(tmp_path):
    """The process of its own runs the script again: without the usual condition it cannot start."""
    path = tmp_path / "checkpoint_final.pth"
    torch.save(tiny.content(), path)
    script = tmp_path / "script.py"
    script.write_text(
        "from pathlib import Path\n"
        "from autocontour.models.package.importers.checkpoint import read_checkpoint\n"
        f"read_checkpoint(Path({str(path)!r}))\n"
    )
    shown = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False).stderr
    assert "AC-MD-055" in shown
    assert "__main__" in shown.splitlines()[-1]


def test_malicious_builtin_in_an_allowed_dress_is_not_executed(tmp_path, here):
    canary = tmp_path / "canary"
    folder = tiny.write(tmp_path / "model")
    path = folder / "fold_0" / "checkpoint_final.pth"
    script = f"import pathlib; pathlib.Path({str(canary)!r}).touch()"
    pickled = b"\x80\x02cbuiltins\nexec\nX" + len(script).to_bytes(4, "little") + script.encode() + b"\x85R."
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickled)
        archive.writestr("archive/version", "3")
    with pytest.raises(ModelError, match="AC-MD-04"):
        import_nnunet(folder, orientation="LPS")
    assert not canary.exists()


def change_state(change):
    weights = dict(tiny.state())
    change(weights)
    return weights


def drop(name):
    return lambda weights: weights.pop(name)


def put(name, value):
    return lambda weights: weights.update({name: value})


CONV = "encoder.stages.0.0.convs.0.conv.weight"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (put("extra.weight", torch.zeros(3)), "AC-MD-014"),
        (put(CONV, torch.zeros(4, 1, 3, 3, 5)), "AC-MD-043"),  # its second name has the true shape
        (put("decoder.seg_layers.0.weight", torch.zeros(5, 4, 1, 1, 1)), "AC-MD-014"),
        (drop("decoder.seg_layers.0.weight"), "AC-MD-014"),
        (drop("encoder.stages.1.0.convs.0.norm.bias"), "AC-MD-014"),
        (put("decoder.seg_layers.0.bias", torch.full((4,), float("nan"))), "AC-MD-013"),
        (put("decoder.seg_layers.0.bias", torch.full((4,), 1e6)), "AC-MD-013"),
        (put("decoder.seg_layers.0.bias", torch.zeros(4, dtype=torch.int64)), "AC-MD-043"),
        (put("decoder.seg_layers.0.bias", torch.zeros(1).expand(1 << 40)), "AC-MD-043"),
        (put("decoder.seg_layers.0.bias", "text"), "AC-MD-043"),
        (put("decoder.encoder.stages.0.0.convs.0.conv.bias", torch.ones(4)), "AC-MD-043"),
    ],
)
def test_wrong_weights(tmp_path, here, change, code):
    refused(code, tiny.write(tmp_path / "model", checkpoint=tiny.content(change_state(change))))


def test_second_name_alone_is_not_enough(tmp_path, here):
    weights = {k: v for k, v in tiny.state().items() if k != CONV}
    refused("AC-MD-014", tiny.write(tmp_path / "model", checkpoint=tiny.content(weights)))


def test_head_of_deep_supervision_is_not_the_last_one(tmp_path, here):
    """With three stages there are two heads; the network's is the last, whatever the other holds."""
    kwargs = tiny.KWARGS | {
        "n_stages": 3,
        "features_per_stage": [4, 4, 4],
        "kernel_sizes": [3, 3, 3],
        "strides": [1, 2, 2],
        "n_conv_per_stage": 1,
        "n_conv_per_stage_decoder": 1,
    }
    configuration = tiny.configuration()
    configuration["architecture"]["arch_kwargs"] = kwargs | {"kernel_sizes": 3, "strides": [[1] * 3, [2] * 3, [2] * 3]}
    stated = tiny.plans(configurations={"3d_fullres": configuration})
    from autocontour.models.networks import build_network
    from autocontour.models.package.importers.nnunet_plans import describe_network

    weights = dict(build_network(describe_network(configuration, 4)).state_dict())
    weights["decoder.seg_layers.0.weight"] = weights["decoder.seg_layers.1.weight"] + 1
    weights["decoder.seg_layers.0.bias"] = weights["decoder.seg_layers.1.bias"] + 1
    folder = tiny.write(tmp_path / "model", stated=stated, checkpoint=tiny.content(weights, stated=stated))
    imported = import_nnunet(folder, orientation="LPS")
    assert np.array_equal(imported.weights["0.decoder.seg_layers.1.bias"], weights["decoder.seg_layers.1.bias"])
    assert "0.decoder.seg_layers.0.bias" not in imported.weights


def with_configuration(**changes):
    return tiny.plans(configurations={"3d_fullres": tiny.configuration(**changes)})


def with_kwargs(**changes):
    configuration = tiny.configuration()
    configuration["architecture"]["arch_kwargs"] |= changes
    return tiny.plans(configurations={"3d_fullres": configuration})


@pytest.mark.parametrize(
    "stated",
    [
        with_configuration(previous_stage="3d_lowres"),
        with_configuration(patch_size=[16, 16]),
        with_configuration(patch_size=[12.5, 16, 16]),
        with_configuration(patch_size=["12", 16, 16]),
        with_configuration(patch_size=[0, 16, 16]),
        with_configuration(spacing=[0.0, 4.0, 4.0]),
        with_configuration(spacing=["4", 4.0, 4.0]),
        with_configuration(spacing=[4.0, 4.0]),
        with_configuration(spacing=[4e5, 4.0, 4.0]),
        with_configuration(spacing=None),
        with_configuration(resampling_fn_data_kwargs=[1]),
        with_configuration(preprocessor_name="MyPreprocessor"),
        with_configuration(normalization_schemes=["RGBTo01Normalization"]),
        with_configuration(normalization_schemes=["MyNormalization"]),
        with_configuration(resampling_fn_data="resample_torch_fornnunet"),
        with_configuration(resampling_fn_probabilities_kwargs={**tiny.KEPT, "is_seg": True}),
        with_configuration(resampling_fn_data_kwargs={**tiny.KEPT, "separate_z_anisotropy_threshold": 5}),
        with_configuration(architecture={"network_class_name": "os.system", "arch_kwargs": {}}),
        with_configuration(architecture={"network_class_name": "evil.PlainConvUNet", "arch_kwargs": tiny.KWARGS}),
        with_configuration(architecture=None, UNet_class_name="Other"),
        with_configuration(architecture={**tiny.configuration()["architecture"], "arch_kwargs": [1]}),
        with_kwargs(nonlin_kwargs=[1]),
        with_kwargs(nonlin_first=True),
        with_kwargs(norm_op="torch.nn.modules.batchnorm.BatchNorm3d"),
        with_kwargs(norm_op_kwargs={"eps": 1e-3, "affine": True}),
        with_kwargs(nonlin="torch.nn.ReLU"),
        with_kwargs(conv_op="torch.nn.modules.conv.Conv2d"),
        with_kwargs(n_stages=10**9),
        with_kwargs(block="evil"),
        tiny.plans(label_manager="MyLabelManager"),
        tiny.plans(image_reader_writer="NaturalImage2DIO"),
        tiny.plans(transpose_forward=[0, 0, 1]),
        tiny.plans(transpose_forward=[1, 2, 0], transpose_backward=[1, 2, 0]),
        tiny.plans(foreground_intensity_properties_per_channel={"1": tiny.PROPERTIES}),
        tiny.plans(foreground_intensity_properties_per_channel={"0": tiny.PROPERTIES, "1": tiny.PROPERTIES}),
        tiny.plans(foreground_intensity_properties_per_channel={"0": tiny.PROPERTIES | {"mean": 2000.0}}),
        tiny.plans(configurations={"3d_fullres": {"inherits_from": "3d_fullres"}}),
    ],
)
def test_plans_that_cannot_be_run_exactly(tmp_path, here, stated):
    refused("AC-MD-044", tiny.write(tmp_path / "model", stated=stated))


@pytest.mark.parametrize(
    "described",
    [
        tiny.dataset(channel_names={"0": "CT", "1": "PET"}),
        tiny.dataset({"background": 0, "liver": 1, "kidney_left": 3, "kidney_right": 4}),
        tiny.dataset({"background": 1, "liver": 0, "kidney_left": 2, "kidney_right": 3}),
        tiny.dataset({"liver": 1, "kidney_left": 2}),
        tiny.dataset({"background": 0, "liver": 1.5, "kidney_left": 2}),
        tiny.dataset({"background": 0, "whole": [1, 2], "core": [2]}),
        tiny.dataset({"background": 0, "whole": [1, 2], "core": [2]}, regions_class_order=[1]),
        tiny.dataset({"background": 0, "liver": 1, "hepar": 1, "kidney_left": 2}),
    ],
)
def test_data_sets_that_cannot_be_run_exactly(tmp_path, here, described):
    refused("AC-MD-044", tiny.write(tmp_path / "model", described=described))


@pytest.mark.parametrize("scheme", ["ZScoreNormalization", "CTNormalization"])
@pytest.mark.parametrize("channel", ["T1", "MRI T2", "PET"])
def test_model_of_other_images_is_refused(tmp_path, here, scheme, channel):
    stated = with_configuration(normalization_schemes=[scheme])
    described = tiny.dataset(channel_names={"0": channel})
    refused("AC-MD-044", tiny.write(tmp_path / "model", stated=stated, described=described))


@pytest.mark.parametrize("axes", [(0, 0), (True, 2), (3,), "012"])
def test_mirroring_that_is_none(tmp_path, here, axes):
    refused("AC-MD-044", tiny.write(tmp_path / "model", inference_allowed_mirroring_axes=axes))


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_weights_of_other_precision_are_those_that_torch_would_load(tmp_path, here, kind):
    weights = {name: value.to(kind) for name, value in tiny.state().items()}
    imported = import_nnunet(tiny.write(tmp_path / "model", checkpoint=tiny.content(weights)), orientation="LPS")
    name = "encoder.stages.0.0.convs.0.conv.weight"
    assert np.array_equal(imported.weights[f"0.{name}"], weights[name].float())


def test_labels_of_one_name_are_reported(tmp_path, here):
    """Two labels that the nomenclature takes for one structure are joined, but not without a word."""
    described = tiny.dataset({"background": 0, "liver": 1, "Kidney_L": 2, "left kidney": 3})
    imported = import_nnunet(tiny.write(tmp_path / "model", described=described), orientation="LPS")
    package, findings = write_imported(imported, tmp_path / "package")
    assert package.procedure.values == {"Liver": (1,), "Kidney_L": (2, 3)}
    assert [one.code for one in findings] == ["AC-MD-137"]
    assert "Kidney_L = 'Kidney_L' + 'left kidney'" in findings[0].message


@pytest.mark.parametrize("trainer", ["nnUNetTrainerUMambaBot", "nnUNetTrainerBN", "os.system", "nnUNetTrainerMedNeXt"])
def test_trainers_of_other_networks(tmp_path, here, trainer):
    refused("AC-MD-044", tiny.write(tmp_path / "model", trainer_name=trainer))


SAME = ["nnUNetTrainerNoMirroring", "nnUNetTrainer_4000epochs_NoMirroring", "nnUNetTrainerDA5"]


@pytest.mark.parametrize("trainer", SAME)
def test_trainers_of_the_same_network(tmp_path, here, trainer):
    import_nnunet(tiny.write(tmp_path / "model", trainer_name=trainer), orientation="LPS")


def test_shuffled_class_order_is_found(tmp_path, here):
    """dataset.json names the kidneys the other way round than the checkpoint was trained with."""
    folder = tiny.write(tmp_path / "model")
    swapped = {"background": 0, "liver": 1, "kidney_left": 3, "kidney_right": 2}
    (folder / "dataset.json").write_text(json.dumps(tiny.dataset(swapped)))
    refused("AC-MD-047", folder)


def test_shuffled_regions_are_found(tmp_path, here):
    described = tiny.dataset(tiny.REGIONS, regions_class_order=[1, 2])
    folder = tiny.write(tmp_path / "model", described=described)
    shuffled = {"background": 0, "core": [2], "whole": [1, 2]}
    (folder / "dataset.json").write_text(json.dumps(described | {"labels": shuffled}))
    refused("AC-MD-047", folder)


def test_plans_of_another_model_are_found(tmp_path, here):
    folder = tiny.write(tmp_path / "model")
    other = tiny.plans(foreground_intensity_properties_per_channel={"0": tiny.PROPERTIES | {"mean": 99.0}})
    (folder / "plans.json").write_text(json.dumps(other))
    refused("AC-MD-047", folder)
    (folder / "plans.json").write_text(json.dumps(with_configuration(spacing=[3.0, 3.0, 3.0])))
    refused("AC-MD-047", folder)


@pytest.mark.parametrize(
    "trained",
    [
        tiny.plans(image_reader_writer="NibabelIOWithReorient"),
        with_configuration(resampling_fn_data_kwargs={**tiny.KEPT, "order": 1}),
        with_configuration(preprocessor_name="Other"),
    ],
)
def test_plans_that_the_checkpoint_was_not_trained_with(tmp_path, here, trained):
    """The reader decides on the orientation; the same spacing and network do not make it the same model."""
    folder = tiny.write(tmp_path / "model")
    torch.save(tiny.content(stated=trained), folder / "fold_0" / "checkpoint_final.pth")
    refused("AC-MD-047", folder)


def test_regions(tmp_path, here):
    described = tiny.dataset(tiny.REGIONS, regions_class_order=[1, 2])
    imported = import_nnunet(tiny.write(tmp_path / "model", described=described), orientation="LPS")
    package, findings = write_imported(imported, tmp_path / "package")
    assert package.procedure.outputs == "regions"
    assert package.procedure.values == {"whole": (1, 2), "core": (2,)}
    assert [finding.code for finding in findings] == ["AC-MD-130"]  # both names are in no table


def test_regions_of_values_that_are_never_painted(tmp_path, here):
    """Voxels of label 2 are in the thorax only, and get its value, 1."""
    labels = {"background": 0, "thorax": [1, 2, 3], "heart": [3]}
    described = tiny.dataset(labels, regions_class_order=[1, 3])
    model = tiny.write(tmp_path / "model", described=described, network_weights=tiny.state(2))
    package, _ = write_imported(import_nnunet(model, orientation="LPS"), tmp_path / "package")
    assert package.procedure.values == {"thorax": (1, 3), "Heart": (3,)}
    assert package.procedure.region_order == (1, 3)
    described = tiny.dataset(labels, regions_class_order=[1, 2])  # the heart is never seen
    model = tiny.write(tmp_path / "other", described=described, network_weights=tiny.state(2))
    refused("AC-MD-044", model, orientation="LPS")


def test_folds(tmp_path, here):
    folder = tiny.write(tmp_path / "model", folds=("0", "1", "2", "all"))
    assert import_nnunet(folder, orientation="LPS").procedure["folds"] == ["0", "1", "2"]
    assert import_nnunet(folder, orientation="LPS", folds=["all"]).procedure["folds"] == ["all"]
    shutil.rmtree(folder / "fold_1")
    refused("AC-MD-046", folder)
    assert import_nnunet(folder, orientation="LPS", folds=["0", "2"]).procedure["folds"] == ["0", "2"]
    refused("AC-MD-046", folder, folds=["4"])


def test_fold_without_its_last_checkpoint(tmp_path, here):
    folder = tiny.write(tmp_path / "model", folds=("0", "1"))
    (folder / "fold_1" / "checkpoint_final.pth").unlink()
    refused("AC-MD-046", folder)


def test_folds_of_different_models(tmp_path, here):
    folder = tiny.write(tmp_path / "model", folds=("0", "1"))
    torch.save(tiny.content(mirror=(0, 1)), folder / "fold_1" / "checkpoint_final.pth")
    refused("AC-MD-047", folder)


def test_orientation_is_never_guessed(tmp_path, here):
    folder = tiny.write(tmp_path / "model")
    refused("AC-MD-045", folder, orientation="")
    refused("AC-MD-044", folder, orientation="LAS")


def test_orientation_of_the_reader(tmp_path, here):
    folder = tiny.write(tmp_path / "model", stated=tiny.plans(image_reader_writer="NibabelIOWithReorient"))
    assert import_nnunet(folder, orientation="").procedure["orientation"] == "RAS"
    refused("AC-MD-044", folder, orientation="LPS")


def test_several_models(tmp_path, here):
    tiny.write(tmp_path / "results" / "one")
    tiny.write(tmp_path / "results" / "two")
    refused("AC-MD-041", tmp_path / "results")
    (tmp_path / "empty").mkdir()
    refused("AC-MD-040", tmp_path / "empty")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x80\x02}q\x00.", b"text"])
def test_what_is_not_a_checkpoint(tmp_path, content):
    folder = tiny.write(tmp_path / "model")
    (folder / "fold_0" / "checkpoint_final.pth").write_bytes(content)
    refused("AC-MD-043", folder)


def test_compressed_checkpoint(tmp_path):
    folder = tiny.write(tmp_path / "model")
    path = folder / "fold_0" / "checkpoint_final.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\0" * 1000)
    refused("AC-MD-043", folder)


def test_own_names(tmp_path, here):
    folder = tiny.write(tmp_path / "model")
    path = tmp_path / "names.toml"
    path.write_text('liver = "Hepar"\n')
    package, findings = write_imported(
        import_nnunet(folder, orientation="LPS", names=read_names(path)), tmp_path / "package"
    )
    assert list(package.structures) == ["Hepar", "Kidney_L", "Kidney_R"]
    assert findings[0].code == "AC-MD-130"


def test_name_of_the_other_side(tmp_path, here):
    folder = tiny.write(tmp_path / "model")
    names = Names({"kidney_left": "Kidney_R"})
    with pytest.raises(ModelError, match="AC-MD-048"):
        write_imported(import_nnunet(folder, orientation="LPS", names=names), tmp_path / "package")


@pytest.mark.parametrize("label", ["x" * 65, "liver\\lobe", "liver\nlobe", ""])
def test_a_label_that_cannot_be_a_name_is_refused_at_the_import(label):
    """It was refused when the structure set was written, which lost all other structures."""
    with pytest.raises(ModelError, match="AC-MD-143"):
        Names().of(label)
    assert Names({label: "Liver"}).of(label) == "Liver"
    assert Names().of("x" * 64) == "x" * 64


def test_name_of_a_label_that_is_not_there(tmp_path, here):
    folder = tiny.write(tmp_path / "model")
    names = Names({"spleen": "Spleen"})
    with pytest.raises(ModelError, match="AC-MD-051"):
        write_imported(import_nnunet(folder, orientation="LPS", names=names), tmp_path / "package")


def test_former_plans(tmp_path, here):
    """Plans from before nnU-Net 2.5 state the network by its size."""
    former = tiny.configuration(
        UNet_class_name="PlainConvUNet",
        UNet_base_num_features=4,
        unet_max_num_features=6,
        conv_kernel_sizes=[[3, 3, 3]] * 2,
        pool_op_kernel_sizes=[[1, 1, 1], [2, 2, 2]],
        n_conv_per_stage_encoder=[1, 1],
        n_conv_per_stage_decoder=[1],
    )
    del former["architecture"]
    stated = tiny.plans(configurations={"3d_fullres": former})
    package, _ = write_imported(
        import_nnunet(tiny.write(tmp_path / "model", stated=stated), orientation="LPS"), tmp_path / "package"
    )
    assert read_package(package.path).stages["segmenter"].network["features"] == [4, 6]


def test_the_command_writes_the_package_and_states_what_is_missing(tmp_path, here, capsys):
    tiny.write(tmp_path / "model")
    names = tmp_path / "names.toml"
    names.write_text('liver = "Liver"\n', encoding="utf-8")
    command = ["models", "import", "nnunet", str(tmp_path / "model"), "--orientation", "LPS"]
    assert main([*command, "-o", str(tmp_path / "package")]) == 0
    shown = capsys.readouterr().out
    assert "3 structures" in shown
    assert "liver → Liver, kidney_left → Kidney_L" in shown
    assert "liver → Liver, kidney_left → Kidney_L" in shown
    assert "verify" in shown
    assert main([*command, "-o", str(tmp_path / "other"), "--name", "mine", "--json"]) == 0
    assert "mine" in capsys.readouterr().out
    assert read_package(tmp_path / "other").name == "mine"
    assert main([*command, "-o", str(tmp_path / "package")]) != 0
    assert main(["models", "verify", str(tmp_path / "package")]) == 0


@pytest.mark.parametrize(
    ("option", "value", "stated"),
    [
        ("--step", "nan", "--step cannot be nan"),
        ("--step", "0", "--step cannot be 0"),
        ("--license-file", "cp949.txt", "cp949.txt cannot be used: not a text in UTF-8"),
        ("--names", "path.toml", "AC-MD-050"),
        ("--names", "mirrored.toml", "AC-MD-050"),
    ],
)
def test_unusable_arguments_are_refused_by_name(tmp_path, here, capsys, monkeypatch, option, value, stated):
    """A licence in the encoding of a Korean computer and a step of NaN ended in a traceback."""
    monkeypatch.chdir(tmp_path)
    tiny.write(tmp_path / "model")
    Path("cp949.txt").write_bytes("비영리".encode("cp949"))
    Path("path.toml").write_text("liver = 'a\\b'\n", encoding="utf-8")
    Path("mirrored.toml").write_text('liver = "a\u202eb"\n', encoding="utf-8")
    command = ["models", "import", "nnunet", "model", "--orientation", "LPS", "-o", "package", option, value]
    assert main(command) in (2, 6)
    assert stated in capsys.readouterr().err
    assert not Path("package").exists()
