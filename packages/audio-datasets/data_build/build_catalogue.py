"""Write `assets/data/catalogue.json` from the rows below.

Values without a check of their own are `verified: false`; what is not known is left out and becomes null.
"""

from pathlib import Path

from onepaper.data import write_sums

from audio_datasets.catalogue.exports import to_json
from audio_datasets.catalogue.records import Record

TARGET = Path(__file__).parents[1] / "src" / "audio_datasets" / "assets" / "data"
DATE = "2026-11-28"
PAPER = "paper, sections 2.1 to 2.4"
PROSODY = (
    "anger", "boredom", "calmness", "concentration", "determination", "excitement", "interest", "sadness", "tiredness",
)  # fmt: skip
BURSTS = (
    "awe", "excitement", "amusement", "awkwardness", "fear", "horror", "distress", "triumph", "sadness", "surprise",
)  # fmt: skip

FOUR = (
    Record(
        "hume-prosody",
        "Hume-Prosody",
        "speech emotion",
        hours=41 + 48 / 60 + 55 / 3600,
        speakers=1004,
        labels=PROSODY,
        access="form",
        loader=True,
        source=PAPER,
        in_paper="yes",
        notes="Speech of crowd workers who imitate seed clips, rated for nine expressions by listeners. Ratings are "
        "perceived expressions, not states of the speaker.",
    ),
    Record(
        "hume-vocalburst",
        "Hume-VocalBurst",
        "vocal burst",
        hours=36 + 47 / 60 + 4 / 3600,
        clips=59_201,
        speakers=1702,
        countries=("China", "South Africa", "United States", "Venezuela"),
        labels=BURSTS,
        splits={"train": 19_990, "validation": 19_396, "test": 19_815},
        access="form",
        loader=True,
        source=PAPER,
        in_paper="yes",
        notes="Non-verbal vocal bursts, 85.2 raters a clip on average. A-VB counts 59,299 clips. Two releases, wav at "
        "16 kHz and webm at 48 kHz, differ in bandwidth. Ratings are perceived expressions.",
    ),
    Record(
        "modulate-sonata",
        "Modulate-Sonata",
        "speech emotion",
        speakers=23,
        classes=25,
        access="form",
        loader=True,
        source=PAPER,
        in_paper="yes",
        notes="More than 6 hours of acted lines in 15 roles. The published tree is not known here: the loader takes a "
        "CSV manifest, which `data inspect` proposes.",
    ),
    Record(
        "modulate-stream",
        "Modulate-Stream",
        "speech",
        hours=7000.0,
        speakers=940,
        access="form",
        loader=True,
        source=PAPER,
        in_paper="yes",
        notes="About 7,000 hours of game streams in Opus (379 GB), 2,839 sessions, without emotion labels. The loader "
        "takes a CSV manifest, which `data inspect` proposes.",
    ),
)
PREPARED = (
    Record(
        "hedgewars-voices",
        "Voices of the game Hedgewars",
        "speech emotion",
        hours=895 / 3600,
        clips=839,
        speakers=15,
        languages=("en", "es", "pl", "ru", "uk"),
        labels=("class derived from the name of the line",),
        classes=8,
        licence="GFDL-1.3",
        access="open",
        homepage="https://hedgewars.org",
        loader=True,
        verified=True,
        verified_on=DATE,
        source="Debian hedgewars-data 1.0.2-6, counted by `data check`",
        in_paper="no",
        notes="Actors in roles. Classes are derived from the script, not rated by listeners. 35 clips are "
        "byte-identical copies; the loader keeps the first.",
    ),
    Record(
        "openarena-players",
        "Player sounds of the game OpenArena",
        "vocal burst",
        clips=206,
        speakers=16,
        labels=("death", "drown", "fall", "gasp", "jump", "pain", "taunt"),
        classes=7,
        licence="GPL-2.0-or-later",
        access="open",
        homepage="https://openarena.ws",
        loader=True,
        verified=True,
        verified_on=DATE,
        source="Debian openarena-081-players 0.8.5split-14, counted by `data check`",
        in_paper="no",
        notes="Vocal bursts of characters; the class is the event of the game. Of 206 files, byte-identical copies and "
        "other sounds are left out.",
    ),
    Record(
        "asterisk-prompts",
        "Spoken prompts of the telephone exchange Asterisk",
        "speech",
        hours=2.12,
        clips=2791,
        speakers=6,
        languages=("es", "fr", "it"),
        labels=("language",),
        classes=3,
        licence="CC-BY-SA-3.0, GPL-2.0, CC-BY-SA-3.0-IT and a BSD licence, by voice",
        access="open",
        homepage="https://www.asterisk.org",
        loader=True,
        verified=True,
        verified_on="2026-11-29",
        source="six Debian packages, which DATA.md names, counted by `data check`",
        in_paper="no",
        notes="Two voices a language, one to train on and one to test; what is learned is the voice as much as "
        "the language. Tones, silence and byte-identical copies are left out.",
    ),
)


