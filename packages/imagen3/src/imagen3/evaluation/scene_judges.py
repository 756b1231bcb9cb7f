"""Small metrics of agreement for scenes: a dual encoder, and one that answers statements with a probability.

They stand for CLIP (Radford et al., 2021) and for the vision-language models of VQAScore, which are not part of the
package. Both have the same network of the picture, learn from the same scenes with the same true and false statements,
for as many steps; the dual encoder sees the picture without the text, and the other one both together.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from einops import reduce
from jaxtyping import Float, UInt8
from onepaper.optimizer import OptimizerOptions
from onepaper.torch.steps import TorchTask
from onepaper.training import LoopOptions, fit
from torch import Tensor, nn

from imagen3.config import DenoiserConfig
from imagen3.data.scenes import (
    CELLS,
    COLOURED_KINDS,
    INVERSE,
    PLAIN_KINDS,
    Placed,
    Scene,
    draw_scene,
    random_scenes,
    scene_captions,
    sprite_size,
)
from imagen3.models.networks import build_denoiser
from imagen3.sampling import from_bytes
from imagen3.text.encoder import TextFeatures
from imagen3.text.words import WordEncoder

SCENES, BATCH, STEPS, EMBEDDING, MAX_TOKENS = 2000, 64, 800, 64, 16
OPTIMIZER = OptimizerOptions(
    lr=2e-3, betas=(0.9, 0.99), clip_norm=1.0, schedule="cosine", warmup_steps=50, final_fraction=0.05
)

# Pixels are folded by four; one token of the picture for each cell of the grid of the scenes.
FOLD = 4
NETWORK = DenoiserConfig(3 * FOLD**2, patch=4, width=48, depth=2, heads=2)

Pictures = UInt8[np.ndarray, "count size size 3"]


class SceneNetwork(nn.Module):
    """Some numbers for a picture of 64 x 64 pixels and a text, by the blocks of the denoiser (`models.mmdit`)."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.cells = build_denoiser(NETWORK)
        self.head = nn.Linear(NETWORK.channels * NETWORK.patch**2, outputs)

    def forward(self, pictures: Float[Tensor, "batch 3 64 64"], text: TextFeatures) -> Float[Tensor, "batch outputs"]:
        """From the mean over the cells."""
        level = torch.zeros(len(pictures), device=pictures.device)
        found = self.cells(F.pixel_unshuffle(pictures, FOLD), level, text)
        return self.head(reduce(found, "b c (h p) (w q) -> b (c p q)", "mean", p=NETWORK.patch, q=NETWORK.patch))


class DualEncoder(nn.Module):
    """Embeddings of pictures, and of texts by the mean of their word vectors."""

    def __init__(self) -> None:
        super().__init__()
        dim = WordEncoder.dim
        self.picture = SceneNetwork(EMBEDDING)
        self.text = nn.Sequential(nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, EMBEDDING))
        self.log_scale = nn.Parameter(torch.tensor(2.0))

    def forward(self, pictures: Float[Tensor, "batch 3 64 64"], text: TextFeatures) -> tuple[Tensor, Tensor]:
        """Embeddings of the pictures, which need not be as many as the texts, and of the texts."""
        return self.picture(pictures, encoded([""] * len(pictures))), self.text(text.pooled)


def encoded(texts: Sequence[str]) -> TextFeatures:
    """Texts by the encoder that ships with the package."""
    return WordEncoder(MAX_TOKENS).encode(texts)


