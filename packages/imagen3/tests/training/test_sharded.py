"""Without shards the model itself is evaluated; with shards see `test_scale`."""

import torch
from onepaper.optimizer import OptimizerOptions
from onepaper.torch.steps import TorchTask
from torch import nn

from imagen3.training.sharded import evaluating, gathered


def test_whole_parameters() -> None:
    options = OptimizerOptions(lr=0.1, ema_decay=0.5)
    task = TorchTask(lambda: nn.Linear(2, 1), lambda model, batch, _: (model(batch).sum(), len(batch)), options)
    state, _ = task.step(task.init(0), torch.ones(3, 2))
    with evaluating(task, state) as model:
        assert model is state.model
        assert not model.training
        assert all(torch.equal(value, state.ema[name]) for name, value in gathered(model.state_dict()).items())
    assert state.model.training
