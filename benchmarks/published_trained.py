"""Published networks: six small models trained by nnU-Net v2's own trainer, imported, and compared voxel by voxel.

Labels, regions, transposed axes, a separate axis (thick slices), the residual encoder, and two folds with mirroring; on
phantoms, and on the patients of a training set where it is given. A few iterations each: the networks are weak, but
trained, saved and predicted by nnU-Net alone. One that draws only background shows nothing, and is named. Then the
profiles are compared with ``exact``; ``two-stage`` too where the coarse model, at twice the spacing, is trained in the
same run. A model that is complete in the folder of ``--keep`` is not trained again. Needs a separate environment:

    python -m venv nnunet && nnunet/bin/pip install nnunetv2 -e ".[train]"
    nnunet/bin/python benchmarks/published_trained.py [--data FOLDER] [--iterations 240] [--only labels] [--keep FOLDER]
    nnunet/bin/python benchmarks/published_trained.py --iterations 500 --only "labels, coarse" labels
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from published import predict

from autocontour.base.jobs import Job
from autocontour.contouring import mask_from_contours
from autocontour.models.inference.published import coarse
from autocontour.models.inference.published.profiles import measure_profiles, record
from autocontour.models.inference.published.segment import draw_published, exact_labels
from autocontour.models.inference.published.sides import check_sides
from autocontour.models.package.importers.names import Names
from autocontour.models.package.importers.nnunet import import_nnunet
from autocontour.models.package.importers.writing import write_imported
from autocontour.models.package.package import ModelPackage
from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.volume import CTVolume
from autocontour.phantom import build_phantom

ORGANS = ("Lung_R", "Lung_L", "Heart", "SpinalCanal")
NECK = ("Brainstem", "SpinalCord", "Parotid_R", "Parotid_L", "Bone_Mandible")
TRAINING, HELD_OUT = range(1, 7), 11
Plans = dict[str, Any]
Image = tuple[NDArray[np.int16], NDArray[np.uint8], tuple[float, float, float]]


@dataclass(frozen=True)
class Case:
    """One model: what is changed in nnU-Net's plans, its labels, its folds, and whether it is mirrored."""

    change: Callable[[Plans, Plans], None] = lambda _plans, _configuration: None
    spacing: tuple[float, float, float] = (6.0, 6.0, 6.0)
    target: tuple[float, float, float] = (7.0, 7.0, 7.0)
    patch: tuple[int, int, int] = (32, 40, 56)
    labels: dict[str, Any] = field(default_factory=dict)
    order: tuple[int, ...] = ()
    folds: tuple[int, ...] = (0,)
    mirrored: bool = False
    neck: bool = False


def transposed(plans: Plans, configuration: Plans) -> None:
    plans["transpose_forward"], plans["transpose_backward"] = [2, 0, 1], [1, 2, 0]
    for key in ("spacing", "patch_size"):
        z, y, x = configuration[key]
        configuration[key] = [x, z, y]


def residual(_: Plans, configuration: Plans) -> None:
    architecture = configuration["architecture"]
    architecture["network_class_name"] = "dynamic_network_architectures.architectures.unet.ResidualEncoderUNet"
    kwargs = architecture["arch_kwargs"]
    kwargs["n_blocks_per_stage"] = [1, 2, 2]
    del kwargs["n_conv_per_stage"]


