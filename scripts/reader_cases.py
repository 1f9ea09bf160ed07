"""Files other than MIDI for testing readers: playlists, arrays, weights, cards and videos, valid and damaged.

:data:`KINDS` has, for each reader, a strategy of hypothesis that makes files as bytes, and a check that reads one and
raises whatever should not happen: a traceback instead of one line, a value that its reader promises to refuse.
"""

from __future__ import annotations

import io
import tempfile
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from d2m.errors import D2MError

#: Seconds of processor time that one file may take.
SECONDS_A_FILE = 10.0
_NUMBERS = [b"\x00" * 4, b"\xff" * 4, b"\x7f\xff\xff\xff", b"\x80\x00\x00\x00", b"\xff" * 8, b"\x00\x00\x00\x01"]


def damaged(samples: Callable[[], list[bytes]]) -> st.SearchStrategy[bytes]:
    """Return files with bytes changed, overwritten with extreme numbers, taken out, put in, said twice or cut off."""

    @st.composite
    def make(draw: st.DrawFn) -> bytes:
        data = bytearray(draw(st.sampled_from(samples())))
        for _ in range(draw(st.integers(0, 6))):
            at = draw(st.integers(0, max(len(data) - 1, 0)))
            what = draw(st.sampled_from(["change", "number", "cut", "insert", "double", "end"]))
            if what == "change" and data:
                data[at] = draw(st.integers(0, 255))
            elif what == "number":
                number = draw(st.sampled_from(_NUMBERS))
                data[at : at + len(number)] = number
            elif what == "insert":
                data[at:at] = draw(st.binary(max_size=12))
            else:
                stop = len(data) if what == "end" else at + draw(st.integers(1, 200))
                data[at:stop] = data[at:stop] * 2 if what == "double" else b""
        return bytes(data)

    return make()


def refused_in_one_line(read: Callable[[], object]) -> bool:
    """Tell whether a reader refuses a file; its reason must be one line, and soon.

    Raises:
        AssertionError: if the reason is empty or longer, or reading takes too long.
    """
    start = time.process_time()
    try:
        read()
    except D2MError as error:
        reason = str(error)
        if not reason or "\n" in reason:
            raise AssertionError(f"the reason should be one line: {reason!r}") from error
        return True
    finally:
        taken = time.process_time() - start
        if taken > SECONDS_A_FILE:
            raise AssertionError(f"reading took {taken:.0f} s")
    return False


def _with_file(data: bytes, name: str, read: Callable[[Path], object]) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(data)
        refused = refused_in_one_line(lambda: read(path))
        left = sorted(entry.name for entry in path.parent.iterdir())
        if left != [name]:
            raise AssertionError(f"reading left {left}")
        return refused


# --- playlists ----------------------------------------------------------------------------------------------


def playlists() -> st.SearchStrategy[bytes]:
    """Return playlists in several charsets, of lines that name songs in odd ways, and of anything."""
    words = st.sampled_from(
        [
            "#EXTM3U",
            "#EXTINF:12,Song",
            "a.mid",
            "..\\a.mid",
            "C:\\music\\a.mid",
            "file:///a%20b.mid",
            "file://host/a.mid",
        ]
        + ["%", "%zz.mid", "노래.mid", "é.mid", "~/a.mid", "//server/a.mid", "\0", "http://a/b.mid", ".", "..", "/"]
    )
    line = st.one_of(words, st.text(max_size=40))
    text = st.lists(line, max_size=12).flatmap(
        lambda rows: st.sampled_from(["\n", "\r\n", "\r"]).map(lambda e: e.join(rows))
    )
    charset = st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252", "cp949", "cp932"])
    written = st.tuples(text, charset).map(lambda pair: pair[0].encode(pair[1], errors="ignore"))
    return st.one_of(written, st.binary(max_size=300))


def check_playlist(data: bytes) -> None:
    """Read a playlist: every line names a path or is kept as unknown, and can be shown."""
    from d2m.symbolic.stream.playlist import read_playlist

    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "a.mid").write_bytes(b"MThd")
        refused_in_one_line(lambda: [str(line) for line in read_playlist(data, Path(folder))])


# --- arrays -------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def array_files() -> list[bytes]:
    """Return small .npz files, packed and not, with arrays of several kinds."""
    rng = np.random.default_rng(0)
    arrays = {
        "landmarks": rng.normal(size=(6, 33, 3)).astype(np.float32),
        "beats": np.arange(4.0),
        "fps": np.array(30.0),
        "group": np.array(3),
        "name": np.array("text"),
    }
    found = []
    for save in (np.savez, np.savez_compressed):
        stream = io.BytesIO()
        save(stream, **arrays)
        found.append(stream.getvalue())
    return found


