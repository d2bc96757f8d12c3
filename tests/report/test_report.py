"""Many runs to one table and one page: worked numbers, every run told, nothing fetched from anywhere."""

import csv
import json
import math
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from omegaconf import OmegaConf
from torch.utils.tensorboard import SummaryWriter

from vae_lightning.cli import main
from vae_lightning.errors import UserError
from vae_lightning.report import report
from vae_lightning.report.collect import Run, find_runs
from vae_lightning.report.curves import curves, mean_curve
from vae_lightning.report.document import Mean
from vae_lightning.report.table import grouped, half_width, save, summary, varying
from vae_lightning.train import train

MODELS = {"vae": "vae_lightning.models.VAE", "beta_vae": "vae_lightning.models.BetaVAE"}


def put(root: Path, name: str, model: str, beta: float, seed: int, **metrics: float) -> Path:
    """A run's folder as training leaves it, without checkpoints."""
    folder = root / name
    config = {
        "run_dir": str(folder),
        "name": f"{model}-digits",
        "seed": seed,
        "resume": None,
        "model": {"_target_": MODELS[model], "beta": beta, "latent_dim": 2},
        "data": {"_target_": "vae_lightning.data.DigitsDataModule", "seed": seed},
        "trainer": {"default_root_dir": str(folder)},
    }
    (folder / ".hydra").mkdir(parents=True)
    OmegaConf.save(OmegaConf.create(config), folder / ".hydra" / "config.yaml")
    OmegaConf.save(OmegaConf.create([f"model.beta={beta}", "data.root=a b"]), folder / ".hydra" / "overrides.yaml")
    numbers = {key.replace("__", "/"): value for key, value in metrics.items()}
    (folder / "metrics.json").write_text(json.dumps({**numbers, "evaluation": {"notes": []}}))
    return folder


@pytest.fixture
def sweep(tmp_path) -> Path:
    """β of 1 and 4 with seeds 0 and 1, disentanglement evaluated; a run cut off and one that failed."""
    root = tmp_path / "sweep"
    for beta in (1, 4):
        for seed in (0, 1):
            metrics = {"test__rate": 10.0 / beta, "test__distortion": 80.0 + beta + seed, "test__nelbo": 95.0}
            mig = {"disentanglement__mig": 0.1 * beta, "disentanglement__mig_std": 0.01}
            folder = put(root, f"deep/{beta},{seed}", "beta_vae", beta, seed, **metrics, **mig)
            with SummaryWriter(str(folder)) as writer:
                for seen in (100, 200):
                    writer.add_scalar("train/nelbo", 100 + seed - seen / 10, seen)
    put(root, "cut <off>", "beta_vae", 16, 0, train__nelbo=100.0)
    (put(root, "failed", "beta_vae", 64, 0, test__nelbo=1.0) / "failure.txt").write_text("RuntimeError: no memory\n")
    return root


def test_the_interval_is_students():
    assert half_width([1.0, 3.0]) == pytest.approx(12.706205)  # t(0.975, 1) √2 / √2
    assert half_width([1.0, 2.0, 3.0, 4.0]) == pytest.approx(3.182446 * math.sqrt(5 / 3) / 2)
    assert math.isnan(half_width([1.0]))
    assert str(Mean(1.0, math.nan)) == "1.00"
    assert str(Mean(85.0, 0.25)) == "85.00 ± 0.25"


def test_columns_are_what_differs_and_does_not_follow(sweep):
    runs = find_runs(sweep)
    assert varying(runs) == ["beta"]  # neither the seed, the data's copy of it, the name, nor the folder
    runs.append(Run(sweep, "x", options={**runs[0].options, "model": "VAE", "name": "vae-digits"}))
    assert varying(runs) == ["model", "beta"]


def test_groups_are_runs_that_differ_in_their_seed_alone(sweep):
    runs = find_runs(sweep)
    groups = grouped(runs, ["beta"])
    assert [(group.options, len(group.runs)) for group in groups] == [({"beta": 1}, 2), ({"beta": 4}, 2)]
    assert groups[1].mean("test/distortion") == 84.5
    assert groups[1].half_width("test/distortion") == pytest.approx(12.706205 / 2)
    row = summary(groups, ["test/rate"])[0]
    assert row == {"beta": 1, "metric": "test/rate", "runs": 2, "mean": 10.0, "low": 10.0, "high": 10.0}


