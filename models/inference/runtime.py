"""Runtimes of networks: OpenVINO on a CPU, torch on CUDA."""

from __future__ import annotations

import hashlib
import io
import logging
import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray
from platformdirs import user_cache_path

from autocontour.base.errors import ModelError, OutputError
from autocontour.base.files import write_atomically
from autocontour.models.inference.gpu import TOO_LITTLE_MEMORY, gpu_errors
from autocontour.models.networks.as_openvino import build_model, import_openvino, openvino_core
from autocontour.models.networks.limits import STREAMS
from autocontour.models.package.weights import check_fit, load_network

if TYPE_CHECKING:
    from torch import nn

    from autocontour.models.networks import Plan
    from autocontour.models.package.package import ModelPackage

_log = logging.getLogger(__name__)
DIGEST_BYTES = 32
LARGE_BYTES = 1 << 29  # of a published network: two windows at once would need gigabytes
DRIVERS = ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")  # Linux, its subsystem in Windows, and ROCm
DEVICES = ("auto", "cpu", "cuda", "torch-cpu")

Channels = NDArray[np.float32]


MOST_KEPT = 6
_most_kept = 0
_kept_runners: dict[tuple[str, str, str, str], Runner] = {}  # the one used last comes last


class OutOfMemoryError(Exception):
    """The device has too little memory for a window of this size."""


class Runner(Protocol):
    """A network ready to run.

    Attributes
    ----------
    device
        Device as recorded in the provenance: ``CUDA``, ``CPU OpenVINO bf16`` …
    """

    device: str

    def __call__(self, windows: Iterable[Channels]) -> Iterator[Channels]:
        """Yield the (structures, z, y, x) probabilities of each (channels, z, y, x) input.

        A yielded array may be overwritten by the next one.

        Raises
        ------
        OutOfMemoryError
            If the device has too little memory for a window of this size.
        ModelError
            ``AC-MD-036`` if OpenVINO fails, ``AC-MD-037`` if a probability is NaN.
        """
        ...


class Ensemble:
    """Several networks of a stage, whose probabilities are averaged.

    Parameters
    ----------
    members
        The networks.
    weights
        (members, structures) weight of each network in the mean of each structure; each structure's add up to 1.

    Attributes
    ----------
    device
        Of the first network, with their number.
    """

    def __init__(self, members: Sequence[Runner], weights: NDArray[np.float32]) -> None:
        self.members, self.weights = tuple(members), weights
        self.device = f"{members[0].device}, {len(members)} networks"

    def __call__(self, windows: Iterable[Channels]) -> Iterator[Channels]:
        """Yield the averaged probabilities of inputs; see `autocontour.models.inference.ensemble` for a cheaper way."""
        for window in windows:
            found = np.stack([next(member([window])).copy() for member in self.members])
            yield np.einsum("mk,mk...->k...", self.weights, found)


def keep_runners() -> None:
    """Keep the networks that `open_runner` opened last, for a process that contours many scans."""
    global _most_kept
    _most_kept = MOST_KEPT


def open_runner(package: ModelPackage, role: str, device: str = "auto") -> Runner:
    """Make one stage of a package ready to run; an `Ensemble` if it has several networks.

    Parameters
    ----------
    package
        Whose network is run.
    role
        ``localizer`` or ``segmenter``.
    device
        ``auto`` uses CUDA if available and torch is installed, else the CPU; ``cpu`` runs OpenVINO; ``torch-cpu``
        is for comparisons.

    Raises
    ------
    ModelError
        ``AC-MD-033`` for an unknown device, ``AC-MD-035`` if there is no CUDA device, ``AC-MD-016`` for ``torch-cpu``
        without torch, ``AC-MD-036`` if OpenVINO fails, or the errors of checking the network and its weights.
    """
    if device not in DEVICES:
        raise ModelError("AC-MD-033", device=device[:60], known=", ".join(DEVICES[:3]))
    if not _most_kept:
        return _open(package, role, device)
    key = str(package.path), package.checksum, role, device
    kept = _kept_runners.pop(key) if key in _kept_runners else _open_in_freed_memory(package, role, device)
    _kept_runners[key] = kept
    while len(_kept_runners) > _most_kept:
        del _kept_runners[next(iter(_kept_runners))]
    return kept


def _open_in_freed_memory(package: ModelPackage, role: str, device: str) -> Runner:
    try:
        return _open(package, role, device)
    except ModelError as error:
        if error.code != TOO_LITTLE_MEMORY or not _release_kept():
            raise
        return _open(package, role, device)


