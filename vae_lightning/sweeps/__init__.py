"""Sweeps: grids and searches over many runs. Nothing here imports torch."""
