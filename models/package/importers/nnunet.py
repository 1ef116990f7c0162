"""Import of models trained by nnU-Net v2: plans, data set and checkpoints become a package.

What is not exactly nnU-Net's own way for one CT is refused, by name.
"""

from __future__ import annotations

import re
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from autocontour.base.errors import ModelError
from autocontour.base.limits import shown
from autocontour.models.networks import plan_network
from autocontour.models.package.importers.checkpoint import Checkpoint, read_checkpoint
from autocontour.models.package.importers.files import hash_file, read_table
from autocontour.models.package.importers.names import Names
from autocontour.models.package.importers.nnunet_plans import (
    describe_network,
    read_axes,
    read_labels,
    read_normalisation,
    read_orientation,
    read_resampling,
    read_spacing,
    resolve_configuration,
    unsupported,
)
from autocontour.models.package.importers.writing import Imported, plain_text, stated

CHECKPOINT = "checkpoint_final.pth"
MOST_JSON_BYTES = 16 << 20
PLANS, DATASET = "plans.json", "dataset.json"
MOST_ZIP_ENTRIES = 10_000
MOST_ZIP_BYTES = 16 << 30
MOST_RATIO = 100
"""Weights can hardly be compressed; what can be by more than this would only fill the disk."""
PLANS_FIELDS = (
    "transpose_forward",
    "transpose_backward",
    "foreground_intensity_properties_per_channel",
    "label_manager",
    "image_reader_writer",
)
WITHOUT_EFFECT = {"data_identifier", "batch_size", "batch_dice", "median_image_size_in_voxels"}
"""Fields of a configuration that say nothing about how a network is run."""
TRAINERS = re.compile(
    r"nnUNetTrainer(_\d+epochs?|_MOSAIC_1k_QuarterLR|_DASegOrd0|_onlyMirror01|_probabilisticOversampling(_\d+)?"
    r"|DA5(ord0|Segord0|_10epochs)?|DAOrd0|NoDA|_NoDA|DiceCELoss_noSmooth|DiceLoss|CELoss|TopK10Loss|DiceTopK10Loss"
    r"|SkeletonRecall|NoDeepSupervision|_Adam\w{0,12}|AdamW?|CosAnneal|Polylr\w{0,6})*(_?NoMirroring)?"
)


@dataclass(frozen=True)
class Files:
    """The files of a trained model.

    Attributes
    ----------
    folder
        With ``plans.json``, ``dataset.json`` and the folders of the folds.
    plans, dataset
        Content of the two files.
    """

    folder: Path
    plans: Mapping[str, Any]
    dataset: Mapping[str, Any]


def import_nnunet(
    source: Path,
    *,
    orientation: str = "",
    folds: Sequence[str] = (),
    names: Names | None = None,
    first_spacing_mm: Sequence[float] = (),
    step: float = 0.5,
) -> Imported:
    """Read a trained model of nnU-Net v2.

    Parameters
    ----------
    source
        The folder ``Trainer__Plans__configuration``, one with exactly one such folder in it, or a zip of either.
    orientation
        ``LPS`` or ``RAS``: direction in which the indices of the training images grew. Only needed, and only
        accepted, where the model's own reader does not set it.
    folds
        Names of the networks to average, such as ``0`` or ``all``; all numbered ones if empty.
    names
        Structure names of the labels.
    first_spacing_mm
        Spacing along z, y, x to which the whole CT is resampled first, as TotalSegmentator does; empty for none.
    step
        Step of the windows as a fraction of their size.

    Raises
    ------
    ModelError
        ``AC-MD-040`` to ``AC-MD-050``.
    """
    with open_model(source) as files:
        reader = str(files.plans.get("image_reader_writer", ""))
        chosen = choose_folds(files.folder, folds)
        checkpoints = [read_checkpoint(files.folder / f"fold_{fold}" / CHECKPOINT) for fold in chosen]
        facts = _common_facts(checkpoints, files)
        configuration = resolve_configuration(files.plans, str(facts["configuration"]))
        labels = read_labels(files.dataset)
        network = describe_network(configuration, labels.heads)
        weights = _weights(network, checkpoints, chosen)
        sources = {path.name: hash_file(path) for path in (files.folder / PLANS, files.folder / DATASET)}
        checked = [f"fold_{fold}/{CHECKPOINT}" for fold in chosen]
        sources |= {name: hash_file(files.folder / name) for name in checked}
        licence = _licence(files)
    procedure = {
        "framework": "nnunet",
        "orientation": read_orientation(reader, orientation),
        "axes": read_axes(files.plans),
        "outputs": "regions" if labels.order else "labels",
        "heads": labels.heads,
        "region_order": list(labels.order),
        "normalisation": read_normalisation(files.plans, files.dataset, configuration),
        "data": read_resampling(configuration, "data"),
        "logits": read_resampling(configuration, "probabilities"),
        "step": step,
        "mirror_axes": list(facts["mirror_axes"]),
        "first_spacing_mm": list(first_spacing_mm),
        "folds": list(chosen),
        "source": {"files": sources, "trainer": facts["trainer"], "configuration": facts["configuration"]},
    }
    stage = {
        "network": network,
        "spacing_zyx_mm": read_spacing(configuration),
        "window_zyx": configuration["patch_size"],
        "intensity_windows_hu": [],
        "overlap": 0.5,
    }
    name = plain_text(files.plans.get("dataset_name") or files.folder.parent.name) or "nnunet"
    about = _about(files)
    return Imported(name, licence, stage, procedure, labels.values, weights, names or Names(), about)


