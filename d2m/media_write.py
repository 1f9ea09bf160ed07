"""Writing sound: a wav file, and music under a picture that is copied packet for packet.

The music's first sample lands on the first picture shown, the encoder's priming samples (1024 for AAC) before
it, where players skip them; the timestamps, rotation and colour of the picture stay as they were.
"""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import numpy as np

from d2m.errors import D2MError
from d2m.whole_file import whole_file

#: Sample rates that AAC knows (ISO/IEC 14496-3, table 1.18), up to the highest that makes sense for music.
AAC_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
#: Decibels by which the music steps back where the clip's own sound is loud.
DUCK_DEPTH = 12.0
#: Levels of the clip's own sound (dB full scale) at which the music starts to step back and has done so.
DUCK_FROM, DUCK_TO = -50.0, -30.0


def write_wav(path: str | os.PathLike[str], waveform: np.ndarray, sample_rate: int) -> None:
    """Write a 16-bit PCM wav file, complete or not at all.

    Args:
        waveform: float (channels, samples) within -1..1; what lies outside is clipped.
        sample_rate: hertz.

    Raises:
        D2MError: if the file cannot be written.
        ValueError: if the waveform is not finite or not (channels, samples).
    """
    import wave

    sound = _checked(waveform)
    # The standard library's writer, since libsndfile hides the reason when a write fails.
    with whole_file(path) as temporary, wave.open(str(temporary), "wb") as wav:
        wav.setnchannels(len(sound))
        wav.setsampwidth(2)
        wav.setframerate(int(sample_rate))
        wav.setnframes(sound.shape[1])
        for start in range(0, sound.shape[1], 1 << 16):
            block = sound[:, start : start + (1 << 16)].T
            wav.writeframesraw(np.round(block * 32767).astype("<i2").tobytes())


def mux(
    video_path: str | os.PathLike[str],
    waveform: np.ndarray,
    sample_rate: int,
    out_path: str | os.PathLike[str],
    keep_audio: bool = False,
) -> Path:
    """Put music under a video: the picture's packets are copied, the music becomes AAC.

    The music is cut or filled up with silence to the picture's length. A picture codec that mp4 cannot hold
    (VP8, Theora, ProRes …) is written to a Matroska file of the same name instead, ``.mkv``.

    Args:
        waveform: float (channels, samples), one or two channels; sample 0 sounds with the first picture.
        sample_rate: hertz; a rate that AAC does not know is resampled to 48 kHz.
        out_path: the ``.mp4`` to write.
        keep_audio: keep the clip's own sound, the music ducked under it (see :func:`duck`).

    Returns:
        The path that was written.

    Raises:
        D2MError: if the video cannot be read or the file cannot be written.
        ValueError: if the waveform is not finite or has more than two channels.
    """
    from d2m.media import open_video, read_audio

    video = open_video(video_path)
    sound = _checked(waveform)
    if len(sound) > 2:
        raise ValueError("music must have one or two channels")
    rate = int(sample_rate)
    if keep_audio and video.has_audio:
        own_rate = max(rate, 44100)
        sound, rate = resample(sound, rate, own_rate), own_rate
        own = fit(read_audio(video.path, own_rate, mono=False), round(video.duration * own_rate))
        sound = duck(fit(sound, own.shape[1]), own, own_rate)
    if rate not in AAC_RATES:
        sound, rate = resample(sound, rate, 48000), 48000
    sound = np.clip(fit(sound, round(video.duration * rate)), -1.0, 1.0)
    out_path = Path(out_path)
    if container_for(video.codec) == ".mkv":
        out_path = out_path.with_suffix(".mkv")
    with whole_file(out_path) as temporary:
        _remux(video, sound, rate, temporary)
    return out_path


def container_for(codec: str) -> str:
    """The suffix of the file that a picture codec can be copied into, ``".mp4"`` or ``".mkv"``.

    Raises:
        D2MError: if neither takes it (GIF, raw pictures).
    """
    import av

    name = av.Codec(codec, "r").canonical_name
    for suffix, form in ((".mp4", "mp4"), (".mkv", "matroska")):
        if name in av.open(os.devnull, "w", format=form).supported_codecs:
            return suffix
    raise D2MError(
        f"pictures in {name} cannot be copied into a new video; convert it to H.264 first, or use --no-video"
    )


