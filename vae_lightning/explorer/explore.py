"""Exploring the latents of one or more runs."""

from collections.abc import Sequence
from os.path import commonpath
from pathlib import Path

import torch

from vae_lightning.checkpointing.run_loading import load_run
from vae_lightning.checkpointing.trust import Trust
from vae_lightning.explorer.contents import ExploredRun
from vae_lightning.explorer.server import check_port, serve
from vae_lightning.explorer.static import write_static


@torch.no_grad()
def load_runs(
    paths: Sequence[str | Path], *, trust: Trust = (), data_root: str | Path | None = None
) -> list[ExploredRun]:
    """Load runs and encode their test images.

    Args:
        paths: run directories, or `latest`.
        trust: packages of your own whose classes the checkpoints may name.
        data_root: the directory that the data of all runs has been moved to.

    Raises:
        UserError: if a run cannot be loaded.
    """
    loaded = [load_run(path, trust=trust, data_root=data_root) for path in paths]
    folders = [run.run_dir for run in loaded]
    shared = commonpath([folder.parent for folder in folders])
    names = [str(folder.relative_to(shared)) for folder in folders]
    titles = [run.config["name"] for run in loaded]
    return [
        ExploredRun(run, title if titles.count(title) == 1 else f"{title}, {name}")
        for run, title, name in zip(loaded, titles, names, strict=True)
    ]


def explore(
    paths: Sequence[str | Path],
    *,
    static: str | Path | None = None,
    onnxruntime: str | Path | None = None,
    port: int | None = None,
    open_browser: bool = True,
    trust: Trust = (),
    data_root: str | Path | None = None,
) -> None:
    """Serve a page with the latents of runs until Ctrl-C, or write it to a folder.

    >>> explore(["runs/vae-digits/2026-01-31_12-00-00"])  # doctest: +SKIP

    Args:
        paths: run directories, or `latest`; several are shown side by side.
        static: write the page to this folder instead, as static files that need no Python.
        onnxruntime: a folder with the npm package onnxruntime-web for `static`; None to download it with npm.
        port: the port; None for the first free one from 8765.
        open_browser: open the page in the browser.
        trust: packages of your own whose classes the checkpoints may name.
        data_root: the directory that the data of all runs has been moved to.

    Raises:
        UserError: if a run cannot be loaded, the port cannot be opened, or the folder cannot be written.
    """
    check_port(port)
    runs = load_runs(paths, trust=trust, data_root=data_root)
    if static is None:
        serve(runs, port, open_browser)
    else:
        folder = write_static(runs, Path(static), Path(onnxruntime) if onnxruntime else None)
        print(f"{folder / 'index.html'}: put the folder on a web server, or run python -m http.server -d {folder}")
