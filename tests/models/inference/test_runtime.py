"""The same package on torch and on OpenVINO."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from autocontour.base.errors import ModelError
from autocontour.contouring import volume_cc
from autocontour.models import segment_structures
from autocontour.models.inference.body import find_body
from autocontour.models.inference.intensity import scale_intensity
from autocontour.models.inference.localizer import Patient
from autocontour.models.inference.runtime import DEVICES, TorchRunner, open_runner
from autocontour.models.inference.sampling import Frame, Grid
from autocontour.models.package.description import StructureRules
from autocontour.patient.geometry import Box

WINDOWS_HU = [(-160.0, 240.0), (-1000.0, 1600.0)]


@pytest.fixture(scope="module")
def window():
    return np.random.default_rng(0).uniform(-1, 1, (2, 24, 24, 24)).astype(np.float32)


def run(runner, window):
    (found,) = (probabilities.copy() for probabilities in runner([window]))
    return found


@pytest.mark.parametrize("role", ["localizer", "segmenter"])
def test_openvino_gives_torchs_probabilities(toy_package, window, role):
    reference = run(open_runner(toy_package, role, "torch-cpu"), window)
    runner = open_runner(toy_package, role, "cpu")
    found = run(runner, window)
    assert reference.shape == (3, 24, 24, 24)
    tolerance = 0.03 if "bf16" in runner.device else 1e-3
    assert found == pytest.approx(reference, abs=tolerance)
    assert "OpenVINO" in runner.device


def test_several_windows_at_once_come_in_their_order(toy_package, window):
    windows = [np.ascontiguousarray(np.roll(window, k, axis=1)) for k in range(5)]
    runner = open_runner(toy_package, "segmenter", "cpu")
    together = [found.copy() for found in runner(iter(windows))]
    for one, alone in zip(together, (run(runner, window) for window in windows), strict=True):
        assert np.array_equal(one, alone)
    assert not np.array_equal(together[0], together[1])


def test_a_run_that_stops_early_does_not_touch_the_next(toy_package, window):
    """A cancelled run stops asking while two windows are being computed; the next run is not touched by them."""
    runner = open_runner(toy_package, "segmenter", "cpu")
    expected = run(runner, window)
    abandoned = runner(np.random.default_rng(k).uniform(-1, 1, window.shape).astype(np.float32) for k in range(5))
    next(abandoned)
    abandoned.close()
    assert np.array_equal(run(runner, window), expected)


def test_compiled_once(toy_package, window, monkeypatch):
    from autocontour.models.inference import runtime

    first = run(open_runner(toy_package, "segmenter", "cpu"), window)
    monkeypatch.setattr(runtime, "_model", pytest.fail)
    assert np.array_equal(run(open_runner(toy_package, "segmenter", "cpu"), window), first)


def test_damaged_cache_is_made_again(toy_package, window, tmp_path, monkeypatch):
    from autocontour.models.inference import runtime

    monkeypatch.setattr(runtime, "user_cache_path", lambda _: tmp_path)
    first = run(open_runner(toy_package, "segmenter", "cpu"), window)
    (path,) = (tmp_path / "networks").iterdir()
    sound = path.read_bytes()
    for damaged in (sound[:-1000], b"", sound[: len(sound) // 2] + b"\0" + sound[len(sound) // 2 + 1 :]):
        path.write_bytes(damaged)
        assert np.array_equal(run(open_runner(toy_package, "segmenter", "cpu"), window), first)
        assert runtime.read_kept(path) is not None


def test_a_folder_that_cannot_be_written_is_no_obstacle(toy_package, window, tmp_path, monkeypatch):
    from autocontour.models.inference import runtime

    (tmp_path / "file").write_text("in the way")
    monkeypatch.setattr(runtime, "user_cache_path", lambda _: tmp_path / "file")
    assert run(open_runner(toy_package, "segmenter", "cpu"), window).shape == (3, 24, 24, 24)


@pytest.fixture(scope="module")
def loose(toy_package, neck):
    """The toy package's segmenter alone, its thresholds such that its random network draws a part of the body."""
    package = replace(toy_package, stages={"segmenter": toy_package.stages["segmenter"]}, site_anchors=())
    frame = Frame.of(neck.geometry)
    grid = Grid.over(frame, (3.0, 3.0, 3.0)).cropped(Box((20, 20, 20), (44, 44, 44)))
    image = scale_intensity(Patient.of(neck, *find_body(neck, frame)).sample(grid), WINDOWS_HU)
    levels = np.quantile(run(open_runner(toy_package, "segmenter", "torch-cpu"), image), 0.7, axis=(1, 2, 3))
    structures = {
        name: replace(one, threshold=float(level), rules=StructureRules(components=0), statistics={})
        for (name, one), level in zip(toy_package.structures.items(), levels, strict=True)
    }
    return replace(package, structures=structures)


