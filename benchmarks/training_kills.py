"""kill −9 during training: ``python benchmarks/training_kills.py [--kills 10] [--steps 200] [--seed 1] [-o FOLDER]``.

`autocontour train` and a retraining (as `autocontour retrain` does it) of a tiny network on eight made-up patients are
killed after a random number of checkpoints, for the last time after the last step, while the package is calibrated or
written, and started again by the same command each time. Both must end with a sound package whose weights are those of
a run without a kill.
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
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "models"))

from toy_patients import STRUCTURES, config_text, write_patient

from autocontour.models.package.package import read_package, verify_package

RETRAIN = """
import sys
from dataclasses import replace
from pathlib import Path
from autocontour.base.jobs import Job
from autocontour.models.package.package import read_package
from autocontour.models.training import retrain
configure = retrain._configure
def often(*arguments):  # a checkpoint after each step: the usual one every two minutes would never be reached
    config = configure(*arguments)
    return replace(config, stages={k: replace(v, checkpoint_minutes=0.0) for k, v in config.stages.items()})
retrain._configure = often
package, data, run, steps = sys.argv[1:]
plan = retrain.Retraining(read_package(Path(package)), Path(data), steps=int(steps))
retrain.retrain_package(plan, Path(run), Job())
"""


def main() -> int:
    """Kill both, and compare with runs that were not killed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("-o", "--output", type=Path, help="folder for data and runs (default: a temporary one)")
    args = parser.parse_args()
    rng = random.Random(args.seed)
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.output or Path(temporary)
        data, clinic = write_data(folder / "data", 8), write_data(folder / "clinic", 2)
        config = folder / "toy.toml"
        config.write_text(config_text(data, args.steps).replace("validation_patients = 2", "validation_patients = 1"))
        train = [sys.executable, "-m", "autocontour.cli", "train", str(config), "--json", "-o"]
        good = compare("train", train, [], folder, args.kills, rng)
        package = str(folder / "train-straight" / "package")
        retrain = [sys.executable, "-c", RETRAIN, package, str(clinic)]
        good &= compare("retrain", retrain, [str(args.steps)], folder, args.kills, rng)
    return 0 if good else 1


def write_data(folder: Path, count: int) -> Path:
    """Write a data set of made-up patients."""
    (folder / "train").mkdir(parents=True)
    places = np.random.default_rng(count)
    patients = [write_patient(folder, f"p{count}-{n}", places.integers(-1, 2, 3)) for n in range(count)]
    (folder / "index.json").write_text(json.dumps({"structures_by_bit": ["PTV", *STRUCTURES], "patients": patients}))
    return folder


def compare(
    name: str, before: Sequence[str], after: Sequence[str], folder: Path, kills: int, rng: random.Random
) -> bool:
    """Run a command without a kill and with kills; return whether the packages hold the same weights."""
    straight, run = folder / f"{name}-straight", folder / f"{name}-killed"
    subprocess.run([*before, str(straight), *after], check=True, stdout=subprocess.DEVNULL)
    most, steps = steps_of(straight) // (kills + 1), []
    for number in range(kills):
        write = rng.randint(1, 2 * most) if number < kills - 1 else None
        code = run_until(write, run, [*before, str(run), *after])
        steps.append(steps_of(run))
        if code != -signal.SIGKILL:
            print(f"{name}: exit code {code} after the kills at steps {steps}")
            return False
    subprocess.run([*before, str(run), *after], check=True, stdout=subprocess.DEVNULL)
    equal = same_weights(straight / "package", run / "package")
    print(f"{name}: {kills} kills at steps {steps}, {'the same weights' if equal else 'OTHER WEIGHTS'}", flush=True)
    return equal


def run_until(writes: int | None, run: Path, command: Sequence[str]) -> int:
    """Run a command, kill it after some checkpoints, or once its last step is taken, and return its exit code."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    seen, count = stamps(run), 0
    while process.poll() is None and (writes is None or count < writes):
        time.sleep(0.002)
        now = stamps(run)
        count += now != seen
        seen = now
        if writes is None and any(run.glob("segmenter*/best.pt")):  # written after the last step
            break
    process.send_signal(signal.SIGKILL)
    return process.wait()


def stamps(run: Path) -> list[int]:
    """Return when the checkpoints of a run were written."""
    found = []
    for path in sorted(run.glob("*/checkpoint.pt")):
        with suppress(FileNotFoundError):
            found.append(path.stat().st_mtime_ns)
    return found


def same_weights(one: Path, other: Path) -> bool:
    """Verify two packages and return whether their weights are the same."""
    packages = [read_package(path) for path in (one, other)]
    for package in packages:
        verify_package(package)
    return all(
        np.array_equal(value, packages[1].read_weights(role)[key])
        for role in packages[0].stages
        for key, value in packages[0].read_weights(role).items()
    )


def steps_of(run: Path) -> int:
    """Return the steps in the checkpoints of a run."""
    paths = run.glob("*/checkpoint.pt")
    return sum(int(torch.load(path, map_location="cpu", weights_only=True)["step"]) for path in paths)


if __name__ == "__main__":
    sys.exit(main())
