"""Training of both stages from one configuration."""

from __future__ import annotations

from importlib.util import find_spec

from autocontour.base.errors import ModelError


def check_installation() -> None:
    """Check that the libraries of the extra ``train`` are installed.

    Raises
    ------
    ModelError
        ``AC-MD-016`` if they are not.
    """
    if find_spec("torch") is None or find_spec("monai") is None:
        raise ModelError("AC-MD-016")
