"""nnU-Net v2 trained on OpenKBP for a fixed time on one thread, imported, and measured like the program's packages.

The patients are those of the split ``train`` but the ones that a package of this program held out, so that its networks
and nnU-Net's see the same. nnU-Net extracts, plans and preprocesses the data; its plan is made smaller (see `shrink`),
since twenty minutes of one processor core are less than one epoch at its default size. The learning rate falls with
the time used, by nnU-Net's own polynomial. Killed, it goes on from the last checkpoint. With ``--compare`` the profile
``exact`` is compared with nnU-Net's own predictor, voxel by voxel; with ``--rows`` (after ``models verify --ct``, which
tests left and right) the package is measured as the rows of `equal_time`. Needs a separate environment:

    python -m venv nnunet && nnunet/bin/pip install nnunetv2 -e ".[train]"
    nnunet/bin/python benchmarks/published_equal_time.py --data openkbp --run FOLDER [--minutes 20]
    nnunet/bin/python benchmarks/published_equal_time.py --data openkbp --run FOLDER --compare 2
    autocontour models verify FOLDER/package --ct CT
    nnunet/bin/python benchmarks/published_equal_time.py --data openkbp --run FOLDER --rows WORK/nnunet
"""

from __future__ import annotations

import argparse
import json
import os
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from equal_time import ABOUT, About, measure
from published import predict

from autocontour.base.jobs import Job
from autocontour.models import find_package, read_package
from autocontour.models.inference.published.segment import exact_labels
from autocontour.models.package.importers.names import Names
from autocontour.models.package.importers.nnunet import import_nnunet
from autocontour.models.package.importers.writing import write_imported
from autocontour.models.package.procedure import SidesCheck
from autocontour.qa.commissioning import read_cases
from autocontour.qa.commissioning.cohort import list_patients

