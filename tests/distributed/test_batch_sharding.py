"""Tests that objectives have the same values and gradients in two processes as in one."""

from contextlib import nullcontext

import pytest
import torch
from torch import Tensor, multiprocessing

from vae_lightning.distributed.batch_sharding import (
    BatchShard,
    all_gather_rows,
    global_batch_size,
    local_rows,
    scale_loss,
    sum_across_processes,
)
from vae_lightning.distributions import DiagonalGaussian, ForwardPass, Gaussian, GaussianMixture
from vae_lightning.regularizers import DIP, MMD, Capacity, FreeBits, Regularizer, TotalCorrelation, Triplets

TOTAL, D, WORLD_SIZE = 7, 3, 2  # an odd batch, split into four and three images
LABELS = torch.tensor([0, 1, 0, -1, 1, 0, 2])


class OptimallyScaled(Regularizer):
    """The distortion of images whose noise has the scale that suits the batch best."""

    def forward(self, out: ForwardPass) -> tuple[Tensor, dict[str, Tensor]]:
        px = Gaussian(scale_type="optimal")(out.z[:, None, None])
        return -px.log_prob(out.x[:, None, None, :D]).mean(), {}


OBJECTIVES = {
    "optimal_scale": OptimallyScaled(),
    "stratified": TotalCorrelation(alpha=2.0, beta=6.0, gamma=3.0, estimator="stratified"),
    "weighted": TotalCorrelation(alpha=2.0, beta=6.0, gamma=3.0, estimator="weighted"),
    "capacity": Capacity(gamma=10.0, capacity=1.0),
    "free_bits": FreeBits(free_bits=0.5),
    "dip_i": DIP(variant="i", lambda_od=2.0, lambda_d=3.0),
    "dip_ii": DIP(variant="ii", lambda_od=2.0, lambda_d=3.0),
    "mmd": MMD(alpha=0.5, lambda_mmd=10.0, kernel="imq"),
    "triplets": Triplets(triplet_weight=2.0, margin=1.0),
}


def step(regularizer: Regularizer, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Return the loss of images x (B, 2 D) with labels y, and its gradient with respect to a linear encoder."""
    torch.manual_seed(1)
    weight = (torch.eye(2 * D).double() + 0.1 * torch.randn(2 * D, 2 * D).double()).requires_grad_()
    q = DiagonalGaussian(*(x @ weight).chunk(2, dim=1))
    prior = DiagonalGaussian(torch.zeros(1, D).double(), torch.zeros(1, D).double())
    regularizer.dataset_size = 1000
    penalty, _ = regularizer(ForwardPass(x, y, q, prior, q.rsample(), None))
    loss = scale_loss(penalty)
    loss.backward()
    return loss.detach(), weight.grad


def images() -> Tensor:
    return torch.randn(TOTAL, 2 * D, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def run_process(rank: int, store: str, results: dict) -> None:
    """Run the steps of one process, and average loss and gradient over both processes like DDP."""
    torch.distributed.init_process_group("gloo", f"file://{store}", rank=rank, world_size=WORLD_SIZE)
    shard = BatchShard(rank, WORLD_SIZE)
    shard.total = TOTAL
    for name, regularizer in OBJECTIVES.items():
        with shard:
            loss, gradient = step(regularizer, local_rows(images()), local_rows(LABELS))
        for mean in (loss, gradient):
            torch.distributed.all_reduce(mean)
        results[name, rank] = (loss / WORLD_SIZE).tolist(), (gradient / WORLD_SIZE).tolist()
    with shard:
        results["gathered", rank] = torch.equal(all_gather_rows(local_rows(images())), images())
        x, y = (local_rows(images()).requires_grad_() for _ in range(2))
        (all_gather_rows(x) + all_gather_rows(y)).square().sum().backward()  # both have the same tensor as gradient
        results["shared", rank] = [torch.equal(rows.grad, WORLD_SIZE * 4 * rows) for rows in (x, y)]
        results["summed", rank] = sum_across_processes(torch.tensor([rank, 1])).tolist()
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_two_processes_have_the_loss_and_gradient_of_one(tmp_path):
    with multiprocessing.get_context("spawn").Manager() as manager:
        results = manager.dict()
        multiprocessing.spawn(run_process, (str(tmp_path / "store"), results), nprocs=WORLD_SIZE)
        results = dict(results)
    for name, regularizer in OBJECTIVES.items():
        loss, gradient = step(regularizer, images(), LABELS)
        for rank in range(WORLD_SIZE):
            torch.testing.assert_close(torch.tensor(results[name, rank][0]).double(), loss, rtol=1e-5, atol=0)
            actual = torch.tensor(results[name, rank][1], dtype=torch.float64)
            torch.testing.assert_close(actual, gradient, rtol=1e-5, atol=1e-5, msg=name)  # mmd has single precision
    assert results["gathered", 0]
    assert results["gathered", 1]
    assert results["shared", 0] == results["shared", 1] == [True, True]
    assert results["summed", 0] == results["summed", 1] == [1, 2]


@pytest.mark.parametrize("copies", [1, 5])  # IWAE repeats the batch K times
def test_local_rows_of_all_processes_are_the_batch(copies):
    x = torch.arange(copies * TOTAL)
    parts = []
    for rank in range(3):
        shard = BatchShard(rank, 3)
        shard.total = TOTAL
        with shard:
            rows = local_rows(x)
            assert len(rows) == copies * shard.size
            assert global_batch_size(len(rows)) == len(x)
            assert torch.equal(rows.view(copies, -1) % TOTAL, torch.arange(TOTAL)[rank::3].expand(copies, -1))
            parts.append(rows)
    assert sorted(torch.cat(parts).tolist()) == x.tolist()


def test_processes_draw_the_noise_of_the_global_batch():
    whole = DiagonalGaussian(torch.zeros(TOTAL, D), torch.zeros(TOTAL, D))
    mixture = GaussianMixture(torch.randn(4, D), torch.zeros(4, D))
    for sample in (DiagonalGaussian.rsample, lambda q: q.sample(len(q.mu)), lambda q: mixture.sample(len(q.mu))):
        torch.manual_seed(0)
        expected = sample(whole)
        for rank in range(WORLD_SIZE):
            torch.manual_seed(0)
            shard = BatchShard(rank, WORLD_SIZE)
            shard.total = TOTAL
            with shard:
                actual = sample(DiagonalGaussian(*map(local_rows, whole)))
            assert torch.equal(actual, expected[shard.rows])


def test_functions_return_their_argument_without_a_shard_and_in_one_process():
    shard = BatchShard()
    shard.total = TOTAL
    x = images()
    for context in (nullcontext(), shard):
        with context:
            assert all(f(x) is x for f in (local_rows, all_gather_rows, sum_across_processes, scale_loss))
            assert global_batch_size(5) == 5


def test_outer_shard_is_active_again_after_an_inner_one():
    shard = BatchShard(1, 2)
    with shard:
        with BatchShard():
            assert BatchShard.active is None
        with shard:
            assert BatchShard.active is shard
        assert BatchShard.active is shard
    assert BatchShard.active is None
