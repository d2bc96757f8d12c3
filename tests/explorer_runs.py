"""A small conditional run, and servers of its page."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from vae_lightning.explorer.server import ExplorerServer
from vae_lightning.training.launch import train


def train_small(run_dir: Path, *overrides: str) -> Path:
    """Train a small model for an epoch and return its run directory."""
    options = [
        "data.image_shape=[1,8,8]",
        "model/network=mlp",
        "model.network.hidden_dims=[16]",
        "model.latent_dim=3",
        "trainer=cpu",
        "trainer.max_epochs=1",
        "trainer.enable_progress_bar=false",
        "callbacks=minimal",
        "~callbacks.progress_bar",
        "logger=none",
    ]
    train([*options, f"hydra.run.dir={run_dir}", *overrides])
    return run_dir


@contextmanager
def running(server: ThreadingHTTPServer) -> Iterator[str]:
    """Serve in a thread inside the block, and yield the address."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def explorer(runs) -> Iterator[str]:
    """Serve the page of runs."""
    with running(ExplorerServer(runs, 0)) as url:
        yield url


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format, *args):
        pass


@contextmanager
def static_server(folder: Path) -> Iterator[str]:
    """Serve a folder."""
    with running(ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))) as url:
        yield url
