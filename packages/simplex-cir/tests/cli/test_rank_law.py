import json


def test_table_and_picture(run, tmp_path, capsys) -> None:
    assert run("rank-law", "--categories", "27", "--snr", "5", "--output", tmp_path / "run") == 0
    out = capsys.readouterr().out
    assert "2.0671" in out  # 1 + 13 exp(-2.5)
    (row,) = json.loads((tmp_path / "run" / "rank_law.json").read_text())["rows"]
    assert (row["categories"], row["snr"], round(row["mean"], 4)) == (27, 5.0, 2.0671)
    assert (tmp_path / "run" / "rank_law.png").stat().st_size > 10_000
