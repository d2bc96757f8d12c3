"""Ways to be wrong: each is told in one line with the remedy, before anything is written."""

import warnings

import pytest
import torch
from conftest import ROOT, SMALL
from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from vae_lightning.checkpointing.checkpoint_io import load_verified
from vae_lightning.config.error_reporting import format_error
from vae_lightning.config.validation import validate_config
from vae_lightning.errors import UserError
from vae_lightning.training.train import train

QUICK = ["~callbacks.figures", "logger=none"]


def told(folder, *typed: str) -> str:
    """What the command line says of what was typed."""
    try:
        with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
            cfg = compose("train", [f"run_dir={folder / 'run'}", *SMALL, *typed])
        validate_config(cfg)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Hydra's, of a part that is not there
            train(cfg)
    except (UserError, HydraException, OmegaConfBaseException) as error:
        return format_error(error, list(typed))
    pytest.fail(f"was taken: {typed}")


MISTAKES = {  # what is typed, and how the answer begins
    "seed=-1": "seed=-1: must be a whole number from 0 to 4294967295",
    "seed=1.5": "seed=1.5: must be a whole number from 0 to 4294967295",
    "seed=abc": "seed=abc: must be a whole number from 0 to 4294967295",
    "debug=maybe": "debug=maybe: must be true or false",
    "monitor=3": "monitor=3: must be a logged metric of train/ or val/",
    "monitor=nelbo": "monitor=nelbo: must be a logged metric of train/ or val/",
    "monitor=test/nelbo": "monitor=test/nelbo: must be a logged metric of train/ or val/",
    "monitor=val/nope": "monitor=val/nope: is not logged; type val/ and one of loss, objective",
    "monitor=train/rates": "monitor=train/rates: is not logged; type train/ and one of loss, objective",
    "monitor=val/bits_per_dim": "monitor=val/bits_per_dim: is not logged; type val/ and one of loss, objective",
    "model=ae monitor=val/nelbo": "monitor=val/nelbo: is not logged; type val/ and one of loss, objective",
    "model=nope": "model=nope: there is no such choice; type one of ae, annealed_vae, beta_tcvae, beta_vae, cvae,",
    "data=nope": "data=nope: there is no such choice; type one of celeba, cifar10, digits, dsprites,",
    "trainer=nope": "trainer=nope: there is no such choice; type one of cpu, ddp, default, gpu",
    "callbacks=nope": "callbacks=nope: there is no such choice; type one of default, minimal",
    "logger=nope": "logger=nope: there is no such choice; type one of none, tensorboard",
    "experiment=nope": "experiment=nope: there is no such choice; type one of celeba_ae, celeba_beta_tcvae,",
    "model/network=nope": "model/network=nope: there is no such choice; type one of burgess, celeba, conv, kim_mnih,",
    "model/likelihood=nope": "model/likelihood=nope: there is no such choice; type one of bernoulli,",
    "model/optimizer=nope": "model/optimizer=nope: there is no such choice; type one of adagrad, adam",
    "model/prior=nope": "model/prior=nope: there is no such choice; type one of class_conditional, standard_normal,",
    "model.latnt_dim=3": "model.latnt_dim: there is no such option; did you mean model.latent_dim or model.init_std or",
    "latent_dim=3": "latent_dim: there is no such option; did you mean model.latent_dim?",
    "model.beta=3": "model.beta: there is no such option; it belongs to model=beta_tcvae or model=beta_vae or",
    "modle=vae": "modle: there is no such option; did you mean model?",
    "lr=0.1": "lr: there is no such option; did you mean model.optimizer.lr?",
    "batch_size=3": "batch_size: there is no such option; did you mean data.eval_batch_size or data.batch_size?",
    "epochs=3": "epochs: there is no such option; did you mean trainer.max_epochs or callbacks.warmup.epochs or",
    "trainer.max_epoch=3": "trainer.max_epoch: there is no such option; did you mean trainer.max_epochs?",
    "data.batchsize=3": "data.batchsize: there is no such option; did you mean data.batch_size or data.eval_batch_size",
    "callbacks.warmup.epoch=3": "callbacks.warmup.epoch: there is no such option; did you mean trainer.max_epochs or",
    "model.network.hidden=3": "model.network.hidden: there is no such option; did you mean model.network.hidden_dims?",
    "model.latent_dim=0": "model.latent_dim=0: must be a whole number from 1 up",
    "model.latent_dim=-1": "model.latent_dim=-1: must be a whole number from 1 up",
    "model.latent_dim=two": "model.latent_dim=two: must be a whole number from 1 up",
    "model.latent_dim=2.5": "model.latent_dim=2.5: must be a whole number from 1 up",
    "model.latent_dim=null": "model.latent_dim=None: must be a whole number from 1 up",
    "model.latent_dim=[2]": "model.latent_dim=[2]: must be a whole number from 1 up",
    "model.conditional=2": "model.conditional=2: must be true or false",
    "model=beta_vae model.beta=-1": "model.beta=-1: must be a number from 0 up",
    "model=beta_vae model.beta=four": "model.beta=four: must be a number from 0 up",
    "model=beta_vae model.beta=.nan": "model.beta=.nan: must be a number from 0 up",
    "model=beta_vae model.beta=.inf": "model.beta=.inf: must be a number from 0 up",
    "model=beta_tcvae model.alpha=x": "model.alpha=x: must be a number",
    "model=factor_vae model.gamma=-1": "model.gamma=-1: must be a number from 0 up",
    "model=factor_vae model.discriminator_dims=[0]": "model.discriminator_dims=[0]: must be a list, each a whole",
    "model=factor_vae model.discriminator_dims=16": "model.discriminator_dims=16: must be a list, each a whole number",
    "model=annealed_vae model.capacity=-1": "model.capacity=-1: must be a number from 0 up",
    "model=dip_vae model.lambda_od=-1": "model.lambda_od=-1: must be a number from 0 up",
    "model=info_vae model.lambda_mmd=0": "model.lambda_mmd=0: must be a number above 0",
    "model=iwae model.num_samples=0": "model.num_samples=0: must be a whole number from 1 up",
    "model=vamp_vae model.prior.num_components=0": "model.prior.num_components=0: must be a whole number from 1 up",
    "model=hvae model.num_groups=0": "model.num_groups=0: must be a whole number from 1 up",
    "model=vq_vae model.codebook_size=1": "model.codebook_size=1: must be a whole number from 2 up",
    "model=vq_vae model.latent_dim=3 model.code_dim=2": "model.latent_dim=3: type a multiple of model.code_dim=2",
    "model=vq_vae model.decay=1": "model.decay=1: must be a number above 0, below 1",
    "model.optimizer.lr=0": "model.optimizer.lr=0: must be a number above 0",
    "model.optimizer.lr=-1": "model.optimizer.lr=-1: must be a number above 0",
    "model.optimizer.lr=fast": "model.optimizer.lr=fast: must be a number above 0",
    "model.optimizer.lr=null": "model.optimizer.lr=None: must be a number above 0",
    "model.network.hidden_dims=[0]": "model.network.hidden_dims=[0]: must be a list, each a whole number from 1 up",
    "model.network.hidden_dims=500": "model.network.hidden_dims=500: must be a list, each a whole number from 1 up",
    "model.network.activation=Tanhh": "model: module 'torch.nn' has no attribute 'Tanhh'",
    "model.init_std=0": "model.init_std=0: must be null or a number above 0",
    "model/likelihood=gaussian model.likelihood.sigma=0": "model.likelihood.sigma=0: must be a number above 0",
    "model/likelihood=gaussian model.likelihood.sigma=-1": "model.likelihood.sigma=-1: must be a number above 0",
    "model/likelihood=gaussian model.likelihood.noise=nope": "model.likelihood.noise: there is no such option; did",
    "data.image_shape=[8,8]": "data.image_shape=[8, 8]: must be [channels, height, width]",
    "data.image_shape=[1,0,8]": "data.image_shape=[1, 0, 8]: must be [channels, height, width]",
    "data.image_shape=8": "data.image_shape=8: must be [channels, height, width]",
    "data.batch_size=0": "data.batch_size=0: must be a whole number from 1 up",
    "data.batch_size=-3": "data.batch_size=-3: must be a whole number from 1 up",
    "data.batch_size=many": "data.batch_size=many: must be a whole number from 1 up",
    "data.batch_size=null": "data.batch_size=None: must be a whole number from 1 up",
    "data.eval_batch_size=0": "data.eval_batch_size=0: must be a whole number from 1 up",
    "data.val_size=-1": "data.val_size=-1: must be a whole number from 0 up",
    "data.val_size=0": "monitor=val/objective: data.val_size=0 leaves no validation set: type monitor=train/objective",
    "data.val_size=100000": "data: cannot set aside 100000 of 1437 images of 10 classes; type a val_size and a",
    "data.test_size=0": "data.test_size=0: must be a whole number from 1 up",
    "data.validation_split=test": "monitor=val/objective: the best checkpoint would be chosen by the test images,",
    "data.validation_split=nothing": "data.validation_split=nothing: choose one of val, test",
    "data.binarize=sometimes": "data.binarize=sometimes: choose one of none, fixed, dynamic",
    "data.num_classes=0": "data.num_classes=0: must be null or a whole number from 1 up",
    "data.num_classes=null model=cvae": "model.conditional=true: the data has no labels. Set model.conditional=false.",
    "data.num_classes=5 model=cvae": "data: the train labels go up to 9; type data.num_classes=10 or more",
    "data=mnist data.download=false": "data=mnist: no files in",
    "data=mnist data.download=perhaps": "data.download=perhaps: must be true or false",
    "data=image_folder": "data.root: has no default; type data.root=...",
    "data=image_folder data.root=nowhere": "data.root=nowhere: there is no such folder",
    "data=celeba data.root=nowhere data.download=false": "data=celeba: no images under",
    "data=celeba data.crop=0": "data.crop=0: must be null, square, the side of a square in the centre, or [left, top,",
    "data=dsprites data.root=nowhere data.download=false": "data=dsprites: no",
    "trainer.max_epochs=0": "trainer.max_epochs=0: must be a whole number from 1 up",
    "trainer.max_epochs=-1": "trainer.max_epochs=-1: must be a whole number from 1 up",
    "trainer.max_epochs=1.5": "trainer.max_epochs=1.5: must be a whole number from 1 up",
    "trainer.max_epochs=null": "trainer.max_epochs=None: must be a whole number from 1 up",
    "trainer.accelerator=nope": "trainer: You selected an invalid accelerator name: `accelerator='nope'`. Available",
    "trainer.devices=0": "trainer.devices=0: must be auto, or how many, or a list of their numbers",
    "trainer.devices=1000000000": "trainer.devices=1000000000: must be auto, or how many, or a list of their numbers",
    "trainer.devices='1000000000'": "trainer.devices=1000000000: must be auto, or how many, or a list of their numbers",
    "trainer.devices=1000": "trainer.devices=1000: each is a process on this CPU; type at most",
    "trainer.devices=many": "trainer: `devices` selected with `CPUAccelerator` should be an int > 0.",
    "trainer.precision=12": "trainer.precision=12: must be one of 32-true, bf16-mixed, 16-mixed, 64-true",
    "trainer.precision=bf16-true": "trainer.precision=bf16-true: must be one of 32-true, bf16-mixed, 16-mixed, 64-true",
    "trainer.strategy=nope": "trainer.strategy: there is no such option; it belongs to trainer=ddp; type that as well",
    "trainer.log_every_n_steps=0": "trainer.log_every_n_steps=0: must be a whole number from 1 up",
    "+trainer.nope=1": "trainer: Trainer.__init__() got an unexpected keyword argument 'nope'",
    "callbacks.last.every_n_train_steps=0": "callbacks.last.every_n_train_steps=0: must be null or a whole number",
    "callbacks.warmup.epochs=-1": "callbacks.warmup.epochs=-1: must be a whole number from 0 up",
    "callbacks.warmup.steps=0": "callbacks.warmup.steps=0: must be null or a whole number from 1 up",
    "callbacks.warmup.epochs=2 callbacks.warmup.steps=3": "callbacks.warmup: give epochs or steps, not both; type",
    "callbacks.warmup.schedule=square": "callbacks.warmup.schedule=square: choose one of linear, cosine, sigmoid,",
    "callbacks.warmup.ramp=0": "callbacks.warmup.ramp=0: must be a number above 0, at most 1",
    "callbacks.warmup.ramp=2": "callbacks.warmup.ramp=2: must be a number above 0, at most 1",
    "callbacks.warmup.cycles=0": "callbacks.warmup.cycles=0: must be a whole number from 1 up",
    "callbacks.warmup.schedule=cyclical callbacks.warmup.epochs=3": "callbacks.warmup: 4 cycles in 3 are too many to",
    "callbacks.collapse.patience=0": "callbacks.collapse.patience=0: must be a whole number from 1 up",
    "callbacks.collapse.min_rate=-1": "callbacks.collapse.min_rate=-1: must be a number from 0 up",
    "callbacks.figures.every_n_epochs=0": "callbacks.figures.every_n_epochs=0: must be a whole number from 1 up",
    "callbacks.figures.final=[nope]": "callbacks.figures.final=nope: choose from reconstructions, samples,",
    "callbacks.figures.periodic=[nope]": "callbacks.figures.periodic=nope: choose from reconstructions,",
    "resume=nowhere": "nowhere: there is no such run or checkpoint; type a folder under runs/, or a .ckpt file in one",
    "resume=.": ".: no checkpoints/last.ckpt or best.ckpt in this folder; type a run's folder",
    "model._target_=nope": "model: Error loading 'nope'",
    "model._target_=vae_lightning.models.Nope": "model: Error loading 'vae_lightning.models.Nope'",
    "+model.nope=1": "model: ELBOModule.__init__() got an unexpected keyword argument 'nope'",
    "+callbacks.mine._target_=nope.Nope": "callbacks.mine: Error loading 'nope.Nope'",
    "model.latent_dim=${nope}": "Interpolation key 'nope' not found full_key: model.latent_dim object_type=dict",
    "model.latent_dim=???": "model.latent_dim: has no default; type model.latent_dim=...",
    "model=[": "cannot read model=[: type name=value",
    "name=a/b": "name=a/b: must be the name of one folder",
    "name=[1]": "name=[1]: must be the name of one folder",
    "sweep=null": "sweep=None: must be the name of one folder",
    "~data": "data.image_shape: there is no such option; did you mean",
    "model.latent_dim=1000000000": "model.latent_dim=1000000000: must be a whole number from 1 up, at most 1",
    "data.batch_size=100000000000000000000": "data.batch_size=100000000000000000000: must be a whole number from",
    "model.optimizer.lr=1e39": "model.optimizer.lr=1e+39: must be a number above 0",
    "model.optimizer=5": "model.optimizer=5: must be a choice of its group, with a _target_",
    "model.optimizer._partial_=once": "model.optimizer._partial_=once: must be true or false",
    "+model.optimizer.nope=1": "TypeError: Adam.__init__() got an unexpected keyword argument 'nope'; nothing was",
    "model=factor_vae model.discriminator_optimizer.betas=[1]": "model.discriminator_optimizer.betas=[1]: must be",
    "model.network=3": "model.network=3: must be a choice of its group, with a _target_",
    "model=annealed_vae model.gamma=3e38": "model: loss and objective of the first images is infinite or no number",
    "data.seed={a:1}": "data.seed={'a': 1}: must be a whole number from 0 to 4294967295",
    "data.image_shape=[1,1000000,1000000]": "RuntimeError: [enforce fail at",
    "data._target_=vae_lightning.networks.MLP": "data: MLP.__init__() got an unexpected keyword",
    "trainer.num_sanity_val_steps=some": "trainer.num_sanity_val_steps=some: must be a whole number from -1 up",
    "callbacks.warmup=3": "callbacks.warmup=3: must be null, or have a _target_",
    "+callbacks.collapse.a=1": "callbacks.collapse: CollapseMonitor.__init__() got an unexpected keyword argument",
    "+callbacks.mine._target_=vae_lightning.data.EpochSampler": "callbacks.mine: Order.__init__() missing 1 required",
    "+callbacks.mine._target_=builtins.dict": "mine: dict is no Callback; type another mine._target_",
    "callbacks.best.filename=mine": "callbacks.best: is looked for as best.ckpt in the run's checkpoints/; leave out",
    "callbacks.last.dirpath=elsewhere": "callbacks.last: is looked for as last.ckpt in the run's checkpoints/; leave",
    "callbacks.figures.title=[1]": "callbacks.figures.title=[1]: must be text",
    "model=beta_vae model/prior=class_conditional": "model/prior=class_conditional: requires labels. Set model.conditional=true as well.",
    "model=beta_tcvae model/prior=vamp": "model/prior: BetaTCVAE requires N(0, I). Set model/prior=standard_normal.",
}