def test_unfinished_and_failed_runs_are_told_with_their_reason(sweep):
    (sweep / "deep" / "1,0" / "metrics.json").write_text("{")
    states = {run.name: (run.state, run.reason) for run in find_runs(sweep)}
    assert states["failed"] == ("failed", "RuntimeError: no memory")
    assert states["cut <off>"][0] == "unfinished"
    assert "before its first checkpoint" in states["cut <off>"][1]
    assert states["deep/1,0"][0] == "failed"
    assert "a file cannot be read" in states["deep/1,0"][1]
    assert sum(state == "finished" for state, _ in states.values()) == 3


def test_of_epochs_that_were_written_twice_the_last_counts(tmp_path):
    for value in (1.0, 2.0):  # a run that was cut off and resumed
        with SummaryWriter(str(tmp_path), filename_suffix=str(value)) as writer:
            writer.add_scalar("val/nelbo", value, 100)
    assert curves(tmp_path, "val/nelbo", "no/tag") == {"val/nelbo": {100: 2.0}}
    assert mean_curve([{1: 2.0, 2: 3.0}, {1: 4.0}]) == {1: 3.0}
    assert mean_curve([]) == {}


class Page(HTMLParser):
    """Every address in a page, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.addresses += [value for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data):
        self.text += data


def test_the_page_needs_nothing_else_and_tells_of_every_run(sweep):
    (sweep / "multirun.yaml").write_text("hydra: {overrides: {task: ['model.beta=1,4']}}\n")
    page = report(sweep)
    assert page == sweep / "report" / "report.html"
    parsed = Page(page.read_text())
    assert parsed.addresses
    assert all(address.startswith("data:image/png;base64,") for address in parsed.addresses)
    assert "http" not in re.sub(r"base64,[^\"]*", "", page.read_text())
    for told in ("6 runs: 4 finished, 1 unfinished, 1 failed", "cut <off>", "RuntimeError: no memory"):
        assert told in parsed.text
    assert "python train.py -m model.beta=1,4" in parsed.text
    assert "python train.py model.beta=4 'data.root=a b'" in parsed.text
    assert "Not drawn: " in parsed.text  # these runs have no checkpoints

    folder = page.parent
    images = {"rate_distortion.png", "against_beta.png", "disentanglement.png", "elbo.png"}
    assert {file.name for file in folder.iterdir()} >= images | {"report.md", "runs.csv", "summary.csv"}
    markdown = (folder / "report.md").read_text()
    assert set(re.findall(r"!\[.*?\]\((.*?)\)", markdown)) == images
    assert "84.50 ± 6.35" in markdown
    with (folder / "runs.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 6
    assert {row["state"] for row in rows} == {"finished", "unfinished", "failed"}
    assert sorted(row["beta"] for row in rows) == ["1", "1", "16", "4", "4", "64"]


def test_a_report_of_nothing_finished_says_so(sweep):
    page = report(sweep / "failed", sweep / "out")
    assert page.parent == sweep / "out"
    assert "No run is finished" in page.read_text()


def test_a_folder_without_runs_is_told(tmp_path, capsys):
    with pytest.raises(UserError, match="there are no runs in this folder"):
        report(tmp_path)
    with pytest.raises(SystemExit, match=r"^error: .*there are no runs"):
        main(["report", str(tmp_path / "nowhere")])


def test_real_runs_are_drawn_side_by_side(small, tmp_path, capsys):
    options = ["model.latent_dim=4", "~callbacks.figures", "~callbacks.projector", "trainer.max_epochs=1"]
    for model, seed in (("ae", 0), ("cvae", 0), ("cvae", 1), ("vq_vae", 0)):
        train(small(f"model={model}", f"seed={seed}", *options, run=f"{model}-{seed}"))
    main(["report", str(tmp_path), "--out", str(tmp_path / "out")])
    assert capsys.readouterr().out.endswith(f"{tmp_path / 'out' / 'report.html'}\n")
    files = {file.name for file in (tmp_path / "out").iterdir()}
    assert files >= {"elbo.png", *(f"compare_{name}.png" for name in ("reconstructions", "samples", "traversals"))}


def test_a_table_is_saved_whether_or_not_there_are_rows(tmp_path):
    save([], tmp_path / "none.csv")
    save([{"a": 1, "b": None}, {"a": "x", "b": 2.5}], tmp_path / "some.csv")
    assert (tmp_path / "some.csv").read_text().splitlines() == ["a,b", "1,", "x,2.5"]
