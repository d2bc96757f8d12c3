"""The model trains on the data."""

import vae_lightning


def test_the_model_learns(tmp_path):
    run = vae_lightning.train(["experiment=first", "trainer.max_epochs=2", f"hydra.run.dir={tmp_path}/run"])
    assert run.metrics["test/nelbo"] < 500
    assert run.model.sample(4).shape == (4, 1, 28, 28)
