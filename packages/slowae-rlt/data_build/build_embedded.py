"""Build `assets/data`: recorded prompts in five languages with voice activity, and synthetic speech with phone times.

for l in en es fr it ru; do apt-get download asterisk-core-sounds-$l-wav; done   # Debian 12, version 1.6.1-1
for d in asterisk-core-sounds-*.deb; do dpkg-deb -x $d prompts; done
apt-get install flite; pip install './packages/slowae-rlt[metrics]'
python data_build/build_embedded.py prompts
"""

import argparse
import lzma
import re
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import soundfile
from onepaper.data import write_sums

from slowae_rlt.data.mu_law import encode_mu_law
from slowae_rlt.data.prompts import ACTIVITY_SAMPLES
from slowae_rlt.speech_metrics import voice_activity

TARGET = Path(__file__).parents[1] / "src" / "slowae_rlt" / "assets" / "data"
RATE = 8000

# Seconds of each language, and the range of lengths of a prompt.
SECONDS = {"en": 900.0, "es": 60.0, "fr": 60.0, "it": 60.0, "ru": 60.0}
SHORTEST, LONGEST = 1.0, 12.0
FOLDERS = {"en": "en_US_f_Allison", "es": "es_MX_f_Allison", "fr": "fr_CA_f_June", "it": "it_IT_m_Carlo"}
FOLDERS["ru"] = "ru_RU_f_IvrvoiceRU"

# Folders that hold digital silence, and letters and digits, which are too short.
LEFT_OUT = {"silence", "letters", "digits", "phonetic"}

# Factors of the durations of synthetic speech, slow to fast, and what is spoken.
STRETCHES = (1.5, 1.2, 1.0, 0.75)
TEXTS = (
    "The river was high after three days of rain.",
    "Please leave your keys on the table near the door.",
    "A small boat drifted slowly past the old harbour.",
    "She counted seven white birds above the roof.",
    "We walked home because the last train had gone.",
    "The baker opens his shop before the sun comes up.",
    "Nine children were playing football in the street.",
    "He wrote a long letter and never sent it.",
    "Cold wind came through the broken kitchen window.",
    "Our teacher asked a question that no one could answer.",
)


def pack(name: str, recordings: list[np.ndarray]) -> None:
    """Write mu-law codes of all recordings, one after the other."""
    codes = np.concatenate([encode_mu_law(samples) for samples in recordings]).astype(np.int8)
    (TARGET / name).write_bytes(lzma.compress(codes.tobytes(), preset=9 | lzma.PRESET_EXTREME))


def build_prompts(root: Path) -> None:
    """Choose prompts evenly from the sorted names until the seconds of the language are filled."""
    rows = []
    for language, folder in FOLDERS.items():
        (base,) = root.rglob(folder)
        paths = [
            path for path in sorted(base.rglob("*.wav")) if path.parent.name not in LEFT_OUT and path.stem != "beep"
        ]
        lengths = {path: soundfile.info(path).duration for path in paths}
        paths = [path for path in paths if SHORTEST <= lengths[path] <= LONGEST]
        order = np.random.default_rng(0).permutation(len(paths))
        chosen, total = [], 0.0
        for index in order:
            if total + lengths[paths[index]] <= SECONDS[language]:
                chosen.append(paths[index])
                total += lengths[paths[index]]
        recordings = []
        for path in sorted(chosen):
            samples, rate = soundfile.read(path, dtype="float32")
            assert rate == RATE
            assert samples.ndim == 1
            name = path.relative_to(base).with_suffix("").as_posix()
            activity = "".join("01"[heard] for heard in voice_activity(samples, RATE)[::ACTIVITY_SAMPLES].tolist())
            rows.append(f"{language}\t{name}\t{len(samples)}\t{activity}\n")
            recordings.append(samples)
        pack(f"prompts-{language}.xz", recordings)
        print(language, len(chosen), f"{total:.0f} s")
    (TARGET / "prompts.tsv").write_text("".join(rows), encoding="utf-8")
    (licence,) = root.rglob("asterisk-core-sounds-en-wav/copyright")
    (TARGET / "prompts-licence.txt").write_bytes(licence.read_bytes())


def build_synthetic() -> None:
    """Each text at each rate by flite's voice slt, with the end of each phone in milliseconds."""
    rows, recordings = [], []
    for number, text in enumerate(TEXTS):
        for stretch in STRETCHES:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "clip.wav"
                command = ["flite", "-voice", "slt", "--setf", f"duration_stretch={stretch}", "-psdur", "-t", text]
                spoken = subprocess.run([*command, "-o", str(path)], check=True, capture_output=True, text=True).stdout
                samples, rate = soundfile.read(path, dtype="float32")
            phones = " ".join(
                f"{phone}:{1000 * float(end):.0f}" for phone, end in re.findall(r"(\w+):([\d.]+)", spoken)
            )
            recordings.append(soxr.resample(samples, rate, RATE))
            rows.append(f"{number}\t{stretch}\t{len(recordings[-1])}\t{phones}\t{text}\n")
    pack("synthetic.xz", recordings)
    (TARGET / "synthetic.tsv").write_text("".join(rows), encoding="utf-8")
    copyright_file = Path("/usr/share/doc/flite/copyright")
    (TARGET / "synthetic-licence.txt").write_bytes(copyright_file.read_bytes())


def main() -> None:
    """Write all files and their checksums."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("prompts", type=Path, help="folder of the unpacked Debian packages")
    root = parser.parse_args().prompts
    TARGET.mkdir(parents=True, exist_ok=True)
    build_prompts(root)
    build_synthetic()
    write_sums(TARGET)


if __name__ == "__main__":
    main()
