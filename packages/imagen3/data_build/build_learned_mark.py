"""Build `learned_mark.safetensors` in `assets/data`: the networks of the learned watermark.

python data_build/build_learned_mark.py

They are trained on the shipped pictures of the part train, about seven minutes on one core, and stored in half
precision.
"""

import numpy as np
from build_words import TARGET
from onepaper.data import write_sums
from onepaper.torch.state_files import model_tensors, write_safetensors

from imagen3.data.emoji import emoji, emoji_pictures
from imagen3.pretrained.systems import open_system
from imagen3.responsibility.learned_mark_training import train_mark


def main() -> None:
    """Train and write."""
    learned = np.array([concept.part == "train" for concept in emoji()])
    model = train_mark(emoji_pictures()[learned], open_system().autoencoder)
    tensors = {name: value.half() for name, value in model_tensors(model).items()}
    write_safetensors(TARGET / "learned_mark.safetensors", tensors)
    write_sums(TARGET)


if __name__ == "__main__":
    main()
