"""Check that a machine has enough memory for a network."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from math import prod
from pathlib import Path
from typing import Any

from autocontour.base.errors import ModelError
from autocontour.models.networks.plan import FLOAT_BYTES, Plan

STREAMS = {"localizer": 1, "segmenter": 2}
"""Windows computed at once on a CPU: the localizer has few; the segmenter computes one during the copy of another."""

COPIES = 3  # of the weights: as they were read, in the model, and in the processor's own layout
CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
GB = 1e9


def required_bytes(plan: Plan, role: str, networks: int = 1) -> int:
    """Return the memory that a CPU needs to run a stage's network in float32, or its networks side by side.

    For FC-DenseNets and U-Nets in OpenVINO it is between 0.6 (in bf16) and 1.3 times the memory actually used, as
    measured.
    """
    weights = FLOAT_BYTES * sum(prod(shape) for shape in plan.weight_shapes().values())
    return networks * (STREAMS[role] * (plan.peak_bytes() - weights) + COPIES * weights)


def check_memory(plan: Plan, role: str, networks: int = 1) -> None:
    """Check that the machine has the memory to run a stage's network or networks on its processor.

    Raises
    ------
    ModelError
        ``AC-MD-021`` if it has not.
    """
    needed, present = required_bytes(plan, role, networks), machine_bytes()
    if needed > present:
        raise ModelError("AC-MD-021", role=role, needed=needed / GB, present=present / GB)


def machine_bytes() -> int:
    """Return the memory of the machine, or of the container that the program runs in."""
    limits = [_physical_bytes()]
    for path in CGROUP_LIMITS:
        with suppress(OSError, ValueError):  # a container without a limit has "max"
            limits.append(int(Path(path).read_text(encoding="ascii")))
    return min(limits)


def _physical_bytes() -> int:
    if sys.platform == "win32":
        return _windows_bytes()
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _windows_bytes() -> int:  # pragma: no cover
    import ctypes

    class _Status(ctypes.Structure):
        """MEMORYSTATUSEX of Windows."""

        _fields_ = (
            ("length", ctypes.c_ulong),
            ("load", ctypes.c_ulong),
            ("total", ctypes.c_ulonglong),
            ("others", ctypes.c_ulonglong * 6),
        )

    status = _Status(length=ctypes.sizeof(_Status))
    kernel: Any = getattr(ctypes, "windll").kernel32  # noqa: B009  (only there on Windows)
    kernel.GlobalMemoryStatusEx(ctypes.byref(status))
    return int(status.total)
