"""Checks before a run starts: nothing is written when one fails."""

import pytest

from vae_lightning.errors import UserError
from vae_lightning.training.train import train


@pytest.mark.parametrize("model", ["factor_vae", "vae_gan"])
@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "+trainer.accumulate_grad_batches=2",
            r"^trainer.accumulate_grad_batches=2: not available .* data.batch_size.$",
        ),
        ("+trainer.gradient_clip_val=1.0", r"^trainer.gradient_clip_val=1.0: not available for (FactorVAE|VAEGAN)"),
        (
            "+callbacks.average={_target_: lightning.pytorch.callbacks.StochasticWeightAveraging, swa_lrs: 0.1}",
            r"^callbacks: (FactorVAE|VAEGAN) has two optimizers",
        ),
    ],
)
def test_a_model_with_two_optimizers_rejects_what_lightning_cannot_do(model, override, message, small, tmp_path):
    with pytest.raises(UserError, match=message):
        train(small(f"model={model}", override))
    assert not (tmp_path / "run").exists()
