"""The report of a sweep: complete, self-contained, and safe to open."""

import csv
import json
import re
from html.parser import HTMLParser

import pytest

from vae_lightning.cli.main import main
from vae_lightning.errors import UserError
from vae_lightning.models import VAE
from vae_lightning.report import report
from vae_lightning.training.train import train


class Page(HTMLParser):
    """The addresses, the tags and the text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.tags: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data):
        self.text += data


def test_report_is_self_contained_and_lists_every_run(sweep):
    (sweep / "multirun.yaml").write_text("hydra: {overrides: {task: ['model.beta=1,4']}}\n")
    page = report(sweep)
    assert page == sweep / "report" / "report.html"
    folder = page.parent
    pages = {path: Page(path.read_text()) for path in folder.rglob("*.html")}
    assert len(pages) == 2 + 6
    for path, parsed in pages.items():
        assert parsed.addresses
        for address in parsed.addresses:
            assert (path.parent / re.sub("[?#].*", "", address)).exists() or address == "data:,"
        assert "http" not in path.read_text()
    parsed = pages[page]
    for text in ("6 runs: 4 finished, 1 unfinished, 1 failed", "cut <off>", "RuntimeError: no memory"):
        assert text in parsed.text
    assert "vae-lightning train -m model.beta=1,4" in parsed.text
    assert "vae-lightning train model.beta=4 'data.root=a b'" in pages[folder / "run" / "deep-4-1" / "index.html"].text
    assert "Not drawn: " in parsed.text  # these runs have no checkpoints

    images = {"rate_distortion.png", "against_beta.png", "disentanglement.png", "nelbo.png"}
    assert {file.name for file in folder.iterdir()} >= images | {"report.md", "runs.csv", "summary.csv"}
    markdown = (folder / "report.md").read_text()
    assert set(re.findall(r"!\[.*?\]\((.*?)\)", markdown)) == images
    assert "84.50 ± 6.35" in markdown
    with (folder / "runs.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 6
    assert {row["state"] for row in rows} == {"finished", "unfinished", "failed"}
    assert sorted(row["beta"] for row in rows) == ["1", "1", "16", "4", "4", "64"]


def test_report_prints_commands_as_they_were_called(sweep, monkeypatch):
    monkeypatch.setattr("sys.argv", ["train.py"])
    folder = report(sweep).parent
    assert "python train.py model.beta=4" in Page((folder / "run" / "deep-4-0" / "index.html").read_text()).text
    assert "python train.py model.beta=4" in (folder / "report.md").read_text()


def test_report_without_finished_runs(sweep):
    page = report(sweep / "failed", sweep / "out")
    assert page.parent == sweep / "out"
    assert "No run has finished" in page.read_text()


def test_report_of_directory_without_runs_raises(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="there are no runs in this directory"):
        report(tmp_path)
    with pytest.raises(SystemExit, match=r"^error: .*nowhere: no such directory\. Pass one under runs/"):
        main(["report", str(tmp_path / "nowhere")])
    with pytest.raises(SystemExit, match=r"^error: latest: there are no runs"):
        main(["report", "latest"])


def test_report_latest_is_of_the_newest_sweep(make_run, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    make_run(tmp_path / "runs" / "sweeps" / "first" / "a", {"test/nelbo": 1.0})
    make_run(tmp_path / "runs" / "sweeps" / "second" / "a", {"test/nelbo": 1.0})
    main(["report", "latest"])
    assert capsys.readouterr().out.splitlines()[-1] == "runs/sweeps/second/report/report.html"
    assert "Report: second" in (tmp_path / "runs/sweeps/second/report/report.html").read_text()


def test_report_does_not_resolve_interpolations(make_run, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", "/home/secret-name")
    overrides = [f"x=${{new_folder:{tmp_path / 'created'}}}", "seed=${oc.env:HOME}"]
    root = tmp_path / "sweep"
    make_run(root / "a", {"test/nelbo": 1.0}, overrides=overrides)
    task = json.dumps(overrides)
    (root / "multirun.yaml").write_text(f"hydra: {{overrides: {{task: {task}, x: '${{oc.env:HOME}}'}}}}\n")
    folder = report(root).parent
    assert not (tmp_path / "created").exists()
    for path in (file for file in folder.rglob("*") if file.suffix in (".html", ".md", ".csv", ".js")):
        assert "secret-name" not in path.read_text()
    for name in ("report.html", "runs.csv"):
        assert "oc.env:HOME" in (folder / name).read_text()


def test_report_escapes_text_of_runs(make_run, tmp_path):
    """Names that are HTML, Markdown, formulas of a spreadsheet or of Matplotlib, and terminal escape sequences."""
    names = ["=1+1|2", "<b onclick=x>|*`_", "$\\frac$ \x1b[31m", "plain"]
    metrics = {"test/nelbo": 1.0, "test/rate": 1.0, "test/distortion": 1.0, "=<i>|`metric\x1b": 2.0}
    for i, name in enumerate(names):
        folder = make_run(tmp_path / "sweep" / f"{name}{i}", metrics, beta=i % 2, name=name, overrides=[f"name={name}"])
    (folder / "failure.txt").write_text("<b>|`failed`\x1b\n")
    out = report(tmp_path / "sweep").parent
    pages = {path: Page(path.read_text()) for path in out.rglob("*.html")}
    assert len(pages) == 2 + len(names)
    assert not any({"b", "i"} & set(page.tags) for page in pages.values())
    text = "".join(page.text for page in pages.values())
    for shown in ("=1+1|2", "<b onclick=x>|*`_", "$\\frac$ \\x1b[31m", "<b>|`failed`\\x1b", "<i>|`metric\\x1b"):
        assert shown in text
    for path in (file for file in out.rglob("*") if file.suffix in (".html", ".md", ".csv", ".js")):
        assert "\x1b" not in path.read_text()
    assert r"\<b onclick=x\>\|\*\`\_" in (out / "report.md").read_text()
    with (out / "runs.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert all(not cell.startswith("=") for row in rows for cell in [*row, *row.values()])
    assert "'=1+1|20" in [row["folder"] for row in rows]
    assert {row["test/nelbo"] for row in rows} == {"1.0"}


class OwnVAE(VAE):
    """A model that is not part of the package."""


def test_runs_of_untrusted_classes_are_left_out_of_image_grids(small, tmp_path, capsys):
    own = "model._target_=test_report_write.OwnVAE"
    for run, overrides in {"vae": [], "own": [own], "other": [own, "model.latent_dim=4"]}.items():
        train(small(*overrides, "~callbacks.figures", "trainer.max_epochs=1", run=run))
    capsys.readouterr()
    folder = report(tmp_path).parent
    assert capsys.readouterr().err == (
        "some runs have no images in the report. If you wrote their classes, add --trust test_report_write\n"
    )
    assert (folder / "compare_samples.png").exists()
    text = Page((folder / "report.html").read_text()).text
    untrusted = "names test_report_write.OwnVAE, which is not trusted"
    labels = ("OwnVAE, latent_dim = 3", "OwnVAE, latent_dim = 4")
    assert f"Not shown: {'; '.join(f'{label} ({untrusted})' for label in labels)}." in text
    report(tmp_path, trust="test_report_write")
    assert capsys.readouterr().err == ""
    assert "Not shown" not in (folder / "report.html").read_text()


def test_report_of_real_runs_draws_image_grids(small, tmp_path, capsys):
    options = ["model.latent_dim=4", "~callbacks.figures", "~callbacks.projector", "trainer.max_epochs=1"]
    for model, seed in (("ae", 0), ("cvae", 0), ("cvae", 1), ("vq_vae", 0)):
        train(small(f"model={model}", f"seed={seed}", *options, run=f"{model}-{seed}"))
    main(["report", str(tmp_path), "--out", str(tmp_path / "out")])
    assert capsys.readouterr().out.endswith(f"{tmp_path / 'out' / 'report.html'}\n")
    files = {file.name for file in (tmp_path / "out").iterdir()}
    assert files >= {"nelbo.png", *(f"compare_{name}.png" for name in ("reconstructions", "samples", "traversals"))}
