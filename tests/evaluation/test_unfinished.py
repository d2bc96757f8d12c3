"""An evaluation that was interrupted continues with what it has computed."""

import pytest
import torch

from vae_lightning.errors import UserError
from vae_lightning.evaluation import unfinished
from vae_lightning.evaluation.context import EvaluationContext
from vae_lightning.evaluation.evaluate import evaluate
from vae_lightning.evaluation.unfinished import FOLDER, Unfinished
from vae_lightning.training.train import train

OPTIONS = {"quick": True, "images": 20, "samples": 10, "chunk": 10}  # one image per pass


class Counter:
    """Computes three rows per pass, and is interrupted in one of them."""

    def __init__(self, interrupted_in=None):
        self.passes, self.interrupted_in = [], interrupted_in

    def __call__(self, i):
        if i == self.interrupted_in:
            raise KeyboardInterrupt
        self.passes.append(i)
        return torch.full((3, 2), float(i), dtype=torch.float64)


def iterate(passes):
    return passes


def test_only_the_passes_after_an_interruption_are_computed(tmp_path):
    expected = torch.cat([Counter()(i) for i in range(5)])
    store = Unfinished(tmp_path, "key")
    for interrupted_in, computed in [(2, [0, 1]), (2, []), (4, [2, 3])]:
        counter = Counter(interrupted_in)
        with pytest.raises(KeyboardInterrupt):
            store.collect("loop", range(5), counter, iterate)
        assert counter.passes == computed
    counter = Counter()
    assert torch.equal(Unfinished(tmp_path, "key").collect("loop", range(5), counter, iterate), expected)
    assert counter.passes == [4]
    other = Counter()
    assert torch.equal(Unfinished(tmp_path, "other key").collect("loop", range(5), other, iterate), expected)
    assert other.passes == [0, 1, 2, 3, 4]
    store.remove()
    assert not (tmp_path / FOLDER).exists()


def test_a_killed_process_loses_only_the_last_seconds(tmp_path, monkeypatch):
    monkeypatch.setattr(unfinished, "SAVE_INTERVAL", 0.0)
    monkeypatch.setattr(Unfinished, "remove", lambda self: None)
    Unfinished(tmp_path, "key").collect("loop", range(5), Counter(), iterate)  # without an exception, as if killed here
    counter = Counter()
    Unfinished(tmp_path, "key").collect("loop", range(5), counter, iterate)
    assert not counter.passes


def test_damaged_files_are_named(tmp_path):
    store = Unfinished(tmp_path, "key")
    with pytest.raises(KeyboardInterrupt):
        store.collect("loop", range(5), Counter(3), iterate)
    store.write_group("likelihood", {})
    for file in store.folder.iterdir():
        file.write_bytes(file.read_bytes()[:-1] if file.suffix == ".pt" else b"{")
    with pytest.raises(UserError, match=r"loop.pt: damaged .* Delete it"):
        store.collect("loop", range(5), Counter(), iterate)
    with pytest.raises(UserError, match=r"likelihood.json: damaged .* Delete it"):
        store.read_group("likelihood")


def test_interrupted_evaluation_continues_and_gives_the_same_numbers(small, tmp_path, monkeypatch):
    train(small("trainer.max_epochs=1"))
    expected = evaluate(tmp_path / "run", only=["information", "likelihood"], **OPTIONS)
    assert not (tmp_path / "run" / FOLDER).exists()
    log_terms, images, limit = EvaluationContext.importance_log_terms, [], 7

    def interrupted_log_terms(self, indices, noise):
        if len(images) == limit:
            raise KeyboardInterrupt
        images.extend(indices.tolist())
        return log_terms(self, indices, noise)

    monkeypatch.setattr(EvaluationContext, "importance_log_terms", interrupted_log_terms)
    with pytest.raises(KeyboardInterrupt):
        evaluate(tmp_path / "run", only=["information", "likelihood"], **OPTIONS)
    monkeypatch.setattr(EvaluationContext, "encoded", property(lambda self: pytest.fail("information is finished")))
    limit = None
    assert evaluate(tmp_path / "run", only=["information", "likelihood"], **OPTIONS) == expected
    assert images == list(range(20))
    assert not (tmp_path / "run" / FOLDER).exists()
