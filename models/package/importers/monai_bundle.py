"""Import of MONAI bundles whose configuration is plain: a SegResNet or a UNet with standard transforms.

MONAI's own parser runs code that a configuration contains (``$...``). Here a configuration is data: references
(``@name``) to other plain values are followed, everything else is refused.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autocontour.base.errors import ModelError
from autocontour.base.limits import shown
from autocontour.models.networks import plan_network
from autocontour.models.package.importers.checkpoint import read_checkpoint
from autocontour.models.package.importers.files import hash_file, read_table
from autocontour.models.package.importers.names import Names
from autocontour.models.package.importers.nnunet_plans import unsupported
from autocontour.models.package.importers.writing import Imported, plain_text, stated

CONFIG, METADATA, WEIGHTS = "configs/inference.json", "configs/metadata.json", "models/model.pt"
MOST_BYTES = 4 << 20
FILES = (CONFIG, METADATA, WEIGHTS)
MOST_REFERENCES = 20
EPSILON = 1e-5
IGNORED = {"LoadImaged", "EnsureChannelFirstd", "EnsureTyped", "EnsureType", "ToTensord", "SaveImaged"}
ORIENTATIONS = ("RAS", "LPS")
UNUSED = ("device", "sw_device", "keys", "transform", "orig_keys", "output_dir", "output_postfix", "meta_keys")
"""Fields of a configuration that say nothing about the result; they often hold expressions."""

Weights = Mapping[str, NDArray[np.floating[Any]]]


def import_monai(folder: Path, names: Names | None = None) -> Imported:
    """Read a MONAI bundle.

    Parameters
    ----------
    folder
        The bundle's folder.
    names
        Structure names of its classes.

    Raises
    ------
    ModelError
        ``AC-MD-054`` if it is not a bundle, ``AC-MD-044`` for what cannot be run exactly, or the errors of
        `autocontour.models.package.importers.checkpoint.read_checkpoint`.
    """
    paths = [folder / one for one in FILES]
    if not all(path.is_file() for path in paths):
        raise ModelError("AC-MD-054", name=shown(folder.name))
    config, metadata = read_table(paths[0], MOST_BYTES), read_table(paths[1], MOST_BYTES)
    network, norm = read_network(config)
    found: Weights = read_checkpoint(paths[2]).weights
    if norm == "batch":
        found = fold_batch_norms(found)
    expected = plan_network(network).weight_shapes()
    shapes = {name: tuple(value.shape) for name, value in found.items()}
    if shapes != expected:
        odd = sorted(name for name in shapes | expected if shapes.get(name) != expected.get(name))[0]
        raise ModelError("AC-MD-014", weight=ascii(odd)[1:61])
    spacing, steps = read_preprocessing(config)
    window, inference = read_inferer(config)
    procedure = {
        "framework": "monai",
        "axes": [2, 1, 0],  # MONAI's arrays are x, y, z
        "heads": network["out_channels"],
        **steps,
        **inference,
        **read_postprocessing(config),
        "data": {"order": 1},
        "logits": {"order": 1},
        "source": {"files": {name: hash_file(file) for name, file in zip(FILES, paths, strict=True)}},
    }
    stage = {
        "network": network,
        "spacing_zyx_mm": spacing,
        "window_zyx": window,
        "intensity_windows_hu": [],
        "overlap": 0.25,
    }
    weights = {f"0.{name}": value for name, value in found.items()}
    licence = metadata.get("license") or metadata.get("copyright") or "not stated"
    name = plain_text(metadata.get("name") or folder.name) or "monai"
    labels = _labels(metadata, network["out_channels"])
    licence = plain_text(licence) or "not stated"
    return Imported(name, licence, stage, procedure, labels, weights, names or Names(), _about(metadata))


def _about(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a bundle's metadata say about its data and its results."""
    texts = ("description", "authors", "data_source", "references", "intended_use")
    about: dict[str, Any] = stated(metadata, {key: key if key != "intended_use" else "stated_use" for key in texts})
    metrics = metadata.get("eval_metrics")
    if isinstance(metrics, Mapping):
        numbers = ((key, one) for key, one in metrics.items() if isinstance(one, int | float) and math.isfinite(one))
        about["published_figures"] = {plain_text(key): one for key, one in itertools.islice(numbers, 50)}
    return about


