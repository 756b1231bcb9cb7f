"""Configurations of diffusers as ours and back, for the published ones too."""

import pytest
from onepaper.errors import UsageError

from imagen3.config import DenoiserConfig
from imagen3.models.networks import denoiser_parameter_count
from imagen3.pretrained.descriptions import CLASSES, class_of, read_autoencoder, read_flux, read_pixart, read_sd3

# As published with the weights (of those that have more options, the ones that matter).
SD35_MEDIUM = {
    "attention_head_dim": 64, "caption_projection_dim": 1536, "dual_attention_layers": list(range(13)),
    "in_channels": 16, "joint_attention_dim": 4096, "num_attention_heads": 24, "num_layers": 24, "out_channels": 16,
    "patch_size": 2, "pooled_projection_dim": 2048, "pos_embed_max_size": 384, "qk_norm": "rms_norm",
    "sample_size": 128,
}  # fmt: skip
FLUX_DEV = {
    "attention_head_dim": 128, "axes_dims_rope": [16, 56, 56], "guidance_embeds": True, "in_channels": 64,
    "joint_attention_dim": 4096, "num_attention_heads": 24, "num_layers": 19, "num_single_layers": 38,
    "patch_size": 1, "pooled_projection_dim": 768,
}  # fmt: skip
PIXART_1024 = {
    "attention_head_dim": 72, "caption_channels": 4096, "cross_attention_dim": 1152, "in_channels": 4,
    "num_attention_heads": 16, "num_layers": 28, "out_channels": 8, "patch_size": 2, "sample_size": 128,
}  # fmt: skip


def test_published_configurations() -> None:
    assert denoiser_parameter_count(read_sd3(SD35_MEDIUM)) == 2_243_171_520
    assert denoiser_parameter_count(read_flux(FLUX_DEV)) == 11_901_408_320
    pixart = read_pixart(PIXART_1024)
    assert denoiser_parameter_count(pixart) == 611_349_152
    assert (pixart.size_input, pixart.table_size) == (True, 32)


@pytest.mark.parametrize("values", [SD35_MEDIUM, FLUX_DEV, PIXART_1024])
def test_there_and_back(values: dict) -> None:
    name = {24: "SD3Transformer2DModel", 19: "FluxTransformer2DModel", 28: "PixArtTransformer2DModel"}
    description = CLASSES[name[values["num_layers"]]]
    config = description.read(values)
    assert isinstance(config, DenoiserConfig)
    assert description.read(description.write(config)) == config
    assert CLASSES[class_of(config)] is description


@pytest.mark.parametrize(
    ("read", "values", "expected"),
    [
        (read_flux, FLUX_DEV | {"axes_dims_rope": [32, 48, 48]}, "axes_dims_rope"),
        (read_flux, FLUX_DEV | {"in_channels": 63}, "multiple of 4"),
        (read_pixart, PIXART_1024 | {"interpolation_scale": 3}, "expected a divisor of 64"),
        (read_autoencoder, {"block_out_channels": [32], "norm_num_groups": 16}, "norm_num_groups is 16"),
    ],
)
def test_options_that_are_not_known(read: type, values: dict, expected: str) -> None:
    with pytest.raises(UsageError, match=expected):
        read(values)
