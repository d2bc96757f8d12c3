"""Tests of the triplet loss against three images by hand, and of the triplets that are drawn."""

import pytest
import torch

from vae_lightning.distributions import DiagonalGaussian, ForwardPass, StandardGaussian
from vae_lightning.errors import UserError
from vae_lightning.regularizers import KL, Triplets, draw_triplets

# With classes 0, 0 and 1, the first two images are the anchors of the only triplets. Squared distances: 1 between the
# first two, 4 from the first to the third, 5 from the second to the third. So the losses are 1 - 4 + m and 1 - 5 + m.
MU = torch.tensor([[0.0, 0.0], [0.0, 1.0], [2.0, 0.0]])
Y = torch.tensor([0, 0, 1])


def forward_pass(mu, y):
    zeros = torch.zeros(1, 2)
    return ForwardPass(mu, y, DiagonalGaussian(mu, torch.zeros_like(mu)), StandardGaussian(zeros, zeros), mu, None)


@pytest.mark.parametrize(("margin", "loss"), [(0.0, 0.0), (3.5, 0.25), (10.0, 6.5)])
def test_loss_of_three_images(margin, loss):
    penalty, terms = Triplets(beta=2.0, triplet_weight=3.0, margin=margin)(forward_pass(MU, Y))
    assert terms["triplet_loss"].item() == pytest.approx(loss)
    assert terms["triplet_accuracy"].item() == 1
    rate = KL(beta=1.0)(forward_pass(MU, Y))[0].item()
    assert terms["rate"].item() == pytest.approx(rate)
    assert penalty.item() == pytest.approx(2 * rate + 3 * loss)


def test_accuracy_is_the_fraction_of_triplets_with_a_closer_positive():
    mu = torch.tensor([[0.0, 0.0], [0.0, 3.0], [2.0, 3.0]])  # squared distances 9, 13 and 4
    assert Triplets()(forward_pass(mu, Y))[1]["triplet_accuracy"].item() == 0.5


def test_gradient_pulls_the_positive_and_pushes_the_negative():
    """With margin 3.5 only the first triplet has a loss: its gradient is 2(μ_n - μ_p), 2(μ_p - μ_a), 2(μ_a - μ_n)."""
    mu = MU.clone().requires_grad_()
    Triplets(beta=0.0, triplet_weight=2.0, margin=3.5)(forward_pass(mu, Y))[0].backward()
    expected = torch.tensor([[4.0, -2.0], [0.0, 2.0], [-4.0, 0.0]])  # times the weight, over two triplets
    torch.testing.assert_close(mu.grad, expected)


@pytest.mark.parametrize("y", [None, torch.tensor([0, 0, 0]), torch.tensor([0, 1, 2]), torch.tensor([-1, -1, 0])])
def test_without_triplets_it_is_the_kl(y):
    penalty, terms = Triplets(beta=2.0)(forward_pass(MU, y))
    torch.testing.assert_close(penalty, KL(beta=2.0)(forward_pass(MU, y))[0], rtol=0, atol=0)
    assert terms["triplet_loss"].item() == terms["triplet_accuracy"].item() == 0


def test_triplets_are_uniform_over_images_with_known_classes():
    torch.manual_seed(0)
    y = torch.tensor([0, 1, -1, 0, 1, 0, -1, 2])
    drawn = [draw_triplets(y) for _ in range(4000)]
    positives, negatives, is_anchor = (torch.stack(rows) for rows in zip(*drawn, strict=True))
    assert is_anchor.all(0).tolist() == [True, True, False, True, True, True, False, False]
    assert torch.equal(is_anchor.all(0), is_anchor.any(0))
    for anchor, same, other in ((0, [3, 5], [1, 4, 7]), (1, [4], [0, 3, 5, 7])):
        for rows, among in ((positives, same), (negatives, other)):
            frequencies = rows[:, anchor].bincount(minlength=8) / len(drawn)
            expected = torch.zeros(8).index_fill(0, torch.tensor(among), 1 / len(among))
            torch.testing.assert_close(frequencies, expected, rtol=0, atol=0.03)  # four standard deviations
    # the two draws are independent: each pair of positive and negative is as frequent as the others
    pairs = (8 * positives[:, 0] + negatives[:, 0]).bincount()
    torch.testing.assert_close(pairs[pairs > 0] / len(drawn), torch.full((6,), 1 / 6), rtol=0, atol=0.025)


def test_attributes_are_rejected():
    message = r"^model=tvae: requires one class per image, got 4 attributes\. Set model=vae\.$"
    with pytest.raises(UserError, match=message):
        Triplets()(forward_pass(MU, torch.zeros(3, 4, dtype=torch.int64)))
