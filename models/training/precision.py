"""The precision of a training: bf16, or float16 with a scaled loss on GPUs that lack bf16."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor

TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}
FIRST_SCALE = 65536.0
STEPS_TO_GROW = 2000


def choose_precision(name: str, device: torch.device) -> torch.dtype:
    """Return the type that a training computes in; ``auto``: bf16, or float16 on a GPU that computes no bf16."""
    if name != "auto":
        return TYPES[name]
    if device.type == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False):
        return torch.float16
    return torch.bfloat16


def mixed_precision(device: torch.device, precision: torch.dtype) -> AbstractContextManager[Any]:
    """Return a context in which networks compute in a type; float32 is plain."""
    if precision == torch.float32:
        return nullcontext()
    return torch.autocast(device.type, precision)


class LossScale:
    """Scale of the loss, so that small gradients do not vanish in float16 (Micikevicius et al. 2018, arXiv:1710.03740).

    It is halved after a step whose gradients overflowed and doubled after `STEPS_TO_GROW` steps without one; for other
    types it stays 1. Everything stays on the device: nothing waits for a GPU.
    """

    def __init__(self, precision: torch.dtype, device: torch.device) -> None:
        self.is_used = precision == torch.float16
        self.value = torch.tensor(FIRST_SCALE if self.is_used else 1.0, device=device)
        self.steps = torch.tensor(0.0, device=device)

    def update(self, finite: Tensor) -> None:
        """Adapt the scale after a step."""
        if not self.is_used:
            return
        self.steps = torch.where(finite, self.steps + 1, torch.zeros_like(self.steps))
        grows = self.steps >= STEPS_TO_GROW
        factor = torch.where(finite, torch.where(grows, 2.0, 1.0), torch.full_like(self.value, 0.5))
        self.value = self.value * factor
        self.steps = torch.where(grows, torch.zeros_like(self.steps), self.steps)

    def state_dict(self) -> dict[str, Tensor]:
        """Return its state for a checkpoint."""
        return {"value": self.value, "steps": self.steps}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Take over the state of a checkpoint; one without state was in another type."""
        if state and self.is_used:
            self.value, self.steps = state["value"], state["steps"]
