"""Examples of images for a network, and batches of their chunks as functions of the step."""

from collections.abc import Callable

import numpy as np
from jaxtyping import UInt8
from onepaper.data import BatchSampler

from dct_transformer.config import DataConfig, ModelConfig
from dct_transformer.data.chunks import Chunk, Example, make_chunks, make_example, number_of_chunks, start_probabilities
from dct_transformer.data.images import Images, augment, resize
from dct_transformer.representation.codec import encode


def image_example(image: UInt8[np.ndarray, "height width 3"], label: int, config: ModelConfig) -> Example:
    """The list of an image of a network's size, and that of its low-resolution version if the network reads one."""
    hint = None
    if config.condition == "low-resolution":
        hint = encode(low_resolution(image, config.scale), config.codec)
    return make_example(encode(image, config.codec), label, config, hint)


def low_resolution(image: UInt8[np.ndarray, "height width 3"], scale: int) -> UInt8[np.ndarray, "height width 3"]:
    """An image at 1 / scale of its resolution, at its own size."""
    height, width = image.shape[:2]
    small = resize(image, (max(1, height // scale), max(1, width // scale)))
    return resize(small, (height, width))


def centre_examples(images: Images, config: ModelConfig) -> list[Example]:
    """One example of each image, without random changes."""
    size = (config.height, config.width)
    return [
        image_example(resize(images[index], size), label_of(images, index, config), config)
        for index in range(len(images))
    ]


def label_of(images: Images, index: int, config: ModelConfig) -> int:
    """The class of an image, or that which stands for none."""
    return images.labels[index] if config.classes else 0


def chunk_batches(
    images: Images, data: DataConfig, config: ModelConfig, batch_size: int, *, seed: int, rank: int = 0, world: int = 1
) -> Callable[[int], Chunk]:
    """Batches of one random chunk each of augmented images, as a function of the step."""
    sampler = BatchSampler(len(images), batch_size, seed=seed, rank=rank, world=world)
    size = (config.height, config.width)

    def batch(step: int) -> Chunk:
        examples, chunks = [], []
        for row, index in enumerate(sampler(step)):
            generator = np.random.default_rng([seed, step, rank, row])
            image = augment(images[int(index)], size, data, generator)
            label = label_of(images, int(index), config)
            if config.classes and generator.uniform() < data.guidance_dropout:
                label = config.classes
            example = image_example(image, label, config)
            probabilities = start_probabilities(config.chunk, number_of_chunks(example.triples.length, config.chunk))
            examples.append(example)
            chunks.append(int(generator.choice(len(probabilities), p=probabilities)))
        return make_chunks(examples, chunks, config)

    return batch
