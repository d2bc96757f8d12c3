"""A web server for the page, which runs the models with PyTorch."""

import mimetypes
import webbrowser
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vae_lightning.errors import UserError
from vae_lightning.explorer.contents import ExploredRun, Files, site_files, to_bytes
from vae_lightning.exporting.graphs import DecoderGraph, EncoderGraph, Graph

HOST = "127.0.0.1"
PORT = 8765
PORTS_TRIED = 20  # further ports, if it is in use
MAX_BODY = 64 * 1024**2  # bytes
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
        length = self.headers.get("Content-Length", "")
        is_valid = self.headers.get("Content-Type") == BINARY and length.isdecimal() and 0 < int(length) <= MAX_BODY
        if graph is None or not self.is_own_host or not is_valid:
            self.close_connection = True  # the body was not read
            self.answer(HTTPStatus.BAD_REQUEST, b"not a request of the page", "text/plain")
            return
        try:
            content = to_bytes(run_graph(graph, self.rfile.read(int(length))))
        except ValueError as error:  # of another size, or a UserError of the model
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


@torch.no_grad()
def run_graph(graph: Graph, content: bytes) -> Tensor:
    """Run a graph on rows of 32-bit floats, each an input followed by the condition; return its first output.

    Raises:
        ValueError: if the number of values is wrong, or the model rejects them.
    """
    (example, *condition) = graph.example(1)
    size = example.numel()
    values = np.frombuffer(content, dtype="<f4").astype(np.float32)
    rows = torch.from_numpy(values.reshape(-1, size + sum(part.numel() for part in condition))).to(example.dtype)
    inputs = [rows[:, :size].reshape(-1, *example.shape[1:]), *([rows[:, size:]] if condition else [])]
    output: Tensor = graph(*inputs)[0]
    return output


def start_server(runs: list[ExploredRun], port: int | None) -> ExplorerServer:
    """Start a server on a port, or on the first free one from `PORT`.

    Raises:
        UserError: if the port is in use.
    """
    ports = range(PORT, PORT + PORTS_TRIED) if port is None else [port]
    for candidate in ports:
        try:
            return ExplorerServer(runs, candidate)
        except OSError:
            continue
    raise UserError(f"--port={ports[0]}: in use. Choose another port, or 0 for any that is free.")


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
