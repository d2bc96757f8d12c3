"""Exporting a trained model as one safetensors file: its weights, and its configuration as JSON in the metadata.

Other programs can read the weights without torch or this package. `vae_lightning.load` accepts the file like a
checkpoint.
"""

from pathlib import Path
from typing import Any

from vae_lightning.checkpointing.loading import build_model, read_checkpoint
from vae_lightning.checkpointing.safetensors_io import serialize
from vae_lightning.checkpointing.trust import Trust
from vae_lightning.errors import UserError, check_choice, one_line
from vae_lightning.io.atomic import atomic_write
from vae_lightning.runs.format import CheckpointKey
from vae_lightning.runs.layout import EXPORT_SUFFIX, EXPORTED, run_dir_of
from vae_lightning.runs.pretrained import find_model


def export_weights(
    run: str | Path, out: str | Path | None = None, *, checkpoint: str = "best", trust: Trust = ()
) -> Path:
    """Write the model of a run as safetensors and return the file.

    >>> export_weights("runs/vae-digits/2026-01-31_12-00-00")  # doctest: +SKIP

    Args:
        run: a run directory, `latest`, or a checkpoint.
        out: the file to write; by default `model.safetensors` in the run directory.
        checkpoint: which checkpoint of a run directory to export, `best` or `last`.
        trust: packages of your own whose classes the checkpoint may name; see `load_model`.

    Raises:
        UserError: if there is no checkpoint, it cannot be loaded, or the file cannot be written.
    """
    source = find_model(run, preferred=check_choice("--checkpoint", checkpoint, ("best", "last")))
    if source.suffix == EXPORT_SUFFIX:
        raise UserError(f"{run}: is already an exported model ({source}). Pass another --format.")
    path = Path(out) if out else run_dir_of(source) / EXPORTED
    trained = read_checkpoint(source)
    weights = build_model(trained, source, trust=trust).state_dict()  # building checks that they fit
    names = {CheckpointKey.LABEL_NAMES: labels} if (labels := label_names(trained)) else {}
    try:
        atomic_write(serialize(weights, trained[CheckpointKey.CONFIG] | names), path)
    except OSError as error:
        reason = error.strerror or one_line(error)
        raise UserError(f"{path}: cannot be written ({reason}). Pass another file with --out.") from error
    return path


def label_names(checkpoint: dict[str, Any]) -> list[str]:
    """Return the names of the classes or attributes of a checkpoint or an export; empty if they are not known."""
    names: list[str] = checkpoint.get(CheckpointKey.LABEL_NAMES) or checkpoint[CheckpointKey.CONFIG].get(
        CheckpointKey.LABEL_NAMES, []
    )
    return names
