"""Evaluation of a finished run: one module per group of metrics.

Nothing is imported here, so the command line can import `evaluation.settings` without torch.
"""
