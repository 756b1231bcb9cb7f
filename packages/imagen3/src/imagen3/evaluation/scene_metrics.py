"""Small metrics of agreement for scenes: dual encoders, and a reader that gives a probability to a statement.

They stand for CLIP (Radford et al., 2021) and for the vision-language models of VQAScore, which are not part of the
package. All see pictures by the correlations of the scene scorer in each cell, and texts by the word vectors of
`text.words`, as frozen features, and have the same network of pictures. A dual encoder embeds picture and text apart;
the reader sees both together. As with their models, one dual encoder learns from captions alone, and the reader from
true and false statements; another dual encoder with the statements of the reader shows what is due to these.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float, UInt8
from onepaper.optimizer import OptimizerOptions
from onepaper.torch.steps import TorchTask
from onepaper.training import LoopOptions, fit
from torch import Tensor, nn

from imagen3.data.scenes import (
    BACKGROUNDS,
    CELLS,
    COLOURED_KINDS,
    INVERSE,
    KINDS,
    PLAIN_KINDS,
    Kind,
    Placed,
    Scene,
    draw_scene,
    random_scenes,
    scene_captions,
    sprite_size,
)
from imagen3.evaluation.scene_scorer import BLUR, NOISE, correlations, degraded, ground_colour
from imagen3.text.words import WordEncoder

SCENES, BATCH, STEPS = 1500, 24, 2000
HIDDEN, EMBEDDING, MAX_TOKENS = 128, 64, 16
OPTIMIZER = OptimizerOptions(
    lr=2e-3, betas=(0.9, 0.99), clip_norm=1.0, schedule="cosine", warmup_steps=50, final_fraction=0.05
)

Pictures = Float[Tensor, "batch cells features"]
Texts = Float[Tensor, "batch dim"]


def seen(pictures: Sequence[UInt8[np.ndarray, "size size 3"]]) -> Pictures:
    """For each cell: the best correlation with each kind, the colour of the ground, and which of the cells it is."""
    found = []
    for picture in pictures:
        scores = correlations(picture, KINDS, sprite_size(len(picture)))
        for axis in (1, 2):
            scores = np.maximum.reduceat(scores, range(0, scores.shape[axis], len(picture) // CELLS), axis)
        cells = rearrange(scores, "kind row column -> (row column) kind")
        found.append(np.hstack([cells, np.tile(ground_colour(picture), (CELLS**2, 1)), np.eye(CELLS**2)]))
    return torch.tensor(np.stack(found), dtype=torch.float32)


def read(texts: Sequence[str]) -> Texts:
    """Word vectors in their order, behind each other."""
    tokens = WordEncoder(MAX_TOKENS).encode(texts).tokens
    return F.pad(tokens, (0, 0, 0, MAX_TOKENS - tokens.shape[1])).flatten(1)


def _text_network(outputs: int) -> nn.Module:
    return nn.Sequential(nn.Linear(MAX_TOKENS * WordEncoder.dim, HIDDEN), nn.GELU(), nn.Linear(HIDDEN, outputs))


class Reader(nn.Module):
    """Some numbers for a picture and a text: features of cells, scaled and shifted by the text, and their mean."""

    def __init__(self, outputs: int = 1) -> None:
        super().__init__()
        # Normalised: without, the products of both are too small at first for anything to be learned.
        self.text = nn.Sequential(_text_network(2 * HIDDEN), nn.LayerNorm(2 * HIDDEN))
        self.cell = nn.Sequential(nn.Linear(len(KINDS) + 3 + CELLS**2, HIDDEN), nn.LayerNorm(HIDDEN))
        self.head = nn.Sequential(nn.Linear(3 * HIDDEN, HIDDEN), nn.GELU(), nn.Linear(HIDDEN, outputs))

    def forward(
        self, pictures: Float[Tensor, "*pictures cells features"], texts: Float[Tensor, "*texts dim"]
    ) -> Float[Tensor, "*both outputs"]:
        """For each picture with its text; the dimensions in front are broadcast."""
        text = self.text(texts)
        scale, shift = text[..., None, :].chunk(2, dim=-1)
        cells = F.gelu(self.cell(pictures) * (1 + scale) + shift).mean(-2)
        return self.head(torch.cat([cells, text.expand(*cells.shape[:-1], -1)], -1))


class DualEncoder(nn.Module):
    """Embeddings of pictures, by the network of the reader with an empty text, and of texts."""

    def __init__(self) -> None:
        super().__init__()
        self.picture, self.text = Reader(EMBEDDING), _text_network(EMBEDDING)
        self.log_scale = nn.Parameter(torch.tensor(2.0))

    def forward(self, pictures: Pictures, texts: Texts) -> tuple[Tensor, Tensor]:
        """Embeddings of the pictures, which need not be as many as the texts, and of the texts."""
        return self.picture(pictures, texts.new_zeros(len(pictures), texts.shape[1])), self.text(texts)


class SceneMetrics(NamedTuple):
    """The trained metrics."""

    captions: DualEncoder
    statements: DualEncoder
    reader: Reader


@torch.inference_mode()
def embeddings(model: DualEncoder, pictures: Pictures, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Of pictures and texts, for `evaluation.alignment.clip_score`."""
    picture, text = model(pictures, read(texts))
    return picture.numpy(), text.numpy()


