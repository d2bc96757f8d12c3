"""Priors that can match an aggregate posterior: mixtures, flows, autoregressive models of codes, flow matching.

They are learned for a trained model (`models.LatentPrior`). Those of continuous latents with a density can also be
learned together with a model. `UniformSphere`, `WrappedNormalPrior`, `GammaPrior`, `UniformCategories` and
`UniformCodes` have nothing to learn.
"""

from vae_lightning.priors.code_pixel_cnn import CodePixelCNN
from vae_lightning.priors.code_transformer import CodeTransformer
from vae_lightning.priors.flow_matching import FlowMatching
from vae_lightning.priors.flows import AutoregressiveFlow, CouplingFlow
from vae_lightning.priors.gamma import GammaPrior
from vae_lightning.priors.mixture import MixturePrior
from vae_lightning.priors.second_stage import SecondStageVAE
from vae_lightning.priors.uniform_categories import UniformCategories
from vae_lightning.priors.uniform_codes import UniformCodes
from vae_lightning.priors.uniform_sphere import UniformSphere
from vae_lightning.priors.wrapped_normal import WrappedNormalPrior

__all__ = [
    "AutoregressiveFlow",
    "CodePixelCNN",
    "CodeTransformer",
    "CouplingFlow",
    "FlowMatching",
    "GammaPrior",
    "MixturePrior",
    "SecondStageVAE",
    "UniformCategories",
    "UniformCodes",
    "UniformSphere",
    "WrappedNormalPrior",
]
