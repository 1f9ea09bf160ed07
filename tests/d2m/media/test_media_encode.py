"""Pictures encoded anew keep their times, their shape and their colours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pictures import told

from d2m.errors import D2MError
from d2m.media import Video, mux, open_video

RATE = 44100
SILENCE = np.zeros((1, 3 * RATE), np.float32)


def encode(source: Path | Video, folder: Path, **settings: Any) -> Path:
    """Encode a clip anew under silence."""
    return mux(source, SILENCE, RATE, folder / "new/out.mp4", reencode=True, **settings)


@pytest.mark.parametrize(
    ("suffix", "settings"),
    [
        (".mp4", {}),
        (".mkv", {"codec": "vp8"}),
        (".mov", {"codec": "qtrle", "pixels": "rgb24"}),
        (".avi", {"codec": "rawvideo", "clock": 20}),
        (".ts", {"start": 5000.0, "options": {"bf": "3", "preset": "veryfast"}}),
        (".gif", {"codec": "gif", "pixels": "rgb8", "clock": 100}),
    ],
)
def test_every_picture_is_shown_at_its_time(clip, shown, tmp_path, suffix, settings):
    source = clip(tmp_path / f"in{suffix}", **settings)
    written = encode(source, tmp_path)
    video = open_video(written)
    assert (video.codec, video.path.suffix) == ("h264", ".mp4")
    assert video.duration == pytest.approx(2.0, abs=0.011)
    seen = told(written, shown, 2.0)
    assert [time for time, _ in seen] == pytest.approx([i / 20 for i in range(40)], abs=0.006)
    assert [grey for _, grey in seen] == pytest.approx([i / 20 for i in range(40)], abs=0.06)


def test_a_varying_rate_stays_as_it_is(clip, shown, tmp_path):
    times = [0, 0.05, 0.1, 0.15, 1.3, 1.35, 1.4, 1.9, 1.95, 2.8]
    written = encode(clip(tmp_path / "vfr.mp4", times=times, duration=3.0), tmp_path)
    seen = told(written, shown, 3.0)
    assert [time for time, _ in seen] == pytest.approx(times, abs=0.002)
    assert [grey for _, grey in seen] == pytest.approx(times, abs=0.06)


@pytest.mark.slow
@pytest.mark.parametrize("rotation", [-90, 180, 90])
def test_a_phones_picture_stays_upright(clip, tmp_path, rotation):
    source = clip(tmp_path / "phone.mp4", rotation=rotation)
    before, after = open_video(source), open_video(encode(source, tmp_path))
    assert (after.rotation, after.width, after.height) == (before.rotation, before.width, before.height)
    assert next(after.frames(10)).rgb == pytest.approx(next(before.frames(10)).rgb, abs=40)


def test_colour_tags_stay(clip, tmp_path):
    import av

    tags = {"color_primaries": 9, "color_trc": 16, "colorspace": 9, "color_range": 1}
    written = encode(clip(tmp_path / "in.mp4", tags=tags), tmp_path)
    with av.open(str(written)) as container:
        context = container.streams.video[0].codec_context
        assert {name: int(getattr(context, name)) for name in tags} == tags


@pytest.mark.parametrize(
    ("codec", "pixels", "suffix"),
    [
        ("png", "rgb24", ".mov"),
        ("qtrle", "rgb24", ".mov"),
        ("gif", "rgb8", ".gif"),
        ("mjpeg", "yuvj420p", ".mov"),
        ("ffv1", "bgr0", ".mkv"),
        ("vp8", "yuv420p", ".webm"),
    ],
)
def test_colours_stay_whatever_their_matrix_and_range(clip, tmp_path, codec, pixels, suffix):
    source = clip(tmp_path / f"in{suffix}", codec=codec, pixels=pixels, clock=100)
    written = encode(source, tmp_path)
    frames = [list(open_video(path).frames(10)) for path in (source, written)]
    for index in (0, 19):
        # Red in the top left corner, which another matrix would change; grey elsewhere, which another range would.
        for y, x in ((4, 4), (60, 80)):
            before, after = (part[index].rgb[y : y + 16, x : x + 16].mean(axis=(0, 1)) for part in frames)
            assert after == pytest.approx(before, abs=6)


def test_an_odd_size_is_made_even(clip, tmp_path):
    source = clip(tmp_path / "odd.gif", codec="gif", pixels="rgb8", size=(97, 55), clock=100)
    given = open_video(source)
    video = open_video(encode(given, tmp_path))
    assert (video.width, video.height) == (98, 56)
    assert not given.alpha
    assert given.warnings == []


def test_the_rate_factor_decides_the_size_and_must_exist(clip, tmp_path):
    source = clip(tmp_path / "in.mp4")
    sizes = [encode(source, tmp_path, crf=crf).stat().st_size for crf in (0, 20, 51)]
    assert sizes[0] > sizes[1] > sizes[2]
    for crf in (-1, 52):
        with pytest.raises(D2MError, match="0 .lossless. to 51"):
            encode(source, tmp_path, crf=crf)


def test_what_the_encoder_refuses_is_one_line_and_leaves_nothing(clip, tmp_path, monkeypatch):
    import av

    from d2m.media import encode as media_encode

    def refuse(*args: Any) -> None:
        raise av.error.ArgumentError(22, "Invalid argument")

    source = clip(tmp_path / "in.mp4")
    with monkeypatch.context() as patch:
        patch.setattr(media_encode, "_add_picture", refuse)
        with pytest.raises(D2MError, match="in.mp4: the picture cannot be encoded .*; use --no-video"):
            encode(source, tmp_path)
    assert not list((tmp_path / "new").iterdir())
    monkeypatch.setattr(media_encode, "ENCODER", "missing")
    with pytest.raises(D2MError, match="cannot encode H.264"):
        encode(source, tmp_path)
