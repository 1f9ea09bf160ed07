"""What the command line says, where it says it, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from repository import HELPERS

from d2m.cli.main import COMMANDS, main
from d2m.version import __version__

pytestmark = pytest.mark.slow

# The real command with a small real engine, so that these tests need no trained weights.
COMMAND = """
import sys
sys.path.insert(0, {helpers!r})
from clicks import Clicks
from d2m import engines
from d2m.cli.main import main
engines.load = lambda name, **_: Clicks()
sys.exit(main())
"""


def command(*args: object) -> list[str]:
    return [sys.executable, "-c", COMMAND.format(helpers=str(HELPERS)), *map(str, args)]


@pytest.fixture(scope="module")
def ran(clip, tone, tmp_path_factory):
    """One run over a good and a bad video, reporting in json."""
    folder = tmp_path_factory.mktemp("cli")
    clip(folder / "a.mp4", duration=1.0, sound=tone(1.0, 300))
    (folder / "b.mp4").write_text("not a video")
    args = (
        "generate",
        folder / "a.mp4",
        folder / "b.mp4",
        "-o",
        folder / "out",
        "--json",
        "--genre",
        "Street Jazz",
        "--seed",
        5,
    )
    return folder, subprocess.run(command(*args), capture_output=True, text=True, check=False)


def test_json_is_one_object_on_stdout_and_nothing_else(ran):
    folder, run = ran
    report = json.loads(run.stdout)
    good, bad = report["videos"]
    assert (good["genre"], good["seed"]) == ("street-jazz", 5)
    assert all((folder / "out" / name).is_file() for name in good["files"].values())
    assert good["folder"] == str(folder / "out")
    assert "not a video" in bad["error"]


def test_a_bad_video_among_good_ones_costs_one_line_and_the_exit_status(ran):
    _, run = ran
    assert run.returncode == 1
    lines = run.stderr.splitlines()
    assert [line.split(":")[0] for line in lines if "b.mp4" in line] == ["error"]
    assert all(line.startswith(("error: ", "warning: ")) for line in lines), run.stderr


def test_help_lists_the_commands_without_loading_what_they_need():
    heavy = {"numpy", "torch", "av", "mediapipe", "matplotlib", "scipy", "librosa", "lightning", "soundfile", "asyncio"}
    code = (
        "import sys; from d2m.cli.main import main; main(['--help'])\n"
        f"print(sorted(set({sorted(heavy)}) & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert all(name in run.stdout for name in ("generate", "models"))
    assert run.stdout.splitlines()[-1] == "[]"


def test_every_command_that_is_there_has_an_app(capsys):
    import importlib.util

    for name, (module, _) in COMMANDS.items():
        if importlib.util.find_spec(module) is not None:
            assert main([name, "--help"]) == 0
            said = capsys.readouterr().out
            assert "Usage" in said
            assert "completion" not in said
            assert "<bool>" not in said  # a switch takes no value


def test_help_fills_the_lines_of_the_terminal(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "150")
    assert main(["evaluate", "alignment", "--help"]) == 0
    said = capsys.readouterr().out
    assert "of the same music under circular" in said  # where the docstring breaks its line
    assert main(["--help"]) == 0
    assert "<bool>" not in capsys.readouterr().out


def test_the_version_is_told(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == f"d2m {__version__}"


def test_the_package_can_be_run(tmp_path):
    run = subprocess.run([sys.executable, "-m", "d2m", "--version"], capture_output=True, text=True, cwd=tmp_path)
    assert (run.returncode, run.stdout, run.stderr) == (0, f"d2m {__version__}\n", "")


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["generte", "a.mp4"], "Did you mean 'generate'"),
        (["generate"], "VIDEO"),
        (["generate", "a.mp4", "--seed", "x"], "seed"),
        (["generate", "a.mp4", "--seed", "-3"], "seed"),
        (["generate", "a.mp4", "--loud"], "--loud"),
    ],
)
def test_wrong_usage_is_one_line_and_status_2(capsys, args, said):
    assert main(args) == 2
    heard = capsys.readouterr()
    assert heard.out == ""
    assert len(heard.err.splitlines()) == 1
    assert heard.err.startswith("error: ")
    assert said in heard.err


def test_a_bug_is_one_line_unless_debugging(clip, capsys, monkeypatch, tmp_path):
    from d2m import engines

    def broken(*_, **__):
        raise ZeroDivisionError("oops\nand more")

    clip(tmp_path / "a.mp4", duration=0.7)
    monkeypatch.setattr(engines, "load", broken)
    assert main(["generate", str(tmp_path / "a.mp4")]) == 1
    heard = capsys.readouterr().err
    assert len(heard.splitlines()) == 1
    assert "ZeroDivisionError: oops and more" in heard
    with pytest.raises(ZeroDivisionError):
        main(["generate", str(tmp_path / "a.mp4"), "--debug"])


def test_what_is_wrong_with_the_options_is_said_once_for_all_videos(ran, capsys):
    folder, _ = ran
    videos = [str(folder / "a.mp4"), str(folder / "c.mp4"), "-o", str(folder / "none")]
    for options in (["--genre", "polka"], ["--engine", "tape"], ["--keep-audio", "--no-video"], ["--level", "low"]):
        assert main(["generate", *videos, *options]) == 1
        heard = capsys.readouterr().err
        assert len(heard.splitlines()) == 1, heard
    assert not (folder / "none").exists()


def test_one_of_several_videos_that_shows_a_bug_does_not_stop_the_others(clip, tmp_path, capsys, monkeypatch):
    from clicks import Clicks

    from d2m import engines

    class Broken(Clicks):
        def compose(self, dance, *, seed=0, progress=None):
            if dance.duration < 0.9:
                raise ZeroDivisionError("oops")
            return super().compose(dance, seed=seed)

    loaded = []
    monkeypatch.setattr(engines, "load", lambda name, **_: loaded.append(name) or Broken())
    for name, seconds in (("short", 0.7), ("long", 1.0)):
        clip(tmp_path / f"{name}.mp4", duration=seconds)
    videos = [str(tmp_path / "short.mp4"), str(tmp_path / "long.mp4")]
    assert main(["generate", *videos, "-o", str(tmp_path / "out"), "--json"]) == 1
    heard = capsys.readouterr()
    short, long = json.loads(heard.out)["videos"]
    assert "short.mp4: ZeroDivisionError: oops" in short["error"]
    assert (tmp_path / "out" / long["files"]["mp4"]).is_file()
    assert [line for line in heard.err.splitlines() if line.startswith("error")] == [f"error: {short['error']}"]
    assert loaded == [None]


def test_results_of_an_earlier_run_among_the_videos_are_not_written_over(capsys, tmp_path):
    videos = [tmp_path / "a.mp4", tmp_path / "a.d2m.mp4"]
    for video in videos:
        video.write_bytes(b"film")
    assert main(["generate", *map(str, videos), "-o", str(tmp_path)]) == 1
    heard = capsys.readouterr().err
    assert "a.d2m.mp4, which is another input" in heard
    assert [video.read_bytes() for video in videos] == [b"film"] * 2


def test_two_videos_of_one_name_are_refused(capsys, tmp_path):
    assert main(["generate", str(tmp_path / "x/a.mp4"), str(tmp_path / "y/a.mov")]) == 1
    assert "run them one by one" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("number", "status", "said"), [(signal.SIGINT, 130, "interrupted\n"), (signal.SIGTERM, 143, "")]
)
def test_an_interrupted_run_ends_in_one_line_and_leaves_nothing(clip, tmp_path, number, status, said):
    clip(tmp_path / "a.mp4", duration=60.0, rate=10)
    run = subprocess.Popen(
        command("generate", tmp_path / "a.mp4", "-o", tmp_path / "out"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell's background jobs are deaf to Ctrl-C, and so would be what they start.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob("out/.d2m-*")) and run.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.3)
    run.send_signal(number)
    out, err = run.communicate(timeout=120)
    assert (run.returncode, out, err) == (status, "", said)
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]


def test_installed_weights_are_listed_shown_and_checked(capsys):
    from d2m.weights import list_cards

    cards = list_cards()
    if not cards:
        pytest.skip("no weights are installed yet")
    assert main(["models", "list", "--json"]) == 0
    assert [c["name"] for c in json.loads(capsys.readouterr().out)["models"]] == [c.name for c in cards]
    assert main(["models", "list"]) == 0
    assert main(["models", "show", cards[0].name]) == 0
    assert cards[0].sha256 in capsys.readouterr().out
    assert main(["models", "verify", "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)["verified"]) == {c.name for c in cards}


def test_unknown_weights_are_refused(capsys):
    assert main(["models", "show", "nothing"]) == 1
    assert "no weights called 'nothing'" in capsys.readouterr().err


def test_a_reader_that_leaves_early_is_no_error():
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "d2m.cli.main", "--help"]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, timeout=60)
    os.close(write)
    assert done.stderr == b""


def test_a_folder_stands_for_its_videos(clip, tmp_path, capsys, monkeypatch):
    from clicks import Clicks

    from d2m import engines

    monkeypatch.setattr(engines, "load", lambda name, **_: Clicks())
    (tmp_path / "in").mkdir()
    for name in ("b.mp4", "a.mp4"):
        clip(tmp_path / "in" / name, duration=0.7)
    (tmp_path / "in" / "notes.txt").write_text("not a video")
    (tmp_path / "in" / "a.d2m.mp4").write_text("an earlier result")
    assert main(["generate", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--json"]) == 0
    assert [video["video"]["name"] for video in json.loads(capsys.readouterr().out)["videos"]] == ["a.mp4", "b.mp4"]
    again = ["generate", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--skip-existing"]
    (tmp_path / "out" / "b.d2m.json").unlink()
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("a.*")}
    assert main(again) == 0
    assert (tmp_path / "out" / "b.d2m.json").is_file()
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("a.*")}
    capsys.readouterr()
    assert main(again) == 0
    assert capsys.readouterr().err == f"all videos have a result in {tmp_path / 'out'}; nothing to do\n"
    (tmp_path / "empty").mkdir()
    assert main(["generate", str(tmp_path / "empty")]) == 1
    assert "this is a folder without videos" in capsys.readouterr().err