@torch.inference_mode()
def embeddings(model: DualEncoder, pictures: Pictures, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Of pictures and texts, for `evaluation.alignment.clip_score`."""
    picture, text = model(from_bytes(pictures), encoded(texts))
    return picture.numpy(), text.numpy()


@torch.inference_mode()
def probabilities(model: SceneNetwork, pictures: Pictures, texts: Sequence[str]) -> Float[np.ndarray, " count"]:
    """That the statement about each picture is true."""
    return model(from_bytes(pictures), encoded(texts))[:, 0].sigmoid().double().numpy()


def statements(scene: Scene) -> list[str]:
    """What is true of a scene: its caption; the number of each kind; where it has one, the relation."""
    found = [f"{count} {kind.singular if count == 1 else kind.plural}" for kind, count in scene.counts.items()]
    if scene.relation:
        first, second = (kind.plural for kind in scene.counts)
        found.append(f"{first} {scene.relation} {second}")
    return [scene_captions(scene)[0], *found]


def altered(scene: Scene, generator: np.random.Generator) -> Scene:
    """A scene with one error: one object more or less, another kind or colour, or the opposite relation."""
    kinds, objects = list(scene.counts), scene.objects
    kind = kinds[generator.integers(len(kinds))]
    errors = ["kind", "opposite relation" if scene.relation else "more", *(["less"] if scene.counts[kind] > 1 else [])]
    error = generator.choice(errors)
    if error == "opposite relation":
        last, axis = scene.size - sprite_size(scene.size), "row" if scene.relation in ("above", "below") else "column"
        mirrored = tuple(own._replace(**{axis: last - getattr(own, axis)}) for own in objects)
        return replace(scene, objects=mirrored, relation=INVERSE[scene.relation])
    if error == "less":
        gone = next(own for own in objects if own.kind == kind)
        return replace(scene, objects=tuple(own for own in objects if own is not gone))
    if error == "more":
        step = scene.size // CELLS
        taken = {(own.row // step, own.column // step) for own in objects}
        free = [cell for cell in np.ndindex(CELLS, CELLS) if cell not in taken]
        row, column = free[generator.integers(len(free))]
        return replace(scene, objects=(*objects, Placed(kind, row * step, column * step)))
    others = [own for own in (COLOURED_KINDS if kind in COLOURED_KINDS else PLAIN_KINDS) if own not in kinds]
    other = others[generator.integers(len(others))]
    return replace(scene, objects=tuple(own._replace(kind=other) if own.kind == kind else own for own in objects))


def train_judges(*, steps: int = STEPS, seed: int = 0) -> tuple[DualEncoder, SceneNetwork]:
    r"""Both, on the same scenes with a true statement each and a false one, which is true of an altered scene.

    The dual encoder has the loss of Radford et al. (2021) with the false statements as further texts; the other one,
    whose one output is a logit f, has $-\log \sigma(f)$ of true and $-\log \sigma(-f)$ of false ones, half of each.
    """
    generator = np.random.default_rng([seed, 1])
    scenes = random_scenes(SCENES, generator)
    pixels = np.stack([draw_scene(scene) for scene in scenes])
    known = [statements(scene) for scene in scenes]
    wrong = [statements(altered(scene, generator)) for scene in scenes]
    false = [[text for text in other if text not in own] for own, other in zip(known, wrong, strict=True)]
    listed = sorted({text for own in (*known, *false) for text in own})
    texts, place = encoded(listed), {text: index for index, text in enumerate(listed)}

    def batch(step: int) -> dict[str, Tensor]:
        drawn = np.random.default_rng([seed, step])
        chosen = drawn.choice(SCENES, BATCH, replace=False)
        pairs = [[place[drawn.choice(own[number])] for own in (known, false)] for number in chosen]
        return {"pictures": from_bytes(pixels[chosen]), "texts": torch.tensor(pairs)}

    def contrast(model: DualEncoder, given: dict[str, Tensor], _: torch.Generator) -> Any:
        text = TextFeatures(*(part[given["texts"].T.flatten()] for part in texts))
        pictures, statement = (F.normalize(own, dim=1) for own in model(given["pictures"], text))
        logits, right = model.log_scale.exp() * pictures @ statement.T, torch.arange(len(pictures))
        columns = logits[:, : len(right)].T
        return (F.cross_entropy(logits, right) + F.cross_entropy(columns, right)) / 2 * len(right), len(right), {}

    def belief(model: SceneNetwork, given: dict[str, Tensor], _: torch.Generator) -> Any:
        rows = torch.arange(len(given["pictures"]))
        text = TextFeatures(*(part[given["texts"][rows, rows % 2]] for part in texts))
        right = (1 - 2 * (rows % 2)) * model(given["pictures"], text)[:, 0]
        return F.softplus(-right).sum(), len(rows), {}

    def trained(build: Callable[[], Any], loss: Callable[..., Any]) -> Any:
        task = TorchTask(build, loss, OPTIMIZER, total_steps=steps)
        return fit(task, batch, LoopOptions(steps), seed=seed, description="metric").state.model.eval()

    return trained(DualEncoder, contrast), trained(partial(SceneNetwork, 1), belief)
