from dataclasses import replace

import pytest
from onepaper.errors import UsageError

from simplex_cir.config import LearnedConfig, ModelConfig
from simplex_cir.data.loading import check_fits, load


def test_a_model_of_another_shape_is_refused() -> None:
    config = LearnedConfig()
    data = load(config.data)
    check_fits(config, data)
    with pytest.raises(UsageError, match="'ACGT' and 9 positions, the data 'ACGU'"):
        check_fits(replace(config, model=ModelConfig("ACGT", positions=9)), data)
    with pytest.raises(UsageError, match="no labels"):
        check_fits(replace(config, model=replace(config.model, num_classes=3)), data)
