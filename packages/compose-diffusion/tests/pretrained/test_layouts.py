import pytest
import torch
from onepaper.errors import UsageError

from compose_diffusion.config.guided_diffusion import EncoderConfig, UNetConfig
from compose_diffusion.presets import PUBLISHED
from compose_diffusion.pretrained.layouts import (
    check_shapes,
    expected_shapes,
    infer_config,
    published_config,
    shapes_of,
)

SMALL = {"image_size": 32, "width": 64, "multipliers": (1, 1, 2), "num_blocks": 2, "attention_sizes": (16,)}


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
    assert published_config(listed(name), name) == PUBLISHED[name]


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


def test_structure_of_published_files_is_inferred():
    not_in_shapes = ("schedule", "form", "head_width", "num_heads", "attention_order", "dropout")
    for config in PUBLISHED.values():
        inferred = infer_config(expected_shapes(config))
        assert type(inferred) is type(config)
        reported = {name: value for name, value in vars(config).items() if name not in not_in_shapes}
        assert {name: value for name, value in vars(inferred).items() if name not in not_in_shapes} == reported


@pytest.mark.parametrize(
    "config",
    [
        UNetConfig(**SMALL),
        UNetConfig(**SMALL, residual_resampling=False, image_channels=1),
        UNetConfig(**SMALL, condition="position"),
        UNetConfig(**SMALL, condition="text", text_dim=7, scale_shift_norm=False),
        EncoderConfig(**SMALL, num_classes=5),
        EncoderConfig(**SMALL, num_classes=5, pool="average", residual_resampling=False),
        UNetConfig(**SMALL | {"width": 32, "head_width": 32}, predicts_variance=True),
    ],
)
def test_configurations_of_other_networks_are_inferred(config):
    assert infer_config(expected_shapes(config)) == config


def test_what_no_network_has():
    shapes = dict(expected_shapes(UNetConfig(**SMALL)))
    assert infer_config({}) is None
    assert infer_config({"weight": (3, 4)}) is None
    assert infer_config({**shapes, "extra": (1,)}) is None
    del shapes["middle_block.1.qkv.weight"]
    assert infer_config(shapes) is None
    assert published_config(shapes) is None


def test_differences_are_named_and_a_fitting_configuration(tmp_path):
    config, other = UNetConfig(**SMALL), UNetConfig(**SMALL, condition="class", num_classes=4)
    check_shapes(tmp_path, expected_shapes(config), expected_shapes(config))
    with pytest.raises(
        UsageError, match=r"'label_emb.weight' is missing; its tensors are those of UNetConfig\("
    ) as reported:
        check_shapes(tmp_path / "a.pt", expected_shapes(other), expected_shapes(config))
    assert str(reported.value).startswith(f"{tmp_path / 'a.pt'} does not fit the configuration: ")
    with pytest.raises(UsageError, match="'label_emb.weight' is unexpected; .*num_classes=4"):
        check_shapes(tmp_path, expected_shapes(config), expected_shapes(other))
    wider = expected_shapes(UNetConfig(**SMALL | {"width": 128}))
    with pytest.raises(
        UsageError, match=r"'time_embed.0.weight' has shape \(512, 128\), expected \(256, 64\).* more; "
    ):
        check_shapes(tmp_path, expected_shapes(config), wider)
    with pytest.raises(UsageError, match="'out.2.bias' is unexpected; give the configuration it was trained with"):
        check_shapes(tmp_path, {"out.2.weight": (1,)}, {"out.2.weight": (1,), "out.2.bias": (1,)})


def test_shapes_of_tensors():
    assert shapes_of({"a": torch.zeros(2, 3), "b": torch.zeros(())}) == {"a": (2, 3), "b": ()}
