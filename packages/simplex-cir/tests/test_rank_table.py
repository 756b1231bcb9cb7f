import json

import pytest
from onepaper.cli import main


def test_table_and_picture(tmp_path, capsys) -> None:
    with pytest.raises(SystemExit) as leaving:
        main(["simplex-cir", "rank-law", "--categories", "27", "--snr", "5", "--output", str(tmp_path / "run")])
    assert not leaving.value.code
    out = capsys.readouterr().out
    assert "2.0671" in out  # 1 + 13 exp(-2.5)
    (row,) = json.loads((tmp_path / "run" / "rank_law.json").read_text())["rows"]
    assert (row["categories"], row["snr"], round(row["mean"], 4)) == (27, 5.0, 2.0671)
    assert (tmp_path / "run" / "rank_law.png").stat().st_size > 10_000