ORGANS = ("Brainstem", "SpinalCord", "Parotid_R", "Parotid_L", "Esophagus", "Larynx", "Bone_Mandible")
NUMBER, DATASET = 50, "Dataset050_Neck"
WINDOW, SPACING_MM = [48, 56, 56], [2.5, 3.906, 3.906]
"""Along z, y, x; the planner puts the axis of the largest spacing first."""
FEATURES = [8, 16, 32, 64]
ADAM_RATE = 2e-3
EPOCH = 20
"""Iterations between two changes of the learning rate."""
SAVE_EVERY = 10
"""Epochs between two checkpoints."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of a training set")
    parser.add_argument("--run", type=Path, required=True, help="folder for everything that is written")
    parser.add_argument("--minutes", type=float, default=20.0, help="of processor time, without preprocessing")
    parser.add_argument("--adam", action="store_true", help="AdamW in the place of nnU-Net's optimizer")
    parser.add_argument("--held-out-of", default="head-and-neck", help="package whose validation patients are left out")
    parser.add_argument("--compare", type=int, default=0, metavar="N", help="predict N patients by both, and stop")
    parser.add_argument("--rows", type=Path, help="measure the package: folder for the rows and about.json")
    parser.add_argument("--patients", type=int, default=20, help="how many are measured")
    parser.add_argument("--split", default="validation", help="which patients are measured")
    parser.add_argument("--profile", default="exact", help="with which the rows are measured")
    args = parser.parse_args()
    if args.rows:
        measure_rows(args)
        return
    for part in ("raw", "preprocessed", "results"):
        (args.run / part).mkdir(parents=True, exist_ok=True)
        os.environ[f"nnUNet_{part}"] = str((args.run / part).resolve())
    os.environ |= {"nnUNet_n_proc_DA": "0", "nnUNet_compile": "f", "nnUNet_def_n_proc": "1", "OMP_NUM_THREADS": "1"}
    import torch

    set_threads = torch.set_num_threads  # nnU-Net sets as many as it has processes for the augmentation: none
    torch.set_num_threads = lambda count: set_threads(max(count, 1))
    if not (args.run / "prepared").exists():
        prepare(args.run, args.data, args.held_out_of)
        (args.run / "prepared").touch()
    model = train(args.run, args.minutes * 60, is_adam=args.adam)
    if args.compare:
        compare(model, args)
        return
    names = Names({name.lower(): name for name in ORGANS})
    imported = import_nnunet(model, orientation="LPS", folds=("all",), names=names)
    package, _ = write_imported(imported, args.run / "package", name="nnunet-openkbp", license_name="MIT")
    print(f"{package.name}: {', '.join(package.structures)}")


def prepare(run: Path, data: Path, package: str) -> None:
    """Write the patients as nnU-Net expects them, and let it plan and preprocess."""
    training = find_package(package).metadata["training"]
    held_out = set(training["validation_patients"])
    index = json.loads((data / "index.json").read_text())
    chosen = [one for one in index["patients"] if one["split"] == "train" and one["patient"] not in held_out]
    for part in ("imagesTr", "labelsTr"):
        (run / "raw" / DATASET / part).mkdir(parents=True, exist_ok=True)
    for entry in chosen:
        content = np.load(data / "train" / f"{entry['patient']}.npz")
        solid = slice(entry["solid_slices"][0][0], entry["solid_slices"][-1][1])
        bits, labels = content["labels"][solid], np.zeros(content["hu"][solid].shape, np.uint8)
        for value, name in enumerate(ORGANS, 1):
            labels[(bits >> index["structures_by_bit"].index(name)) & 1 > 0] = value
        for array, where in (
            (content["hu"][solid], f"imagesTr/{entry['patient']}_0000"),
            (labels, f"labelsTr/{entry['patient']}"),
        ):
            image = sitk.GetImageFromArray(array)
            image.SetSpacing([float(mm) for mm in content["spacing_zyx_mm"][::-1]])
            sitk.WriteImage(image, str(run / "raw" / DATASET / f"{where}.nii.gz"))
    described = {
        "channel_names": {"0": "CT"},
        "labels": {"background": 0, **{name.lower(): value for value, name in enumerate(ORGANS, 1)}},
        "numTraining": len(chosen),
        "file_ending": ".nii.gz",
    }
    (run / "raw" / DATASET / "dataset.json").write_text(json.dumps(described))
    from nnunetv2.experiment_planning.plan_and_preprocess_api import (
        extract_fingerprints,
        plan_experiments,
        preprocess_dataset,
    )

    extract_fingerprints([NUMBER], num_processes=1, verbose=False)
    plan_experiments([NUMBER])
    path = run / "preprocessed" / DATASET / "nnUNetPlans.json"
    plans = json.loads(path.read_text())
    shrink(plans)
    path.write_text(json.dumps(plans))
    preprocess_dataset(NUMBER, configurations=("3d_fullres",), num_processes=(1,))


def shrink(plans: dict[str, Any]) -> None:
    """Make nnU-Net's plan one of a small network with small windows."""
    configuration = plans["configurations"]["3d_fullres"]
    order = plans["transpose_forward"]
    spacing, window = ([values[axis] for axis in order] for values in (SPACING_MM, WINDOW))
    # With organs this small, many windows have none of a label: its Dice is taken over the batch.
    configuration |= {"spacing": spacing, "patch_size": window, "batch_size": 2, "batch_dice": True}
    stages = len(FEATURES)
    configuration["architecture"]["arch_kwargs"] |= {
        "n_stages": stages,
        "features_per_stage": FEATURES,
        "kernel_sizes": [[3, 3, 3]] * stages,
        "strides": [[1, 1, 1], *[[2, 2, 2]] * (stages - 1)],
        "n_conv_per_stage": [1, *[2] * (stages - 1)],
        "n_conv_per_stage_decoder": [1] * (stages - 1),
    }
    plans["configurations"] = {"3d_fullres": configuration}


def compare(model: Path, args: argparse.Namespace) -> None:
    """Count the voxels in which ``exact`` and nnU-Net's own predictor differ."""
    package = read_package(args.run / "package")
    cases = zip(read_cases(args.data, args.split, package), range(args.compare), strict=False)
    for case, _ in cases:
        started = time.process_time()
        theirs = predict(model, case.ct, 0.5, folds=("all",))
        between = time.process_time()
        ours, _, _ = exact_labels(case.ct, package, Job(), "cpu")
        seconds = f"processor seconds {between - started:.0f}, {time.process_time() - between:.0f}"
        counts = np.bincount(theirs.ravel(), minlength=len(ORGANS) + 1)[1:].tolist()
        different = int((ours != theirs).sum())
        print(f"{case.patient}: {different} of {theirs.size} voxels differ; labelled {counts}; {seconds}", flush=True)


