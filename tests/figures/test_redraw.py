"""Redrawing the figures of a finished run."""

from pathlib import Path

import pytest
from matplotlib.figure import Figure
from PIL import Image

import vae_lightning
from vae_lightning.cli.main import main
from vae_lightning.figures import redraw as module
from vae_lightning.figures.redraw import redraw
from vae_lightning.figures.registry import FIGURES
from vae_lightning.training.train import train


def test_redraw_latest(small, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = "runs/small/2026-01-31_12-00-00"
    files = [tmp_path / run / "figures" / f"{name}.png" for name in ("reconstructions", "samples")]
    train(small("model=ae", "trainer.max_epochs=1", "~callbacks.figures", run=run))
    monkeypatch.setattr(module, "FIGURES", ["reconstructions", "samples"])
    assert list(redraw("latest")) == files
    assert all(file.is_file() for file in files)


def test_figures_command_draws_the_same_files_as_training(small, tmp_path, capsys):
    train(small("model=beta_tcvae", "model.beta=2", "callbacks.figures.every_n_epochs=5"))
    folder = tmp_path / "run" / "figures"
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    for file in folder.iterdir():
        file.unlink()
    capsys.readouterr()
    main(["figures", str(tmp_path / "run")])
    names = sorted([*before, "imputations.png"], key=drawing_order)  # the command also draws figures on request
    assert capsys.readouterr().out.splitlines() == [str(folder / name) for name in names]
    redrawn = {file.name: file.read_bytes() for file in folder.iterdir()}
    assert redrawn.keys() == {*names}
    assert redrawn.items() >= before.items()  # to the last byte, since the best checkpoint is that of the last epoch
    assert vae_lightning.load(tmp_path / "run").regularizer.beta == 2


def test_figures_command_draws_in_another_format_and_style(small, tmp_path, monkeypatch):
    train(small("model=ae", "trainer.max_epochs=1", "callbacks.figures.style=paper"))
    file = tmp_path / "run/figures/reconstructions.png"
    assert background(file) == (255, 255, 255)
    monkeypatch.setattr(module, "FIGURES", ["reconstructions"])
    main(["figures", str(tmp_path / "run"), "--format", "svg", "--style", "dark"])
    assert background(file) == (30, 30, 30)
    assert "#1e1e1e" in file.with_suffix(".svg").read_text()
    main(["figures", str(tmp_path / "run")])  # as in training
    assert background(file) == (255, 255, 255)


def posterior_means(ctx) -> Figure:
    figure = Figure()
    figure.subplots().plot(ctx.posterior.mu[:, 0])
    return figure


def samples(ctx) -> None:
    pass


def test_some_figures_and_those_of_the_user(small, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(FIGURES, "posterior_means", posterior_means)  # removed after the test
    train(small("model=ae", "trainer.max_epochs=1", "~callbacks.figures"))
    capsys.readouterr()
    run = str(tmp_path / "run")
    main(["figures", run, "--only", "reconstructions,test_redraw.posterior_means"])
    names = [Path(line).name for line in capsys.readouterr().out.splitlines()]
    assert names == ["reconstructions.png", "posterior_means.png"]
    for only, message in (
        ("reconstruction", "--only=reconstruction: no such figure. Choose from"),
        ("test_redraw.samples", "--only=test_redraw.samples: there is a figure of this name. Rename the function."),
        ("test_redraw.other", "--only=test_redraw.other: cannot be imported"),
    ):
        with pytest.raises(SystemExit, match=message):
            main(["figures", run, "--only", only])


def background(file) -> tuple[int, ...]:
    with Image.open(file) as picture:
        return picture.convert("RGB").getpixel((0, 0))


def drawing_order(file_name: str) -> int:
    return list(FIGURES).index(file_name.partition(".")[0])


def test_figures_command_exits_if_there_is_no_run(tmp_path):
    with pytest.raises(SystemExit, match="nowhere: no such run or checkpoint"):
        main(["figures", str(tmp_path / "nowhere")])
