"""Configurations of the library diffusers as ours, and ours as theirs."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from onepaper.config import shortened, unknown
from onepaper.errors import UsageError

from imagen3.config import AutoencoderConfig, DenoiserConfig
from imagen3.pretrained.layouts import Rule, autoencoder_rules, cross_rules, flux_rules, sd3_rules

NetworkConfig = DenoiserConfig | AutoencoderConfig
Values = Mapping[str, Any]


class Description(NamedTuple):
    """A class of diffusers."""

    read: Callable[[Values], NetworkConfig]
    write: Callable[[Any], dict[str, Any]]
    rules: Callable[[Any], Iterator[Rule]]


def read_sd3(values: Values) -> DenoiserConfig:
    """SD3Transformer2DModel, without masks and with its table of positions."""
    _expect(values, qk_norm=(None, "rms_norm"), caption_projection_dim=(_width(values),))
    dual = tuple(values.get("dual_attention_layers") or ())
    if dual != tuple(range(len(dual))):
        raise UsageError(f"dual_attention_layers are {shortened(dual)}, expected the first blocks in order")
    return DenoiserConfig(
        text_dim=values["joint_attention_dim"],
        pooled_dim=values["pooled_projection_dim"],
        qk_norm=values.get("qk_norm") is not None,
        positions="stored",
        table_size=values["pos_embed_max_size"],
        mask_padding=False,
        dual_depth=len(dual),
        **_shared(values),
    )


def write_sd3(config: DenoiserConfig) -> dict[str, Any]:
    """The inverse of `read_sd3`."""
    _require(config, mask_padding=False, positions="stored")
    return {
        "sample_size": config.table_size * config.patch,
        **_written(config),
        "joint_attention_dim": config.text_dim,
        "caption_projection_dim": config.width,
        "pooled_projection_dim": config.pooled_dim,
        "pos_embed_max_size": config.table_size,
        "dual_attention_layers": list(range(config.dual_depth)),
        "qk_norm": "rms_norm" if config.qk_norm else None,
    }


def read_flux(values: Values) -> DenoiserConfig:
    """FluxTransformer2DModel, whose latents are folded to patches of two by two before the network."""
    dim = values["attention_head_dim"]
    _expect(values, patch_size=(1,), axes_dims_rope=([dim // 8, 7 * dim // 16, 7 * dim // 16],))
    if values["in_channels"] % 4:
        raise UsageError(f"in_channels is {values['in_channels']}, expected a multiple of 4")
    shared = _shared(values)
    shared |= {"patch": 2, **{name: shared[name] // 4 for name in ("channels", "output_channels")}}
    return DenoiserConfig(
        text_dim=values["joint_attention_dim"],
        pooled_dim=values["pooled_projection_dim"],
        mask_padding=False,
        kind="flux",
        single_depth=values["num_single_layers"],
        guidance_input=values.get("guidance_embeds", False),
        **shared,
    )


def write_flux(config: DenoiserConfig) -> dict[str, Any]:
    """The inverse of `read_flux`."""
    _require(config, mask_padding=False, patch=2, qk_norm=True)
    dim = config.width // config.heads
    return {
        **_written(replace(config, channels=4 * config.channels, patch=1, output_channels=4 * config.output_channels)),
        "num_single_layers": config.single_depth,
        "joint_attention_dim": config.text_dim,
        "pooled_projection_dim": config.pooled_dim,
        "guidance_embeds": config.guidance_input,
        "axes_dims_rope": [dim // 8, 7 * dim // 16, 7 * dim // 16],
    }


def read_pixart(values: Values) -> DenoiserConfig:
    """PixArtTransformer2DModel."""
    width, size = _width(values), values["sample_size"]
    _expect(
        values,
        cross_attention_dim=(width,),
        attention_bias=(True,),
        activation_fn=("gelu-approximate",),
        norm_type=("ada_norm_single",),
        norm_elementwise_affine=(False,),
    )
    scale = values.get("interpolation_scale") or max(size // 64, 1)
    side = size // values["patch_size"]
    if side % scale:
        raise UsageError(f"interpolation_scale is {scale}, expected a divisor of {side}, the patches of a side")
    more = values.get("use_additional_conditions")
    return DenoiserConfig(
        text_dim=values["caption_channels"],
        pooled_dim=values["caption_channels"],
        qk_norm=False,
        positions="table",
        table_size=int(side // scale),
        kind="cross-dit",
        size_input=size == 128 if more is None else more,
        **_shared(values),
    )


def write_pixart(config: DenoiserConfig) -> dict[str, Any]:
    """The inverse of `read_pixart`."""
    _require(config, positions="table", qk_norm=False, mask_padding=True)
    if config.cross_heads not in (0, config.heads):
        raise UsageError("PixArt's attention to the text has as many heads as the other; train with cross_heads 0")
    return {
        "sample_size": config.table_size * config.patch,
        "interpolation_scale": 1,
        **_written(config),
        "cross_attention_dim": config.width,
        "caption_channels": config.text_dim,
        "use_additional_conditions": config.size_input,
    }


def read_sana(values: Values) -> DenoiserConfig:
    """SanaTransformer2DModel of the first version, without positions."""
    width = _width(values)
    _expect(
        values,
        cross_attention_dim=(width,),
        attention_bias=(False,),
        interpolation_scale=(None,),
        guidance_embeds=(False,),
        qk_norm=(None,),
        mlp_ratio=(2.5,),
        timestep_scale=(1.0,),
        norm_elementwise_affine=(False,),
    )
    return DenoiserConfig(
        text_dim=values["caption_channels"],
        pooled_dim=values["caption_channels"],
        positions="none",
        kind="linear-dit",
        cross_heads=values["num_cross_attention_heads"],
        **_shared(values),
    )


def write_sana(config: DenoiserConfig) -> dict[str, Any]:
    """The inverse of `read_sana`."""
    _require(config, positions="none", mask_padding=True)
    heads = config.cross_heads or config.heads
    return {
        **_written(config),
        "num_cross_attention_heads": heads,
        "cross_attention_head_dim": config.width // heads,
        "cross_attention_dim": config.width,
        "caption_channels": config.text_dim,
    }


def read_autoencoder(values: Values) -> AutoencoderConfig:
    """AutoencoderKL."""
    widths = tuple(values["block_out_channels"])
    _expect(
        values,
        in_channels=(3,),
        out_channels=(3,),
        act_fn=("silu",),
        norm_num_groups=(32,),
        mid_block_add_attention=(True,),
        latents_mean=(None,),
        latents_std=(None,),
        down_block_types=(["DownEncoderBlock2D"] * len(widths),),
        up_block_types=(["UpDecoderBlock2D"] * len(widths),),
    )
    quantized = values.get("use_quant_conv", True)
    _expect(values, use_post_quant_conv=(quantized,) if "use_quant_conv" in values else (True,))
    return AutoencoderConfig(
        values["latent_channels"],
        factor=2 ** (len(widths) - 1),
        blocks=values["layers_per_block"],
        kind="kl",
        widths=widths,
        quantized=quantized,
    )


def write_autoencoder(config: AutoencoderConfig) -> dict[str, Any]:
    """The inverse of `read_autoencoder`, but for the scale and shift of the latents."""
    return {
        "in_channels": 3,
        "out_channels": 3,
        "down_block_types": ["DownEncoderBlock2D"] * len(config.widths),
        "up_block_types": ["UpDecoderBlock2D"] * len(config.widths),
        "block_out_channels": list(config.widths),
        "layers_per_block": config.blocks,
        "latent_channels": config.channels,
        "norm_num_groups": 32,
        "use_quant_conv": config.quantized,
        "use_post_quant_conv": config.quantized,
    }


CLASSES = {
    "SD3Transformer2DModel": Description(read_sd3, write_sd3, sd3_rules),
    "FluxTransformer2DModel": Description(read_flux, write_flux, flux_rules),
    "PixArtTransformer2DModel": Description(read_pixart, write_pixart, cross_rules),
    "SanaTransformer2DModel": Description(read_sana, write_sana, cross_rules),
    "AutoencoderKL": Description(read_autoencoder, write_autoencoder, autoencoder_rules),
}
_OF_KIND = {
    "mm-dit": "SD3Transformer2DModel",
    "flux": "FluxTransformer2DModel",
    "cross-dit": "PixArtTransformer2DModel",
    "linear-dit": "SanaTransformer2DModel",
    "kl": "AutoencoderKL",
}


def class_of(config: NetworkConfig) -> str:
    """The class of diffusers with the architecture of a configuration.

    Raises:
        UsageError: there is none.
    """
    if config.kind not in _OF_KIND:
        raise UsageError(f"diffusers has no class like our {unknown('kind', config.kind, _OF_KIND)}")
    return _OF_KIND[config.kind]


def _width(values: Values) -> int:
    return values["num_attention_heads"] * values["attention_head_dim"]


def _shared(values: Values) -> dict[str, Any]:
    """What all classes of denoisers have."""
    channels = values["in_channels"]
    return {
        "channels": channels,
        "patch": values["patch_size"],
        "width": _width(values),
        "depth": values["num_layers"],
        "heads": values["num_attention_heads"],
        # 0 where they are those of the input.
        "output_channels": 0 if values.get("out_channels") in (None, 0, channels) else values["out_channels"],
    }


def _written(config: DenoiserConfig) -> dict[str, Any]:
    """The inverse of `_shared`."""
    return {
        "in_channels": config.channels,
        "out_channels": config.output_channels or config.channels,
        "patch_size": config.patch,
        "num_layers": config.depth,
        "num_attention_heads": config.heads,
        "attention_head_dim": config.width // config.heads,
    }


def _expect(values: Values, **expected: tuple[Any, ...]) -> None:
    """Values that a file has, but which only some networks can have that we know."""
    for name, known in expected.items():
        if name in values and values[name] not in known:
            raise UsageError(f"{name} is {shortened(values[name])}, expected {' or '.join(map(shortened, known))}")


def _require(config: DenoiserConfig, **wanted: Any) -> None:
    for name, value in wanted.items():
        if getattr(config, name) != value:
            raise UsageError(
                f"{name} is {shortened(getattr(config, name))}, and {class_of(config)} has {shortened(value)}; train "
                f"with --denoiser.{name.replace('_', '-')} {value}"
            )