def measure_rows(args: argparse.Namespace) -> None:
    """Measure the package on the patients of `equal_time`, and write what its row was made with."""
    package = read_package(args.run / "package")
    if package.procedure is None:
        raise SystemExit(f"{package.name} is not a published network")
    seen = {path.name.split(".")[0] for path in (args.run / "raw" / DATASET / "labelsTr").iterdir()}
    measured = [entry["patient"] for entry in list_patients(args.data, args.split, package)[1][: args.patients]]
    if both := seen & set(measured):
        raise SystemExit(f"in the training and among those measured: {', '.join(sorted(both))}")
    print(f"{len(seen)} patients in the training, {len(measured)} measured, none in both", flush=True)
    # A network that draws nothing cannot be tested, and would be refused: its row is zero.
    sides = package.sides or SidesCheck("not tested", (), "2026-01-01T00:00:00+00:00")
    chosen = replace(package, procedure=replace(package.procedure, profile=args.profile, sides=sides))
    seconds = measure(chosen, args.rows / "rows", args)
    if not seconds:
        return
    clock = json.loads(next((args.run / "results").glob("**/clock.json")).read_text())
    about = About(
        weights=sum(value.size for value in package.read_weights("segmenter").values()),
        steps={"segmenter": int(clock["iterations"])},
        training_minutes=round(clock["seconds"] / 60, 1),
        contouring_s=round(float(np.median(seconds)), 2),
    )
    (args.rows / ABOUT).write_text(json.dumps(asdict(about), indent=1))


class FallingRate:
    """The learning rate of nnU-Net's polynomial, at the share of the time that is used."""

    def __init__(self, optimizer: Any, initial: float) -> None:  # noqa: ANN401  (of another environment)
        self.optimizer, self.initial, self.used = optimizer, initial, 0.0

    def step(self, _epoch: int | None = None) -> None:
        """Set the rate."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.initial * (1 - min(self.used, 0.999)) ** 0.9


def train(run: Path, seconds: float, *, is_adam: bool) -> Path:
    """Train until the processor time is used; return the model's folder."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    np.random.seed(0)
    from nnunetv2.training.nnUNetTrainer.variants.data_augmentation.nnUNetTrainerNoMirroring import (
        nnUNetTrainerNoMirroring,
    )

    folder = run / "preprocessed" / DATASET
    plans = json.loads((folder / "nnUNetPlans.json").read_text()) | {"continue_training": False}
    described = json.loads((folder / "dataset.json").read_text())
    trainer = nnUNetTrainerNoMirroring(plans, "3d_fullres", "all", described, torch.device("cpu"))
    model = Path(trainer.output_folder_base)
    final, latest, clock = (Path(trainer.output_folder) / f"checkpoint_{what}.pth" for what in ("final", "latest", ""))
    clock = clock.with_name("clock.json")
    if final.exists():
        return model
    if is_adam:
        trainer.initial_lr = ADAM_RATE
        trainer.configure_optimizers = lambda: (torch.optim.AdamW(trainer.network.parameters(), lr=ADAM_RATE), None)
    trainer.on_train_start()
    trainer.lr_scheduler = FallingRate(trainer.optimizer, trainer.initial_lr)
    before = 0.0
    if latest.exists():
        trainer.load_checkpoint(str(latest))
        before = json.loads(clock.read_text())["seconds"]
    started = time.process_time()

    def used() -> float:
        return before + time.process_time() - started

    while used() < seconds:
        trainer.lr_scheduler.used = used() / seconds
        trainer.on_epoch_start()
        trainer.on_train_epoch_start()
        losses = [trainer.train_step(next(trainer.dataloader_train)) for _ in range(EPOCH)]
        loss = float(np.mean([one["loss"] for one in losses]))
        iterations = (trainer.current_epoch + 1) * EPOCH
        print(f"{used():6.0f} s, {iterations} iterations, loss {loss:.3f}", flush=True)
        trainer.current_epoch += 1
        if trainer.current_epoch % SAVE_EVERY == 0:
            trainer.save_checkpoint(str(latest))
            clock.write_text(json.dumps({"seconds": used(), "iterations": iterations}))
    clock.write_text(json.dumps({"seconds": used(), "iterations": trainer.current_epoch * EPOCH}))
    trainer.on_train_end()
    return model


if __name__ == "__main__":
    main()
