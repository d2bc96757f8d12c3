"""Tests of the web server, without a browser."""

import socket
from http.client import HTTPConnection, RemoteDisconnected

import numpy as np
import pytest
import torch
from explorer_runs import explorer, train_small

from vae_lightning.cli.main import main
from vae_lightning.errors import UserError
from vae_lightning.explorer import server as module
from vae_lightning.explorer.explore import explore, load_runs
from vae_lightning.explorer.server import BINARY, start_server


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return load_runs([train_small(tmp_path_factory.mktemp("run"), "model=cvae")])


@pytest.fixture(scope="module")
def request_of(runs):
    """Return a function that sends a request and returns status, type and content."""
    with explorer(runs) as url:
        host = url.removeprefix("http://").rstrip("/")

        def send(method, path, body=None, **headers):
            connection = HTTPConnection(host, timeout=10)
            connection.request(method, path, body, {"Content-Type": BINARY, **headers})
            response = connection.getresponse()
            answer = response.status, response.headers["Content-Type"], response.read()
            connection.close()
            return answer

        yield send


def test_decode_equals_the_model(runs, request_of):
    z, y = torch.randn(4, 3), torch.eye(10)[[0, 3, 3, 9]]
    status, _, content = request_of("POST", "/runs/0/decode", torch.cat([z, y], dim=1).numpy().tobytes())
    assert status == 200
    with torch.no_grad():
        expected = runs[0].run.model.decode(z, y).mean
    assert np.array_equal(np.frombuffer(content, "<f4"), expected.flatten().numpy())


def test_encode_equals_the_model(runs, request_of):
    x, y = torch.rand(1, 1, 8, 8), torch.eye(10)[[2]]
    status, _, content = request_of("POST", "/runs/0/encode", torch.cat([x.flatten(1), y], dim=1).numpy().tobytes())
    assert status == 200
    with torch.no_grad():
        expected = runs[0].run.model.encode(x, y).mean
    assert np.array_equal(np.frombuffer(content, "<f4"), expected.flatten().numpy())


@pytest.mark.parametrize(
    ("path", "content_type"),
    [("/", "text/html"), ("/main.js", "text/javascript"), ("/runs.json?x=1", "application/json")],
)
def test_files_have_their_types(request_of, path, content_type):
    assert request_of("GET", path)[:2] == (200, content_type)


@pytest.mark.parametrize("path", ["/../server.py", "/nothing", "/etc/passwd", "/runs/1/points.bin"])
def test_other_paths_are_not_found(request_of, path):
    assert request_of("GET", path)[0] == 404


def test_requests_of_other_pages_are_rejected(request_of):
    assert request_of("GET", "/runs.json", Host="evil.example")[0] == 404
    assert request_of("POST", "/runs/0/decode", b"", Host="evil.example")[0] == 400
    assert request_of("POST", "/runs/0/decode", bytes(52), **{"Content-Type": "text/plain"})[0] == 400


@pytest.mark.parametrize("body", [b"", bytes(13 * 4 - 1), bytes(12 * 4), np.full(74, 2.0, "<f4").tobytes()])
def test_invalid_values_are_rejected(request_of, body):
    assert request_of("POST", "/runs/0/encode", body)[0] == 400


@pytest.mark.parametrize(
    ("body", "problem"), [(np.full(13, np.nan, "<f4"), b"finite"), (np.zeros((1001, 13), "<f4"), b"1000 rows")]
)
def test_latents_that_cannot_be_decoded_are_rejected(request_of, body, problem):
    status, _, content = request_of("POST", "/runs/0/decode", body.tobytes())
    assert status == 400
    assert problem in content


def test_rows_up_to_the_limit_are_decoded(request_of):
    assert request_of("POST", "/runs/0/decode", bytes(1000 * 13 * 4))[0] == 200


@pytest.mark.parametrize("length", ["9" * 5000, "-4", "4.0", "²", str(module.MAX_BODY + 1)])
def test_invalid_lengths_are_rejected(request_of, length, capfd):
    assert request_of("POST", "/runs/0/decode", b"", **{"Content-Length": length})[0] == 400
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(("error", "is_printed"), [(BrokenPipeError, False), (ZeroDivisionError, True)])
def test_closed_connections_print_nothing(runs, error, is_printed, monkeypatch, capfd):
    def fail(self):
        raise error

    monkeypatch.setattr(module.Handler, "do_GET", fail)
    with explorer(runs) as url:
        connection = HTTPConnection(url.removeprefix("http://").rstrip("/"), timeout=10)
        connection.request("GET", "/")
        with pytest.raises(RemoteDisconnected):
            connection.getresponse()
    assert ("Traceback" in capfd.readouterr().err) == is_printed


def test_port_in_use_is_named(runs):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=rf"--port={port}: in use. Choose another port"):
            start_server(runs, port)


@pytest.mark.parametrize("port", [-1, 65536, 99999])
def test_port_that_does_not_exist_is_rejected(port):
    with pytest.raises(
        UserError, match=rf"^--port={port}: must be an integer from 0 to 65535; 0 selects any free port"
    ):
        explore(["nowhere"], port=port)


def test_port_that_cannot_be_opened_has_a_reason(runs, monkeypatch):
    def fail(*args):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(module, "ExplorerServer", fail)
    with pytest.raises(UserError, match=r"^--port=80: cannot be opened \(.*Permission denied\)\. Choose another port"):
        start_server(runs, 80)


def test_next_port_is_tried(runs, monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        monkeypatch.setattr(module, "PORT", taken.getsockname()[1])
        with start_server(runs, None) as server:
            assert module.PORT < server.server_port < module.PORT + module.PORTS_TRIED
            assert server.server_address[0] == "127.0.0.1"


def test_command_opens_the_browser(runs, monkeypatch, capsys):
    opened = []

    def interrupt(self):
        raise KeyboardInterrupt

    monkeypatch.setattr(module.webbrowser, "open", opened.append)
    monkeypatch.setattr(module.ExplorerServer, "serve_forever", interrupt)
    run_dir = str(runs[0].run.run_dir)
    main(["explore", run_dir, "--port", "0"])
    main(["explore", run_dir, "--port", "0", "--no-browser"])
    assert len(opened) == 1
    assert capsys.readouterr().out.startswith(f"{opened[0]} (Ctrl-C to stop)")
