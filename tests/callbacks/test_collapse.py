"""The monitor counts, and warns once, of a collapse only."""

import warnings
from types import SimpleNamespace

import pytest
import torch

from vae_lightning.callbacks import CollapseMonitor, collapse
from vae_lightning.figures.context import PosteriorStats
from vae_lightning.models import VAE
from vae_lightning.training.train import train


@pytest.fixture
def watch(parts, monkeypatch):
    """Show a monitor the posteriors of some epochs; return the numbers of active latents that it logs."""

    def watched(monitor: CollapseMonitor, *posteriors: PosteriorStats | None) -> list[float]:
        counts = []
        logger = SimpleNamespace(log_metrics=lambda metrics, step: counts.append(metrics["active_latents"]))
        trainer = SimpleNamespace(loggers=[logger], datamodule=None)
        model = VAE(**parts)
        for posterior in posteriors:
            monkeypatch.setattr(collapse, "latest_posterior", lambda m, d, p=posterior: p)
            monitor.on_train_epoch_end(trainer, model)
        return counts

    return watched


def posterior(*spreads: float, rates: list[float] | None = None) -> PosteriorStats:
    """Latents whose means differ by these standard deviations."""
    mu = torch.tensor([-1.0, 1.0])[:, None] * torch.tensor(spreads)
    return PosteriorStats(mu, None, mu, None if rates is None else torch.tensor(rates))


def test_latents_are_active_whose_means_differ_by_a_variance_above_a_hundredth(watch):
    assert watch(CollapseMonitor(min_rate=0.5, patience=2), posterior(1.0, 0.11, 0.09, 0.0, rates=[2, 1, 0, 0])) == [2]


def test_a_collapse_is_warned_of_once_with_the_remedy(watch):
    low = posterior(0.0, 0.0, rates=[0.1, 0.02])
    with pytest.warns(
        UserWarning, match=r"0 of 2 latents are active, the rate is 0.12 nats.*warmup.*smaller beta"
    ) as told:
        assert watch(CollapseMonitor(min_rate=0.5, patience=2), low, low, low, low) == [0, 0, 0, 0]
    assert len(told) == 1


@pytest.mark.parametrize("rates", [None, [0.0, 0.0]])
def test_one_epoch_is_no_collapse_and_a_few_inactive_latents_are_none(rates, watch):
    low, high = posterior(0.0, 0.0, rates=rates), posterior(1.0, 0.0, rates=rates and [3.0, 0.0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        watch(CollapseMonitor(min_rate=0.5, patience=2), low, high, low, high, high)


def test_without_a_rate_the_latents_are_counted(watch):
    with pytest.warns(UserWarning, match=r"^0 of 2 latents are active: the posterior"):
        watch(CollapseMonitor(min_rate=0.5, patience=2), posterior(0.0, 0.0), posterior(0.0, 0.0))


def test_of_discrete_codes_nothing_is_said(watch):
    assert watch(CollapseMonitor(min_rate=0.5, patience=2), None, None) == []


def test_a_real_collapse_is_seen(small):
    with pytest.warns(UserWarning, match="the posterior collapses"):
        train(small("model=beta_vae", "model.beta=1000", "trainer.max_epochs=12"))


def test_a_model_that_learns_is_left_in_peace(small):
    """A warning would be an error here; the autoencoder, which has no rate, too."""
    for model in ("vae", "ae"):
        train(small(f"model={model}", "data.batch_size=32", "trainer.max_epochs=4", run=model))
