"""The printed means follow from the printed scores."""

from hares.data.published import published_rows


def test_means() -> None:
    rows = published_rows()
    assert len(rows) == 24
    for row in rows:
        for name, value in row.computed().items():
            assert abs(value - row.printed[name]) < 0.0501, (row.model, name)
    assert max(rows, key=lambda row: row.printed["hares"]).model == "SF NFNet-F0"
