"""`hydra/launcher=joblib` is `conf/hydra/launcher/joblib.yaml`, not what the plugin registers by the same name."""

from pathlib import Path

from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.config_store import ConfigStore
from hydra.plugins.search_path_plugin import SearchPathPlugin

CONF = Path(__file__).parents[2] / "conf"


class OwnFilesFirst(SearchPathPlugin):
    """Take away what other plugins have registered for Hydra where `conf/hydra/` has a file of that name.

    Hydra would merge the two, with a warning that it will not for long. Other programs in the same environment keep
    what is registered.
    """

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Hydra calls this once all plugins are loaded, before it looks for the first file."""
        if not any(Path(place.path.removeprefix("file://")) == CONF for place in search_path.get_path()):
            return
        registered = ConfigStore.instance().repo["hydra"]
        for file in CONF.glob("hydra/*/*.yaml"):
            registered.get(file.parent.name, {}).pop(file.name, None)
