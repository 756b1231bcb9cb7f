r"""Networks of the CDCD baseline of Plaid (Gulrajani and Hashimoto, 2023; official code, `train_cdcd.py`).

That code saves the state dictionaries `model.pt`, `embedding_matrix.pt` and `loss_cdf.pt`. Its network is one of ours
with other constants, and becomes exactly that:

- its embeddings have norm 1 and ours $\sqrt d$, and its noise keeps the variance:
  $z = (e + s\,\varepsilon) / \sqrt{1 + s^2}$ with $s = t / 16$. Then $\sqrt d\,(e + s\,\varepsilon)$ is our noisy
  embedding at the noise level $\sqrt d\, t / 16$, and both codes scale it to the same input;
- each residual branch has the factor $1 / \sqrt{\text{blocks}}$, and the output layer 256 over the width (Yang et al.,
  2022), which become parts of the weights;
- normalisations have a scale that does not depend on the noise level, and the last one no conditioning at all, which
  are biases of our conditioning; linear layers of the blocks have no bias.

It is unconditional: given tokens have weight 0, so that it samples whole sequences. Its tokenizer is not in its files.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from flax import nnx
from jaxtyping import Float
from onepaper.config import check_positive
from onepaper.errors import UsageError
from onepaper.foreign.arrays import read_npz

from cdcd.config import ModelConfig, WarpConfig
from cdcd.models.attention import LONGEST_WAVELENGTH
from cdcd.models.denoiser import CategoricalDiffusion
from cdcd.pretrained.arrays import arrays_of, model_of

Arrays = Mapping[str, Float[np.ndarray, "..."]]

MODULES = ("model", "embedding_matrix", "loss_cdf")

# Width at which its output layer has the factor 1, and the channels of embeddings that its noise levels are for.
BASE_WIDTH, BASE_CHANNELS = 256, 256


def read_plaid(folder: Path) -> dict[str, np.ndarray]:
    """All arrays of a checkpoint, named MODULE/NAME, in float32.

    Args:
        folder: with `model.pt`, `embedding_matrix.pt` and `loss_cdf.pt`, or `.npz` files of the same arrays.

    Raises:
        UsageError: a file that is missing or damaged or holds other objects, an array that is not finite, or `.pt`
            files where torch is not installed.
    """
    found = {}
    for module in MODULES:
        path = folder / f"{module}.npz"
        content = read_npz(path) if path.is_file() else _read_state_dict(folder / f"{module}.pt")
        for name, value in content.items():
            array = np.asarray(value, np.float32)
            if not np.isfinite(array).all():
                raise UsageError(f"{folder}: {module}/{name} is not finite; use weights of another training")
            found[f"{module}/{name}"] = array
    return found


def _read_state_dict(path: Path) -> dict[str, np.ndarray]:
    if not path.is_file():
        raise UsageError(f"{path} does not exist; give the folder with {', '.join(f'{name}.pt' for name in MODULES)}")
    try:
        from onepaper.torch.checkpoint_files import read_torch_file
    except ImportError:
        raise UsageError(
            f"{path} is a file of torch, which is not installed; pip install 'onepaper-cdcd[import]'"
        ) from None
    content = read_torch_file(path, advice="save its state_dict alone")
    if not isinstance(content, dict) or not all(hasattr(value, "numpy") for value in content.values()):
        raise UsageError(f"{path} holds no state dictionary; give the files that Plaid's train_cdcd.py saves")
    if sum(value.numel() * value.element_size() for value in content.values()) > path.stat().st_size:
        raise UsageError(f"{path} declares more numbers than it has; give the files that Plaid's train_cdcd.py saves")
    return {str(name): value.float().numpy() for name, value in content.items()}


def convert_plaid(
    arrays: Arrays, *, length: int = 256, t_min: float = 2.0, t_max: float = 300.0
) -> CategoricalDiffusion:
    r"""The network with the same predictions, see the top of the module.

    Args:
        arrays: as of `read_plaid`.
        length: positions of a sequence, `seq_len` of its training.
        t_min: of its training, in its units: $16 / \sqrt d$ times ours.
        t_max: of its training, likewise.

    Raises:
        UsageError: an array that is missing, is not known, or has an impossible shape.
    """
    check_positive("length", length)
    config = _config_of(arrays, length, t_min, t_max)
    found = dict(arrays)

    def take(name: str, *shape: int) -> np.ndarray:
        if name not in found:
            raise UsageError(f"the checkpoint has no {name}, expected the arrays of Plaid's train_cdcd.py")
        array = found.pop(name)
        if array.shape != shape:
            raise UsageError(f"{name} has shape {array.shape}, expected {shape}")
        return array

    width, embed, time, hidden = config.width, config.embed_dim, config.time_width, config.mlp_ratio * config.width
    bins, vocab = config.warp.bins, config.vocab_size
    network = arrays_of(CategoricalDiffusion(config, nnx.Rngs(0)))  # names; every value but fixed ones is replaced
    new: dict[str, np.ndarray] = {name: np.zeros_like(array) for name, array in network.items()}
    new["time/frequencies"] = network["time/frequencies"]
    new["embed"] = take("embedding_matrix/matrix", vocab, embed)
    for side, name in (("inputs", "l_t"), ("outputs", "l_u")):
        new[f"warp/{side}"] = new[f"warp/mean_{side}"] = take(f"loss_cdf/{name}", bins)
    new["embed_inputs/kernel"][:embed] = take("model/input_linear.weight", width, embed).T
    new["embed_inputs/kernel"][2 * embed : 3 * embed] = take("model/selfcond_linear.weight", width, embed).T
    for number, layer in ((0, "first"), (2, "second")):
        new[f"time/{layer}/kernel"] = take(f"model/timestep_embed.{number}.weight", time, time).T
        new[f"time/{layer}/bias"] = take(f"model/timestep_embed.{number}.bias", time)
    residual = config.depth**-0.5
    for block in range(config.depth):
        theirs = f"model/blocks.{block}."
        for norm, number in (("norm_attention", 1), ("norm_mlp", 2)):
            modulate = f"blocks/{norm}/modulate"
            new[f"{modulate}/kernel"][block, :, width:] = take(
                f"{theirs}norm{number}.cond_linear.weight", width, time
            ).T
            scale = take(f"{theirs}norm{number}.weight", width) - 1
            shift = take(f"{theirs}norm{number}.cond_linear.bias", width)
            new[f"{modulate}/bias"][block] = np.concatenate([scale, shift])
        for ours, name, shape, factor in (
            ("attention/qkv", "attn_qkv", (3 * width, width), 1.0),
            ("attention/out", "attn_out", (width, width), residual),
            ("mlp/up", "mlp.fc1", (hidden, width), 1.0),
            ("mlp/down", "mlp.fc2", (width, hidden), residual),
        ):
            new[f"blocks/{ours}/kernel"][block] = factor * take(f"{theirs}{name}.weight", *shape).T
    new["norm/modulate/bias"] = np.concatenate(
        [take("model/output_norm.weight", width) - 1, take("model/output_norm.bias", width)]
    )
    new["head/kernel"] = take("model/output_linear.weight", vocab, width).T * (BASE_WIDTH / width)
    new["head/bias"] = take("model/output_linear.bias", vocab)
    take("model/rotary_emb.inv_freq", width // config.heads // 2)
    if found:
        raise UsageError(f"the checkpoint has {next(iter(found))} too, expected the arrays of Plaid's train_cdcd.py")
    return model_of(lambda: CategoricalDiffusion(config, nnx.Rngs(0)), new, "the checkpoint")


def _config_of(arrays: Arrays, length: int, t_min: float, t_max: float) -> ModelConfig:
    """The architecture, from the shapes of the arrays."""

    def shape(name: str, axes: int) -> tuple[int, ...]:
        if name not in arrays or arrays[name].ndim != axes or 0 in arrays[name].shape:
            raise UsageError(f"the checkpoint has no {name} of {axes} axes, expected that of Plaid's train_cdcd.py")
        return arrays[name].shape

    vocab, embed = shape("embedding_matrix/matrix", 2)
    width = shape("model/input_linear.weight", 2)[0]
    (half,) = shape("model/rotary_emb.inv_freq", 1)
    expected = LONGEST_WAVELENGTH ** -(np.arange(half) / half)
    if width % (2 * half) or not np.allclose(arrays["model/rotary_emb.inv_freq"], expected, rtol=1e-4):
        raise UsageError(f"the rotary positions of the checkpoint are not those of heads of {2 * half} channels")
    blocks = {name.split(".")[1] for name in arrays if name.startswith("model/blocks.")}
    factor = (embed / BASE_CHANNELS) ** 0.5
    return ModelConfig(
        vocab_size=vocab,
        length=length,
        embed_dim=embed,
        width=width,
        depth=len(blocks),
        heads=width // (2 * half),
        mlp_ratio=shape("model/blocks.0.mlp.fc1.weight", 2)[0] // width,
        time_width=shape("model/timestep_embed.0.weight", 2)[0],
        time_features="sines",
        warp=WarpConfig(
            t_min=factor * t_min, t_max=factor * t_max, bins=shape("loss_cdf/l_t", 1)[0], floor=1e-3, floor_mode="joint"
        ),
    )
