"""Whether two sets of draws come from one distribution."""

from typing import NamedTuple

import torch
from torch import Tensor

from vae_lightning.regularizers.mmd import KERNELS


class TwoSample(NamedTuple):
    """A test of "both were drawn from one distribution".

    Attributes:
        mmd: the unbiased estimate of MMD²; about 0 when it is so, also below.
        p_value: how often draws dealt out at random differ as much; small when it is not so.
    """

    mmd: float
    p_value: float


@torch.no_grad()
def mmd_test(a: Tensor, b: Tensor, *, permutations: int = 500, seed: int = 0) -> TwoSample:
    """A permutation test on MMD². Gretton et al. 2012, Eq. 3; kernel exp(-‖a-b‖² / s), s the median (section 8).

    The draws are dealt out anew at random, again and again; p = (1 + those with at least this MMD²) / (1 + all), so
    that it is never below 1 / (1 + permutations). It is exact: with one distribution p ≤ α in at most α of all tests.

    Args:
        a: (N, D), N ≥ 2.
        b: (M, D), M ≥ 2.
        permutations: the number of deals.
        seed: of the deals.
    """
    pooled = torch.cat([a, b]).double()
    squared = torch.cdist(pooled, pooled).square()
    scale = squared[~torch.eye(len(pooled), dtype=torch.bool, device=squared.device)].median().item()
    kernel = KERNELS["rbf"](squared, scale or 1.0).fill_diagonal_(0)  # a draw is no pair with itself
    generator = torch.Generator().manual_seed(seed)
    deals = torch.stack(
        [torch.arange(len(pooled)), *(torch.randperm(len(pooled), generator=generator) for _ in range(permutations))]
    )
    in_a = (deals < len(a)).to(kernel)  # (1 + permutations, N + M); the first as they came
    with_a = in_a @ kernel
    within_a, between = (with_a * in_a).sum(1), (with_a * (1 - in_a)).sum(1)
    within_b = kernel.sum() - within_a - 2 * between
    n, m = len(a), len(b)
    mmd = within_a / (n * (n - 1)) + within_b / (m * (m - 1)) - 2 * between / (n * m)
    as_much = (mmd[1:] >= mmd[0] - 1e-12).sum().item()  # rounding must not decide between equal deals
    return TwoSample(mmd[0].item(), (1 + as_much) / (1 + permutations))
