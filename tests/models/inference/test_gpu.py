"""A GPU that is busy or failing: an error that the queue may try again, never an unexpected one."""

from __future__ import annotations

import numpy as np
import pytest

from autocontour.base.errors import ModelError
from autocontour.models.inference import runtime
from autocontour.models.inference.gpu import gpu_errors
from autocontour.models.inference.runtime import OutOfMemoryError, TorchRunner, open_runner

torch = pytest.importorskip("torch")

WINDOW = np.zeros((1, 4, 4, 4), np.float32)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"), "AC-MD-034"),
        (RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported"), "AC-MD-034"),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), "AC-MD-034"),
        (RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"), "AC-MD-034"),
        (RuntimeError("CUDA error: all CUDA-capable devices are busy or unavailable"), "AC-MD-038"),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), "AC-MD-038"),
    ],
)
def test_what_a_gpu_refuses_has_a_code(error, code):
    with pytest.raises(ModelError, match=code), gpu_errors():
        raise error


def test_other_errors_are_not_the_gpus():
    with pytest.raises(RuntimeError, match="shape"), gpu_errors():
        raise RuntimeError("mat1 and mat2 shape mismatch")


class Network(torch.nn.Module):
    """A network that fails so many times."""

    def __init__(self, failures, error=None):
        super().__init__()
        self.failures = failures
        self.error = error or torch.OutOfMemoryError("CUDA out of memory")

    def forward(self, image):
        self.failures -= 1
        if self.failures >= 0:
            raise self.error
        return image


def test_a_network_that_does_not_fit_onto_the_gpu_has_a_code(monkeypatch):
    def refuse(*_):
        raise RuntimeError("CUDA error: out of memory")

    network = Network(0)
    monkeypatch.setattr(network, "to", refuse)
    with pytest.raises(ModelError, match="AC-MD-034"):
        TorchRunner(network, "cpu")


def test_networks_kept_from_other_scans_do_not_make_the_windows_smaller(monkeypatch):
    """Their memory is freed first: a result must not depend on what was contoured before."""
    runner, other = TorchRunner(Network(1), "cpu"), TorchRunner(Network(0), "cpu")
    kept = {("a", "", "", ""): other, ("b", "", "", ""): runner}
    monkeypatch.setattr(runtime, "_kept_runners", kept)
    (found,) = runner([WINDOW])
    assert np.array_equal(found, np.full_like(WINDOW, 0.5))
    assert list(kept.values()) == [runner]
    with pytest.raises(OutOfMemoryError):
        list(TorchRunner(Network(2), "cpu")([WINDOW, WINDOW]))


def test_an_error_that_stays_is_not_taken_for_little_memory():
    with pytest.raises(ModelError, match="AC-MD-038"):
        list(TorchRunner(Network(1, RuntimeError("CUDA error: unspecified launch failure")), "cpu")([WINDOW]))


def test_kept_networks_are_freed_for_another_package(toy_package, monkeypatch):
    kept = {("a", "", "", ""): TorchRunner(Network(0), "cpu")}
    monkeypatch.setattr(runtime, "_kept_runners", kept)
    monkeypatch.setattr(runtime, "_most_kept", 2)
    opened = []

    def open_one(*_):
        opened.append(len(kept))
        if kept:
            raise ModelError("AC-MD-034")
        return TorchRunner(Network(0), "cpu")

    monkeypatch.setattr(runtime, "_open", open_one)
    open_runner(toy_package, "segmenter", "cuda")
    assert opened == [1, 0]
    kept.clear()
    monkeypatch.setattr(runtime, "_open", lambda *_: (_ for _ in ()).throw(ModelError("AC-MD-034")))
    with pytest.raises(ModelError, match="AC-MD-034"):
        open_runner(toy_package, "segmenter", "cuda")
