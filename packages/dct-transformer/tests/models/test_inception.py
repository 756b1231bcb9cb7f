"""The network of FID: names, sizes and the place of the spatial features."""

import torch

from dct_transformer.models.inception import Inception


def test_names_and_sizes() -> None:
    """23.9 million parameters in 94 convolutions, with the names that PyTorch ports share."""
    with torch.device("meta"):
        model = Inception()
        output = model.eval()(torch.zeros(2, 3, 299, 299))
    assert (output.pooled.shape, output.spatial.shape) == ((2, 2048), (2, 7 * 17 * 17))
    shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    assert sum(parameter.numel() for parameter in model.parameters()) == 23_850_960
    assert sum(name.endswith("conv.weight") for name in shapes) == 94
    assert shapes["Mixed_6b.branch7x7dbl_4.conv.weight"] == (128, 128, 7, 1)
    assert shapes["Mixed_7c.branch3x3dbl_3b.bn.running_var"] == (384,)
    assert shapes["Mixed_6a.branch3x3.conv.weight"] == (384, 288, 3, 3)
    assert shapes["Mixed_7b.branch3x3_2a.conv.weight"] == (384, 384, 1, 3)
    assert shapes["fc.weight"] == (1008, 2048)


def test_means_leave_out_the_padding() -> None:
    """At corners a pooling branch divides by the 4 pixels that exist, and not by 9."""
    block = Inception().Mixed_5b.eval()
    with torch.no_grad():
        for name, parameter in block.named_parameters():
            parameter.zero_()
            if name == "branch_pool.conv.weight":
                parameter[0, 0] = 1
            if name.endswith("bn.weight"):
                parameter.fill_(1)
    x = torch.ones(1, 192, 5, 5)
    with torch.no_grad():
        pooled = block(x)[0, -32]
    torch.testing.assert_close(pooled, torch.full((5, 5), 1 / (1 + 1e-3) ** 0.5))
