"""Converted networks of Plaid against a naive forward pass of its code in torch, on random weights."""

from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from onepaper.errors import UsageError

from cdcd.pretrained.plaid import convert_plaid, read_plaid

torch = pytest.importorskip("torch")

from plaid_files import BLOCKS, EMBED, HEADS, LENGTH, TIME, VOCAB, WIDTH, Modules, save, state_dicts
from torch import Tensor


@pytest.fixture(scope="module")
def modules() -> Modules:
    return state_dicts()


@pytest.fixture
def folder(modules: Modules, tmp_path: Path) -> Path:
    return save(modules, tmp_path)


def forward(modules: Modules, z: Tensor, t: float, previous: Tensor):
    """Logits of the official network for its noisy embeddings z at its noise level t, position by position."""
    functional, p = torch.nn.functional, modules["model"]
    alpha_squared, sigma_squared = 256 / (256 + t**2), t**2 / (256 + t**2)
    frequencies = torch.exp(torch.linspace(-6, 6, TIME))
    tau = torch.sin(frequencies * t)
    for number in (0, 2):
        tau = functional.gelu(p[f"timestep_embed.{number}.weight"] @ tau + p[f"timestep_embed.{number}.bias"])

    def normalize(x: Tensor, name: str) -> Tensor:
        shift = p[f"{name}.cond_linear.weight"] @ tau + p[f"{name}.cond_linear.bias"]
        return functional.layer_norm(x, [WIDTH]) * p[f"{name}.weight"] + shift

    def rotate(x: Tensor, position: int) -> Tensor:
        half = len(x) // 2
        turned = torch.complex(x[:half], x[half:]) * torch.exp(1j * position * p["rotary_emb.inv_freq"])
        return torch.cat([turned.real, turned.imag])

    x = z / (alpha_squared / EMBED + sigma_squared) ** 0.5 @ p["input_linear.weight"].T
    x = x + EMBED**0.5 * previous @ p["selfcond_linear.weight"].T
    for block in range(BLOCKS):
        name = f"blocks.{block}"
        q, k, v = (normalize(x, f"{name}.norm1") @ p[f"{name}.attn_qkv.weight"].T).chunk(3, dim=-1)
        mixed = torch.zeros_like(x)
        for head in range(HEADS):
            part = slice(head * WIDTH // HEADS, (head + 1) * WIDTH // HEADS)
            rotated_k = torch.stack([rotate(row, position) for position, row in enumerate(k[:, part])])
            for position in range(LENGTH):
                scores = rotated_k @ rotate(q[position, part], position) / (WIDTH // HEADS) ** 0.5
                mixed[position, part] = scores.softmax(0) @ v[:, part]
        x = x + mixed @ p[f"{name}.attn_out.weight"].T / BLOCKS**0.5
        hidden = functional.gelu(normalize(x, f"{name}.norm2") @ p[f"{name}.mlp.fc1.weight"].T, approximate="tanh")
        x = x + hidden @ p[f"{name}.mlp.fc2.weight"].T / BLOCKS**0.5
    x = functional.layer_norm(x, [WIDTH], p["output_norm.weight"], p["output_norm.bias"])
    return (x * 256 / WIDTH) @ p["output_linear.weight"].T + p["output_linear.bias"]


@pytest.mark.parametrize("t", [2.0, 5.0])
def test_forward_is_that_of_the_official_code(modules: Modules, folder: Path, t: float) -> None:
    network = convert_plaid(read_plaid(folder), length=LENGTH)
    generator = torch.Generator().manual_seed(1)
    tokens = torch.randint(VOCAB, (LENGTH,), generator=generator)
    noise = torch.randn((LENGTH, EMBED), generator=generator)
    unit = torch.nn.functional.normalize(modules["embedding_matrix"]["matrix"], dim=1)
    previous = torch.rand((LENGTH, VOCAB), generator=generator).softmax(1) @ unit
    alpha, sigma = 16 / (256 + t**2) ** 0.5, t / (256 + t**2) ** 0.5
    wanted = forward(modules, alpha * unit[tokens] + sigma * noise, t, previous)

    # The same noise in our units.
    root = EMBED**0.5
    level = root * t / 16
    embeddings = network.embeddings()
    np.testing.assert_allclose(embeddings, root * unit, rtol=1e-5)
    x = embeddings[jnp.asarray(tokens)] + level * jnp.asarray(noise)
    inputs = x[None], jnp.array([level]), jnp.ones((1, LENGTH), bool), jnp.zeros_like(x)[None]
    logits = network.logits(network.hidden(*inputs, root * jnp.asarray(previous)[None]))[0]
    np.testing.assert_allclose(logits, wanted, rtol=2e-3, atol=2e-3 * float(wanted.std()))


def test_time_warping_is_that_of_the_official_code(modules: Modules, folder: Path) -> None:
    """u of some noise levels, by its bins: both are floored, and the output bins normalised afterwards."""
    warp = convert_plaid(read_plaid(folder), length=LENGTH).warp.averaged()
    w_t = modules["loss_cdf"]["l_t"].double().softmax(0) + 1e-3
    w_u = modules["loss_cdf"]["l_u"].double().exp() + 1e-3
    e_t, e_u = (np.concatenate([[0], np.cumsum(w / w.sum())]) for w in (w_t.numpy(), w_u.numpy()))
    t = np.array([2.0, 10.0, 77.7, 299.0])
    wanted = np.interp((t - 2) / 298, e_t, e_u)
    np.testing.assert_allclose(warp.cdf(jnp.asarray(t * EMBED**0.5 / 16)), wanted, atol=1e-5)


def test_wrong_checkpoints(folder: Path) -> None:
    arrays = read_plaid(folder)
    with pytest.raises(UsageError, match=r"no model/output_norm.weight"):
        convert_plaid({name: value for name, value in arrays.items() if "output_norm" not in name})
    with pytest.raises(UsageError, match=r"has model/more too"):
        convert_plaid(arrays | {"model/more": np.zeros(3, np.float32)})
    with pytest.raises(UsageError, match=r"model/blocks.1.attn_out.weight has shape"):
        convert_plaid(arrays | {"model/blocks.1.attn_out.weight": np.zeros((3, 3), np.float32)})
    with pytest.raises(UsageError, match="rotary positions"):
        convert_plaid(arrays | {"model/rotary_emb.inv_freq": np.ones(4, np.float32)})
