"""Examples of images for a network, and batches of their chunks as functions of the step."""

from collections.abc import Callable

import numpy as np
from jaxtyping import UInt8
from onepaper.data import BatchSampler

from dct_transformer.config import DataConfig, ModelConfig
from dct_transformer.data.chunks import Chunk, Example, make_chunks, make_example, number_of_chunks, start_probabilities
from dct_transformer.data.images import Images, augment, resize
from dct_transformer.data.stored_images import StoredImages
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
    return [_centre_example(images, index, config) for index in range(len(images))]


def _centre_example(images: Images, index: int, config: ModelConfig) -> Example:
    label = label_of(images, index, config)
    if isinstance(images, StoredImages):
        return make_example(images.centre(index), label, config)
    return image_example(resize(images[index], (config.height, config.width)), label, config)


def _random_example(
    images: Images, index: int, data: DataConfig, config: ModelConfig, generator: np.random.Generator
) -> Example:
    label = label_of(images, index, config)
    if isinstance(images, StoredImages):
        return make_example(images.random_part(index, data, generator), label, config)
    return image_example(augment(images[index], (config.height, config.width), data, generator), label, config)


def label_of(images: Images, index: int, config: ModelConfig) -> int:
    """The class of an image, or that which stands for none."""
    return images.labels[index] if config.classes else 0


def chunk_batches(
    images: Images, data: DataConfig, config: ModelConfig, batch_size: int, *, seed: int, rank: int = 0, world: int = 1
) -> Callable[[int], Chunk]:
    """Batches of one random chunk each of images with random changes, as a function of the step.

    A row's randomness depends on its place in the batch of all processes, not on their number.
    """
    sampler = BatchSampler(len(images), batch_size, seed=seed, rank=rank, world=world)
    first = rank * (batch_size // world)

    def batch(step: int) -> Chunk:
        examples, chunks = [], []
        for row, index in enumerate(sampler(step)):
            generator = np.random.default_rng([seed, step, 0, first + row])
            example = _random_example(images, int(index), data, config, generator)
            if config.classes and generator.uniform() < data.guidance_dropout:
                example = example._replace(label=config.classes)
            probabilities = start_probabilities(config.chunk, number_of_chunks(example.triples.length, config.chunk))
            examples.append(example)
            chunks.append(int(generator.choice(len(probabilities), p=probabilities)))
        return make_chunks(examples, chunks, config)

    return batch
