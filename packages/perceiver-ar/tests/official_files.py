"""Checkpoints as the official code writes them, with drawn weights, and its forward pass number by number."""

import io
import math
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np

from perceiver_ar.config import ModelConfig

V, M, N, L, C, D, H, HX, W = 9, 10, 4, 2, 12, 8, 2, 3, 2
ROTARY = ModelConfig(
    vocab_size=V,
    context_length=M,
    num_latents=N,
    depth=L,
    width=D,
    input_width=C,
    heads=H,
    cross_heads=HX,
    mlp_ratio=W,
    rotary_fraction=0.5,
)
IMAGES = replace(ROTARY, positions="absolute", position_tables="learned", axes=(5, 6, 4))
SINUSOIDS = replace(ROTARY, positions="absolute")
CONFIGS = {"rotary": ROTARY, "images": IMAGES, "sinusoids": SINUSOIDS}


def table(size: int) -> np.ndarray:
    rates = [math.exp(-i * math.log(1e4) / (C / 2 - 1)) for i in range(C // 2)]
    return np.array([[f(p * rate) for f in (math.sin, math.cos) for rate in rates] for p in range(size)], np.float32)


def drawn_params(config: ModelConfig) -> dict[str, dict[str, np.ndarray]]:
    """Arrays as the official code names them."""
    generator = np.random.default_rng(0)
    found: dict[str, dict[str, np.ndarray]] = {}

    def draw(*shape: int) -> np.ndarray:
        return (generator.standard_normal(shape) / math.sqrt(shape[0])).astype(np.float32)

    def linear(name: str, rows: int, columns: int) -> None:
        found[name] = {"w": draw(rows, columns), "b": draw(columns)}

    def norm(name: str, width: int) -> None:
        found[name] = {"scale": 1 + draw(width), "offset": draw(width)}

    def block(name: str, inner: int, inputs: int, norms: list[int]) -> None:
        for suffix, rows, columns in (("", D, inner), ("_1", inputs, inner), ("_2", inputs, inner), ("_3", inner, D)):
            linear(f"{name}/attention/linear{suffix}", rows, columns)
        linear(f"{name}/dense/linear", D, W * D)
        linear(f"{name}/dense/linear_1", W * D, D)
        for number, width in enumerate(norms):
            norm(f"{name}/layer_norm{f'_{number}' if number else ''}", width)

    found["perceiver_ar/~/embed"] = {"embeddings": draw(V, C)}
    if config is IMAGES:
        for axis, size in enumerate(config.axes):
            found[f"perceiver_ar/~/embed_{axis + 1}"] = {"embeddings": draw(size, C)}
    if config is SINUSOIDS:
        found["perceiver_ar/~/embed_1"] = {"embeddings": table(M + 1)}
    linear("perceiver_ar/~/linear", C, D)
    block("perceiver_ar/~/cross_attention", C, C, [D, C, D])
    for layer in range(L):
        block(f"perceiver_ar/~/self_attention{f'_{layer}' if layer else ''}", D, D, [D, D])
    norm("perceiver_ar/layer_norm", D)
    linear("perceiver_ar/~/logits", D, V)
    return found


def official_forward(params, config: ModelConfig, tokens: list[int], coordinates: np.ndarray) -> np.ndarray:
    """Logits of the last N places, written from the official code's description and names, without our model."""

    def linear(name: str, x: np.ndarray) -> np.ndarray:
        return x @ params[name]["w"].astype(float) + params[name]["b"]

    def norm(name: str, x: np.ndarray) -> np.ndarray:
        mean, variance = x.mean(axis=-1, keepdims=True), x.var(axis=-1, keepdims=True)
        return (x - mean) / np.sqrt(variance + 1e-5) * params[name]["scale"] + params[name]["offset"]

    def turned(x: np.ndarray, number: int) -> np.ndarray:
        if config.positions != "rotary":
            return x
        out, channels = x.copy(), math.floor(len(x) * config.rotary_fraction / 2) * 2
        wavelengths = M ** (2 / channels * np.linspace(0, channels // 2, channels // 2))
        for k, wavelength in enumerate(wavelengths):
            plane = x[2 * k] + 1j * x[2 * k + 1]
            plane = plane * np.exp(1j * number / wavelength)
            out[2 * k : 2 * k + 2] = plane.real, plane.imag
        return out

    def attention(name: str, heads: int, q_in, kv_in, q_numbers, kv_numbers, first: int) -> np.ndarray:
        q, k, v = (linear(f"{name}/linear{s}", x) for s, x in (("", q_in), ("_1", kv_in), ("_2", kv_in)))
        rows = []
        for j in range(len(q)):
            mixed = []
            for part in np.split(np.arange(q.shape[1]), heads):
                query = turned(q[j, part], q_numbers[j])
                seen = range(first + j + 1)
                scores = np.array([query @ turned(k[m, part], kv_numbers[m]) for m in seen]) / math.sqrt(len(part))
                weights = np.exp(scores - scores.max())
                mixed.append(weights / weights.sum() @ v[: first + j + 1, part])
            rows.append(np.concatenate(mixed))
        return linear(f"{name}/linear_3", np.array(rows))

    def dense(name: str, x: np.ndarray) -> np.ndarray:
        return linear(f"{name}/linear_1", np.maximum(linear(f"{name}/linear", x), 0) ** 2)

    x = params["perceiver_ar/~/embed"]["embeddings"][tokens].astype(float)
    for axis in range(coordinates.shape[1]):
        tables = params.get(f"perceiver_ar/~/embed_{axis + 1}")
        x = x if tables is None else x + tables["embeddings"][coordinates[:, axis]]
    numbers, first = list(range(1, len(tokens) + 1)), len(tokens) - N
    z = linear("perceiver_ar/~/linear", x[first:])
    name = "perceiver_ar/~/cross_attention"
    inside = norm(f"{name}/layer_norm", z), norm(f"{name}/layer_norm_1", x)
    z = z + attention(f"{name}/attention", HX, *inside, numbers[first:], numbers, first)
    z = z + dense(f"{name}/dense", norm(f"{name}/layer_norm_2", z))
    for layer in range(L):
        name = f"perceiver_ar/~/self_attention{f'_{layer}' if layer else ''}"
        inside = norm(f"{name}/layer_norm", z)
        z = z + attention(f"{name}/attention", H, inside, inside, numbers[first:], numbers[first:], 0)
        z = z + dense(f"{name}/dense", norm(f"{name}/layer_norm_1", z))
    return linear("perceiver_ar/~/logits", norm("perceiver_ar/layer_norm", z))


class WrittenAs:
    """Pickles as a call of a function by its dotted name, which need not exist here."""

    def __init__(self, module: str, name: str, *arguments: object) -> None:
        self.module, self.name, self.arguments = module, name, arguments


def dumped(value: object, protocol: int) -> bytes:
    """A pickle in which `WrittenAs` objects name what they stand for."""

    class Pickler(pickle._Pickler):  # the one in Python, whose way of writing names can be overridden
        def save(self, obj: object, save_persistent_id: bool = True) -> None:
            if isinstance(obj, WrittenAs):
                self.write(pickle.GLOBAL + f"{obj.module}\n{obj.name}\n".encode())
                super().save(tuple(obj.arguments))
                self.write(pickle.REDUCE)
            else:
                super().save(obj, save_persistent_id)

    file = io.BytesIO()
    Pickler(file, protocol).dump(value)
    return file.getvalue()


WRAPPERS = {
    "numpy": None,
    "JAX of today": ("jax._src.array", "_reconstruct_array"),
    "JAX of 2022": ("jax._src.device_array", "reconstruct_device_array"),
    "dill": ("dill._dill", "_create_array"),
}


def written(folder: Path, config: ModelConfig, how: str, protocol: int = 4) -> Path:
    params = drawn_params(config)
    if how == "npz":
        flat = {f"{module}/{name}": array for module, arrays in params.items() for name, array in arrays.items()}
        np.savez(folder / "weights.npz", **flat)
        return folder / "weights.npz"

    def wrapped(array: np.ndarray) -> object:
        if WRAPPERS[how] is None:
            return array
        function, arguments, state = array.__reduce__()
        extra = {"weak_type": False} if how.startswith("JAX") else None
        return WrittenAs(*WRAPPERS[how], function, arguments, state, extra)

    content = {
        "global_step": np.float64(7),
        "params": {m: {n: wrapped(array) for n, array in arrays.items()} for m, arrays in params.items()},
        "state": {},
        "opt_state": (WrittenAs("optax._src.transform", "ScaleByAdamState", 3, {}), WrittenAs("optax", "EmptyState")),
    }
    (folder / "checkpoint.dill").write_bytes(dumped(content, protocol))
    return folder / "checkpoint.dill"
