"""Attention with a cache gives what it gives without."""

import torch

from dct_transformer.models.layers import Attention, Block, KeyValues, Residual, Stack


def test_cached_decoding_equals_causal_attention() -> None:
    torch.manual_seed(0)
    stack = Stack(16, 2, (1, 2), 0.0, rezero=False, decoder=True).eval()
    x, tokens = torch.randn(3, 7, 16), torch.randn(3, 5, 16)
    memories = stack.memories(tokens)
    whole = stack(x, memories)
    caches = [KeyValues(7) for _ in stack.blocks]
    parts = [stack(x[:, :3], memories, caches)] + [stack(x[:, i : i + 1], memories, caches) for i in range(3, 7)]
    torch.testing.assert_close(torch.cat(parts, 1), whole)
    assert caches[0].used == 7


def test_attention_by_hand() -> None:
    torch.manual_seed(0)
    attention = Attention(4, 1, 0.0)
    x = torch.randn(1, 3, 4)
    keys, values = attention.key_value(x).chunk(2, dim=-1)
    weights = (attention.query(x) @ keys.transpose(1, 2) / 2).softmax(-1)
    torch.testing.assert_close(attention(x), attention.out(weights @ values))


def test_gates_start_closed() -> None:
    block = Block(8, 2, 3, 0.0, rezero=True, decoder=False)
    x = torch.randn(2, 4, 8)
    torch.testing.assert_close(block(x), x)
    assert sum(isinstance(module, Residual) for module in block.modules()) == 4


def test_parameters_of_a_block() -> None:
    d = 8
    norm, attention, feed_forward = 2 * d, 4 * d * d + 4 * d, 8 * d * d + 5 * d
    count = sum(p.numel() for p in Block(d, 2, 3, 0.0, rezero=True, decoder=True).parameters())
    assert count == 2 * (norm + attention + 1) + 3 * (norm + feed_forward + 1)
