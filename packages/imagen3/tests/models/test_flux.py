"""A block of one stream written out, and the weight of guidance as an input."""

from dataclasses import replace

import torch
import torch.nn.functional as F

from imagen3.config import DenoiserConfig
from imagen3.models.flux import Flux, SingleBlock, flux_parameter_count
from imagen3.text.encoder import TextFeatures

TINY = DenoiserConfig(width=32, depth=1, heads=1, text_dim=6, pooled_dim=5, kind="flux", single_depth=1)


def test_a_block_by_hand() -> None:
    """Without rotation, for one head."""
    torch.manual_seed(0)
    block = SingleBlock(TINY)
    for parameter in block.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    x, condition = torch.randn(1, 5, 32), torch.randn(1, 32)
    shift, scale, gate = block.modulation(condition).split(32, dim=-1)
    h = F.linear(F.layer_norm(x, (32,), eps=1e-6) * (1 + scale) + shift, block.inputs.weight, block.inputs.bias)
    q, k, v, hidden = h[..., :32], h[..., 32:64], h[..., 64:96], h[..., 96:]
    q, k = (
        y / (y.square().mean(-1, keepdim=True) + 1e-6).sqrt() * norm.weight
        for y, norm in ((q, block.q_norm), (k, block.k_norm))
    )
    attended = (q @ k.transpose(1, 2) / 32**0.5).softmax(-1) @ v
    expected = x + gate * block.outputs(torch.cat([attended, F.gelu(hidden, approximate="tanh")], -1))
    torch.testing.assert_close(block(x, condition, None, torch.zeros(5, 16)), expected, rtol=1e-4, atol=1e-5)


def test_guidance_is_an_input() -> None:
    config = replace(TINY, guidance_input=True)
    assert flux_parameter_count(config) - flux_parameter_count(TINY) == 256 * 32 + 32 + 32 * 32 + 32
    torch.manual_seed(0)
    model = Flux(config).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    z, t = torch.randn(1, 4, 4, 4), torch.tensor([0.5])
    text = TextFeatures(torch.randn(1, 2, 6), torch.ones(1, 2, dtype=torch.bool), torch.randn(1, 5))
    torch.testing.assert_close(model(z, t, text), model(z, t, text, 3.5))
    assert (model(z, t, text) - model(z, t, text, 7.0)).abs().max() > 1e-3
