"""The whole network once more, in double precision and number by number, from the arrays of a saved model."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from onepaper.jax.state_files import model_arrays

from perceiver_ar.config import ModelConfig
from perceiver_ar.models.perceiver_ar import PerceiverAR


def norm(x: np.ndarray, arrays: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    centred = x - x.mean()
    return centred / np.sqrt((centred**2).mean() + 1e-5) * arrays[f"{name}/scale"] + arrays[f"{name}/bias"]


def linear(x: np.ndarray, arrays: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    return x @ arrays[f"{name}/kernel"] + arrays[f"{name}/bias"]


def turn(x: np.ndarray, number: int, config: ModelConfig, head: int = 0, heads: int = 1) -> np.ndarray:
    """One head of one token, official style."""
    x = x.copy()
    if head >= math.floor(config.rotary_heads * heads):
        return x
    pairs = math.floor(len(x) * config.rotary_fraction / 2)
    for k in range(pairs if config.uses_rotary else 0):
        exponent = k / (pairs - 1) if pairs > 1 else 0.0
        angle = number / config.wavelength**exponent
        a, b = x[2 * k], x[2 * k + 1]
        x[2 * k] = a * math.cos(angle) - b * math.sin(angle)
        x[2 * k + 1] = b * math.cos(angle) + a * math.sin(angle)
    return x


def sinusoid(number: int, width: int) -> np.ndarray:
    rates = [math.exp(-i * math.log(1e4) / (width / 2 - 1)) for i in range(width // 2)]
    return np.array([math.sin(number * rate) for rate in rates] + [math.cos(number * rate) for rate in rates])


def fourier(number: int, size: int, width: int) -> np.ndarray:
    place = -1 + 2 * number / (size - 1)
    count = width // 2
    bands = [1 + (size / 2 - 1) * k / (count - 1) for k in range(count)]
    return np.array([math.sin(math.pi * f * place) for f in bands] + [math.cos(math.pi * f * place) for f in bands])


def embedded(token: int, arrays: Mapping[str, np.ndarray], config: ModelConfig) -> np.ndarray:
    if not config.adaptive_cutoffs:
        return arrays["embed/embedding"][token]
    edges = [0, *config.adaptive_cutoffs]
    band = max(b for b, edge in enumerate(edges) if token >= edge)
    return arrays[f"embed/tables/{band}/embedding"][token - edges[band]] @ arrays[f"embed/projections/{band}/kernel"]


def head(z: np.ndarray, arrays: Mapping[str, np.ndarray], config: ModelConfig) -> np.ndarray:
    """Logits, or of an adaptive vocabulary the logarithms of the probabilities."""
    if not config.adaptive_cutoffs:
        return linear(z, arrays, "head")
    edges = [0, *config.adaptive_cutoffs, config.vocab_size]
    scores = [embedded(word, arrays, config) @ z / math.sqrt(len(z)) for word in range(config.vocab_size)]
    scores = np.array(scores) + arrays["embed/bias"]
    first = np.exp(np.concatenate([scores[: edges[1]], linear(z, arrays, "embed/clusters")]))
    first = first / first.sum()
    chances = [first[: edges[1]]]
    for band in range(1, len(edges) - 1):
        inside = np.exp(scores[edges[band] : edges[band + 1]])
        chances.append(first[edges[1] + band - 1] * inside / inside.sum())
    return np.log(np.concatenate(chances))


def block(arrays, name, config, heads, own_norm, z, z_numbers, x, x_numbers, sees):
    """z' of every latent; `sees[j]` are the rows of x that latent j may look at."""
    keys = [norm(row, arrays, f"{name}/{own_norm}") for row in x]
    values = np.array([linear(row, arrays, f"{name}/value") for row in keys])
    keys = np.array([linear(row, arrays, f"{name}/key") for row in keys])
    out = []
    for j, latent in enumerate(z):
        query = linear(norm(latent, arrays, f"{name}/norm_query"), arrays, f"{name}/query")
        mixed = []
        split = np.split(query, heads), np.split(keys, heads, axis=1), np.split(values, heads, axis=1)
        for number, (q, k, v) in enumerate(zip(*split, strict=True)):
            q = turn(q, z_numbers[j], config, number, heads)
            turned = [turn(k[m], x_numbers[m], config, number, heads) for m in sees[j]]
            scores = [q @ key / math.sqrt(len(q)) for key in turned]
            weights = np.exp(scores)
            mixed.append(
                sum((w / weights.sum() * v[m] for w, m in zip(weights, sees[j], strict=True)), np.zeros(len(q)))
            )
        y = latent + linear(np.concatenate(mixed), arrays, f"{name}/out")
        hidden = np.maximum(linear(norm(y, arrays, f"{name}/norm_hidden"), arrays, f"{name}/hidden"), 0) ** 2
        out.append(y + linear(hidden, arrays, f"{name}/down"))
    return out


def forward(model: PerceiverAR, tokens, count: int, coordinates=None) -> np.ndarray:
    """Logits of the last `count` positions of one sequence without padding; count may exceed the sequence's length,
    then the latents are the whole sequence."""
    config = model.config
    arrays = {name: np.asarray(array, np.float64) for name, array in model_arrays(model).items()}
    length = len(tokens)
    sign = {"data": 1, "terminal": -1, "negative-terminal": 1}[config.numbering]
    numbers = [sign * (m + 1 if config.numbering == "data" else m - length + 1) for m in range(length)]
    x = [embedded(token, arrays, config) for token in tokens]
    if config.uses_absolute_positions:
        coordinates = [[number] for number in numbers] if coordinates is None else coordinates
        for m in range(length):
            for axis, value in enumerate(coordinates[m]):
                rows = {
                    "learned": lambda axis, value: arrays[f"tables/{axis}/embedding"][value],
                    "sinusoidal": lambda _, value: sinusoid(value, len(x[0])),
                    "fourier": lambda axis, value: fourier(value, config.axis_sizes[axis], len(x[0])),
                }
                x[m] = x[m] + rows[config.position_tables](axis, value)
    places = list(range(max(0, length - count), length))
    z = [linear(x[p], arrays, "latent_in") for p in places]
    own = [numbers[p] for p in places]
    sees = [list(range(p + 1)) for p in places]
    z = block(arrays, "cross", config, config.num_cross_heads, "norm_inputs", z, own, x, numbers, sees)
    for layer in range(config.depth):
        layer_state = {name: array[layer] for name, array in arrays.items() if name.startswith("blocks/")}
        sees = [list(range(j + 1)) for j in range(len(z))]
        z = block(layer_state, "blocks", config, config.heads, "norm_query", z, own, z, own, sees)
    return np.array([head(norm(row, arrays, "norm"), arrays, config) for row in z])


def intermediate_sizes(jaxpr: Any) -> list[int]:
    """Of every intermediate array, inside loops too."""
    found = [int(np.prod(out.aval.shape)) for equation in jaxpr.eqns for out in equation.outvars]
    for equation in jaxpr.eqns:
        for value in equation.params.values():
            for inner in value if isinstance(value, tuple | list) else (value,):
                inner = getattr(inner, "jaxpr", inner)
                if hasattr(inner, "eqns"):
                    found += intermediate_sizes(inner)
    return found
