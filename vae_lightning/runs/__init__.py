"""Run directories: their layout, their files, and how to find them. Only `recording.py` imports torch."""
