"""Tests of what the page shows of a run."""

import io
import json

import numpy as np
import pytest
import torch
from explorer_runs import train_small
from PIL import Image

from vae_lightning.explorer.contents import (
    MAX_THUMBNAIL,
    NUM_DRAWS,
    latent_sizes,
    page_files,
    png,
    prior_draws,
    site_files,
    slider_range,
    thumbnail_images,
)
from vae_lightning.explorer.explore import load_runs
from vae_lightning.models import HVAE, VAE
from vae_lightning.models.encoding import Encoded


@pytest.fixture(scope="module")
def explored(tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    return load_runs([train_small(root / "a", "model=cvae", "name=same"), train_small(root / "b", "name=same")])


def test_points_are_the_means_of_test_images(explored):
    run = explored[0]
    x, y = run.run.data.splits["test"]
    index = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    points = np.frombuffer(run.files["points.bin"], "<f4").reshape(-1, 3)
    with torch.no_grad():
        expected = run.run.model.encode(x[index], y[index]).mean
    assert np.allclose(points, expected.numpy(), atol=1e-6)
    assert run.manifest["labels"] == y[index].tolist()
    assert run.manifest["labelNames"] == [str(k) for k in range(10)]


def test_latents_are_sorted_by_kl():
    kl = torch.tensor([[1.0, 3.0, 2.0], [1.0, 5.0, 0.0]])
    sizes, order = latent_sizes(Encoded(torch.zeros(2, 3), torch.zeros(2, 3), None, kl, torch.zeros(2, 3)))
    assert sizes.tolist() == [1, 4, 1]
    assert order[0] == 1
    mean = torch.tensor([[0.0, 1.0], [0.0, 2.0]])
    _, order = latent_sizes(Encoded(mean, torch.zeros(2, 2), None, None, mean))
    assert order.tolist() == [1, 0]


def test_sliders_cover_99_percent_of_the_aggregate_posterior():
    z = torch.stack([torch.arange(1001.0), torch.full((1001,), 2.0)], dim=1)
    low, high = slider_range(z)
    assert low.tolist() == [5, 1]
    assert high.tolist() == [995, 3]


def test_prior_of_a_plain_model(parts):
    model = VAE(**parts)
    draws, means = prior_draws(model.eval())
    assert draws.shape == (1, NUM_DRAWS, 3)
    assert means.tolist() == [[0, 0, 0]]


def test_prior_mean_of_a_hierarchy_is_estimated(parts):
    model = HVAE(**parts)
    with torch.no_grad():
        draws, means = prior_draws(model.eval())
    assert torch.equal(means[0], draws[0].mean(0))


def test_thumbnails_keep_their_proportions():
    x = torch.full((2, 3, 64, 96), 128, dtype=torch.uint8)
    small = thumbnail_images(x)
    assert small.shape == (2, 3, 21, MAX_THUMBNAIL)
    assert torch.allclose(small, torch.tensor(128 / 255))


@pytest.mark.parametrize(("shape", "size"), [((1, 100), (1, 32)), ((8, 300), (1, 32)), ((300, 8), (32, 1))])
def test_thumbnails_of_vectors_and_wide_images_have_a_pixel(shape, size):
    small = thumbnail_images(torch.rand(5, 1, *shape))
    assert small.shape == (5, 1, *size)
    picture = Image.open(io.BytesIO(png(small)))
    assert picture.size == (3 * size[1], 3 * size[0])


def test_site_has_the_page_and_the_runs(explored):
    files = site_files(explored, "server")
    manifest = json.loads(files["runs.json"])
    assert manifest["backend"] == "server"
    assert [run["name"] for run in manifest["runs"]] == ["same, a", "same, b"]
    assert manifest["runs"][0]["condition"] == {"kind": "class", "names": [str(k) for k in range(10)]}
    assert manifest["runs"][1]["condition"] is None
    assert Image.open(io.BytesIO(files["runs/0/thumbnails.png"])).width % 8 == 0
    assert page_files().keys() <= files.keys()


def test_page_names_only_files_that_exist():
    files = page_files()
    assert {"index.html", "style.css", "main.js", "backend.js"} <= files.keys()
    for name, content in files.items():
        for line in content.decode().splitlines():
            if line.startswith("import "):
                assert line.rpartition("./")[2].rstrip('";') in files, f"{name}: {line}"