def check_arrays(data: bytes) -> None:
    """Read an .npz file: finite numbers, or one line."""
    from d2m.datasets.npy import read_npz

    def read(path: Path) -> None:
        for name, values in read_npz(path, ("landmarks", "beats", "fps", "group"), 1_000_000).items():
            if not np.isfinite(values).all():
                raise AssertionError(f"{name} is not finite")

    _with_file(data, "a.npz", read)


# --- weights ------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def weight_files() -> list[bytes]:
    """Return small files of safetensors and of PyTorch (zip and older)."""
    import torch
    from safetensors.torch import save

    state = {"a.weight": torch.arange(12.0).reshape(3, 4), "a.bias": torch.zeros(3)}
    found = [save(state, {"kind": "beats", "config": "{}"})]
    for packed in (True, False):
        stream = io.BytesIO()
        torch.save(state, stream, _use_new_zipfile_serialization=packed)
        found.append(stream.getvalue())
    return found


def check_weights(data: bytes) -> None:
    """Read weights: tensors, or one line; never code."""
    from d2m.weights.checkpoint import load_checkpoint
    from d2m.weights.files import load_state

    if data[:1] in (b"P", b"\x80"):
        _with_file(data, "a.pt", load_checkpoint)
    else:
        _with_file(data, "a.safetensors", lambda path: load_state(path, None))


@lru_cache(maxsize=1)
def card_files() -> list[bytes]:
    """Return the shipped cards."""
    from d2m import weights

    return [path.read_bytes() for path in sorted(Path(weights.__file__).parent.glob("*.toml"))]


def check_card(data: bytes) -> None:
    """Read a card: its entries, or one line."""
    from d2m.weights.card import Card

    _with_file(data, "a.toml", Card.read)


# --- videos -------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def video_files() -> list[bytes]:
    """Return one second of moving picture with a tone, in several containers and codecs."""
    kinds = (("mp4", "h264", "aac"), ("mov", "mpeg4", "aac"), ("matroska", "h264", "libopus"), ("avi", "mpeg4", "mp3"))
    kinds += (("mpegts", "mpeg2video", "mp2"), ("flv", "flv1", "mp3"), ("webm", "libvpx", "libopus"))
    return [_video(*kind) for kind in kinds]


def _video(container: str, picture: str, sound: str) -> bytes:
    import av

    stream = io.BytesIO()
    with av.open(stream, "w", format=container) as out:
        video, audio = out.add_stream(picture, 15), out.add_stream(sound, 48000 if sound == "libopus" else 44100)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        for i in range(15):
            pixels = np.zeros((48, 64, 3), np.uint8)
            pixels[10:30, 2 * i : 2 * i + 20] = 200
            out.mux(video.encode(av.VideoFrame.from_ndarray(pixels, "rgb24")))
        rate = audio.codec_context.sample_rate
        tone = (8000 * np.sin(2 * np.pi * 440 * np.arange(rate) / rate)).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(tone[None], "s16", "mono")
        frame.sample_rate = rate
        out.mux(audio.encode(frame))
        for each in (video, audio):
            out.mux(each.encode(None))
    return stream.getvalue()


def check_video(data: bytes) -> None:
    """Open a video, watch it and hear it: pictures and samples within bounds, or one line."""
    from d2m.media import open_video
    from d2m.media.sound import read_audio

    def read(path: Path) -> None:
        video = open_video(path)
        if not 0.0 < video.duration < 1e7:
            raise AssertionError(f"a video of {video.duration} s")
        if video.duration > 60.0:
            return
        for number, _ in enumerate(video.frames(10.0)):
            if number > 700:
                raise AssertionError("more pictures than the clip is long")
        if video.has_audio and not np.isfinite(read_audio(path, 22050)).all():
            raise AssertionError("samples that are not finite")

    _with_file(data, "a.mp4", read)


#: Reader -> strategy of files, check of one.
KINDS: dict[str, tuple[Callable[[], st.SearchStrategy[bytes]], Callable[[bytes], None]]] = {
    "playlist": (playlists, check_playlist),
    "arrays": (lambda: damaged(array_files), check_arrays),
    "weights": (lambda: damaged(weight_files), check_weights),
    "card": (lambda: damaged(card_files), check_card),
    "video": (lambda: damaged(video_files), check_video),
}
