"""Taking the model, and unless another is chosen the data, from the run whose prior is learned."""

from contextlib import suppress
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf, open_dict

from vae_lightning.errors import UserError
from vae_lightning.runs.artifacts import read_config
from vae_lightning.runs.discovery import resolve_run
from vae_lightning.runs.layout import find_checkpoint, run_dir_of

MAX_NAME_LENGTH = 100


def inherit_run(cfg: DictConfig) -> None:
    """Fill in `model.autoencoder` and the unset options of `data` from the run in `prior_of`, if there is one.

    A resumed run takes them from its own configuration, so the run in `prior_of` may have been moved or deleted.

    Raises:
        UserError: if there is no such run, a model needs one, or an option of the data does not exist there.
    """
    is_prior = OmegaConf.is_missing(cfg.model, "autoencoder")
    is_data_of_run = cfg.get("data") is not None and "_target_" not in cfg.data
    if not cfg.prior_of:
        if is_prior or is_data_of_run:
            raise UserError("prior_of=null: the model or the data is that of a trained run. Set prior_of=RUN.")
        return
    if not isinstance(cfg.prior_of, str):
        raise UserError(f"prior_of={cfg.prior_of}: must be null or text.")
    if not is_prior:
        raise UserError(f"prior_of={cfg.prior_of}: this model learns no prior for a run. Set model=latent_prior.")
    own = read_config(run_dir_of(Path(cfg.resume))) if cfg.resume else {}
    if "autoencoder" in own.get("model", {}):
        name, model, data = own["name"], own["model"]["autoencoder"], own["data"]
    else:
        config = read_config(find_run(cfg.prior_of))
        name, model, data = None, config["model"], {**config["data"], "seed": "${seed}"}
    for key in cfg.data if is_data_of_run else ():
        if key not in data:
            raise UserError(f"data.{key}: not an option of this run's data. Use one of {', '.join(data)}.")
    with open_dict(cfg):
        cfg.model.autoencoder = model
        if is_data_of_run:
            cfg.data = OmegaConf.merge(data, cfg.data)
        if name and OmegaConf.is_interpolation(cfg, "name"):  # it contains that of the run in `prior_of`
            cfg.name = name


def find_run(prior_of: str) -> Path:
    """Return the directory of the run in `prior_of`.

    Raises:
        UserError: if it has no checkpoint.
    """
    return run_dir_of(find_checkpoint(resolve_run(prior_of), preferred="best"))


def default_name(prior_of: Any) -> str:
    """Return the name of a run: model and data, or the prior and the name of the run that it is learned for.

    Registered with OmegaConf as `${default_name:...}`.
    """
    choices = HydraConfig.get().runtime.choices
    if not prior_of:
        return f"{choices['model']}-{choices['data']}"
    name = "run"
    with suppress(UserError):  # `inherit_run` will report it
        name = read_config(find_run(str(prior_of))).get("name", name)
    return f"{choices.get('model/prior')}-{name}"[:MAX_NAME_LENGTH]


OmegaConf.register_new_resolver("default_name", default_name, replace=True)
