"""What is typed, before Hydra sees it, and the names that it gives to folders."""

import hashlib

from omegaconf import OmegaConf

from vae_lightning.errors import UserError
from vae_lightning.runs import OVERRIDES, find_checkpoint, newest_run, run_folder, saved_overrides

LONGEST_NAME = 200


def recall(arguments: list[str]) -> list[str]:
    """Put what was typed for the run that `resume=` names before what is typed now, which wins.

    So `python train.py resume=runs/NAME/TIME` alone goes on with that very run, in its own folder. `resume=auto` is the
    newest run of the same options, or a new one where there is none.

    Args:
        arguments: the command line's; returned as they are when there is no `resume=`.

    Raises:
        UserError: when `resume` names no run's folder or checkpoint.
    """
    typed = {option_name(argument): argument for argument in arguments}
    resume = typed.pop("resume", "").partition("=")[2].strip("'\"")
    if resume in ("", "null"):
        return arguments
    if {"-m", "--multirun"} & typed.keys():
        raise UserError("resume goes on with one run; leave out -m")
    if resume == "auto":
        newest = newest_run([option for option in typed.values() if not option.startswith("-")])
        if newest is None:
            return [argument for argument in arguments if option_name(argument) != "resume"]
        resume = str(newest)
    checkpoint = find_checkpoint(resume, preferred="last").absolute()
    run = run_folder(checkpoint)
    if not (run / OVERRIDES).is_file():
        raise UserError(f"resume={resume}: {run} is no run's folder, it has no {OVERRIDES}; type runs/NAME/TIME")
    before = [argument for argument in saved_overrides(run) if option_name(argument) not in {*typed, "resume"}]
    return [*before, *typed.values(), f"resume='{checkpoint}'", f"hydra.run.dir='{run}'"]


def folder_name(overrides: str) -> str:
    """The name of a sweep's job: its overrides, without the slashes that would nest folders, and not too long.

    A file system takes 255 bytes; what is longer is cut, and told apart by a hash of the whole.
    """
    name = overrides.replace("/", ".").encode()
    if len(name) > LONGEST_NAME:
        name = name[: LONGEST_NAME - 9] + b"-" + hashlib.sha256(name).hexdigest()[:8].encode()
    return name.decode(errors="ignore")


OmegaConf.register_new_resolver("folder_name", folder_name, replace=True)


def option_name(argument: str) -> str:
    """`+model.beta=4` -> `model.beta`: what an argument is about."""
    return argument.partition("=")[0].lstrip("+~")
