"""An evaluation that was interrupted continues with what it has computed."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from vae_lightning.errors import UserError
from vae_lightning.evaluation import evaluate as evaluation
from vae_lightning.evaluation import unfinished
from vae_lightning.evaluation.context import EvaluationContext
from vae_lightning.evaluation.evaluate import evaluate
from vae_lightning.evaluation.results import Result
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


def collect(folder, counter, key="key"):
    return Unfinished(folder, "group", key).collect("loop", range(5), counter, iterate)


def test_only_the_passes_after_an_interruption_are_computed(tmp_path):
    expected = torch.cat([Counter()(i) for i in range(5)])
    for interrupted_in, computed in [(2, [0, 1]), (2, []), (4, [2, 3])]:
        counter = Counter(interrupted_in)
        with pytest.raises(KeyboardInterrupt):
            collect(tmp_path, counter)
        assert counter.passes == computed
    counter = Counter()
    assert torch.equal(collect(tmp_path, counter), expected)
    assert counter.passes == [4]
    other = Counter()
    assert torch.equal(collect(tmp_path, other, "other key"), expected)
    assert other.passes == [0, 1, 2, 3, 4]
    Unfinished(tmp_path, "group", "key").remove()
    counter = Counter()
    collect(tmp_path, counter, "other key")
    assert not counter.passes  # the whole loop has been kept
    Unfinished(tmp_path, "group", "other key").remove()
    assert not (tmp_path / FOLDER).exists()


def test_a_killed_process_loses_only_the_last_seconds(tmp_path, monkeypatch):
    monkeypatch.setattr(unfinished, "SAVE_INTERVAL", 0.0)
    writes = []
    monkeypatch.setattr(Unfinished, "write_parts", lambda self, parts, file: writes.append(len(parts)))
    collect(tmp_path, Counter())
    assert writes == [1, 2, 3, 4, 5]


def test_time_before_an_interruption_counts(tmp_path):
    store = Unfinished(tmp_path, "group", "key")
    store.start -= 100
    store.write_results({"number": Result(1.0, note="nats"), "missing": Result(None), "infinite": Result(float("inf"))})
    continued = Unfinished(tmp_path, "group", "key")
    assert 100 < continued.seconds < 110
    assert continued.read_results() == store.read_results()
    assert continued.read_results()["infinite"].value == float("inf")


def test_an_evaluation_goes_on_if_nothing_can_be_kept(tmp_path, caplog):
    (tmp_path / FOLDER).touch()
    assert len(collect(tmp_path, Counter())) == 15
    assert "cannot be written (Not a directory" in caplog.text or "cannot be written ([Errno 20]" in caplog.text
    with pytest.raises(KeyboardInterrupt):
        collect(tmp_path, Counter(3))


def test_damaged_files_are_named(tmp_path):
    store = Unfinished(tmp_path, "group", "key")
    with pytest.raises(KeyboardInterrupt):
        store.collect("loop", range(5), Counter(3), iterate)
    store.write_results({})
    (store.folder / "loop.pt").write_bytes(b"{")
    (store.folder / "results.json").write_bytes(b"{")
    with pytest.raises(UserError, match=r"loop.pt: damaged .* Delete it"):
        store.collect("loop", range(5), Counter(), iterate)
    with pytest.raises(UserError, match=r"results.json: damaged .* Delete it"):
        store.read_results()


class Interruption:
    """Interrupts an evaluation when it has estimated the likelihood of some images."""

    def __init__(self, monkeypatch, limit):
        self.images, self.limit, self.log_terms = [], limit, EvaluationContext.importance_log_terms
        monkeypatch.setattr(EvaluationContext, "importance_log_terms", lambda *args: self(*args))

    def __call__(self, context, indices, noise):
        if len(self.images) == self.limit:
            raise KeyboardInterrupt
        self.images.extend(indices.tolist())
        return self.log_terms(context, indices, noise)


def test_interrupted_evaluation_continues_and_gives_the_same_numbers(small, tmp_path, monkeypatch, capsys):
    train(small("trainer.max_epochs=1"))
    groups = {"only": ["information", "likelihood"]}
    expected = evaluate(tmp_path / "run", **groups, **OPTIONS)
    assert not (tmp_path / "run" / FOLDER).exists()
    interruption = Interruption(monkeypatch, limit=7)
    with pytest.raises(KeyboardInterrupt):
        evaluate(tmp_path / "run", **groups, **OPTIONS)
    interruption.limit = None
    evaluate(tmp_path / "run", only=["downstream"], **OPTIONS)  # leaves the other groups as they are
    monkeypatch.setattr(EvaluationContext, "encoded", property(lambda self: pytest.fail("information is finished")))
    torch.manual_seed(1)
    assert evaluate(tmp_path / "run", **groups, **OPTIONS) == expected
    assert "continuing the interrupted evaluation of likelihood" in capsys.readouterr().out
    assert interruption.images == list(range(20))
    assert not (tmp_path / "run" / FOLDER).exists()


def test_nothing_is_kept_of_other_images(small, tmp_path, monkeypatch):
    generator = np.random.default_rng(0)

    def write_images():
        for split, n in (("train", 8), ("val", 4), ("test", 6)):
            (tmp_path / "images" / split).mkdir(parents=True, exist_ok=True)
            for i in range(n):
                pixels = generator.integers(0, 256, (8, 8), dtype=np.uint8)
                Image.fromarray(pixels).save(tmp_path / "images" / split / f"{i}.png")

    write_images()
    data = ["data=image_folder", f"data.root={tmp_path / 'images'}", "data.image_shape=[1,8,8]", "data.cache=null"]
    train(small(*data, "trainer.max_epochs=1"))
    interruption = Interruption(monkeypatch, limit=3)
    with pytest.raises(KeyboardInterrupt):
        evaluate(tmp_path / "run", only=["likelihood"], **OPTIONS)
    write_images()
    interruption.limit = None
    interruption.images.clear()
    evaluate(tmp_path / "run", only=["likelihood"], **OPTIONS)
    assert interruption.images == list(range(6))


def test_peers_and_a_background_model_have_different_keys(small, tmp_path, monkeypatch):
    for seed in (0, 1):
        train(small("trainer.max_epochs=1", f"seed={seed}", run=str(seed)))
    keys = []
    monkeypatch.setattr(
        evaluation, "Unfinished", lambda run_dir, group, key: keys.append(key) or Unfinished(run_dir, group, key)
    )
    options = {"only": ["anomaly"], "against": ["digits", "data.image_shape=[1,8,8]"], **OPTIONS}
    evaluate(tmp_path / "0", **options, peers=[tmp_path / "1"])
    evaluate(tmp_path / "0", **options, background=tmp_path / "1")
    assert len(set(keys)) == 2
    keys.clear()
    evaluate(tmp_path / "0", **options, peers=[tmp_path / "0", tmp_path / "1"])
    assert len(json.loads(keys[0])["peers"]) == 1  # a run is no peer of itself
    with pytest.raises(UserError, match=r"^--peers=.*0: is the evaluated run itself\. Name runs with other seeds"):
        evaluate(tmp_path / "0", **options, peers=[tmp_path / "0"])
    assert json.loads(keys[0])["models"][1] is None
