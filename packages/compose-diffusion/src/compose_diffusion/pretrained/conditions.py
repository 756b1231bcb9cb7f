"""Conditions of a network: classes, prompts encoded by the pipeline's text encoders, or tensors."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from diffusers import DiffusionPipeline, PixArtTransformer2DModel, SD3Transformer2DModel
from jaxtyping import Int
from onepaper.errors import UsageError
from torch import Tensor, nn

from compose_diffusion.pretrained.networks import NetworkKind

Prompt = str | Sequence[str]
# One class for all samples, or [batch] classes.
Label = int | Int[Tensor, " batch"]


@dataclass(frozen=True)
class Condition:
    """Arguments of a network other than samples and time; conditions with equal `key` are evaluated once.

    Attributes:
        key: hashable description of the condition.
        tensors: by the network's argument name, each [1, ...] for all samples or [batch, ...].
    """

    key: Hashable
    tensors: Mapping[str, Tensor] = field(compare=False)

    def expanded(self, batch: int, device: torch.device, dtype: torch.dtype) -> dict[str, Tensor]:
        """Every tensor with a row for each sample, floating-point ones in the network's dtype.

        Raises:
            UsageError: neither one row nor one for each sample.
        """
        rows: dict[str, Tensor] = {}
        for name, tensor in self.tensors.items():
            if len(tensor) not in (1, batch):
                raise UsageError(
                    f"condition '{name}' has batch size {len(tensor)} for {batch} samples, expected 1 or {batch}; give "
                    "one for all samples or one for each"
                )
            tensor = tensor.to(device, dtype if tensor.is_floating_point() else tensor.dtype)
            rows[name] = tensor.expand(batch, *tensor.shape[1:])
        return rows


NO_CONDITION = Condition(None, {})


def class_condition(label: Label, kind: NetworkKind) -> Condition:
    """The condition of a class-conditional network.

    Raises:
        UsageError: a network without classes, or a class that does not exist.
    """
    if kind.condition != "class":
        raise UsageError(
            f"condition is class {label}, but the network is "
            f"{'conditioned on text' if kind.condition == 'text' else 'unconditional'}; "
            f"{'pass prompt= instead' if kind.condition == 'text' else 'leave the condition out'}"
        )
    labels = torch.as_tensor(label, dtype=torch.long).reshape(-1).cpu()
    if kind.num_classes is not None:
        # A transformer's null class follows its last class.
        highest = max(kind.num_classes - 1, -1 if kind.null_class is None else kind.null_class)
        for value in labels.tolist():
            if not 0 <= value <= highest:
                raise UsageError(f"class {value} does not exist, expected a number from 0 to {kind.num_classes - 1}")
    return Condition(("class", *labels.tolist()), {"class_labels": labels})


def given_condition(tensors: Mapping[str, Tensor]) -> Condition:
    """A condition of given tensors, compared by the identity of the tensors."""
    return Condition(("given", *((name, id(tensor)) for name, tensor in sorted(tensors.items()))), dict(tensors))


def encode_prompt(
    pipeline: DiffusionPipeline, network: nn.Module, kind: NetworkKind, prompt: Prompt, negative: Prompt | None
) -> tuple[Condition, Condition | None]:
    """A prompt encoded by the pipeline's text encoders, and the negative prompt.

    Args:
        prompt: one text for all samples, or one for each.
        negative: of classifier-free guidance ("" is the usual unconditional prompt); None without guidance.

    Raises:
        UsageError: the network is not conditioned on text, the pipeline has no text encoder, or numbers of texts that
            differ.
    """
    if kind.condition != "text":
        raise UsageError(
            f"prompt is {prompt!r}, but {type(network).__name__} takes no text; pass condition= with a class, or "
            "nothing where it is unconditional"
        )
    loaded: Any = pipeline
    two_encoders = isinstance(network, SD3Transformer2DModel) or hasattr(loaded, "text_encoder_2")
    needed = ("text_encoder_2", "tokenizer_2") if two_encoders else ("text_encoder", "tokenizer")
    missing = [name for name in needed if getattr(loaded, name, None) is None]
    if missing:
        raise UsageError(
            f"{type(pipeline).__name__} has no {' and no '.join(missing)} for the prompt {prompt!r}; load it with one, "
            "or pass condition= with the encoded prompt"
        )
    texts = prompt if isinstance(prompt, str) else list(prompt)
    against = negative if negative is None or isinstance(negative, str) else list(negative)
    if not texts and isinstance(texts, list):
        raise UsageError("prompt is an empty list, expected one text, or one for each sample")
    if isinstance(against, list) and (isinstance(texts, str) or len(texts) != len(against)):
        count = "one text" if isinstance(texts, str) else f"{len(texts)} texts"
        raise UsageError(
            f"prompt has {count} and negative_prompt {len(against)}, expected one negative text, or one for each text"
        )
    if isinstance(texts, list) and isinstance(against, str):
        against = [against] * len(texts)
    guided = {"do_classifier_free_guidance": negative is not None, "negative_prompt": against}
    device = loaded._execution_device
    with torch.no_grad():
        if isinstance(network, SD3Transformer2DModel):
            positive, unguided, pooled, unguided_pooled = loaded.encode_prompt(
                texts, None, None, device=device, negative_prompt_2=against, negative_prompt_3=against, **guided
            )
            sides = [
                {"encoder_hidden_states": text, "pooled_projections": pool}
                for text, pool in ((positive, pooled), (unguided, unguided_pooled))
            ]
        elif isinstance(network, PixArtTransformer2DModel):
            positive, mask, unguided, unguided_mask = loaded.encode_prompt(texts, device=device, **guided)
            size = _pixart_size(network, loaded, positive)
            sides = [
                {"encoder_hidden_states": text, "encoder_attention_mask": text_mask, **size}
                for text, text_mask in ((positive, mask), (unguided, unguided_mask))
            ]
        elif two_encoders:
            positive, unguided, pooled, unguided_pooled = loaded.encode_prompt(texts, device=device, **guided)
            time_ids = _image_size(kind, loaded, positive)
            sides = [
                {"encoder_hidden_states": text, "text_embeds": pool, "time_ids": time_ids}
                for text, pool in ((positive, pooled), (unguided, unguided_pooled))
            ]
        else:
            positive, unguided = loaded.encode_prompt(texts, device, 1, **guided)
            sides = [{"encoder_hidden_states": text} for text in (positive, unguided)]
    identity = id(pipeline)
    condition = Condition(("prompt", identity, _key(texts)), sides[0])
    if against is None:
        return condition, None
    return condition, Condition(("negative prompt", identity, _key(against)), sides[1])


def _key(texts: str | list[str]) -> Hashable:
    return texts if isinstance(texts, str) else tuple(texts)


def _image_size(kind: NetworkKind, pipeline: Any, like: Tensor) -> Tensor:
    """Stable Diffusion XL's original size, crop corner and target size: the network's own size, not cropped."""
    if kind.event_shape is None:
        raise UsageError("the network's sample_size is not set, expected it for Stable Diffusion XL's size condition")
    height, width = (length * pipeline.vae_scale_factor for length in kind.event_shape[1:])
    return torch.tensor([[height, width, 0, 0, height, width]], dtype=like.dtype)


def _pixart_size(network: nn.Module, pipeline: Any, like: Tensor) -> dict[str, Tensor]:
    """Image size and aspect ratio, additional conditions of PixArt's 1024-pixel models."""
    length = getattr(network, "config").sample_size  # noqa: B009
    if length != 128:
        return {}
    size = float(length * pipeline.vae_scale_factor)
    return {
        "resolution": torch.tensor([[size, size]], dtype=like.dtype),
        "aspect_ratio": torch.tensor([[1.0]], dtype=like.dtype),
    }
