"""The audio that the shipped weights are trained on: WAV files from Debian packages, none of which is evaluated.

    apt-get download asterisk-core-sounds-{en,fr,ru}-g722 asterisk-moh-opsound-g722 klettres-data \
        oxygen-sounds sound-theme-freedesktop lomiri-sounds sound-icons
    for deb in *.deb; do dpkg -x $deb pool; done
    python build_pool.py pool POOL

Speech: prompts in English, French and Russian, and letters of the languages of klettres whose syllables are not
evaluated. Music: five pieces, in parts of four seconds. Others: sounds of desktops.
"""

import sys
from pathlib import Path

import numpy as np
from onepaper.audio import Audio, audio_files, read_audio, write_wav
from onepaper.errors import UsageError

RATE, SECONDS, PROMPTS = 16_000, 4.0, 200
EVALUATED = ("es", "it", "pt_BR", "ml", "ru", "tn")


def save(audio: Audio, target: Path) -> None:
    """Write parts of four seconds, with the peak at 0.5; the last one if it is longer than a second or the first."""
    length = round(SECONDS * RATE)
    for index, start in enumerate(range(0, len(audio.samples), length)):
        part = audio.samples[start : start + length]
        peak = float(np.abs(part).max())
        if peak > 1e-3 and (index == 0 or len(part) > RATE):
            target.parent.mkdir(parents=True, exist_ok=True)
            write_wav(target.with_name(f"{target.stem}-{index:03d}.wav"), 0.5 / peak * part, RATE)


def main() -> None:
    """Build the folder named on the command line."""
    debian, pool = Path(sys.argv[1]), Path(sys.argv[2])
    groups: list[tuple[str, list[Path]]] = [("music", audio_files(debian / "usr/share/asterisk/moh"))]
    for folder in sorted((debian / "usr/share/asterisk/sounds").iterdir()):
        if files := [file for file in folder.rglob("*.g722") if file.stat().st_size > RATE // 4]:
            groups.append((f"speech-{folder.name}", sorted(files)[:: max(1, len(files) // PROMPTS)]))
    for folder in sorted((debian / "usr/share/klettres").iterdir()):
        if folder.is_dir() and folder.name not in EVALUATED:
            groups.append((f"letters-{folder.name}", sorted(folder.rglob("*.ogg"))))
    groups.append(("desktop", audio_files(debian / "usr/share/sounds")))
    for name, files in groups:
        for file in files:
            try:
                save(read_audio(file, rate=RATE), pool / name / f"{file.parent.name}-{file.stem}.wav")
            except UsageError as error:
                print(f"left out: {error}", file=sys.stderr)


if __name__ == "__main__":
    main()
