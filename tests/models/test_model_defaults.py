"""Tests that the defaults of models and networks in Python equal those of the files in conf/."""

import inspect
from functools import cache, partial
from typing import Any

import pytest
import torch
from conftest import OF_A_RUN, ROOT
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch import nn

import vae_lightning.models
import vae_lightning.networks
from vae_lightning.distributions import Autoregressive, StandardNormal, VampPrior
from vae_lightning.errors import UserError
from vae_lightning.models import (
    VQVAE,
    Adversarial,
    BetaTCVAE,
    ELBOModule,
    FewLabels,
    Hierarchical,
    LatentPrior,
    LatentVariableModel,
    QuantizedVAE,
)
from vae_lightning.networks import MLP, Burgess, Conv, Ladder, Network, ResNet, SpatialNetwork, SpatialResNet
from vae_lightning.posteriors import Gamma, InverseAutoregressiveFlow, PlanarFlow, PoincareBall, VonMisesFisher
from vae_lightning.priors import GammaPrior, MixturePrior, UniformSphere, WrappedNormalPrior

SHAPE, NUM_CLASSES = (1, 28, 28), 10
FROM_DATA = {"image_shape": SHAPE, "num_classes": NUM_CLASSES}
PRESETS = {
    "cvae": {"conditional": True},
    "cvae_gan": {"conditional": True},
    "m2": {"conditional": True},
    "vamp_vae": {"prior": VampPrior},
    "iaf_vae": {"posterior": InverseAutoregressiveFlow},
    "planar_vae": {"posterior": PlanarFlow},
    "pixel_vae": {"likelihood": partial(Autoregressive, image_shape=SHAPE)},
    "vmf_vae": {"posterior": VonMisesFisher, "prior": UniformSphere},
    "poincare_vae": {"posterior": PoincareBall, "prior": WrappedNormalPrior},
    "gamma_vae": {"posterior": Gamma, "prior": GammaPrior},
}  # a model with options other than its defaults
NETWORKS = {
    "conv": Conv,
    "mlp": MLP,
    "resnet": ResNet,
    "burgess": Burgess,
    "spatial_resnet": SpatialResNet,
    "ladder": Ladder,
}
OTHER_NETWORKS = {"celeba", "conv_batch_norm", "kim_mnih"}  # `Conv` with other options than its defaults


def files(group: str) -> list[str]:
    """Return the names of the YAML files of a config group, except that of a model that needs another one."""
    return sorted({file.stem for file in (ROOT / "conf" / group).glob("*.yaml")} - OF_A_RUN)


def preset(name: str) -> dict[str, Any]:
    """Return the options of a model other than its defaults, with a new likelihood if there is one."""
    options = PRESETS.get(name, {})
    return options | {key: build() for key, build in options.items() if key == "likelihood"}


@cache
def model_config(name: str) -> dict[str, Any]:
    """Return the resolved configuration of conf/model/<name>.yaml."""
    overrides = [f"model={name}", "data.image_shape=[1,28,28]", f"data.num_classes={NUM_CLASSES}", "run_dir=here"]
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        config = compose("train", overrides)
    return OmegaConf.to_container(config.model, resolve=True)


def model_class(name: str) -> type[ELBOModule]:
    """Return the class of conf/model/<name>.yaml."""
    return getattr(vae_lightning.models, model_config(name)["_target_"].rpartition(".")[2])


def default_arguments(cls: type) -> dict[str, Any]:
    """Return the defaults of a model's arguments, including those that it passes on to its base classes."""
    defaults: dict[str, Any] = {}
    for base in cls.__mro__[: cls.__mro__.index(LatentVariableModel) + 1]:
        for name, parameter in inspect.signature(base.__init__).parameters.items():
            if parameter.default is not inspect.Parameter.empty:
                defaults.setdefault(name, parameter.default)
    # None: a new one for each model
    return defaults | {"network": cls.default_network(), "likelihood": cls.default_likelihood()}


