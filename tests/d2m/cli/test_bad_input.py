"""Bad input ends in one clear line and leaves nothing behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from repository import HELPERS

from d2m.cli.main import main
from d2m.media import write_wav

pytestmark = pytest.mark.slow


def cut_off(clip, folder: Path) -> None:
    data = clip(folder / "whole.mp4").read_bytes()
    (folder / "bad.mp4").write_bytes(data[: len(data) // 2])
    (folder / "whole.mp4").unlink()


def a_picture(folder: Path, suffix: str) -> None:
    from PIL import Image

    Image.fromarray(np.random.default_rng(0).integers(0, 255, (90, 160, 3), np.uint8)).save(folder / f"bad{suffix}")


def a_song_with_a_cover(folder: Path) -> None:
    import av

    a_picture(folder, ".png")
    with av.open(str(folder / "bad.png")) as source, av.open(str(folder / "bad.mp4"), "w") as out:
        music = out.add_stream("aac", rate=44100, layout="mono")
        cover = out.add_stream_from_template(source.streams.video[0], opaque=True)
        cover.disposition = av.stream.Disposition.attached_pic
        packet = next(source.demux(video=0))
        packet.stream, packet.pts, packet.dts = cover, 0, 0
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 44100), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 44100
        out.mux(music.encode(frame))
        out.mux(music.encode(None))
        out.mux(packet)
    (folder / "bad.png").unlink()


BAD = {
    "missing": (lambda clip, f: None, "bad.mp4", "no such file"),
    "folder": (lambda clip, f: (f / "bad.mp4").mkdir(), "bad.mp4", "this is a folder"),
    "empty": (lambda clip, f: (f / "bad.mp4").touch(), "bad.mp4", "the file is empty"),
    "text": (lambda clip, f: (f / "bad.mp4").write_text("hello " * 1000), "bad.mp4", "not a video"),
    "noise": (lambda clip, f: (f / "bad.mp4").write_bytes(np.random.default_rng(0).bytes(50_000)), "bad.mp4", ""),
    "cut off": (cut_off, "bad.mp4", "cut off"),
    "sound only": (lambda clip, f: write_wav(f / "bad.wav", np.zeros((1, 44100)), 44100), "bad.wav", "no picture"),
    "song with a cover": (lambda clip, f: a_song_with_a_cover(f), "bad.mp4", "no picture"),
    "png": (lambda clip, f: a_picture(f, ".png"), "bad.png", "single picture"),
    "jpg": (lambda clip, f: a_picture(f, ".jpg"), "bad.jpg", "single picture"),
    "picture as mp4": (
        lambda clip, f: (a_picture(f, ".png"), (f / "bad.png").rename(f / "bad.mp4")),
        "bad.mp4",
        "single picture",
    ),
    "short": (lambda clip, f: clip(f / "bad.mp4", duration=0.2), "bad.mp4", "only 0.20 s"),
    "device": (lambda clip, f: os.mkfifo(f / "bad.mp4"), "bad.mp4", "not a regular file"),
    "playlist": (
        lambda clip, f: (f / "bad.mp4").write_text("#EXTM3U\n#EXTINF:2.0,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n"),
        "bad.mp4",
        "",
    ),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_file_that_is_no_dance_video(clip, capfd, tmp_path, kind):
    make, name, said = BAD[kind]
    (tmp_path / "in").mkdir()
    make(clip, tmp_path / "in")
    assert main(["generate", str(tmp_path / "in" / name), "-o", str(tmp_path / "out")]) == 1
    heard = capfd.readouterr()
    assert heard.out == ""
    assert len(heard.err.splitlines()) == 1
    assert heard.err.startswith(f"error: {tmp_path / 'in' / name}: ")
    assert said in heard.err
    assert [p.name for p in tmp_path.iterdir()] == ["in"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--genre", "polka"], "choose one of break, pop"),
        (["--engine", "tape"], "unknown engine"),
        (["--codec", "mp3"], "unknown codec"),
        (["--weights", "nobody"], "nobody"),
    ],
)
def test_an_option_that_names_nothing(clip, capfd, tmp_path, options, said):
    clip(tmp_path / "a.mp4", duration=1.0)
    assert main(["generate", str(tmp_path / "a.mp4"), "-o", str(tmp_path / "out"), *options]) == 1
    heard = capfd.readouterr()
    assert heard.out == ""
    assert len(heard.err.splitlines()) == 1
    assert heard.err.startswith("error: ")
    assert said in heard.err
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]


class _Evil:
    """Unpickled carelessly, it makes a folder."""

    def __reduce__(self):
        return os.mkdir, ("owned",)


def evil_weights(folder: Path) -> str:
    import torch

    torch.save({"model": _Evil()}, folder / "evil.pt")
    return str(folder / "evil.pt")


def weights_of_another_model(folder: Path) -> str:
    from d2m.weights import list_cards

    others = [card.name for card in list_cards() if card.kind != "generator"]
    if not others:
        pytest.skip("no weights are installed")
    return others[0]


def text_weights(folder: Path) -> str:
    (folder / "text.safetensors").write_text("not weights " * 100)
    return str(folder / "text.safetensors")


@pytest.mark.parametrize("make", [evil_weights, weights_of_another_model, text_weights])
def test_weights_that_do_not_fit_or_mean_harm(clip, capfd, tmp_path, monkeypatch, make):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    clip(tmp_path / "in/a.mp4", duration=1.0)
    weights = make(tmp_path / "in")
    assert main(["generate", "in/a.mp4", "-o", "out", "--weights", weights]) == 1
    heard = capfd.readouterr()
    assert heard.out == ""
    assert len(heard.err.splitlines()) == 1
    assert heard.err.startswith("error: ")
    assert "bug in d2m" not in heard.err
    assert Path(weights).name in heard.err
    assert [p.name for p in tmp_path.iterdir()] == ["in"]


def test_folders_and_files_without_permission(clip, tmp_path):
    """In a process without root's capabilities, to which every file is open."""
    clip(tmp_path / "a.mp4", duration=1.0)
    clip(tmp_path / "secret.mp4", duration=1.0).chmod(0)
    (tmp_path / "locked").mkdir()
    (tmp_path / "locked").chmod(0o555)
    code = (
        "import ctypes, os, sys\n"
        "from d2m.cli.main import main\n"
        "none = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()\n"
        "assert ctypes.CDLL(None).capset(*none) == 0\n"
        f"os.chdir({str(tmp_path)!r})\n"
        "a = main(['generate', 'secret.mp4'])\n"
        "b = main(['generate', 'a.mp4', '-o', 'locked'])\n"
        "c = main(['generate', 'a.mp4', '-o', 'locked/new'])\n"
        "sys.exit(a * 100 + b * 10 + c)\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.stderr.splitlines() == [
        "error: secret.mp4: no permission to read this file",
        "error: cannot write locked: no permission to write there; choose another folder",
        "error: cannot write locked/new: no permission to write there; choose another folder",
    ]
    assert (run.returncode, run.stdout) == (111, "")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.mp4", "locked", "secret.mp4"]


def test_a_full_disk(clip, tmp_path):
    """A limit on the size of files stops the process at the same call as a full disk does."""
    clip(tmp_path / "a.mp4", duration=2.0)
    code = (
        "import resource, sys\n"
        f"sys.path.insert(0, {str(HELPERS)!r})\n"
        "from clicks import Clicks\n"
        "from d2m import engines\n"
        "from d2m.cli.main import main\n"
        "engines.load = lambda name, **_: Clicks()\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (30000, 30000))\n"
        "sys.exit(main())\n"
    )
    args = ["generate", str(tmp_path / "a.mp4"), "-o", str(tmp_path / "out")]
    run = subprocess.run([sys.executable, "-c", code, *args], capture_output=True, text=True, check=False)
    assert run.returncode == 1
    target = tmp_path / "out/a.d2m.wav"
    assert run.stderr == f"error: cannot write {target}: the disk is full; free some space or choose another folder\n"
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]