@contextmanager
def open_model(source: Path) -> Iterator[Files]:
    """Find the files of a trained model; those of a zip are copied to a temporary folder.

    Raises
    ------
    ModelError
        ``AC-MD-040`` if there is no model, ``AC-MD-041`` if there are several, ``AC-MD-043`` for a damaged file.
    """
    with tempfile.TemporaryDirectory(prefix="autocontour-import-") as copies:
        folder = source
        if source.is_file():
            folder = Path(copies)
            _extract(source, folder)
        found = find_models(folder)
        if not found:
            raise ModelError("AC-MD-040", name=shown(source.name))
        if len(found) > 1:
            known = ", ".join(sorted(shown(str(one.relative_to(folder))) for one in found)[:10])
            raise ModelError("AC-MD-041", count=len(found), known=known)
        yield Files(found[0], *(read_table(found[0] / name, MOST_JSON_BYTES) for name in (PLANS, DATASET)))


def find_models(folder: Path, depth: int = 3) -> list[Path]:
    """Return the folders of trained models at or below `folder`."""
    if (folder / "plans.json").is_file() and (folder / "dataset.json").is_file():
        return [folder]
    if depth == 0 or not folder.is_dir():
        return []
    inner = sorted(one for one in folder.iterdir() if one.is_dir() and not one.is_symlink())
    return [found for one in inner for found in find_models(one, depth - 1)]


def _extract(path: Path, folder: Path) -> None:
    """Copy the files of a model out of a zip; all others stay in it."""

    def refuse(reason: str) -> ModelError:
        return ModelError("AC-MD-043", file=shown(path.name), reason=reason)

    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            if len(entries) > MOST_ZIP_ENTRIES:
                raise refuse("too many entries")
            if sum(entry.file_size for entry in entries) > MOST_ZIP_BYTES:
                raise refuse(f"larger than {MOST_ZIP_BYTES >> 30} GiB")
            seen: set[str] = set()
            for entry in entries:
                name = PurePosixPath(entry.filename.replace("\\", "/"))
                if name.name not in ("plans.json", "dataset.json", CHECKPOINT, "LICENSE", "LICENSE.txt"):
                    continue
                if name.is_absolute() or ".." in name.parts or ":" in str(name) or len(name.parts) > 8:
                    raise refuse("a path that points outside it")
                if str(name).casefold() in seen:
                    raise refuse("two entries of one name")
                seen.add(str(name).casefold())
                if entry.file_size > MOST_RATIO * max(entry.compress_size, 1 << 10):
                    raise refuse("an entry compressed more than weights can be")
                limit = MOST_JSON_BYTES if name.name != CHECKPOINT else 4 << 30
                target = folder.joinpath(*name.parts)
                target.parent.mkdir(parents=True, exist_ok=True)
                _copy(archive, entry, target, limit)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError, OSError) as error:
        raise refuse("not a readable zip file") from error


def _copy(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path, limit: int) -> None:
    left = limit
    with archive.open(entry) as source, target.open("xb") as file:
        while chunk := source.read(1 << 20):
            left -= len(chunk)
            if left < 0:
                raise ModelError("AC-MD-043", file=shown(entry.filename), reason="too large")
            file.write(chunk)


def _about(files: Files) -> dict[str, Any]:
    """Return what ``dataset.json`` states about its data; nnU-Net's own trainer states the number of cases only."""
    about = stated(files.dataset, {"description": "description", "reference": "references", "release": "release"})
    count = files.dataset.get("numTraining")
    if isinstance(count, int) and not isinstance(count, bool) and count > 0:
        about["data_source"] = f"{count} training cases; nothing more is stated in dataset.json"
    return about


def _licence(files: Files) -> str:
    stated = files.dataset.get("licence") or files.dataset.get("license")
    return (plain_text(stated) if isinstance(stated, str) else "") or "not stated"


