"""The service descriptions start commands that exist."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

import autocontour
from autocontour.cli import build_parser

FOLDER = Path(autocontour.__file__).parents[1] / "installer" / "service"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="not in a wheel")


def test_the_systemd_unit_starts_the_watched_folder() -> None:
    lines = (FOLDER / "autocontour-queue.service").read_text(encoding="utf-8").splitlines()
    (command,) = [line.partition("=")[2].split() for line in lines if line.startswith("ExecStart=")]
    args = build_parser().parse_args(command[1:])
    assert (args.command, args.action, args.status_port) == ("queue", "watch", 8765)


def test_the_windows_task_starts_the_watched_folder_at_boot_and_again() -> None:
    task = ElementTree.parse(FOLDER / "autocontour-queue.xml").getroot()
    space = {"t": "http://schemas.microsoft.com/windows/2004/02/mit/task"}
    arguments = task.findtext(".//t:Arguments", namespaces=space)
    assert arguments
    args = build_parser().parse_args(arguments.split())
    assert (args.command, args.action) == ("queue", "watch")
    assert task.findtext(".//t:BootTrigger/t:Repetition/t:Interval", namespaces=space) == "PT5M"
    assert task.findtext(".//t:MultipleInstancesPolicy", namespaces=space) == "IgnoreNew"
    assert task.findtext(".//t:ExecutionTimeLimit", namespaces=space) == "PT0S"
