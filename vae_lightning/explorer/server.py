"""A web server for the page, which runs the models with PyTorch."""

import errno
import mimetypes
import sys
import webbrowser
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vae_lightning.errors import UserError, one_line
from vae_lightning.explorer.contents import ExploredRun, Files, site_files, to_bytes
from vae_lightning.exporting.graphs import DecoderGraph, EncoderGraph, Graph

HOST = "127.0.0.1"
PORT = 8765
PORTS_TRIED = 20  # further ports, if it is in use
MAX_PORT = 65535
MAX_BODY = 64 * 1024**2  # bytes
MAX_ROWS = 1000  # per request; the page sends at most 225, for the images behind the map
BINARY = "application/octet-stream"


class ExplorerServer(ThreadingHTTPServer):
    """Serves the files of the page, and `runs/I/encode` and `runs/I/decode`, which take and return 32-bit floats.

    Only this machine can connect, and only pages of this server can read the answers.

    Args:
        runs: those to show.
        port: the port; 0 for any that is free.
    """

    daemon_threads = True

    def __init__(self, runs: list[ExploredRun], port: int) -> None:
        super().__init__((HOST, port), Handler)
        self.site: Files = site_files(runs, "server")
        self.functions: dict[str, Graph] = {}
        for index, run in enumerate(runs):
            self.functions[f"runs/{index}/encode"] = EncoderGraph(run.run.model)
            self.functions[f"runs/{index}/decode"] = DecoderGraph(run.run.model)

    @property
    def url(self) -> str:
        """Address of the page."""
        return f"http://{HOST}:{self.server_port}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print an error of a request, unless the browser closed the connection, as it does with a tab."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """Answers one connection."""

    server: ExplorerServer
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # headers and body in one packet; a second one would wait 40 ms for an acknowledgement
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """Send a file."""
        path = self.path.partition("?")[0].lstrip("/") or "index.html"
        content = self.server.site.get(path)
        if content is None or not self.is_own_host:
            self.answer(HTTPStatus.NOT_FOUND, b"not found", "text/plain")
        else:
            self.answer(HTTPStatus.OK, content, mimetypes.guess_type(path)[0] or BINARY)

    def do_POST(self) -> None:
        """Run an encoder or decoder."""
        graph = self.server.functions.get(self.path.lstrip("/"))
        length = parse_length(self.headers.get("Content-Length", ""))
        is_valid = self.headers.get("Content-Type") == BINARY and 0 < length <= MAX_BODY
        if graph is None or not self.is_own_host or not is_valid:
            self.close_connection = True  # the body was not read
            self.answer(HTTPStatus.BAD_REQUEST, b"not a request of the page", "text/plain")
            return
        try:
            content = to_bytes(run_graph(graph, self.rfile.read(length)))
        except ValueError as error:  # invalid values, or a UserError of the model
            self.answer(HTTPStatus.BAD_REQUEST, str(error).encode(), "text/plain")
        else:
            self.answer(HTTPStatus.OK, content, BINARY)

    @property
    def is_own_host(self) -> bool:
        """Whether the request names this server, which one from a page that was given our address does not."""
        return self.headers.get("Host") in (f"{HOST}:{self.server.server_port}", f"localhost:{self.server.server_port}")

    def answer(self, status: HTTPStatus, content: bytes, content_type: str) -> None:
        """Send a complete response."""
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""


def parse_length(text: str) -> int:
    """Return the number of bytes that a header states, or 0 if it is not a number of at most nine digits."""
    return int(text) if len(text) < 10 and text.isdecimal() else 0


@torch.no_grad()
def run_graph(graph: Graph, content: bytes) -> Tensor:
    """Run a graph on rows of 32-bit floats, each an input followed by the condition; return its first output.

    Raises:
        ValueError: if the number of values is wrong, one is not finite, there are more than `MAX_ROWS` rows, or the
            model rejects them.
    """
    (example, *condition) = graph.example(1)
    size = example.numel()
    values = np.frombuffer(content, dtype="<f4").astype(np.float32)
    rows = torch.from_numpy(values.reshape(-1, size + sum(part.numel() for part in condition))).to(example.dtype)
    if len(rows) > MAX_ROWS:
        raise ValueError(f"more than {MAX_ROWS} rows")
    if not rows.isfinite().all():
        raise ValueError("a value is not finite")
    inputs = [rows[:, :size].reshape(-1, *example.shape[1:]), *([rows[:, size:]] if condition else [])]
    output: Tensor = graph(*inputs)[0]
    return output


def check_port(port: int | None) -> None:
    """Check the number of a port.

    Raises:
        UserError: if there is no such port.
    """
    if port is not None and not 0 <= port <= MAX_PORT:
        raise UserError(f"--port={port}: must be an integer from 0 to {MAX_PORT}; 0 selects any free port.")


def start_server(runs: list[ExploredRun], port: int | None) -> ExplorerServer:
    """Start a server on a port, or on the first free one from `PORT`.

    Raises:
        UserError: if the port is in use or cannot be opened.
    """
    ports = range(PORT, PORT + PORTS_TRIED) if port is None else [port]
    reason = ""
    for candidate in ports:
        try:
            return ExplorerServer(runs, candidate)
        except OSError as error:
            reason = "in use" if error.errno == errno.EADDRINUSE else f"cannot be opened ({one_line(error)})"
    raise UserError(f"--port={ports[0]}: {reason}. Choose another port, or 0 for any that is free.")


def serve(runs: list[ExploredRun], port: int | None, open_browser: bool) -> None:
    """Serve the page until Ctrl-C.

    Args:
        runs: those to show.
        port: the port; None for the first free one from `PORT`.
        open_browser: open the page in the browser.
    """
    with start_server(runs, port) as server:
        print(f"{server.url} (Ctrl-C to stop)")
        if open_browser:
            webbrowser.open(server.url)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()
