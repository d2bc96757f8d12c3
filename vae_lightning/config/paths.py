"""Where the configuration files are."""

from pathlib import Path

PACKAGE = Path(__file__).parents[1]
# An installed package contains conf/. In a checkout it is at the top level, beside the package.
CONF_DIR = PACKAGE / "conf" if (PACKAGE / "conf").is_dir() else PACKAGE.parent / "conf"


def config_dirs() -> list[Path]:
    """Return the directories that Hydra searches: `conf/` in the current directory if there is one, then ours."""
    local = Path.cwd() / "conf"
    is_other = local.is_dir() and not local.samefile(CONF_DIR)
    return [local, CONF_DIR] if is_other else [CONF_DIR]
