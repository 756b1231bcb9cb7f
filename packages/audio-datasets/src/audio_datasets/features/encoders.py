"""Frozen speech encoders from a local folder: wav2vec2, HuBERT and WavLM of the library transformers (paper, sections
3.2 and 3.7). Only safetensors are read, and nothing is downloaded."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32
from onepaper.config import read_json
from onepaper.errors import OnePaperError, UsageError
from onepaper.torch.network_size import check_network_size
from torch import Tensor

from audio_datasets.config import EncoderConfig

PREPROCESSOR = "preprocessor_config.json"
KINDS = ("wav2vec2", "hubert", "wavlm")
_ADVICE = "give the folder of a model that transformers saved with safetensors"
# Of training only: it replaces masked frames.
_UNUSED = {"masked_spec_embed"}


class FrozenEncoder:
    """Embeddings of clips by one encoder.

    Clips are encoded one by one, so that no padding changes an embedding.

    Args:
        folder: with `config.json`, safetensors and, where the encoder needs other settings than normalised audio at 16
            kHz, `preprocessor_config.json`.
        config: layer and pooling.
        device: where it runs.

    Raises:
        UsageError: no such folder, another kind of model, weights that are missing or not finite, or no such layer.
        OnePaperError: the library transformers is not installed.
    """

    def __init__(self, folder: Path, config: EncoderConfig, device: torch.device | str = "cpu") -> None:
        found = _settings(folder / "config.json")
        if found.get("model_type") not in KINDS:
            raise UsageError(f"{folder} holds a model of type {found.get('model_type')}, expected {', '.join(KINDS)}")
        if not any(folder.glob("*.safetensors")):
            raise UsageError(f"{folder} has no *.safetensors; pickled weights are not read, {_ADVICE}")
        self.config, self.model = config, _open_model(folder).to(device).eval().requires_grad_(False)
        layers = self.model.config.num_hidden_layers
        if not -1 <= config.layer <= layers:
            raise UsageError(f"encoder.layer is {config.layer}, expected 0 to {layers}, or -1 for the last one")
        settings = folder / PREPROCESSOR
        prepared = _settings(settings) if settings.is_file() else {}
        self.rate, self._normalize = prepared.get("sampling_rate", 16_000), prepared.get("do_normalize", True)
        if not isinstance(self.rate, int) or self.rate <= 0:
            raise UsageError(f"{settings}: sampling_rate is {self.rate}, expected a positive whole number")
        self._layers = list(zip(self.model.config.conv_kernel, self.model.config.conv_stride, strict=True))
        self._shortest = 1
        for kernel, stride in reversed(self._layers):
            self._shortest = (self._shortest - 1) * stride + kernel

    @property
    def size(self) -> int:
        """Length of an embedding."""
        return self.model.config.hidden_size * (2 if self.config.pooling == "mean-deviation" else 1)

    def frames(self, samples: int) -> int:
        """Number of hidden states of so many samples."""
        for kernel, stride in self._layers:
            samples = (samples - kernel) // stride + 1
        return samples

    def prepare(self, samples: Float32[np.ndarray, " samples"]) -> Float32[Tensor, " prepared"]:
        """A waveform at `rate` as the encoder takes it: normalised where it asks for that, with a frame at least."""
        waveform = torch.as_tensor(samples, dtype=torch.float32, device=self.model.device)
        if self._normalize:
            waveform = (waveform - waveform.mean()) / (waveform.var(correction=0) + 1e-7).sqrt()
        return torch.nn.functional.pad(waveform, (0, max(0, self._shortest - len(waveform))))

    @torch.inference_mode()
    def __call__(self, samples: Float32[np.ndarray, " samples"]) -> Float32[np.ndarray, " size"]:
        """The embedding of a waveform at `rate`; one that is shorter than a frame is filled up with zeros.

        Raises:
            UsageError: samples or an embedding that are not finite.
        """
        states = self.model(self.prepare(samples)[None], output_hidden_states=True).hidden_states[self.config.layer][0]
        pooled = [states.amax(0)] if self.config.pooling == "max" else [states.mean(0)]
        if self.config.pooling == "mean-deviation":
            pooled.append(states.std(0, correction=0))
        embedding = torch.cat(pooled).float().cpu().numpy()
        if not np.isfinite(embedding).all():
            raise UsageError("an embedding is not finite; check the clip, or use other weights")
        return embedding


def _settings(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise UsageError(f"{path} does not exist; {_ADVICE}")
    content = read_json(path, "description of the encoder")
    if not isinstance(content, dict):
        raise UsageError(f"{path} is no description of a model; {_ADVICE}")
    return content


def _open_model(folder: Path) -> Any:
    try:
        from transformers import AutoConfig, AutoModel
        from transformers.utils import logging
    except ImportError:
        raise OnePaperError("encoders need transformers: pip install 'onepaper-audio-datasets[encoders]'") from None
    logging.set_verbosity_error()  # what is missing is an error below; unused heads are expected
    logging.disable_progress_bar()
    path = folder / "config.json"
    check_network_size(
        path, _settings(path), lambda: AutoModel.from_config(AutoConfig.from_pretrained(folder, local_files_only=True))
    )
    try:
        model, found = AutoModel.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, output_loading_info=True
        )
    except Exception as error:  # damaged files raise errors of many kinds in transformers and safetensors
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise UsageError(f"{folder} holds no usable encoder ({reason}); {_ADVICE}") from None
    missing = sorted(set(found["missing_keys"]) - _UNUSED) + sorted(map(str, found.get("mismatched_keys", ())))
    if missing:
        raise UsageError(f"{folder} lacks {len(missing)} weights, first {missing[0]}; {_ADVICE}")
    for name, value in model.named_parameters():
        if not bool(torch.isfinite(value).all()):
            raise UsageError(f"{folder}: {name} is not finite; use other weights")
    return model.float()
