"""Which streams of a file are used, how long its pictures last, and sound that changes in mid-stream."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from d2m.errors import D2MError
from d2m.media import mux, open_video, read_audio

RATE = 44100
RED, GREEN = (220, 30, 30), (30, 180, 30)


def write_streams(path: Path, pictures: Sequence[tuple[str, tuple[int, int], str]]) -> Path:
    """Write a file with several picture streams of two seconds, the first red and the others green.

    Args:
        pictures: encoder, (width, height) and FFmpeg's name of the disposition of each, empty for none.
    """
    import av
    from av.stream import Disposition

    forms = {"mjpeg": "yuvj420p", "libx264": "yuv420p"}
    with av.open(str(path), "w") as out:
        streams = []
        for encoder, size, disposition in pictures:
            stream = out.add_stream(encoder, rate=10)
            stream.width, stream.height, stream.pix_fmt = *size, forms[encoder]
            stream.disposition = Disposition[disposition] if disposition else 0
            streams.append(stream)
        for index in range(20):
            for number, stream in enumerate(streams):
                if stream.disposition & Disposition.attached_pic and index:
                    continue
                rgb = np.full((stream.height, stream.width, 3), GREEN if number else RED, np.uint8)
                frame = av.VideoFrame.from_ndarray(rgb, format="rgb24")
                frame.pts, frame.time_base = index, Fraction(1, 10)
                out.mux(stream.encode(frame))
        for stream in streams:
            out.mux(stream.encode(None))
    return path


def write_sound(path: Path, tracks: Sequence[tuple[np.ndarray, str]]) -> Path:
    """Write a file of sound tracks in AAC, each with a disposition."""
    import av
    from av.stream import Disposition

    with av.open(str(path), "w") as out:
        streams = [out.add_stream("aac", rate=RATE, layout="mono") for _ in tracks]
        for stream, (_, disposition) in zip(streams, tracks, strict=True):
            stream.disposition = Disposition[disposition] if disposition else 0
        for stream, (sound, _) in zip(streams, tracks, strict=True):
            frame = av.AudioFrame.from_ndarray(sound, format="fltp", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = RATE, 0, Fraction(1, RATE)
            out.mux(stream.encode(frame))
            out.mux(stream.encode(None))
    return path


def hertz(sound: np.ndarray, rate: int) -> float:
    """The strongest frequency."""
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    return float(spectrum.argmax() * rate / len(sound))


# Choosing


@pytest.mark.parametrize(
    ("suffix", "pictures", "chosen"),
    [
        # A preview is never taken, even if it is the default.
        (".mkv", [("mjpeg", (64, 36), "default"), ("libx264", (160, 90), "")], 1),
        # The default comes before the size …
        (".mkv", [("libx264", (160, 90), "default"), ("libx264", (320, 180), "")], 0),
        (".mkv", [("libx264", (320, 180), ""), ("libx264", (160, 90), "default")], 1),
        # … and the size where none is the default.
        (".ts", [("libx264", (160, 90), ""), ("libx264", (320, 180), "")], 1),
        (".mkv", [("libx264", (320, 180), "comment"), ("libx264", (160, 90), "")], 1),
        # A cover is never taken, however large.
        (".mp4", [("mjpeg", (640, 640), "attached_pic"), ("libx264", (160, 90), "")], 1),
        # A lone stream of single pictures is a video.
        (".mkv", [("mjpeg", (160, 90), "default")], 0),
    ],
)
def test_the_default_picture_is_taken_then_the_largest_and_never_a_preview(tmp_path, suffix, pictures, chosen):
    path = write_streams(tmp_path / f"several{suffix}", pictures)
    video = open_video(path)
    assert (video.width, video.height) == pictures[chosen][1]
    assert video.duration == pytest.approx(2.0, abs=0.01)
    written = mux(video, np.zeros((1, 2 * RATE), np.float32), RATE, tmp_path / "out.mp4")
    for source in (video, open_video(written)):
        rgb = next(source.frames(5)).rgb
        assert (rgb.shape[1], rgb.shape[0]) == pictures[chosen][1]
        assert rgb[20, 20] == pytest.approx(GREEN if chosen else RED, abs=25)


def test_several_pictures_are_told(tmp_path):
    two = write_streams(tmp_path / "two.mkv", [("libx264", (160, 90), "default"), ("libx264", (64, 36), "")])
    assert open_video(two).warnings == ["the file has 2 picture streams; the one of 160x90 pixels is used"]
    cover = write_streams(tmp_path / "cover.mp4", [("mjpeg", (64, 64), "attached_pic"), ("libx264", (160, 90), "")])
    assert open_video(cover).warnings == []


def test_the_default_sound_is_taken(tmp_path, tone):
    path = write_sound(tmp_path / "two.mkv", [(tone(1.0, 300), ""), (tone(1.0, 700), "default")])
    assert hertz(read_audio(path, RATE)[0, 2000:-2000], RATE) == pytest.approx(700, abs=3)
    path = write_sound(tmp_path / "described.mkv", [(tone(1.0, 300), "visual_impaired"), (tone(1.0, 700), "")])
    assert hertz(read_audio(path, RATE)[0, 2000:-2000], RATE) == pytest.approx(700, abs=3)


# Lengths and rates


def test_the_index_counts_where_the_header_claims_another_length(clip, tmp_path):
    path = clip(tmp_path / "whole.mp4", duration=6.0)
    data = bytearray(path.read_bytes())
    place = data.index(b"mdhd") + 4
    scale = int.from_bytes(data[place + 12 : place + 16], "big")
    data[place + 16 : place + 20] = (scale * 13 // 10).to_bytes(4, "big")
    path.write_bytes(data)
    video = open_video(path)
    assert video.duration == pytest.approx(6.0, abs=0.002)
    assert len(list(video.frames(5))) == 30
    written = mux(video, np.zeros((1, 6 * RATE), np.float32), RATE, tmp_path / "out.mp4")
    assert open_video(written).duration == pytest.approx(6.0, abs=0.002)


def test_a_recording_that_stood_still_is_watched_at_the_rate_at_which_it_moves(clip, tmp_path):
    times = [0.0, *np.arange(20, 24, 1 / 30)]
    video = open_video(clip(tmp_path / "still.mp4", times=times, duration=24.0))
    assert video.duration == pytest.approx(24.0, abs=0.05)
    assert video.fps < 6
    assert video.rate == pytest.approx(30, rel=0.03)
    steady = open_video(clip(tmp_path / "steady.mp4", rate=25))
    assert steady.rate == pytest.approx(steady.fps, rel=0.02)


@pytest.mark.parametrize("suffix", [".mkv", ".webm", ".flv", ".mov", ".mpg"])
def test_times_that_are_rounded_or_listed_in_part_do_not_change_the_rate(clip, tmp_path, suffix):
    codec = {".webm": "vp9", ".mpg": "mpeg2video"}.get(suffix, "h264")
    video = open_video(clip(tmp_path / f"rounded{suffix}", codec=codec, rate=30, duration=4.0, clock=30))
    assert video.rate == pytest.approx(30, rel=0.02)
    assert video.duration == pytest.approx(4.0, abs=0.005)


# Sound that changes


def mp3(sound: np.ndarray, rate: int, folder: Path) -> bytes:
    """MPEG frames of mono or stereo sound, without a header of the file."""
    import av

    path = folder / "piece.mp3"
    layout = "stereo" if len(sound) == 2 else "mono"
    with av.open(str(path), "w", options={"write_xing": "0", "id3v2_version": "0"}) as out:
        stream = out.add_stream("libmp3lame", rate=rate, layout=layout)
        stream.bit_rate = 64000
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound), format="fltp", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path.read_bytes()


@pytest.mark.parametrize(("second_rate", "second_channels"), [(22050, 1), (44100, 2), (48000, 2), (44100, 1)])
def test_sound_goes_on_through_changes_of_rate_and_layout(tmp_path, tone, second_rate, second_channels):
    second = np.repeat(tone(2.0, 440, second_rate), second_channels, axis=0)
    path = tmp_path / "joined.mp3"
    path.write_bytes(mp3(tone(2.0, 440), RATE, tmp_path) + mp3(second, second_rate, tmp_path))
    sound = read_audio(path, 16000)[0]
    assert len(sound) / 16000 == pytest.approx(4.0, abs=0.2)
    for start in (0.3, 1.0, 2.5, 3.2):
        part = sound[round(start * 16000) :][:8000]
        assert hertz(part, 16000) == pytest.approx(440, abs=3)
        assert float(np.abs(part).max()) == pytest.approx(0.3, rel=0.25)


def test_surround_that_becomes_stereo_in_a_video_is_read(tmp_path, tone):
    import av

    path = tmp_path / "change.mkv"
    with av.open(str(path), "w") as out:
        picture = out.add_stream("libx264", rate=10)
        picture.width, picture.height, picture.pix_fmt = 64, 48, "yuv420p"
        sound = out.add_stream("ac3", rate=48000, layout="5.1")
        out.start_encoding()
        for index in range(40):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 5 * index, np.uint8), format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, 10)
            out.mux(picture.encode(frame))
        out.mux(picture.encode(None))
        start = 0
        for layout, channels in (("5.1", 6), ("stereo", 2)):
            encoder = av.CodecContext.create("ac3", "w")
            encoder.sample_rate, encoder.layout, encoder.format = 48000, layout, "fltp"
            encoder.time_base = Fraction(1, 48000)
            wave = np.ascontiguousarray(np.repeat(tone(2.016, 440, 48000), channels, axis=0)[:, : 63 * 1536])
            frames = [
                av.AudioFrame.from_ndarray(np.ascontiguousarray(wave[:, at : at + 1536]), format="fltp", layout=layout)
                for at in range(0, wave.shape[1], 1536)
            ]
            for frame in frames:
                frame.sample_rate, frame.pts, frame.time_base = 48000, start, Fraction(1, 48000)
                start += frame.samples
            for packet in [p for frame in [*frames, None] for p in encoder.encode(frame)]:
                packet.stream, packet.time_base = sound, Fraction(1, 48000)
                out.mux(packet)
    heard = read_audio(path, 16000, mono=False)
    assert heard.shape == (2, pytest.approx(4.03 * 16000, abs=1600))
    for start in (0.5, 1.2, 2.5, 3.2):
        assert hertz(heard[0, round(start * 16000) :][:8000], 16000) == pytest.approx(440, abs=3)
    written = mux(path, tone(4.0, 3000), RATE, tmp_path / "out.mp4", keep_audio=True)
    assert open_video(written).duration == pytest.approx(4.0, abs=0.002)


@pytest.mark.parametrize("suffix", [".mjpeg", ".mjpg"])
def test_jpegs_in_a_row_are_a_video(clip, tmp_path, suffix):
    import av

    path = tmp_path / f"camera{suffix}"
    with av.open(clip(tmp_path / "a.avi", codec="mjpeg", duration=2.0, pixels="yuvj420p")) as source:
        path.write_bytes(b"".join(bytes(packet) for packet in source.demux(source.streams.video[0])))
    video = open_video(path)
    assert len(list(video.frames(video.fps))) == 40
    assert video.duration == pytest.approx(40 / video.fps)


def test_an_animated_webp_is_refused_for_what_it_is(tmp_path):
    path = tmp_path / "a.webp"
    path.write_bytes(b"RIFF\x40\0\0\0WEBPVP8X\x0a\0\0\0\x12\0\0\0\x3f\0\0\x3f\0\0ANIM\6\0\0\0" + bytes(40))
    with pytest.raises(D2MError, match="no animated WebP; convert it"):
        open_video(path)
