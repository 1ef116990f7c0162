"""Reading of PyTorch checkpoints, which may run code when they are opened, in a process of its own.

The process reads tensors and plain values only (PyTorch's ``weights_only``, with NumPy's scalars added), and writes
them as safetensors and JSON; this one never opens the checkpoint.
"""

from __future__ import annotations

import json
import math
import multiprocessing
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from autocontour.base.errors import ModelError
from autocontour.base.limits import shown
from autocontour.models.package.weights import parse_weights

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Weights = dict[str, NDArray[np.floating[Any]]]

MOST_BYTES = 4 << 30
MOST_PICKLE_BYTES = 32 << 20
MOST_ENTRIES = 20_000
MOST_DEPTH = 12
MOST_ITEMS = 100_000
TIME_LIMIT_S = 600.0
PREFIXES = ("module.", "_orig_mod.")
STATES = ("network_weights", "state_dict", "model_state_dict", "model", "net", "network")
STARTED = b"started"
WEIGHTS_FILE = "weights.safetensors"


@dataclass(frozen=True)
class Checkpoint:
    """Content of a checkpoint.

    Attributes
    ----------
    weights
        Name → array, float32.
    facts
        The other values that JSON can express.
    """

    weights: Weights
    facts: Mapping[str, Any]


def read_checkpoint(path: Path, wanted: Callable[[str], bool] = lambda _: True) -> Checkpoint:
    """Read the weights and plain values of a PyTorch checkpoint in a process of its own.

    Parameters
    ----------
    path
        A file of `torch.save`.
    wanted
        Whether a weight of that name is kept.

    Raises
    ------
    ModelError
        ``AC-MD-042`` if it contains objects other than tensors and plain values, ``AC-MD-043`` if it is damaged, of
        PyTorch's former format or too large, ``AC-MD-049`` if the process failed, ``AC-MD-055`` if it did not start,
        ``AC-MD-016`` without torch; or the errors of `autocontour.models.package.weights.parse_weights`.
    """
    check_archive(path)
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory(prefix="autocontour-import-") as folder:
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(target=_read, args=(sender, str(path), folder), daemon=True)
        process.start()
        sender.close()
        # Bytes of JSON, not an object: an object would be unpickled here.
        started = answer = b""
        try:
            started = receiver.recv_bytes() if receiver.poll(TIME_LIMIT_S) else b""
            answer = receiver.recv_bytes() if receiver.poll(TIME_LIMIT_S) else b""
        except (EOFError, OSError):
            answer = b""
        finally:
            receiver.close()
            process.join(5.0 if answer else 0.1)
            if process.is_alive():
                process.kill()
        if not answer:
            raise ModelError("AC-MD-049" if started else "AC-MD-055", file=shown(path.name))
        content = json.loads(answer)
        if "code" in content:
            values = {str(key): str(value) for key, value in content["values"].items()}
            raise ModelError(str(content["code"]), (), "", **values)
        weights = parse_weights(path.name, (Path(folder) / WEIGHTS_FILE).read_bytes())
    return Checkpoint({key: value for key, value in weights.items() if wanted(key)}, content["facts"])


def check_archive(path: Path) -> None:
    """Check the archive of a checkpoint without opening anything in it.

    Raises
    ------
    ModelError
        ``AC-MD-043``.
    """

    def refuse(reason: str) -> ModelError:
        return ModelError("AC-MD-043", file=shown(path.name), reason=reason)

    try:
        if path.is_symlink() or not path.is_file():
            raise refuse("not a regular file")
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError, OSError) as error:
        raise refuse("not a file of PyTorch 1.6 or later") from error
    if len(entries) > MOST_ENTRIES or sum(entry.file_size for entry in entries) > MOST_BYTES:
        raise refuse(f"larger than {MOST_BYTES >> 30} GiB, or more than {MOST_ENTRIES} entries")
    for entry in entries:
        name = PurePosixPath(entry.filename)
        if entry.compress_type != zipfile.ZIP_STORED or entry.compress_size != entry.file_size:
            raise refuse("a compressed entry")
        if name.is_absolute() or ".." in name.parts or name.suffix == ".py" or "code" in name.parts[1:2]:
            raise refuse("an unexpected entry")
        if name.name == "data.pkl" and entry.file_size > MOST_PICKLE_BYTES:
            raise refuse(f"an index larger than {MOST_PICKLE_BYTES >> 20} MiB")
    if sum(PurePosixPath(entry.filename).name == "data.pkl" for entry in entries) != 1:
        raise refuse("not exactly one index")