def comparable(value: Any) -> Any:
    """Return a form of an argument or attribute that `==` compares by content."""
    if isinstance(value, partial):
        return value.func, comparable(value.args), comparable(value.keywords)
    if isinstance(value, dict):
        return {key: comparable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [comparable(item) for item in value]
    if isinstance(value, nn.Module):
        return type(value), settings(value)
    return value


def comparable_argument(value: Any) -> Any:
    """Return the same for a class, which equals a `partial` of it with its defaults."""
    if isinstance(value, type):
        parameters = inspect.signature(value).parameters.values()
        value = partial(value, **{p.name: p.default for p in parameters if p.default is not inspect.Parameter.empty})
    return comparable(value)


def settings(module: nn.Module) -> dict[str, Any]:
    """Return the plain attributes of a module and its submodules, such as the weights of a regularizer."""
    plain = (bool, int, float, str, tuple, list, partial, type(None))
    return {
        f"{name}.{key}": comparable(value)
        for name, submodule in module.named_modules()
        for key, value in vars(submodule).items()
        if isinstance(value, plain) and not key.startswith("_")
    }


def assert_same_model(actual: ELBOModule, expected: ELBOModule) -> None:
    """Assert that two models built from the same seed have the same layers, weights and hyperparameters."""
    assert type(actual) is type(expected)
    assert repr(actual) == repr(expected)
    assert settings(actual) == settings(expected)
    weights, expected_weights = actual.state_dict(), expected.state_dict()
    assert list(weights) == list(expected_weights)
    assert all(torch.equal(weights[name], expected_weights[name]) for name in weights)


@pytest.mark.parametrize("name", files("model"))
def test_default_arguments_equal_the_yaml_file(name):
    config = model_config(name)
    defaults = default_arguments(model_class(name)) | preset(name)
    for key in config.keys() - FROM_DATA.keys() - {"_target_"}:
        value = config[key]
        if isinstance(value, dict):
            value = instantiate(value, _convert_="all")
        assert comparable_argument(defaults[key]) == comparable_argument(value), key
    assert defaults["num_classes"] is None


@pytest.mark.parametrize("name", files("model"))
def test_default_model_equals_the_model_of_the_yaml_file(name):
    torch.manual_seed(0)
    expected = instantiate(model_config(name), _convert_="all")
    torch.manual_seed(0)
    options = preset(name)
    actual = model_class(name)(
        image_shape=SHAPE, num_classes=NUM_CLASSES if options.get("conditional") else None, **options
    )
    assert_same_model(actual, expected)

    x = torch.randint(256, (4, *SHAPE), dtype=torch.uint8)
    y = torch.arange(4)
    objectives = []
    for model in (actual, expected):
        model.regularizer.dataset_size = 100
        model.warmup = 0.5
        torch.manual_seed(1)
        objectives.append(model.objective(model(x, y)))
    assert objectives[0] == objectives[1]


def test_every_model_has_a_yaml_file():
    classes = {getattr(vae_lightning.models, name) for name in vae_lightning.models.__all__} - {
        ELBOModule,
        LatentVariableModel,
        FewLabels,
        Adversarial,
        Hierarchical,
        LatentPrior,
        QuantizedVAE,
    }
    assert {model_class(name) for name in files("model")} == classes


@pytest.mark.parametrize("name", NETWORKS)
def test_default_network_equals_the_yaml_file(name):
    config = OmegaConf.load(ROOT / "conf/model/network" / f"{name}.yaml")
    expected = instantiate(config, _convert_="all")
    assert NETWORKS[name]() == expected
    assert set(vars(expected)) - {"init_arguments"} == config.keys() - {"_target_"}  # the file lists every option


def test_every_network_and_every_yaml_file_of_a_network_is_covered():
    assert set(files("model/network")) == NETWORKS.keys() | OTHER_NETWORKS
    exported = {getattr(vae_lightning.networks, name) for name in vae_lightning.networks.__all__}
    networks = {
        cls
        for cls in exported
        if inspect.isclass(cls) and issubclass(cls, Network) and cls not in (Network, SpatialNetwork)
    }
    assert networks == set(NETWORKS.values())


def test_only_the_image_shape_is_required():
    model = BetaTCVAE(image_shape=SHAPE)
    assert model.sample(4).shape == (4, *SHAPE)
    assert model.regularizer.beta == 6.0


def test_likelihood_and_network_options_are_not_shared():
    first, second = (BetaTCVAE(image_shape=SHAPE) for _ in range(2))
    assert first.likelihood is not second.likelihood
    assert Conv().channels is not Conv().channels


@pytest.mark.parametrize("prior", [StandardNormal, partial(StandardNormal), MixturePrior])
def test_models_with_codes_reject_other_priors(prior, parts):
    with pytest.raises(UserError, match=r"^model/prior: VQVAE has equally likely codes. Set model/prior=uniform_codes"):
        VQVAE(**{**parts, "latent_dim": 4, "prior": prior})
