"""Features of releases, as CSV files in the layouts of A-VB, ExVo and ComParE 2023."""

import csv
from pathlib import Path

import numpy as np
import pytest
from onepaper.errors import UsageError
from onepaper.testing.mutations import fuzz

from audio_datasets.data import feature_files
from audio_datasets.data.clips import Clip, ClipSet
from audio_datasets.data.feature_files import read_feature_files

CLIPS = ClipSet("three", tuple(Clip(name, Path(f"{name}.wav")) for name in ("00001", "00002", "00003")))
VALUES = np.array([[0.5, -1e-3], [1.5, 2.0], [-3.25, 4e5]], np.float32)
OPENSMILE = "name;frameTime;F0_mean;loudness"


def folder_of_files(root: Path, head: str = OPENSMILE, lead: str = "'unknown';0.0;", delimiter: str = ";") -> Path:
    root.mkdir(exist_ok=True)
    for clip, row in zip(CLIPS, VALUES, strict=True):
        lines = [head] * bool(head) + [lead + delimiter.join(map(str, row))]
        (root / f"{clip.id}.csv").write_text("\n".join(lines) + "\n")
    return root


@pytest.mark.parametrize(
    ("head", "lead", "delimiter"),
    [
        (OPENSMILE, "'unknown';0.0;", ";"),  # A-VB
        ("name,neuron_0,neuron_1", "00001.wav,", ","),  # ExVo, DeepSpectrum
        ("", "00001.wav;", ";"),  # ExVo, openXBOW: no header
    ],
)
def test_one_file_a_clip(tmp_path: Path, head: str, lead: str, delimiter: str) -> None:
    found = read_feature_files(folder_of_files(tmp_path, head, lead, delimiter), CLIPS)
    np.testing.assert_array_equal(found, VALUES)
    assert found.dtype == np.float32


@pytest.mark.parametrize(
    ("head", "name", "extra", "delimiter"),
    [
        (OPENSMILE, "'{}.wav'", "0.000000", ";"),  # openSMILE appends to one file
        ("filename,neuron_0,neuron_1", "wav/{}.wav", "", ","),  # auDeep
        ("filename,chunk_nr,neuron_0,neuron_1", "{}", "1", ","),  # auDeep before its columns are removed
        ("name,Neuron_0,Neuron_1", "[{}]", "", ","),
    ],
)
def test_one_row_a_clip(tmp_path: Path, head: str, name: str, extra: str, delimiter: str) -> None:
    """Rows in another order, and one of another clip."""
    cells = [
        [name.format(clip.id), *[extra] * bool(extra), *map(str, row)] for clip, row in zip(CLIPS, VALUES, strict=True)
    ]
    cells = [[name.format("other"), *cells[0][1:]], *reversed(cells)]
    (tmp_path / "features.csv").write_text("\n".join([head, *map(delimiter.join, cells)]))
    np.testing.assert_array_equal(read_feature_files(tmp_path, CLIPS), VALUES)
    np.testing.assert_array_equal(read_feature_files(tmp_path / "features.csv", CLIPS), VALUES)


def test_values_are_those_of_another_reader(tmp_path: Path) -> None:
    values = np.random.default_rng(0).standard_normal((3, 50)).astype(np.float32)
    with (tmp_path / "a.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["name", *(f"n{place}" for place in range(50))])
        writer.writerows([clip.id, *map(repr, map(float, row))] for clip, row in zip(CLIPS, values, strict=True))
    expected = np.loadtxt(tmp_path / "a.csv", delimiter=",", skiprows=1, usecols=range(1, 51))
    np.testing.assert_allclose(read_feature_files(tmp_path / "a.csv", CLIPS), expected, rtol=1e-6)


def test_the_official_code_takes_the_last_row(tmp_path: Path) -> None:
    path = folder_of_files(tmp_path) / "00002.csv"
    path.write_text(f"{OPENSMILE}\n'unknown';0.0;9;9\n'unknown';0.1;1.5;2.0\n")
    np.testing.assert_array_equal(read_feature_files(tmp_path, CLIPS, strict_official=True), VALUES)
    with pytest.raises(UsageError, match=r"00002.csv, line 3 is another row of the clip '00002'"):
        read_feature_files(tmp_path, CLIPS)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"name;F0\n'x';one\n", "line 2 has 'one' as 'F0', expected a finite number"),
        (b"name;F0\n'x';nan\n", "line 2 has 'nan' as 'F0'"),
        (b"name;F0\n'x';1e400\n", "line 2 has '1e400' as 'F0'"),
        (b"name;F0\n'x';1e300\n", "line 2 has '1e300' as 'F0'"),
        (b"name;F0\n'x';1_0\n", "line 2 has '1_0' as 'F0'"),
        (b"name;F0;F1;F2\n'x';1;2;3\n", "line 2 has 3 features, expected 2 as in the first row"),
        (b"name;F0\n'x';1;2\n", "line 2 has 3 cells, expected 2"),
        (b"name;frameTime\n'x';0\n", "has no columns of features"),
        (b"name;F0\n", "has no features of 1 clips, first '00002'"),
        (b"", "has no features of 1 clips, first '00002'"),
        (b"name;\xff\n", "is not UTF-8"),
    ],
)
def test_wrong_files(tmp_path: Path, content: bytes, expected: str) -> None:
    (folder_of_files(tmp_path) / "00002.csv").write_bytes(content)
    with pytest.raises(UsageError) as raised:
        read_feature_files(tmp_path, CLIPS)
    assert expected in str(raised.value)


def test_missing_files_and_sizes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="does not exist; give a folder with a CSV"):
        read_feature_files(tmp_path / "nowhere", CLIPS)
    (folder_of_files(tmp_path) / "00003.csv").unlink()
    with pytest.raises(UsageError, match=r"00003.csv cannot be read \(No such file"):
        read_feature_files(tmp_path, CLIPS)
    monkeypatch.setattr(feature_files, "_MAX_VALUES", 5)
    with pytest.raises(UsageError, match="has 2 features of 3 clips, which is more than"):
        read_feature_files(tmp_path, CLIPS)
    monkeypatch.setattr(feature_files, "_MAX_LINE", 10)
    with pytest.raises(UsageError, match="line 1 has more than 10 characters"):
        read_feature_files(tmp_path, CLIPS)


@pytest.mark.parametrize("count", [400, pytest.param(10_000, marks=pytest.mark.slow)])
def test_damaged_files(tmp_path: Path, count: int) -> None:
    valid = [f"{OPENSMILE}\n'00001.wav';0.0;1;2\n'00002.wav';0.0;3;4\n'00003.wav';0.0;5;6\n".encode()]
    valid.append(b"name,n0\n00001,1\n00002,2\n00003,3\n")
    fuzz(lambda path: read_feature_files(path, CLIPS), tmp_path / "features.csv", valid, count)
