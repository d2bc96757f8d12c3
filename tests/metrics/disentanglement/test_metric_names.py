"""The page docs/metric_names.md names every number, and its values are those of the code."""

import importlib.util
import re

import pytest
from conftest import ROOT

from vae_lightning.evaluation.disentanglement import factor_metrics, unsupervised_metrics
from vae_lightning.evaluation.settings import Settings

PAGE = (ROOT / "docs" / "metric_names.md").read_text(encoding="utf-8")
METRICS = (*factor_metrics(Settings(boosting=True)), *unsupervised_metrics(Settings()))


def test_every_number_has_a_row():
    rows = re.findall(r"^\| (`[^|]*) \|.*\|.*\|.*\|.*\|$", PAGE, re.MULTILINE)
    assert sorted(name for row in rows for name in re.findall(r"`(\w+)`", row)) == sorted(
        [*(name for metric in METRICS for name in metric.names), "probabilistic_mig", "udr"]
    )


def test_values_are_up_to_date():
    spec = importlib.util.spec_from_file_location("metric_values", ROOT / "docs" / "metric_values.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    written = {name: float(value) for name, value in re.findall(r"^\| `(\w+)` \| ([\d.]+) \|$", PAGE, re.MULTILINE)}
    assert module.values() == pytest.approx(written, abs=0.02), "run make metric-values"
