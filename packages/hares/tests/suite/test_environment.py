"""AudioSet, Birdsong, TUT18 and ESC-50 from small trees."""

from collections.abc import Callable
from pathlib import Path

import pytest
from onepaper.errors import UsageError
from onepaper.testing.mutations import fuzz

from hares.suite.environment import hashed_part, load_audioset, load_birdsong, load_esc50, load_tut18

CLASSES = 'index,mid,display_name\n0,/m/a,"Speech, male"\n1,/m/b,Dog\n'
SEGMENTS = (
    '# Segments csv created\n# YTID, start_seconds, end_seconds, positive_labels\n{}, 30.000, 40.000, "/m/b,/m/a"\n'
)


def test_audioset(write_tree: Callable[..., Path]) -> None:
    root = write_tree(
        ["train/Y--aaaaaaaaa.wav", "eval/bbbbbbbbbbb.wav"],
        class_labels_indices_DOT_csv=CLASSES,
        balanced_train_segments_DOT_csv=SEGMENTS.format("--aaaaaaaaa"),
        eval_segments_DOT_csv=SEGMENTS.format("bbbbbbbbbbb") + 'ccccccccccc, 0.000, 10.000, "/m/a"\n',
    )
    data = load_audioset(root)
    assert data.heads == (("Speech, male", "Dog"),)
    assert [(clip.path.name, clip.part, clip.labels) for clip in data.clips] == [
        ("Y--aaaaaaaaa.wav", "train", (0, 1)),
        ("bbbbbbbbbbb.wav", "test", (0, 1)),
    ]
    assert [path.name for path in data.missing] == ["ccccccccccc.wav"]
    assert data.several
    write_tree(eval_segments_DOT_csv=SEGMENTS.format("bbbbbbbbbbb").replace("/m/b", "/m/z"))
    with pytest.raises(UsageError, match="'/m/z', which class_labels_indices.csv lacks"):
        load_audioset(root)


def test_birdsong(write_tree: Callable[..., Path]) -> None:
    names = [f"{index}" for index in range(40)]
    table = "itemid,datasetid,hasbird\n" + "".join(f"{name},warblr,{int(name) % 2}\n" for name in names)
    root = write_tree([f"wav/{name}.wav" for name in names], seconds=0.05, warblrb10k_public_metadata_DOT_csv=table)
    data = load_birdsong(root)
    assert "not the split of the paper" in data.note
    assert {clip.path.stem: clip.part for clip in data.clips} == {name: hashed_part(name) for name in names}
    write_tree(train_DOT_txt="0\n1\n2\n", test_DOT_txt="3\n4\n")
    listed = load_birdsong(root)
    assert (listed.note, listed.parts()) == ("", {"test": 2, "train": 3})
    assert [clip.labels for clip in listed.clips] == [(0,), (1,), (0,), (1,), (0,)]


def test_shares_of_a_hash() -> None:
    parts = [hashed_part(str(index)) for index in range(5000)]
    assert 0.08 < parts.count("test") / 5000 < 0.12
    assert 0.77 < parts.count("train") / 5000 < 0.83


def test_tut18(write_tree: Callable[..., Path]) -> None:
    meta = "filename\tscene_label\tidentifier\tsource_label\n"
    meta += "audio/a.wav\tbus\tparis-1\ta\naudio/b.wav\ttram\tlyon-2\ta\n"
    root = write_tree(
        ["audio/a.wav", "audio/b.wav"],
        meta_DOT_csv=meta,
        evaluation_setup__fold1_train_DOT_txt="audio/a.wav\tbus\n",
        evaluation_setup__fold1_evaluate_DOT_txt="audio/b.wav\ttram\n",
    )
    data = load_tut18(root)
    assert [(clip.part, data.heads[0][clip.labels[0]]) for clip in data.clips] == [("train", "bus"), ("test", "tram")]
    assert "fold 1" in data.note
    write_tree(meta_DOT_csv=meta.replace("lyon-2", "paris-1"))
    with pytest.raises(UsageError, match="'paris-1' is in training and test"):
        load_tut18(root)


def test_esc50(write_tree: Callable[..., Path]) -> None:
    names = [f"{fold}-{index}.wav" for fold in range(1, 6) for index in range(2)]
    rows = "".join(f"{name},{name[0]},{index % 2},{('dog', 'rain')[index % 2]}\n" for index, name in enumerate(names))
    root = write_tree([f"audio/{name}" for name in names], meta__esc50_DOT_csv="filename,fold,target,category\n" + rows)
    data = load_esc50(root)
    assert data.folds
    assert data.parts() == dict.fromkeys("12345", 2)
    write_tree(meta__esc50_DOT_csv="filename,fold,target,category\n" + rows.replace(",5,", ",6,"))
    with pytest.raises(UsageError, match="has the label '6'"):
        load_esc50(root)
    write_tree(meta__esc50_DOT_csv="filename,fold,category\n../x.wav,1,dog\n")
    with pytest.raises(UsageError, match="expected a path below"):
        load_esc50(root)


@pytest.mark.parametrize("count", [200, pytest.param(10_000, marks=pytest.mark.slow)])
def test_damaged_tables(write_tree: Callable[..., Path], count: int) -> None:
    valid = b"filename,fold,target,category\na.wav,1,0,dog\nb.wav,2,1,rain\n"
    root = write_tree(["audio/a.wav", "audio/b.wav"], meta__esc50_DOT_csv="")
    fuzz(lambda _: load_esc50(root), root / "meta" / "esc50.csv", [valid], count)
