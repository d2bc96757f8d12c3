"""Tests of numbers of the model that change during training."""

import math

import lightning as L
import pytest

from vae_lightning.callbacks.schedule import Schedule, interpolated
from vae_lightning.checkpointing.loading import load_model
from vae_lightning.errors import UserError
from vae_lightning.models import IWAE
from vae_lightning.training.train import train

QUICK = ["~callbacks.figures", "logger=none"]  # 2 epochs of 5 batches
JOINT = ["model=joint_vae", "model.categories=[2]"]


class Record(L.Callback):
    """Records a number of the model in each training batch, and after training."""

    values: list[float] = []  # noqa: RUF012 - shared, since Hydra creates the callback

    def __init__(self, attribute: str) -> None:
        self.attribute = attribute

    def read(self, _, model: L.LightningModule, *__) -> None:
        value = model
        for name in self.attribute.split("."):
            value = getattr(value, name)
        Record.values.append(value)

    on_train_batch_end = read
    on_test_start = read


def schedule(attribute: str, **options) -> list[str]:
    """Return the overrides that add a schedule and record its attribute."""
    Record.values = []
    options = "".join(f", {name}: {value}" for name, value in options.items())
    return [
        f"+callbacks.schedule={{_target_: vae_lightning.callbacks.Schedule, attribute: {attribute}{options}}}",
        f"+callbacks.record={{_target_: test_schedule.Record, attribute: {attribute}}}",
    ]


def test_curves_at_hand_computed_points():
    assert [interpolated(1.0, 3.0, p, "linear") for p in (-1, 0, 0.25, 1, 7)] == [1, 1, 1.5, 3, 3]
    assert interpolated(1.0, 0.25, 0.5, "exponential") == pytest.approx(0.5)
    assert interpolated(0.0, 4.0, 0.25, "cosine") == pytest.approx(4 * math.sin(math.pi / 8) ** 2)
    assert interpolated(0.0, 4.0, 1, "cosine") == 4


def test_number_changes_with_every_batch_up_to_its_configured_value(small, tmp_path):
    options = schedule("posterior.temperature", start=1.07, steps=4, delay=2)
    metrics = train(small(*QUICK, *JOINT, *options))
    expected = [1.07, 1.07, 1.07, 0.97, 0.87, 0.77, *[0.67] * 4, 0.67]
    assert Record.values == pytest.approx(expected)
    assert metrics["train/temperature"] == pytest.approx(0.67)
    assert load_model(tmp_path / "run").posterior.temperature == 0.67


def test_number_changes_with_every_epoch_and_is_restored_after_training(small):
    options = schedule("regularizer.gamma", start=1.0, epochs=2, curve="exponential")
    metrics = train(small(*QUICK, *JOINT, "model.gamma=9", *options))
    assert Record.values == pytest.approx([*[1.0] * 5, *[3.0] * 5, 9.0])
    assert metrics["train/gamma"] == pytest.approx(3.0)  # logged by the model itself


def test_integers_are_rounded(small):
    train(small(*QUICK, "model=iwae", "model.num_samples=5", *schedule("num_samples", start=1, steps=8)))
    assert Record.values == [1, 2, 2, 2, 3, 4, 4, 4, 5, 5, 5]
    assert all(isinstance(value, int) for value in Record.values)


def test_resumed_run_continues_the_schedule(small, tmp_path):
    options = [*QUICK, *JOINT, *schedule("posterior.temperature", start=2.0, steps=20)]
    expected = train(small(*options, run="long"))
    recorded = Record.values
    Record.values = []
    train(small(*options, "trainer.max_epochs=1", run="short"))
    train(small(*options, f"resume={tmp_path / 'short'}", run="short"))
    assert Record.values == [*recorded[:5], 0.67, *recorded[5:]]
    assert train(small(*options, f"resume={tmp_path / 'short'}", run="short")) == expected


def test_configured_value_survives_an_interruption(parts):
    """A Trainer that is interrupted leaves the number as it was then."""
    model, callback = IWAE(**parts, num_samples=5), Schedule(attribute="num_samples", start=1, steps=8)
    callback.setup(None, model, "fit")
    model.num_samples = 2
    callback.setup(None, model, "fit")
    assert callback.end == 5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"attribute": "posterior.temprature"}, r"^attribute=posterior\.temprature: GumbelSoftmax has no number temp"),
        ({"attribute": "prosterior.temperature"}, r"^attribute=prosterior\.temperature: JointVAE has no prosterior"),
        ({"attribute": "training"}, r"^attribute=training: JointVAE has no number training\. Use one of "),
        ({"curve": "exponential", "start": 0.0}, r"^curve=exponential: posterior\.temperature goes from 0 to 0\.67"),
    ],
)
def test_invalid_schedules_are_rejected_before_anything_is_written(options, message, small, tmp_path):
    valid = {"attribute": "posterior.temperature", "start": 1.0, "epochs": 1}
    with pytest.raises(UserError, match=message):
        train(small(*QUICK, *JOINT, *schedule(**{**valid, **options})))
    assert not (tmp_path / "run").exists()


def test_invalid_arguments_are_rejected():
    with pytest.raises(UserError, match=r"^curve=sudden: not a valid choice\. Choose one of linear, cosine"):
        Schedule(attribute="gamma", start=1.0, epochs=1, curve="sudden")
    with pytest.raises(UserError, match=r"^schedule of gamma: has epochs=1 and steps=3\. Set one of them"):
        Schedule(attribute="gamma", start=1.0, epochs=1, steps=3)