def known(name: str, title: str, domain: str, **values: object) -> Record:
    """A record of numbers that are not checked."""
    return Record(name, title, domain, source="publication, from memory", **values)  # type: ignore[arg-type]


OTHERS = (
    known("iemocap", "IEMOCAP", "speech emotion", hours=12.0, speakers=10, languages=("en",), access="form",
          citation="Busso et al., 2008"),
    known("msp-podcast", "MSP-Podcast", "speech emotion", languages=("en",), access="form",
          citation="Lotfian and Busso, 2017"),
    known("msp-improv", "MSP-IMPROV", "speech emotion", hours=9.0, speakers=12, languages=("en",), access="form",
          citation="Busso et al., 2017"),
    known("crema-d", "CREMA-D", "speech emotion", clips=7442, speakers=91, languages=("en",), licence="ODbL-1.0",
          access="open", citation="Cao et al., 2014"),
    known("ravdess", "RAVDESS", "speech emotion", clips=7356, speakers=24, languages=("en",),
          licence="CC-BY-NC-SA-4.0", access="open", citation="Livingstone and Russo, 2018"),
    known("emo-db", "Berlin Database of Emotional Speech", "speech emotion", clips=535, speakers=10, languages=("de",),
          access="open", citation="Burkhardt et al., 2005"),
    known("tess", "Toronto Emotional Speech Set", "speech emotion", clips=2800, speakers=2, languages=("en",),
          licence="CC-BY-NC-ND-4.0", access="open", citation="Pichora-Fuller and Dupuis, 2020"),
    known("savee", "SAVEE", "speech emotion", clips=480, speakers=4, languages=("en",), access="form",
          citation="Haq and Jackson, 2010"),
    known("emovo", "EMOVO", "speech emotion", clips=588, speakers=6, languages=("it",), access="open",
          citation="Costantini et al., 2014"),
    known("meld", "MELD", "multimodal", languages=("en",), licence="GPL-3.0", access="open",
          citation="Poria et al., 2019"),
    known("cmu-mosei", "CMU-MOSEI", "multimodal", hours=65.0, languages=("en",), access="open",
          citation="Zadeh et al., 2018"),
    known("venec", "VENEC", "speech emotion", access="request", citation="Laukka et al., 2010"),
    known("gemep", "GEMEP", "multimodal", access="request", citation="Banziger et al., 2012"),
    known("emov-db", "EmoV-DB", "speech synthesis", access="open", citation="Adigwe et al., 2018"),
    known("esd", "Emotional Speech Dataset", "speech synthesis", hours=29.0, languages=("en", "zh"), access="form",
          citation="Zhou et al., 2022"),
    known("vivae", "VIVAE", "vocal burst", clips=1085, speakers=11, licence="CC-BY-NC-SA-4.0", access="open",
          citation="Holz et al., 2022"),
    known("vocalsound", "VocalSound", "human sounds", clips=21_024, speakers=3365, licence="CC-BY-SA-4.0",
          access="open", citation="Gong et al., 2022"),
    known("audioset", "AudioSet", "environmental", classes=527, licence="CC-BY-4.0 (labels)",
          access="open", citation="Gemmeke et al., 2017"),
    known("fsd50k", "FSD50K", "environmental", hours=108.0, clips=51_197, classes=200,
          licence="Creative Commons, by clip", access="open", citation="Fonseca et al., 2022"),
    known("esc-50", "ESC-50", "environmental", clips=2000, classes=50, licence="CC-BY-NC-3.0", access="open",
          citation="Piczak, 2015"),
    known("urbansound8k", "UrbanSound8K", "environmental", clips=8732, classes=10, licence="CC-BY-NC-3.0",
          access="form", citation="Salamon et al., 2014"),
    known("vggsound", "VGGSound", "environmental", licence="CC-BY-4.0 (labels)", access="open",
          citation="Chen et al., 2020"),
    known("clotho", "Clotho", "captioning", clips=5929, access="open", citation="Drossos et al., 2020"),
    known("audiocaps", "AudioCaps", "captioning", access="open", citation="Kim et al., 2019"),
    known("librispeech", "LibriSpeech", "speech", hours=960.0, languages=("en",), licence="CC-BY-4.0", access="open",
          citation="Panayotov et al., 2015"),
    known("librilight", "Libri-Light", "speech", languages=("en",), access="open", citation="Kahn et al., 2020"),
    known("common-voice", "Common Voice", "speech", licence="CC0-1.0", access="open", citation="Ardila et al., 2020"),
    known("voxceleb", "VoxCeleb 1 and 2", "speaker", licence="CC-BY-4.0 (metadata)", access="form",
          citation="Nagrani et al., 2020"),
    known("gigaspeech", "GigaSpeech", "speech", hours=10_000.0, languages=("en",), licence="Apache-2.0", access="form",
          citation="Chen et al., 2021"),
    known("peoples-speech", "The People's Speech", "speech", hours=30_000.0, languages=("en",), access="open",
          citation="Galvez et al., 2021"),
    known("speech-commands", "Speech Commands v2", "keywords", clips=105_829, classes=35, licence="CC-BY-4.0",
          languages=("en",), access="open", citation="Warden, 2018"),
    known("ljspeech", "LJ Speech", "speech synthesis", hours=24.0, speakers=1, languages=("en",),
          licence="public domain", access="open", citation="Ito and Johnson, 2017"),
    known("vctk", "VCTK", "speech synthesis", hours=44.0, languages=("en",), licence="CC-BY-4.0", access="open",
          citation="Yamagishi et al., 2019"),
    known("libritts", "LibriTTS", "speech synthesis", hours=585.0, languages=("en",), licence="CC-BY-4.0",
          access="open", citation="Zen et al., 2019"),
    known("nsynth", "NSynth", "music", clips=305_979, licence="CC-BY-4.0", access="open",
          citation="Engel et al., 2017"),
    known("maestro", "MAESTRO v3", "music", hours=199.0, licence="CC-BY-NC-SA-4.0", access="open",
          citation="Hawthorne et al., 2019"),
    known("musicnet", "MusicNet", "music", hours=34.0, licence="CC-BY-4.0", access="open",
          citation="Thickstun et al., 2017"),
    known("fma", "Free Music Archive", "music", clips=106_574, licence="Creative Commons, by track", access="open",
          citation="Defferrard et al., 2017"),
    known("mtg-jamendo", "MTG-Jamendo", "music", licence="Creative Commons, by track", access="open",
          citation="Bogdanov et al., 2019"),
    known("gtzan", "GTZAN", "music", clips=1000, classes=10, citation="Tzanetakis and Cook, 2002"),
    known("magnatagatune", "MagnaTagATune", "music", clips=25_863, access="open", citation="Law et al., 2009"),
    known("musdb18", "MUSDB18", "music", clips=150, access="open", citation="Rafii et al., 2017"),
    known("slakh2100", "Slakh2100", "music", clips=2100, access="open", citation="Manilow et al., 2019"),
    known("deam", "DEAM", "music emotion", clips=1802, access="open", citation="Aljanaki et al., 2017"),
    known("pmemo", "PMEmo", "music emotion", clips=794, access="open", citation="Zhang et al., 2018"),
    known("birdclef", "BirdCLEF", "bio-acoustic", notes="A new edition every year; sizes differ."),
    known("dcase", "DCASE challenge sets", "environmental", notes="New editions every year; sizes differ."),
)  # fmt: skip

if __name__ == "__main__":
    records = sorted((*FOUR, *PREPARED, *OTHERS), key=lambda record: record.id)
    (TARGET / "catalogue.json").write_text(to_json(records), encoding="utf-8")
    write_sums(TARGET)
