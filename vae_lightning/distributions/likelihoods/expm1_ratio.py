"""Exponentials on [0, 1], exact near t = 0, where the formulas are 0 / 0, and without overflow far from it.

∫₀¹ eᵗˣ dx = (eᵗ − 1) / t, the normaliser of the density ∝ eᵗˣ, is 1 at t = 0. Near 0 both functions take a series.
`torch.where` passes NaN on from the branch that it leaves out, so that the formula is given a harmless 1 there.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

NEAR_0 = 0.5  # |t| up to which the series is taken: its first term left out is then 1e-14


def log_expm1_ratio(t: Tensor) -> Tensor:
    """Log((1 − e^−|t|) / |t|), for any t; log((eᵗ − 1) / t) is this + relu(t).

    The part that relu(t) takes out is all that grows with t. At 0 the gradient is the one, of −1/2 and 1/2 on the two
    sides, that adds up with torch's gradient of relu to the right one, 1/2.
    """
    near = t.abs() < NEAR_0
    a = torch.where(near, 1, t).abs()
    s = t.clamp(-NEAR_0, NEAR_0).square()
    even = s * (1 / 24 - s * (1 / 2880 - s * (1 / 181440 - s * (1 / 9676800 - s / 479001600))))
    return torch.where(near, t / 2 - F.relu(t) + even, torch.log1p(-torch.exp(-a)) - torch.log(a))


def exponential_mean(t: Tensor) -> Tensor:
    """The mean of the density ∝ eᵗˣ on [0, 1], 1 / (1 − e⁻ᵗ) − 1/t: the derivative of log((eᵗ − 1) / t)."""
    near = t.abs() < NEAR_0
    a = torch.where(near, 1, t).abs()
    s = t.clamp(-NEAR_0, NEAR_0).square()
    series = 0.5 + t * (1 / 12 - s * (1 / 720 - s * (1 / 30240 - s * (1 / 1209600 - s / 47900160))))
    from_edge = 1 / a - torch.exp(-a) / -torch.expm1(-a)  # from the edge where the density is highest: a small number
    return torch.where(near, series, torch.where(t > 0, 1 - from_edge, from_edge))