@pytest.mark.parametrize("typed", MISTAKES)
def test_a_mistake_is_told_in_one_line_and_leaves_nothing(typed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    line = told(tmp_path, *typed.split())
    assert line.startswith(MISTAKES[typed])
    assert "\n" not in line
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """What a checkpoint of the small run holds."""
    folder = tmp_path_factory.mktemp("made")
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        train(compose("train", [f"run_dir={folder}", *SMALL, *QUICK, "trainer.max_epochs=1"]))
    return load_verified(folder / "checkpoints" / "last.ckpt")


def without(checkpoint, *names):
    return {name: value for name, value in checkpoint.items() if name not in names}


FOREIGN = {
    "lacks images_seen, which": lambda c: without(c, "images_seen"),
    "lacks warmup, means, random_state, which": lambda c: without(c, "warmup", "means", "random_state"),
    "lacks optimizer_states, callbacks, loops, which": lambda c: without(c, "optimizer_states", "callbacks", "loops"),
    "lacks epoch, which": lambda c: c | {"epoch": "one"},
    "is not a checkpoint of this project": lambda c: without(c, "config"),
    "is not a checkpoint of this project;": lambda c: c["state_dict"],
    "is not a checkpoint of this project; type": lambda c: [c],
    "cannot be resumed (RuntimeError: Error(s) in loading state_dict": lambda c: (
        c | {"state_dict": {"w": torch.zeros(1)}}
    ),
    "cannot be resumed (KeyError: 'param_groups')": lambda c: c | {"optimizer_states": [{}]},
    "lacks loops, which": lambda c: c | {"loops": {"fit_loop": {}}},
    "cannot be resumed (TypeError: RNG state must be a torch.ByteTensor); start a new run": lambda c: (
        c | {"random_state": [{**c["random_state"][0], "torch": torch.zeros(3)}]}
    ),
    "model.latent_dim=3: it is 4 in": lambda c: c | {"config": with_latents(c["config"], 4)},
    "trainer.max_epochs=2: ": lambda c: c | {"epoch": 7},
}


def with_latents(config, latent_dim):
    return config | {"model": config["model"] | {"latent_dim": latent_dim}}


@pytest.mark.parametrize("expected", FOREIGN)
def test_a_checkpoint_that_does_not_fit_is_told(expected, checkpoint, tmp_path):
    torch.save(FOREIGN[expected](checkpoint), tmp_path / "other.ckpt")
    line = told(tmp_path, *QUICK, f"resume={tmp_path / 'other.ckpt'}")
    assert expected in line
    assert "other.ckpt" in line
    assert "\n" not in line
