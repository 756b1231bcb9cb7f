"""Networks of diffusers with random weights: the same outputs here, written back, and opened there."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from einops import rearrange
from onepaper.errors import OnePaperError, UsageError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from imagen3.config import AutoencoderConfig, DenoiserConfig
from imagen3.models.networks import build_denoiser, fill
from imagen3.pretrained.diffusers_folders import INDEX, WEIGHTS, empty_network, read_network, write_network
from imagen3.text.encoder import TextFeatures

diffusers = pytest.importorskip("diffusers")

HEADS = {"num_attention_heads": 2, "attention_head_dim": 32, "num_layers": 2}
SD3 = {
    "sample_size": 8, "patch_size": 2, "in_channels": 4, "out_channels": 4, "joint_attention_dim": 12,
    "caption_projection_dim": 64, "pooled_projection_dim": 10, "pos_embed_max_size": 12, **HEADS,
}  # fmt: skip
FLUX = {
    "in_channels": 16, "num_single_layers": 2, "joint_attention_dim": 12, "pooled_projection_dim": 10,
    "axes_dims_rope": (4, 14, 14), **HEADS,
}  # fmt: skip
PIXART = {"sample_size": 16, "cross_attention_dim": 64, "caption_channels": 12, **HEADS}
SANA = {
    "in_channels": 4, "out_channels": 4, "num_cross_attention_heads": 4, "cross_attention_head_dim": 16,
    "cross_attention_dim": 64, "caption_channels": 12, **HEADS,
}  # fmt: skip
NETWORKS = {
    "sd3": ("SD3Transformer2DModel", SD3),
    "sd3.5-large": ("SD3Transformer2DModel", SD3 | {"qk_norm": "rms_norm"}),
    "sd3.5-medium": ("SD3Transformer2DModel", SD3 | {"qk_norm": "rms_norm", "dual_attention_layers": (0,)}),
    "flux-schnell": ("FluxTransformer2DModel", FLUX),
    "flux-dev": ("FluxTransformer2DModel", FLUX | {"guidance_embeds": True}),
    "pixart": ("PixArtTransformer2DModel", PIXART),
    "pixart-1024": ("PixArtTransformer2DModel", PIXART | {"sample_size": 128, "num_attention_heads": 3,
                                                          "cross_attention_dim": 96}),
    "sana": ("SanaTransformer2DModel", SANA),
}  # fmt: skip
VAE = {
    "block_out_channels": (32, 64, 64), "down_block_types": ("DownEncoderBlock2D",) * 3,
    "up_block_types": ("UpDecoderBlock2D",) * 3, "layers_per_block": 2, "latent_channels": 4,
}  # fmt: skip
VAES = {
    "f8c4": VAE | {"scaling_factor": 0.18215},
    "f8c16": VAE | {"latent_channels": 16, "use_quant_conv": False, "use_post_quant_conv": False,
                    "scaling_factor": 1.5305, "shift_factor": 0.0609},
}  # fmt: skip


def random_network(name: str, options: dict[str, Any]) -> Any:
    torch.manual_seed(0)
    model = getattr(diffusers, name)(**options).eval()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.07)
    return model


def inputs(channels: int, height: int = 8, width: int = 12) -> tuple[Tensor, Tensor, TextFeatures]:
    generator = torch.Generator().manual_seed(1)
    z = torch.randn(2, channels, height, width, generator=generator)
    mask = torch.ones(2, 5, dtype=torch.bool)
    tokens, pooled = torch.randn(2, 5, 12, generator=generator), torch.randn(2, 10, generator=generator)
    return z, torch.tensor([0.25, 0.8]), TextFeatures(tokens, mask, pooled)


def of_diffusers(model: Any, z: Tensor, t: Tensor, text: TextFeatures) -> Tensor:
    """The output of a network of diffusers, called as its pipeline does."""
    name, time = type(model).__name__, 1000 * t
    words = {"encoder_hidden_states": text.tokens, "return_dict": False}
    if name == "SD3Transformer2DModel":
        return model(z, timestep=time, pooled_projections=text.pooled, **words)[0]
    if name == "FluxTransformer2DModel":
        # As in the pipeline: patches with their channels first, and (0, row, column) as their positions.
        rows, columns = z.shape[2] // 2, z.shape[3] // 2
        packed = rearrange(z, "b c (h p) (w q) -> b (h w) (c p q)", p=2, q=2)
        ids = torch.cartesian_prod(torch.zeros(1), torch.arange(rows).float(), torch.arange(columns).float())
        found = model(
            packed, timestep=t, img_ids=ids, txt_ids=torch.zeros(5, 3), pooled_projections=text.pooled,
            guidance=torch.full((2,), 3.5) if model.config.guidance_embeds else None, **words,
        )[0]  # fmt: skip
        return rearrange(found, "b (h w) (c p q) -> b c (h p) (w q)", h=rows, p=2, q=2)
    mask = text.mask.to(z.dtype)
    if name == "PixArtTransformer2DModel":
        more = {"resolution": None, "aspect_ratio": None}
        if model.use_additional_conditions:
            sides = torch.tensor([8.0 * z.shape[2], 8.0 * z.shape[3]])
            more = {"resolution": sides.repeat(2, 1), "aspect_ratio": (sides[:1] / sides[1:]).repeat(2, 1)}
        return model(z, timestep=time, encoder_attention_mask=mask, added_cond_kwargs=more, **words)[0]
    return model(z, timestep=time, encoder_attention_mask=mask, **words)[0]


@pytest.mark.parametrize("name", NETWORKS)
@torch.inference_mode()
def test_denoisers_there_and_back(name: str, tmp_path: Path) -> None:
    theirs = random_network(*NETWORKS[name])
    theirs.save_pretrained(tmp_path / "theirs")
    config, tensors = read_network(tmp_path / "theirs")
    assert isinstance(config, DenoiserConfig)
    ours = empty_network(config)
    fill(ours, tensors, tmp_path)
    z, t, text = inputs(config.channels)
    expected = of_diffusers(theirs, z, t, text)
    assert expected.abs().max() > 0.1
    torch.testing.assert_close(ours(z, t, text), expected, rtol=1e-4, atol=1e-4)
    write_network(tmp_path / "again", ours, config)
    reopened = type(theirs).from_pretrained(tmp_path / "again").eval()
    torch.testing.assert_close(of_diffusers(reopened, z, t, text), expected, rtol=0, atol=0)


@pytest.mark.parametrize("name", ["pixart", "sana"])
@torch.inference_mode()
def test_masked_texts(name: str, tmp_path: Path) -> None:
    theirs = random_network(*NETWORKS[name])
    theirs.save_pretrained(tmp_path)
    config, tensors = read_network(tmp_path)
    ours = empty_network(config)
    fill(ours, tensors, tmp_path)
    z, t, text = inputs(4, height=16, width=16)
    text = text._replace(mask=torch.tensor([[True] * 5, [True] * 2 + [False] * 3]))
    torch.testing.assert_close(ours(z, t, text), of_diffusers(theirs, z, t, text), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", VAES)
@torch.inference_mode()
def test_autoencoders_there_and_back(name: str, tmp_path: Path) -> None:
    theirs = random_network("AutoencoderKL", VAES[name])
    theirs.save_pretrained(tmp_path / "theirs")
    config, tensors = read_network(tmp_path / "theirs")
    assert isinstance(config, AutoencoderConfig)
    ours = empty_network(config)
    fill(ours, tensors, tmp_path)
    pictures = torch.rand(2, 3, 16, 24) * 2 - 1
    expected = theirs.encode(pictures).latent_dist
    found = ours.encode(pictures)
    torch.testing.assert_close(found.mean, expected.mean, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(found.log_variance, expected.logvar, rtol=1e-4, atol=1e-4)
    decoded = theirs.decode(expected.mean, return_dict=False)[0]
    torch.testing.assert_close(ours.decode(expected.mean), decoded, rtol=1e-4, atol=1e-4)
    assert float(ours.scale) == pytest.approx(VAES[name]["scaling_factor"])
    write_network(tmp_path / "again", ours, config)
    reopened = diffusers.AutoencoderKL.from_pretrained(tmp_path / "again").eval()
    torch.testing.assert_close(reopened.decode(expected.mean, return_dict=False)[0], decoded, rtol=0, atol=0)
    assert reopened.config.shift_factor == pytest.approx(VAES[name].get("shift_factor", 0.0))


def test_several_files_and_former_names(tmp_path: Path) -> None:
    """Large networks come in several files; autoencoders of before 2023 have other names for attention."""
    theirs = random_network("AutoencoderKL", VAES["f8c4"])
    theirs.save_pretrained(tmp_path, max_shard_size="300KB")
    assert (tmp_path / INDEX).is_file()
    whole = read_network(tmp_path)[1]
    for file in tmp_path.glob("*-of-*.safetensors"):
        former = load_file(file)
        for now, before in ((".to_q.", ".query."), (".to_k.", ".key."), (".to_v.", ".value.")):
            former = {name.replace(now, before): value for name, value in former.items()}
        save_file(former, file)
    again = read_network(tmp_path)[1]
    assert again.keys() == whole.keys()
    assert all(torch.equal(value, again[name]) for name, value in whole.items())


def test_the_former_class_of_pixart(tmp_path: Path) -> None:
    random_network(*NETWORKS["pixart"]).save_pretrained(tmp_path)
    values = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(values | {"_class_name": "Transformer2DModel"}))
    assert read_network(tmp_path)[0].kind == "cross-dit"
    (tmp_path / "config.json").write_text(
        json.dumps(values | {"_class_name": "Transformer2DModel", "norm_type": "layer_norm"})
    )
    with pytest.raises(UsageError, match="unknown class of diffusers 'Transformer2DModel'"):
        read_network(tmp_path)


def changed_config(**changes: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        values = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(values | changes))

    return change


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (lambda folder: (folder / "config.json").unlink(), "does not exist"),
        (lambda folder: (folder / WEIGHTS).unlink(), f"neither {WEIGHTS} nor"),
        (changed_config(_class_name="UNet2DConditionModel"), "unknown class of diffusers 'UNet2DConditionModel'"),
        (changed_config(num_layers=3), "transformer_blocks.1.attn.to_add_out.bias.* is absent, expected"),
        (changed_config(num_layers="two"), "in the options of SD3Transformer2DModel"),
        (changed_config(joint_attention_dim=13), "expected \\[64, 13\\] by its config.json"),
        (changed_config(qk_norm="layer_norm"), "qk_norm is 'layer_norm', expected None or 'rms_norm'"),
        (changed_config(dual_attention_layers=[1]), "expected the first blocks in order"),
        (changed_config(num_attention_heads=None), "in the options of"),
        (
            lambda folder: (
                (folder / WEIGHTS).rename(folder / "x.safetensors"),
                (folder / INDEX).write_text('{"weight_map": {"a": "../x.safetensors"}}'),
            ),
            "names no files beside it",
        ),
    ],
)
def test_folders_that_do_not_fit(damage: Callable[[Path], None], expected: str, tmp_path: Path) -> None:
    random_network(*NETWORKS["sd3"]).save_pretrained(tmp_path)
    damage(tmp_path)
    with pytest.raises(UsageError, match=expected):
        read_network(tmp_path)


def test_damaged_weights(tmp_path: Path) -> None:
    random_network(*NETWORKS["sd3"]).save_pretrained(tmp_path)
    (tmp_path / WEIGHTS).write_bytes((tmp_path / WEIGHTS).read_bytes()[:1000])
    with pytest.raises(OnePaperError, match="is damaged or no safetensors file"):
        read_network(tmp_path)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (DenoiserConfig(kind="uvit"), "no class like our unknown kind 'uvit'"),
        (DenoiserConfig(), "mask_padding is True, and SD3Transformer2DModel has False"),
        (DenoiserConfig(mask_padding=False), "positions is 'rope'.*--denoiser.positions stored"),
        (DenoiserConfig(kind="cross-dit"), "positions is 'rope', and PixArtTransformer2DModel has 'table'"),
    ],
)
def test_networks_without_a_class(config: DenoiserConfig, expected: str, tmp_path: Path) -> None:
    with torch.device("meta"):
        model = build_denoiser(config)
    with pytest.raises(UsageError, match=expected):
        write_network(tmp_path / "out", model, config)
    assert not (tmp_path / "out").exists()
