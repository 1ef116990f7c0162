"""Opening the queue of the arguments, and printing lines."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autocontour.queue.store import Store


def open_queue(args: argparse.Namespace) -> Store:
    """Open the queue that the arguments name."""
    from autocontour.base.errors import QueueError
    from autocontour.base.files import shown_path
    from autocontour.queue.database import DATABASE
    from autocontour.queue.store import Store, queue_folder

    if args.queue and args.action not in ("add", "watch") and not (args.queue / DATABASE).is_file():
        raise QueueError("AC-QU-022", folder=shown_path(args.queue))  # not a new, empty queue for a mistyped name
    return Store(args.queue or queue_folder())


def print_line(values: dict[str, Any], text: str, *, as_json: bool) -> None:
    """Print one line, as text or JSON, at once."""
    line = json.dumps(values) if as_json else text
    sys.stdout.write(line.encode("utf-8", "backslashreplace").decode("utf-8") + "\n")
    sys.stdout.flush()
