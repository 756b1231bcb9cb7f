"""Text encoders of the library transformers, from a folder of the user: T5, CLIP, BERT, Gemma and others."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from onepaper.checkpoints import check_finite
from onepaper.config import read_json
from onepaper.errors import OnePaperError, UsageError
from onepaper.fingerprint.marks import unmeasured
from onepaper.torch.network_size import check_network_size
from onepaper.torch.state_files import finite_parameters

from imagen3.text.encoder import TextFeatures, encoded_parts

ENCODED_AT_ONCE = 32


@unmeasured
class TransformerEncoder:
    """A `TextEncoder` of last hidden states, with their mean as the features of the whole text.

    Args:
        path: folder with the model and its tokenizer.
        dim: expected width of the model.
        max_tokens: longest text.

    Raises:
        UsageError: no such folder, no model in it, or a model of another width.
        OnePaperError: the library transformers is not installed.
    """

    def __init__(self, path: Path, dim: int, max_tokens: int) -> None:
        if not path.is_dir():
            raise UsageError(f"text.path {path} is no folder; give one with a model and its tokenizer")
        try:
            from transformers import AutoConfig, AutoModel, AutoTokenizer, T5EncoderModel
        except ImportError:
            raise OnePaperError("the text encoder needs transformers: pip install 'onepaper-imagen3[text]'") from None
        settings = read_json(path / "config.json", "description of the text encoder")
        if not isinstance(settings, dict):
            raise UsageError(f"{path / 'config.json'} is no description of a model; fetch it again")
        is_t5 = settings.get("model_type") in ("t5", "mt5", "umt5")
        kind: Any = T5EncoderModel if is_t5 else AutoModel

        def build() -> Any:
            config = AutoConfig.from_pretrained(path, local_files_only=True)
            return kind(config) if is_t5 else kind.from_config(config)

        check_network_size(path / "config.json", settings, build)
        try:
            model, found = kind.from_pretrained(
                path, local_files_only=True, use_safetensors=True, output_loading_info=True
            )
            self._tokenizer: Any = AutoTokenizer.from_pretrained(path, local_files_only=True)
        except Exception as error:  # damaged files raise errors of many kinds in transformers and safetensors
            reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
            raise UsageError(f"text.path {path} holds no usable model and tokenizer ({reason})") from None
        # Poolers give no hidden state; transformers fills what is missing with random numbers.
        if missing := sorted(name for name in map(str, found["missing_keys"]) if "pooler" not in name):
            raise UsageError(f"text.path {path} lacks {len(missing)} weights, first {missing[0]}; fetch it again")
        check_finite(path, finite_parameters(model))
        model = getattr(model, "text_model", model)
        found = model.config.hidden_size
        if found != dim:
            raise UsageError(f"the model in {path} has width {found}, expected text.dim, {dim}; set --text.dim {found}")
        self.dim, self.max_tokens = dim, max_tokens
        self._model = model.eval().requires_grad_(False)

    @torch.inference_mode()
    def encode(self, texts: Sequence[str]) -> TextFeatures:
        """Last hidden states of each text, and their mean.

        Raises:
            UsageError: no texts.
        """
        return encoded_parts(texts, ENCODED_AT_ONCE, self._encode)

    def _encode(self, texts: list[str]) -> TextFeatures:
        found = self._tokenizer(
            texts, max_length=self.max_tokens, truncation=True, padding="max_length", return_tensors="pt"
        )
        mask = found["attention_mask"].bool()
        hidden = self._model(input_ids=found["input_ids"], attention_mask=found["attention_mask"]).last_hidden_state
        tokens = hidden.float() * mask[..., None]
        return TextFeatures(tokens, mask, tokens.sum(1) / mask.sum(1, keepdim=True))

    def count_cut(self, texts: Sequence[str]) -> int:
        """How many of the texts have more than `max_tokens` tokens."""
        return sum(len(ids) > self.max_tokens for ids in self._tokenizer(list(texts))["input_ids"])
