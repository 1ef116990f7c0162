"""The steps of MONAI's networks give what MONAI's own modules give, from the same weights."""

from __future__ import annotations

import numpy as np
import pytest

from autocontour.models.networks import build_network, plan_network
from autocontour.models.networks.as_openvino import build_model, openvino_core

torch = pytest.importorskip("torch")
nets = pytest.importorskip("monai.networks.nets")


def compare(theirs, described, state=None, size=(16, 24, 16)):
    theirs.eval()
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.normal_(0, 0.2)
    mine = build_network(described)
    mine.load_state_dict(theirs.state_dict() if state is None else state(theirs.state_dict()))
    image = torch.randn(1, 1, *size)
    with torch.inference_mode():
        expected, found = theirs(image), mine.eval()(image)
    assert torch.allclose(expected, found, atol=1e-4), (expected - found).abs().max()
    model = build_model(
        plan_network(described, size), {k: v.numpy() for k, v in mine.state_dict().items()}, logits=True
    )
    compiled = openvino_core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    assert np.allclose(compiled(image.numpy())[0], expected.numpy(), atol=2e-3)


def test_segresnet():
    theirs = nets.SegResNet(3, init_filters=8, in_channels=1, out_channels=5, blocks_down=(1, 2, 1), blocks_up=(1, 2))
    described = {"architecture": "segresnet", "in_channels": 1, "out_channels": 5, "init_filters": 8}
    compare(theirs, described | {"blocks_down": [1, 2, 1], "blocks_up": [1, 2]})


@pytest.mark.parametrize("units", [0, 2])
def test_unet(units):
    theirs = nets.UNet(3, 1, 3, channels=(4, 8, 16), strides=(2, 2), num_res_units=units)
    described = {"architecture": "residual_unet", "in_channels": 1, "out_channels": 3, "channels": [4, 8, 16]}
    compare(theirs, described | {"strides_zyx": [[2, 2, 2]] * 2, "units": units})


def test_unet_with_batch_norm():
    from autocontour.models.package.importers.monai_bundle import fold_batch_norms

    theirs = nets.UNet(3, 1, 2, channels=(4, 8, 16), strides=(2, 2), num_res_units=1, norm="batch")
    for module in theirs.modules():
        if isinstance(module, torch.nn.BatchNorm3d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    described = {"architecture": "residual_unet", "in_channels": 1, "out_channels": 2, "channels": [4, 8, 16]}

    def state(given):
        plain = {name: value.numpy() for name, value in given.items() if value.is_floating_point()}
        return {name: torch.from_numpy(value) for name, value in fold_batch_norms(plain).items()}

    compare(theirs, described | {"strides_zyx": [[2, 2, 2]] * 2, "units": 1, "norm": "batch"}, state)
