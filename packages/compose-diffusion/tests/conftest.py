"""Fixtures of several folders; small, randomly initialised pipelines of diffusers are built once for all tests."""

import json
import tempfile
from pathlib import Path

import pytest
import torch


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Tensors are small here: a second thread would only wait, and count as much time as the first one."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


@pytest.fixture(scope="session")
def few_levels(tmp_path_factory):
    """A weights folder of tiny untrained networks of digits with few noise levels."""
    from compose_diffusion.config.digits import ClassifierConfig, DenoiserConfig
    from compose_diffusion.config.networks import ScheduleConfig
    from compose_diffusion.models.digits import Denoiser, NoisyClassifier

    folder = tmp_path_factory.mktemp("weights")
    schedule = ScheduleConfig(num_levels=5)
    Denoiser(DenoiserConfig(width=8, schedule=schedule)).save_pretrained(folder / "denoiser")
    NoisyClassifier(ClassifierConfig(width=8, schedule=schedule)).save_pretrained(folder / "classifier")
    return folder


def build(function):
    """Weights as a function of nothing but the code."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return function()


def small_unet(**settings):
    from diffusers import UNet2DModel

    return UNet2DModel(
        **{
            "sample_size": 8,
            "in_channels": 1,
            "out_channels": 1,
            "layers_per_block": 1,
            "block_out_channels": (8, 16),
            "down_block_types": ("DownBlock2D",) * 2,
            "up_block_types": ("UpBlock2D",) * 2,
            "norm_num_groups": 4,
            "add_attention": False,
            **settings,
        }
    ).eval()


def small_vae():
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        latent_channels=4,
        block_out_channels=(8, 8),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        norm_num_groups=4,
        sample_size=8,
    ).eval()


def letters_tokenizer():
    """A CLIP tokenizer that knows the letters and no merges."""
    from transformers import CLIPTokenizer

    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    # From files, by position: the parameters have other names, and take no lists, before transformers 5.
    with tempfile.TemporaryDirectory() as folder:
        vocabulary, merges = Path(folder, "vocab.json"), Path(folder, "merges.txt")
        vocabulary.write_text(json.dumps({word: index for index, word in enumerate(words)}), encoding="utf-8")
        merges.write_text("#version: 0.2\n", encoding="utf-8")
        return CLIPTokenizer(str(vocabulary), str(merges), model_max_length=16)


def small_text_encoder(kind):
    from transformers import CLIPTextConfig

    config = CLIPTextConfig(
        vocab_size=54,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=16,
        projection_dim=16,
        bos_token_id=52,
        eos_token_id=53,
        pad_token_id=53,
    )
    return kind(config).eval()


@pytest.fixture(scope="session")
def make_unet():
    return lambda **settings: build(lambda: small_unet(**settings))


@pytest.fixture(scope="session")
def text_pipeline():
    """Like Stable Diffusion 1: CLIP, U-Net on latents, autoencoder, scaled linear betas."""
    from diffusers import DDPMScheduler, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPTextModel

    def make():
        network = UNet2DConditionModel(
            sample_size=4,
            layers_per_block=1,
            block_out_channels=(8, 16),
            down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
            up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
            cross_attention_dim=16,
            attention_head_dim=4,
            norm_num_groups=4,
        ).eval()
        scheduler = DDPMScheduler(
            beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1, clip_sample=False
        )
        return StableDiffusionPipeline(
            vae=small_vae(),
            text_encoder=small_text_encoder(CLIPTextModel),
            tokenizer=letters_tokenizer(),
            unet=network,
            scheduler=scheduler,
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )

    pipeline = build(make)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


@pytest.fixture(scope="session")
def class_pipeline():
    """Like DiT: classes, a null class, a predicted variance, latents."""
    from diffusers import DDPMScheduler, DiTPipeline, DiTTransformer2DModel

    def make():
        network = DiTTransformer2DModel(
            num_attention_heads=2,
            attention_head_dim=8,
            in_channels=4,
            out_channels=8,
            num_layers=1,
            sample_size=4,
            patch_size=2,
            num_embeds_ada_norm=10,
            norm_num_groups=4,
        ).eval()
        return DiTPipeline(transformer=network, vae=small_vae(), scheduler=DDPMScheduler(clip_sample=False))

    return build(make)


@pytest.fixture(scope="session")
def flow_pipeline():
    """Like Stable Diffusion 3: a transformer that predicts the velocity of straight lines; no third text encoder."""
    from diffusers import FlowMatchEulerDiscreteScheduler, SD3Transformer2DModel, StableDiffusion3Pipeline
    from transformers import CLIPTextModelWithProjection

    def make():
        network = SD3Transformer2DModel(
            sample_size=4,
            patch_size=1,
            in_channels=4,
            out_channels=4,
            num_layers=1,
            attention_head_dim=8,
            num_attention_heads=2,
            joint_attention_dim=32,
            caption_projection_dim=16,
            pooled_projection_dim=32,
        ).eval()
        return StableDiffusion3Pipeline(
            transformer=network,
            scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
            vae=small_vae(),
            text_encoder=small_text_encoder(CLIPTextModelWithProjection),
            tokenizer=letters_tokenizer(),
            text_encoder_2=small_text_encoder(CLIPTextModelWithProjection),
            tokenizer_2=letters_tokenizer(),
            text_encoder_3=None,
            tokenizer_3=None,
        )

    return build(make)
