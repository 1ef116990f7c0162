"""Several processes that train one network: each computes a part of every batch, and all average their gradients.

Started by ``torchrun --nproc-per-node N -m autocontour.cli train …``; every process has the same weights, since all
start from the same and take the same steps.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor

from autocontour.base.errors import TrainingError

LONGEST_WAIT = timedelta(hours=6)  # the first process validates while the others wait


@dataclass(frozen=True)
class Processes:
    """The processes of a training, as one of them sees them.

    Attributes
    ----------
    rank
        Number of this process, counted from 0; the first one logs, validates and saves.
    count
        How many there are.
    """

    rank: int = 0
    count: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process logs, validates and saves."""
        return self.rank == 0

    def part_of(self, batch: int) -> range:
        """Return the patches of a batch that this process computes."""
        return range(self.rank, batch, self.count)

    def average(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """Return the mean of each tensor over all processes."""
        if self.count == 1:
            return list(tensors)
        flat = torch.cat([one.reshape(-1) for one in tensors])
        dist.all_reduce(flat)
        flat /= self.count
        parts = torch.split(flat, [one.numel() for one in tensors])
        return [part.view_as(one) for part, one in zip(parts, tensors, strict=True)]

    def of_first(self, value: float, device: torch.device) -> float:
        """Return the first process's value: clocks differ, and with them the learning rate would."""
        if self.count == 1:
            return value
        shared = torch.tensor([value], dtype=torch.float64, device=device)
        dist.broadcast(shared, 0)
        return float(shared.item())

    def wait(self) -> None:
        """Wait until every process has come here."""
        if self.count > 1:
            dist.barrier()


def join_processes() -> tuple[Processes, str]:
    """Return the processes that torchrun started, and the device of this one; a single process without torchrun.

    Raises
    ------
    TrainingError
        ``AC-TR-032`` if the machine has fewer GPUs than processes.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1 or "RANK" not in os.environ:
        return Processes(), ""
    local, gpus = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()
    if 0 < gpus <= local:
        raise TrainingError("AC-TR-032", count=local + 1, gpus=gpus)
    if gpus:
        torch.cuda.set_device(local)
    if not dist.is_initialized():
        dist.init_process_group("nccl" if gpus else "gloo", timeout=LONGEST_WAIT)
    return Processes(dist.get_rank(), dist.get_world_size()), f"cuda:{local}" if gpus else "cpu"
