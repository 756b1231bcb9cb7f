"""Audio files of a user as arrays: one reader for every format of libsndfile, resampling, folders, WAV files."""

from onepaper.audio.folders import SUFFIXES, audio_files, readable_audio
from onepaper.audio.reading import MAX_VALUES, Audio, AudioInfo, audio_info, read_audio
from onepaper.audio.resampling import resample, resampled_frames, to_mono
from onepaper.audio.writing import write_wav

__all__ = [
    "MAX_VALUES",
    "SUFFIXES",
    "Audio",
    "AudioInfo",
    "audio_files",
    "audio_info",
    "read_audio",
    "readable_audio",
    "resample",
    "resampled_frames",
    "to_mono",
    "write_wav",
]
