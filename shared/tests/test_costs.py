"""Costs by hand, and FLOPs as torch counts them."""

import pytest

from onepaper.costs import dense_flops, training_cost


def test_training_cost_by_hand() -> None:
    assert training_cost(1_000_000, 3.6e11, steps=10**6) == {
        "parameters": "1,000,000",
        "FLOPs per step": "3.60e+11",
        "GPU time": "1 h at 100 TFLOP/s",
        "memory for the state": "16.00 MB",
    }
    averaged = training_cost(1_000_000, 1.0, steps=1, averaged=True, activations=5_000_000)
    assert averaged["memory for the state"] == "20.00 MB"
    assert averaged["memory with activations"] == "25 MB"


def test_flops_of_matrices_as_torch_counts_them() -> None:
    torch = pytest.importorskip("torch")
    from torch.utils.flop_counter import FlopCounterMode

    net = torch.nn.Sequential(torch.nn.Linear(8, 16, bias=False), torch.nn.Linear(16, 4, bias=False))
    x = torch.zeros(5, 8, requires_grad=True)
    with FlopCounterMode(display=False) as counter:
        net(x).sum().backward()
    assert dense_flops(8 * 16 + 16 * 4, positions=5) == counter.get_total_flops()
