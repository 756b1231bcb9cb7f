"""Fine-tuning of encoders: wav2vec2, HuBERT or WavLM with a head for classes or ratings (paper, section 3.2).

The head, the mean over time and the frozen convolutions are those of the official src/ml/wav2vec.py of
github.com/EIHW/ComParE2023. The encoder is saved as transformers saves it, so that its embeddings are features.
"""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float, Float32, Int
from onepaper.runs import Run
from onepaper.torch.accelerator import Accelerator
from onepaper.torch.steps import TorchState, TorchTask
from onepaper.training import Hook
from torch import Tensor, nn

from audio_datasets.config import EncoderConfig, FineTuningExperiment
from audio_datasets.data.clips import ClipSet
from audio_datasets.features.encoders import PREPROCESSOR, FrozenEncoder
from audio_datasets.models.emo18 import output_loss
from audio_datasets.selection import Choice, fit_network
from audio_datasets.training import check_clips, load_checked, measure, supervision


class FineTuned(nn.Module):
    """An encoder, the mean of its last hidden states over a clip, and a head: linear, tanh, linear.

    Nothing is masked and no layer is left out in training, as short clips have few frames.

    Args:
        source: the encoder; its weights are trained.
        outputs: number of classes or ratings.
        frozen: what keeps its weights, as in `FineTuningExperiment`.
    """

    def __init__(self, source: FrozenEncoder, outputs: int, frozen: str = "convolutions") -> None:
        super().__init__()
        self.encoder = source.model.requires_grad_(frozen != "encoder")
        self.encoder.feature_extractor.requires_grad_(False)
        self.encoder.feature_extractor._requires_grad = False
        self.encoder.config.apply_spec_augment, self.encoder.config.layerdrop = False, 0.0
        for name, parameter in self.encoder.named_parameters():
            if name == "masked_spec_embed":
                parameter.requires_grad_(False)
        # The other encoders were trained without a mask: their convolutions see zeros after the end.
        self._masks = self.encoder.config.feat_extract_norm == "layer"
        width = self.encoder.config.hidden_size
        self.dense, self.head = nn.Linear(width, width), nn.Linear(width, outputs)

    def forward(
        self, samples: Float[Tensor, "clips samples"], counts: Int[Tensor, " clips"], frames: Int[Tensor, " clips"]
    ) -> Float[Tensor, "clips outputs"]:
        """Logits, or values before the sigmoid.

        Args:
            samples: as `FrozenEncoder.prepare` gives them, padded with zeros.
            counts: number of samples of each clip.
            frames: number of frames of each clip, as `FrozenEncoder.frames` counts them.
        """
        mask = (torch.arange(samples.shape[1], device=samples.device) < counts[:, None]).long() if self._masks else None
        states = self.encoder(samples, attention_mask=mask).last_hidden_state
        valid = torch.arange(states.shape[1], device=states.device) < frames[:, None]
        mean = (states * valid[:, :, None]).sum(dim=1) / frames[:, None]
        return self.head(torch.tanh(self.dense(mean)))

    def save(self, folder: Path, source: Path) -> Path:
        """Write the encoder without the head, with the settings of the folder that it came from."""
        self.encoder.save_pretrained(folder)
        if (source / PREPROCESSOR).is_file():
            shutil.copyfile(source / PREPROCESSOR, folder / PREPROCESSOR)
        return folder


class FineTunedModel(NamedTuple):
    """A fine-tuned encoder with its head, and how it was chosen."""

    network: FineTuned
    choice: Choice


def fine_tune(
    config: FineTuningExperiment,
    run: Run | None = None,
    *,
    seed: int = 0,
    accelerator: Accelerator | None = None,
    clips: ClipSet | None = None,
    hooks: Sequence[Hook[TorchState]] = (),
) -> FineTunedModel:
    """Fine-tune an encoder on the train split of a data set; arguments as for `training.train_end_to_end`.

    Raises:
        UsageError: missing or unreadable data, or an encoder that cannot be read.
    """
    clips = check_clips(clips, config) if clips else load_checked(config)
    kind, outputs = ("classes", len(clips.classes)) if clips.classes else ("regression", len(clips.targets))
    source = FrozenEncoder(config.encoder, EncoderConfig())
    parts = {name: clips.split(name) for name in ("train", "validation")}
    heard = {name: [_prepared(source, clip, config) for clip in part] for name, part in parts.items()}
    targets = {name: supervision(part) for name, part in parts.items()}

    def loss(model: FineTuned, batch: Mapping[str, Tensor], generator: torch.Generator) -> tuple[Tensor, int]:
        found = model(batch["samples"], batch["counts"], batch["frames"]).float()
        return output_loss(found, batch["targets"], kind), len(found)

    task = TorchTask(
        lambda: FineTuned(FrozenEncoder(config.encoder, EncoderConfig()), outputs, config.frozen),
        loss,
        config.optimizer,
        total_steps=config.loop.steps,
        accelerator=accelerator,
    )

    def gather(chosen: npt.NDArray[np.int64]) -> Mapping[str, npt.NDArray[Any]]:
        return _padded(source, [heard["train"][index] for index in chosen]) | {"targets": targets["train"][chosen]}

    def evaluate(state: TorchState) -> dict[str, float]:
        # One by one, so that no padding changes a prediction.
        with task.evaluating(state) as model, torch.inference_mode():
            batches = (_padded(source, [samples]) for samples in heard["validation"])
            moved = (
                {key: torch.as_tensor(value, device=task.accelerator.device) for key, value in batch.items()}
                for batch in batches
            )
            found = torch.cat([model(**batch).float().cpu() for batch in moved]).numpy()
        return measure(found, targets["validation"], kind)

    return FineTunedModel(*fit_network(task, gather, len(parts["train"]), config, run, seed, evaluate, hooks))


def _prepared(source: FrozenEncoder, clip: Any, config: FineTuningExperiment) -> Float32[np.ndarray, " samples"]:
    return source.prepare(clip.read(source.rate, config.data.max_seconds)).numpy()


def _padded(source: FrozenEncoder, waveforms: Sequence[npt.NDArray[np.float32]]) -> dict[str, npt.NDArray[Any]]:
    counts = np.array([len(waveform) for waveform in waveforms])
    samples = np.zeros((len(waveforms), int(counts.max())), np.float32)
    for row, waveform in zip(samples, waveforms, strict=True):
        row[: len(waveform)] = waveform
    frames = np.array([source.frames(count) for count in counts.tolist()])
    return {"samples": samples, "counts": counts, "frames": frames}
