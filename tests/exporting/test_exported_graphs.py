"""Tests of exported encoders, decoders and samplers, against the model they come from."""

import sys

import pytest
import torch

from vae_lightning.cli.main import main
from vae_lightning.distributions import Autoregressive, ClassConditional
from vae_lightning.errors import UserError
from vae_lightning.exporting import graph_files as module
from vae_lightning.exporting.formats import FORMATS, torch_export
from vae_lightning.exporting.graph_files import TOLERANCE, compare, largest_deviation, serialize, write_graphs
from vae_lightning.exporting.graphs import DecoderGraph, EncoderGraph, SamplerGraph, graphs_of
from vae_lightning.models import AE, HIWAE, HVAE, VAE, VDVAE, VQVAE, JointVAE, LatentPrior
from vae_lightning.networks import Ladder
from vae_lightning.posteriors import Gamma, InverseAutoregressiveFlow
from vae_lightning.priors import FlowMatching, GammaPrior, MixturePrior


@pytest.fixture
def build(parts):
    """Return a function that builds a small frozen model with random weights."""

    def build_model(cls=VAE, **options):
        model = cls(**{**parts, **options})
        model.freeze()
        return model

    return build_model


def test_encoder_returns_the_parameters_of_the_posterior(build, images):
    x = images.float() / 255
    model = build()
    mean, logvar = EncoderGraph(model)(x)
    assert torch.equal(mean, model.encode(x).mu)
    assert torch.equal(logvar, model.encode(x).logvar)
    assert EncoderGraph(model).output_names == ["mean", "logvar"]
    assert EncoderGraph(build(AE)).output_names == ["mean"]


def test_decoder_takes_one_hot_conditions(build):
    model = build(conditional=True)
    z, y = torch.randn(4, 3), torch.tensor([0, 3, 9, 3])
    (image,) = DecoderGraph(model)(z, torch.nn.functional.one_hot(y, 10).float())
    assert torch.equal(image, model.decode(z, y).mean)
    assert DecoderGraph(model).input_names == ["z", "condition"]


def test_noise_of_a_standard_normal_prior_is_z(build):
    model = build()
    sampler = SamplerGraph(model)
    z = torch.randn(5, 3)
    assert sampler.noise_dim == 3
    assert torch.equal(sampler(z)[0], model.decode(z).mean)


def test_sampler_of_a_class_conditional_prior(build):
    model = build(conditional=True, prior=ClassConditional)
    torch.nn.init.normal_(model.prior.mu.weight)
    noise, y = torch.randn(2, 3), torch.eye(10)[[4, 5]]
    z = model.prior.mu(y) + torch.exp(0.5 * model.prior.logvar(y)) * noise
    assert torch.allclose(SamplerGraph(model)(noise, y)[0], model.decode(z, y).mean)


def test_sampler_of_a_mixture_takes_one_more_variable(build):
    assert SamplerGraph(build(prior=MixturePrior)).noise_dim == 3 + 1


@pytest.mark.parametrize("name", FORMATS)
def test_exported_files_run_at_any_batch_size(build, tmp_path, name):
    model = build(conditional=True)
    deviations = write_graphs(model, tmp_path, name)
    suffix = FORMATS[name].suffix
    assert [path.name for path in deviations] == [f"encoder{suffix}", f"decoder{suffix}", f"sampler{suffix}"]
    for (path, deviation), graph in zip(deviations.items(), graphs_of(model), strict=True):
        assert deviation <= TOLERANCE
        run = FORMATS[name].load(path.read_bytes(), graph.input_names)
        inputs = graph.example(11, seed=11)
        assert largest_deviation(run(*inputs), graph(*inputs)) <= TOLERANCE


OTHERS = {
    "hvae": (HVAE, {}),
    "hiwae": (HIWAE, {}),
    "iaf": (VAE, {"posterior": InverseAutoregressiveFlow}),
    "vdvae": (VDVAE, {"network": Ladder(channels=[4, 4], groups=[1, 1]), "latent_dim": 2}),
    "vq_vae": (VQVAE, {"latent_dim": 4}),
    "joint_vae": (JointVAE, {"latent_dim": 13}),
    "gamma": (VAE, {"posterior": Gamma, "prior": GammaPrior}),
}


