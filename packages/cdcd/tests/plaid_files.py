"""Files as the official code of Plaid saves them, with random weights."""

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
from torch import Tensor

VOCAB, EMBED, WIDTH, BLOCKS, HEADS, TIME, LENGTH, BINS = 11, 6, 16, 2, 2, 8, 5, 7

Modules = dict[str, dict[str, Tensor]]


def state_dicts() -> Modules:
    """State dictionaries with the names and shapes of `train_cdcd.py`."""
    generator = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator) * 0.3

    model = {"input_linear.weight": draw(WIDTH, EMBED), "selfcond_linear.weight": draw(WIDTH, EMBED)}
    for number in (0, 2):
        model |= {f"timestep_embed.{number}.weight": draw(TIME, TIME), f"timestep_embed.{number}.bias": draw(TIME)}
    half = WIDTH // HEADS // 2
    model["rotary_emb.inv_freq"] = 10_000 ** -(torch.arange(half) / half)
    for block in range(BLOCKS):
        for norm in ("norm1", "norm2"):
            name = f"blocks.{block}.{norm}"
            model |= {f"{name}.weight": 1 + draw(WIDTH), f"{name}.cond_linear.weight": draw(WIDTH, TIME)}
            model[f"{name}.cond_linear.bias"] = draw(WIDTH)
        model |= {f"blocks.{block}.attn_qkv.weight": draw(3 * WIDTH, WIDTH)}
        model |= {f"blocks.{block}.attn_out.weight": draw(WIDTH, WIDTH)}
        model |= {f"blocks.{block}.mlp.fc1.weight": draw(4 * WIDTH, WIDTH)}
        model |= {f"blocks.{block}.mlp.fc2.weight": draw(WIDTH, 4 * WIDTH)}
    model |= {"output_norm.weight": 1 + draw(WIDTH), "output_norm.bias": draw(WIDTH)}
    model |= {"output_linear.weight": draw(VOCAB, WIDTH), "output_linear.bias": draw(VOCAB)}
    return {
        "model": model,
        "embedding_matrix": {"matrix": draw(VOCAB, EMBED)},
        "loss_cdf": {"l_t": draw(BINS), "l_u": draw(BINS)},
    }


def save(modules: Modules, folder: Path) -> Path:
    """Write the three files."""
    for name, state in modules.items():
        torch.save(state, folder / f"{name}.pt")
    return folder
