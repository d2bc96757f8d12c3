"""Run directories: their layout, their files, and how to find them. Nothing here imports torch."""
