"""A worker of a cluster: it contours for queues of other computers, and connects again to a restarted scheduler."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from autocontour.base.errors import QueueError
from autocontour.queue.cluster import CONNECT_S, GPU, RESOURCE

SETTINGS = {
    "distributed.nanny.pre-spawn-environ": {},  # the same numbers of threads as on the computer of the queue
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,  # networks that are kept would pause it for ever
    "distributed.worker.memory.terminate": 0.95,
    "logging": {"distributed": "critical"},  # its messages contain the paths of files
}


@dataclass(frozen=True)
class WorkerOptions:
    """What a worker may use.

    Attributes
    ----------
    address
        Of the scheduler.
    memory_gb
        Memory at which its process is ended and started again; 0 for no limit.
    gpu
        Number of its GPU, as of CUDA_VISIBLE_DEVICES; empty for none.
    """

    address: str
    memory_gb: float = 0.0
    gpu: str = ""


def serve(options: WorkerOptions, on_event: Callable[[str, dict[str, Any]], None]) -> None:
    """Contour one series at a time until SIGINT or SIGTERM.

    Raises
    ------
    QueueError
        ``AC-QU-028`` if Dask is not installed.
    """
    try:
        import dask
        from distributed import Nanny  # noqa: F401
    except ImportError as error:
        raise QueueError("AC-QU-028") from error
    with dask.config.set(SETTINGS):
        asyncio.run(_serve(options, on_event))


async def _serve(options: WorkerOptions, on_event: Callable[[str, dict[str, Any]], None]) -> None:
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):  # Windows: Ctrl+C raises KeyboardInterrupt
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    with suppress(asyncio.CancelledError):
        while True:
            await _serve_once(options, on_event)
            await asyncio.sleep(CONNECT_S)


async def _serve_once(options: WorkerOptions, on_event: Callable[[str, dict[str, Any]], None]) -> None:
    """Work for the scheduler until the connection ends."""
    from distributed import Nanny

    resources = {RESOURCE: 1, **({GPU: 1} if options.gpu else {})}
    environment = {"CUDA_VISIBLE_DEVICES": options.gpu} if options.gpu else {}
    try:
        async with Nanny(
            options.address,
            nthreads=1,
            memory_limit=int(options.memory_gb * 1e9),
            resources=resources,
            env=environment,
            preload=["autocontour.queue.remote"],
            dashboard_address=None,
        ) as nanny:
            on_event("connected", {"scheduler": options.address})
            await nanny.finished()
    except (OSError, TimeoutError, RuntimeError) as error:
        on_event("not connected", {"scheduler": options.address, "reason": type(error).__name__})
        return
    on_event("disconnected", {"scheduler": options.address})
