"""What is no mean over images, in two processes and in one: the same values, the same gradients."""

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
from vae_lightning.distributions import DiagonalGaussian, ForwardPass, GaussianMixture
from vae_lightning.regularizers import DIP, MMD, Capacity, Regularizer, TotalCorrelation

TOTAL, D, WORLD_SIZE = 7, 3, 2  # an odd batch: four images and three
OBJECTIVES = {
    "stratified": TotalCorrelation(alpha=2.0, beta=6.0, gamma=3.0, estimator="stratified"),
    "weighted": TotalCorrelation(alpha=2.0, beta=6.0, gamma=3.0, estimator="weighted"),
    "capacity": Capacity(gamma=10.0, capacity=1.0),
    "dip_i": DIP(kind="i", lambda_od=2.0, lambda_d=3.0),
    "dip_ii": DIP(kind="ii", lambda_od=2.0, lambda_d=3.0),
    "mmd": MMD(alpha=0.5, lambda_mmd=10.0, kernel="imq"),
}


def step(regularizer: Regularizer, x: Tensor) -> tuple[Tensor, Tensor]:
    """The loss of images x (B, 2 D), and its gradient with respect to the weights of a linear encoder."""
    torch.manual_seed(1)
    weight = (torch.eye(2 * D).double() + 0.1 * torch.randn(2 * D, 2 * D).double()).requires_grad_()
    q = DiagonalGaussian(*(x @ weight).chunk(2, dim=1))
    prior = DiagonalGaussian(torch.zeros(1, D).double(), torch.zeros(1, D).double())
    regularizer.dataset_size = 1000
    penalty, _ = regularizer(ForwardPass(x, None, q, prior, q.rsample(), None))
    loss = scale_loss(penalty)
    loss.backward()
    return loss.detach(), weight.grad


def images() -> Tensor:
    return torch.randn(TOTAL, 2 * D, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def one_of_two(rank: int, store: str, found: dict) -> None:
    """One process: its part of each step; the mean over both is what DDP makes of them."""
    torch.distributed.init_process_group("gloo", f"file://{store}", rank=rank, world_size=WORLD_SIZE)
    share = BatchShard(rank, WORLD_SIZE)
    share.total = TOTAL
    for name, regularizer in OBJECTIVES.items():
        with share:
            loss, gradient = step(regularizer, local_rows(images()))
        for mean in (loss, gradient):
            torch.distributed.all_reduce(mean)
        found[name, rank] = (loss / WORLD_SIZE).tolist(), (gradient / WORLD_SIZE).tolist()
    with share:
        found["gathered", rank] = torch.equal(all_gather_rows(local_rows(images())), images())
        found["added", rank] = sum_across_processes(torch.tensor([rank, 1])).tolist()
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_two_processes_have_the_values_and_gradients_of_one(tmp_path):
    with multiprocessing.get_context("spawn").Manager() as manager:
        found = manager.dict()
        multiprocessing.spawn(one_of_two, (str(tmp_path / "store"), found), nprocs=WORLD_SIZE)
        found = dict(found)
    for name, regularizer in OBJECTIVES.items():
        loss, gradient = step(regularizer, images())
        for rank in range(WORLD_SIZE):
            torch.testing.assert_close(torch.tensor(found[name, rank][0]).double(), loss, rtol=1e-5, atol=0)
            got = torch.tensor(found[name, rank][1], dtype=torch.float64)
            torch.testing.assert_close(got, gradient, rtol=1e-5, atol=1e-5, msg=name)  # mmd is single
    assert found["gathered", 0]
    assert found["gathered", 1]
    assert found["added", 0] == found["added", 1] == [1, 2]


@pytest.mark.parametrize("copies", [1, 5])  # IWAE has the batch K times over
def test_the_rows_of_all_processes_are_the_batch(copies):
    x = torch.arange(copies * TOTAL)
    parts = []
    for rank in range(3):
        share = BatchShard(rank, 3)
        share.total = TOTAL
        with share:
            part = local_rows(x)
            assert len(part) == copies * share.size
            assert global_batch_size(len(part)) == len(x)
            assert torch.equal(part.view(copies, -1) % TOTAL, torch.arange(TOTAL)[rank::3].expand(copies, -1))
            parts.append(part)
    assert sorted(torch.cat(parts).tolist()) == x.tolist()


def test_all_processes_draw_the_noise_of_one():
    wide = DiagonalGaussian(torch.zeros(TOTAL, D), torch.zeros(TOTAL, D))
    mixture = GaussianMixture(torch.randn(4, D), torch.zeros(4, D))
    for draw in (DiagonalGaussian.rsample, lambda q: q.sample(len(q.mu)), lambda q: mixture.sample(len(q.mu))):
        torch.manual_seed(0)
        expected = draw(wide)
        for rank in range(WORLD_SIZE):
            torch.manual_seed(0)
            share = BatchShard(rank, WORLD_SIZE)
            share.total = TOTAL
            with share:
                drawn = draw(DiagonalGaussian(*map(local_rows, wide)))
            assert torch.equal(drawn, expected[share.rows])


def test_outside_of_a_share_and_in_one_process_all_is_left_as_it_is():
    share = BatchShard()
    share.total = TOTAL
    x = images()
    for within in (False, True):
        if within:
            share.__enter__()
        assert all(function(x) is x for function in (local_rows, all_gather_rows, sum_across_processes, scale_loss))
        assert global_batch_size(5) == 5
    share.__exit__()
