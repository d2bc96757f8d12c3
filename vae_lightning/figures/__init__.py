"""Figures of a run: computing them from a model and its data."""
