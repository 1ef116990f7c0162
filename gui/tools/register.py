"""The register of tools: each is one module with its own title, tip, keys and icon; other packages can add theirs."""

from __future__ import annotations

from autocontour.gui.tools.base import Tool

TOOLS: dict[str, type[Tool]] = {}
"""Every tool by its identity, in the order of the tool bar; read it, change it by `register_tool`."""


def register_tool(tool: type[Tool]) -> None:
    """Make a tool known: windows made from now on have it in their menu, tool bar and list of keys.

    Raises
    ------
    ValueError
        If its identity, title or keys are missing or taken by another tool.
    """
    keys = set(tool.keys.split())
    if not (tool.identity and tool.name and keys):
        raise ValueError(f"{tool.__name__} needs an identity, a name and keys")
    for other in TOOLS.values():
        if tool.identity == other.identity or keys & set(other.keys.split()):
            raise ValueError(f"{tool.__name__} and {other.__name__} have the same identity or keys")
    TOOLS[tool.identity] = tool


def forget_tool(identity: str) -> None:
    """Take a tool out of the register."""
    del TOOLS[identity]
