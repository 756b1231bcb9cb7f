"""The whole network once more, in double precision and number by number, from the arrays of a saved model."""

import math
from collections.abc import Mapping

import numpy as np
from onepaper.jax.state_files import model_arrays

from perceiver_ar.config import ModelConfig
from perceiver_ar.model import PerceiverAR


def norm(x: np.ndarray, arrays: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    centred = x - x.mean()
    return centred / np.sqrt((centred**2).mean() + 1e-5) * arrays[f"{name}/scale"] + arrays[f"{name}/bias"]


def linear(x: np.ndarray, arrays: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    return x @ arrays[f"{name}/kernel"] + arrays[f"{name}/bias"]


def turn(x: np.ndarray, number: int, config: ModelConfig) -> np.ndarray:
    """One head of one token, official style."""
    x = x.copy()
    pairs = math.floor(len(x) * config.rotary_fraction / 2)
    for k in range(pairs if config.turns else 0):
        exponent = k / (pairs - 1) if pairs > 1 else 0.0
        angle = number / config.wavelength**exponent
        a, b = x[2 * k], x[2 * k + 1]
        x[2 * k] = a * math.cos(angle) - b * math.sin(angle)
        x[2 * k + 1] = b * math.cos(angle) + a * math.sin(angle)
    return x


def sinusoid(number: int, width: int) -> np.ndarray:
    rates = [math.exp(-i * math.log(1e4) / (width / 2 - 1)) for i in range(width // 2)]
    return np.array([math.sin(number * rate) for rate in rates] + [math.cos(number * rate) for rate in rates])


def block(arrays, name, config, heads, own_norm, z, z_numbers, x, x_numbers, sees):
    """z' of every latent; `sees[j]` are the rows of x that latent j may look at."""
    keys = [norm(row, arrays, f"{name}/{own_norm}") for row in x]
    values = np.array([linear(row, arrays, f"{name}/value") for row in keys])
    keys = np.array([linear(row, arrays, f"{name}/key") for row in keys])
    out = []
    for j, latent in enumerate(z):
        query = linear(norm(latent, arrays, f"{name}/norm_query"), arrays, f"{name}/query")
        mixed = []
        for q, k, v in zip(
            np.split(query, heads), np.split(keys, heads, axis=1), np.split(values, heads, axis=1), strict=True
        ):
            q = turn(q, z_numbers[j], config)
            scores = [q @ turn(k[m], x_numbers[m], config) / math.sqrt(len(q)) for m in sees[j]]
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
    x = [arrays["embed/embedding"][token] for token in tokens]
    if config.adds:
        coordinates = [[number] for number in numbers] if coordinates is None else coordinates
        for m in range(length):
            for axis, value in enumerate(coordinates[m]):
                learned = config.position_tables == "learned"
                x[m] = x[m] + (arrays[f"tables/{axis}/embedding"][value] if learned else sinusoid(value, len(x[m])))
    places = list(range(max(0, length - count), length))
    z = [linear(x[p], arrays, "latent_in") for p in places]
    own = [numbers[p] for p in places]
    sees = [list(range(p + 1)) for p in places]
    z = block(arrays, "cross", config, config.num_cross_heads, "norm_inputs", z, own, x, numbers, sees)
    for layer in range(config.depth):
        of_layer = {name: array[layer] for name, array in arrays.items() if name.startswith("blocks/")}
        sees = [list(range(j + 1)) for j in range(len(z))]
        z = block(of_layer, "blocks", config, config.heads, "norm_query", z, own, z, own, sees)
    return np.array([linear(norm(row, arrays, "norm"), arrays, "head") for row in z])
