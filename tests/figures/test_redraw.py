"""Redrawing the figures of a finished run."""

from vae_lightning.figures import redraw as module
from vae_lightning.figures.redraw import redraw
from vae_lightning.training.train import train


def test_redraw_latest(small, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = "runs/small/2026-01-31_12-00-00"
    files = [tmp_path / run / "figures" / f"{name}.png" for name in ("reconstructions", "samples")]
    train(small("model=ae", "trainer.max_epochs=1", "~callbacks.figures", run=run))
    monkeypatch.setattr(module, "FIGURES", ["reconstructions", "samples"])
    assert list(redraw("latest")) == files
    assert all(file.is_file() for file in files)
