"""Tests that invalid configurations are reported on one line with a fix, before anything is written."""

import warnings

import pytest
import torch
from conftest import ROOT, SMALL
from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from vae_lightning.checkpointing.checkpoint_io import load_verified
from vae_lightning.config.error_reporting import format_error
from vae_lightning.config.overrides import normalize
from vae_lightning.config.validation import validate_config
from vae_lightning.errors import UserError
from vae_lightning.training.train import train

QUICK = ["~callbacks.figures", "logger=none"]


def error_line(directory, *overrides: str) -> str:
    """Return the error that the command line prints for these overrides."""
    has_ladder = {"model=vdvae", "model/network=ladder"} & {*overrides}
    small = [option for option in SMALL if not (has_ladder and "network" in option)]
    try:
        with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
            cfg = compose("train", normalize([f"run_dir={directory / 'run'}", *small, *overrides]))
        validate_config(cfg)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            train(cfg)
    except (UserError, HydraException, OmegaConfBaseException) as error:
        return format_error(error, list(overrides))
    pytest.fail(f"no error for {overrides}")


ERRORS = {  # overrides -> start of the error
    "seed=-1": "seed=-1: must be an integer from 0 to 4,294,967,295.",
    "seed=1.5": "seed=1.5: must be an integer from 0 to 4,294,967,295.",
    "seed=abc": "seed=abc: must be an integer from 0 to 4,294,967,295.",
    "debug=maybe": "debug=maybe: must be true or false.",
    "monitor=3": "monitor=3: must be a logged metric that starts with train/ or val/.",
    "monitor=nelbo": "monitor=nelbo: must be a logged metric that starts with train/ or val/.",
    "monitor=test/nelbo": "monitor=test/nelbo: must be a logged metric that starts with train/ or val/.",
    "monitor=val/nope": "monitor=val/nope: not logged. Use val/ followed by one of loss, objective, distortion,",
    "monitor=train/rates": "monitor=train/rates: not logged. Use train/ followed by one of loss, objective,",
    "monitor=val/bits_per_dim": "monitor=val/bits_per_dim: not logged. Use val/ followed by one of loss, objective,",
    "monitor=val/mig": "monitor=val/mig: not logged. Use val/ followed by one of loss, objective, distortion,",
    "monitor=train/knn callbacks.metrics.names=[knn]": "monitor=train/knn: not logged. Use train/ followed by one of",
    "callbacks.metrics.names=[mgi]": "callbacks.metrics.names=mgi: not a valid choice. Choose one of mig,",
    "callbacks.metrics.names=[knn] callbacks.metrics.num_images=1": "callbacks.metrics.names=knn: requires two images.",
    "callbacks.metrics.names=knn": "callbacks.metrics.names=knn: must be a list. Use callbacks.metrics.names=[knn].",
    "model=cvae callbacks.metrics.names=[knn]": "callbacks.metrics.names=knn: requires an encoder that is not given",
    "callbacks.metrics.names=[knn,mig]": "callbacks.metrics.names=mig: requires factors. Set data=sprites or",
    "model=ae callbacks.metrics.names=[exact_mutual_information]": "callbacks.metrics.names=exact_mutual_information:",
    "callbacks.metrics.names=[knn] data.val_size=0 monitor=train/loss": "callbacks.metrics.names: there are no",
    "callbacks.metrics.num_images=0": "callbacks.metrics.num_images=0: must be an integer >= 1.",
    "callbacks.best.mode=best": "callbacks.best: `mode` can be min, max but got best.",
    "model=ae monitor=val/nelbo": "monitor=val/nelbo: not logged. Use val/ followed by one of loss, objective,",
    "model=nope": "model=nope: no such choice. Choose one of aae, ada_gvae, ada_ml_vae, ae,",
    "data=nope": "data=nope: no such choice. Choose one of arrays, binarized_mnist, caltech_silhouettes,",
    "~trainer.max_epochs trainer.max_steps=5": "trainer.max_epochs: is missing. Set a number beyond trainer.max_steps",
    "trainer=nope": "trainer=nope: no such choice. Choose one of cpu, ddp, default, gpu.",
    "callbacks=nope": "callbacks=nope: no such choice. Choose one of deep, default, minimal.",
    "logger=nope": "logger=nope: no such choice. Did you mean none? Choose one of csv, mlflow, none, tensorboard,",
    "experiment=nope": "experiment=nope: no such choice. Choose one of celeba_ae, celeba_beta_tcvae,",
    "model/netwrk=mlp": "model/netwrk: no such option. Did you mean model/network?",
    "model/network=nope": "model/network=nope: no such choice. Choose one of burgess, celeba, conv, conv_batch_norm,",
    "model/likelihood=nope": "model/likelihood=nope: no such choice. Choose one of absolute_error, autoregressive,",
    "model/optimizer=nope": "model/optimizer=nope: no such choice. Choose one of adagrad, adam, adamax, adamw, sgd.",
    "model/prior=nope": "model/prior=nope: no such choice. Choose one of autoregressive_flow, class_conditional,",
    "model.latnt_dim=3": "model.latnt_dim: no such option. Did you mean model.latent_dim?",
    "latent_dim=3": "latent_dim: no such option. Did you mean model.latent_dim?",
    "model.beta=3": "model.beta: no such option. It belongs to model=beta_vae or model=beta_tcvae or",
    "modle=vae": "modle: no such option. Did you mean model?",
    "lr=0.1": "lr: no such option. Did you mean model.optimizer.lr?",
    "batch_size=3": "batch_size: no such option. Did you mean data.eval_batch_size or data.batch_size?",
    "epochs=3": "epochs: no such option. Did you mean trainer.max_epochs or callbacks.warmup.epochs or",
    "trainer.max_epoch=3": "trainer.max_epoch: no such option. Did you mean trainer.max_epochs?",
    "data.batchsize=3": "data.batchsize: no such option. Did you mean data.batch_size or data.eval_batch_size?",
    "callbacks.warmup.epoch=3": "callbacks.warmup.epoch: no such option. Did you mean callbacks.warmup.epochs?",
    "model.network.hidden=3": "model.network.hidden: no such option. Did you mean model.network.hidden_dims?",
    "model.latent_dim=0": "model.latent_dim=0: must be an integer from 1 to 1,000,000.",
    "model.latent_dim=-1": "model.latent_dim=-1: must be an integer from 1 to 1,000,000.",
    "model.latent_dim=two": "model.latent_dim=two: must be an integer from 1 to 1,000,000.",
    "model.latent_dim=2.5": "model.latent_dim=2.5: must be an integer from 1 to 1,000,000.",
    "model.latent_dim=null": "model.latent_dim=null: must be an integer from 1 to 1,000,000.",
    "model.latent_dim=[2]": "model.latent_dim=[2]: must be an integer from 1 to 1,000,000.",
    "model.conditional=2": "model.conditional=2: must be true or false.",
    "model=beta_vae model.beta=-1": "model.beta=-1: must be a number >= 0.",
    "model=beta_vae model.beta=four": "model.beta=four: must be a number >= 0.",
    "model=beta_vae model.beta=.nan": "model.beta=.nan: must be a number >= 0.",
    "model=beta_vae model.beta=.inf": "model.beta=.inf: must be a number >= 0.",
    "model=beta_tcvae model.alpha=x": "model.alpha=x: must be a number.",
    "model=factor_vae model.gamma=-1": "model.gamma=-1: must be a number >= 0.",
    "model=factor_vae model.discriminator_dims=[0]": "model.discriminator_dims=[0]: must be a list, each an integer",
    "model=autoencoder_kl model.discriminator_channels=[]": "model.discriminator_channels=[]: must be a list of",
    "model=autoencoder_kl model.discriminator_start=-1": "model.discriminator_start=-1: must be a number >= 0.",
    "model=ada_gvae": "data.pairs=null: AdaGVAE learns from pairs of images. Set data=sprites or data=dsprites, and",
    "model=ada_ml_vae model.conditional=true": "model.conditional=true: AdaMLVAE learns from pairs without classes.",
    "data=sprites data.image_shape=[1,16,16] data.pairs=0": "data.pairs=0: must be null, random or an integer >= 1.",
    "data=sprites data.image_shape=[1,16,16] data.pairs=9": "data.pairs=9: only 5 of the factors have several values.",
    "model=vade model/prior=standard_normal": "model/prior: VaDE requires a mixture. Set model/prior=gaussian_mixture.",
    "model=vade model.prior.covariance=round": "model.prior.covariance=round: not a valid choice. Choose one of full,",
    "model=vade model.pretrain_epochs=-1": "model.pretrain_epochs=-1: must be an integer >= 0.",
    "model=s2_beta_vae": "data: S2BetaVAE requires the factors of each image, which this data does not have. Set",
    "model=s2_beta_vae data=sprites data.image_shape=[1,16,16] model.latent_dim=4": "model.latent_dim=4: S2BetaVAE req",
    "model=tvae data=sprites data.image_shape=[1,16,16]": "model=tvae: triplets require one class per image, which",
    "model=tvae model.margin=-1": "model.margin=-1: must be a number >= 0.",
    "model=m2 model.conditional=false": "model.conditional=false: M2 requires classes. Set model.conditional=true.",
    "model=m2 model.classification_weight=-1": "model.classification_weight=-1: must be a number >= 0.",
    "model=cvae data.labeled_per_class=5": "data.labeled_per_class=5: VAE with model.conditional=true requires the",
    "data.labeled_per_class=0": "data.labeled_per_class=0: must be null or an integer >= 1.",
    "data.labeled_per_class=1000": "data.labeled_per_class=1000: the smallest class has",
    "model=cvae_gan model.conditional=false": "model.conditional=false: CVAEGAN requires classes. Set",
    "model=factor_vae model.discriminator_dims=16": "model.discriminator_dims=16: must be a list, each an integer",
    "model=annealed_vae model.capacity=-1": "model.capacity=-1: must be a number >= 0.",
    "model=annealed_vae model.initial_capacity=-1": "model.initial_capacity=-1: must be a number >= 0.",
    "model=free_bits_vae model.group_size=2": "model.group_size=2: must divide 3, the number of latents. Set",
    "model=geco_vae model.tolerance=low": "model.tolerance=low: must be a number.",
    "model=geco_vae model.step_size=0": "model.step_size=0: must be a number > 0.",
    "model=dip_vae model.lambda_od=-1": "model.lambda_od=-1: must be a number >= 0.",
    "model=info_vae model.lambda_mmd=0": "model.lambda_mmd=0: must be a number > 0.",
    "model=wae model.bandwidth_factors=[]": "model.bandwidth_factors=[]: must be a list of at least 1 value, each a",
    "model=swae model.power=0.5": "model.power=0.5: must be a number >= 1.",
    "model=iwae model.num_samples=0": "model.num_samples=0: must be an integer from 1 to 1,000,000.",
    "model=iwae model.gradient=score": "model.gradient=score: not a valid choice. Choose one of standard, stl, dreg.",
    "model=miwae model.num_bounds=0": "model.num_bounds=0: must be an integer from 1 to 1,000,000.",
    "model=ciwae model.elbo_weight=2": "model.elbo_weight=2: must be a number from 0 to 1.",
    "model=vamp_vae model.prior.num_components=0": "model.prior.num_components=0: must be an integer from 1 to",
    "model=hiwae model.upper_dims=[0]": "model.upper_dims=[0]: must be a list, each an integer from 1 to 1,000,000.",
    "model=hiwae model/prior=vamp": "model/prior=vamp: requires a Gaussian posterior. Set model/prior=standard_normal.",
    "model=hvae model/prior=flow_matching": "model/prior: FlowMatching has no density. Learn it for a trained run:",
    "model=hvae model/prior=uniform_sphere": "model/prior: UniformSphere is a distribution of unit vectors, but",
    "model=hvae model.num_groups=0": "model.num_groups=0: must be an integer from 1 to 1,000.",
    "model=vdvae model.network.groups=[]": "model.network.groups=[]: must be a list of at least 1 value",
    "model=vdvae model.network.groups=[1]": "model.network.groups=[1]: must be 4 numbers. Set one per entry of",
    "model=vdvae model.network.groups=[1,1,1,0]": "model.network.groups=[1, 1, 1, 0]: the last level, the top of",
    "model=vdvae model/network=mlp": "model/network: VDVAE requires latents at several resolutions. Set",
    "model/network=ladder": "model/network: VAE does not support latents at several resolutions. Set model=vdvae, or",
    "model=vdvae model/prior=gaussian_mixture": "model/prior: VDVAE requires N(0, I). Set",
    "callbacks=deep callbacks.gradient_skip.max_norm=0": "callbacks.gradient_skip.max_norm=0: must be a number > 0.",
    "model=vq_vae model.codebook_size=1": "model.codebook_size=1: must be an integer from 2 to 1,000,000.",
    "model=vq_vae model.latent_dim=3 model.code_dim=2": "model.latent_dim=3: must be a multiple of 2, the",
    "model=vq_vae model.decay=1": "model.decay=1: must be a number > 0 and < 1.",
    "model.optimizer.lr=0": "model.optimizer.lr=0: must be a number > 0.",
    "model.optimizer.lr=-1": "model.optimizer.lr=-1: must be a number > 0.",
    "model.optimizer.lr=fast": "model.optimizer.lr=fast: must be a number > 0.",
    "model.optimizer.lr=null": "model.optimizer.lr=null: must be a number > 0.",
    "model.network.hidden_dims=[0]": "model.network.hidden_dims=[0]: must be a list, each an integer from 1 to",
    "model.network.hidden_dims=500": "model.network.hidden_dims=500: must be a list, each an integer from 1 to",
    "model.network.activation=Tanhh": "model: module 'torch.nn' has no attribute 'Tanhh'. To see its options, run",
    "model.init_std=0": "model.init_std=0: must be null or a number > 0.",
    "model/likelihood=gaussian model.likelihood.sigma=0": "model.likelihood.sigma=0: must be a number > 0.",
    "model/likelihood=gaussian model.likelihood.sigma=-1": "model.likelihood.sigma=-1: must be a number > 0.",
    "model/likelihood=gaussian model.likelihood.noise=nope": "model.likelihood.noise: no such option. The options are",
    "data.image_shape=[8,8]": "data.image_shape=[8, 8]: must be [channels, height, width].",
    "data.image_shape=[1,0,8]": "data.image_shape=[1, 0, 8]: must be [channels, height, width].",
    "data.image_shape=8": "data.image_shape=8: must be [channels, height, width].",
    "data.image_shape=null": "data.image_shape=null: must be [channels, height, width].",
    "data.batch_size=0": "data.batch_size=0: must be an integer >= 1.",
    "data.batch_size=-3": "data.batch_size=-3: must be an integer >= 1.",
    "data.batch_size=many": "data.batch_size=many: must be an integer >= 1.",
    "data.batch_size=null": "data.batch_size=null: must be an integer >= 1.",
    "data.eval_batch_size=0": "data.eval_batch_size=0: must be an integer >= 1.",
    "data.val_size=-1": "data.val_size=-1: must be an integer >= 0.",
    "data.val_size=0": "monitor=val/objective: there is no validation set, since data.val_size=0. Set",
    "data.val_size=100000": "data: cannot hold out 100000 of 1437 images of 10 classes. Set data.val_size and",
    "data.test_size=0": "data.test_size=0: must be an integer >= 1.",
    "data.validation_split=test": "monitor=val/objective: would choose the best checkpoint by the test images,",
    "data.validation_split=nothing": "data.validation_split=nothing: not a valid choice. Choose one of val, test.",
    "data.binarize=sometimes": "data.binarize=sometimes: not a valid choice. Choose one of none, fixed, dynamic.",
    "data.flip=sometimes": "data.flip=sometimes: must be true or false.",
    "data.num_classes=0": "data.num_classes=0: must be null or an integer from 1 to 1,000,000.",
    "data.num_classes=5 model=cvae": "data.num_classes=5: the train labels go up to 9. Set 10 or more.",
    "data=mnist data.download=false": "data=mnist: no files in",
    "data=mnist data.download=perhaps": "data.download=perhaps: must be true or false.",
    "data=image_folder": "data.root: has no default. Set data.root=...",
    "data=image_folder data.root=nowhere": "data.root=nowhere: no such directory. Set data.root",
    "data=arrays": "data.root: has no default. Set data.root=...",
    "data=arrays data.root=nowhere": "data.root=nowhere: no such file. Set data.root to an .npz or .npy file.",
    "data=celeba data.root=nowhere data.download=false": "data=celeba: no images under",
    "data=celeba data.crop=0": "data.crop=0: must be null, square, the side of a centered square, or [left, top,",
    "data=celeba data.crop=[0,0,0,5]": "data.crop=[0, 0, 0, 5]: must be null, square, the side of a centered square,",
    "data=celeba data.crop=[5,9,9,5]": "data.crop=[5, 9, 9, 5]: must be null, square, the side of a centered square,",
    "data=dsprites data.root=nowhere data.download=false": "data=dsprites: no",
    "trainer.max_epochs=0": "trainer.max_epochs=0: must be an integer >= 1.",
    "trainer.max_epochs=-1": "trainer.max_epochs=-1: must be an integer >= 1.",
    "trainer.max_epochs=1.5": "trainer.max_epochs=1.5: must be an integer >= 1.",
    "trainer.max_epochs=null": "trainer.max_epochs=null: must be an integer >= 1.",
    "trainer.accelerator=nope": "trainer: You selected an invalid accelerator name: `accelerator='nope'`. Available",
    "trainer.devices=0": "trainer.devices=0: must be auto, a number of devices, or a list of their indices.",
    "trainer.devices=1000000000": "trainer.devices=1000000000: must be auto, a number of devices, or a list of",
    "trainer.devices='1000000000'": "trainer.devices=1000000000: must be auto, a number of devices, or a list of",
    "trainer.devices=1000": "trainer.devices=1000: each is a process on this CPU. Use at most 8.",
    "trainer.devices=many": "trainer: `devices` selected with `CPUAccelerator` should be an int > 0. To see its",
    "trainer.precision=12": "trainer.precision=12: must be one of 32-true, bf16-mixed, 16-mixed, 64-true.",
    "trainer.precision=bf16-true": "trainer.precision=bf16-true: must be one of 32-true, bf16-mixed, 16-mixed,",
    "trainer.strategy=nope": "trainer: You selected an invalid strategy name: `strategy='nope'`.",
    "trainer.log_every_n_steps=0": "trainer.log_every_n_steps=0: must be an integer >= 1.",
    "+trainer.nope=1": "trainer.nope: no such option. The options are trainer.accelerator, trainer.devices,",
    "callbacks.last.every_n_train_steps=0": "callbacks.last.every_n_train_steps=0: must be null or an integer >= 1.",
    "callbacks.warmup.epochs=-1": "callbacks.warmup.epochs=-1: must be an integer >= 0.",
    "callbacks.warmup.steps=0": "callbacks.warmup.steps=0: must be null or an integer >= 1.",
    "callbacks.warmup.epochs=2 callbacks.warmup.steps=3": "callbacks.warmup: both epochs and steps are set. Set",
    "callbacks.warmup.schedule=square": "callbacks.warmup.schedule=square: not a valid choice. Choose one of",
    "callbacks.warmup.ramp=0": "callbacks.warmup.ramp=0: must be a number > 0 and <= 1.",
    "callbacks.warmup.ramp=2": "callbacks.warmup.ramp=2: must be a number > 0 and <= 1.",
    "callbacks.warmup.cycles=0": "callbacks.warmup.cycles=0: must be an integer >= 1.",
    "callbacks.warmup.schedule=cyclical callbacks.warmup.epochs=3": "callbacks.warmup.cycles=4: too many for a",
    "callbacks.collapse.patience=0": "callbacks.collapse.patience=0: must be an integer >= 1.",
    "callbacks.collapse.min_rate=-1": "callbacks.collapse.min_rate=-1: must be a number >= 0.",
    "callbacks.figures.every_n_epochs=0": "callbacks.figures.every_n_epochs=0: must be an integer >= 1.",
    "callbacks.figures.final=[nope]": ("callbacks.figures.final=nope: no such figure. Choose from reconstructions,"),
    "callbacks.figures.periodic=[nope]": (
        "callbacks.figures.periodic=nope: no such figure. Choose from reconstructions,"
    ),
    "resume=nowhere": "nowhere: no such run or checkpoint. Pass a directory under runs/, or a .ckpt file in one.",
    "resume=.": ".: no checkpoints/last.ckpt or best.ckpt here. Pass a run directory.",
    "model._target_=nope": "model._target_=nope: cannot be imported (ModuleNotFoundError(\"No module named 'nope'\"))",
    "model._target_=vae_lightning.models.Nope": "model._target_=vae_lightning.models.Nope: cannot be imported (",
    "+model.nope=1": "model.nope: no such option. The options are model.network, model.likelihood,",
    "+callbacks.mine._target_=nope.Nope": "callbacks.mine._target_=nope.Nope: cannot be imported (",
    "model.latent_dim=${nope}": "Interpolation key 'nope' not found full_key: model.latent_dim object_type=dict",
    "model.latent_dim=???": "model.latent_dim: has no default. Set model.latent_dim=...",
    "model=[": "model=[: cannot be parsed. Use name=value, or 'name=\"value\"' with special characters.",
    "name=a/b": "name=a/b: must be the name of a single directory.",
    "name=[1]": "name=[1]: must be the name of a single directory.",
    "sweep=null": "sweep=null: must be the name of a single directory.",
    "~data": "data.image_shape: no such option. Did you mean model.image_shape?",
    "model.latent_dim=1000000000": "model.latent_dim=1000000000: must be an integer from 1 to 1,000,000.",
    "data.batch_size=100000000000000000000": "data.batch_size=100000000000000000000: must be an integer >= 1.",
    "model.optimizer.lr=1e39": "model.optimizer.lr=1e+39: must be a number > 0.",
    "model.optimizer=5": "model.optimizer=5: must be a choice of its config group, with a _target_.",
    "model.optimizer._partial_=once": "model.optimizer._partial_=once: must be true or false.",
    "+model.optimizer.nope=1": "TypeError: Adam.__init__() got an unexpected keyword argument 'nope'. Nothing was",
    "model=factor_vae model.discriminator_optimizer.betas=[1]": "model.discriminator_optimizer.betas=[1]: must be a",
    "model.network=3": "model.network=3: must be a choice of its config group, with a _target_.",
    "model=annealed_vae model.gamma=3e38": "model: loss and objective of the first images are not finite, before",
    "data.seed={a:1}": "data.seed={'a': 1}: must be an integer from 0 to 4,294,967,295.",
    "data.image_shape=[1,1000000,1000000]": "RuntimeError: [enforce fail at",
    "data._target_=vae_lightning.networks.MLP": "data: MLP.__init__() got an unexpected keyword",
    "trainer.num_sanity_val_steps=some": "trainer.num_sanity_val_steps=some: must be an integer >= -1.",
    "callbacks.warmup=3": "callbacks.warmup=3: must be null or have a _target_.",
    "+callbacks.collapse.a=1": "callbacks.collapse.a: no such option. The options are callbacks.collapse.min_rate,",
    "+callbacks.mine._target_=vae_lightning.data.EpochSampler": "callbacks.mine: EpochSampler.__init__() missing 1",
    "+callbacks.mine._target_=builtins.dict": "callbacks.mine: dict is not a Callback. Set another callbacks.mine._",
    "callbacks.best.filename=mine": "callbacks.best: must be saved as best.ckpt in checkpoints/ of the run",
    "callbacks.last.dirpath=elsewhere": "callbacks.last: must be saved as last.ckpt in checkpoints/ of the run",
    "callbacks.figures.title=[1]": "callbacks.figures.title=[1]: must be text",
    "model=beta_vae model/prior=class_conditional": "model/prior=class_conditional: requires labels. Set",
    "model=ae model/posterior=iaf": "model/posterior: AE has its own posterior. Leave it out.",
    "model=dip_vae model/posterior=iaf": "model/posterior: DIPVAE requires a diagonal Gaussian. Leave it out.",
    "model/posterior=iaf model.latent_dim=1": "model.latent_dim=1: model/posterior=iaf requires at least 2. Set",
    "model/posterior=von_mises_fisher": "model/prior: StandardNormal is a distribution of vectors, but VonMisesFisher "
    "is one of unit vectors. Set model/prior=uniform_sphere.",
    "model/prior=wrapped_normal": "model/prior: WrappedNormalPrior is a distribution of points of the Poincaré ball, "
    "but GaussianPosterior is one of vectors. Set model/prior=standard_normal.",
    "model/posterior=gamma": "model/prior: StandardNormal is a distribution of vectors, but Gamma is one of positive "
    "vectors. Set model/prior=gamma.",
    "model/prior=gamma": "model/prior: GammaPrior is a distribution of positive vectors, but GaussianPosterior is one ",
    "model=gamma_vae model.prior.concentration=0": "model.prior.concentration=0: must be a number from 0.1 to 10,000.",
    "model/posterior=poincare model/prior=vamp": "model/prior=vamp: requires a Gaussian posterior. Set model/prior=",
    "model=poincare_vae model.posterior.curvature=0": "model.posterior.curvature=0: must be a number > 0.",
    "model=joint_vae model.latent_dim=9": "model.latent_dim=9: model/posterior=gumbel_softmax requires at least 10.",
    "model=joint_vae model.categories=[1]": "model.categories=[1]: must be a list of at least 1 value, each an integer",
    "model=joint_vae model/prior=standard_normal model.latent_dim=10": "model/prior: StandardNormal is a distribution",
    "model=hamiltonian_vae model.leapfrog_step_size=2": "model.leapfrog_step_size=2: must be between 0 and 0.5. Set",
    "model=riemannian_hamiltonian_vae model.num_centroids=2000": "model.num_centroids=2000: there are only 1257 ",
    "model/posterior=nope": "model/posterior=nope: no such choice. Choose one of full_covariance, ",
    "model=beta_tcvae model/prior=vamp": "model/prior: BetaTCVAE requires N(0, I). Set model/prior=standard_normal.",
}


