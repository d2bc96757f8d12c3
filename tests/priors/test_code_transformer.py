"""Tests of the transformer: it sums to one, is causal, and samples with a cache from what it computes without."""

import pytest
import torch
from prior_shapes import (
    SHAPES,
    all_codes,
    assert_codes_depend_on_earlier_ones_only,
    assert_samples_occur_with_their_probability,
    code_shapes,
)

from vae_lightning.errors import UserError
from vae_lightning.priors import CodeTransformer
from vae_lightning.priors.code_prior import invert

SMALL = {"width": 8, "layers": 2, "heads": 2}


def transformer(num_codes=4, codebook_size=3, condition_dim=0, **options):
    """Return a small transformer with random weights, in eval mode."""
    torch.manual_seed(0)
    prior = CodeTransformer(**code_shapes(num_codes, codebook_size, condition_dim), **SMALL, **options).eval()
    for parameter in prior.parameters():
        torch.nn.init.normal_(parameter, std=0.7)
    return prior


@torch.no_grad()
def test_probabilities_of_all_sequences_sum_to_one():
    prior = transformer()
    z = all_codes(4, 3)
    assert prior(None, None).log_prob(z).exp().sum().item() == pytest.approx(1, abs=1e-5)
    y = torch.eye(2)[[1]].expand(81, -1)
    prior = transformer(condition_dim=2)
    z = all_codes(4, 3)
    assert prior(None, y).log_prob(z).exp().sum().item() == pytest.approx(1, abs=1e-5)


def test_a_code_depends_on_earlier_ones_only():
    assert_codes_depend_on_earlier_ones_only(transformer())


@torch.no_grad()
def test_cached_logits_equal_those_of_a_full_pass():
    prior = transformer(condition_dim=2)
    indices, y = torch.tensor([[2, 0, 1, 1], [0, 0, 2, 1]]), torch.eye(2)
    expected = prior.log_probs(indices, y)
    caches = prior.caches(2)
    before = prior.condition(y, 2)
    for position in range(4):
        logits = prior.next_logits(before, caches, position)
        torch.testing.assert_close(logits.log_softmax(-1), expected[:, position])
        before = prior.codes(indices[:, position])


def test_samples_occur_with_their_probability():
    assert_samples_occur_with_their_probability(transformer(num_codes=2))


@torch.no_grad()
def test_guidance_moves_samples_away_from_those_without_the_condition():
    y = torch.eye(2)[[0]].expand(1000, -1)

    def sample(guidance, condition):
        prior = transformer(condition_dim=2, guidance=guidance)
        return prior(None, condition).sample(1000, torch.Generator().manual_seed(0))

    assert torch.equal(sample(0.0, y), sample(1.0, None))
    assert not torch.equal(sample(1.0, y), sample(1.0, None))
    prior = transformer(condition_dim=2)
    ratio = [
        (prior(None, y).log_prob(z) - prior(None, None).log_prob(z)).mean() for z in (sample(1.0, y), sample(3.0, y))
    ]
    assert ratio[1] > ratio[0]


def test_conditions_are_left_out_in_training_only():
    prior = transformer(condition_dim=2, drop_condition=0.5)
    y = torch.eye(2)[[1]].expand(1000, -1)
    assert (prior.condition(y, 1000) == prior.condition.absent).all(1).sum() == 0
    dropped = (prior.train().condition(y, 1000) == prior.condition.absent).all(1).float().mean()
    assert dropped.item() == pytest.approx(0.5, abs=0.06)


def test_parts_that_do_not_fit_raise():
    with pytest.raises(UserError, match=r"code_transformer: the latents are not codes"):
        CodeTransformer(**SHAPES)
    with pytest.raises(UserError, match=r"model\.prior\.width=8: must be a multiple of model\.prior\.heads=3"):
        CodeTransformer(**code_shapes(2, 3), width=8, heads=3)


def test_a_random_number_above_the_rounded_sum_gives_the_last_code():
    assert invert(torch.zeros(3, 7), torch.ones(3) + 1e-7).tolist() == [6, 6, 6]
