"""Errors of a GPU that is busy, too small or failing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from autocontour.base.errors import ModelError

TOO_LITTLE_MEMORY, NOT_USABLE = "AC-MD-034", "AC-MD-038"
OF_A_GPU = ("CUDA", "cuDNN", "CUBLAS", "CUDNN", "HIP")
OF_MEMORY = ("out of memory", "ALLOC_FAILED")


@contextmanager
def gpu_errors() -> Iterator[None]:
    """Turn errors of the GPU within the block into `ModelError`.

    PyTorch raises its own error only where its allocator asks for memory; what the driver or a library refuses, as at
    the first use of a GPU that another program has filled or reserved, is a RuntimeError with a text.

    Raises
    ------
    ModelError
        ``AC-MD-034`` if its memory is too small or in use, ``AC-MD-038`` for all other errors of the GPU.
    """
    import torch

    try:
        yield
    except torch.OutOfMemoryError as error:
        raise ModelError(TOO_LITTLE_MEMORY) from error
    except RuntimeError as error:
        text = str(error)
        if not any(word in text for word in OF_A_GPU):
            raise
        if any(word in text for word in OF_MEMORY):
            raise ModelError(TOO_LITTLE_MEMORY) from error
        raise ModelError(NOT_USABLE, reason=text.strip().splitlines()[0][:100]) from error
