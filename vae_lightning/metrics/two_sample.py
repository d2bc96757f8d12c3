"""A two-sample test: whether two sets of draws come from the same distribution."""

from typing import Any, NamedTuple

import torch

from vae_lightning.metrics.arrays import as_tensor
from vae_lightning.regularizers.mmd import KERNELS


class TwoSample(NamedTuple):
    """Result of a test of the null hypothesis that both sets were drawn from the same distribution.

    Attributes:
        mmd: the unbiased estimate of MMD². Under the null hypothesis it is close to 0, and can be negative.
        p_value: the fraction of random permutations whose MMD² is at least as large; small if the null hypothesis is
            false.
    """

    mmd: float
    p_value: float


@torch.no_grad()
def mmd_test(a: Any, b: Any, *, permutations: int = 500, seed: int = 0) -> TwoSample:
    """Run a permutation test on MMD² with kernel exp(-‖a-b‖² / s), where s is the median squared distance.

    Gretton et al. 2012, Eq. 3 and section 8.

    p = (1 + number of permutations with at least this MMD²) / (1 + permutations), so it is at least
    1 / (1 + permutations). The test is exact: under the null hypothesis, p ≤ α in at most a fraction α of all tests.

    Args:
        a: (N, D), N ≥ 2.
        b: (M, D), M ≥ 2.
        permutations: the number of random permutations.
        seed: of the permutations.
    """
    pooled = torch.cat([as_tensor(a), as_tensor(b)]).double()
    squared = torch.cdist(pooled, pooled).square()
    scale = squared[~torch.eye(len(pooled), dtype=torch.bool, device=squared.device)].median().item()
    kernel = KERNELS["rbf"](squared, scale or 1.0).fill_diagonal_(0)  # the unbiased estimate leaves out equal pairs
    generator = torch.Generator().manual_seed(seed)
    orders = torch.stack(
        [torch.arange(len(pooled)), *(torch.randperm(len(pooled), generator=generator) for _ in range(permutations))]
    )
    in_a = (orders < len(a)).to(kernel)  # (1 + permutations, N + M); the first row is the original assignment
    with_a = in_a @ kernel
    within_a, between = (with_a * in_a).sum(1), (with_a * (1 - in_a)).sum(1)
    within_b = kernel.sum() - within_a - 2 * between
    n, m = len(a), len(b)
    mmd = within_a / (n * (n - 1)) + within_b / (m * (m - 1)) - 2 * between / (n * m)
    as_large = (mmd[1:] >= mmd[0] - 1e-12).sum().item()  # the tolerance counts equal values despite rounding
    return TwoSample(mmd[0].item(), (1 + as_large) / (1 + permutations))
