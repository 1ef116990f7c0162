"""The parts of nnU-Net's plans and data sets that decide how a network is run; all others are refused, by name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from autocontour.base.errors import ModelError
from autocontour.base.limits import shown
from autocontour.models.networks import conv_unet, plan_network

ANISOTROPY = 3
READERS = {
    "SimpleITKIO": "",
    "NibabelIO": "",
    "SimpleITKIOWithReorient": "RAS",
    "NibabelIOWithReorient": "RAS",
}
NETWORKS = {"PlainConvUNet": conv_unet.PLAIN, "ResidualEncoderUNet": conv_unet.RESIDUAL}
NORMALISATIONS = {
    "CTNormalization": "ct",
    "ZScoreNormalization": "zscore",
    "NoNormalization": "none",
    "RescaleTo01Normalization": "rescale_to_01",
}
OTHER_IMAGES = {"mr", "mri", "t1", "t1w", "t1c", "t1ce", "t2", "t2w", "flair", "dwi", "adc", "pet", "pt", "suv", "us"}
RESAMPLER = "resample_data_or_seg_to_shape"
ABSENT: dict[str, tuple[object, ...]] = {"nonlin_first": (False,), "deep_supervision": (False, True)}


@dataclass(frozen=True)
class Labels:
    """The labels or regions of a data set.

    Attributes
    ----------
    heads
        Output channels of the network.
    values
        Label's name → its values in the label image.
    order
        Value that each region gives to its voxels, in the order of the channels; empty for labels.
    """

    heads: int
    values: Mapping[str, tuple[int, ...]]
    order: tuple[int, ...] = ()


def read_labels(dataset: Mapping[str, Any]) -> Labels:
    """Return the labels of a data set.

    Raises
    ------
    ModelError
        ``AC-MD-044``.
    """
    table = dataset.get("labels")
    if not isinstance(table, Mapping) or not 2 <= len(table) <= 300:
        raise unsupported("labels", table)
    entries = {str(name): _values(name, value) for name, value in table.items()}
    if entries.get("background") != (0,):
        raise unsupported("background", table.get("background"))
    ignore = entries.pop("ignore", None)
    if ignore is not None and (len(ignore) > 1 or ignore[0] != 1 + max(v for e in entries.values() for v in e)):
        raise unsupported("ignore", table.get("ignore"))
    known = sorted({value for values in entries.values() for value in values})
    if known != list(range(len(known))):  # the argmax gives the number of a channel, not the value of a label
        raise unsupported("labels", known)
    named = {name: values for name, values in entries.items() if set(values) != {0}}
    if all(len(values) == 1 for values in entries.values()):
        if len(named) != len(known) - 1:
            raise unsupported("labels", "two names for one value")
        return Labels(len(known), named)
    order = dataset.get("regions_class_order")
    if not isinstance(order, list) or len(order) != len(named) or any(type(value) is not int for value in order):
        raise unsupported("regions_class_order", order)
    if any(0 in values for values in named.values()) or 0 in order or not set(order) <= set(known):
        raise unsupported("regions", order)
    painted = {name: tuple(value for value in values if value in order) for name, values in named.items()}
    if not all(painted.values()):  # a region without a value of its own would never be seen
        raise unsupported("regions_class_order", order)
    return Labels(len(named), painted, tuple(order))


def _values(name: object, value: Any) -> tuple[int, ...]:  # noqa: ANN401  (external JSON)
    values = value if isinstance(value, list) else [value]
    try:
        found = tuple(int(one) for one in values if not isinstance(one, bool | float))
    except (TypeError, ValueError) as error:
        raise unsupported(f"label {shown(name)}", value) from error
    if len(found) != len(values) or not found or len(set(found)) != len(found) or not all(0 <= v < 256 for v in found):
        raise unsupported(f"label {shown(name)}", value)
    return tuple(sorted(found))


def unsupported(what: str, value: object) -> ModelError:
    """Return the error for a part of a model that cannot be run exactly (``AC-MD-044``)."""
    return ModelError("AC-MD-044", what=what, value=shown(value))


def resolve_configuration(plans: Mapping[str, Any], name: str, seen: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return a configuration with what it inherits."""
    known = plans.get("configurations")
    if not isinstance(known, Mapping) or not isinstance(known.get(name), Mapping) or name in seen or len(seen) > 8:
        raise unsupported("configuration", name)
    own = dict(known[name])
    parent = own.pop("inherits_from", None)
    return {**resolve_configuration(plans, parent, (*seen, name)), **own} if isinstance(parent, str) else own


