"""Figures of the codes and of single images, compared with values known in advance."""

import numpy as np
import pytest
import torch
from figure_inputs import build_data, build_model

from vae_lightning.data import Batch
from vae_lightning.figures.context import FigureContext
from vae_lightning.figures.probe_images import probe_images
from vae_lightning.figures.registry import draw_figures


def draw(ctx: FigureContext, name: str):
    ((_, figure),) = draw_figures(ctx, [name])
    return figure


def test_extreme_reconstructions_are_sorted_by_nelbo(small):
    """The nelbo of the model's own objective, for one image at a time."""
    model, data = build_model(small), build_data(small)
    with torch.no_grad():
        model.posterior.logvar.weight.zero_()
        model.posterior.logvar.bias.fill_(-30)  # so that draws are the means
    figure = draw(FigureContext(model, data), "extreme_reconstructions")
    x, y = probe_images(data, 500)
    with torch.no_grad():
        terms = [model.objective(model(x[i : i + 1], y[i : i + 1])) for i in range(len(x))]
    nelbo = sorted(float(term["distortion"] + term["rate"]) for term in terms)
    axes = figure.axes[0]
    drawn = [label.get_text() for label in axes.get_xticklabels()] + [text.get_text() for text in axes.texts]
    assert drawn == [f"{value:.0f}" for value in nelbo[:10] + nelbo[:-11:-1]]


def test_extreme_reconstructions_of_few_images_show_none_twice(small):
    model, data = build_model(small), build_data(small)
    for images, columns in {7: 3, 4: 2, 3: 1, 1: 1}.items():
        data.splits["val"] = Batch(*(tensor[:images] for tensor in data.splits["val"]))
        figure = draw(FigureContext(model, data), "extreme_reconstructions")
        assert figure.axes[0].images[0].get_array().shape[1] == 9 * columns - 1


def test_extreme_reconstructions_of_an_autoencoder_are_sorted_by_distortion(small):
    model, data = build_model(small, "model=ae"), build_data(small)
    figure = draw(FigureContext(model, data), "extreme_reconstructions")
    x, _ = probe_images(data, 500)
    with torch.no_grad():
        distortion = -model(x).px.log_prob(x.float() / 255)
    assert figure.axes[0].get_xticklabels()[0].get_text() == f"{distortion.min():.0f}"


def test_manifold_of_an_autoencoder_spans_its_codes(small):
    """Nothing keeps them close to N(0, I)."""
    model, data = build_model(small, "model=ae", "model.latent_dim=2"), build_data(small)
    with torch.no_grad():
        model.posterior.code[0].weight.mul_(50)
        codes = model.encode(*probe_images(data, 500)).mean
    axes = draw(FigureContext(model, data), "manifold").axes[0]
    for ticks, z in ((axes.get_xticklabels(), codes[:, 0]), (axes.get_yticklabels(), codes[:, 1])):
        ends = [float(ticks[i].get_text().replace("\N{MINUS SIGN}", "-")) for i in (0, -1)]
        assert ends == pytest.approx(torch.quantile(z, torch.tensor([0.025, 0.975])).tolist(), abs=0.01)


def test_factor_information_finds_the_factor_that_a_latent_encodes(small, monkeypatch):
    """Latent 1 is the first factor; the second does not vary."""
    model, data = build_model(small), build_data(small)
    data.label_names, data.num_classes = ["shape", "constant", "other"], None
    generator = torch.Generator().manual_seed(0)
    for name, (x, _) in data.splits.items():
        factors = torch.randint(4, (len(x), 3), generator=generator)
        factors[:, 1] = 2
        x[:] = 60 * factors[:, :1, None, None]
        data.splits[name] = Batch(x, factors)
    monkeypatch.setattr("vae_lightning.figures.latent_space.posterior_means", first_pixels)
    figure = draw(FigureContext(model, data), "factor_information")
    axes = figure.axes[0]
    values = axes.images[0].get_array()
    assert [label.get_text() for label in axes.get_xticklabels()] == ["shape", "other"]
    np.testing.assert_allclose(values[0], 0, atol=1e-9)
    np.testing.assert_allclose(values[1, 0], 1)
    assert values[1, 1] < 0.05


def first_pixels(ctx: FigureContext, n: int):
    x, y = ctx.images(n)
    return torch.stack([0 * x[:, 0, 0, 0], x[:, 0, 0, 0]], dim=1), y


def test_class_manifolds_decode_the_plane_of_each_class(small):
    overrides = ["model=cvae", "model.latent_dim=2"]
    model, data = build_model(small, *overrides), build_data(small, *overrides)
    figure = draw(FigureContext(model, data), "class_manifolds")
    assert [axes.get_title() for axes in figure.axes] == [str(k) for k in range(10)]
    with torch.no_grad():
        corner = model.decode(torch.tensor([[-1.6449, 1.6449]]), torch.tensor([3])).mean  # the 5% and 95% quantiles
    np.testing.assert_allclose(figure.axes[3].images[0].get_array()[:8, :8], corner[0, 0], atol=1e-4)
