"""Speech Commands, Fluent Speech Commands, VoxForge and VoxCeleb1 from small trees."""

from collections.abc import Callable
from pathlib import Path

import pytest
from onepaper.errors import UsageError

from hares.suite.speech import load_fluent, load_speech_commands, load_twelve_commands, load_voxceleb1, load_voxforge

FILES = [
    *("yes/aaaaaaaa_nohash_0.wav", "yes/bbbbbbbb_nohash_0.wav", "yes/cccccccc_nohash_0.wav"),
    *("bed/aaaaaaaa_nohash_0.wav", "bed/cccccccc_nohash_1.wav"),
]
LISTS = {
    "validation_list_DOT_txt": "yes/bbbbbbbb_nohash_0.wav\n",
    "testing_list_DOT_txt": "yes/cccccccc_nohash_0.wav\nbed/cccccccc_nohash_1.wav\n",
}


def test_speech_commands(write_tree: Callable[..., Path]) -> None:
    data = load_speech_commands(write_tree(FILES, **LISTS))
    assert data.heads == (("bed", "yes"),)
    assert data.parts() == {"test": 2, "train": 2, "validation": 1}
    assert {clip.group for clip in data.clips if clip.part == "test"} == {"cccccccc"}
    assert data.note == "2 words, the task of the paper has 35 classes"


def test_twelve_commands(write_tree: Callable[..., Path]) -> None:
    root = write_tree(FILES, **LISTS)
    write_tree(["_background_noise_/hum.wav"], seconds=10.5)
    data = load_twelve_commands(root)
    names = data.heads[0]
    assert len(names) == 12
    by_word = {clip.path.parent.name: names[clip.labels[0]] for clip in data.clips}
    assert by_word == {"yes": "yes", "bed": "_unknown_", "_background_noise_": "_silence_"}
    noise = [(clip.start, clip.part) for clip in data.clips if clip.seconds == 1.0]
    assert noise[7:] == [(7.0, "train"), (8.0, "validation"), (9.0, "test")]


def test_a_speaker_in_two_parts(write_tree: Callable[..., Path]) -> None:
    root = write_tree([*FILES, "yes/cccccccc_nohash_3.wav"], **LISTS)
    with pytest.raises(UsageError, match="'cccccccc' is in training and test"):
        load_speech_commands(root)


def test_missing_list(write_tree: Callable[..., Path]) -> None:
    with pytest.raises(UsageError, match="validation_list.txt is missing"):
        load_speech_commands(write_tree(FILES))


def test_fluent(write_tree: Callable[..., Path]) -> None:
    header = ",path,speakerId,transcription,action,object,location\n"
    row = '{0},wavs/{1}.wav,{1},"Turn on, please",{2},lights,none\n'
    root = write_tree(
        ["wavs/a.wav", "wavs/b.wav", "wavs/c.wav"],
        data__train_data_DOT_csv=header + row.format(0, "a", "activate"),
        data__valid_data_DOT_csv=header + row.format(0, "b", "deactivate"),
        data__test_data_DOT_csv=header + row.format(0, "c", "deactivate"),
    )
    data = load_fluent(root)
    assert data.heads == (("activate", "deactivate"), ("lights",), ("none",))
    assert [clip.labels for clip in data.clips] == [(0, 0, 0), (1, 0, 0), (1, 0, 0)]
    write_tree(data__test_data_DOT_csv="path,action\nwavs/c.wav,activate\n")
    with pytest.raises(UsageError, match="no column 'object'"):
        load_fluent(root)


def test_voxforge(write_tree: Callable[..., Path]) -> None:
    users = [f"{language}/user{index}-20080101-abc/wav/a.wav" for language in ("en", "de") for index in range(30)]
    root = write_tree([*users, "en/anonymous-20080102-xyz/wav/a.wav"], seconds=0.05)
    data = load_voxforge(root)
    assert "hash of speakers" in data.note
    assert {clip.group for clip in data.clips if "anonymous" in str(clip.path)} == {"en/anonymous-20080102-xyz"}
    assert data.clips[0].group == "de/user0"
    assert data.clips[0].labels == (0,)
    write_tree(train_DOT_txt="user0-20080101-abc\n", test_DOT_txt="user1-20080101-abc\n")
    listed = load_voxforge(root)
    assert (listed.note, listed.parts()) == ("", {"test": 2, "train": 2})
    with pytest.raises(UsageError, match="expected folders de, en"):
        load_voxforge(root / "en")


def test_voxceleb1(write_tree: Callable[..., Path]) -> None:
    files = ["id1/x/1.wav", "id1/y/1.wav", "id2/x/1.wav"]
    root = write_tree(
        [f"wav/{name}" for name in files], iden_split_DOT_txt="1 id1/x/1.wav\n3 id1/y/1.wav\n2 id2/x/1.wav\n"
    )
    data = load_voxceleb1(root)
    assert data.heads == (("id1", "id2"),)
    assert [(clip.part, clip.labels) for clip in data.clips] == [("train", (0,)), ("test", (0,)), ("validation", (1,))]
    write_tree(iden_split_DOT_txt="4 id1/x/1.wav\n")
    with pytest.raises(UsageError, match="line 1 is '4 id1/x/1.wav'"):
        load_voxceleb1(root)
