"""The status page: on this computer only, without patient identity."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.error import HTTPError

import pytest

from autocontour.base.errors import QueueError
from autocontour.queue.intake import Entry
from autocontour.queue.status import StatusServer
from autocontour.queue.store import Store
from tests.queue.conftest import Runner

Add = Callable[..., list[Entry]]


@pytest.fixture
def server(store: Store) -> Iterator[StatusServer]:
    opened = StatusServer(store.folder, 0)
    yield opened
    opened.close()


def get(server: StatusServer, path: str, host: str = "localhost") -> str:
    request = urllib.request.Request(f"http://127.0.0.1:{server.port}{path}", headers={"Host": host})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return str(answer.read().decode())


def test_the_page_counts_series_and_codes(
    phantoms: list[Path], ct: Path, add: Add, run: Runner, server: StatusServer
) -> None:
    for path in sorted(ct.iterdir())[8:10]:
        path.unlink()
    add(ct)
    add(phantoms[1])
    run()
    status = json.loads(get(server, "/status.json"))
    assert status["counts"]["done"] == status["counts"]["refused"] == 1
    assert status["errors"] == {"AC-CT-032": 1}
    assert status["measured"] == 1
    assert 'autocontour_queue_series{state="done"} 1' in get(server, "/metrics")
    page = get(server, "/")
    assert "AC-CT-032" in page
    assert "NEVERSHOWN" not in page
    assert str(ct.parent) not in page


def test_an_empty_queue_has_a_page(server: StatusServer) -> None:
    assert "none" in get(server, "/")


def test_requests_under_another_name_and_other_paths_are_refused(server: StatusServer, store: Store) -> None:
    for path, host in (("/", "evil.example"), ("/", "evil.example:80"), ("/queue.sqlite", "localhost")):
        with pytest.raises(HTTPError, match=r"40[34]"):
            get(server, path, host)
    with pytest.raises(QueueError, match="AC-QU-021"):
        StatusServer(store.folder, server.port)
