"""What a run takes from the run whose prior it learns: the model and, unless another is chosen, the data."""

from contextlib import suppress
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf, open_dict

from vae_lightning.errors import UserError
from vae_lightning.runs.artifacts import read_config
from vae_lightning.runs.discovery import resolve_run
from vae_lightning.runs.layout import find_checkpoint, run_dir_of


def inherit_run(cfg: DictConfig) -> None:
    """Fill in `model.autoencoder`, and under `data` what has not been set, from the run in `prior_of`, if there is one.

    Raises:
        UserError: if there is no such run, a model needs one, or an option of the data does not exist there.
    """
    if not cfg.prior_of:
        if OmegaConf.is_missing(cfg.model, "autoencoder"):
            raise UserError("prior_of=null: the model learns a prior for a trained run. Set prior_of=RUN.")
        return
    if "autoencoder" not in cfg.model.keys():  # noqa: SIM118 - `in` is false for a value that is missing
        raise UserError(f"prior_of={cfg.prior_of}: this model learns no prior for a run. Set model=latent_prior.")
    config = read_config(find_run(cfg.prior_of))
    for key in cfg.data if "_target_" not in cfg.data else ():
        if key not in config["data"]:
            raise UserError(f"data.{key}: not an option of this run's data. Use one of {', '.join(config['data'])}.")
    with open_dict(cfg):
        cfg.model.autoencoder = config["model"]
        if "_target_" not in cfg.data:
            cfg.data = OmegaConf.merge(config["data"], cfg.data)


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
        name = read_config(find_run(prior_of))["name"]
    return f"{choices.get('model/prior')}-{name}"


OmegaConf.register_new_resolver("default_name", default_name, replace=True)
