"""Repeating a batch of posteriors, as for several draws per image."""

from functools import partial

import pytest
import torch

from vae_lightning import posteriors


@pytest.mark.parametrize(
    "posterior",
    [
        posteriors.PlanarFlow,
        partial(posteriors.InverseAutoregressiveFlow, hidden_dims=(8,)),
        posteriors.VonMisesFisher,
        posteriors.Gamma,
        partial(posteriors.GumbelSoftmax, categories=(3,)),
        posteriors.PoincareBall,
    ],
)
def test_a_repeated_batch_is_the_batch_several_times_in_a_row(posterior):
    torch.manual_seed(0)
    module = posterior(4, 5).double()
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    q, noise = module(torch.randn(3, 4).double()), torch.randn(6, 5).double()
    z = q.repeat(2).rsample(noise)
    torch.testing.assert_close(z, torch.cat([q.rsample(noise[:3]), q.rsample(noise[3:])]))
    expected = torch.cat([q.log_prob(part.clone()) for part in z.split(3)])  # clones: no density of its own draw
    torch.testing.assert_close(q.repeat(2).log_prob(z.clone()), expected, rtol=1e-6, atol=1e-6)
