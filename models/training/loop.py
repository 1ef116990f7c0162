"""The training of one stage: resumable after a kill, reproducible from its seed."""

from __future__ import annotations

import copy
import hashlib
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from autocontour.base.errors import TrainingError
from autocontour.base.files import write_atomically
from autocontour.base.jobs import Job
from autocontour.models.data.dataset import Dataset, Sample
from autocontour.models.networks import build_network, head_names
from autocontour.models.training.config import StageConfig, TrainingConfig
from autocontour.models.training.events import EventFiles
from autocontour.models.training.loss import soft_dice
from autocontour.models.training.metadata import describe_package
from autocontour.models.training.parallel import Processes
from autocontour.models.training.patches import PatchSampler
from autocontour.models.training.precision import LossScale, choose_precision, mixed_precision
from autocontour.models.training.samples import SampleSlices
from autocontour.models.training.supervision import Supervision
from autocontour.models.training.teacher import Teacher
from autocontour.models.training.validate import validate

WARM_UP = 0.03
FINAL_RATE = 0.01
LARGEST_GRADIENT = 2.0
ADDED_RATE = 40.0
"""How much faster the outputs of added structures learn: Adam moves a weight by at most the learning rate in a step."""


class Trainer:
    """Trains one stage in its own folder.

    The folder holds ``checkpoint.pt`` (the whole state, replaced in one step), ``best.pt`` (the averaged weights with
    the best score on the validation patients; the last ones if there are none) and ``log.jsonl`` (one line per report).

    Parameters
    ----------
    name
        Name of the stage.
    config
        With the stage, the structures in the order of the outputs, and the seed.
    dataset
        Patients for training, and those for selecting a checkpoint.
    folder
        Created if missing; training continues from a checkpoint in it.
    initial
        Weights to start from where the folder contains no checkpoint; random if None.
    device
        Where the network is trained and validated; CUDA if there is a device, else the CPU.
    processes
        Those that train together; each is given the same arguments but its own device.
    events
        Whether the log is also written as TensorBoard's event files, into the folder ``tensorboard``.
    clock
        Seconds by which a budget in minutes is counted; `time.process_time` makes it processor time.
    teacher
        Whose probabilities are learnt as well; None to learn from the labels alone.
    added
        Numbers of the outputs that start anew: they learn faster, and are not pulled back to where they began.
    """

    def __init__(
        self,
        name: str,
        config: TrainingConfig,
        dataset: Dataset,
        folder: Path,
        initial: Mapping[str, Tensor] | None = None,
        device: str = "",
        *,
        processes: Processes | None = None,
        events: bool = False,
        clock: Callable[[], float] = time.monotonic,
        teacher: Teacher | None = None,
        added: Sequence[int] = (),
    ) -> None:
        stage, structures = config.stages[name], config.data.structures
        self.name, self.stage, self.structures, self.seed = name, stage, structures, config.data.seed
        self.folder, self.processes, self.clock = folder, processes or Processes(), clock
        self.teacher = teacher
        if stage.batch % self.processes.count:
            raise TrainingError("AC-TR-033", stage=name, batch=stage.batch, count=self.processes.count)
        self.package = describe_package(config, folder)
        self.validation = dataset.validation[: stage.validate_patients]
        if self.processes.is_first:
            folder.mkdir(parents=True, exist_ok=True)
            write_atomically(folder / "structures.json", json.dumps(self.structures).encode())
        self.processes.wait()
        torch.manual_seed(self.seed)
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.network = build_network(stage.network)
        if initial is not None:
            self.network.load_state_dict(dict(initial))
        self.network.to(self.device)
        self.added, names = list(added), head_names(stage.network) if added else ()
        self.heads = [parameter for name, parameter in self.network.named_parameters() if name in names]
        self.precision = choose_precision(stage.precision, self.device)
        self.loss_scale = LossScale(self.precision, self.device)
        outputs, window = len(structures), stage.window_zyx
        self.supervision = Supervision(self.network, outputs, window, stage.deep_supervision).to(self.device)
        self.parameters = [*self.network.parameters(), *self.supervision.parameters()]
        self.forward = self._compiled() if stage.compile else partial(self.supervision, self.network)
        torch.backends.cudnn.benchmark = True  # patches have one size
        self.loss_weight = torch.tensor([stage.loss_weights.get(one, 1.0) for one in structures], device=self.device)
        self.average = copy.deepcopy(self.network)
        self.start = [parameter.detach().clone() for parameter in self.network.parameters()] if stage.anchor else []
        self.optimizer = torch.optim.AdamW(self.parameters, stage.learning_rate, weight_decay=stage.weight_decay)
        self.sampler = PatchSampler(dataset.training, structures, stage, self.device, dataset.shares)
        self.cores = torch.get_num_threads()
        self.pool = ThreadPoolExecutor(min(stage.batch, self.cores))
        self.step, self.elapsed_s, self.validated_s, self.best = 0, 0.0, 0.0, -1.0
        self._resume()
        self.events = EventFiles(folder, structures, self.step) if events and self.processes.is_first else None
        self.samples: SampleSlices | None = None

    @property
    def progress(self) -> float:
        """Used fraction of the budget, 0 to 1."""
        used = self.step / self.stage.steps if self.stage.steps else self.elapsed_s / (60 * self.stage.minutes)
        return min(1.0, used)

    def run(self, job: Job) -> None:
        """Train until the budget is used; on cancel the state is saved first."""
        clock = saved = self.clock()
        report = _Report(len(self.structures), self.stage.batch, self.device)
        try:
            while self.progress < 1:
                job.advance(f"training the {self.name}", self.progress)
                report.add(*self._learn())
                self._show_samples()
                now = self.clock()
                self.elapsed_s = self.processes.of_first(self.elapsed_s + now - clock, self.device)
                clock = now
                if report.steps == 20:
                    self._log(kind="train", rate=self.optimizer.param_groups[0]["lr"], **report.take())
                if self.elapsed_s - self.validated_s > 60 * self.stage.validate_minutes:
                    self._validate()
                    clock = self.clock()
                if now - saved > 60 * self.stage.checkpoint_minutes:
                    self.save()
                    saved = now
        finally:
            self.save()
        self._validate()
        self.save()

    def show_samples(self, samples: Sequence[Sample], count: int) -> None:
        """Write sample slices of some patients at intervals of the training (`SampleSlices`)."""
        if count and self.processes.is_first:
            self.samples = SampleSlices(self.folder, samples, self.structures, self.stage, self.device, count)
            self._show_samples()

    def _show_samples(self) -> None:
        if self.samples is not None:
            self.samples.write_if_due(self.average, self.step, self.progress)

    def _learn(self) -> tuple[Tensor, Tensor, Tensor]:
        """Take one step; return its loss, and the sum of every structure's Dice and how often it was present."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.stage.learning_rate * _rate(self.progress)
        parts = self._compute_parts()
        self._descend([torch.stack(same).mean(0) for same in zip(*(part.gradients for part in parts), strict=True)])
        self._pull_back()
        self.step += 1
        self._update_average()
        dice = torch.stack([part.dice for part in parts])
        present = torch.stack([part.present for part in parts])
        return torch.stack([part.loss for part in parts]).mean(), (dice * present).sum(0), present.sum(0)

    def _descend(self, gradients: list[Tensor]) -> None:
        """Take a step of the optimizer by the mean gradients of all processes; none if they are not finite."""
        gradients = self.processes.average(gradients)
        for parameter, gradient in zip(self.parameters, gradients, strict=True):
            parameter.grad = gradient / self.loss_scale.value if self.loss_scale.is_used else gradient
        norm = nn.utils.clip_grad_norm_(self.parameters, LARGEST_GRADIENT)
        finite = torch.isfinite(norm)
        for parameter in self.parameters:  # not `if finite`, which would wait for a GPU in every step
            if parameter.grad is not None:
                parameter.grad.masked_fill_(~finite, 0)
        self.loss_scale.update(finite)
        before = self._copy_added()
        self.optimizer.step()
        with torch.no_grad():
            for head, old in zip(self.heads, before, strict=True):
                head[self.added] = old + ADDED_RATE * (head[self.added] - old)

    def _copy_added(self) -> list[Tensor]:
        return [head.detach()[self.added] for head in self.heads]

    def _compute_parts(self) -> list[_Gradients]:
        """Return the gradients of this process's patches: all together on a GPU, one in each thread on a CPU."""
        mine = self.processes.part_of(self.stage.batch)
        if self.device.type == "cuda":
            return [self._compute_gradients(mine)]
        parts = [range(item, item + 1) for item in mine]
        if self.stage.compile:  # torch compiles in one thread only
            return [self._compute_gradients(part) for part in parts]
        return list(self.pool.map(self._compute_gradients, parts))

    def _compiled(self) -> Callable[[Tensor], list[Tensor]]:
        compiled: Callable[[nn.Module, Tensor], list[Tensor]] = torch.compile(self.supervision)
        return partial(compiled, self.network)

    def _compute_gradients(self, items: range) -> _Gradients:
        """Return the gradients of some patches of this step; parameters are only read."""
        torch.set_num_threads(self.cores if self.stage.compile else max(1, self.cores // self.stage.batch))
        draws = [np.random.default_rng((self.seed, self.step, item)) for item in items]
        patches = self.sampler.draw(draws)
        with mixed_precision(self.device, self.precision):
            levels = self.forward(patches.image)
        levels = [logits.float() for logits in levels]
        loss = self.supervision.loss(levels, patches, self.loss_weight)
        if self.teacher is not None:
            loss = self.teacher.add_to(loss, levels[0], patches, self.loss_weight)
        scaled = loss * self.loss_scale.value if self.loss_scale.is_used else loss
        gradients = torch.autograd.grad(scaled, self.parameters)
        with torch.no_grad():
            dice, present = soft_dice(levels[0], patches.target, patches.weight)
        return _Gradients(loss.detach(), gradients, dice, present)

    @torch.no_grad()
    def _pull_back(self) -> None:
        """Move the weights towards those at the start, apart from the optimizer as weight decay in AdamW (L2-SP)."""
        strength, added = self.stage.anchor * _rate(self.progress), self._copy_added()
        for parameter, start in zip(self.network.parameters(), self.start, strict=False):
            parameter.lerp_(start, strength)
        for head, value in zip(self.heads, added, strict=True):
            head[self.added] = value

    @torch.no_grad()
    def _update_average(self) -> None:
        decay = min(self.stage.ema_decay, self.step / (self.step + 9))
        for mean, value in zip(self.average.state_dict().values(), self.network.state_dict().values(), strict=True):
            mean.lerp_(value, 1 - decay) if mean.is_floating_point() else mean.copy_(value)

    def _validate(self) -> None:
        self.validated_s = self.elapsed_s
        if self.processes.is_first:
            self._validate_average()
        self.processes.wait()

    def _validate_average(self) -> None:
        if not self.validation:
            if self.progress == 1:
                self._save_best(float("nan"))
            return
        began = time.monotonic()
        dice = validate(self.average, self.validation, self.package, self.name, self.device, self.precision)
        with np.errstate(all="ignore"):
            per_structure = [float(np.nanmean(column)) if np.isfinite(column).any() else None for column in dice.T]
        counted = [value is not None for value in per_structure]
        values = [value for value in per_structure if value is not None]
        score = float(np.average(values, weights=self.loss_weight.cpu().numpy()[counted]))
        self._log(kind="validate", score=score, dice=per_structure, took_s=round(time.monotonic() - began, 1))
        if score > self.best:
            self.best = score
            self._save_best(score)

    def _save_best(self, score: float) -> None:
        state = {"average": self.average.state_dict(), "step": self.step, "score": score}
        _save_torch(state, self.folder / "best.pt")

    def _log(self, **values: object) -> None:
        if not self.processes.is_first:
            return
        now = datetime.now(UTC).isoformat(timespec="seconds")
        line = {"time": now, "step": self.step, "elapsed_s": round(self.elapsed_s, 1)}
        with (self.folder / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line | values) + "\n")
        if self.events is not None:
            self.events.add(line | values)

    def save(self) -> None:
        """Write the whole state in one step; only the first process does."""
        if not self.processes.is_first:
            return
        state = {name: getattr(self, name) for name in _COUNTERS}
        parts = {name: getattr(self, name).state_dict() for name in _PARTS}
        identity = stage_identity(self.stage, self.structures)
        _save_torch({**state, **parts, "identity": identity}, self.folder / "checkpoint.pt")

    def _resume(self) -> None:
        path = self.folder / "checkpoint.pt"
        if not path.exists():
            return
        state = torch.load(path, map_location=self.device, weights_only=True)
        if state["identity"] != stage_identity(self.stage, self.structures):
            raise TrainingError("AC-TR-004", stage=self.name)
        for name in _COUNTERS:
            setattr(self, name, state[name])
        for name in _PARTS:
            if name in state:  # older checkpoints have no loss scale and no supervision
                getattr(self, name).load_state_dict(state[name])


def stage_identity(stage: StageConfig, structures: Sequence[str]) -> str:
    """Return a checksum of the settings of a stage's weights: network, grid, intensities, structures."""
    essence = {
        "network": stage.network,
        "spacing_zyx_mm": stage.spacing_zyx_mm,
        "patch_zyx": stage.window_zyx,  # the keys of checkpoints written before version 1.2
        "windows_hu": stage.intensity_windows_hu,
    }
    text = json.dumps(_plain([essence, structures]), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: Any) -> Any:  # noqa: ANN401  (JSON)
    """Return JSON values with a single representation of integers, for 160 and 160.0."""
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


_COUNTERS = ("step", "elapsed_s", "validated_s", "best")
_PARTS = ("network", "average", "optimizer", "supervision", "loss_scale")


def _rate(progress: float) -> float:
    """Return the factor of the learning rate: linear warm-up, then half a cosine."""
    if progress < WARM_UP:
        return max(progress / WARM_UP, FINAL_RATE)
    falling = (progress - WARM_UP) / (1 - WARM_UP)
    return FINAL_RATE + (1 - FINAL_RATE) * (1 + float(np.cos(np.pi * falling))) / 2


def _save_torch(state: dict[str, Any], path: Path) -> None:
    temporary = path.with_suffix(".tmp")
    with temporary.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


@dataclass(frozen=True)
class _Gradients:
    """Gradients of some patches, with their loss and soft Dice."""

    loss: Tensor
    gradients: tuple[Tensor, ...]
    dice: Tensor
    present: Tensor


class _Report:
    """Means over the last steps; on a GPU nothing is waited for until they are taken."""

    def __init__(self, structures: int, batch: int, device: torch.device) -> None:
        self.structures, self.batch, self.device = structures, batch, device
        self._clear()

    def _clear(self) -> None:
        self.steps, self.began = 0, time.monotonic()
        self.loss = torch.zeros((), device=self.device)
        self.dice, self.seen = (torch.zeros(self.structures, device=self.device) for _ in range(2))

    def add(self, loss: Tensor, dice: Tensor, present: Tensor) -> None:
        self.steps += 1
        self.loss += loss
        self.dice += dice
        self.seen += present

    def take(self) -> dict[str, Any]:
        pairs = zip(self.dice.tolist(), self.seen.tolist(), strict=True)
        dice = [round(total / count, 4) if count else None for total, count in pairs]
        loss = self.loss.item() / self.steps
        rate = self.batch * self.steps / (time.monotonic() - self.began)
        self._clear()
        return {"loss": round(loss, 4), "dice": dice, "patches_per_s": round(rate, 2)}
