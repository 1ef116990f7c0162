"""kill -9 during unattended learning: after every kill the next pass continues, and nothing is used twice or lost.

python benchmarks/learn_kills.py [--kills 10] [--seed 1]

Seven approved cases of phantom patients and a package of a tiny untrained network. A pass is killed at a random moment
until it has been killed as often as asked; then it runs to its end. Checked: one candidate, from every training case
once; no test patient among what it was trained on; no patient's name in the log; the next pass does nothing.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from shapely import affinity

from autocontour.base.jobs import Job
from autocontour.case import actions
from autocontour.dicom import planning_cts, read_ct, scan_folder
from autocontour.learning.settings import LearningSettings, write_settings
from autocontour.models import read_package, write_package
from autocontour.models.networks import build_network
from autocontour.patient.structures import GenerationAlgorithm, Structure
from autocontour.phantom import build_phantom
from autocontour.selftest.planted import make_patient

PATIENTS = 7
LIMITS = "least_patients = 2\n[default]\ndsc_margin = 1\nsurface_dsc_margin = 1\nworst_margin = 1\nsource = 'trial'\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    rng = random.Random(args.seed)
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        surnames = write_cases(root)
        folder = root / "learning"
        folder.mkdir()
        (root / "limits.toml").write_text(LIMITS)
        settings = LearningSettings(
            True, str(write_toy(root / "toy")), str(root / "cases"), 4, 0.3, 0.0, 60, limits=str(root / "limits.toml"),
            device="torch-cpu",
        )  # fmt: skip
        write_settings(folder, settings)
        command = [sys.executable, "-m", "autocontour.cli", "learn", "run", "--json", "--folder", str(folder)]
        began = time.monotonic()
        killed, longest = 0, 20.0
        stages: list[str] = []
        while killed < args.kills:
            with (root / "output").open("w") as output:
                run = subprocess.Popen(command, stdout=output)
            killed += kill_later(run, rng.uniform(0, longest), root / "output", stages)
            if (folder / "rounds" / "0001" / "result.json").exists():
                break
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        end = json.loads(done.stdout.splitlines()[-1])
        again = subprocess.run(command, capture_output=True, text=True, check=True)
        check(folder, surnames, end, [json.loads(line) for line in again.stdout.splitlines()])
        print(f"{killed} kills, while: {', '.join(stages)}; {time.monotonic() - began:.0f} s in all")


def kill_later(run: subprocess.Popen[bytes], seconds: float, output: Path, stages: list[str]) -> int:
    """Kill a pass some time after its first output; 0 if it had ended."""
    while not output.stat().st_size and run.poll() is None:
        time.sleep(0.05)
    end = time.monotonic() + seconds
    while time.monotonic() < end and run.poll() is None:
        time.sleep(0.05)
    if run.poll() is not None:
        return 0
    run.send_signal(signal.SIGKILL)
    run.wait()
    lines = [json.loads(line) for line in output.read_text().splitlines() if line.endswith("}")]
    stages.append(next((event["stage"] for event in reversed(lines) if "stage" in event), "starting"))
    return 1


def check(folder: Path, surnames: list[str], end: dict[str, Any], again: list[dict[str, Any]]) -> None:
    rounds = sorted((folder / "rounds").iterdir())
    results = [json.loads((one / "result.json").read_text()) for one in rounds]
    assert [one["state"] for one in results].count("candidate") == 1, results
    candidate = read_package(rounds[-1] / "run" / "package")
    records = json.loads((folder / "cases.json").read_text())["cases"]
    assert all(one["state"] == "collected" for one in records), records
    tests = {one["fingerprint"] for one in records if one["split"] == "test"}
    train = {one["fingerprint"] for one in records if one["split"] == "train"}
    learnt = candidate.metadata["training"]["retrained"][-1]["cases"]
    assert sorted(learnt) == sorted(train), "every training case once"
    assert not tests & set(candidate.metadata["training"]["fingerprints"]), "a test patient was trained on"
    log = (folder / "learning.log").read_text()
    assert not any(name in log for name in surnames)
    assert again[-1]["waiting"], again
    assert again[-1]["new"] == 0, again
    assert end["event"] == "end"


def write_cases(root: Path) -> list[str]:
    phantom = build_phantom("thorax", 0, spacing_zyx_mm=(12.0, 8.0, 8.0), shape_zyx=(30, 50, 62))
    names = []
    for number in range(PATIENTS):
        patient = make_patient(phantom, number)
        patient.write(root / "archive" / str(number))
        ct = read_ct(planning_cts(scan_folder(patient.folder / "CT", Job()))[0], Job())
        with actions.open_case(ct, root=root / "cases", source=patient.folder / "CT") as case:
            contours = patient.contours["Heart"]
            case.apply(actions.receive(case.state, Structure("Heart", 1, contours, generation=AUTOMATIC)))
            middle = sorted(contours)[len(contours) // 2]
            case.apply(actions.redraw(1, {middle: affinity.scale(contours[middle], 0.9, 0.9)}))
            case.apply(actions.approve(case.state, 1, reviewer="A. Physicist"))
        names.append(patient.surname)
    return names


AUTOMATIC = GenerationAlgorithm.AUTOMATIC


def write_toy(folder: Path) -> Path:
    network = {
        "architecture": "fc_densenet", "in_channels": 1, "out_channels": 1, "growth": 4, "block_layers": [1],
        "bottleneck_layers": 1, "strides_zyx": [[2, 2, 2]], "stem_channels": 8, "refine_channels": 8,
    }  # fmt: skip
    stage = {"network": network, "spacing_zyx_mm": [24, 24, 24], "window_zyx": [8, 8, 8]}
    metadata = {
        "format": 1, "name": "toy", "version": "1.0", "body_site": "CHEST", "license": "MIT",
        "structures": [{"name": "Heart", "drawn": True}], "training": {"fingerprints": ["f" * 64]},
        "stages": {"segmenter": {**stage, "intensity_windows_hu": [[-1000, 400]]}},
        "network_data_format": {"outputs": {}},
    }  # fmt: skip
    torch.manual_seed(0)
    return write_package(folder, metadata, {"segmenter": build_network(network).state_dict()}).path


if __name__ == "__main__":
    main()