def _read(sender: Connection, path: str, folder: str) -> None:
    """Read a checkpoint and send what was read; runs in the process of its own."""
    sender.send_bytes(STARTED)
    try:
        answer: dict[str, Any] = {"facts": _convert(Path(path), Path(folder))}
    except ModelError as error:
        answer = {"code": error.code, "values": error.values}
    except Exception as error:  # noqa: BLE001  (whatever a hostile file causes is a damaged file)
        values = {"file": shown(Path(path).name), "reason": shown(str(error) or type(error).__name__)}
        answer = {"code": "AC-MD-043", "values": values}
    sender.send_bytes(json.dumps(answer, allow_nan=False).encode())


def _convert(path: Path, folder: Path) -> dict[str, Any]:
    try:
        import torch
    except ImportError as error:
        raise ModelError("AC-MD-016") from error
    from safetensors.torch import save_file

    with torch.serialization.safe_globals(_numpy_types()):
        if unknown := torch.serialization.get_unsafe_globals_in_checkpoint(path):
            listed = ", ".join(sorted(map(ascii, unknown))[:5])
            raise ModelError("AC-MD-042", file=shown(path.name), names=listed)
        content = torch.load(path, map_location="cpu", weights_only=True)
    state = _state(content)
    if state is None:
        raise ModelError("AC-MD-043", file=shown(path.name), reason="no weights in it")
    weights: dict[str, torch.Tensor] = {}
    for key, value in state.items():
        if not isinstance(key, str) or not isinstance(value, torch.Tensor) or value.is_sparse or value.is_quantized:
            raise ModelError("AC-MD-043", file=shown(path.name), reason="a weight that is not an array")
        if not value.is_floating_point():  # counters of batch norms
            if value.numel() > 1:
                raise ModelError("AC-MD-043", file=shown(path.name), reason="weights that are not floating point")
            continue
        if value.numel() > value.untyped_storage().nbytes():
            raise ModelError("AC-MD-043", file=shown(path.name), reason="an array larger than its data")
        name = _plain_name(key)
        array = value.detach().float().contiguous().clone()
        if name in weights and not torch.equal(weights[name], array):
            raise ModelError("AC-MD-043", file=shown(path.name), reason="two different weights of one name")
        weights[name] = array
    _drop_aliases(weights, path.name)
    save_file(weights, folder / WEIGHTS_FILE)
    facts = content if isinstance(content, dict) and content is not state else {}
    return {str(key): plain for key, value in facts.items() if (plain := _plain(value)) is not None}


def _numpy_types() -> list[Any]:
    """Return the types of NumPy's scalars, also by the names that they had before NumPy 2."""
    import numpy as np
    from numpy._core.multiarray import scalar

    kinds = [type(np.dtype(kind)) for kind in ("f4", "f8", "i4", "i8", "?")]
    return [scalar, (scalar, "numpy.core.multiarray.scalar"), np.dtype, *kinds]


def _state(content: Any) -> Mapping[str, Any] | None:  # noqa: ANN401  (external data)
    """Return the table of weights: the content itself, or what one of the usual keys holds."""
    import torch

    if not isinstance(content, dict):
        return None
    if content and all(isinstance(value, torch.Tensor) for value in content.values()):
        return content
    return next((content[key] for key in STATES if isinstance(content.get(key), dict)), None)


def _plain_name(key: str) -> str:
    for prefix in PREFIXES:
        while key.startswith(prefix):
            key = key.removeprefix(prefix)
    return key


def _drop_aliases(weights: dict[str, Any], file: str) -> None:
    """Remove the second names that nnU-Net's modules give to the same weights.

    Raises
    ------
    ModelError
        ``AC-MD-043`` if a second name holds other values: which of them PyTorch would use depends on their order.
    """
    import torch

    for name in list(weights):
        other = name.removeprefix("decoder.") if name.startswith("decoder.encoder.") else name
        head, found, tail = other.partition(".all_modules.")
        if found:
            number, _, what = tail.partition(".")
            other = f"{head}.{'conv' if number == '0' else 'norm'}.{what}"
        if other == name:
            continue
        if other in weights and not torch.equal(weights[other], weights[name]):
            raise ModelError("AC-MD-043", file=shown(file), reason="two different weights of one name")
        if other in weights:
            del weights[name]


def _plain(value: Any, depth: int = 0) -> Any:  # noqa: ANN401  (external data)
    """Return a value as JSON; None where it cannot be expressed."""
    if hasattr(value, "item") and getattr(value, "shape", None) == ():
        value = value.item()
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if depth < MOST_DEPTH and isinstance(value, Mapping) and len(value) < MOST_ITEMS:
        return {str(key): _plain(one, depth + 1) for key, one in value.items()}
    if depth < MOST_DEPTH and isinstance(value, list | tuple | set | frozenset) and len(value) < MOST_ITEMS:
        return [_plain(one, depth + 1) for one in value]
    return None
