"""Callbacks in a Trainer of the user's own."""

import pytest
from small_training import quiet_trainer
from torch.utils.data import DataLoader

from vae_lightning.callbacks import (
    CollapseMonitor,
    EmbeddingProjector,
    Figures,
    PosteriorHistograms,
    RepresentationMetrics,
)
from vae_lightning.errors import UserError
from vae_lightning.models import VAE


@pytest.mark.filterwarnings("ignore")  # Lightning's advice
@pytest.mark.parametrize(
    "callback",
    [
        lambda folder: Figures(folder=str(folder), title="mine"),
        lambda folder: CollapseMonitor(),
        lambda folder: PosteriorHistograms(every_n_epochs=1),
        lambda folder: EmbeddingProjector(),
        lambda folder: RepresentationMetrics(names=["active_units"]),
    ],
    ids=["Figures", "CollapseMonitor", "PosteriorHistograms", "EmbeddingProjector", "RepresentationMetrics"],
)
def test_callbacks_that_show_images_require_a_data_module(callback, parts, images, tmp_path, request):
    batches = DataLoader([(image, 0) for image in images], batch_size=4)
    trainer = quiet_trainer(max_epochs=1, callbacks=callback(tmp_path))
    with pytest.raises(UserError, match=rf"^{request.node.callspec.id}: shows images .* Pass datamodule=\.\.\. to"):
        trainer.fit(VAE(**parts), batches, batches)
