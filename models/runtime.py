"""Where a network runs: CUDA or CPU, by torch or by OpenVINO."""

from __future__ import annotations

import os
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray
from platformdirs import user_cache_path

from autocontour.errors import ModelError
from autocontour.models.weights import load_network, missing_extra

if TYPE_CHECKING:
    from torch import nn

    from autocontour.models.package import ModelPackage, Stage

DEVICES = ("auto", "cpu", "cuda", "torch-cpu")

Channels = NDArray[np.float32]


class OutOfMemoryError(Exception):
    """The device has no memory for a window of this size."""


class Runner(Protocol):
    """A network ready to run.

    Attributes
    ----------
    device
        What it runs on, in words for the provenance: ``CUDA``, ``CPU OpenVINO bf16`` …
    """

    device: str

    def __call__(self, window: Channels) -> Channels:
        """Turn (channels, z, y, x) input into (structures, z, y, x) probabilities; raises `OutOfMemoryError`."""
        ...


def open_runner(package: ModelPackage, role: str, device: str = "auto") -> Runner:
    """Make one stage of a package ready to run.

    Parameters
    ----------
    role
        ``localizer`` or ``segmenter``.
    device
        ``auto`` takes CUDA if there is one, else the CPU; ``cpu`` takes OpenVINO if it is installed, else torch;
        ``torch-cpu`` is for comparisons.

    Raises
    ------
    ModelError
        ``AC-MD-016`` without torch, ``AC-MD-033`` for an unknown device or a CUDA device that is not there, or what
        reading the weights raises.
    """
    if device not in DEVICES:
        raise ModelError("AC-MD-033", f"The device {device!r} is unknown.", f"Known: {', '.join(DEVICES[:3])}.")
    if device in ("auto", "cuda") and _has_cuda():
        return TorchRunner(_network(package, role), "cuda")
    if device == "cuda":
        raise ModelError("AC-MD-033", "There is no CUDA device that torch can use.", "Use the device auto or cpu.")
    if device != "torch-cpu" and _has_openvino():
        return OpenVinoRunner(package, role)
    return TorchRunner(_network(package, role), "cpu")


class TorchRunner:
    """A network run by torch; on CUDA in mixed precision."""

    def __init__(self, network: nn.Module, device: str) -> None:
        self._network = network.to(device).eval()
        self._device = device
        self.device = device.upper() if device == "cuda" else "CPU torch"

    def __call__(self, window: Channels) -> Channels:
        """Turn input into probabilities."""
        import torch

        try:
            with torch.inference_mode(), torch.autocast(self._device, torch.float16, enabled=self._device == "cuda"):
                logits = self._network(torch.from_numpy(window[None]).to(self._device))
                probabilities: Channels = torch.sigmoid(logits.float())[0].cpu().numpy()
        except torch.OutOfMemoryError as error:
            torch.cuda.empty_cache()
            raise OutOfMemoryError from error
        return probabilities


class OpenVinoRunner:
    """A network run by OpenVINO on the CPU, in bf16 where the processor has it.

    The network is translated once for each package, OpenVINO and window and kept in the user's cache folder, so that
    later runs need no torch.
    """

    def __init__(self, package: ModelPackage, role: str) -> None:
        import openvino

        core = openvino.Core()
        core.set_property({"CACHE_DIR": str(_cache_folder() / "compiled")})
        capabilities = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        self._precision = "bf16" if "BF16" in capabilities else "f32"
        path = _translated(package, role)
        hints = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": self._precision}
        self._request = core.compile_model(str(path), "CPU", hints).create_infer_request()
        self.device = f"CPU OpenVINO {self._precision}"

    def __call__(self, window: Channels) -> Channels:
        """Turn input into probabilities."""
        self._request.infer({0: window[None]}, share_inputs=True)
        probabilities: Channels = self._request.get_output_tensor(0).data[0]
        return probabilities


def _network(package: ModelPackage, role: str) -> nn.Module:
    try:
        return load_network(package.stages[role], len(package.structures), package.read_weights(role))
    except ImportError as error:
        raise missing_extra() from error


def _has_cuda() -> bool:
    """Say whether torch has a CUDA device; where no driver is installed, without the seconds torch takes to import."""
    if not Path("/dev/nvidiactl").exists() and os.name == "posix":
        return False
    try:
        import torch
    except ImportError:
        return False
    return torch.cuda.is_available()


def _has_openvino() -> bool:
    from importlib.util import find_spec

    return find_spec("openvino") is not None


def _cache_folder() -> Path:
    return user_cache_path("autocontour") / "networks"


def _translated(package: ModelPackage, role: str) -> Path:
    """Return the package's network as OpenVINO reads it, translating it unless that is done already."""
    import openvino

    version = openvino.get_version().split("-")[0]
    path = _cache_folder() / f"{package.checksum[:32]}-{role}-{version}.xml"
    if path.exists() and path.with_suffix(".bin").exists():
        return path
    model = _translate(_network(package, role), package.stages[role])
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as draft:
        openvino.save_model(model, Path(draft) / path.name, compress_to_fp16=False)
        (Path(draft) / path.name).with_suffix(".bin").replace(path.with_suffix(".bin"))
        (Path(draft) / path.name).replace(path)
    return path


def _translate(network: nn.Module, stage: Stage) -> Any:  # noqa: ANN401  (openvino has no types)
    import openvino
    import torch

    from autocontour.models.networks import window_multiple_zyx

    channels = len(stage.intensity_windows_hu)
    # Traced on a small window, which is quick, and translated for the whole one: every operation takes any size.
    multiple = window_multiple_zyx(dict(stage.network))
    small = [min(size, 2 * step) for size, step in zip(stage.window_zyx, multiple, strict=True)]
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer's, on sizes that are the same in every run
        return openvino.convert_model(
            torch.nn.Sequential(network, torch.nn.Sigmoid()),
            example_input=torch.zeros(1, channels, *small),
            input=[(1, channels, *stage.window_zyx)],
        )
