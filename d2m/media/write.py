"""Write sound: a .wav file, or music beside a picture that is copied packet for packet.

The first sample of the music is synchronised with the first picture shown; the encoder's priming samples (1024 for
AAC) come before it, where players skip them. The picture is copied by :mod:`d2m.media.copy`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import numpy as np

from d2m.files.atomic import atomic_write

if TYPE_CHECKING:
    from d2m.media.video import Video

#: What :func:`mux` keeps of a clip's own sound.
KeepAudio: TypeAlias = Literal["voice", "all"]
#: Sample rates that AAC knows (ISO/IEC 14496-3, table 1.18), up to the highest that makes sense for music.
AAC_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
#: Decibels by which the music steps back where the clip's own sound is loud.
DUCK_DEPTH = 12.0
#: Quality of a re-encoded picture: x264's constant rate factor.
CRF = 20
#: Levels of the clip's own sound (dB full scale) at which the music starts to step back and has done so.
DUCK_FROM, DUCK_TO = -50.0, -30.0
#: Samples that are checked or written at a time.
_BLOCK = 1 << 16


def write_wav(path: str | os.PathLike[str], waveform: np.ndarray, sample_rate: int) -> None:
    """Write a 16-bit PCM .wav file atomically.

    Args:
        path: the output file.
        waveform: float (channels, samples) within -1..1; what lies outside is clipped.
        sample_rate: hertz.

    Raises:
        D2MError: if the file cannot be written.
        ValueError: if the waveform is not finite or not (channels, samples).
    """
    import wave

    sound = _checked(waveform)
    # The standard library's writer, since libsndfile hides the reason when a write fails.
    with atomic_write(path) as temporary, wave.open(str(temporary), "wb") as wav:
        wav.setnchannels(len(sound))
        wav.setsampwidth(2)
        wav.setframerate(int(sample_rate))
        wav.setnframes(sound.shape[1])
        for start in range(0, sound.shape[1], _BLOCK):
            block = np.clip(sound[:, start : start + _BLOCK], -1.0, 1.0).T
            wav.writeframesraw(np.round(block * 32767).astype("<i2").tobytes())


def mux(
    video_path: str | os.PathLike[str] | Video,
    waveform: np.ndarray,
    sample_rate: int,
    out_path: str | os.PathLike[str],
    keep_audio: bool | KeepAudio = False,
    reencode: bool = False,
    crf: int = CRF,
    audio_level: float = 0.0,
) -> Path:
    """Put music under a video: the picture's packets are copied, the music becomes AAC.

    The music is cut or filled up with silence to the picture's length. A picture that mp4 cannot hold (VP8, Theora,
    ProRes, GIF, a transparent VP9 …) is written to a Matroska file of the same name instead, ``.mkv``.

    Args:
        video_path: a video file, or a video that is open already.
        waveform: float (channels, samples), one or two channels; sample 0 sounds with the first picture.
        sample_rate: hertz; a rate that AAC does not know is resampled to 48 kHz.
        out_path: the ``.mp4`` to write.
        keep_audio: ``"all"`` or True keeps the clip's own sound, with the music ducked under it (see :func:`duck`);
            ``"voice"`` keeps only the speech in it (see :func:`d2m.audio.voice.mix_voice`).
        reencode: encode the picture anew as H.264 instead of copying it; the file is an mp4.
        crf: quality of that, 0 (lossless) to 51 (worst), x264's constant rate factor.
        audio_level: gain of the kept sound in dB.

    Returns:
        The path that was written.

    Raises:
        d2m.media.copy.CannotCopyError: if the picture cannot be copied.
        D2MError: if the video cannot be read or the file cannot be written.
        ValueError: if the waveform is not finite or has more than two channels, or an option is none of these values.
    """
    from d2m.media.copy import container_for, copy_video
    from d2m.media.encode import encode_video
    from d2m.media.sound import read_audio
    from d2m.media.video import Video, open_video

    video = video_path if isinstance(video_path, Video) else open_video(video_path)
    sound = _checked(waveform)
    if len(sound) > 2:
        raise ValueError("music must have one or two channels")
    if keep_audio not in (False, True, *get_args(KeepAudio)):
        raise ValueError(f"keep_audio is {', '.join(get_args(KeepAudio))} or a truth value, not {keep_audio!r}")
    if not np.isfinite(audio_level):
        raise ValueError("audio_level must be a number of decibels")
    rate = int(sample_rate)
    if keep_audio and video.has_audio:
        own_rate = max(rate, 44100)
        sound, rate = resample(sound, rate, own_rate), own_rate
        own = fit(read_audio(video.path, own_rate, mono=False), round(video.duration * own_rate))
        music = np.clip(fit(sound, own.shape[1]), -1.0, 1.0)
        sound = _with_own(music, own, own_rate, keep_audio == "voice", audio_level)
    if rate not in AAC_RATES:
        sound, rate = resample(sound, rate, 48000), 48000
    sound = fit(sound, round(video.duration * rate))
    out_path = Path(out_path)
    if not reencode and container_for(video) == ".mkv":
        out_path = out_path.with_suffix(".mkv")
    with atomic_write(out_path) as temporary:
        if reencode:
            encode_video(video, sound, rate, temporary, crf)
        else:
            copy_video(video, sound, rate, temporary)
    return out_path


def _with_own(music: np.ndarray, own: np.ndarray, rate: int, only_voice: bool, level: float) -> np.ndarray:
    """The music with a clip's own sound, or only the speech in it, at a gain in dB."""
    if not only_voice:
        return duck(music, own * np.float32(10 ** (level / 20)), rate)
    from d2m.audio.voice import find_voice, mix_voice

    return mix_voice(music, own, rate, find_voice(own, rate), level)