def _release_kept(used: Runner | None = None) -> bool:
    """Free the GPU of every kept network but the one in use; return whether there was another."""
    others = [key for key, runner in _kept_runners.items() if runner is not used and isinstance(runner, TorchRunner)]
    for key in others:
        del _kept_runners[key]
    if _has_cuda():
        import torch

        torch.cuda.empty_cache()
    return bool(others)


def _open(package: ModelPackage, role: str, device: str) -> Runner:
    members = package.stages[role].members
    if not members:
        return _open_network(package, role, device, 0)
    weights = np.array([[one.weight(name) for name in package.structures] for one in members], np.float32)
    used = [number for number in range(len(members)) if weights[number].any()]
    runners = [_open_network(package, role, device, number) for number in used]
    return Ensemble(runners, weights[used] / weights.sum(axis=0)) if len(used) > 1 else runners[0]


def _open_network(package: ModelPackage, role: str, device: str, number: int) -> Runner:
    if device in ("auto", "cuda") and _has_cuda():
        return TorchRunner(_network(package, role, number), "cuda")
    if device == "cuda":
        raise ModelError("AC-MD-035")
    if device == "torch-cpu":
        return TorchRunner(_network(package, role, number), "cpu")
    return OpenVinoRunner(package, role, number)


def open_logits(package: ModelPackage, fold: int, device: str = "auto") -> Runner:
    """Make a published network ready to run; its results are logits, in bf16 where the processor has it.

    Parameters
    ----------
    package
        With a procedure.
    fold
        Number of the network in the procedure's ``folds``.
    device
        As of `open_runner`.

    Raises
    ------
    ModelError
        As `open_runner`.
    """
    if device not in DEVICES:
        raise ModelError("AC-MD-033", device=device[:60], known=", ".join(DEVICES[:3]))
    if device in ("auto", "cuda") and _has_cuda():
        return TorchRunner(load_fold(package, fold), "cuda", logits=True)
    if device == "cuda":
        raise ModelError("AC-MD-035")
    if device == "torch-cpu":
        return TorchRunner(load_fold(package, fold), "cpu", logits=True)
    return OpenVinoRunner(package, "segmenter", fold, logits=True)


def load_fold(package: ModelPackage, fold: int) -> nn.Module:
    """Return one of the published networks of a package as a torch module, in float32.

    Raises
    ------
    ModelError
        ``AC-MD-016`` without torch, or the errors of checking the network and its weights.
    """
    return _network(package, "segmenter", fold)


def choose_torch_device(device: str) -> str:
    """Return ``cuda`` or ``cpu`` for a network that torch must run.

    Raises
    ------
    ModelError
        ``AC-MD-033`` for an unknown device, ``AC-MD-035`` if there is no CUDA device.
    """
    if device not in DEVICES:
        raise ModelError("AC-MD-033", device=device[:60], known=", ".join(DEVICES[:3]))
    if device in ("auto", "cuda") and _has_cuda():
        return "cuda"
    if device == "cuda":
        raise ModelError("AC-MD-035")
    return "cpu"


class TorchRunner:
    """A network run by torch; on CUDA in mixed precision."""

    def __init__(self, network: nn.Module, device: str, *, logits: bool = False) -> None:
        self._logits = logits
        with gpu_errors():
            self._network = network.to(device).eval()
        self._device = device
        self.device = device.upper() if device == "cuda" else "CPU torch"

    def __call__(self, windows: Iterable[Channels]) -> Iterator[Channels]:
        """Yield the probabilities of inputs."""
        return map(self._run, windows)

    def _run(self, window: Channels) -> Channels:
        try:
            return _checked(self._forward(window))
        except ModelError as error:
            if error.code != TOO_LITTLE_MEMORY:
                raise
            if _release_kept(self):  # a result must not depend on which networks were used before
                return self._run(window)
            raise OutOfMemoryError from error

    def _forward(self, window: Channels) -> Channels:
        import torch

        is_mixed = self._device == "cuda"
        with gpu_errors(), torch.inference_mode(), torch.autocast(self._device, torch.float16, enabled=is_mixed):
            logits = self._network(torch.from_numpy(window[None]).to(self._device)).float()
            probabilities: Channels = (logits if self._logits else torch.sigmoid(logits))[0].cpu().numpy()
        return probabilities


