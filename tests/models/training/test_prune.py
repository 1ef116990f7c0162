"""Pruning: the channels that are kept are the ones that matter, and every later step takes exactly those."""

import numpy as np
import pytest
import torch

from autocontour.base.errors import ModelError
from autocontour.models.networks import build_network, narrow_network, plan_network
from autocontour.models.networks.as_openvino import build_model, openvino_core
from autocontour.models.training.prune import _change_of_channels, _most_important, select_channels

WIDE = {
    "architecture": "fc_densenet",
    "in_channels": 2,
    "out_channels": 3,
    "growth": 8,
    "block_layers": [1, 3],
    "bottleneck_layers": 2,
    "strides_zyx": [[2, 2, 2], [1, 2, 2]],
    "stem_stride_zyx": [2, 1, 1],
    "stem_channels": 16,
    "refine_channels": 8,
    "up_channels": [16, 8],
}
CONVOLUTIONS = "convolution", "transposed convolution"


def random_weights(config, seed):
    torch.manual_seed(seed)
    network = build_network(config)
    for value in network.parameters():
        torch.nn.init.normal_(value, 0.1, 0.5)
    return {name: value.clone() for name, value in network.state_dict().items()}


def widened(narrow, config, plan, slim):
    """Return weights of the wide network that computes what the narrow one does, and where the narrow channels are.

    Every channel of a group has a copy in it, so that the group's mean and variance stay; the copies come out as 0 and
    what reads them has random weights.
    """
    rng = np.random.default_rng(1)
    places, wide, real = {0: np.arange(2)}, {}, {}
    for number, (large, small) in enumerate(zip(plan.steps, slim.steps, strict=True), 1):
        width, count = large.shape[0], small.shape[0]
        if large.kind in CONVOLUTIONS:
            if count == width:
                mine = np.arange(width)
            else:
                mine = np.sort(rng.permutation(width // 2)[: width // 2] * 2 + rng.integers(0, 2, width // 2))
            places[number] = real[large.name] = mine
            given = narrow[f"{large.name}.weight"].numpy()
            weight = rng.normal(size=large.weights[0]).astype(np.float32)
            axis = 1 if large.kind == "transposed convolution" else 0
            weight, given = np.moveaxis(weight, axis, 0), np.moveaxis(given, axis, 0)
            for k, place in enumerate(mine):
                weight[place][places[large.inputs[0]]] = given[k]
                if count != width:
                    weight[place ^ 1] = weight[place]
            wide[f"{large.name}.weight"] = np.moveaxis(weight, 0, axis)
            if len(large.weights) > 1:
                bias = np.zeros(width, np.float32)
                bias[mine] = narrow[f"{large.name}.bias"].numpy()
                wide[f"{large.name}.bias"] = bias
            if axis == 1 and count != width:  # no norm follows: the copies themselves are 0
                wide[f"{large.name}.weight"][:, mine ^ 1] = 0
            continue
        if large.kind == "concatenate":
            starts = np.cumsum([0, *(plan.shape(value)[0] for value in large.inputs)])
            places[number] = np.concatenate([s + places[v] for s, v in zip(starts, large.inputs, strict=False)])
        else:
            places[number] = places[large.inputs[0]]
        if large.kind == "group norm":
            for what in ("weight", "bias"):
                value = np.zeros(width, np.float32)
                value[places[number]] = narrow[f"{large.name}.{what}"].numpy()
                wide[f"{large.name}.{what}"] = value
    return {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in wide.items()}, real


@pytest.fixture(scope="module")
def pair():
    config = narrow_network(WIDE, 0.5)
    plan, slim = plan_network(WIDE), plan_network(config)
    narrow = random_weights(config, 0)
    return config, plan, slim, narrow, *widened(narrow, config, plan, slim)


def test_a_network_with_channels_of_no_effect_is_pruned_to_exactly_what_it_computes(pair):
    """Row: skip connections misaligned. One wrong column anywhere would change the result."""
    config, plan, slim, narrow, wide, real = pair
    image = torch.randn(1, 2, 8, 8, 8, generator=torch.Generator().manual_seed(0))
    large, small = build_network(WIDE), build_network(config)
    large.load_state_dict(wide)
    importance = {name: np.isin(np.arange(plan_width(plan, name)), mine).astype(float) for name, mine in real.items()}
    found = select_channels(wide, plan, slim, importance)
    assert found.keys() == narrow.keys()
    assert all(torch.equal(found[name], narrow[name]) for name in narrow)
    small.load_state_dict(found)
    with torch.inference_mode():
        assert torch.allclose(large.eval()(image), small.eval()(image), atol=1e-4)


def plan_width(plan, name):
    return next(step.shape[0] for step in plan.steps if step.name == name)


def test_channels_of_no_effect_have_no_importance(pair):
    _, plan, _, _, wide, real = pair
    network = build_network(WIDE)
    network.load_state_dict(wide)
    image = torch.randn(1, 2, 8, 8, 8, generator=torch.Generator().manual_seed(0))
    parameters = dict(network.named_parameters())
    gradients = torch.autograd.grad(network(image).square().mean(), list(parameters.values()))
    change = {
        name: (value.detach() * gradient).numpy()
        for (name, value), gradient in zip(parameters.items(), gradients, strict=True)
    }
    for name, mine in real.items():
        found = np.abs(_change_of_channels(plan, name, change))
        others = np.setdiff1d(np.arange(len(found)), mine)
        assert (found[others] == 0).all()
        assert found[mine].any()  # a ReLU may stop some of them


def test_the_pruned_network_is_the_same_in_openvino(pair):
    config, _, _, narrow, _, _ = pair
    network = build_network(config)
    network.load_state_dict(narrow)
    image = np.random.default_rng(0).normal(size=(1, 2, 8, 8, 8)).astype(np.float32)
    model = build_model(plan_network(config, (8, 8, 8)), {name: value.numpy() for name, value in narrow.items()})
    compiled = openvino_core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    with torch.inference_mode():
        expected = torch.sigmoid(network.eval()(torch.from_numpy(image))).numpy()
    assert np.abs(compiled(image)[0] - expected).max() < 1e-4


def test_each_group_keeps_the_same_number_of_channels():
    importance = np.array([9, 8, 7, 6, 1, 2, 3, 4.0])
    assert _most_important(importance, 4, 2).tolist() == [0, 1, 6, 7]
    assert _most_important(importance, 4, 1).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("change", "share"),
    [({}, 0.99), ({}, 0.01), ({"growth": 12}, 0.5), ({"architecture": "unet", "features": [4] * 6}, 0.5)],
)
def test_a_network_that_cannot_be_narrowed_is_refused(change, share):
    config = WIDE | change
    if "features" in change:
        config = {"in_channels": 2, "out_channels": 3, **change}
    with pytest.raises(ModelError, match="AC-MD-022"):
        narrow_network(config, share)


def test_narrowed_without_widths_after_the_transitions():
    config = {key: value for key, value in WIDE.items() if key != "up_channels"}
    found = narrow_network(config, 0.75)
    assert (found["growth"], found["group_channels"]) == (6, 6)
    assert "up_channels" not in found
    groups = [[step.groups for step in plan_network(one).steps if step.groups] for one in (config, found)]
    assert groups[0] == groups[1]
