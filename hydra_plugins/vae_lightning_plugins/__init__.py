"""What Hydra finds of ours by itself: it looks for plugins in the namespace `hydra_plugins`, at each start."""
