"""Clips as manifests of the library lhotse: recordings, and a supervision for each clip."""

from pathlib import Path

from onepaper.audio import AudioInfo, audio_info
from onepaper.runs import new_folder

from audio_datasets.data.clips import ClipSet
from audio_datasets.exports.encoding import check_times, clip_record, import_library

RECORDINGS, SUPERVISIONS = "recordings.jsonl.gz", "supervisions.jsonl.gz"


def write_lhotse(folder: Path, clips: ClipSet) -> int:
    """Write `recordings.jsonl.gz` and `supervisions.jsonl.gz` into a new folder; the number of clips.

    A file is one recording with its absolute path as id; audio is not copied. Of a supervision, `custom` has label,
    split, group, country and ratings.

    Raises:
        UsageError: a file that cannot be read, clips without their silence, or the library is not installed.
        OnePaperError: the folder exists, or the disk is full.
    """
    library = import_library("lhotse")
    check_times(clips)
    infos: dict[Path, AudioInfo] = {}
    supervisions = []
    for clip in clips:
        path = clip.path.absolute()
        if path not in infos:
            infos[path] = audio_info(path)
        info = infos[path]
        record = clip_record(clip, clips)
        supervisions.append(
            library.SupervisionSegment(
                id=clip.id,
                recording_id=str(path),
                start=clip.start,
                duration=info.seconds - clip.start if clip.seconds is None else clip.seconds,
                channel=list(range(info.channels)),
                text=clip.text or None,
                speaker=clip.speaker or None,
                custom={name: record[name] for name in ("label", "split", "group", "country", "targets")},
            )
        )
    recordings = [
        library.Recording(
            id=str(path),
            sources=[library.AudioSource("file", list(range(info.channels)), str(path))],
            sampling_rate=info.rate,
            num_samples=info.frames,
            duration=info.frames / info.rate,
        )
        for path, info in infos.items()
    ]
    with new_folder(folder) as content:
        library.RecordingSet.from_recordings(recordings).to_file(content / RECORDINGS)
        library.SupervisionSet.from_segments(supervisions).to_file(content / SUPERVISIONS)
    return len(clips)
