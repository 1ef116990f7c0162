"""A client of a local nnInteractive server, by its own client package (``pip install autocontour[clicks]``).

Nothing is sent anywhere before `connect` is called. Then the voxels of the CT and their spacing go to the address, and
nothing about the patient. Only this computer's own addresses are allowed, unless the caller allows others.
"""

from __future__ import annotations

import importlib
import ipaddress
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import numpy as np
from numpy.typing import NDArray

from autocontour.base.errors import ModelError
from autocontour.base.limits import shown
from autocontour.models.prompted.session import Answer
from autocontour.patient.geometry import Box
from autocontour.patient.volume import CTVolume

CLIENT = "nnInteractive.inference.remote"
DEFAULT_ADDRESS = "http://127.0.0.1:1527"
MISSING = "!!MISSING!!"


def check_address(address: str, *, elsewhere: bool = False) -> str:
    """Return the address of a server.

    Parameters
    ----------
    address
        ``http://HOST:PORT``.
    elsewhere
        Whether it may be another computer.

    Raises
    ------
    ModelError
        ``AC-MD-093`` for what is not such an address, ``AC-MD-094`` for another computer's, ``AC-MD-095`` if a proxy
        would stand between: it would get the CT.
    """
    try:
        parts = urlsplit(address.strip())
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise ModelError("AC-MD-093", address=shown(address)) from error
    is_plain = not (parts.username or parts.password or parts.query or parts.fragment) and parts.path in ("", "/")
    if parts.scheme not in ("http", "https") or not host or not is_plain:
        raise ModelError("AC-MD-093", address=shown(address))
    if not elsewhere and not is_loopback(host):
        raise ModelError("AC-MD-094", host=shown(host))
    proxies = getproxies()
    if any(scheme in proxies for scheme in (parts.scheme, "all")) and not proxy_bypass(host):
        raise ModelError("AC-MD-095", host=shown(host))
    name = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{name}:{port}" if port else f"{parts.scheme}://{name}"


def is_loopback(host: str) -> bool:
    """Return whether a host is this computer itself; names other than ``localhost`` are not looked up."""
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


def connect(address: str, ct: CTVolume, *, elsewhere: bool = False) -> NNInteractive:
    """Claim a session of a server and give it a CT.

    Parameters
    ----------
    address, elsewhere
        As of `check_address`.
    ct
        The CT.

    Raises
    ------
    ModelError
        As `check_address`; ``AC-MD-092`` without the client package, ``AC-MD-096`` if the server does not answer or
        refuses, ``AC-MD-097`` if it has another image.
    """
    checked = check_address(address, elsewhere=elsewhere)
    try:
        client = importlib.import_module(CLIENT)
    except ImportError as error:
        raise ModelError("AC-MD-092") from error
    with _server_errors():
        session = client.nnInteractiveRemoteInferenceSession(checked)
    try:
        return NNInteractive(session, ct)
    except BaseException:
        session.close()
        raise


class NNInteractive:
    """A session of an nnInteractive server (see `autocontour.models.prompted.session.PromptSession`)."""

    def __init__(self, session: Any, ct: CTVolume) -> None:  # noqa: ANN401  (the client has no types)
        self.model = "nnInteractive"
        stated = str(getattr(session, "license", "") or "")
        self.license = "not stated" if stated in ("", MISSING) else stated[:200]
        self._session = session
        self._found = np.zeros(ct.hu.shape, np.uint8)
        spacing = [float(mm) for mm in ct.geometry.spacing_zyx_mm]
        with _server_errors():
            session.set_image(np.ascontiguousarray(ct.hu)[None], {"spacing": spacing})
            shape = tuple(session.original_image_shape or ())[-3:]
            if shape != ct.hu.shape:
                raise ModelError("AC-MD-097", reason=f"image of {shown(shape)} voxels")
            session.set_target_buffer(self._found)

    def add_point(self, voxel_zyx: tuple[int, int, int], *, positive: bool) -> Answer:
        """Say that a voxel belongs to the structure, or that it does not."""
        return self._ask("add_point_interaction", [int(n) for n in voxel_zyx], positive)

    def add_box(self, box: Box, *, positive: bool) -> Answer:
        """Say that the structure lies in a box of one slice, or that it does not."""
        edges = [[int(a), int(b)] for a, b in zip(box.start_zyx, box.stop_zyx, strict=True)]
        return self._ask("add_bbox_interaction", edges, positive)

    def add_scribble(self, box: Box, scribble: NDArray[np.bool_], *, positive: bool) -> Answer:
        """Say of the marked voxels of a box that they belong to the structure, or that they do not."""
        whole = np.zeros(self._found.shape, np.uint8)
        whole[box.slices] = scribble
        return self._ask("add_scribble_interaction", whole, positive)

    def reset(self) -> None:
        """Forget all prompts."""
        with _server_errors():
            self._session.reset_interactions()
        self._found[:] = 0

    def close(self) -> None:
        """Give the session back to the server."""
        with suppress(Exception):
            self._session.close()

    def _ask(self, prompt: str, where: Any, positive: bool) -> Answer:  # noqa: ANN401  (as the client has it)
        with _server_errors():
            getattr(self._session, prompt)(where, bool(positive))
        if self._found.max(initial=0) > 1:
            raise ModelError("AC-MD-097", reason="values other than 0 and 1")
        box = Box.around(self._found > 0)
        if box is None:
            return Answer(None, np.zeros((0, 0, 0), np.float32))
        return Answer(box, self._found[box.slices].astype(np.float32))


@contextmanager
def _server_errors() -> Iterator[None]:
    """Turn whatever the client raises into an error of the program: it has no base class of its own."""
    try:
        yield
    except ModelError:
        raise
    except (ValueError, IndexError, TypeError, KeyError) as error:  # its answer does not fit the CT or the protocol
        raise ModelError("AC-MD-097", reason=_reason(error)) from error
    except Exception as error:
        raise ModelError("AC-MD-096", reason=_reason(error)) from error


def _reason(error: Exception) -> str:
    first = (str(error).strip().splitlines() or [""])[0][:200]
    return shown(f"{type(error).__name__}: {first}" if first else type(error).__name__)
