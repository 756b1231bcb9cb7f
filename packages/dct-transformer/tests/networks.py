"""A tiny configuration, and networks with random weights."""

import torch

from dct_transformer.config import ChunkConfig, ModelConfig
from dct_transformer.models.dct_transformer import DCTransformer

TINY = ModelConfig(
    dim=32,
    heads=2,
    chunk=ChunkConfig(16, 4),
    encoder=(1,),
    channel_decoder=(1,),
    position_decoder=(1,),
    value_decoder=(1,),
    dropout=0.0,
)


def random_network(config: ModelConfig, seed: int = 0) -> DCTransformer:
    """A network all of whose parts matter: gates and biases that start at 0 are random too."""
    torch.manual_seed(seed)
    model = DCTransformer(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return model
