"""The client of an nnInteractive server, with a stand-in for its package; with the package where it is installed."""

from __future__ import annotations

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import ModuleType

import numpy as np
import pytest

from autocontour.base.errors import ModelError
from autocontour.models.prompted import Answer, contours_of
from autocontour.models.prompted.nninteractive import CLIENT, check_address, connect
from autocontour.patient.geometry import Box, VolumeGeometry
from autocontour.patient.volume import CTVolume

MM = 2.0


def paint():
    """A body with a bright cube of 6 × 8 × 10 voxels."""
    hu = np.full((12, 30, 40), 20, np.int16)
    hu[3:9, 10:18, 12:22] = 300
    return CTVolume(hu, VolumeGeometry.regular(hu.shape, (3.0, MM, MM)))


class Session:
    """Behaves as the client's session: finds the voxels as bright as the clicked one, without those of other clicks."""

    license = "CC BY-NC-SA 4.0"
    made = None

    def __init__(self, address):
        Session.made = self
        self.address, self.closed, self.log = address, False, []
        self.original_image_shape = None

    def set_image(self, image, properties):
        self.image, self.properties = image[0], properties
        self.original_image_shape = image.shape

    def set_target_buffer(self, buffer):
        self.buffer = buffer

    def add_point_interaction(self, at, positive):
        self.log.append((at, positive))
        same = self.image == self.image[tuple(at)]
        self.buffer[same] = positive

    def add_bbox_interaction(self, edges, positive):
        self.log.append((edges, positive))
        self.buffer[tuple(slice(a, b) for a, b in edges)] = positive

    def add_scribble_interaction(self, image, positive):
        self.buffer[image > 0] = positive

    def reset_interactions(self):
        self.log.append("reset")

    def close(self):
        self.closed = True