@pytest.mark.parametrize("name", OTHERS)
def test_models_with_other_latents_are_traced_for_any_batch_size(build, name):
    cls, options = OTHERS[name]
    for graph in graphs_of(build(cls, **options)):
        with torch.no_grad():
            program = torch_export(graph).module()
            inputs = graph.example(7)
            assert largest_deviation(program(*inputs), graph(*inputs)) <= TOLERANCE


def test_deviation_is_relative_to_large_values():
    assert largest_deviation([torch.tensor([10.1, 1.0])], [torch.tensor([9.0, 1.0])]) == pytest.approx(0.11)
    assert largest_deviation([torch.zeros(2)], [torch.zeros(3)]) == float("inf")
    assert largest_deviation([torch.tensor([float("nan")])], [torch.zeros(1)]) == float("inf")


def test_file_that_deviates_is_not_written(build, tmp_path, monkeypatch):
    wrong = FORMATS["torchscript"]._replace(load=lambda content, names: lambda x: [x[:, :3], x[:, :3]])
    monkeypatch.setitem(FORMATS, "torchscript", wrong)
    with pytest.raises(UserError, match=r"--format=torchscript: the encoder of VAE deviates from PyTorch by inf"):
        write_graphs(build(), tmp_path, "torchscript")
    assert not list(tmp_path.iterdir())


def test_graph_that_depends_on_values_names_the_model(build):
    class Branching(DecoderGraph):
        def forward(self, z):
            return (z if z.sum() > 0 else -z,)

    problem = r"--format=pt2: the decoder of VAE cannot be exported \(.*\)\. Try another of onnx, safetensors, torch"
    with pytest.raises(UserError, match=problem):
        serialize(Branching(build()), "pt2")


def test_operator_that_onnx_lacks_is_named(build, tmp_path):
    """ONNX has no gamma function, which quantiles of the prior require."""
    problem = (
        r"sampler of VAE cannot be exported \(DispatchError: .*lgamma.*\)\. Try .*, or export the rest with --only\."
    )
    with pytest.raises(UserError, match=problem):
        write_graphs(build(posterior=Gamma, prior=GammaPrior), tmp_path, "onnx")


def test_all_tested_batch_sizes_are_compared(build):
    graph = DecoderGraph(build())
    seen = []

    def load(content, names):
        return lambda z: seen.append(len(z)) or graph(z)

    assert compare(graph, FORMATS["pt2"]._replace(load=load), b"") == 0
    assert seen == [1, 3, 5]


def test_prior_with_a_loop_over_the_batch_is_named(build, tmp_path):
    model = LatentPrior(autoencoder=build(), prior=FlowMatching)
    problem = r"sampler: FlowMatching samples in a loop .* Export the rest with --only encoder,decoder"
    with pytest.raises(UserError, match=problem):
        write_graphs(model, tmp_path, "torchscript")
    assert not list(tmp_path.iterdir())
    files = write_graphs(model, tmp_path, "torchscript", ["encoder", "decoder"])
    assert [path.name for path in files] == ["encoder.pt", "decoder.pt"]
    with pytest.raises(UserError, match=r"--only=prior: not a valid choice"):
        write_graphs(model, tmp_path, "torchscript", ["prior"])


def test_images_decoded_pixel_by_pixel_are_not_exported(build, tmp_path):
    model = build(likelihood=Autoregressive(image_shape=(1, 8, 8)))
    for graph in ("decoder", "sampler"):
        with pytest.raises(UserError, match=r"decoded pixel by pixel.*--only encoder"):
            write_graphs(model, tmp_path, "torchscript", [graph])
    assert [path.name for path in write_graphs(model, tmp_path, "torchscript", ["encoder"])] == ["encoder.pt"]


def test_missing_package_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(UserError, match=r"--format=onnx: the package onnxscript is missing. Run pip install"):
        module.export_graphs(tmp_path)


def test_command_writes_a_folder_in_the_run(small, capsys):
    from vae_lightning.training.train import train

    cfg = small("~callbacks.figures", "logger=none", "trainer.max_epochs=1")
    train(cfg)
    main(["export", cfg.run_dir, "--format", "torchscript"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == f"{cfg.run_dir}/torchscript/sampler.pt  largest deviation from PyTorch: 0e+00"
    with pytest.raises(SystemExit, match=r"error: --format=tflite: not a valid choice"):
        main(["export", cfg.run_dir, "--format", "tflite"])
