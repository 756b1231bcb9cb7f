"""Composed scenes with an exact description: one to ten emoji of one to three kinds on a plain colour.

The art is real (`data.emoji`), the layout is synthetic. Captions follow the seven forms of prompt that GeckoNum has for
exact numbers (paper, section 3.1.5 and appendix C.2).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, UInt8
from onepaper.config import check_choice
from onepaper.errors import UsageError
from PIL import Image
from scipy.ndimage import label

from imagen3.config import DataConfig
from imagen3.data.emoji import PERIOD, TEST, VALIDATION, emoji, emoji_pictures
from imagen3.data.pictures import Caption, Pictures, load_pictures


class Kind(NamedTuple):
    """What a scene counts."""

    emoji: str
    singular: str
    plural: str


def _kinds(names: Sequence[str]) -> tuple[Kind, ...]:
    found = []
    for name in names:
        name, _, noun = name.partition("=")
        noun = noun or name
        ending = "es" if noun.endswith(("s", "ch")) else "ies" if noun.endswith("ry") else "s"
        found.append(Kind(name, noun, (noun[:-1] if ending == "ies" else noun) + ending))
    return tuple(found)


PLAIN_KINDS = _kinds(
    (
        *("dog face=dog", "cat face=cat", "frog", "octopus", "crab", "owl", "lemon", "banana", "strawberry", "carrot"),
        *("mushroom", "sunflower", "pizza", "doughnut", "tent", "bus", "rocket", "soccer ball", "guitar", "bell"),
    )
)
COLOURED_KINDS = _kinds(
    (
        *("red heart", "blue heart", "green heart", "yellow heart", "purple heart"),
        *("closed book=red book", "blue book", "green book", "orange book", "red apple", "green apple"),
    )
)
KINDS = (*PLAIN_KINDS, *COLOURED_KINDS)

BACKGROUNDS = {
    "white": (255, 255, 255),
    "grey": (205, 208, 212),
    "yellow": (255, 242, 180),
    "green": (205, 236, 196),
    "blue": (196, 222, 248),
    "pink": (252, 214, 226),
}
"""Names of colours behind the objects, and their values in sRGB."""

FORMS = (
    *("numeric_simple", "numeric_sentence", "attribute-color", "2-additive", "3-additive", "2-additive-color"),
    "attribute-spatial",
)
"""The forms of prompt with exact numbers, by their names in GeckoNum's file of prompts."""

RELATIONS = ("to the left of", "to the right of", "above", "below")
INVERSE = {relation: RELATIONS[index ^ 1] for index, relation in enumerate(RELATIONS)}
NUMERALS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")

# Objects stand in the cells of a grid of so many by so many, each in a square of this share of its cell.
CELLS, SPRITE_SHARE = 4, 0.875
LARGEST_COUNT = 10
SMALLEST_SIZE = 32


class Placed(NamedTuple):
    """An object: its kind, and the row and column of the upper left pixel of its square."""

    kind: Kind
    row: int
    column: int


@dataclass(frozen=True)
class Scene:
    """A scene graph: what is where on which colour, and which relation the first kind has to the second."""

    form: str
    size: int
    background: str
    objects: tuple[Placed, ...]
    relation: str = ""

    @property
    def counts(self) -> dict[Kind, int]:
        """Objects of each kind, in the order of the captions."""
        return dict(Counter(placed.kind for placed in self.objects))


