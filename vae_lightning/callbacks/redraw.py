"""The figures of a finished run, drawn again."""

from collections.abc import Iterator
from pathlib import Path

from vae_lightning.callbacks.drawings import DRAWINGS, draw
from vae_lightning.callbacks.figures import save
from vae_lightning.callbacks.history import History
from vae_lightning.callbacks.subject import Subject, title_of
from vae_lightning.checkpoints import read
from vae_lightning.figures.latent_space import has_umap
from vae_lightning.finished import open_run
from vae_lightning.runs import find_checkpoint


def redraw(path: str | Path, *, trust: tuple[str, ...] = ()) -> Iterator[Path]:
    """Draw every figure that makes sense for a run's best model into its `figures/`; yield each file.

    Args:
        path: a run's folder, or a checkpoint in it, whose model is drawn then.
        trust: packages of your own whose classes the checkpoint may name; see `load`.

    Raises:
        UserError: when there is no such run, or its data is no longer there.
    """
    run = open_run(path, trust=trust)
    shown = read(find_checkpoint(path, preferred="best"))
    last = read(find_checkpoint(run.run_dir, preferred="last"))
    title = title_of(run.config["name"], run.model, shown["warmup"], shown["epoch"] + 1)
    subject = Subject(run.model, run.data, title, History(**last.get("history", {})))
    names = [name for name in DRAWINGS if name != "latent_space_umap" or has_umap()]
    for name, drawn in draw(subject, names):
        yield save(drawn, run.run_dir / "figures", name)
