"""Fixtures of these tests."""

from evaluation_cases import make_context

__all__ = ["make_context"]