def _remux(video, sound: np.ndarray, rate: int, target: Path) -> None:
    """Copy the picture's packets of ``video`` to ``target`` and encode ``sound`` beside them."""
    import av

    from d2m.media_container import open_container, picture_stream

    name = "mp4" if target.suffix == ".mp4" else "matroska"
    with open_container(video.path) as source:
        source.flags |= av.container.Flags.gen_pts.value
        stream = picture_stream(source, video.path)
        options = {"movflags": "+faststart"} if name == "mp4" else {}
        if name == "mp4" and video.start_time != 0:
            # The start of a track is written in this unit; the default, milliseconds, would move it.
            unit = min(stream.time_base.denominator, 1_000_000)
            options["movie_timescale"] = str(unit * (1_000_000 // unit))
        try:
            with av.open(f"file:{target}", "w", format=name, container_options=options) as out:
                picture = out.add_stream_from_template(stream, opaque=True)
                if stream.codec_context.name == "hevc" and name == "mp4":
                    # Apple's players show HEVC only under this tag; FFmpeg would choose the other one.
                    picture.codec_context.codec_tag = "hvc1"
                music = out.add_stream("aac", rate=rate, layout="stereo" if len(sound) == 2 else "mono")
                music.bit_rate = 96000 * len(sound)
                packets = _encoded(music, sound, rate, video.start_time)
                waiting = next(packets, None)
                for packet in _picture_packets(source, stream):
                    while waiting is not None and _time(waiting) <= _time(packet):
                        out.mux(waiting)
                        waiting = next(packets, None)
                    packet.stream = picture
                    out.mux(packet)
                while waiting is not None:
                    out.mux(waiting)
                    waiting = next(packets, None)
        except (av.FFmpegError, ValueError) as error:
            if isinstance(error, OSError):
                raise
            raise D2MError(
                f"{video.path}: the picture cannot be copied into a new file ({error}); "
                "convert the video to H.264 first, or use --no-video"
            ) from None


def _picture_packets(source, stream):
    """The packets of a picture stream, up to where the file is damaged beyond reading on."""
    import av

    packets = source.demux(stream)
    while True:
        try:
            packet = next(packets)
        except (StopIteration, av.FFmpegError):
            return
        if packet.size:
            yield packet


def _time(packet) -> float:
    """Decoding time of a packet in seconds."""
    stamp = packet.dts if packet.dts is not None else packet.pts
    return float(stamp * packet.time_base) if stamp is not None else -np.inf


def _encoded(stream, sound: np.ndarray, rate: int, start: float):
    """AAC packets of ``sound`` float32 (channels, samples), the first sample sounding at ``start`` s."""
    import av

    offset = round(start * rate)
    layout = "stereo" if len(sound) == 2 else "mono"
    for begin in range(0, sound.shape[1], 1024):
        block = np.ascontiguousarray(sound[:, begin : begin + 1024], dtype=np.float32)
        frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=layout)
        frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), offset + begin
        yield from stream.encode(frame)
    yield from stream.encode(None)


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
    """float32 (channels, samples) at another sample rate."""
    if rate == wanted:
        return waveform
    import soxr

    return np.ascontiguousarray(soxr.resample(waveform.T, rate, wanted).T, dtype=np.float32)


def fit(waveform: np.ndarray, samples: int) -> np.ndarray:
    """The waveform cut, or filled up with silence at its end, to a number of samples."""
    return np.pad(waveform[:, :samples], ((0, 0), (0, max(0, samples - waveform.shape[1]))))


def _checked(waveform: np.ndarray) -> np.ndarray:
    """float32 (channels, samples), or a ValueError."""
    sound = np.asarray(waveform, dtype=np.float32)
    if sound.ndim != 2 or not 1 <= len(sound) <= 16 or not sound.shape[1]:
        raise ValueError(f"a waveform is (channels, samples), not {sound.shape}")
    if not np.isfinite(sound).all():
        raise ValueError("the waveform holds values that are not numbers")
    return np.clip(sound, -1.0, 1.0)
