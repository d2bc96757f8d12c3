"""The arguments of a prior of two latents, and of one over a few codes."""

from vae_lightning.distributions import VectorQuantizer

SHAPES = {"latent_dim": 2, "latent_shape": 2, "condition_dim": 0, "image_shape": (1, 4, 4), "posterior": None}


def code_shapes(num_codes: int, codebook_size: int, condition_dim: int = 0) -> dict:
    """Return the arguments of a prior over codes of one latent each."""
    quantizer = VectorQuantizer(3, num_codes, code_dim=1, codebook_size=codebook_size, ema=True, decay=0.9).eval()
    return SHAPES | {"latent_dim": num_codes, "condition_dim": condition_dim, "posterior": quantizer}
