"""Tests of the collapse monitor: it logs the number of active latents, and warns once if the posterior collapses."""

import warnings
from types import SimpleNamespace

import pytest
import torch

from vae_lightning.callbacks import CollapseMonitor, collapse
from vae_lightning.data import Batch
from vae_lightning.figures.posterior_stats import PosteriorStats, posterior_stats
from vae_lightning.models import VAE
from vae_lightning.posteriors import VonMisesFisher
from vae_lightning.priors import UniformSphere
from vae_lightning.training.train import train


@pytest.fixture
def log_epochs(parts, monkeypatch):
    """A function that passes one posterior per epoch to a monitor and returns the active latents that it logs."""

    def run(monitor: CollapseMonitor, *posteriors: PosteriorStats | None) -> list[float]:
        counts = []
        logger = SimpleNamespace(log_metrics=lambda metrics, step: counts.append(metrics["active_latents"]))
        trainer = SimpleNamespace(loggers=[logger], datamodule=SimpleNamespace(splits={}))
        model = VAE(**parts)
        for posterior in posteriors:
            monkeypatch.setattr(collapse, "latest_posterior", lambda m, d, p=posterior: p)
            monitor.on_train_epoch_end(trainer, model)
        return counts

    return run


def posterior(*spreads: float, rates: list[float] | None = None) -> PosteriorStats:
    """Return statistics of two images, with the given standard deviation of the mean of each latent."""
    mu = torch.tensor([-1.0, 1.0])[:, None] * torch.tensor(spreads)
    rates = None if rates is None else torch.tensor(rates)
    return PosteriorStats(mu, None, mu, mu, None if rates is None else rates.sum().item(), rates)


def test_latents_whose_means_have_a_variance_above_a_hundredth_are_active(log_epochs):
    stats = posterior(1.0, 0.11, 0.09, 0.0, rates=[2, 1, 0, 0])
    assert log_epochs(CollapseMonitor(min_rate=0.5, patience=2), stats) == [2]


def test_a_collapse_causes_one_warning_with_a_remedy(log_epochs):
    low = posterior(0.0, 0.0, rates=[0.1, 0.02])
    with pytest.warns(
        UserWarning, match=r"^The rate is 0.12 nats per image, with 0 of 2 latents active.*warmup.*smaller beta"
    ) as warned:
        assert log_epochs(CollapseMonitor(min_rate=0.5, patience=2), low, low, low, low) == [0, 0, 0, 0]
    assert len(warned) == 1


def test_a_resumed_run_counts_the_epochs_before(log_epochs):
    low = posterior(0.0, 0.0, rates=[0.1, 0.02])
    first, second, third = (CollapseMonitor(min_rate=0.5, patience=2) for _ in range(3))
    log_epochs(first, low)
    second.load_state_dict(first.state_dict())
    with pytest.warns(UserWarning, match="collapses"):
        log_epochs(second, low)
    third.load_state_dict(second.state_dict())
    log_epochs(third, low, low)  # without a second warning, which would be an error


@pytest.mark.parametrize("rates", [None, [0.0, 0.0]])
def test_a_single_low_epoch_or_some_inactive_latents_cause_no_warning(rates, log_epochs):
    low, high = posterior(0.0, 0.0, rates=rates), posterior(1.0, 0.0, rates=rates and [3.0, 0.0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        log_epochs(CollapseMonitor(min_rate=0.5, patience=2), low, high, low, high, high)


def test_without_a_rate_the_active_latents_decide(log_epochs):
    with pytest.warns(UserWarning, match=r"^0 of 2 latents active. The posterior"):
        log_epochs(CollapseMonitor(min_rate=0.5, patience=2), posterior(0.0, 0.0), posterior(0.0, 0.0))


def test_directions_of_a_collapsed_posterior_on_the_sphere_are_not_taken_for_information(parts, images):
    model = VAE(**{**parts, "latent_dim": 64}, posterior=VonMisesFisher, prior=UniformSphere).eval()
    stats = posterior_stats(model, Batch(images, None))
    assert stats.rate < 0.1
    assert CollapseMonitor(min_rate=0.5, patience=1).is_low(stats)


def test_discrete_codes_are_not_monitored(log_epochs):
    assert log_epochs(CollapseMonitor(min_rate=0.5, patience=2), None, None) == []


def test_the_collapse_of_a_trained_model_is_detected(small):
    with pytest.warns(UserWarning, match="The posterior collapses"):
        train(small("model=beta_vae", "model.beta=1000", "trainer.max_epochs=12"))


def test_a_model_that_learns_causes_no_warning(small):
    """Pytest turns warnings into errors. The autoencoder has no rate."""
    for model in ("vae", "ae"):
        train(small(f"model={model}", "data.batch_size=32", "trainer.max_epochs=4", run=model))
