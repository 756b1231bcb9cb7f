from dataclasses import replace

import pytest
from onepaper.errors import OnePaperError, UsageError
from onepaper.fingerprint.marks import measurement

from simplex_cir.config import DataConfig, LearnedConfig, ModelConfig
from simplex_cir.data.loading import check_fits, load


def test_a_model_of_another_shape_is_refused() -> None:
    config = LearnedConfig()
    data = load(config.data)
    check_fits(config, data)
    with pytest.raises(UsageError, match="'ACGT' and 9 positions, the data 'ACGU'"):
        check_fits(replace(config, model=ModelConfig("ACGT", positions=9)), data)
    with pytest.raises(UsageError, match="no labels"):
        check_fits(replace(config, model=replace(config.model, num_classes=3)), data)


@pytest.mark.parametrize("name", ["splice", "letters", "digits", "sudoku4"])
def test_a_claim_can_use_what_ships_and_nothing_else(name, tmp_path):
    (tmp_path / "mine").write_text("text " * 1000)
    with measurement("C0"):
        assert len(load.__wrapped__(DataConfig(name)).train)
        with pytest.raises(OnePaperError, match="claim C0 uses simplex_cir.data.sequences.read_text"):
            load.__wrapped__(DataConfig("text", path=tmp_path / "mine"))