def read_network(config: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """Return the description of a bundle's network, and the kind of its norm."""
    given = dict(_table(config, "network_def"))
    target = str(given.pop("_target_", "")).rpartition(".")[2]
    for key in ("dropout", "dropout_prob"):  # without effect in inference
        given.pop(key, None)
    fixed = {"spatial_dims": 3, "in_channels": 1}
    for key, value in fixed.items():
        if given.pop(key, value if key == "spatial_dims" else None) != value:
            raise unsupported(f"{key} of the network", config["network_def"])
    described: dict[str, Any] = {"in_channels": 1, "out_channels": given.pop("out_channels", None)}
    if target == "SegResNet":
        for key, default in (("init_filters", 8), ("blocks_down", [1, 2, 2, 4]), ("blocks_up", [1, 1, 1])):
            described[key] = given.pop(key, default)
        described["architecture"] = "segresnet"
        norm = ""
        allowed = {"upsample_mode": "nontrainable", "use_conv_final": True}
    elif target == "UNet":
        strides = given.pop("strides", [])
        described |= {
            "architecture": "residual_unet",
            "channels": given.pop("channels", []),
            "strides_zyx": [[one] * 3 if type(one) is int else one for one in strides if isinstance(one, int | list)],
            "units": given.pop("num_res_units", 0),
        }
        norm = str(given.pop("norm", "instance")).lower()
        described["norm"] = norm
        allowed = {"act": "PRELU", "kernel_size": 3, "up_kernel_size": 3, "bias": True, "adn_ordering": "NDA"}
    else:
        raise unsupported("network", target)
    for key, value in given.items():
        same = value.upper() if isinstance(value, str) and key == "act" else value
        if key not in allowed or same != allowed[key]:
            raise unsupported(f"{key} of the network", value)
    plan_network(described)
    return described, norm


def read_preprocessing(config: Mapping[str, Any]) -> tuple[list[float], dict[str, Any]]:
    """Return the spacing along the network's x, y, z, and how the image is oriented and normalised."""
    spacing: list[float] | None = None
    orientation = ""
    normalisation: dict[str, Any] = {"kind": "none"}
    for one in _transforms(config, "preprocessing"):
        kind = str(one.get("_target_", "")).rpartition(".")[2]
        if kind in IGNORED:
            continue
        if kind == "Orientationd" and one.get("axcodes") in ORIENTATIONS and not orientation:
            orientation = one["axcodes"]
        elif kind == "Spacingd" and spacing is None and normalisation["kind"] == "none":
            spacing = _spacing(one)
        elif kind == "ScaleIntensityRanged" and normalisation["kind"] == "none" and one.get("clip") is True:
            normalisation = {"kind": "range"}
            for ours, theirs in (("low", "a_min"), ("high", "a_max"), ("mean", "b_min"), ("sd", "b_max")):
                normalisation[ours] = _number(one, theirs)
        elif kind == "NormalizeIntensityd" and normalisation["kind"] == "none" and "divisor" not in one:
            normalisation = {"kind": "zscore", "inside": one.get("nonzero", False) is True}
        elif kind == "ScaleIntensityd" and normalisation["kind"] == "zscore" and "factor" not in one:
            ends = {"low": float(one.get("minv", 0.0)), "high": float(one.get("maxv", 1.0))}
            normalisation |= {"kind": "zscore_to_range", **ends}
        else:
            raise unsupported("preprocessing", kind)
    if not orientation:
        raise ModelError("AC-MD-045")
    if spacing is None:
        raise unsupported("preprocessing", "no Spacingd")
    return spacing, {"orientation": orientation, "normalisation": normalisation}


def read_inferer(config: Mapping[str, Any]) -> tuple[list[int], dict[str, Any]]:
    """Return the window and the fields of the procedure for the windows."""
    given = dict(_table(config, "inferer"))
    if str(given.pop("_target_", "")).rpartition(".")[2] != "SlidingWindowInferer":
        raise unsupported("inferer", config["inferer"])
    window, overlap = given.pop("roi_size", None), given.pop("overlap", 0.25)
    mode = given.pop("mode", "constant")
    for key in ("sw_batch_size", "device", "sw_device", "progress", "cache_roi_weight_map", "cpu_thresh"):
        given.pop(key, None)
    if given.pop("padding_mode", "constant") != "constant" or given or mode not in ("constant", "gaussian"):
        raise unsupported("inferer", given or mode)
    sizes = window if isinstance(window, list) else []
    if len(sizes) != 3 or any(type(size) is not int or size < 1 for size in sizes):
        raise unsupported("roi_size", window)
    if isinstance(overlap, bool) or not isinstance(overlap, int | float) or not 0 <= overlap < 0.95:
        raise unsupported("overlap", overlap)
    return sizes, {"step": 1 - float(overlap), "gaussian": mode == "gaussian"}


def read_postprocessing(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of the procedure for what follows the network: softmax, the CT's grid, the largest."""
    found = []
    for one in _transforms(config, "postprocessing"):
        kind = str(one.get("_target_", "")).rpartition(".")[2]
        if kind in IGNORED:
            continue
        plain = {
            "Activationsd": one.get("softmax") is True and not one.get("sigmoid"),
            "Invertd": one.get("nearest_interp", True) is False,
            "AsDiscreted": one.get("argmax") is True,
        }
        if not plain.get(kind, False):
            raise unsupported("postprocessing", kind)
        found.append(kind)
    if found != ["Activationsd", "Invertd", "AsDiscreted"]:
        raise unsupported("postprocessing", ", ".join(found))
    return {"outputs": "labels"}


def fold_batch_norms(weights: Weights) -> dict[str, NDArray[np.floating[Any]]]:
    """Return weights with every batch norm as a scale and a shift by its stored statistics."""
    folded = dict(weights)
    for name in weights:
        base, found, _ = name.rpartition(".running_var")
        if not found or f"{base}.running_mean" not in weights:
            continue
        scale = weights[f"{base}.weight"] / np.sqrt(weights[name] + np.float32(EPSILON))
        folded[f"{base}.bias"] = weights[f"{base}.bias"] - weights[f"{base}.running_mean"] * scale
        folded[f"{base}.weight"] = scale
        del folded[name], folded[f"{base}.running_mean"]
    return {name: value for name, value in folded.items() if not name.endswith(".num_batches_tracked")}


def _labels(metadata: Mapping[str, Any], heads: int) -> dict[str, tuple[int, ...]]:
    """Return the classes that the bundle's metadata name."""
    try:
        channels = metadata["network_data_format"]["outputs"]["pred"]["channel_def"]
        labels = {int(number): str(name) for number, name in channels.items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise unsupported("channel_def", "missing") from error
    if sorted(labels) != list(range(heads)) or len(set(labels.values())) != heads:
        raise unsupported("channel_def", labels)
    if labels[0].lower() not in ("background", "bg"):
        raise unsupported("channel_def", labels[0])
    return {name: (number,) for number, name in sorted(labels.items()) if number}


def _table(config: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = _plain(config, config.get(key))
    if not isinstance(found, Mapping):
        raise unsupported(key, found)
    return found


def _transforms(config: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    composed = _table(config, key)
    transforms = composed.get("transforms")
    if str(composed.get("_target_", "")).rpartition(".")[2] != "Compose" or not isinstance(transforms, list):
        raise unsupported(key, composed.get("_target_"))
    if not all(isinstance(one, Mapping) for one in transforms):
        raise unsupported(key, transforms)
    return [one for one in transforms if one.get("_disabled_") is not True]


def _plain(config: Mapping[str, Any], value: Any, seen: int = 0) -> Any:  # noqa: ANN401  (external JSON)
    """Return a value with its references followed; expressions are refused except in fields that are not used."""
    if seen > MOST_REFERENCES:
        raise unsupported("configuration", "references in a circle")
    if isinstance(value, Mapping):
        return {key: None if key in UNUSED else _plain(config, one, seen + 1) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain(config, one, seen + 1) for one in value]
    if isinstance(value, str) and value.startswith("@"):
        found: Any = config
        for part in value[1:].replace("#", "::").split("::"):
            found = found.get(part) if isinstance(found, Mapping) else None
        return _plain(config, found, seen + 1)
    if isinstance(value, str) and value.startswith(("$", "%")):
        raise unsupported("configuration", value)
    return value


def _spacing(one: Mapping[str, Any]) -> list[float]:
    steps, mode = one.get("pixdim"), one.get("mode", "bilinear")
    if mode not in ("bilinear", ["bilinear"]) or not isinstance(steps, list) or len(steps) != 3:
        raise unsupported("Spacingd", one)
    if any(isinstance(step, bool) or not isinstance(step, int | float) or not 0.1 <= step <= 50 for step in steps):
        raise unsupported("Spacingd", steps)
    return [float(step) for step in steps]


def _number(one: Mapping[str, Any], key: str) -> float:
    value = one.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise unsupported(key, value)
    return float(value)
