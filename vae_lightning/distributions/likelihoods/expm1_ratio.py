"""Functions of (eᵗ − 1) / t that are exact near t = 0, where the formulas are 0 / 0, and do not overflow.

∫₀¹ eᵗˣ dx = (eᵗ − 1) / t normalizes the density ∝ eᵗˣ and is 1 at t = 0. Near 0 both functions use a series. The
gradient of `torch.where` is NaN if that of the unused branch is, so there the formula is evaluated at 1 instead.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

NEAR_0 = 0.5  # largest |t| for the series, whose first omitted term is then 1e-14


def log_expm1_ratio(t: Tensor) -> Tensor:
    """Compute log((1 − e^−|t|) / |t|) for any t; log((eᵗ − 1) / t) is this + relu(t).

    relu(t) is the part that grows with t. The gradient jumps from 1/2 to −1/2 at t = 0. At 0 it is the value whose sum
    with PyTorch's gradient of relu is the correct 1/2.
    """
    near = t.abs() < NEAR_0
    a = torch.where(near, 1, t).abs()
    s = t.clamp(-NEAR_0, NEAR_0).square()
    even = s * (1 / 24 - s * (1 / 2880 - s * (1 / 181440 - s * (1 / 9676800 - s / 479001600))))
    return torch.where(near, t / 2 - F.relu(t) + even, torch.log1p(-torch.exp(-a)) - torch.log(a))


def exponential_mean(t: Tensor) -> Tensor:
    """Compute the mean of the density ∝ eᵗˣ on [0, 1], 1 / (1 − e⁻ᵗ) − 1/t, the derivative of log((eᵗ − 1) / t)."""
    near = t.abs() < NEAR_0
    a = torch.where(near, 1, t).abs()
    s = t.clamp(-NEAR_0, NEAR_0).square()
    series = 0.5 + t * (1 / 12 - s * (1 / 720 - s * (1 / 30240 - s * (1 / 1209600 - s / 47900160))))
    # Distance from the edge with the highest density: a small number, which keeps its relative precision.
    from_edge = 1 / a - torch.exp(-a) / -torch.expm1(-a)
    return torch.where(near, series, torch.where(t > 0, 1 - from_edge, from_edge))


def exponential_quantile(u: Tensor, t: Tensor) -> Tensor:
    """Return the x with ∫₀ˣ ∝ eᵗˢ ds = u for u in [0, 1], log(1 + u (eᵗ − 1)) / t, which is u at t = 0."""
    near = t.abs() < 1e-3  # for which u is off by less than t/8, and the formula loses digits
    a = torch.where(near, 1, t).abs()
    # Distance from the edge with the highest density.
    from_edge = -torch.log1p(torch.where(t > 0, 1 - u, u) * torch.expm1(-a)) / a
    return torch.where(near, u, torch.where(t > 0, 1 - from_edge, from_edge)).clamp(0, 1)
