"""Settings of networks that are far larger than the weights beside them."""

import json

import pytest
from safetensors.torch import save_file
from torch import nn

from onepaper.errors import UsageError
from onepaper.torch.network_size import check_network_size


@pytest.fixture
def path(tmp_path):
    save_file(nn.Linear(30, 10).state_dict(), tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps({}))
    return tmp_path / "config.json"


@pytest.mark.parametrize("settings", [{"num_layers": 3}, {"text": {"depths": [1, 2**40]}}, {"blocks": 2.5}])
def test_repeats(path, settings):
    with pytest.raises(UsageError, match=r"config.json: \w+ is .*, but there are weights of 2 tensors only"):
        check_network_size(path, settings)


def test_parameters(path):
    check_network_size(path, {"layers": 2, "width": 10**9}, lambda: nn.Linear(30, 19))
    with pytest.raises(UsageError, match="a network of 1,000,001,000,000 parameters, but its weights have 310"):
        check_network_size(path, {}, lambda: nn.Linear(10**6, 10**6))


def test_what_cannot_be_compared_is_left_to_the_reader(path):
    check_network_size(path, {}, lambda: nn.Linear(2**40, 2**40))
    (path.parent / "model.safetensors").unlink()
    check_network_size(path, {"layers": 10**9}, lambda: nn.Linear(10**6, 10**6))
