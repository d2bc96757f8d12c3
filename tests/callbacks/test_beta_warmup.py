"""Tests of β warm-up: Eq. 31 of vae-cvae-mnist, and the other schedules against values computed by hand."""

import math
from types import SimpleNamespace

import pytest

from vae_lightning.callbacks import BetaWarmup, warmup_factor
from vae_lightning.errors import UserError
from vae_lightning.models import VAE, AnnealedVAE

SETTINGS = {"epochs": 10, "steps": None, "schedule": "linear", "cycles": 4, "ramp": 0.5}


def test_linear_rises_from_a_tenth_in_the_first_of_ten_epochs_to_one_in_the_last():
    assert [warmup_factor(t, 10, "linear") for t in range(1, 13)] == [t / 10 for t in range(1, 11)] + [1.0, 1.0]


def test_cosine_and_sigmoid_at_hand_computed_points():
    assert warmup_factor(5, 10, "cosine") == pytest.approx(0.5)
    assert warmup_factor(2, 8, "cosine") == pytest.approx((1 - math.cos(math.pi / 4)) / 2)
    assert warmup_factor(5, 10, "sigmoid") == pytest.approx(0.5, abs=2e-3)
    assert warmup_factor(1, 10, "sigmoid") == pytest.approx(1 / (1 + math.exp(4.8)), rel=3e-3)


def test_cyclical_rises_in_the_first_half_of_each_cycle():
    """Fu et al. 2019, Eq. 6, with M = 2 and R = 0.5, and τ counted from 1."""
    factors = [warmup_factor(t, 16, "cyclical", cycles=2, ramp=0.5) for t in range(1, 19)]
    cycle = [0.25, 0.5, 0.75, 1, 1, 1, 1, 1]
    assert factors == pytest.approx([*cycle, *cycle, 1, 1])


@pytest.mark.parametrize("schedule", ["linear", "cosine", "sigmoid", "cyclical"])
@pytest.mark.parametrize("period", [0, 1, 7, 100])
def test_factor_is_in_the_interval_from_zero_to_one_and_ends_at_one(schedule, period):
    factors = [warmup_factor(t, period, schedule, cycles=3, ramp=0.5) for t in range(1, period + 3)]
    assert all(0 < factor <= 1 for factor in factors)
    assert factors[-3:] == [1.0] * min(3, len(factors))
    if schedule != "cyclical":
        assert factors == sorted(factors)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [({}, 0.4), ({"epochs": 0}, 1.0), ({"epochs": 0, "steps": 70}, 0.5)],
    ids=["epochs", "none", "steps"],
)
def test_callback_counts_epochs_or_batches_from_the_trainers_counters(settings, expected, parts):
    total = SimpleNamespace(ready=35)  # the fourth epoch, the 35th batch
    loop = SimpleNamespace(epoch_loop=SimpleNamespace(batch_progress=SimpleNamespace(total=total)))
    trainer = SimpleNamespace(current_epoch=3, fit_loop=loop)
    model = VAE(**parts)
    BetaWarmup(**{**SETTINGS, **settings}).on_train_batch_start(trainer, model, None, 0)
    assert model.warmup == pytest.approx(expected)


def test_constant_capacity_causes_a_warning(parts, caplog):
    model = AnnealedVAE(gamma=1.0, capacity=5.0, **parts)
    BetaWarmup(**SETTINGS).on_fit_start(None, model)
    BetaWarmup(**{**SETTINGS, "epochs": 0}).on_fit_start(None, VAE(**parts))
    assert not caplog.text
    BetaWarmup(**{**SETTINGS, "epochs": 0}).on_fit_start(None, model)
    assert "does not rise without a warm-up. Set callbacks.warmup.epochs=20" in caplog.text


def test_invalid_options_raise_an_error():
    with pytest.raises(UserError, match="Choose one of linear, cosine, sigmoid, cyclical"):
        BetaWarmup(**{**SETTINGS, "schedule": "square"})
    with pytest.raises(UserError, match="both epochs and steps are set"):
        BetaWarmup(**{**SETTINGS, "steps": 5})
    with pytest.raises(UserError, match="cycles=4: too many for a period of 10"):
        BetaWarmup(**{**SETTINGS, "schedule": "cyclical"})