def describe_network(configuration: Mapping[str, Any], heads: int) -> dict[str, Any]:
    """Return the description of the network of a configuration."""
    if configuration.get("previous_stage"):
        raise unsupported("cascade", configuration["previous_stage"])
    patch = configuration.get("patch_size")
    if not isinstance(patch, list) or len(patch) != 3 or any(type(size) is not int or size < 1 for size in patch):
        raise unsupported("patch_size", patch)
    architecture = configuration.get("architecture")
    if architecture is None:
        return _former_network(configuration, heads)
    name = str(architecture.get("network_class_name", "")) if isinstance(architecture, Mapping) else ""
    short = name.rpartition(".")[2]
    known = {f"dynamic_network_architectures.architectures.{module}.{short}" for module in ("unet", "residual_unet")}
    if short not in NETWORKS or name not in known:
        raise unsupported("network", name)
    found = _table(architecture, "arch_kwargs")
    expected = {
        "conv_op": ("torch.nn.modules.conv.Conv3d", "torch.nn.Conv3d"),
        "norm_op": ("torch.nn.modules.instancenorm.InstanceNorm3d", "torch.nn.InstanceNorm3d"),
        "nonlin": ("torch.nn.LeakyReLU", "torch.nn.modules.activation.LeakyReLU"),
        "dropout_op": (None,),
    }
    for key, allowed in expected.items():
        value = found.pop(key, None)
        if value not in allowed:
            raise unsupported(key, value)
    norm = found.pop("norm_op_kwargs", None)
    if not isinstance(norm, Mapping) or {"eps": 1e-5, **norm} != {"eps": 1e-5, "affine": True}:
        raise unsupported("norm_op_kwargs", norm)
    nonlin = _table(found, "nonlin_kwargs")
    found.pop("nonlin_kwargs", None)
    slope = nonlin.pop("negative_slope", 0.01)
    if set(nonlin) - {"inplace"}:
        raise unsupported("nonlin_kwargs", nonlin)
    blocks = found.pop("n_conv_per_stage" if short == "PlainConvUNet" else "n_blocks_per_stage", None)
    taken = [found.pop(key, None) for key in ("n_stages", "features_per_stage", "kernel_sizes", "strides")]
    decoder, bias = found.pop("n_conv_per_stage_decoder", None), found.pop("conv_bias", False)
    for key, value in found.items():
        if value not in ABSENT.get(key, ()) and value not in (None, {}):
            raise unsupported(key, value)
    stages, features, kernels, strides = taken
    return _described(NETWORKS[short], heads, stages, features, kernels, strides, blocks, decoder, bias, slope)


def read_spacing(configuration: Mapping[str, Any]) -> list[float]:
    """Return the spacing of the network's grid in mm."""
    steps = configuration.get("spacing")
    if not isinstance(steps, list) or len(steps) != 3:
        raise unsupported("spacing", steps)
    if any(isinstance(step, bool) or not isinstance(step, int | float) or not 0.1 <= step <= 50 for step in steps):
        raise unsupported("spacing", steps)
    return [float(step) for step in steps]