CASES = {
    "labels": Case(),
    "labels, necks": Case(neck=True, target=(5.0, 7.8, 7.8), patch=(32, 48, 48)),
    "regions": Case(labels={"background": 0, "thorax": [1, 2, 3], "heart": [3]}, order=(1, 3)),
    "transposed": Case(transposed),
    "separate axis": Case(spacing=(18.0, 5.0, 5.0), target=(20.0, 6.0, 6.0), patch=(12, 48, 64)),
    "residual encoder": Case(residual),
    "two folds, mirrored": Case(folds=(0, 1), mirrored=True),
    "labels, coarse": Case(target=(14.0, 14.0, 14.0), patch=(16, 24, 32)),
}
RATE = 2e-3
COARSE = "labels, coarse"
"""Finds the boxes for ``two-stage`` of the models of the same labels that are compared after it."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of a training set; necks are left out without")
    parser.add_argument("--iterations", type=int, default=240)
    parser.add_argument("--only", nargs="+", default=list(CASES), choices=list(CASES), metavar="CASE")
    parser.add_argument("--keep", type=Path, help="folder for the models")
    args = parser.parse_args()
    names = [name for name in args.only if args.data or not CASES[name].neck]
    finders: list[ModelPackage] = []
    coarse.available_packages = lambda: finders
    with tempfile.TemporaryDirectory() as temporary:
        for name in sorted(names, key=lambda one: one != COARSE):
            folder = (args.keep or Path(temporary)) / name.replace(", ", "-").replace(" ", "-")
            started = time.perf_counter()
            model = train(folder, CASES[name], 1 + list(CASES).index(name), args.iterations, args.data)
            trained = time.perf_counter() - started
            different, drawn, size, table, package = compare(model, CASES[name], args.data, finders)
            finders += [package] if name == COARSE else []
            print(f"{name:22} trained in {trained:4.0f} s; {different} of {size} voxels differ; {drawn}", flush=True)
            for line in table:
                print(f"    {line}", flush=True)


def images(case: Case, data: Path | None, *, held_out: bool = False) -> Iterator[Image]:
    """Yield CTs with their label images: phantoms, or the first patients of a data set at half resolution."""
    if not case.neck:
        shape = tuple(round(mm / step) for mm, step in zip((288, 336, 440), case.spacing, strict=True))
        for seed in (HELD_OUT,) if held_out else TRAINING:
            size = (shape[0], shape[1], shape[2])
            phantom = build_phantom("thorax", seed, spacing_zyx_mm=case.spacing, shape_zyx=size)
            labels = np.zeros(phantom.hu.shape, np.uint8)
            for value, name in enumerate(ORGANS, 1):
                labels[mask_from_contours(phantom.truth.get(name, {}), phantom.geometry)] = value
            yield phantom.hu, labels, case.spacing
        return
    assert data is not None  # necks are left out without
    index = json.loads((data / "index.json").read_text())
    chosen = [one for one in index["patients"] if one["split"] == "train" and set(NECK) <= set(one["voxels"])]
    for entry in chosen[6:7] if held_out else chosen[:6]:
        content = np.load(data / "train" / f"{entry['patient']}.npz")
        bits, z, y, x = content["labels"], *(float(mm) for mm in content["spacing_zyx_mm"])
        labels = np.zeros(bits.shape, np.uint8)
        for value, name in enumerate(NECK, 1):
            labels[(bits >> index["structures_by_bit"].index(name)) & 1 > 0] = value
        yield np.ascontiguousarray(content["hu"][:, ::2, ::2]), labels[:, ::2, ::2], (z, 2 * y, 2 * x)


def train(folder: Path, case: Case, number: int, iterations: int, data: Path | None) -> Path:
    """Let nnU-Net extract, plan, preprocess and train, with small networks in its plans; return the model's folder."""
    dataset = f"Dataset{number:03d}_Small"
    for part in ("raw", "preprocessed", "results"):
        (folder / part).mkdir(parents=True, exist_ok=True)
        os.environ[f"nnUNet_{part}"] = str(folder / part)
    os.environ |= {"nnUNet_n_proc_DA": "0", "nnUNet_compile": "f", "nnUNet_def_n_proc": "1"}
    done = sorted(folder.glob(f"results/{dataset}/*/fold_*/checkpoint_final.pth"))
    if len(done) == len(case.folds):
        return done[0].parents[1]
    described = write_raw(folder / "raw" / dataset, case, data)
    import torch

    set_threads = torch.set_num_threads  # nnU-Net sets as many as it has processes for the augmentation: none
    torch.set_num_threads = lambda count: set_threads(max(count, 1))
    from nnunetv2.experiment_planning.plan_and_preprocess_api import (
        extract_fingerprints,
        plan_experiments,
        preprocess_dataset,
    )
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
    from nnunetv2.training.nnUNetTrainer.variants.data_augmentation.nnUNetTrainerNoMirroring import (
        nnUNetTrainerNoMirroring,
    )

    extract_fingerprints([number], num_processes=1, verbose=False)
    plan_experiments([number])
    path = folder / "preprocessed" / dataset / "nnUNetPlans.json"
    plans = json.loads(path.read_text())
    shrink(plans, case)
    path.write_text(json.dumps(plans))
    preprocess_dataset(number, configurations=("3d_fullres",), num_processes=(1,))
    kind = nnUNetTrainer if case.mirrored else nnUNetTrainerNoMirroring
    for fold in case.folds:
        torch.manual_seed(fold)
        given = {**plans, "continue_training": False}
        trainer = kind(given, "3d_fullres", fold, described, torch.device("cpu"))
        if case.neck:  # a few hundred steps of nnU-Net's own optimizer leave organs this small background
            trainer.configure_optimizers = lambda of=trainer: adam(of)
        trainer.num_epochs, trainer.num_val_iterations_per_epoch = 2, 1
        trainer.num_iterations_per_epoch = max(1, iterations // 2)
        trainer.save_every = 1000
        trainer.disable_checkpointing = False
        trainer.run_training()
    return Path(trainer.output_folder_base)


def adam(trainer: Any) -> tuple[Any, Any]:  # noqa: ANN401  (of another environment)
    """Return the optimizer of nnU-Net's trainer ``nnUNetTrainerAdam`` with a larger rate, and its schedule."""
    import torch
    from nnunetv2.training.lr_scheduler.polylr import PolyLRScheduler

    optimizer = torch.optim.AdamW(trainer.network.parameters(), lr=RATE, amsgrad=True)
    return optimizer, PolyLRScheduler(optimizer, RATE, trainer.num_epochs)


def write_raw(folder: Path, case: Case, data: Path | None) -> dict[str, Any]:
    """Write the images and labels of the training as nnU-Net expects them; return its ``dataset.json``."""
    for part in ("imagesTr", "labelsTr"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    count = 0
    for count, (hu, labels, spacing) in enumerate(images(case, data), 1):
        for array, where in ((hu, f"imagesTr/case{count}_0000"), (labels, f"labelsTr/case{count}")):
            image = sitk.GetImageFromArray(array)
            image.SetSpacing([float(step) for step in spacing[::-1]])
            sitk.WriteImage(image, str(folder / f"{where}.nii.gz"))
    organs = NECK if case.neck else ORGANS
    labels_table = case.labels or {"background": 0, **{name.lower(): k for k, name in enumerate(organs, 1)}}
    if case.labels:  # the values that no region names are background
        for path in (folder / "labelsTr").glob("*.nii.gz"):
            image = sitk.ReadImage(str(path))
            kept = sitk.GetArrayFromImage(image)
            kept[kept > 3] = 0
            changed = sitk.GetImageFromArray(kept)
            changed.CopyInformation(image)
            sitk.WriteImage(changed, str(path))
    described = {"channel_names": {"0": "CT"}, "labels": labels_table, "numTraining": count, "file_ending": ".nii.gz"}
    if case.order:
        described["regions_class_order"] = list(case.order)
    (folder / "dataset.json").write_text(json.dumps(described))
    return described


def shrink(plans: Plans, case: Case) -> None:
    """Make nnU-Net's plan one of a small network with small windows."""
    configuration = plans["configurations"]["3d_fullres"]
    configuration |= {"spacing": list(case.target), "patch_size": list(case.patch), "batch_size": 2}
    thick = case.patch[0] < 16
    kwargs = configuration["architecture"]["arch_kwargs"]
    kwargs |= {
        "n_stages": 3,
        "features_per_stage": [8, 16, 32],
        "kernel_sizes": [[1, 3, 3] if thick else [3, 3, 3], [3, 3, 3], [3, 3, 3]],
        "strides": [[1, 1, 1], [1, 2, 2] if thick else [2, 2, 2], [2, 2, 2]],
        "n_conv_per_stage": [2, 2, 2],
        "n_conv_per_stage_decoder": [1, 1],
    }
    plans["configurations"] = {"3d_fullres": configuration}
    case.change(plans, configuration)


def compare(
    model: Path, case: Case, data: Path | None, finders: list[ModelPackage]
) -> tuple[int, str, int, list[str], ModelPackage]:
    """Return the number of voxels that differ from nnU-Net's, what it drew, all voxels, and a table of the profiles."""
    hu, truth, spacing = next(images(case, data, held_out=True))
    ct = CTVolume(hu, VolumeGeometry.regular(hu.shape, spacing))
    theirs = predict(model, ct, 0.5)
    organs = NECK if case.neck else ORGANS
    names = Names({name.lower(): name for name in organs} if not case.labels else {})
    imported = import_nnunet(model, orientation="LPS", names=names)
    folder = model.parents[2]
    shutil.rmtree(folder / "package", ignore_errors=True)
    package, _ = write_imported(imported, folder / "package", name=f"small-{folder.name}")
    ours, _, _ = exact_labels(ct, package, Job(), "cpu")
    table = []
    of_phantoms = not case.neck and not case.labels
    if of_phantoms:
        package = record(package, check_sides(ct, package, Job(), "cpu"))
    profiles = ["exact", "fast", *(["two-stage"] if finders and of_phantoms else [])]
    if not case.labels:
        for profile in profiles:
            drawn = draw_published(ct, package, list(package.structures), Job(), "cpu", profile).drawings
            masks = {name: mask_from_contours(one.contours, ct.geometry) for name, one in drawn.items()}
            dice = {name: dsc(masks.get(name), truth == value) for value, name in enumerate(organs, 1)}
            table.append(f"{profile:6} DSC with the truth: " + ", ".join(f"{n} {d:.3f}" for n, d in dice.items()))
    for profile, one in measure_profiles(ct, package, profiles[1:], Job(), "cpu").items():
        values = list(one.dsc.values()) or [1.0]
        agreement = f"DSC with exact {np.mean(values):.4f}, lowest {min(values):.4f}"
        table.append(f"{profile:6} {one.seconds:5.1f} s, {agreement}")
    counts = np.bincount(theirs.ravel())[1:].tolist()
    drawn = f"labelled voxels {counts}" if any(counts) else "ONLY BACKGROUND: train it longer"
    return int((ours != theirs).sum()), drawn, theirs.size, table, package


def dsc(drawn: NDArray[np.bool_] | None, truth: NDArray[np.bool_]) -> float:
    if drawn is None:
        return 0.0
    return 2 * int((drawn & truth).sum()) / max(int(drawn.sum()) + int(truth.sum()), 1)


if __name__ == "__main__":
    main()
