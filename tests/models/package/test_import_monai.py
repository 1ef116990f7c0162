"""MONAI bundles with a plain configuration become packages; what their configurations would execute is refused."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest

from autocontour.base.errors import ModelError
from autocontour.base.jobs import Job
from autocontour.models.inference.published.segment import exact_labels
from autocontour.models.package.importers import checkpoint as reading
from autocontour.models.package.importers import monai_bundle
from autocontour.models.package.importers.monai_bundle import import_monai
from autocontour.models.package.importers.writing import write_imported
from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.volume import CTVolume

torch = pytest.importorskip("torch")
nets = pytest.importorskip("monai.networks.nets")

UNET = {
    "_target_": "UNet",
    "spatial_dims": 3,
    "in_channels": 1,
    "out_channels": 3,
    "channels": [4, 8, 8],
    "strides": [2, 2],
    "num_res_units": 1,
    "norm": "batch",
}
SEGRESNET = {
    "_target_": "SegResNet",
    "spatial_dims": 3,
    "in_channels": 1,
    "out_channels": 3,
    "init_filters": 8,
    "blocks_down": [1, 1],
    "blocks_up": [1],
    "dropout_prob": 0.2,
}
CONFIG = {
    "imports": ["$import os"],
    "device": "$torch.device('cuda' if torch.cuda.is_available() else 'cpu')",
    "spacing": [3.0, 3.0, 4.0],
    "network_def": UNET,
    "network": "$@network_def.to(@device)",
    "preprocessing": {
        "_target_": "Compose",
        "transforms": [
            {"_target_": "LoadImaged", "keys": "image"},
            {"_target_": "EnsureChannelFirstd", "keys": "image"},
            {"_target_": "Orientationd", "keys": "image", "axcodes": "RAS"},
            {"_target_": "Spacingd", "keys": "image", "pixdim": "@spacing", "mode": "bilinear"},
            {
                "_target_": "ScaleIntensityRanged",
                "keys": "image",
                "a_min": -57,
                "a_max": 164,
                "b_min": 0,
                "b_max": 1,
                "clip": True,
            },
            {"_target_": "EnsureTyped", "keys": "image"},
        ],
    },
    "inferer": {"_target_": "SlidingWindowInferer", "roi_size": [16, 16, 8], "sw_batch_size": 4, "overlap": 0.5},
    "postprocessing": {
        "_target_": "Compose",
        "transforms": [
            {"_target_": "Activationsd", "keys": "pred", "softmax": True},
            {
                "_target_": "Invertd",
                "keys": "pred",
                "transform": "@preprocessing",
                "orig_keys": "image",
                "nearest_interp": False,
                "to_tensor": True,
            },
            {"_target_": "AsDiscreted", "keys": "pred", "argmax": True},
            {"_target_": "SaveImaged", "keys": "pred", "output_dir": "$os.getcwd()"},
        ],
    },
}


def metadata():
    channels = {"0": "background", "1": "liver", "2": "spleen"}
    return {
        "name": "Tiny bundle",
        "copyright": "Apache-2.0",
        "network_data_format": {"outputs": {"pred": {"channel_def": channels}}},
    }


def network_of(described):
    given = {key: value for key, value in described.items() if key != "_target_"}
    torch.manual_seed(0)
    network = getattr(nets, described["_target_"])(**given).eval()
    with torch.no_grad():
        for name, value in network.named_buffers():
            if name.endswith("running_var"):
                value.uniform_(0.5, 2)
            elif name.endswith("running_mean"):
                value.normal_(0, 0.3)
    return network


def write_bundle(folder, config=None, described=UNET):
    for name in ("configs", "models"):
        (folder / name).mkdir(parents=True)
    content = (CONFIG if config is None else config) | {"network_def": described}
    (folder / "configs" / "inference.json").write_text(json.dumps(content))
    (folder / "configs" / "metadata.json").write_text(json.dumps(metadata()))
    own = described | {"norm": "instance"} if described.get("norm") == "instance_nvfuser" else described
    torch.save(network_of(own).state_dict(), folder / "models" / "model.pt")
    return folder


@pytest.fixture
def here(monkeypatch, tmp_path):
    def read(path):
        reading.check_archive(path)
        folder = tmp_path / "read"
        folder.mkdir(exist_ok=True)
        facts = reading._convert(path, folder)
        return reading.Checkpoint(reading.parse_weights(path.name, (folder / reading.WEIGHTS_FILE).read_bytes()), facts)

    monkeypatch.setattr(monai_bundle, "read_checkpoint", read)


def test_bundle_becomes_a_package(tmp_path):
    package, _ = write_imported(import_monai(write_bundle(tmp_path / "bundle")), tmp_path / "package")
    assert list(package.structures) == ["Liver", "Spleen"]
    how = package.procedure
    assert (how.framework, how.orientation, how.axes, how.step) == ("monai", "RAS", (2, 1, 0), 0.5)
    assert (how.normalisation.low, how.normalisation.high) == (-57, 164)
    assert package.stages["segmenter"].spacing_zyx_mm == (3.0, 3.0, 4.0)  # in the network's order x, y, z


def predict(bundle, described, path):
    """Return the label image of MONAI's own transforms and inferer, z, y, x."""
    from monai import inferers, transforms

    config = json.loads((bundle / "configs" / "inference.json").read_text())

    def build(one):
        given = {key: value for key, value in one.items() if key not in ("_target_", "transform")}
        return getattr(transforms, one["_target_"])(**given)

    steps = copy.deepcopy(config["preprocessing"]["transforms"])
    for one in steps:
        if one.get("pixdim") == "@spacing":
            one["pixdim"] = config["spacing"]
    before = transforms.Compose([build(one) for one in steps])
    data = before({"image": str(path)})
    inferer = {key: value for key, value in config["inferer"].items() if key != "_target_"}
    with torch.inference_mode():
        pred = inferers.SlidingWindowInferer(**inferer)(data["image"][None], network_of(described))[0]
    data["pred"] = transforms.Activations(softmax=True)(pred)
    invert = transforms.Invertd(keys="pred", transform=before, orig_keys="image", nearest_interp=False)
    back = transforms.AsDiscrete(argmax=True)(invert(data)["pred"])[0]
    return np.asarray(back).transpose(2, 1, 0)