def sprite_size(size: int) -> int:
    """Side of the square of an object in a scene of `size` pixels."""
    return int(SPRITE_SHARE * (size // CELLS))


@cache
def sprite(kind: Kind, side: int) -> Float[np.ndarray, "side side 4"]:
    """An emoji without its white background: colours times coverage, and coverage, in [0, 1]."""
    numbers = {concept.name: number for number, concept in enumerate(emoji())}
    picture = emoji_pictures()[numbers[kind.emoji]]
    # White that touches the border is background; white inside a drawing belongs to it.
    regions = np.asarray(label(picture.min(axis=2) > 245)[0])  # pyright: ignore[reportIndexIssue]
    edges = np.concatenate([regions[0], regions[-1], regions[:, 0], regions[:, -1]])
    covered = ~np.isin(regions, np.setdiff1d(edges, 0))
    layers = np.concatenate([picture / 255 * covered[..., None], covered[..., None]], axis=2).astype(np.float32)
    resized = [Image.fromarray(layers[..., index]).resize((side, side), Image.Resampling.BOX) for index in range(4)]
    return np.stack([np.asarray(layer) for layer in resized], axis=2)


def draw_scene(scene: Scene) -> UInt8[np.ndarray, "size size 3"]:
    """The picture of a scene."""
    canvas = np.broadcast_to(np.array(BACKGROUNDS[scene.background]) / 255, (scene.size, scene.size, 3)).copy()
    side = sprite_size(scene.size)
    for kind, row, column in scene.objects:
        drawn = sprite(kind, side)
        part = canvas[row : row + side, column : column + side]
        part *= 1 - drawn[..., 3:]
        part += drawn[..., :3]
    return (255 * canvas).round().clip(0, 255).astype(np.uint8)


def random_scene(form: str, generator: np.random.Generator, size: int = 64) -> Scene:
    """A scene of one form; kinds, numbers, places and colour are uniform.

    Numbers go to 10 for simple prompts, to 5 in sentences, pairs and relations, to 4 with colours, and to 3 of each of
    three kinds.

    Raises:
        UsageError: another form, or fewer than 32 pixels.
    """
    check_choice("form", form, FORMS)
    if size < SMALLEST_SIZE:
        raise UsageError(f"size is {size}, expected at least {SMALLEST_SIZE} pixels for scenes")
    many = 3 if form == "3-additive" else 2 if form.startswith("2-") or form == "attribute-spatial" else 1
    largest = {"numeric_simple": LARGEST_COUNT, "3-additive": 3}.get(form, 4 if "color" in form else 5)
    pool = COLOURED_KINDS if "color" in form else PLAIN_KINDS
    kinds = [pool[index] for index in generator.choice(len(pool), many, replace=False)]
    counts = [int(count) for count in generator.integers(1, largest + 1, many)]
    relation = str(generator.choice(RELATIONS)) if form == "attribute-spatial" else ""
    cells = _cells(counts, relation, generator)
    step, room = size // CELLS, size // CELLS - sprite_size(size)
    objects = []
    for kind, own in zip(kinds, cells, strict=True):
        for row, column in own:
            down, right = generator.integers(0, room + 1, 2)
            objects.append(Placed(kind, int(row * step + down), int(column * step + right)))
    return Scene(form, size, str(generator.choice(list(BACKGROUNDS))), tuple(objects), relation)


def _cells(counts: list[int], relation: str, generator: np.random.Generator) -> list[np.ndarray]:
    """Rows and columns of the cells of each kind, disjoint; on two sides of the middle where there is a relation."""
    cells = np.stack(np.divmod(generator.permutation(CELLS * CELLS), CELLS), axis=1)
    if not relation:
        return np.split(cells[: sum(counts)], np.cumsum(counts)[:-1])
    axis = 0 if relation in ("above", "below") else 1
    low = cells[:, axis] < CELLS // 2
    sides = [cells[low], cells[~low]] if relation in ("to the left of", "above") else [cells[~low], cells[low]]
    return [side[:count] for side, count in zip(sides, counts, strict=True)]


def scene_captions(scene: Scene, *, numerals: bool = False) -> tuple[str, str]:
    """A short caption in the form of the scene, and a long one with every object, place and colour.

    Args:
        scene: to describe.
        numerals: numbers of the short caption as words rather than digits.
    """
    parts = [
        f"{NUMERALS[count] if numerals else count} {kind.singular if count == 1 else kind.plural}"
        for kind, count in scene.counts.items()
    ]
    joined = " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
    are = "is" if next(iter(scene.counts.values())) == 1 else "are"
    if scene.relation:
        short = f"there {are} {parts[0]} {scene.relation} {parts[1]}"
    elif scene.form == "numeric_sentence":
        short = f"{joined} {are} on a plain {scene.background} ground"
    else:
        short = joined
    where = [f"{'a' if kind.singular[0] not in 'aeiou' else 'an'} {kind.singular} {_place(scene, row, column)}"
             for kind, row, column in scene.objects]  # fmt: skip
    long = f"a {scene.background} picture with {joined}: {', '.join(where)}, and nothing else on the plain ground"
    return short, long


def _place(scene: Scene, row: int, column: int) -> str:
    down, right = (4 * (value + sprite_size(scene.size) // 2) // scene.size for value in (row, column))
    rows, columns = ("top", "upper middle", "lower middle", "bottom"), ("far left", "left", "right", "far right")
    return f"at the {rows[down]} {columns[right]}"


def scene_part(scene: Scene) -> str:
    """train, validation or test: some numbers of each kind are held out, together with every scene that has one."""
    places = {(7 * KINDS.index(kind) + count) % PERIOD for kind, count in scene.counts.items()}
    return "test" if TEST in places else "validation" if VALIDATION in places else "train"


def random_scenes(count: int, generator: np.random.Generator, size: int = 64) -> list[Scene]:
    """Scenes of all forms in turn."""
    return [random_scene(FORMS[number % len(FORMS)], generator, size) for number in range(count)]


def scene_pictures(count: int, size: int = 64, seed: int = 0) -> Pictures:
    """Scenes as a data set: the short caption is the original one, the long one is synthetic."""
    generator = np.random.default_rng(seed)
    scenes = random_scenes(count, generator, size)
    captions = []
    for scene, numerals in zip(scenes, generator.random(len(scenes)) < 0.5, strict=True):
        short, long = scene_captions(scene, numerals=bool(numerals))
        captions.append([Caption(short, True), Caption(long, False)])
    parts = [scene_part(scene) for scene in scenes]
    return Pictures(np.stack([draw_scene(scene) for scene in scenes]), captions, parts, [True] * len(scenes))


def training_pictures(config: DataConfig) -> Pictures:
    """The pictures of a configuration, whatever its data set.

    Raises:
        UsageError: as of `load_pictures`.
    """
    return scene_pictures(config.scenes, config.size) if config.dataset == "scenes" else load_pictures(config)


def prompt_rows(scenes: Sequence[Scene], captions: Sequence[str]) -> list[dict[str, str]]:
    """Rows of a file of prompts in the format of GeckoNum, with the short caption of each scene as prompt."""
    return [
        {
            "prompt": caption,
            "has_numeral": str(int(not any(letter.isdecimal() for letter in caption))),
            "is_frequent": "-1",
            "entities": ",".join(f"{kind.singular}:{count}" for kind, count in scene.counts.items()),
            "prompt_type": scene.form,
            "dataset_id": f"scene_{number:05d}",
        }
        for number, (scene, caption) in enumerate(zip(scenes, captions, strict=True))
    ]
