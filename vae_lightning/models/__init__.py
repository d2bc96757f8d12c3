"""The models, most of them a few lines on `ELBOModule`."""

from vae_lightning.models.aae import AAE
from vae_lightning.models.ada_vae import AdaGVAE, AdaMLVAE
from vae_lightning.models.adversarial import Adversarial
from vae_lightning.models.ae import AE
from vae_lightning.models.annealed_vae import AnnealedVAE
from vae_lightning.models.autoencoder_kl import AutoencoderKL
from vae_lightning.models.base import ELBOModule
from vae_lightning.models.beta_tcvae import BetaTCVAE
from vae_lightning.models.beta_vae import BetaVAE
from vae_lightning.models.ciwae import CIWAE
from vae_lightning.models.cvae_gan import CVAEGAN
from vae_lightning.models.dfc_vae import DFCVAE
from vae_lightning.models.dip_vae import DIPVAE
from vae_lightning.models.factor_vae import FactorVAE
from vae_lightning.models.free_bits_vae import FreeBitsVAE
from vae_lightning.models.fsq_vae import FSQVAE
from vae_lightning.models.geco_vae import GECOVAE
from vae_lightning.models.hamiltonian_vae import HamiltonianVAE
from vae_lightning.models.hierarchical import Hierarchical
from vae_lightning.models.hiwae import HIWAE
from vae_lightning.models.hvae import HVAE
from vae_lightning.models.info_vae import WAE, InfoVAE
from vae_lightning.models.iwae import IWAE
from vae_lightning.models.joint_vae import JointVAE
from vae_lightning.models.latent_prior import LatentPrior
from vae_lightning.models.latent_variable_model import LatentVariableModel
from vae_lightning.models.lfq_vae import LFQVAE
from vae_lightning.models.m2 import M2
from vae_lightning.models.miwae import MIWAE
from vae_lightning.models.piwae import PIWAE
from vae_lightning.models.rae import RAE
from vae_lightning.models.riemannian_hamiltonian_vae import RiemannianHamiltonianVAE
from vae_lightning.models.rvq_vae import RVQVAE
from vae_lightning.models.s2_vae import FewLabels, S2BetaTCVAE, S2BetaVAE
from vae_lightning.models.swae import SWAE
from vae_lightning.models.tvae import TVAE
from vae_lightning.models.vade import VaDE
from vae_lightning.models.vae import VAE
from vae_lightning.models.vae_gan import VAEGAN
from vae_lightning.models.vdvae import VDVAE
from vae_lightning.models.vq_vae import VQVAE, QuantizedVAE

__all__ = [
    "AAE",
    "AE",
    "CIWAE",
    "CVAEGAN",
    "DFCVAE",
    "DIPVAE",
    "FSQVAE",
    "GECOVAE",
    "HIWAE",
    "HVAE",
    "IWAE",
    "LFQVAE",
    "M2",
    "MIWAE",
    "PIWAE",
    "RAE",
    "RVQVAE",
    "SWAE",
    "TVAE",
    "VAE",
    "VAEGAN",
    "VDVAE",
    "VQVAE",
    "WAE",
    "AdaGVAE",
    "AdaMLVAE",
    "Adversarial",
    "AnnealedVAE",
    "AutoencoderKL",
    "BetaTCVAE",
    "BetaVAE",
    "ELBOModule",
    "FactorVAE",
    "FewLabels",
    "FreeBitsVAE",
    "HamiltonianVAE",
    "Hierarchical",
    "InfoVAE",
    "JointVAE",
    "LatentPrior",
    "LatentVariableModel",
    "QuantizedVAE",
    "RiemannianHamiltonianVAE",
    "S2BetaTCVAE",
    "S2BetaVAE",
    "VaDE",
]
