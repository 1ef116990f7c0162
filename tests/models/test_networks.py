import pytest
import torch

from autocontour.base.errors import ModelError
from autocontour.models.networks import DenseBlock, build_network, window_multiple_zyx

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


def parameters(network):
    return sum(value.numel() for value in network.parameters())


@pytest.mark.parametrize("stem", [[1, 1, 1], [2, 1, 1], [2, 2, 2]])
@pytest.mark.parametrize("up", [[], [16, 8]])
def test_fc_densenet_keeps_the_grid(stem, up):
    config = {**SMALL, "stem_stride_zyx": stem, "up_channels": up}
    size = [2 * step for step in window_multiple_zyx(config)]
    logits = build_network(config)(torch.zeros(1, 2, *size))
    assert logits.shape == (1, 3, *size)


def test_window_multiple_is_the_least_that_the_network_takes():
    config = {**SMALL, "stem_stride_zyx": [2, 1, 1]}
    assert window_multiple_zyx(config) == (4, 4, 4)
    with pytest.raises(RuntimeError):
        build_network(config)(torch.zeros(1, 2, 8, 8, 6))


def test_dense_layers_see_everything_before_them():
    block = DenseBlock(inputs=5, growth=8, layers=3)
    assert [layer[0].in_channels for layer in block.layers] == [5, 13, 21]
    assert block(torch.zeros(1, 5, 4, 4, 4)).shape[1] == block.new_channels == 24


def test_checkpointing_changes_memory_and_nothing_else():
    image = torch.randn(1, 2, 8, 8, 8, generator=torch.Generator().manual_seed(0))
    gradients = []
    for checkpointing in (False, True):
        torch.manual_seed(0)
        network = build_network({**SMALL, "checkpointing": checkpointing})
        network(image).square().mean().backward()
        gradients.append([value.grad for value in network.parameters()])
    for plain, recomputed in zip(*gradients, strict=True):
        torch.testing.assert_close(recomputed, plain)


def test_unet_keeps_the_grid():
    config = {"architecture": "unet", "in_channels": 2, "out_channels": 3, "features": [4, 4, 8, 8, 8, 4]}
    size = [2 * step for step in window_multiple_zyx(config)]
    assert build_network(config)(torch.zeros(1, 2, *size)).shape == (1, 3, *size)


def test_narrow_transitions_make_a_lighter_network():
    assert parameters(build_network({**SMALL, "up_channels": [8, 8]})) < parameters(build_network(SMALL))


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"architecture": "os.system", "in_channels": 1},
        {**SMALL, "unheard_of": 1},
        {**SMALL, "block_layers": [1]},
        {**SMALL, "up_channels": [8]},
        {**SMALL, "stem_stride_zyx": [2, 2]},
    ],
)
def test_what_does_not_fit_is_refused_in_words(config):
    with pytest.raises(ModelError) as refusal:
        build_network(config)
    assert refusal.value.code == "AC-MD-020"
