"""A planned network as an OpenVINO model, built without torch."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autocontour.models.networks.plan import IMAGE, Plan, Step

EPSILON = 1e-5  # of torch's norms
SPATIAL = (1, 1, 1)


def import_openvino() -> Any:  # noqa: ANN401  (openvino has no types)
    """Return the module openvino, imported without its telemetry: it would send a report at each import."""
    if "openvino" not in sys.modules:
        sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]  # so that importing it fails
    return import_module("openvino")


@cache
def openvino_core() -> Any:  # noqa: ANN401  (openvino has no types)
    """Return the core of this process, which is kept to its end.

    Its CPU plugin gives the thread that loads it a stack for signal handlers, and frees the memory with the last core
    and network. In another thread it cannot take the stack back, and the next signal would end the process (SIGSEGV).
    """
    return import_openvino().Core()


def build_model(plan: Plan, weights: Mapping[str, NDArray[np.floating[Any]]], *, logits: bool = False) -> Any:  # noqa: ANN401  (openvino has no types)
    """Return the OpenVINO model of a network.

    Parameters
    ----------
    plan
        The network for one size of window.
    weights
        By the names of `Plan.weight_shapes`; used in float32.
    logits
        Whether the result is the logits, not their sigmoid.

    Returns
    -------
    openvino.Model
        Maps a float32 (1, channels, z, y, x) image to probabilities (1, structures, z, y, x).
    """
    openvino = import_openvino()
    from openvino import opset13

    image = opset13.parameter([1, *plan.shape(IMAGE)], np.float32, name="image")
    values = [image]
    for step in plan.steps:
        values.append(_node(step, [values[number] for number in step.inputs], weights))
    return openvino.Model([values[-1] if logits else opset13.sigmoid(values[-1])], [image], "network")


def _node(step: Step, inputs: list[Any], weights: Mapping[str, NDArray[np.floating[Any]]]) -> Any:  # noqa: ANN401
    from openvino import opset13

    def constant(what: str) -> NDArray[np.float32]:
        return np.ascontiguousarray(weights[f"{step.name}.{what}"], dtype=np.float32)

    match step.kind:
        case "convolution":
            node = opset13.convolution(inputs[0], constant("weight"), step.stride, step.padding, step.padding, SPATIAL)
        case "transposed convolution":
            around, more = list(step.padding), list(step.more)
            node = opset13.convolution_backprop_data(
                inputs[0],
                constant("weight"),
                list(step.stride),
                pads_begin=around,
                pads_end=around,
                output_padding=more,
            )
        case "group norm":
            scale, shift = constant("weight"), constant("bias")
            if step.groups < step.shape[0]:
                return opset13.group_normalization(inputs[0], scale, shift, step.groups, EPSILON)
            # An instance norm is faster as separate operations, which OpenVINO fuses with the following ones.
            node = opset13.mvn(inputs[0], [2, 3, 4], True, EPSILON, "INSIDE_SQRT")
            node = opset13.multiply(node, scale.reshape(1, -1, 1, 1, 1))
        case "instance norm":
            node = opset13.mvn(inputs[0], [2, 3, 4], True, EPSILON, "INSIDE_SQRT")
            if not step.name:
                return node
            node = opset13.multiply(node, constant("weight").reshape(1, -1, 1, 1, 1))
        case "scale":
            node = opset13.multiply(inputs[0], constant("weight").reshape(1, -1, 1, 1, 1))
        case "prelu":
            return opset13.prelu(inputs[0], constant("weight"))
        case "relu" if step.slope:
            return opset13.prelu(inputs[0], np.float32(step.slope))
        case "relu":
            return opset13.relu(inputs[0])
        case "max pool":
            return opset13.max_pool(inputs[0], step.stride, SPATIAL, [0, 0, 0], [0, 0, 0], step.kernel).output(0)
        case "average pool":
            no_border = [0, 0, 0]
            return opset13.avg_pool(inputs[0], list(step.stride), no_border, no_border, list(step.kernel), True)
        case "enlarge":
            return opset13.interpolate(
                inputs[0],
                np.array(step.shape[1:], np.int64),
                "linear_onnx",
                "sizes",
                coordinate_transformation_mode="half_pixel",
                axes=np.array([2, 3, 4], np.int64),
            )
        case "add":
            return opset13.add(inputs[0], inputs[1])
        case "concatenate":
            return opset13.concat(inputs, 1)
    if len(step.weights) == 1:
        return node
    return opset13.add(node, constant("bias").reshape(1, -1, 1, 1, 1))