@torch.inference_mode()
def probabilities(model: Reader, pictures: Pictures, texts: Sequence[str]) -> Float[np.ndarray, " count"]:
    """That the statement about each picture is true."""
    return model(pictures, read(texts))[:, 0].sigmoid().double().numpy()


def statements(scene: Scene) -> list[str]:
    """What is true of a scene: its caption; the number of each kind; where it has one, the relation."""
    found = [f"{count} {kind.singular if count == 1 else kind.plural}" for kind, count in scene.counts.items()]
    if scene.relation:
        first, second = (kind.plural for kind in scene.counts)
        found.append(f"{first} {scene.relation} {second}")
    return [scene_captions(scene)[0], *found]


def altered(scene: Scene, generator: np.random.Generator) -> Scene:
    """A scene with one error: one object more or less, another kind or colour, or the opposite relation.

    Of a kind with a colour, and of the ground where the caption names it, another colour.
    """
    kinds, objects = list(scene.counts), scene.objects
    kind = kinds[generator.integers(len(kinds))]
    errors = ["kind", "opposite relation" if scene.relation else "more", *(["less"] if scene.counts[kind] > 1 else [])]
    error = generator.choice([*errors, *(["ground"] if scene.form == "numeric_sentence" else [])])
    if error == "ground":
        return replace(scene, background=str(generator.choice([own for own in BACKGROUNDS if own != scene.background])))
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
    others = _others(kind, kinds)
    other = others[generator.integers(len(others))]
    return replace(scene, objects=tuple(own._replace(kind=other) if own.kind == kind else own for own in objects))


def _others(kind: Kind, kinds: Sequence[Kind]) -> list[Kind]:
    """Kinds that a scene does not have: where there are any, those of another colour with the same noun."""
    absent = [own for own in (COLOURED_KINDS if kind in COLOURED_KINDS else PLAIN_KINDS) if own not in kinds]
    return [own for own in absent if own.singular.split()[-1] == kind.singular.split()[-1]] or absent


def train_metrics(*, scenes: int = SCENES, steps: int = STEPS, seed: int = 0) -> SceneMetrics:
    r"""All metrics, on scenes and their altered versions; what is true of one version only is false of the other.

    A dual encoder has the loss of Radford et al. (2021), with false statements as further texts where it learns from
    them. The reader, whose output is a logit f, has the mean of $-\log \sigma(f)$ over true statements and that of
    $-\log \sigma(-f)$ over others: half from altered versions, half from the other scenes of the batch.
    """
    generator = np.random.default_rng([seed, 1])
    originals = random_scenes(scenes, generator)
    versions = [*originals, *(altered(scene, generator) for scene in originals)]
    pictures = seen([degraded(draw_scene(scene), generator, NOISE, BLUR) for scene in versions])
    known = [statements(scene) for scene in versions]
    false = [
        [text for text in other if text not in own] for own, other in zip(known, known[scenes:] + known, strict=False)
    ]
    listed = sorted({text for own in known for text in own})
    texts, place = read(listed), {text: index for index, text in enumerate(listed)}

    def batch(step: int) -> dict[str, Tensor]:
        drawn = np.random.default_rng([seed, step])
        chosen = drawn.choice(len(versions), BATCH, replace=False)
        rows = [
            (place[known[index][0]], *(place[drawn.choice(own[index])] for own in (known, false))) for index in chosen
        ]
        captions, true, wrong = texts[torch.tensor(rows).T]
        return {"pictures": pictures[chosen], "captions": captions, "true": true, "false": wrong}

    def contrast(names: Sequence[str], model: DualEncoder, given: dict[str, Tensor], _: torch.Generator) -> Any:
        found = model(given["pictures"], torch.cat([given[name] for name in names]))
        picture, text = (F.normalize(own, dim=1) for own in found)
        logits, right = model.log_scale.exp() * picture @ text.T, torch.arange(len(picture))
        columns = logits[:, : len(right)].T
        return (F.cross_entropy(logits, right) + F.cross_entropy(columns, right)) / 2 * len(right), len(right), {}

    def belief(model: Reader, given: dict[str, Tensor], _: torch.Generator) -> Any:
        logits = model(given["pictures"][:, None], torch.cat([given["true"], given["false"]]))[..., 0]
        true, wrong = logits[:, : len(logits)], logits[:, len(logits) :].diagonal()
        others = true[~torch.eye(len(logits), dtype=torch.bool)]
        loss = F.softplus(-true.diagonal()).mean() + (F.softplus(wrong).mean() + F.softplus(others).mean()) / 2
        return loss * len(logits), len(logits), {}

    def trained(build: Callable[[], Any], loss: Callable[..., Any]) -> Any:
        task = TorchTask(build, loss, OPTIMIZER, total_steps=steps)
        return fit(task, batch, LoopOptions(steps), seed=seed, description="metric").state.model.eval()

    return SceneMetrics(
        trained(DualEncoder, partial(contrast, ["captions"])),
        trained(DualEncoder, partial(contrast, ["true", "false"])),
        trained(Reader, belief),
    )
