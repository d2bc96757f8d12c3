"""Downloading models from the Hugging Face hub."""

from pathlib import Path
from typing import Any

from vae_lightning.errors import UserError, as_user_error
from vae_lightning.runs.layout import EXPORTED

PREFIX = "hf://"


def is_hub_url(path: str | Path) -> bool:
    """Return whether a path is the URL of a model on the hub, `hf://owner/name` or `hf://owner/name@revision`."""
    return str(path).startswith(PREFIX)


def split_url(url: str) -> tuple[str, str | None]:
    """Return repository and revision of `hf://owner/name@revision`, with or without prefix and revision.

    Raises:
        UserError: if it is not of this form.
    """
    repository, _, revision = url.removeprefix(PREFIX).partition("@")
    if len(list(filter(None, repository.split("/")))) != 2 or repository.count("/") != 1:
        raise UserError(f"{url}: not a model on the hub. Pass owner/name or owner/name@revision.")
    return repository, revision or None


def download_model(url: str) -> Path:
    """Download the weights of a model into the cache of `huggingface_hub`, and return their file.

    Raises:
        UserError: if `huggingface_hub` is not installed, or the model cannot be downloaded.
    """
    repository, revision = split_url(url)
    hub = import_hub()
    with as_user_error(f"{url}: cannot be downloaded ({{kind}}: {{error}}). Check the name and the connection."):
        return Path(hub.hf_hub_download(repository, EXPORTED, revision=revision))


def download_folder(url: str, folder: Path) -> Path:
    """Download all files of a model to a folder, and return it.

    Raises:
        UserError: if `huggingface_hub` is not installed, or the model cannot be downloaded.
    """
    repository, revision = split_url(url)
    hub = import_hub()
    with as_user_error(f"{url}: cannot be downloaded ({{kind}}: {{error}}). Check the name and the connection."):
        return Path(hub.snapshot_download(repository, revision=revision, local_dir=folder))


def import_hub() -> Any:
    """Import `huggingface_hub`.

    Raises:
        UserError: if it is not installed.
    """
    try:
        import huggingface_hub
    except ImportError as error:
        raise UserError("huggingface_hub: not installed. Run pip install 'vae-lightning[hub]'.") from error
    return huggingface_hub
