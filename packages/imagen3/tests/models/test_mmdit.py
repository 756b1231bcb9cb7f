"""MM-DiT: counts in closed form, the identity at initialisation, masks, and an independent block."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from onepaper.errors import UsageError
from onepaper.torch.state_files import save_pretrained

from imagen3.config import DenoiserConfig
from imagen3.models.mmdit import Block, MMDiT, from_patches, parameter_count, to_patches
from imagen3.models.networks import open_network
from imagen3.text.encoder import TextFeatures

TINY = DenoiserConfig(width=32, depth=2, heads=2, text_dim=6, pooled_dim=5)

# Published sizes (Esser et al., 2024), and the counts of their classes in the library diffusers.
MEDIUM = DenoiserConfig(16, width=1536, depth=24, heads=24, text_dim=4096, pooled_dim=2048, qk_norm=False)
LARGE = replace(MEDIUM, width=2432, depth=38, heads=38, qk_norm=True)


def text(batch: int, length: int, generator: torch.Generator) -> TextFeatures:
    mask = torch.ones(batch, length, dtype=torch.bool)
    return TextFeatures(
        torch.randn(batch, length, 6, generator=generator), mask, torch.randn(batch, 5, generator=generator)
    )


def random_model(config: DenoiserConfig) -> MMDiT:
    torch.manual_seed(0)
    model = MMDiT(config).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return model


@pytest.mark.parametrize(
    "config",
    [
        TINY,
        replace(TINY, qk_norm=False, depth=3, patch=1),
        replace(TINY, channels=7, heads=4, positions="table", table_size=8),
        replace(TINY, depth=3, dual_depth=2, output_channels=3),
        replace(TINY, qk_norm=False, dual_depth=1, positions="stored", table_size=6),
    ],
)
def test_counts(config: DenoiserConfig) -> None:
    assert parameter_count(config) == sum(parameter.numel() for parameter in MMDiT(config).parameters())


def test_published_counts() -> None:
    assert parameter_count(MEDIUM) == 2_028_328_000
    assert parameter_count(LARGE) == 8_056_627_520
    assert parameter_count(replace(MEDIUM, qk_norm=True, dual_depth=13)) == 2_243_171_520


def test_stored_table_is_that_of_sines_until_other_weights_are_read() -> None:
    generator = torch.Generator().manual_seed(0)
    stored = random_model(replace(TINY, positions="stored", table_size=8))
    fixed = random_model(replace(TINY, positions="table", table_size=8))
    fixed.load_state_dict({name: value for name, value in stored.state_dict().items() if name != "table"})
    z, t, words = torch.randn(2, 4, 4, 8), torch.tensor([0.2, 0.9]), text(2, 3, generator)
    torch.testing.assert_close(stored(z, t, words), fixed(z, t, words))
    with pytest.raises(UsageError, match="at most 8, the side of the table"):
        stored(torch.zeros(1, 4, 20, 4), t[:1], text(1, 3, generator))


def test_second_attention_sees_the_picture_only() -> None:
    """Without the gates of the joint attention and the MLP, text has no effect on the picture."""
    torch.manual_seed(0)
    block = Block(replace(TINY, dual_depth=1), last=False, dual=True)
    for parameter in block.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    with torch.no_grad():
        for chunk in (2, 5):
            block.image.modulation.weight[32 * chunk : 32 * (chunk + 1)] = 0
            block.image.modulation.bias[32 * chunk : 32 * (chunk + 1)] = 0
    image, condition = torch.randn(1, 8, 32), torch.randn(1, 32)
    found = [block(torch.randn(1, 3, 32), image, condition, None, None)[1] for _ in range(2)]
    torch.testing.assert_close(found[0], found[1])
    assert (found[0] - image).abs().max() > 1e-2


def test_initial_blocks_are_the_identity() -> None:
    generator = torch.Generator().manual_seed(0)
    model = MMDiT(TINY)
    z, t = torch.randn(2, 4, 4, 8, generator=generator), torch.rand(2, generator=generator)
    assert model(z, t, text(2, 3, generator)).abs().max() == 0
    words, image = torch.randn(2, 3, 32), torch.randn(2, 8, 32)
    found = model.blocks[0](words, image, torch.randn(2, 32), None, None)
    assert torch.equal(found[0], words)
    assert torch.equal(found[1], image)


@pytest.mark.parametrize("positions", ["rope", "table"])
def test_padding_has_no_effect(positions: str) -> None:
    generator = torch.Generator().manual_seed(0)
    model = random_model(replace(TINY, positions=positions, table_size=8 if positions == "table" else 0))
    z, t, short = torch.randn(2, 4, 4, 4), torch.tensor([0.2, 0.9]), text(2, 3, generator)
    garbage = torch.full((2, 4, 6), 9.0)
    padded = TextFeatures(torch.cat([short.tokens, garbage], 1), F.pad(short.mask, (0, 4)), short.pooled)
    torch.testing.assert_close(model(z, t, padded), model(z, t, short), rtol=1e-4, atol=1e-4)
    unmasked = random_model(replace(model.config, mask_padding=False))
    assert (unmasked(z, t, padded) - unmasked(z, t, short)).abs().max() > 1e-2


def test_every_input_matters() -> None:
    generator = torch.Generator().manual_seed(0)
    model, z, t, words = random_model(TINY), torch.randn(1, 4, 4, 4), torch.tensor([0.5]), text(1, 3, generator)
    found = model(z, t, words)
    swapped = words._replace(tokens=words.tokens.flip(1))
    for other in (
        model(z, t + 0.1, words),
        model(z, t, words._replace(pooled=words.pooled + 1)),
        model(z, t, swapped),
        model(z.flip(2), t, words).flip(2),
    ):
        assert (found - other).abs().max() > 1e-3


def test_a_block_by_hand() -> None:
    """The equations of the block, written out for one head."""
    torch.manual_seed(0)
    block = Block(replace(TINY, heads=1, width=8), last=False)
    for parameter in block.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    streams = {"text": torch.randn(1, 3, 8), "image": torch.randn(1, 4, 8)}
    condition = torch.randn(1, 8)
    parts, q, k, v = {}, [], [], []
    for name, x in streams.items():
        stream = getattr(block, name)
        parts[name] = stream.modulation(condition).reshape(6, 1, 8)
        h = F.layer_norm(x, (8,), eps=1e-6) * (1 + parts[name][1]) + parts[name][0]
        values = stream.qkv(h).split(8, dim=-1)
        for kept, value, norm in zip((q, k), values, (stream.q_norm, stream.k_norm), strict=False):
            kept.append(value / (value.square().mean(-1, keepdim=True) + 1e-6).sqrt() * norm.weight)
        v.append(values[2])
    attended = (torch.cat(q, 1) @ torch.cat(k, 1).transpose(1, 2) / 8**0.5).softmax(-1) @ torch.cat(v, 1)
    found = block(streams["text"], streams["image"], condition, None, None)
    for name, own, result in zip(streams, attended.split([3, 4], 1), found, strict=True):
        stream, part = getattr(block, name), parts[name]
        x = streams[name] + part[2] * stream.out(own)
        h = F.layer_norm(x, (8,), eps=1e-6) * (1 + part[4]) + part[3]
        torch.testing.assert_close(result, x + part[5] * stream.mlp(h), rtol=1e-4, atol=1e-5)


def test_wrong_shapes_and_saved_weights(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    model, words = random_model(TINY), text(1, 3, generator)
    for shape in ((1, 3, 4, 4), (1, 4, 5, 4)):
        with pytest.raises(UsageError, match="expected \\[batch, 4, height, width\\] with multiples of 2"):
            model(torch.zeros(shape), torch.zeros(1), words)
    again = open_network(save_pretrained(tmp_path, model, model.config))
    z, t = torch.randn(1, 4, 4, 4), torch.tensor([0.5])
    assert torch.equal(again(z, t, words), model(z, t, words))


def test_patches_are_squares_by_rows() -> None:
    z = torch.arange(2 * 3 * 4 * 6.0).reshape(2, 3, 4, 6)
    patches = to_patches(z, 2)
    assert torch.equal(patches[1, 4], z[1, :, 2:4, 2:4].flatten())  # the second of the second row of three
    assert torch.equal(from_patches(patches, 2, 2), z)
