"""Our Hydra plugins. Hydra finds them by itself, since it searches the namespace `hydra_plugins` at each start."""
