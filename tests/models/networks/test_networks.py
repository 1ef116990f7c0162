"""The networks: one description each, from which torch, OpenVINO and the checks of weights and memory are made."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from autocontour.base.errors import ModelError
from autocontour.models.networks import (
    Architecture,
    Plan,
    build_network,
    head_names,
    plan_network,
    register,
    registry,
    window_multiple_zyx,
)
from autocontour.models.networks import limits as memory
from autocontour.models.networks.as_openvino import build_model, openvino_core
from autocontour.models.networks.plan import IMAGE

SMALL = {
    "architecture": "fc_densenet",
    "in_channels": 2,
    "out_channels": 3,
    "growth": 8,
    "block_layers": [1, 2],
    "bottleneck_layers": 2,
    "strides_zyx": [[2, 2, 2], [1, 2, 2]],
    "stem_channels": 8,
    "refine_channels": 8,
}
UNET = {"architecture": "unet", "in_channels": 2, "out_channels": 3, "features": [4, 4, 8, 8, 8, 4]}
NETWORKS = [SMALL, SMALL | {"stem_stride_zyx": [2, 1, 1], "up_channels": [16, 8]}, UNET]


def parameters(network):
    return sum(value.numel() for value in network.parameters())


def spread(network):
    """Give norms and biases values of their own, so that a mistake with them changes the result."""
    for value in network.parameters():
        if value.dim() == 1:
            torch.nn.init.uniform_(value, 0.5, 1.5)
    return network.eval()


@pytest.mark.parametrize("stem", [[1, 1, 1], [2, 1, 1], [2, 2, 2]])
@pytest.mark.parametrize("up", [[], [16, 8]])
def test_fc_densenet_keeps_the_grid(stem, up):
    config = {**SMALL, "stem_stride_zyx": stem, "up_channels": up}
    size = [2 * step for step in window_multiple_zyx(config)]
    logits = build_network(config)(torch.zeros(1, 2, *size))
    assert logits.shape == (1, 3, *size)
    plan = plan_network(config, size)
    assert plan.shape(len(plan.steps)) == (3, *size)


def test_window_multiple_is_the_least_that_the_network_takes():
    config = {**SMALL, "stem_stride_zyx": [2, 1, 1]}
    assert window_multiple_zyx(config) == (4, 4, 4)
    with pytest.raises(RuntimeError):
        build_network(config)(torch.zeros(1, 2, 8, 8, 6))


def test_dense_layers_see_everything_before_them():
    config = SMALL | {"stem_channels": 5, "block_layers": [3, 1]}
    shapes = plan_network(config).weight_shapes()
    assert [shapes[f"down_blocks.0.layers.{k}.0.weight"][1] for k in range(3)] == [5, 13, 21]
    assert shapes["downs.0.0.0.weight"][1] == 5 + 3 * 8


def test_checkpointing_changes_memory_and_nothing_else():
    image = torch.randn(1, 2, 8, 8, 8, generator=torch.Generator().manual_seed(0))
    gradients, kept = [], []
    for checkpointing in (False, True):
        torch.manual_seed(0)
        network = build_network({**SMALL, "checkpointing": checkpointing})
        sizes = []
        with torch.autograd.graph.saved_tensors_hooks(lambda t, into=sizes: into.append(t.numel()) or t, lambda t: t):
            loss = network(image).square().mean()
        loss.backward()
        kept.append(sum(sizes))
        gradients.append([value.grad for value in network.parameters()])
    assert kept[1] < kept[0]
    for plain, recomputed in zip(*gradients, strict=True):
        torch.testing.assert_close(recomputed, plain)


def test_unet_keeps_the_grid():
    size = [2 * step for step in window_multiple_zyx(UNET)]
    assert build_network(UNET)(torch.zeros(1, 2, *size)).shape == (1, 3, *size)


def test_narrow_transitions_make_a_lighter_network():
    assert parameters(build_network({**SMALL, "up_channels": [8, 8]})) < parameters(build_network(SMALL))


@pytest.mark.parametrize("config", NETWORKS)
def test_the_plan_states_the_weights_of_the_torch_module(config):
    states = build_network(config).state_dict()
    assert plan_network(config).weight_shapes() == {name: tuple(value.shape) for name, value in states.items()}
    assert {states[name].shape[0] for name in head_names(config)} == {3}


@pytest.mark.parametrize("config", NETWORKS)
def test_openvino_computes_what_torch_computes(config):
    torch.manual_seed(2)
    network = spread(build_network(config))
    size = [2 * step for step in window_multiple_zyx(config)]
    model = build_model(plan_network(config, size), {k: v.numpy() for k, v in network.state_dict().items()})
    compiled = openvino_core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    image = torch.randn(1, 2, *size)
    with torch.inference_mode():
        expected = torch.sigmoid(network(image)).numpy()
    found = compiled(image.numpy())[0]
    assert expected.std() > 0.01
    assert np.abs(found - expected).max() < 1e-4


def test_no_torch_is_needed_for_openvino():
    code = (
        "import sys\nsys.modules['torch'] = sys.modules['monai'] = None\n"
        "import numpy as np\n"
        "from autocontour.models.networks import plan_network\n"
        "from autocontour.models.networks.as_openvino import build_model\n"
        f"plan = plan_network({SMALL!r}, (8, 8, 8))\n"
        "build_model(plan, {name: np.zeros(shape) for name, shape in plan.weight_shapes().items()})\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def plan_toy(config, size_zyx):
    """An architecture from outside: two convolutions and a skip around the second."""
    plan = Plan(config["in_channels"], size_zyx)
    first = plan.relu(plan.group_norm(plan.convolution(IMAGE, "first", config["width"]), "norm", 1))
    second = plan.relu(plan.convolution(first, "second", config["width"], bias=True), slope=0.2)
    plan.logits(plan.concatenate(first, second), "out", config["out_channels"])
    return plan


@pytest.fixture
def toy_architecture(monkeypatch):
    monkeypatch.setattr(registry, "_ARCHITECTURES", dict(registry._ARCHITECTURES))
    register("toy", Architecture(plan_toy, lambda _: (1, 1, 1)))
    return {"architecture": "toy", "in_channels": 2, "out_channels": 3, "width": 4}


def test_a_network_from_outside_is_one_description(toy_architecture, tmp_path, toy_metadata):
    """A package of it is written, verified and run, by torch and by OpenVINO."""
    from autocontour.models import write_package
    from autocontour.models.inference.runtime import open_runner

    stages = toy_metadata["stages"]
    stages = {"segmenter": stages["segmenter"] | {"network": toy_architecture, "window_zyx": [7, 9, 11]}}
    torch.manual_seed(4)
    weights = {"segmenter": build_network(toy_architecture).state_dict()}
    package = write_package(tmp_path / "toy", toy_metadata | {"stages": stages}, weights)
    window = np.random.default_rng(0).uniform(-1, 1, (2, 7, 9, 11)).astype(np.float32)
    runners = (open_runner(package, "segmenter", device) for device in ("torch-cpu", "cpu"))
    (expected,), (found,) = (list(runner([window])) for runner in runners)
    assert expected.shape == (3, 7, 9, 11)
    assert found == pytest.approx(expected, abs=0.02)
    assert head_names(toy_architecture) == ("out.weight", "out.bias")


def test_an_inner_value_of_a_recomputed_block_may_not_be_used_outside():
    from autocontour.models.networks.as_torch import PlannedNetwork

    plan = Plan(1, (4, 4, 4))
    with plan.recomputed():
        inner = plan.convolution(IMAGE, "a", 2)
        last = plan.convolution(inner, "b", 2)
    plan.logits(plan.concatenate(inner, last), "out", 1)
    PlannedNetwork(plan)
    with pytest.raises(ValueError, match="recomputed block"):
        PlannedNetwork(plan, checkpointing=True)


def test_a_value_used_twice_is_not_overwritten_by_a_relu():
    from autocontour.models.networks.as_torch import PlannedNetwork

    plan = Plan(1, (2, 2, 2))
    before = plan.convolution(IMAGE, "a", 1, (1, 1, 1))
    plan.logits(plan.concatenate(before, plan.relu(before)), "out", 1)
    network = PlannedNetwork(plan).eval()
    for value, number in zip(network.parameters(), ([[1.0]], [[1.0, 1.0]], [0.0]), strict=True):
        value.data = torch.tensor(number).reshape(value.shape)
    assert network(torch.full((1, 1, 2, 2, 2), -3.0)).unique().tolist() == [-3.0]


def test_required_memory_counts_what_is_alive_at_once():
    plan = Plan(1, (10, 10, 10))
    first = plan.convolution(IMAGE, "a", 4, bias=True)
    second = plan.convolution(plan.relu(first), "b", 2, bias=True)
    plan.logits(second, "out", 1)
    weights = 4 * 27 + 4 + 2 * 4 * 27 + 2 + 2 + 1
    assert plan.peak_bytes() == 4 * (6 * 1000 + weights)
    assert memory.required_bytes(plan, "segmenter") == 2 * 4 * 6000 + 3 * 4 * weights


def test_more_memory_than_the_machine_has_is_refused(monkeypatch):
    plan = plan_network(SMALL, (32, 32, 32))
    memory.check_memory(plan, "segmenter")
    monkeypatch.setattr(memory, "machine_bytes", lambda: memory.required_bytes(plan, "segmenter") - 1)
    with pytest.raises(ModelError, match="AC-MD-021"):
        memory.check_memory(plan, "segmenter")


def test_the_machine_has_memory():
    assert 1 << 28 < memory.machine_bytes() < 1 << 50


@pytest.mark.parametrize(
    ("config", "code"),
    [
        ({}, "AC-MD-020"),
        ({"architecture": "os.system", "in_channels": 1}, "AC-MD-020"),
        ({"architecture": ["unet"]}, "AC-MD-020"),
        ({"architecture": "unet"}, "AC-MD-022"),
        ({**SMALL, "unheard_of": 1}, "AC-MD-022"),
        ({**SMALL, "block_layers": [1]}, "AC-MD-022"),
        ({**SMALL, "up_channels": [8]}, "AC-MD-022"),
        ({**SMALL, "up_channels": None}, "AC-MD-022"),
        ({**SMALL, "stem_stride_zyx": [2, 2]}, "AC-MD-022"),
        ({**SMALL, "stem_stride_zyx": [0, 1, 1]}, "AC-MD-022"),
        ({**SMALL, "strides_zyx": [[2, 2, 2], [2, 0, 2]]}, "AC-MD-022"),
        ({**SMALL, "strides_zyx": [[2, 2, 2], 2]}, "AC-MD-022"),
        ({**SMALL, "growth": 0}, "AC-MD-022"),
        ({**SMALL, "growth": True}, "AC-MD-022"),
        ({**SMALL, "growth": 8.0}, "AC-MD-022"),
        ({**SMALL, "in_channels": "2"}, "AC-MD-022"),
        ({**SMALL, "checkpointing": "yes"}, "AC-MD-022"),
        ({**UNET, "features": [4, 4, 8, 8, 8]}, "AC-MD-022"),
        ({**UNET, "features": [4, 4, 8, 8, 8, 0]}, "AC-MD-022"),
        ({**SMALL, "block_layers": [64] * 16, "strides_zyx": [[1, 1, 1]] * 16}, "AC-MD-022"),
    ],
)
def test_a_description_that_does_not_fit_is_refused(config, code):
    for use in (build_network, plan_network, head_names):
        with pytest.raises(ModelError) as refusal:
            use(config)
        assert refusal.value.code == code


def test_a_signal_after_a_network_was_released_in_a_thread_does_not_end_the_process():
    """OpenVINO's stack for signal handlers must stay: Ctrl+C in a queue would end it with a segmentation fault."""
    script = f"""
import gc, os, signal, threading
import numpy as np
from autocontour.models.networks import plan_network
from autocontour.models.networks.as_openvino import build_model, openvino_core
plan = plan_network({UNET!r}, (16, 16, 16))
weights = {{name: np.zeros(shape) for name, shape in plan.weight_shapes().items()}}
kept = [openvino_core().compile_model(build_model(plan, weights), "CPU")]
thread = threading.Thread(target=lambda: (kept.clear(), gc.collect()))
thread.start()
thread.join()
received = []
signal.signal(signal.SIGTERM, lambda *_: received.append(True))
os.kill(os.getpid(), signal.SIGTERM)
assert received
"""
    assert subprocess.run([sys.executable, "-c", script], timeout=60).returncode == 0
