"""A trained model as one safetensors file: its weights, and its configuration as JSON in the metadata.

Other programs read the weights without torch or this package; `vae_lightning.load` takes it as it takes a checkpoint.
"""

from pathlib import Path

from vae_lightning.checkpoints import model_of, read
from vae_lightning.errors import UserError, one_line, one_of
from vae_lightning.runs import find_checkpoint, run_folder
from vae_lightning.safetensors_files import packed
from vae_lightning.whole_files import write_whole

FILE = "model.safetensors"


def export(
    run: str | Path, out: str | Path | None = None, *, checkpoint: str = "best", trust: tuple[str, ...] = ()
) -> Path:
    """Write a run's model as safetensors.

    >>> export("runs/vae-digits/2026-01-31_12-00-00")  # doctest: +SKIP

    Args:
        run: a run's folder, or a checkpoint.
        out: the file to write; by default `model.safetensors` in the run's folder.
        checkpoint: which of a folder, `best` or `last`.
        trust: packages of your own whose classes the checkpoint may name; see `load`.

    Returns:
        The file.

    Raises:
        UserError: when there is no checkpoint, it cannot be loaded, or the file cannot be written.
    """
    source = find_checkpoint(run, preferred=one_of("--checkpoint", checkpoint, ("best", "last")))
    path = Path(out) if out else run_folder(source) / FILE
    trained = read(source)
    weights = model_of(trained, source, trust=trust).state_dict()  # of a model that has been built and has taken them
    try:
        write_whole(packed(weights, trained["config"]), path)
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror or one_line(error)}); type --out FILE") from error
    return path
