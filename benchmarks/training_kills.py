"""kill −9 during training: ``python benchmarks/training_kills.py [--kills 10] [--steps 400] [--seed 1] [-o FOLDER]``.

`autocontour train` and a retraining (as `autocontour retrain` does it) of a tiny network on eight made-up patients are
killed at random moments, also while the package is calibrated and written, and started again by the same command. After
that many kills they are left alone. Both must end with a sound package whose weights are those of a run without a kill.
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
from pathlib import Path

import numpy as np

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
    parser.add_argument("--steps", type=int, default=400)
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
    """Run a command without a kill and with kills; return whether the packages hold the same weights.

    A run that ends before it was killed often enough is followed by another one.
    """
    straight = folder / f"{name}-straight"
    began = time.monotonic()
    subprocess.run([*before, str(straight), *after], check=True, stdout=subprocess.DEVNULL)
    longest, same, number, left = time.monotonic() - began, True, 0, kills
    while left:
        number += 1
        run = folder / f"{name}-killed-{number}"
        steps: list[int] = []
        while left and (code := run_until(rng.uniform(0.2, 1.0) * longest, [*before, str(run), *after])):
            if code != -signal.SIGKILL:
                print(f"{name}: exit code {code} after the kills at steps {steps}")
                return False
            left -= 1
            steps.append(steps_of(run))
        subprocess.run([*before, str(run), *after], check=True, stdout=subprocess.DEVNULL)
        equal = same_weights(straight / "package", run / "package")
        same &= equal
        print(f"{name}: killed at steps {steps}, {'the same weights' if equal else 'OTHER WEIGHTS'}", flush=True)
    return same


def run_until(seconds: float, command: Sequence[str]) -> int:
    """Run a command, kill it after some seconds, and return its exit code."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
    return process.wait()


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
    """Return the steps of a run by its logs, which have a line for 20 steps."""
    return sum(20 * path.read_text().count('"train"') for path in run.glob("*/log.jsonl"))


if __name__ == "__main__":
    sys.exit(main())
