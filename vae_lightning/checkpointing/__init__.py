"""Checkpoints: writing, verifying, loading, resuming and exporting them."""
