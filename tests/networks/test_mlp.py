"""Tests of the fully connected network."""

import torch
from network_layers import count_parameters

from vae_lightning.networks import MLP


def test_parameter_count_matches_kingma_welling_replication():
    """Appendix A: 392,500 in the encoder; 1,500 + 392,784 in the decoder, with 2 latents."""
    assert count_parameters(MLP().encoder((1, 28, 28), 0)) == 392_500
    assert count_parameters(MLP().decoder(2, (1, 28, 28))) == 1_500 + 392_784


def test_glu_multiplies_each_output_by_a_gate():
    """Tomczak & Welling 2018: (W x + b) · σ(V x + c)."""
    encoder = MLP(hidden_dims=[5, 3], activation="GLU").encoder((1, 2, 2), 0)
    x = torch.rand(2, 1, 2, 2)
    h = x.flatten(1)
    for layer in encoder.layers[::2]:
        values, gates = (h @ layer.weight.T + layer.bias).chunk(2, dim=1)
        h = values * gates.sigmoid()
    torch.testing.assert_close(encoder(x), h)
    assert h.shape == (2, 3)


def test_condition_is_appended_to_the_pixels():
    encoder = MLP().encoder((1, 28, 28), 10)
    assert count_parameters(encoder) == (784 + 10) * 500 + 500
    x, label = torch.rand(2, 1, 28, 28), torch.eye(10)[[3, 7]]
    assert not torch.equal(encoder(x, label), encoder(x, label.flip(0)))


def test_decoder_reverses_the_hidden_layers():
    layers = [layer for layer in MLP(hidden_dims=[7, 3]).decoder(2, (1, 4, 4)) if isinstance(layer, torch.nn.Linear)]
    assert [layer.out_features for layer in layers] == [3, 7, 16]
