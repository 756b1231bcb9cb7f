import pytest
import torch

from compose_diffusion.presets import PUBLISHED
from compose_diffusion.pretrained.checkpoints import expected_shapes


class Listing:
    """Names and shapes as the published code's constructors would register them, written out without networks."""

    def __init__(self, width, *, scale_shift):
        self.shapes, self.embed, self.factor = {}, 4 * width, 2 if scale_shift else 1

    def layer(self, name, *weight):
        self.shapes[f"{name}.weight"] = weight
        self.shapes[f"{name}.bias"] = weight[:1]

    def residual(self, name, before, after):
        self.layer(f"{name}.in_layers.0", before)
        self.layer(f"{name}.in_layers.2", after, before, 3, 3)
        self.layer(f"{name}.emb_layers.1", self.factor * after, self.embed)
        self.layer(f"{name}.out_layers.0", after)
        self.layer(f"{name}.out_layers.3", after, after, 3, 3)
        if before != after:
            self.layer(f"{name}.skip_connection", after, before, 1, 1)

    def attention(self, name, channels):
        self.layer(f"{name}.norm", channels)
        self.layer(f"{name}.qkv", 3 * channels, channels, 1)
        self.layer(f"{name}.proj_out", channels, channels, 1)

    def down(self, size, width, multipliers, depth, attention):
        """All resampling by residual blocks, as in every published file."""
        self.layer("time_embed.0", 4 * width, width)
        self.layer("time_embed.2", 4 * width, 4 * width)
        channels = int(multipliers[0] * width)
        self.layer("input_blocks.0.0", channels, 3, 3, 3)
        kept, block = [channels], 1
        for level, multiplier in enumerate(multipliers):
            for _ in range(depth):
                after = int(multiplier * width)
                self.residual(f"input_blocks.{block}.0", channels, after)
                if size in attention:
                    self.attention(f"input_blocks.{block}.1", after)
                channels, block = after, block + 1
                kept.append(channels)
            if level + 1 < len(multipliers):
                self.residual(f"input_blocks.{block}.0", channels, channels)
                size, block = size // 2, block + 1
                kept.append(channels)
        self.residual("middle_block.0", channels, channels)
        self.attention("middle_block.1", channels)
        self.residual("middle_block.2", channels, channels)
        return size, channels, kept

    def up(self, size, channels, kept, width, multipliers, depth, attention, out):
        block = 0
        for level in reversed(range(len(multipliers))):
            for index in range(depth + 1):
                after, part = int(multipliers[level] * width), 1
                self.residual(f"output_blocks.{block}.0", channels + kept.pop(), after)
                if size in attention:
                    self.attention(f"output_blocks.{block}.{part}", after)
                    part += 1
                if index == depth and level > 0:
                    self.residual(f"output_blocks.{block}.{part}", after, after)
                    size *= 2
                channels, block = after, block + 1
        self.layer("out.0", channels)
        self.layer("out.2", out, channels, 3, 3)


def listed(name):
    multipliers = {
        64: (1, 2, 3, 4),
        128: (1, 1, 2, 3, 4),
        256: (1, 1, 2, 2, 4, 4),
        512: (0.5, 1, 1, 2, 2, 4, 4),
    }
    attention = (32, 16, 8)
    if name.endswith("classifier"):
        size = int(name.split("x")[0])
        listing = Listing(128, scale_shift=True)
        small, channels, _ = listing.down(size, 128, multipliers[size], 4 if size == 64 else 2, attention)
        listing.layer("out.0", channels)
        listing.shapes["out.2.positional_embedding"] = (channels, small**2 + 1)
        listing.layer("out.2.qkv_proj", 3 * channels, channels, 1)
        listing.layer("out.2.c_proj", 1000, channels, 1)
        return listing.shapes
    size, width, depth, out, scale_shift = {
        "64x64_diffusion": (64, 192, 3, 6, True),
        "128x128_diffusion": (128, 256, 2, 6, True),
        "256x256_diffusion": (256, 256, 2, 6, True),
        "256x256_diffusion_uncond": (256, 256, 2, 6, True),
        "512x512_diffusion": (512, 256, 2, 6, True),
        "clevr_pos": (128, 192, 2, 3, False),
        "clevr_pos_variance": (128, 192, 2, 6, False),
        "ebm-49x1874": (64, 128, 3, 3, False),
    }[name]
    listing = Listing(width, scale_shift=scale_shift)
    small, channels, kept = listing.down(size, width, multipliers[size], depth, attention)
    listing.up(small, channels, kept, width, multipliers[size], depth, attention, out)
    if name.endswith("diffusion"):
        listing.shapes["label_emb.weight"] = (1000, 4 * width)
    elif name.startswith("clevr"):
        listing.layer("label_emb", 4 * width, 2)
        listing.shapes["null_emb.weight"] = (1, 4 * width)
    elif name.startswith("ebm"):
        listing.shapes["label_emb.weight"] = (3, 4 * width)
        listing.shapes["null_emb.weight"] = (1, 4 * width)
    return listing.shapes


@pytest.mark.parametrize("name", PUBLISHED)
def test_names_and_shapes_of_the_published_files(name):
    assert expected_shapes(PUBLISHED[name]) == listed(name)


# Millions of parameters, as Dhariwal and Nichol (2021) list them.
@pytest.mark.parametrize(
    ("name", "millions"),
    [
        ("64x64_diffusion", 296),
        ("128x128_diffusion", 422),
        ("256x256_diffusion", 554),
        ("512x512_diffusion", 559),
        ("64x64_classifier", 65),
        ("128x128_classifier", 43),
        ("256x256_classifier", 54),
        ("512x512_classifier", 54),
    ],
)
def test_parameters_of_the_published_files(name, millions):
    assert round(sum(torch.Size(shape).numel() for shape in listed(name).values()) / 1e6) == millions
    assert (
        round(sum(torch.Size(shape).numel() for shape in expected_shapes(PUBLISHED[name]).values()) / 1e6) == millions
    )