def duck(music: np.ndarray, own: np.ndarray, sample_rate: int) -> np.ndarray:
    """Mix music under a clip's own sound, which keeps its level.

    The music is turned down by up to :data:`DUCK_DEPTH` decibels where the own sound is loud. Its gain
    follows the own sound's level in 10 ms steps, held over 0.4 s and smoothed both ways over about 0.3 s, so
    that it moves before a word begins and neither clicks nor pumps between words. A sum that would clip is
    turned down as a whole.

    Args:
        music, own: float32 (1 or 2 channels, samples), the same number of samples.
        sample_rate: hertz.

    Returns:
        float32 (channels, samples), two channels if either input has two.
    """
    from scipy.ndimage import gaussian_filter1d, maximum_filter1d

    count = own.shape[1]
    hop = max(1, sample_rate // 100)
    padded = np.pad(np.mean(own.astype(np.float64) ** 2, axis=0), (0, -count % hop))
    level = 10 * np.log10(padded.reshape(-1, hop).mean(axis=1) + 1e-12)
    amount = np.clip((level - DUCK_FROM) / (DUCK_TO - DUCK_FROM), 0.0, 1.0)
    amount = gaussian_filter1d(maximum_filter1d(amount, 41, mode="nearest"), 12.0, mode="nearest")
    centres = (np.arange(len(amount)) + 0.5) * hop
    gain = 10 ** (-DUCK_DEPTH / 20 * np.interp(np.arange(count), centres, amount))
    mix = music * gain.astype(np.float32) + own
    return (mix / max(1.0, float(np.abs(mix).max(initial=0.0)) / 0.98)).astype(np.float32)


def resample(waveform: np.ndarray, rate: int, wanted: int) -> np.ndarray:
    """Resample a waveform.

    Args:
        waveform: float32 (channels, samples).
        rate: its sample rate in hertz.
        wanted: new sample rate in hertz.

    Returns:
        float32 (channels, samples).
    """
    if rate == wanted:
        return waveform
    import soxr

    return np.ascontiguousarray(soxr.resample(waveform.T, rate, wanted).T, dtype=np.float32)


def fit(waveform: np.ndarray, samples: int) -> np.ndarray:
    """Cut a waveform, or extend it with silence, to a number of samples.

    Args:
        waveform: float32 (channels, n).
        samples: wanted length.

    Returns:
        float32 (channels, samples); a view of the waveform if that is long enough.
    """
    if waveform.shape[1] >= samples:
        return waveform[:, :samples]
    return np.pad(waveform, ((0, 0), (0, samples - waveform.shape[1])))


def _checked(waveform: np.ndarray) -> np.ndarray:
    """The waveform as float32 (channels, samples) without a copy where it is that already, or a ValueError."""
    sound = np.asarray(waveform, dtype=np.float32)
    if sound.ndim != 2 or not 1 <= len(sound) <= 16 or not sound.shape[1]:
        raise ValueError(f"a waveform is (channels, samples), not {sound.shape}")
    for start in range(0, sound.shape[1], _BLOCK):
        if not np.isfinite(sound[:, start : start + _BLOCK]).all():
            raise ValueError("the waveform holds values that are not numbers")
    return sound
