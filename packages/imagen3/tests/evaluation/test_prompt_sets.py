"""Readers of public formats on small files of the same form."""

from pathlib import Path

import pytest
from onepaper.errors import UsageError
from onepaper.testing.mutations import fuzz

from imagen3.evaluation.prompt_sets import READERS, gecko, read_prompts

FILES = {
    "genai-bench": ("genai_image.json", b'{"00000": {"id": "00000", "prompt": "A baker", "models": {}}}'),
    "drawbench": ("drawbench.csv", b"Prompts,Category\nA red bus.,Colors\n"),
    "dalle3-eval": ("prompts.txt", b"A cat\n\nA dog\n"),
    "docci": ("d.jsonlines", b'{"example_id": "test_00000", "split": "test", "description": "A long one."}\n'),
    "geneval": ("m.jsonl", b'{"tag": "counting", "include": [{"class": "dog", "count": 2}], "prompt": "two dogs"}\n'),
    "gecko": (
        "prompts.csv",
        b"prompt_id,prompt_type,dataset_id,prompt,max_disagreement_less_50%_v2\n"
        b"1,Gecko(R),x,A cat,True\n2,Gecko(S),x,A dog,False\n",
    ),
    "geckonum": (
        "prompts.csv",
        b",prompt,has_numeral,entities,prompt_type,dataset_id\n0,2 dogs,0,dog:2,x,geckonum_0\n",
    ),
}


def test_all_readers_have_a_file() -> None:
    assert set(FILES) == set(READERS)


@pytest.mark.parametrize("name", list(FILES))
def test_files(name: str, tmp_path: Path) -> None:
    path = tmp_path / FILES[name][0]
    path.write_bytes(FILES[name][1])
    found = read_prompts(name, path)
    assert len(found) == (2 if name in ("dalle3-eval", "gecko") else 1)
    assert all(prompt.text for prompt in found)
    fuzz(lambda own: read_prompts(name, own), path, [FILES[name][1]], 100)


def test_what_they_hold(tmp_path: Path) -> None:
    for name, (file, content) in FILES.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / file).write_bytes(content)
    (tmp_path / "genai-bench" / "genai_skills.json").write_text('{"scene": ["00000"], "action": [1]}')
    assert read_prompts("genai-bench", tmp_path / "genai-bench" / "genai_image.json")[0].tags == ("scene",)
    assert read_prompts("drawbench", tmp_path / "drawbench" / "drawbench.csv")[0].tags == ("Colors",)
    requirements = read_prompts("geneval", tmp_path / "geneval" / "m.jsonl")[0].requirements
    assert requirements is not None
    assert requirements["include"][0]["count"] == 2
    reliable = gecko(tmp_path / "gecko" / "prompts.csv", disagreement="max_disagreement_less_50%_v2")
    assert [prompt.id for prompt in reliable] == ["1"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("genai-bench", b'{"0": 3}', "expected an object with a prompt"),
        ("genai-bench", b"{}", "holds no prompts"),
        ("drawbench", b"Prompt,Category\na,b\n", "no column 'Prompts'"),
        ("docci", b'{"example_id": "a", "split": "test"}', "object 1: description is None"),
        ("geneval", b'{"tag": "a", "prompt": "b", "include": 3}', "include is 3, expected a list"),
        ("geckonum", b"prompt,prompt_type,dataset_id\na,b,c\nd,e,c\n", "is there twice"),
        ("drawbanch", b"", "unknown set of prompts 'drawbanch': did you mean 'drawbench'"),
    ],
)
def test_wrong_files(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "file.csv").write_bytes(content)
    with pytest.raises(UsageError, match=message):
        read_prompts(name, tmp_path / "file.csv")