def choose_folds(folder: Path, asked: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the folds to average.

    Raises
    ------
    ModelError
        ``AC-MD-046`` if one is missing: asked for, or the number between two others.
    """
    found = sorted(one.parent.name.removeprefix("fold_") for one in folder.glob(f"fold_*/{CHECKPOINT}"))
    if asked:
        if missing := [fold for fold in asked if fold not in found]:
            raise ModelError("AC-MD-046", missing=shown(missing[0]), known=", ".join(found) or "–")
        return tuple(dict.fromkeys(asked))
    numbered = sorted(int(fold) for fold in found if fold.isdecimal())
    started = [int(one.name[5:]) for one in folder.glob("fold_*") if one.is_dir() and one.name[5:].isdecimal()]
    expected = range(max([*numbered, *started], default=0) + 1)
    # A single fold is a choice of whoever published the model; a gap among several is an incomplete copy.
    gaps = sorted((set(started) if len(numbered) <= 1 else set(expected)) - set(numbered))
    if not numbered or gaps:
        raise ModelError("AC-MD-046", missing=str(gaps[0] if gaps else 0), known=", ".join(found) or "–")
    return tuple(map(str, numbered))


def _common_facts(checkpoints: Sequence[Checkpoint], files: Files) -> dict[str, Any]:
    """Return what the checkpoints say about the model, which must be the same in all and agree with the files."""
    found = [_facts(one) for one in checkpoints]
    for one in found[1:]:
        for key in ("trainer", "configuration", "mirror_axes"):
            if one[key] != found[0][key]:
                raise ModelError("AC-MD-047", what=key.replace("_", " "))
    facts = found[0]
    if not TRAINERS.fullmatch(facts["trainer"]):
        raise unsupported("trainer", facts["trainer"])
    for checkpoint in checkpoints:
        _compare(checkpoint, files, facts["configuration"])
    return facts


def _facts(checkpoint: Checkpoint) -> dict[str, Any]:
    facts = checkpoint.facts
    arguments = facts.get("init_args")
    configuration = arguments.get("configuration") if isinstance(arguments, Mapping) else None
    trainer, axes = facts.get("trainer_name"), facts.get("inference_allowed_mirroring_axes")
    if not isinstance(configuration, str) or not isinstance(trainer, str):
        raise ModelError("AC-MD-043", file=CHECKPOINT, reason="the trainer or the configuration is not stated")
    plain = [] if axes is None else axes
    if not isinstance(plain, list) or any(type(axis) is not int or axis not in (0, 1, 2) for axis in plain):
        raise unsupported("mirroring axes", axes)
    if len(set(plain)) < len(plain):
        raise unsupported("mirroring axes", axes)
    return {"trainer": trainer, "configuration": configuration, "mirror_axes": sorted(plain)}


def _compare(checkpoint: Checkpoint, files: Files, configuration: str) -> None:
    """Compare the files beside a checkpoint with those it was trained with, where it holds them.

    Raises
    ------
    ModelError
        ``AC-MD-047``: labels in another order would give an organ the name of another.
    """
    arguments = checkpoint.facts["init_args"]
    dataset, plans = arguments.get("dataset_json"), arguments.get("plans")
    if isinstance(dataset, Mapping):
        for key in ("labels", "regions_class_order", "channel_names"):
            trained, beside = dataset.get(key), files.dataset.get(key)
            regions = files.dataset.get("regions_class_order")
            if trained != beside or (key == "labels" and regions and list(trained or ()) != list(beside or ())):
                raise ModelError("AC-MD-047", what=f"{key} in dataset.json")
    if isinstance(plans, Mapping) and isinstance(plans.get("configurations"), Mapping):
        for key in PLANS_FIELDS:
            if plans.get(key) != files.plans.get(key):
                raise ModelError("AC-MD-047", what=f"{key} in plans.json")
        trained, beside = resolve_configuration(plans, configuration), resolve_configuration(files.plans, configuration)
        for key in sorted((trained.keys() | beside.keys()) - WITHOUT_EFFECT):
            if trained.get(key) != beside.get(key):
                raise ModelError("AC-MD-047", what=f"{key} in plans.json")


def _weights(network: Mapping[str, Any], checkpoints: Sequence[Checkpoint], folds: Sequence[str]) -> dict[str, Any]:
    """Return the weights of all folds, each name preceded by the fold's number.

    The checkpoints also hold heads of the coarser stages, used in training only; any other weight that the network
    does not have is refused.
    """
    plan = plan_network(network)
    expected, last = plan.weight_shapes(), len(network["features"]) - 2
    unused = re.compile(r"decoder\.seg_layers\.(\d+)\.(weight|bias)")
    weights: dict[str, Any] = {}
    for number, (fold, checkpoint) in enumerate(zip(folds, checkpoints, strict=True)):
        found = checkpoint.weights
        for name in found.keys() - expected.keys():
            head = unused.fullmatch(name)
            if head is None or int(head[1]) >= last:
                raise ModelError("AC-MD-014", weight=f"{ascii(name)[1:61]}, fold {fold}")
        for name, shape in expected.items():
            if name not in found or tuple(found[name].shape) != shape:
                raise ModelError("AC-MD-014", weight=f"{name}, fold {fold}")
            weights[f"{number}.{name}"] = found[name]
    return weights
