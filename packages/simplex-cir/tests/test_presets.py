from simplex_cir.presets import PRESETS


def test_presets() -> None:
    assert {"laptop-splice", "laptop-oracle", "paper-text8", "smoke"} <= set(PRESETS)
    assert PRESETS["laptop-letters"].config.model.num_categories == 27
