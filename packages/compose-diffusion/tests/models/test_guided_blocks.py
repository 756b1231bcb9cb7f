import math

import pytest
import torch
from onepaper.errors import UsageError
from torch import nn

from compose_diffusion.config.guided_diffusion import BackboneConfig, UNetConfig
from compose_diffusion.models.guided_blocks import (
    AttentionBlock,
    AttentionPool,
    Downsample,
    GroupNorm,
    ResidualBlock,
    Upsample,
    check_image,
    timestep_embedding,
)

SMALL = BackboneConfig(width=32, multipliers=(1, 2), image_size=16, num_blocks=1, head_width=16)


def randomised(module):
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(0.1 * torch.randn(parameter.shape, generator=generator))
    return module.double().eval()


def test_timestep_embedding_by_hand():
    embedding = timestep_embedding(torch.tensor([0, 3]), 4, torch.float64)
    assert embedding[0].tolist() == [1.0, 1.0, 0.0, 0.0]
    expected = [math.cos(3.0), math.cos(3.0 / 100), math.sin(3.0), math.sin(3.0 / 100)]
    torch.testing.assert_close(embedding[1], torch.tensor(expected, dtype=torch.float64))


def test_group_norm_of_half_precision_works_in_single(generator):
    x = torch.randn(2, 64, 5, 5, generator=generator) * 100 + 1000
    norm = GroupNorm(64)
    low = norm.half()(x.half())
    assert low.dtype == torch.float16
    expected = nn.GroupNorm(32, 64)(x.half().float())
    torch.testing.assert_close(low.float(), expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("order", ["heads-first", "qkv-first"])
def test_attention_is_softmax_over_pixels_by_hand(order, generator):
    config = BackboneConfig(width=32, multipliers=(1, 2), head_width=16, attention_order=order)
    block = randomised(AttentionBlock(config, 32))
    x = torch.randn(2, 32, 3, 4, generator=generator, dtype=torch.float64)
    with torch.no_grad():
        qkv = block.qkv(block.norm(x).reshape(2, 32, 12))
        heads = []
        for head in range(2):
            if order == "heads-first":
                q, k, v = qkv[:, 48 * head : 48 * (head + 1)].split(16, dim=1)
            else:
                q, k, v = (qkv[:, 32 * part + 16 * head : 32 * part + 16 * (head + 1)] for part in range(3))
            weights = torch.softmax(torch.einsum("bct,bcs->bts", q, k) / math.sqrt(16), dim=2)
            heads.append(torch.einsum("bts,bcs->bct", weights, v))
        expected = x + block.proj_out(torch.cat(heads, dim=1)).reshape(x.shape)
        torch.testing.assert_close(block(x), expected)


def test_attention_sees_text_in_front_of_the_pixels(generator):
    config = UNetConfig(
        width=32, multipliers=(1,), image_size=4, attention_sizes=(), head_width=32, condition="text", text_dim=5
    )
    block = randomised(AttentionBlock(config, 32))
    x = torch.randn(1, 32, 2, 2, generator=generator, dtype=torch.float64)
    text = torch.randn(1, 3, 5, generator=generator, dtype=torch.float64)
    with torch.no_grad():
        q, k, v = block.qkv(block.norm(x).reshape(1, 32, 4)).split(32, dim=1)
        text_k, text_v = block.encoder_kv(text.transpose(1, 2)).split(32, dim=1)
        weights = torch.softmax(q.mT @ torch.cat([text_k, k], dim=2) / math.sqrt(32), dim=2)
        expected = x + block.proj_out(torch.cat([text_v, v], dim=2) @ weights.mT).reshape(x.shape)
        torch.testing.assert_close(block(x, text), expected)


def test_residual_block_adds_to_its_input_and_starts_as_the_identity(generator):
    x = torch.randn(2, 32, 4, 4, generator=generator)
    embedding = torch.randn(2, 128, generator=generator)
    assert torch.equal(ResidualBlock(SMALL, 32, 32)(x, embedding), x)
    assert ResidualBlock(SMALL, 32, 64)(x, embedding).shape == (2, 64, 4, 4)
    halved = ResidualBlock(SMALL, 32, 32, "halve")(x, embedding)
    torch.testing.assert_close(halved, x.unflatten(3, (2, 2)).unflatten(2, (2, 2)).mean(dim=(3, 5)))
    doubled = ResidualBlock(SMALL, 32, 32, "double")(x, embedding)
    torch.testing.assert_close(doubled, x.repeat_interleave(2, 2).repeat_interleave(2, 3))


def test_convolutions_that_resample(generator):
    x = torch.randn(1, 32, 4, 6, generator=generator)
    assert Upsample(32)(x).shape == (1, 32, 8, 12)
    assert Downsample(32)(x).shape == (1, 32, 2, 3)


def test_attention_pool_is_the_first_output_of_attention_over_mean_and_pixels(generator):
    pool = randomised(AttentionPool(2, 32, 16, 7))
    x = torch.randn(2, 32, 2, 2, generator=generator, dtype=torch.float64)
    with torch.no_grad():
        tokens = torch.cat([x.mean(dim=(2, 3))[..., None], x.flatten(2)], dim=2) + pool.positional_embedding
        q, k, v = (part.reshape(2, 2, 16, 5) for part in pool.qkv_proj(tokens).split(32, dim=1))
        attended = torch.softmax(q.mT @ k / 4, dim=3) @ v.mT
        expected = pool.c_proj(attended.transpose(2, 3).reshape(2, 32, 5))[:, :, 0]
        torch.testing.assert_close(pool(x), expected)


def test_images_that_do_not_fit():
    check_image(torch.zeros(1, 3, 16, 8), SMALL)
    for shape in ((1, 1, 16, 16), (1, 3, 15, 16)):
        with pytest.raises(UsageError, match="expected 3 channels and a height and width that are multiples of 2"):
            check_image(torch.zeros(shape), SMALL)