@pytest.fixture
def client(monkeypatch):
    """Put a stand-in in the place of the client's package."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    module = ModuleType(CLIENT)
    module.nnInteractiveRemoteInferenceSession = Session
    monkeypatch.setitem(sys.modules, CLIENT, module)
    return module


def test_clicks_become_contours(client):
    ct = paint()
    session = connect("http://localhost:1527/", ct)
    assert Session.made.address == "http://localhost:1527"
    assert Session.made.properties == {"spacing": [3.0, MM, MM]}
    assert (session.model, session.license) == ("nnInteractive", "CC BY-NC-SA 4.0")
    answer = session.add_point((5, 14, 15), positive=True)
    assert answer.box == Box((3, 10, 12), (9, 18, 22))
    contours = contours_of(answer, ct.geometry)
    assert sorted(contours) == list(range(3, 9))
    assert contours[5].area == pytest.approx(8 * 10 * MM * MM, rel=0.05)
    u0, v0 = ct.geometry.plane_origins_uv_mm[5]
    low_u, low_v, high_u, high_v = contours[5].bounds
    assert [low_u - u0, low_v - v0, high_u - u0, high_v - v0] == pytest.approx([23, 19, 43, 35], abs=0.3)
    session.add_box(Box((5, 0, 0), (6, 4, 4)), positive=True)
    assert Session.made.log[-1] == ([[5, 6], [0, 4], [0, 4]], True)
    answer = session.add_scribble(Box((5, 0, 0), (6, 4, 4)), np.ones((1, 4, 4), bool), positive=False)
    assert answer.box == Box((3, 10, 12), (9, 18, 22))
    session.reset()
    assert Session.made.log[-1] == "reset"
    session.close()
    assert Session.made.closed


def test_nothing_found_gives_no_contours(client):
    ct = paint()
    session = connect("http://127.0.0.1:1", ct)
    assert session.add_point((0, 0, 0), positive=False).box is None
    assert contours_of(Answer(None, np.zeros((0, 0, 0), np.float32)), ct.geometry) == {}


def test_structure_at_the_edge_of_the_scan(client):
    """The outline lies on the edge of the image; nothing is lost on the first and last slice."""
    ct = paint()
    whole = Answer(Box((0, 0, 0), ct.hu.shape), np.ones(ct.hu.shape, np.float32))
    contours = contours_of(whole, ct.geometry)
    assert sorted(contours) == list(range(12))
    assert contours[0].area == pytest.approx(30 * 40 * MM * MM, rel=0.1)


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("http://10.0.0.5:1527", "AC-MD-094"),
        ("https://example.org", "AC-MD-094"),
        ("http://localhost.example.org", "AC-MD-094"),
        ("http://127.0.0.1@example.org", "AC-MD-093"),
        ("ftp://127.0.0.1", "AC-MD-093"),
        ("http://127.0.0.1/path", "AC-MD-093"),
        ("http://127.0.0.1:99999", "AC-MD-093"),
        ("http://[::1", "AC-MD-093"),
        ("", "AC-MD-093"),
    ],
)
def test_addresses_that_are_refused(client, address, code):
    with pytest.raises(ModelError, match=code):
        check_address(address)


def test_addresses_that_are_used(client, monkeypatch):
    assert check_address(" http://[::1]:8000/ ") == "http://[::1]:8000"
    assert check_address("https://localhost") == "https://localhost"
    assert check_address("http://10.0.0.5:1527", elsewhere=True) == "http://10.0.0.5:1527"
    monkeypatch.setenv("http_proxy", "http://proxy.example.org:3128")
    monkeypatch.setenv("no_proxy", "")
    with pytest.raises(ModelError, match="AC-MD-095"):  # the CT would go to the proxy
        check_address("http://127.0.0.1:1527")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert check_address("http://127.0.0.1:1527") == "http://127.0.0.1:1527"


def test_without_the_client(monkeypatch):
    monkeypatch.setitem(sys.modules, CLIENT, None)
    with pytest.raises(ModelError, match="AC-MD-092"):
        connect("http://127.0.0.1:1527", paint())


def test_server_of_another_image_is_refused(client, monkeypatch):
    def other(self, image, properties):
        self.original_image_shape = (1, 9, 9, 9)

    monkeypatch.setattr(Session, "set_image", other)
    with pytest.raises(ModelError, match="AC-MD-097"):
        connect("http://127.0.0.1:1527", paint())
    assert Session.made.closed


@pytest.mark.parametrize(
    ("error", "code"),
    [(ValueError("bad magic"), "AC-MD-097"), (RuntimeError("lease expired"), "AC-MD-096"), (OSError(), "AC-MD-096")],
)
def test_errors_of_the_client_have_codes(client, monkeypatch, error, code):
    session = connect("http://127.0.0.1:1527", paint())

    def fail(self, at, positive):
        raise error

    monkeypatch.setattr(Session, "add_point_interaction", fail)
    with pytest.raises(ModelError, match=code):
        session.add_point((5, 14, 15), positive=True)


def test_values_that_are_no_mask_are_refused(client, monkeypatch):
    session = connect("http://127.0.0.1:1527", paint())
    monkeypatch.setattr(Session, "add_point_interaction", lambda self, at, positive: self.buffer.fill(7))
    with pytest.raises(ModelError, match="AC-MD-097"):
        session.add_point((5, 14, 15), positive=True)


class Server(BaseHTTPRequestHandler):
    """A small server of nnInteractive's protocol: a click finds the voxels as bright as the clicked one."""

    def do_GET(self):
        channels = {"channel_mapping": {}, "num_interaction_channels": 1, "preferred_scribble_thickness": [1, 1, 1]}
        answers = {"supported_interactions": {"points": True}, "supports_initial_label": False, **channels}
        answers |= {"supports_zero_shot_label_refinement": False, "interaction_decay": 0.9}
        self.reply(json.dumps(answers | {"inference_session_version": 2, "license": "!!MISSING!!"}).encode())

    def do_POST(self):
        import blosc2
        from nnInteractive.inference.remote.serialization import pack_array, unpack_array

        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        state = self.server.state
        if self.path == "/claim":
            self.reply(json.dumps({"lease_token": "one", "liveness_timeout_seconds": 0}).encode())
        elif self.path == "/set_image":
            state["image"] = unpack_array(body)[0]
            self.reply(json.dumps({"original_image_shape": [1, *state["image"].shape]}).encode())
        elif self.path == "/add_point_interaction":
            asked = json.loads(body)
            found = state["image"] == state["image"][tuple(asked["coordinates"])]
            edges = [[int(index.min()), int(index.max()) + 1] for index in np.nonzero(found)]
            part = found[tuple(slice(a, b) for a, b in edges)].astype(np.uint8) * asked["include_interaction"]
            meta = json.dumps({"ran_prediction": True, "bbox": edges})
            self.reply(pack_array(part.astype(np.uint8), filters=[blosc2.Filter.NOFILTER]), {"X-Meta": meta})
        else:
            self.reply(b"{}")

    def reply(self, body, headers=None):
        self.send_response(200)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    made = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    made.state = {}
    thread = threading.Thread(target=made.serve_forever, daemon=True)
    thread.start()
    yield made
    made.shutdown()
    made.server_close()


def test_the_real_client_asks_a_server(server, monkeypatch):
    pytest.importorskip(CLIENT)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    ct = paint()
    session = connect(f"http://127.0.0.1:{server.server_address[1]}", ct)
    assert np.array_equal(server.state["image"], ct.hu)
    assert session.license == "not stated"
    answer = session.add_point((5, 14, 15), positive=True)
    assert answer.box == Box((3, 10, 12), (9, 18, 22))
    assert answer.probability.all()
    assert session.add_point((5, 14, 15), positive=False).box is None
    session.close()
