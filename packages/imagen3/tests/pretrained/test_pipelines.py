"""A pipeline of diffusers as a system: the same latents by the same solver and noise."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from onepaper.errors import UsageError

from imagen3.config import AutoencoderConfig, DenoiserConfig, SamplingOptions
from imagen3.pretrained.pipelines import read_pipeline, system_config
from imagen3.sampling import sample_latents

diffusers = pytest.importorskip("diffusers")


@pytest.mark.slow
def test_the_same_denoising(pixart_pipeline: Path) -> None:
    """One step from the last level: the noise that both predict, with guidance, gives the same picture."""
    system = read_pipeline(pixart_pipeline)
    theirs = diffusers.PixArtAlphaPipeline.from_pretrained(pixart_pipeline)
    prompt, against = "a bad cafe", ""
    drawn = sample_latents(system, [prompt], SamplingOptions(steps=1, guidance=3.0), negative=against, seed=4)
    found = []
    for text in (prompt, against):
        tokens, mask, _, _ = theirs.encode_prompt([text], do_classifier_free_guidance=False)
        found.append((tokens, mask))
    from imagen3.sampling import picture_generator

    noise = torch.randn(drawn.shape[1:], generator=picture_generator(4, 0))[None]
    kept = float(theirs.scheduler.alphas_cumprod[-1])
    alpha, sigma = kept**0.5, (1 - kept) ** 0.5
    # Level 1 is taken as that of the last step, where z has the factor 1 / (alpha + sigma).
    x = noise * (alpha + sigma)
    with torch.inference_mode():
        predicted = [
            theirs.transformer(
                x, encoder_hidden_states=tokens, encoder_attention_mask=mask, timestep=torch.tensor([999]),
                added_cond_kwargs={"resolution": None, "aspect_ratio": None}, return_dict=False,
            )[0][:, :4]
            for tokens, mask in found
        ]  # fmt: skip
    velocity = [(epsilon - noise) * (alpha + sigma) / alpha for epsilon in predicted]
    expected = noise - (velocity[1] + 3.0 * (velocity[0] - velocity[1]))
    torch.testing.assert_close(drawn, expected, rtol=1e-3, atol=1e-3)


def test_configurations(tmp_path: Path) -> None:
    for name in ("scheduler", "transformer"):
        (tmp_path / name).mkdir()
    scheduler = tmp_path / "scheduler" / "scheduler_config.json"
    (tmp_path / "transformer" / "config.json").write_text(json.dumps({"sample_size": 128}))
    sd3 = DenoiserConfig(16, text_dim=4096, pooled_dim=2048, mask_padding=False)
    vae = AutoencoderConfig(16, factor=8, kind="kl", widths=(32, 32, 32, 32))
    scheduler.write_text(json.dumps({"shift": 3.0}))
    config = system_config(tmp_path, "StableDiffusion3Pipeline", sd3, vae)
    assert (config.data.size, config.sampling.shift, config.text.pooled_dim) == (1024, 3.0, 2048)
    scheduler.write_text(json.dumps({"use_dynamic_shifting": True, "max_shift": 1.15}))
    flux = DenoiserConfig(16, text_dim=4096, pooled_dim=768, kind="flux", guidance_input=True)
    config = system_config(tmp_path, "FluxPipeline", flux, vae)
    assert config.sampling.guidance == 1.0
    assert config.sampling.shift == pytest.approx(3.158, abs=1e-3)
    scheduler.write_text(json.dumps({"beta_schedule": "scaled_linear", "beta_start": 1e-4, "beta_end": 2e-2}))
    with pytest.raises(UsageError, match="the scheduler has betas"):
        system_config(tmp_path, "PixArtAlphaPipeline", DenoiserConfig(16, kind="cross-dit"), vae)


def test_incomplete_pipelines(pixart_pipeline: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(pixart_pipeline, folder)
    shutil.rmtree(folder / "vae")
    shutil.copytree(folder / "transformer", folder / "vae")
    with pytest.raises(UsageError, match="other networks in transformer and vae"):
        read_pipeline(folder)
    shutil.rmtree(folder / "vae")
    with pytest.raises(UsageError, match="does not exist"):
        read_pipeline(folder)
