"""All kinds of denoisers by one interface: counts, output 0 at initialisation, padding, saved weights."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from onepaper.errors import OnePaperError, UsageError
from onepaper.torch.state_files import save_pretrained
from torch import nn

from imagen3.config import AutoencoderConfig, DenoiserConfig
from imagen3.models.kl_autoencoder import KLAutoencoder
from imagen3.models.networks import (
    KINDS,
    build_autoencoder,
    build_denoiser,
    denoiser_parameter_count,
    open_network,
    read_tensors,
)
from imagen3.text.encoder import TextFeatures

TINY = DenoiserConfig(width=64, depth=2, heads=2, text_dim=6, pooled_dim=5)
TINY_KINDS = {
    "mm-dit": TINY,
    "flux": replace(TINY, kind="flux", single_depth=2, depth=1),
    "cross-dit": replace(TINY, kind="cross-dit", positions="table", table_size=8, output_channels=8, cross_heads=4),
    "linear-dit": replace(TINY, kind="linear-dit", patch=1, positions="none"),
    "uvit": replace(TINY, kind="uvit"),
}

# Published sizes, and the counts of their classes in the library diffusers.
PUBLISHED = {
    "SD3-medium": (
        DenoiserConfig(16, width=1536, depth=24, heads=24, text_dim=4096, pooled_dim=2048, qk_norm=False),
        2_028_328_000,
    ),
    "SD3.5-medium": (
        DenoiserConfig(16, width=1536, depth=24, heads=24, text_dim=4096, pooled_dim=2048, dual_depth=13),
        2_243_171_520,
    ),
    "SD3.5-large": (
        DenoiserConfig(16, width=2432, depth=38, heads=38, text_dim=4096, pooled_dim=2048),
        8_056_627_520,
    ),
    "FLUX.1-dev": (
        DenoiserConfig(
            16, width=3072, depth=19, heads=24, text_dim=4096, pooled_dim=768, kind="flux", single_depth=38,
            guidance_input=True,
        ),
        11_901_408_320,
    ),
    "PixArt-alpha": (
        DenoiserConfig(
            4, width=1152, depth=28, heads=16, text_dim=4096, kind="cross-dit", qk_norm=False, size_input=True,
            positions="table", table_size=32, output_channels=8,
        ),
        611_349_152,
    ),
    "SANA-1.6B": (
        DenoiserConfig(
            32, patch=1, width=2240, depth=20, heads=70, text_dim=2304, kind="linear-dit", cross_heads=20,
            positions="none",
        ),
        1_604_462_752,
    ),
}  # fmt: skip


def words(batch: int, length: int = 3) -> TextFeatures:
    generator = torch.Generator().manual_seed(1)
    tokens, pooled = torch.randn(batch, length, 6, generator=generator), torch.randn(batch, 5, generator=generator)
    return TextFeatures(tokens, torch.ones(batch, length, dtype=torch.bool), pooled)


def random_model(config: DenoiserConfig) -> nn.Module:
    torch.manual_seed(0)
    model = build_denoiser(config).eval()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.1)
    return model


def test_every_kind_is_tested() -> None:
    assert set(TINY_KINDS) == set(KINDS)


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_counts(name: str) -> None:
    """In closed form, and of the network itself, which is built without memory."""
    config, published = PUBLISHED[name]
    assert denoiser_parameter_count(config) == published
    with torch.device("meta"):
        assert sum(parameter.numel() for parameter in build_denoiser(config).parameters()) == published


@pytest.mark.parametrize("kind", KINDS)
def test_counts(kind: str) -> None:
    more = {
        "mm-dit": {"dual_depth": 1},
        "flux": {"guidance_input": True},
        "cross-dit": {"size_input": True, "width": 96, "positions": "rope", "table_size": 0},
        "linear-dit": {"depth": 3, "positions": "rope"},
        "uvit": {"depth": 3, "output_channels": 5},
    }
    for changed in (
        {},
        {"qk_norm": False, "patch": 2},
        more[kind],
    ):
        config = replace(TINY_KINDS[kind], **changed)
        with torch.device("meta"):
            model = build_denoiser(config)
        assert denoiser_parameter_count(config) == sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize("kind", KINDS)
def test_interface(kind: str, tmp_path: Path) -> None:
    config = TINY_KINDS[kind]
    z, t = torch.randn(2, 4, 4, 8, generator=torch.Generator().manual_seed(0)), torch.tensor([0.2, 0.9])
    channels = config.output_channels or 4
    assert build_denoiser(config)(z, t, words(2)).abs().max() == 0
    model = random_model(config)
    found = model(z, t, words(2))
    assert found.shape == (2, channels, 4, 8)
    # A picture does not depend on its neighbours, nor on what is behind the end of a text.
    short = words(2)
    garbage = torch.full((2, 4, 6), 9.0)
    padded = TextFeatures(torch.cat([short.tokens, garbage], 1), F.pad(short.mask, (0, 4)), short.pooled)
    torch.testing.assert_close(model(z, t, padded), found, rtol=1e-4, atol=1e-4)
    one = TextFeatures(*(part[:1] for part in short))
    torch.testing.assert_close(model(z[:1], t[:1], one), found[:1], rtol=1e-4, atol=1e-5)
    # Every input matters, and so does where a patch is.
    for other in (
        model(z, t + 0.1, short),
        model(z, t, short._replace(tokens=short.tokens * 2)),
        model(z.flip(2), t, short).flip(2),
    ):
        assert (found - other).abs().max() > 1e-4
    with pytest.raises(UsageError, match="latents have shape"):
        model(torch.zeros(1, 3, 4, 4), t[:1], one)
    opened = open_network(save_pretrained(tmp_path, model, config))
    torch.testing.assert_close(opened(z, t, short), found.detach(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("words_", "expected"),
    [
        ({"kind": "flux", "width": 48}, "multiple of 64 for 2 heads"),
        ({"kind": "flux", "positions": "table", "table_size": 8}, "positions of flux"),
        ({"dual_depth": 3}, "dual_depth is 3"),
        ({"single_depth": 3}, "single_depth belongs to denoiser.kind flux"),
        ({"kind": "cross-dit", "cross_heads": 5}, "cross_heads = 5"),
        ({"kind": "cross-dit", "size_input": True}, "multiple of 3"),
        ({"kind": "dit"}, "unknown kind 'dit'"),
    ],
)
def test_configurations_that_do_not_fit(words_: dict, expected: str) -> None:
    with pytest.raises(UsageError, match=expected):
        replace(TINY, **words_)


def test_autoencoders_by_kind(tmp_path: Path) -> None:
    config = AutoencoderConfig(4, factor=2, kind="kl", widths=(32, 64), quantized=True)
    model = build_autoencoder(config).eval()
    assert isinstance(model, KLAutoencoder)
    pictures = torch.rand(1, 3, 16, 8)
    folder = save_pretrained(tmp_path, {name: value.half() for name, value in model.state_dict().items()}, config)
    again = open_network(folder)
    assert again.scale.dtype == torch.float32
    torch.testing.assert_close(again.encode(pictures).mean, model.encode(pictures).mean, rtol=1e-2, atol=1e-2)
    with pytest.raises(UsageError, match="expected 2 by the widths"):
        replace(config, factor=4)
    with pytest.raises(UsageError, match="belong to autoencoder.kind 'kl'"):
        AutoencoderConfig(quantized=True)


def test_damaged_files(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    file.write_bytes(b"no tensors")
    with pytest.raises(OnePaperError, match="damaged or no safetensors file"):
        read_tensors(file)
    model = build_denoiser(TINY)
    with torch.no_grad():
        model.patches.weight[0, 0] = torch.nan
    with pytest.raises(UsageError, match=r"patches.weight is not finite"):
        open_network(save_pretrained(tmp_path / "nan", model, TINY))
