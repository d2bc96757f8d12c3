"""The directory names of the jobs of a sweep."""

import hashlib
import json
import re

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from vae_lightning.errors import UserError
from vae_lightning.runs.format import override_key

EXCLUDE_KEYS = "hydra.job.config.override_dirname.exclude_keys"
MAX_NAME_BYTES = 200  # of a directory; a file system allows 255


def name_jobs(overrides: list[str]) -> list[str]:
    """Return an override that names the jobs of a sweep by the swept options only.

    The list is empty if no option is swept, in which case the name lists all overrides.

    Raises:
        UserError: if `run_dir` is set, which would be the directory of all jobs.
    """
    parsed = OverridesParser.create().parse_overrides(overrides)
    if run_dir := next((o for o in overrides if override_key(o) == "run_dir"), None):
        raise UserError(f"{run_dir}: all jobs of the sweep would share this directory. Set sweep=NAME instead.")
    swept = [override for override in parsed if override.is_sweep_override()]
    if not swept or any(override.key_or_group == EXCLUDE_KEYS for override in parsed):
        return []
    fixed = [json.dumps(override.key_or_group) for override in parsed if not override.is_sweep_override()]
    return [f"{EXCLUDE_KEYS}=[{','.join(fixed)}]"]


def job_dir_name(overrides: str) -> str:
    """Return the directory name of a sweep's job: its overrides without slashes, quotes and `+`, cut if too long.

    Registered with OmegaConf as `${folder_name:...}`. A job without overrides is called `defaults`.
    """
    name = re.sub(r"(^|,)\++|['\"]", r"\1", overrides).replace("/", ".").encode() or b"defaults"
    if len(name) > MAX_NAME_BYTES:
        name = name[: MAX_NAME_BYTES - 9] + b"-" + hashlib.sha256(name).hexdigest()[:8].encode()
    return name.decode(errors="ignore")


OmegaConf.register_new_resolver("folder_name", job_dir_name, replace=True)
