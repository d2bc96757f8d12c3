"""Curves read from TensorBoard files, and their means."""

from torch.utils.tensorboard import SummaryWriter

from vae_lightning.report.curves import curves, mean_curve


def test_curves_use_the_values_logged_last(tmp_path):
    for value in (1.0, 2.0):  # a run that was interrupted and resumed
        with SummaryWriter(str(tmp_path), filename_suffix=str(value)) as writer:
            writer.add_scalar("val/nelbo", value, 100)
    assert curves(tmp_path, "val/nelbo", "no/tag") == {"val/nelbo": {100: 2.0}}


def test_mean_curve_has_the_points_that_all_curves_share():
    assert mean_curve([{1: 2.0, 2: 3.0}, {1: 4.0}]) == {1: 3.0}
    assert mean_curve([]) == {}
