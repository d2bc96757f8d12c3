"""Finding the checkpoint that a run resumes from."""

from pathlib import Path
from typing import Any, NamedTuple

from lightning.pytorch.utilities import rank_zero_warn

from vae_lightning.checkpointing.loading import read_checkpoint
from vae_lightning.config.comparison import changed_options
from vae_lightning.errors import UserError
from vae_lightning.runs.format import RESUME_KEYS, CheckpointKey
from vae_lightning.runs.layout import BEST, LAST, PREVIOUS, find_checkpoint, has_resumable_checkpoint


class Resumption(NamedTuple):
    """Checkpoint that a run resumes from.

    Attributes:
        path: the checkpoint.
        epoch: number of epochs that it has been trained, the last of which may be incomplete.
        changes: options that are changed, with their old and new values.
        data_identity: that the run recorded of its images, if it did; see `ImageDataModule.identity`.
        weights: the state of the model.
    """

    path: Path
    epoch: int
    changes: dict[str, tuple[Any, Any]]
    data_identity: Any
    weights: dict[str, Any]


def find_resumption(config: dict[str, Any]) -> Resumption | None:
    """Return the checkpoint that `resume` refers to, or None. If it is damaged, return the one before it.

    Raises:
        UserError: if a new run would overwrite the checkpoints of another one; if the checkpoint cannot be read, lacks
            what a run needs to resume, or has options that a resumed run cannot change.
    """
    if not config["resume"]:
        if has_resumable_checkpoint(Path(config["run_dir"])):
            raise UserError(
                f"run_dir={config['run_dir']}: already has the checkpoints of a run. Set resume to this directory to"
                " train it further, or choose another run_dir."
            )
        return None
    path, checkpoint = newest_intact_checkpoint(find_checkpoint(config["resume"], preferred="last"))
    missing = [name for name, kind in RESUME_KEYS.items() if not isinstance(checkpoint.get(name), kind)]
    if "loops" not in missing and not checkpoint["loops"].get("fit_loop"):
        missing.append("loops")
    if missing:
        raise UserError(
            f"{path}: has no {', '.join(missing)}, so no run can resume from it. It holds weights only, or comes from"
            " another program. Start a new run."
        )
    changes = changed_options(checkpoint[CheckpointKey.CONFIG], config, path)
    progress = checkpoint["loops"]["fit_loop"].get("epoch_loop.batch_progress", {})
    if not progress.get("is_last_batch", True):
        for key in sorted({"data.batch_size", "seed"} & changes.keys()):
            raise UserError(
                f"{key}={changes[key][1]}: {path} is from the middle of an epoch, whose other batches would have other"
                " images. Leave the option out until the epoch is complete."
            )
    trained, wanted = checkpoint["epoch"] + 1, config["trainer"]["max_epochs"]
    if wanted < trained:
        raise UserError(f"trainer.max_epochs={wanted}: {path} is from epoch {trained}. Set {trained} or more.")
    return Resumption(path, trained, changes, checkpoint.get(CheckpointKey.DATA), checkpoint["state_dict"])


def newest_intact_checkpoint(path: Path) -> tuple[Path, dict[str, Any]]:
    """Return a checkpoint and its contents; if the last one of a run is damaged, warn and return the newest intact one.

    A run reaches the same weights from any of them.

    Raises:
        UserError: if none is intact.
    """
    before = [path.with_name(name) for name in (PREVIOUS, BEST)] if path.name == LAST else []
    damage = []
    for candidate in (path, *filter(Path.is_file, before)):
        try:
            checkpoint = read_checkpoint(candidate)
        except UserError as error:
            damage.append(str(error))
            continue
        if damage:
            epoch = checkpoint.get("epoch", 0) + 1
            rank_zero_warn(f"{' '.join(damage)} Resuming from {candidate} instead, from epoch {epoch}.")
        return candidate, checkpoint
    raise UserError(" ".join(damage) + (" No checkpoint is intact. Start a new run." if len(damage) > 1 else ""))
