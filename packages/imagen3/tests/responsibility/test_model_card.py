"""The card says what is known and what is not measured."""

from imagen3.presets import PRESETS
from imagen3.responsibility.model_card import markdown_table, model_card


def test_card() -> None:
    card = model_card("mine", PRESETS["laptop-s"].config, {"Safety": [("prompts", "rate"), ("benign | x", "1%")]})
    assert card.startswith("# mine\n")
    assert "3,484,688" in card
    assert "emoji of Animals & Nature, Food & Drink" in card
    assert "| benign / x | 1% |" in card
    assert card.count("Not measured.") == 3
    assert markdown_table([("a", "b")]) == "| a | b |\n| --- | --- |"
