"""A tiny system with random weights for the tests that only read it."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from onepaper.optimizer import OptimizerOptions
from onepaper.training import LoopOptions

from imagen3.config import SystemConfig, TrainingConfig
from imagen3.data.pictures import Pictures, load_pictures
from imagen3.models.autoencoder import Autoencoder
from imagen3.models.mmdit import MMDiT
from imagen3.presets import PRESETS
from imagen3.pretrained.systems import System, save_system
from imagen3.text.encoder import open_encoder

torch.set_num_threads(1)

_TRAINING = TrainingConfig(
    8, OptimizerOptions(lr=3e-3, ema_decay=0.9), LoopOptions(steps=6, log_every=3, evaluate_every=0, checkpoint_every=3)
)


@pytest.fixture(scope="session")
def config() -> SystemConfig:
    """The smoke preset with six steps of each training."""
    return replace(PRESETS["smoke"].config, autoencoder_training=_TRAINING, denoiser_training=_TRAINING)


@pytest.fixture(scope="session")
def pictures(config: SystemConfig) -> Pictures:
    """Emoji of 32 pixels."""
    return load_pictures(config.data)


@pytest.fixture(scope="session")
def system(config: SystemConfig) -> System:
    """Random weights, the zero-initialised ones too."""
    torch.manual_seed(0)
    autoencoder, denoiser = Autoencoder(config.autoencoder), MMDiT(config.denoiser)
    for parameter in denoiser.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    for model in (autoencoder, denoiser):
        model.requires_grad_(False).eval()
    return System(config, autoencoder, denoiser, open_encoder(config.text))


@pytest.fixture(scope="session")
def weights(system: System, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of that system."""
    return save_system(tmp_path_factory.mktemp("weights") / "tiny", system)


@pytest.fixture(scope="session")
def pixart_pipeline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pipeline of diffusers with small random networks and a tokenizer of single letters."""
    diffusers, transformers = pytest.importorskip("diffusers"), pytest.importorskip("transformers")
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    torch.manual_seed(0)
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *((letter, -1.0) for letter in "▁abcdefgh")]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=2))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    folder = tmp_path_factory.mktemp("pixart")
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    )
    t5 = transformers.T5Config(vocab_size=16, d_model=24, d_kv=8, d_ff=32, num_layers=1, num_heads=2)
    pipeline = diffusers.PixArtAlphaPipeline(
        fast,
        transformers.T5EncoderModel(t5),
        diffusers.AutoencoderKL(
            block_out_channels=(32, 32), down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("UpDecoderBlock2D",) * 2,
        ),
        diffusers.PixArtTransformer2DModel(
            num_attention_heads=2, attention_head_dim=16, num_layers=2, cross_attention_dim=32, sample_size=16,
            caption_channels=24,
        ),
        diffusers.DPMSolverMultistepScheduler(beta_start=1e-4, beta_end=2e-2, beta_schedule="linear"),
    )  # fmt: skip
    pipeline.save_pretrained(folder)
    return folder
