"""The text encoders of a pipeline of the library diffusers: SD3, FLUX and PixArt, in a folder of the user."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from onepaper.checkpoints import check_finite
from onepaper.config import read_json, unknown
from onepaper.errors import OnePaperError, UsageError
from onepaper.fingerprint.marks import unmeasured
from onepaper.torch.network_size import check_network_size
from onepaper.torch.state_files import finite_parameters

from imagen3.text.encoder import TextFeatures, encoded_parts

ENCODED_AT_ONCE = 8


def _sd3(pipeline: Any, texts: list[str], length: int) -> TextFeatures:
    tokens, _, pooled, _ = pipeline.encode_prompt(
        texts, None, None, do_classifier_free_guidance=False, max_sequence_length=length
    )
    return TextFeatures(tokens, torch.ones(tokens.shape[:2], dtype=torch.bool), pooled)


def _flux(pipeline: Any, texts: list[str], length: int) -> TextFeatures:
    tokens, pooled, _ = pipeline.encode_prompt(texts, None, max_sequence_length=length)
    return TextFeatures(tokens, torch.ones(tokens.shape[:2], dtype=torch.bool), pooled)


def _pixart(pipeline: Any, texts: list[str], length: int) -> TextFeatures:
    tokens, mask, _, _ = pipeline.encode_prompt(texts, do_classifier_free_guidance=False, max_sequence_length=length)
    # The network does not use features of the whole text.
    return TextFeatures(tokens, mask.bool(), torch.zeros_like(tokens[:, 0]))


PIPELINES: dict[str, Callable[[Any, list[str], int], TextFeatures]] = {
    "StableDiffusion3Pipeline": _sd3,
    "FluxPipeline": _flux,
    "PixArtAlphaPipeline": _pixart,
}


def pipeline_class(folder: Path) -> str:
    """The name of the class of a pipeline.

    Raises:
        UsageError: it is not known, or `model_index.json` is missing or damaged.
    """
    index = read_json(folder / "model_index.json", "index of a pipeline")
    kind = index.get("_class_name") if isinstance(index, dict) else None
    if kind not in PIPELINES:
        raise UsageError(f"{folder}: {unknown('pipeline', str(kind), PIPELINES)}")
    return str(kind)


def check_settings(folder: Path) -> None:
    """Refuse settings of components that are no objects, or of text encoders far larger than their weights.

    diffusers takes a text for the name of a model and asks the network for it, whatever `local_files_only` says.

    Raises:
        UsageError: such a file, or one that is damaged.
    """
    for path in sorted(folder.rglob("*config.json")):
        settings = read_settings(path)
        check_network_size(path, settings, lambda path=path, settings=settings: _text_encoder(path.parent, settings))


def read_settings(path: Path) -> dict[str, Any]:
    """Settings of a component, which for schedulers may hold -Infinity: no number of JSON, and refused by `read_json`.

    Raises:
        UsageError: no such file, or no JSON object in it.
    """
    try:
        settings = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"{path} cannot be read ({error}); fetch it again") from None
    if not isinstance(settings, dict):
        raise UsageError(f"{path} holds {type(settings).__name__}, expected an object of settings; fetch it again")
    return settings


def _text_encoder(folder: Path, settings: dict[str, Any]) -> Any:
    import transformers

    kind = getattr(transformers, settings["architectures"][0])
    return kind(transformers.AutoConfig.from_pretrained(folder, local_files_only=True))


@unmeasured
class PipelineEncoder:
    """A `TextEncoder` of all text encoders of a pipeline, as it joins them.

    Args:
        path: folder of the pipeline.
        dim: expected features of a token.
        max_tokens: longest text.

    Raises:
        UsageError: no such folder, no pipeline that is known in it, or one of other features.
        OnePaperError: the library diffusers is not installed.
    """

    def __init__(self, path: Path, dim: int, max_tokens: int) -> None:
        if not (path / "model_index.json").is_file():
            raise UsageError(f"text.path {path} is no folder of a pipeline; it has no model_index.json")
        kind = pipeline_class(path)
        try:
            from diffusers import DiffusionPipeline
        except ImportError:
            raise OnePaperError("this encoder needs diffusers: pip install 'onepaper-imagen3[diffusers]'") from None
        check_settings(path)
        try:
            pipeline: Any = DiffusionPipeline.from_pretrained(
                path, transformer=None, vae=None, scheduler=None, local_files_only=True, use_safetensors=True
            )
        except Exception as error:  # damaged files raise errors of many kinds in diffusers and transformers
            reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
            raise UsageError(f"text.path {path} holds no usable pipeline ({reason})") from None
        for name, part in pipeline.components.items():
            if isinstance(part, torch.nn.Module):
                check_finite(path / name, finite_parameters(part))
        self.dim, self.max_tokens = dim, max_tokens
        self._pipeline, self._encode = pipeline, PIPELINES[kind]

    @torch.inference_mode()
    def encode(self, texts: Sequence[str]) -> TextFeatures:
        """Features of the tokens of all encoders, and of the whole texts.

        Raises:
            UsageError: no texts, or features of another width than that of the configuration.
        """
        found = encoded_parts(texts, ENCODED_AT_ONCE, lambda own: self._encode(self._pipeline, own, self.max_tokens))
        if found.tokens.shape[-1] != self.dim:
            raise UsageError(f"the pipeline gives {found.tokens.shape[-1]} features, expected text.dim, {self.dim}")
        return found._replace(tokens=found.tokens.float(), pooled=found.pooled.float())

    def count_cut(self, texts: Sequence[str]) -> int:
        """How many of the texts have more than `max_tokens` tokens of the last encoder."""
        names = ("tokenizer_3", "tokenizer_2", "tokenizer")
        tokenizer = next(found for name in names if (found := getattr(self._pipeline, name, None)) is not None)
        return sum(len(ids) > self.max_tokens for ids in tokenizer(list(texts))["input_ids"])
