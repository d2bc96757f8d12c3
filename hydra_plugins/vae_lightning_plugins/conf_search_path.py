"""Where Hydra finds `model=...`: in `conf/` of the current directory, then in the package's own."""

from pathlib import Path

from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.config_store import ConfigStore
from hydra.plugins.search_path_plugin import SearchPathPlugin

from vae_lightning.config.paths import CONF_DIR, config_dirs


class ConfSearchPath(SearchPathPlugin):
    """Search `./conf` before the package's own `conf/`, and both before configurations that other plugins register.

    Without the latter, Hydra would merge `conf/hydra/launcher/joblib.yaml` with what the joblib plugin registers under
    the same name, and warn that it will stop doing so. Other programs in the same environment are not affected.
    """

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Called by Hydra once all plugins are loaded."""
        if not any(Path(place.path.removeprefix("file://")) == CONF_DIR for place in search_path.get_path()):
            return
        *local, _ = config_dirs()
        for folder in local:
            search_path.prepend("local", f"file://{folder}", anchor="main")
        registered = ConfigStore.instance().repo["hydra"]
        for folder in config_dirs():
            for file in folder.glob("hydra/*/*.yaml"):
                registered.get(file.parent.name, {}).pop(file.name, None)
