"""A page about the queue in a browser on this computer, also as JSON and for Prometheus; no patient identity."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median
from typing import Any

from autocontour.base.errors import AutoContourError, QueueError
from autocontour.queue.record import Record, State
from autocontour.queue.store import Store

ADDRESS = "127.0.0.1"
RECENT = 50
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="10"><title>autocontour queue</title>
<style>body{font:15px sans-serif;margin:2em}td,th{padding:.2em 1em .2em 0;text-align:left}</style></head>
<body><h1>Queue</h1>
<table><tr>{% for state in status.counts %}<th>{{ state }}</th>{% endfor %}</tr>
<tr>{% for count in status.counts.values() %}<td>{{ count }}</td>{% endfor %}</tr></table>
<p>Median time of the last {{ status.measured }} results: {{ status.median_seconds or "–" }} s.</p>
<h2>Last errors</h2><table>{% for code, count in status.errors.items() %}
<tr><td>{{ code }}</td><td>{{ count }}</td></tr>{% else %}<tr><td>none</td></tr>{% endfor %}</table>
<h2>Last findings</h2><table>{% for code, count in status.findings.items() %}
<tr><td>{{ code }}</td><td>{{ count }}</td></tr>{% else %}<tr><td>none</td></tr>{% endfor %}</table>
<h2>Last series</h2><table><tr><th>number</th><th>state</th><th>code</th><th>seconds</th><th>finished (UTC)</th></tr>
{% for one in status.last %}<tr><td>{{ one.number }}</td><td>{{ one.state }}</td><td>{{ one.code }}</td>
<td>{{ one.seconds or "" }}</td><td>{{ one.finished }}</td></tr>{% endfor %}</table></body></html>
"""


def read_status(store: Store) -> dict[str, Any]:
    """Return the counts of the states, and codes and times of the series that ended last."""
    recent = store.recent(RECENT)
    seconds = [sum(one.report["seconds"].values()) for one in recent if one.report.get("seconds")]
    errors = Counter(one.error["code"] for one in recent if one.error)
    findings = Counter(code for one in recent if one.state is State.DONE for code in _warnings(one))
    return {
        "counts": store.counts(),
        "measured": len(seconds),
        "median_seconds": round(median(seconds), 1) if seconds else None,
        "errors": dict(errors.most_common()),
        "findings": dict(findings.most_common()),
        "last": [_brief(one) for one in recent[:20]],
    }


def metrics(status: dict[str, Any]) -> str:
    """Return a status in the text format of Prometheus."""
    lines = ["# HELP autocontour_queue_series Series in each state.", "# TYPE autocontour_queue_series gauge"]
    lines += [f'autocontour_queue_series{{state="{state}"}} {count}' for state, count in status["counts"].items()]
    if status["median_seconds"] is not None:
        lines += [
            "# HELP autocontour_queue_median_seconds Median time of the last results.",
            "# TYPE autocontour_queue_median_seconds gauge",
            f"autocontour_queue_median_seconds {status['median_seconds']}",
        ]
    return "\n".join(lines) + "\n"


class StatusServer:
    """Serves the page on the loopback address until `close`.

    Raises
    ------
    QueueError
        ``AC-QU-021`` if the port cannot be used.
    """

    def __init__(self, folder: Path, port: int) -> None:
        handler = type("_QueueHandler", (_Handler,), {"folder": folder})
        try:
            self._server = ThreadingHTTPServer((ADDRESS, port), handler)
        except (OSError, OverflowError) as error:
            raise QueueError("AC-QU-021", port=port, reason=getattr(error, "strerror", "") or str(error)) from error
        self.port = int(self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    folder: Path

    def do_GET(self) -> None:
        """Answer a request that is addressed to this computer: other web pages could use another name for it."""
        host = self.headers.get("Host", "").rpartition(":")[0] or self.headers.get("Host", "")
        if host not in ("127.0.0.1", "localhost"):
            self.send_error(403)
            return
        if self.path not in _ANSWERS:
            self.send_error(404)
            return
        kind, answer = _ANSWERS[self.path]
        try:
            with Store(self.folder) as store:
                body = answer(read_status(store)).encode()
        except AutoContourError as error:
            self.send_error(503, error.code)
            return
        self.send_response(200)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


def _html(status: dict[str, Any]) -> str:
    from jinja2 import Environment

    return Environment(autoescape=True).from_string(_PAGE).render(status=status)


def _warnings(record: Record) -> set[str]:
    """Return the codes of the warnings of a result."""
    structures = record.report.get("structures", ())
    found = [*record.report.get("findings", ()), *(one for each in structures for one in each["findings"])]
    return {one["code"] for one in found if one["severity"] != "INFO"}


def _brief(record: Record) -> dict[str, Any]:
    names = ("number", "state", "seconds", "finished")
    plain = record.to_json()
    return {**{name: plain[name] for name in names}, "code": record.error.get("code", "")}


_ANSWERS: dict[str, tuple[str, Callable[[dict[str, Any]], str]]] = {
    "/": ("text/html", _html),
    "/status.json": ("application/json", json.dumps),
    "/metrics": ("text/plain", metrics),
}
