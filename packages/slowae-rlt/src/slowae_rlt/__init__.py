"""Variable-rate discrete representation learning (Dieleman et al., 2021)."""

from collections.abc import Callable
from typing import Any

import lazy_loader

__version__ = "0.1.0"

__getattr__: Callable[[str], Any]
# Resolved on first use (PEP 562), so that importing the package is light.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "codec_comparison": ["compare_codecs", "events_codec", "vq_codec"],
        "config": ["ExperimentConfig", "ModelConfig", "QuantizerConfig", "SlownessConfig"],
        "presets": ["PRESETS"],
        "data.mu_law": ["decode_mu_law", "encode_mu_law"],
        "data.prompts": ["clips", "prompts"],
        "data.recordings": ["read_recording"],
        "events.container": ["load_events", "save_events"],
        "events.event_list": ["Events"],
        "events.event_rate": ["average_event_rate"],
        "events.run_lengths": ["decode_runs", "encode_runs"],
        "events.schmitt_trigger": ["quantize", "quantize_by_scan", "quantize_in_parallel", "straight_through"],
        "events.slowness": ["margin_loss"],
        "figures": ["draw_events"],
        "models.band_energies": ["BandEnergies"],
        "models.slow_autoencoder": ["SlowAE"],
        "models.run_length_transformer": ["RunLengthTransformer"],
        "models.vq_autoencoder": ["VQAutoencoder"],
        "pretrained.codecs": ["open_codec", "open_vq"],
        "pretrained.language_models": ["open_language_model", "save_language_model"],
        "run_length.generation": ["sample_events"],
        "run_length.ngrams": ["EventNgrams"],
        "run_length.ranking": ["rank_samples"],
        "training": ["train"],
        "vq_training": ["train_vq"],
    },
)
