"""Small random pipelines of SD3 and FLUX: saved by diffusers, imported, sampled to the same pictures, exported."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from onepaper.testing import run_verb

from imagen3.config import SamplingOptions
from imagen3.pretrained.pipelines import pipeline_options, read_pipeline, set_distilled_guidance
from imagen3.pretrained.systems import open_system
from imagen3.sampling import decode_pictures, picture_generator, sample_latents

diffusers = pytest.importorskip("diffusers")
transformers = pytest.importorskip("transformers")

PROMPT, SEED, STEPS = "a bad cafe", 4, 3


def clip_tokenizer(folder: Path) -> Any:
    """Of single letters."""
    letters = "abcdefgh"
    names = ["<|startoftext|>", "<|endoftext|>", *letters, *(f"{letter}</w>" for letter in letters)]
    folder.mkdir()
    (folder / "vocab.json").write_text(json.dumps({name: number for number, name in enumerate(names)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    return transformers.CLIPTokenizer(
        str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=77, pad_token="<|endoftext|>"
    )


def clip(kind: str) -> Any:
    config = transformers.CLIPTextConfig(
        vocab_size=18, hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
        projection_dim=32, bos_token_id=0, eos_token_id=1, pad_token_id=1,
    )  # fmt: skip
    return getattr(transformers, kind)(config).eval()


def t5() -> tuple[Any, Any]:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *((letter, -1.0) for letter in "▁abcdefgh")]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=2))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    )
    config = transformers.T5Config(vocab_size=16, d_model=32, d_kv=8, d_ff=32, num_layers=1, num_heads=2)
    return fast, transformers.T5EncoderModel(config).eval()


def vae() -> Any:
    return diffusers.AutoencoderKL(
        block_out_channels=(32, 32), down_block_types=("DownEncoderBlock2D",) * 2, latent_channels=4,
        up_block_types=("UpDecoderBlock2D",) * 2, scaling_factor=1.5, shift_factor=0.06, use_quant_conv=False,
        use_post_quant_conv=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def sd3(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("sd3")
    tokenizer, (fast, encoder) = clip_tokenizer(folder / "clip"), t5()
    transformer = diffusers.SD3Transformer2DModel(
        sample_size=16, in_channels=4, out_channels=4, num_layers=2, attention_head_dim=16, num_attention_heads=2,
        joint_attention_dim=32, caption_projection_dim=32, pooled_projection_dim=64, pos_embed_max_size=16,
    )  # fmt: skip
    kind = "CLIPTextModelWithProjection"
    pipeline = diffusers.StableDiffusion3Pipeline(
        transformer, diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0), vae(), clip(kind), tokenizer, clip(kind),
        tokenizer, encoder, fast,
    )  # fmt: skip
    pipeline.save_pretrained(folder / "pipeline")
    return folder / "pipeline"


@pytest.fixture(scope="module")
def flux(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("flux")
    fast, encoder = t5()
    transformer = diffusers.FluxTransformer2DModel(
        in_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=32, num_attention_heads=2,
        joint_attention_dim=32, pooled_projection_dim=16, guidance_embeds=True, axes_dims_rope=(4, 14, 14),
    )  # fmt: skip
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True, base_shift=0.5, max_shift=1.15)
    pipeline = diffusers.FluxPipeline(
        scheduler, vae(), clip("CLIPTextModel"), clip_tokenizer(folder / "clip"), encoder, fast, transformer
    )
    pipeline.save_pretrained(folder / "pipeline")
    return folder / "pipeline"


def noise(shape: Sequence[int]) -> torch.Tensor:
    return torch.randn(tuple(shape), generator=picture_generator(SEED, 0))[None]


def compare(folder: Path, theirs: Any, latents: torch.Tensor, unpack: Any, guidance: float, **options: Any) -> None:
    """Latents within 1e-3 and pictures within rounding of those of the pipeline of diffusers with the same steps."""
    system, size = read_pipeline(folder), (16, 32)
    if system.config.denoiser.guidance_input:
        set_distilled_guidance(system, options["guidance_scale"])
    sampling = pipeline_options(system, size)
    sampling = SamplingOptions(steps=STEPS, guidance=guidance, shift=sampling.shift)
    with torch.inference_mode():
        ours = sample_latents(system, [PROMPT], sampling, seed=SEED, size=size)
        asked = {"latents": latents, "height": 16, "width": 32, "num_inference_steps": STEPS, **options}
        found = unpack(theirs(PROMPT, output_type="latent", **asked)[0])
        picture = theirs(PROMPT, output_type="np", **asked)[0]
    torch.testing.assert_close(ours, found, rtol=1e-3, atol=1e-3)
    assert float((ours - latents_as(ours, latents, unpack)).abs().max()) > 0.05  # something was done
    difference = decode_pictures(system, ours).astype(float) - 255 * picture
    assert np.abs(difference).max() <= 1


def latents_as(ours: torch.Tensor, latents: torch.Tensor, unpack: Any) -> torch.Tensor:
    return latents if latents.shape == ours.shape else unpack(latents)


@pytest.mark.slow
def test_sd3(sd3: Path, tmp_path: Path) -> None:
    theirs = diffusers.StableDiffusion3Pipeline.from_pretrained(sd3)
    # By default diffusers spaces the steps of SD3 down to a level just above 0, ours are spaced evenly to 0.
    sigmas = np.linspace(1.0, 1 / STEPS, STEPS).tolist()
    latents = noise((4, 8, 16))
    compare(sd3, theirs, latents, lambda z: z, 4.5, sigmas=sigmas, guidance_scale=4.5)
    # Imported and exported by the command line, both networks open in diffusers again, with the same weights.
    assert run_verb("imagen3", "import", str(sd3), "--output", str(tmp_path / "run")) == 0
    assert open_system(tmp_path / "run").config.sampling.shift == 3.0
    parts = (
        ("denoiser", "transformer", diffusers.SD3Transformer2DModel),
        ("autoencoder", "vae", diffusers.AutoencoderKL),
    )
    for part, name, kind in parts:
        words = ("--weights", str(tmp_path / "run"), "--part", part, "--output", str(tmp_path / part))
        assert run_verb("imagen3", "to-diffusers", *words) == 0
        again = kind.from_pretrained(tmp_path / part / name).state_dict()
        for key, value in getattr(theirs, name).state_dict().items():
            torch.testing.assert_close(again[key], value)


@pytest.mark.slow
def test_flux(flux: Path) -> None:
    theirs = diffusers.FluxPipeline.from_pretrained(flux)
    latents = noise((4, 8, 16))

    def unpack(z: torch.Tensor) -> torch.Tensor:
        return z.reshape(1, 4, 8, 4, 2, 2).permute(0, 3, 1, 4, 2, 5).reshape(1, 4, 8, 16)

    packed = latents.reshape(1, 4, 4, 2, 8, 2).permute(0, 2, 4, 1, 3, 5).reshape(1, 32, 16)
    compare(flux, theirs, packed, unpack, 1.0, guidance_scale=2.0)