def _table(given: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Return a copy of the table under a key; an empty one if there is none."""
    found = given.get(key) or {}
    if not isinstance(found, Mapping):
        raise unsupported(key, found)
    return dict(found)


def _former_network(configuration: Mapping[str, Any], heads: int) -> dict[str, Any]:
    """Return the network of plans from before nnU-Net 2.5, which name the network and its size only."""
    short = str(configuration.get("UNet_class_name", ""))
    blocks = configuration.get("n_conv_per_stage_encoder")
    base, most = configuration.get("UNet_base_num_features"), configuration.get("unet_max_num_features")
    if short not in NETWORKS or not isinstance(blocks, list) or type(base) is not int or type(most) is not int:
        raise unsupported("network", short)
    features = [min(base << stage, most) for stage in range(min(len(blocks), 16))]
    kernels, strides = configuration.get("conv_kernel_sizes"), configuration.get("pool_op_kernel_sizes")
    decoder = configuration.get("n_conv_per_stage_decoder")
    return _described(NETWORKS[short], heads, len(blocks), features, kernels, strides, blocks, decoder, True, 0.01)


def _described(
    architecture: str,
    heads: int,
    stages: Any,  # noqa: ANN401  (external JSON, like the following)
    features: Any,  # noqa: ANN401
    kernels: Any,  # noqa: ANN401
    strides: Any,  # noqa: ANN401
    blocks: Any,  # noqa: ANN401
    decoder: Any,  # noqa: ANN401
    bias: Any,  # noqa: ANN401
    slope: Any,  # noqa: ANN401
) -> dict[str, Any]:
    """Return the description, with single numbers repeated for every stage as nnU-Net does, checked."""
    if type(stages) is not int or not 2 <= stages <= conv_unet.MOST_STAGES:
        raise unsupported("n_stages", stages)
    described = {
        "architecture": architecture,
        "in_channels": 1,
        "out_channels": heads,
        "features": _repeated(features, stages),
        "kernels_zyx": [_triple(one) for one in _repeated(kernels, stages)],
        "strides_zyx": [_triple(one) for one in _repeated(strides, stages)],
        "blocks": _repeated(blocks, stages),
        "decoder_blocks": _repeated(decoder, stages - 1),
        "bias": bias,
        "slope": slope,
    }
    plan_network(described)  # raises AC-MD-022 for a size that does not fit
    return described


def _repeated(value: Any, count: int) -> list[Any]:  # noqa: ANN401
    return [value] * count if type(value) is int else list(value) if isinstance(value, list) else []


def _triple(value: Any) -> list[Any]:  # noqa: ANN401
    return [value] * 3 if type(value) is int else list(value) if isinstance(value, list) else []


def read_orientation(reader: str, asked: str) -> str:
    """Return the orientation of the network's images: the reader's own, or the one that the user states."""
    if reader not in READERS:
        raise unsupported("image_reader_writer", reader)
    fixed = READERS[reader]
    if asked not in ("", "LPS", "RAS") or (fixed and asked and asked != fixed):
        raise unsupported("orientation", asked)
    if not fixed and not asked:
        raise ModelError("AC-MD-045")
    return fixed or asked


def read_axes(plans: Mapping[str, Any]) -> list[int]:
    """Return the image's axes in the order of the network's."""
    forward, backward = plans.get("transpose_forward", [0, 1, 2]), plans.get("transpose_backward", [0, 1, 2])
    if not isinstance(forward, list) or sorted(forward) != [0, 1, 2]:
        raise unsupported("transpose_forward", forward)
    if backward != [forward.index(axis) for axis in range(3)]:
        raise unsupported("transpose_backward", backward)
    return forward


def read_normalisation(
    plans: Mapping[str, Any], dataset: Mapping[str, Any], configuration: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the fields of the procedure's normalisation; refuses images other than one CT."""
    if configuration.get("preprocessor_name") != "DefaultPreprocessor":
        raise unsupported("preprocessor_name", configuration.get("preprocessor_name"))
    if plans.get("label_manager", "LabelManager") != "LabelManager":
        raise unsupported("label_manager", plans.get("label_manager"))
    channels = dataset.get("channel_names", dataset.get("modality"))
    if not isinstance(channels, Mapping) or len(channels) != 1:
        raise unsupported("channel_names", channels)
    ((number, channel),) = channels.items()
    schemes, masks = configuration.get("normalization_schemes"), configuration.get("use_mask_for_norm")
    if not isinstance(schemes, list) or len(schemes) != 1 or schemes[0] not in NORMALISATIONS or number != "0":
        raise unsupported("normalization_schemes", schemes)
    words = set(re.split(r"[^a-z0-9]+", str(channel).lower()))
    # A model of other images would draw on a CT all the same.
    if words & OTHER_IMAGES or (schemes[0] != "CTNormalization" and "ct" not in words):
        raise unsupported("channel_names", channel)
    kind = NORMALISATIONS[schemes[0]]
    inside = bool(masks[0]) if isinstance(masks, list) and masks else False
    if kind != "ct":
        return {"kind": kind, "inside": inside and kind == "zscore"}
    return {"kind": kind, **_intensities(plans)}


def _intensities(plans: Mapping[str, Any]) -> dict[str, float]:
    former = "foreground_intensity_properties_by_modality"
    known = plans.get("foreground_intensity_properties_per_channel", plans.get(former))
    if not isinstance(known, Mapping) or list(known) != ["0"] or not isinstance(known["0"], Mapping):
        raise unsupported("foreground_intensity_properties_per_channel", known)
    keys = {"low": "percentile_00_5", "high": "percentile_99_5", "mean": "mean", "sd": "std"}
    values: dict[str, float] = {}
    for name, key in keys.items():
        value = known["0"].get(key)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise unsupported("foreground_intensity_properties_per_channel", known["0"])
        values[name] = float(value)
    # Percentiles of a CT in HU; a mean outside them, or a range of 0 to 1, is of other images.
    if not values["low"] < values["mean"] < values["high"] or values["high"] - values["low"] < 20 or values["sd"] <= 1:
        raise unsupported("foreground_intensity_properties_per_channel", values)
    return values


def read_resampling(configuration: Mapping[str, Any], what: str) -> dict[str, Any]:
    """Return the fields of the procedure's resampling of ``data`` or ``probabilities``."""
    function = configuration.get(f"resampling_fn_{what}")
    if function != RESAMPLER:
        raise unsupported(f"resampling_fn_{what}", function)
    found = _table(configuration, f"resampling_fn_{what}_kwargs")
    order, order_z = found.pop("order", 3), found.pop("order_z", 0)
    separate, is_seg = found.pop("force_separate_z", False), found.pop("is_seg", False)
    threshold = found.pop("separate_z_anisotropy_threshold", ANISOTROPY)
    if found or is_seg is not False or threshold != ANISOTROPY or separate not in (None, True, False):
        raise unsupported(f"resampling_fn_{what}_kwargs", configuration.get(f"resampling_fn_{what}_kwargs"))
    if type(order) is not int or type(order_z) is not int:
        raise unsupported(f"resampling_fn_{what}_kwargs", order)
    return {"order": order, "order_z": order_z, "separate_z": separate}