@pytest.mark.parametrize("overrides", ERRORS)
def test_error_is_one_line_and_nothing_is_written(overrides, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    line = error_line(tmp_path, *overrides.split())
    assert line.startswith(ERRORS[overrides])
    assert "\n" not in line
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """Return the contents of a checkpoint of a small run."""
    run_dir = tmp_path_factory.mktemp("run")
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        train(compose("train", [f"run_dir={run_dir}", *SMALL, *QUICK, "trainer.max_epochs=1"]))
    return load_verified(run_dir / "checkpoints" / "last.ckpt")


def without(checkpoint, *names):
    return {name: value for name, value in checkpoint.items() if name not in names}


INCOMPATIBLE = {
    "has no images_seen, so": lambda c: without(c, "images_seen"),
    "has no warmup, means, random_state, so": lambda c: without(c, "warmup", "means", "random_state"),
    "has no optimizer_states, callbacks, loops, so": lambda c: without(c, "optimizer_states", "callbacks", "loops"),
    "has no epoch, so": lambda c: c | {"epoch": "one"},
    "not a checkpoint of vae_lightning.": lambda c: without(c, "config"),
    "not a checkpoint of vae_lightning. Pass": lambda c: c["state_dict"],
    "not a checkpoint of vae_lightning. Pass one": lambda c: [c],
    "cannot be resumed (RuntimeError: Error(s) in loading state_dict": lambda c: (
        c | {"state_dict": {"w": torch.zeros(1)}}
    ),
    "cannot be resumed (KeyError: 'param_groups')": lambda c: c | {"optimizer_states": [{}]},
    "has no loops, so": lambda c: c | {"loops": {"fit_loop": {}}},
    "cannot be resumed (TypeError: RNG state must be a torch.ByteTensor). debug=true": lambda c: (
        c | {"random_state": [{**c["random_state"][0], "torch": torch.zeros(3)}]}
    ),
    "other.ckpt has 4, and its weights depend on it.": lambda c: c | {"config": with_latents(c["config"], 4)},
    "trainer.max_epochs=2: ": lambda c: c | {"epoch": 7},
}


def with_latents(config, latent_dim):
    return config | {"model": config["model"] | {"latent_dim": latent_dim}}


@pytest.mark.parametrize("expected", INCOMPATIBLE)
def test_incompatible_checkpoint_is_reported_on_one_line(expected, checkpoint, tmp_path):
    torch.save(INCOMPATIBLE[expected](checkpoint), tmp_path / "other.ckpt")
    line = error_line(tmp_path, *QUICK, f"resume={tmp_path / 'other.ckpt'}")
    assert expected in line
    assert "other.ckpt" in line
    assert "\n" not in line
