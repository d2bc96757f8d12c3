"""Uploading a run's model to the Hugging Face hub."""

from pathlib import Path

from vae_lightning.checkpointing.hub import import_hub, split_url
from vae_lightning.checkpointing.trust import Trust
from vae_lightning.errors import UserError, as_user_error
from vae_lightning.exporting.model_card import export_hub


def push(
    run: str | Path,
    repository: str,
    *,
    checkpoint: str = "best",
    private: bool = False,
    trust: Trust = (),
) -> str:
    """Upload the model of a run with its model card, creating the repository if needed, and return its URL.

    The folder that is uploaded stays in the run directory, as `hub/`. Edit its model card and push again to update it.

    >>> push("runs/vae-digits/2026-01-31_12-00-00", "owner/name")  # doctest: +SKIP

    Args:
        run: a run directory, `latest`, or a checkpoint in a run directory.
        repository: `owner/name`.
        checkpoint: which checkpoint of a run directory to export, `best` or `last`.
        private: create a private repository.
        trust: packages of your own whose classes the checkpoint may name; see `load_model`.

    Raises:
        UserError: if the run cannot be exported, `huggingface_hub` is not installed, or the upload fails.
    """
    name, revision = split_url(repository)
    if revision:
        raise UserError(f"{repository}: models are pushed to the main branch. Leave out @{revision}.")
    hub = import_hub()
    folder = export_hub(run, checkpoint=checkpoint, repository=name, trust=trust)
    with as_user_error(f"{repository}: cannot be uploaded ({{kind}}: {{error}}). Run hf auth login and try again."):
        api = hub.HfApi()
        api.create_repo(name, private=private, exist_ok=True)
        api.upload_folder(repo_id=name, folder_path=folder, commit_message="Upload the model")
    return f"https://huggingface.co/{name}"
