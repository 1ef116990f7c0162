"""The training of the network that follows corrected slices: resumable after a kill, on simulated corrections."""

from __future__ import annotations

import copy
import json
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from autocontour.base.jobs import Job
from autocontour.models.follow.channels import NETWORK
from autocontour.models.networks import build_network, head_names
from autocontour.models.training.follow.config import FollowStage
from autocontour.models.training.follow.patients import Prepared
from autocontour.models.training.follow.simulate import Simulator
from autocontour.models.training.loss import masked_loss, soft_dice

WARM_UP = 0.03
FINAL_RATE = 0.01
LARGEST_GRADIENT = 2.0
REPORT_STEPS = 50
COUNTERS = ("step", "elapsed_s")
PARTS = ("network", "average", "optimizer")


class FollowTrainer:
    """Trains the network in its own folder, which holds ``checkpoint.pt`` (the whole state) and ``log.jsonl``.

    Parameters
    ----------
    patients
        Prepared patients to train on.
    stage
        The settings.
    folder
        Created if missing; training continues from a checkpoint in it.
    seed
        Determines the initial weights and every example.
    """

    def __init__(self, patients: Sequence[Prepared], stage: FollowStage, folder: Path, seed: int) -> None:
        self.stage, self.folder, self.seed = stage, folder, seed
        folder.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(seed)
        self.network = start_unchanged(build_network(NETWORK))
        self.average = copy.deepcopy(self.network)
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), stage.learning_rate, weight_decay=stage.weight_decay
        )
        self.simulator = Simulator(patients, stage)
        self.cores = torch.get_num_threads()
        self.pool = ThreadPoolExecutor(min(stage.batch, self.cores))
        self.step, self.elapsed_s = 0, 0.0
        self._resume()

    @property
    def progress(self) -> float:
        """Used fraction of the time, 0 to 1."""
        return min(1.0, self.elapsed_s / (60 * self.stage.minutes))

    def run(self, job: Job) -> None:
        """Train until the time is used; on cancel the state is saved first."""
        clock = saved = began = time.monotonic()
        losses: list[float] = []
        gains: list[float] = []
        try:
            while self.progress < 1:
                job.advance("training", self.progress)
                loss, gain = self._learn()
                losses.append(loss)
                gains.append(gain)
                now = time.monotonic()
                self.elapsed_s += now - clock
                clock = now
                if len(losses) == REPORT_STEPS:
                    rate = round(REPORT_STEPS * self.stage.batch / (now - began), 2)
                    means = {"loss": round(float(np.mean(losses)), 4), "gain": round(float(np.nanmean(gains)), 4)}
                    self._log(kind="train", rate=self.optimizer.param_groups[0]["lr"], patches_per_s=rate, **means)
                    losses, gains, began = [], [], now
                if now - saved > 60 * self.stage.checkpoint_minutes:
                    self.save()
                    saved = now
        finally:
            self.save()

    def _learn(self) -> tuple[float, float]:
        """Take one step; return its loss, and by how much the soft Dice exceeds that of the unchanged contours."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.stage.learning_rate * _rate(self.progress)
        parts = list(self.pool.map(self._compute_gradients, range(self.stage.batch)))
        for parameter, *same in zip(self.network.parameters(), *(gradients for gradients, _, _ in parts), strict=True):
            parameter.grad = torch.stack(same).mean(0)
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), LARGEST_GRADIENT)
        if torch.isfinite(norm):
            self.optimizer.step()
        self.step += 1
        self._update_average()
        return float(np.mean([loss for _, loss, _ in parts])), float(np.mean([gain for _, _, gain in parts]))

    def _compute_gradients(self, item: int) -> tuple[tuple[Tensor, ...], float, float]:
        torch.set_num_threads(max(1, self.cores // self.stage.batch))
        example = self.simulator.draw(np.random.default_rng((self.seed, self.step, item)))
        channels, base, target, weight = (
            torch.from_numpy(array)[None]
            for array in (example.channels, example.base[None], example.target[None], example.weight[None])
        )
        with torch.autocast("cpu", torch.bfloat16):
            change = self.network(channels)
        logits = base + change.float()
        loss = masked_loss(logits, target, weight, torch.ones(1))
        gradients = torch.autograd.grad(loss, list(self.network.parameters()))
        with torch.no_grad():
            after, before = (soft_dice(one, target, weight)[0].item() for one in (logits, base))
        return gradients, loss.item(), after - before

    @torch.no_grad()
    def _update_average(self) -> None:
        decay = min(self.stage.ema_decay, self.step / (self.step + 9))
        for mean, value in zip(self.average.state_dict().values(), self.network.state_dict().values(), strict=True):
            mean.lerp_(value, 1 - decay)

    def _log(self, **values: object) -> None:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        line = {"time": now, "step": self.step, "elapsed_s": round(self.elapsed_s, 1)}
        with (self.folder / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line | values) + "\n")

    def save(self) -> None:
        """Write the whole state in one step."""
        state: dict[str, Any] = {name: getattr(self, name) for name in COUNTERS}
        state |= {name: getattr(self, name).state_dict() for name in PARTS}
        temporary = self.folder / "checkpoint.tmp"
        with temporary.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self.folder / "checkpoint.pt")

    def _resume(self) -> None:
        path = self.folder / "checkpoint.pt"
        if path.exists():
            state = torch.load(path, map_location="cpu", weights_only=True)
            for name in COUNTERS:
                setattr(self, name, state[name])
            for name in PARTS:
                getattr(self, name).load_state_dict(state[name])


def start_unchanged(network: nn.Module) -> nn.Module:
    """Set the last layer to zero, so that the untrained network changes nothing."""
    state = network.state_dict()
    for name in head_names(NETWORK):
        state[name].zero_()
    return network


def _rate(progress: float) -> float:
    """Return the factor of the learning rate: linear warm-up, then half a cosine."""
    if progress < WARM_UP:
        return max(progress / WARM_UP, FINAL_RATE)
    falling = (progress - WARM_UP) / (1 - WARM_UP)
    return FINAL_RATE + (1 - FINAL_RATE) * (1 + float(np.cos(np.pi * falling))) / 2