def test_same_input_same_contours(neck, loose):
    first, second = (segment_structures(neck, loose, device="cpu") for _ in range(2))
    assert first.drawings
    assert first.device.startswith("CPU")
    for name, drawing in first.drawings.items():
        again = second.drawings[name]
        assert drawing.findings == again.findings
        assert list(drawing.contours) == list(again.contours)
        assert all(shape.wkb == again.contours[k].wkb for k, shape in drawing.contours.items())


def test_openvino_gives_torchs_contours(neck, loose):
    reference = segment_structures(neck, loose, device="torch-cpu").drawings
    found = segment_structures(neck, loose, device="cpu").drawings
    assert set(found) == set(reference)
    for name, drawing in reference.items():
        expected = volume_cc(drawing.contours, neck.geometry)
        assert volume_cc(found[name].contours, neck.geometry) == pytest.approx(expected, rel=0.05, abs=0.5)


def test_unknown_device_and_no_cuda(toy_package):
    with pytest.raises(ModelError, match="AC-MD-033"):
        open_runner(toy_package, "segmenter", "tpu")
    import torch

    if not torch.cuda.is_available():
        with pytest.raises(ModelError, match="AC-MD-035"):
            open_runner(toy_package, "segmenter", "cuda")
    assert DEVICES[0] == "auto"


def test_the_cpu_needs_no_torch(toy_package, window, tmp_path):
    """With torch and monai barred, a package is verified, prepared and run; nothing is sent over the network."""
    code = (
        "import sys, pathlib\n"
        "import socket\n"
        "sys.modules['torch'] = sys.modules['monai'] = None\n"
        "def refuse(*_): print('a connection was tried')\n"
        "socket.getaddrinfo = socket.create_connection = socket.socket.connect = refuse\n"
        "from autocontour.models import read_package\n"
        "from autocontour.models.inference import runtime\n"
        "from autocontour.models.package.package import verify_package\n"
        "import numpy as np\n"
        "runtime.user_cache_path = lambda _: pathlib.Path(sys.argv[2])\n"
        "package = read_package(pathlib.Path(sys.argv[1]))\n"
        "verify_package(package)\n"
        "runner = runtime.open_runner(package, 'segmenter', 'auto')\n"
        "next(runner([np.zeros((2, 24, 24, 24), np.float32)]))\n"
        "try: runtime.open_runner(package, 'segmenter', 'torch-cpu')\n"
        "except runtime.ModelError as error: print(runner.device, error.code)\n"
        "print('telemetry loaded', sys.modules.get('openvino_telemetry') is not None)\n"
    )
    command = [sys.executable, "-c", code, str(toy_package.path), str(tmp_path)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert "OpenVINO" in printed
    assert "AC-MD-016" in printed
    assert "telemetry loaded False" in printed
    assert "connection" not in printed


def test_a_network_that_needs_more_memory_is_neither_sound_nor_run(toy_package, monkeypatch):
    """silent.md D: a network that needs more memory than there is verified as sound."""
    from autocontour.models.networks import limits
    from autocontour.models.package.package import verify_package

    monkeypatch.setattr(limits, "machine_bytes", lambda: 1 << 20)
    with pytest.raises(ModelError, match="AC-MD-021"):
        verify_package(toy_package)
    for device in ("cpu", "torch-cpu"):
        with pytest.raises(ModelError, match="AC-MD-021"):
            open_runner(toy_package, "segmenter", device)


def test_a_failure_of_openvino_has_a_code(toy_package, monkeypatch):
    from autocontour.models.inference import runtime

    def fail(*_, **__):
        raise RuntimeError("Exception from src/inference\n\nno such primitive")

    monkeypatch.setattr(runtime, "_model", fail)
    monkeypatch.setattr(runtime, "read_kept", lambda _: None)
    with pytest.raises(ModelError, match=r"AC-MD-036.*no such primitive"):
        open_runner(toy_package, "segmenter", "cpu")


def test_nan_is_refused_and_does_not_count_as_absent(window):
    """NaN is above no threshold, so that nothing would have been drawn."""
    import torch

    class Overflows(torch.nn.Module):
        def forward(self, image):
            return image * torch.inf - torch.inf

    with pytest.raises(ModelError, match="AC-MD-037"):
        run(TorchRunner(Overflows(), "cpu"), window)