@pytest.mark.parametrize(("described", "mode"), [(UNET, "constant"), (SEGRESNET, "gaussian")])
def test_labels_are_those_of_monai(tmp_path, here, described, mode):
    nibabel = pytest.importorskip("nibabel")
    config = copy.deepcopy(CONFIG)
    config["inferer"]["mode"] = mode
    if mode == "gaussian":
        config["preprocessing"]["transforms"][4] = {"_target_": "NormalizeIntensityd", "keys": "image", "nonzero": True}
    bundle = write_bundle(tmp_path / "bundle", config, described)
    package, _ = write_imported(import_monai(bundle), tmp_path / "package")
    smooth = np.random.default_rng(0).normal(0, 1, (10, 24, 28))
    hu = (np.cumsum(smooth, axis=2) * 40).astype(np.int16)
    ct = CTVolume(hu, VolumeGeometry.regular(hu.shape, (5.0, 2.5, 2.0), (10.0, 20.0, 30.0)))
    affine = np.diag([-2.0, -2.5, 5.0, 1.0])  # LPS as the RAS of NIfTI
    affine[:3, 3] = (-10.0, -20.0, 30.0)
    path = tmp_path / "ct.nii.gz"
    nibabel.save(nibabel.Nifti1Image(hu.transpose(2, 1, 0), affine), path)
    expected = predict(bundle, described, path)
    labels, _, _ = exact_labels(ct, package, Job(), "cpu")
    assert len(np.unique(expected)) > 1
    assert np.count_nonzero(labels != expected) <= 2, np.count_nonzero(labels != expected)


def changed(path, value):
    config = copy.deepcopy(CONFIG)
    place = config
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return config


def with_transform(number, **fields):
    config = copy.deepcopy(CONFIG)
    config["preprocessing"]["transforms"][number] |= fields
    return config


@pytest.mark.parametrize(
    "config",
    [
        changed(["spacing"], "$os.system('touch /tmp/x')"),
        changed(["spacing"], "@spacing"),
        changed(["spacing"], [3.0, 3.0]),
        changed(["inferer", "roi_size"], "$[16, 16, 16]"),
        changed(["inferer", "_target_"], "my.Inferer"),
        changed(["inferer", "mode"], "mine"),
        changed(["inferer", "roi_size"], [16, 16]),
        changed(["preprocessing", "_target_"], "os.system"),
        with_transform(2, axcodes="LAS"),
        with_transform(3, mode="nearest"),
        with_transform(4, clip=False),
        with_transform(4, _target_="my_code.Transform"),
        with_transform(4, _target_="CropForegroundd"),
        changed(["postprocessing", "transforms"], []),
    ],
)
def test_configurations_that_cannot_be_run_exactly(tmp_path, here, config):
    with pytest.raises(ModelError, match="AC-MD-044"):
        import_monai(write_bundle(tmp_path / "bundle", config))


def test_orientation_must_be_stated(tmp_path, here):
    with pytest.raises(ModelError, match="AC-MD-045"):
        import_monai(write_bundle(tmp_path / "bundle", with_transform(2, _target_="EnsureTyped")))


@pytest.mark.parametrize(
    "described",
    [
        UNET | {"act": "RELU"},
        UNET | {"norm": "instance_nvfuser"},
        UNET | {"in_channels": 1, "kernel_size": 5},
        SEGRESNET | {"upsample_mode": "deconv"},
    ],
)
def test_networks_that_are_not_supported(tmp_path, here, described):
    with pytest.raises(ModelError, match=r"AC-MD-0(44|22)"):
        import_monai(write_bundle(tmp_path / "bundle", described=described))


def test_class_list_of_another_size(tmp_path, here):
    bundle = write_bundle(tmp_path / "bundle")
    content = metadata()
    content["network_data_format"]["outputs"]["pred"]["channel_def"].pop("2")
    (bundle / "configs" / "metadata.json").write_text(json.dumps(content))
    with pytest.raises(ModelError, match="AC-MD-044"):
        import_monai(bundle)


def test_not_a_bundle(tmp_path, here):
    with pytest.raises(ModelError, match="AC-MD-054"):
        import_monai(tmp_path)
