"""Model and data of another run: `prior_of` learns a prior for it, and `init_from` starts from its weights."""

from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf, open_dict

from vae_lightning.config.comparison import OF_THE_DATA
from vae_lightning.errors import UserError
from vae_lightning.runs.artifacts import read_config
from vae_lightning.runs.layout import run_dir_of
from vae_lightning.runs.pretrained import read_model_config

MAX_NAME_LENGTH = 100
OPTIONAL_PARTS = ("optimizer", "scheduler")  # of any model


def inherit_run(cfg: DictConfig) -> None:
    """Fill in the model and the unset options of the data from the run in `prior_of` or `init_from`, if there is one.

    A resumed run takes them from its own configuration, so that other run may have been moved or deleted.

    Raises:
        UserError: if there is no such run, model or data need one, or an option does not exist there.
    """
    learns_prior = OmegaConf.is_missing(cfg.model, "autoencoder")
    option = "prior_of" if cfg.prior_of or learns_prior else "init_from"
    inherited = [group for group in ("model", "data") if cfg.get(group) is not None and "_target_" not in cfg[group]]
    if not cfg[option]:
        if learns_prior or inherited:
            raise UserError(f"{option}=null: the model or the data comes from a trained run. Set {option}=RUN.")
        return
    if not isinstance(cfg[option], str):
        raise UserError(f"{option}={cfg[option]}: must be null or text.")
    if cfg.prior_of and cfg.init_from:
        raise UserError(f"init_from={cfg.init_from}: not available together with prior_of. Leave one of them out.")
    if cfg.prior_of and not learns_prior:
        raise UserError(f"prior_of={cfg.prior_of}: this model learns no prior for a run. Set model=latent_prior.")
    parts = read_parts(cfg, option)
    with open_dict(cfg):
        if learns_prior:
            cfg.model.autoencoder = parts.model
        for group in inherited:
            cfg[group] = with_changes(group, getattr(parts, group), cfg[group])
        if parts.name and OmegaConf.is_interpolation(cfg, "name"):  # it contains that of the other run
            cfg.name = parts.name


class Parts(NamedTuple):
    """Configuration that a run takes from another one, or from itself if it resumes.

    Attributes:
        name: of the run, if it resumes.
        model: of the other run.
        data: of the other run.
    """

    name: str | None
    model: dict[str, Any]
    data: dict[str, Any]


def read_parts(cfg: DictConfig, option: str) -> Parts:
    """Read what a run takes from the run in an option, `prior_of` or `init_from`.

    Raises:
        UserError: if there is no such run.
    """
    own = read_config(run_dir_of(Path(cfg.resume))) if cfg.resume else {}
    if own.get(option):
        model = own["model"]["autoencoder"] if option == "prior_of" else own["model"]
        return Parts(own["name"], model, own["data"])
    config = read_model_config(cfg[option])
    if "data" not in config and "_target_" not in cfg.data:
        raise UserError(f"{option}={cfg[option]}: does not record which data it was trained on. Set data=NAME.")
    model, data = config["model"], {**config.get("data", {}), "seed": "${seed}"}
    if option == "init_from":
        model.pop("scheduler", None)  # it belongs to the length of the other run
        model |= {key: f"${{data.{key}}}" for key in OF_THE_DATA if key in model}
    return Parts(None, model, data)


def with_changes(group: str, inherited: dict[str, Any], changes: DictConfig) -> Any:
    """Return a group of another run with some options changed; a component of another class replaces that of the run.

    Raises:
        UserError: if the group has no such option.
    """
    for key in map(str, changes):
        value = changes[key]
        if key not in inherited and key not in OPTIONAL_PARTS:
            raise UserError(f"{group}.{key}: not an option of this run's {group}. Use one of {', '.join(inherited)}.")
        if OmegaConf.is_dict(value) and "_target_" in value:
            inherited = {**inherited, key: {}}
    return OmegaConf.merge(inherited, changes)


def default_name(prior_of: Any, init_from: Any) -> str:
    """Return the name of a run: model and data, with the name of the run that it learns a prior for or starts from.

    Registered with OmegaConf as `${default_name:...}`.
    """
    choices = HydraConfig.get().runtime.choices
    source = prior_of or init_from
    name = "run"
    if source:
        with suppress(UserError):  # `inherit_run` will report it
            name = read_model_config(str(source)).get("name", name)
    if prior_of:
        return f"{choices.get('model/prior')}-{name}"[:MAX_NAME_LENGTH]
    parts = [choice for choice in (choices["model"], choices["data"]) if choice != "of_run"]
    return "-".join(["tuned", name, *parts] if source else parts)[:MAX_NAME_LENGTH]


OmegaConf.register_new_resolver("default_name", default_name, replace=True)