class OpenVinoRunner:
    """A network run by OpenVINO on the CPU, in bf16 where the processor has it.

    The network is compiled once for each package, processor and OpenVINO, and kept in the user's cache folder.
    """

    def __init__(self, package: ModelPackage, role: str, number: int = 0, *, logits: bool = False) -> None:
        plan = package.plan(role)
        with openvino_errors():
            core = openvino_core()
            capabilities = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
            precision = "bf16" if "BF16" in capabilities else "f32"
            streams = 1 if logits and plan.peak_bytes() > LARGE_BYTES else STREAMS[role]
            hints = {"PERFORMANCE_HINT": "THROUGHPUT", "NUM_STREAMS": streams, "INFERENCE_PRECISION_HINT": precision}
            processor = core.get_property("CPU", "FULL_DEVICE_NAME")
            part = f"{role} {number} logits" if logits else f"{role} {number}"
            version = import_openvino().get_version()
            parts = (_identity(package), part, _digest(plan), version, processor, precision, str(streams))
            path = _cache_folder() / f"{hashlib.sha256('/'.join(parts).encode()).hexdigest()}.network"
            kept = read_kept(path)
            if kept is None:
                compiled = core.compile_model(_model(package, role, plan, number, logits=logits), "CPU", hints)
                keep(path, compiled.export_model().getvalue())
            else:
                compiled = core.import_model(io.BytesIO(kept), "CPU", hints)
            # One more than run at once: the next window is ready when one is done. Large ones would need the memory.
            waiting = int(logits and streams > 1)
            self._requests = [compiled.create_infer_request() for _ in range(streams + waiting)]
        self.device = f"CPU OpenVINO {precision}"

    def __call__(self, windows: Iterable[Channels]) -> Iterator[Channels]:
        """Yield the probabilities of inputs, in their order."""
        free, busy = list(self._requests), deque[tuple[Any, Channels]]()  # a window is referenced as long as it is read
        try:
            for window in windows:
                if not free:
                    yield _result(busy[0][0])
                    free.append(busy.popleft()[0])
                request = free.pop()
                with openvino_errors():
                    request.start_async({0: window[None]}, share_inputs=True)
                busy.append((request, window))
            for request, _ in busy:
                yield _result(request)
        finally:  # also when the caller stops early
            for request, _ in busy:
                request.wait()


def _result(request: Any) -> Channels:  # noqa: ANN401  (openvino has no types)
    with openvino_errors():
        request.wait()
    return _checked(request.get_output_tensor(0).data[0])


def _checked(probabilities: Channels) -> Channels:
    """Return the probabilities; NaN would otherwise count as background, without a finding."""
    if np.isnan(np.sum(probabilities)):
        raise ModelError("AC-MD-037")
    return probabilities


@contextmanager
def openvino_errors() -> Iterator[None]:
    """Turn the errors of OpenVINO into ``AC-MD-034`` and ``AC-MD-036``."""
    try:
        yield
    except MemoryError as error:
        raise ModelError("AC-MD-034") from error
    except (ImportError, RuntimeError) as error:
        first_line = str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__
        raise ModelError("AC-MD-036", reason=first_line[:200]) from error


def _network(package: ModelPackage, role: str, number: int = 0) -> nn.Module:
    stage = package.stages[role]
    plan = package.plan(role)
    try:
        return load_network(stage, plan, package.read_networks(role)[number])
    except ImportError as error:
        raise ModelError("AC-MD-016") from error


def _model(package: ModelPackage, role: str, plan: Plan, number: int, *, logits: bool) -> Any:  # noqa: ANN401  (openvino has no types)
    weights = package.read_networks(role)[number]
    check_fit(plan, weights)
    return build_model(plan, weights, logits=logits)


def _identity(package: ModelPackage) -> str:
    """Return what the weights of a package depend on: a published one is measured without being changed."""
    files = package.metadata.get("procedure", {}).get("source", {}).get("files") if package.procedure else None
    return hashlib.sha256(repr(sorted(files.items())).encode()).hexdigest() if files else package.checksum


def _digest(plan: Plan) -> str:
    return hashlib.sha256(repr(plan.steps).encode()).hexdigest()


def _has_cuda() -> bool:
    """Return whether torch has a CUDA device; without importing torch (seconds) where no driver is installed."""
    if os.name == "posix" and not any(Path(driver).exists() for driver in DRIVERS):
        return False
    try:
        import torch
    except ImportError:
        return False
    return torch.cuda.is_available()


def _cache_folder() -> Path:
    return user_cache_path("autocontour") / "networks"


def read_kept(path: Path) -> bytes | None:
    """Return the network stored by `keep`; None if it is missing or its checksum differs.

    OpenVINO itself accepts a damaged network without an error and computes wrong results.
    """
    try:
        content = path.read_bytes()
    except OSError:
        return None
    digest, data = content[:DIGEST_BYTES], content[DIGEST_BYTES:]
    return data if hashlib.sha256(data).digest() == digest else None


def keep(path: Path, data: bytes) -> None:
    """Store a compiled network with its checksum; where that is not permitted, it is compiled again in every run."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, hashlib.sha256(data).digest() + data)
    except (OSError, OutputError):
        _log.info("The compiled network could not be kept; the next run compiles it again.")
