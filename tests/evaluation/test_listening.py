"""Listening tests: blind clips, a page that people can finish, answers that are checked, and what they mean."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
import time
import urllib.error
import urllib.request

import numpy as np
import pytest

from d2m.audio.loudness import loudness
from d2m.cli.main import main
from d2m.errors import D2MError
from d2m.evaluation.listening import analysis
from d2m.evaluation.listening.answers import Listener, Rating, parse, read_key
from d2m.evaluation.listening.make import LOW_PASS, ListeningTest, make_test
from d2m.evaluation.listening.questions import SETS, read_questions
from d2m.evaluation.listening.server import ListeningServer
from d2m.media import read_audio
from d2m.media.write import write_wav


def tone(hertz: float, level: float, seconds: float = 2.0) -> np.ndarray:
    t = np.arange(int(seconds * 44100)) / 44100
    rng = np.random.default_rng(int(hertz))
    return (level * (np.sin(2 * np.pi * hertz * t) + 0.5 * rng.standard_normal(len(t))))[None].astype(np.float32)


@pytest.fixture(scope="module")
def systems(tmp_path_factory):
    """Real music and a louder system, three clips each, one of them only in the first."""
    root = tmp_path_factory.mktemp("systems")
    for name, level in (("real", 0.05), ("ours", 0.3)):
        (root / name).mkdir()
        for i in range(3):
            write_wav(root / name / f"clip{i}.wav", tone(300 + 100 * i, level), 44100)
    write_wav(root / "real" / "alone.wav", tone(900, 0.1), 44100)
    return {"real": root / "real", "ours": root / "ours"}


@pytest.fixture(scope="module")
def made(systems, tmp_path_factory):
    out = tmp_path_factory.mktemp("test") / "listening"
    report = make_test(systems, out, ListeningTest("Music <b>&", SETS["dance"], checks=1, seed=3), "real")
    return out, report


def test_clips_are_paired_by_name_and_the_odd_one_is_named(made):
    assert made[1] == {"items": 3, "clips": 3 * 3 + 1, "left_out": ["alone"]}


def test_nothing_on_the_page_tells_whose_clip_is_whose(made):
    out, _ = made
    page = (out / "page" / "index.html").read_text("utf-8")
    names = " ".join(p.name for p in (out / "page").rglob("*"))
    for word in ("real", "ours", "anchor", "clip0"):
        assert word not in page.split('type="application/json">')[1].split("</script>")[0]
        assert word not in names
    assert "Music &lt;b&gt;&amp;" in page
    key = read_key(out)
    assert sorted(c["system"] for c in key["clips"].values()).count(LOW_PASS) == 3


@pytest.mark.slow
def test_all_clips_are_equally_loud(made):
    levels = [loudness(read_audio(p, 44100), 44100) for p in (made[0] / "page" / "media").iterdir()]
    assert np.ptp([level for level in levels if level < -15]) < 4
    key = read_key(made[0])["clips"]
    plain = [
        loudness(read_audio(made[0] / "page" / "media" / f"{k}.wav", 44100), 44100)
        for k, c in key.items()
        if not c["beeps"]
    ]
    assert np.abs(np.array(plain) + 18).max() < 0.3


def test_the_low_anchor_has_no_highs(made):
    key = read_key(made[0])["clips"]
    for system, most in ((LOW_PASS, 1e-4), ("real", 1.0)):
        blind = next(k for k, c in key.items() if c["system"] == system)
        power = np.abs(np.fft.rfft(read_audio(made[0] / "page" / "media" / f"{blind}.wav", 44100)[0])) ** 2
        share = power[len(power) // 3 :].sum() / power.sum()
        assert share < most
    assert share > 1e-3


def test_a_second_test_does_not_overwrite_the_first(made, systems):
    with pytest.raises(D2MError, match="already holds"):
        make_test(systems, made[0], ListeningTest("x", SETS["dance"]))


def answers(key, listener="0123456789abcdef", points=None, beeps=None, seconds=5.0):
    sent = []
    for clip, about in key["clips"].items():
        given = (
            {"beeps": about["beeps"] if beeps is None else beeps}
            if about["beeps"]
            else {q["name"]: (points or (lambda _: 3))(about) for q in key["questions"]}
        )
        sent.append({"clip": clip, "answers": given, "plays": 1, "seconds": seconds})
    return json.dumps({"listener": listener, "about": {"listening": "headphones"}, "answers": sent}).encode()


def test_answers_are_read_with_the_key(made):
    key = read_key(made[0])
    listener = parse(answers(key), key)
    assert (listener.checks, listener.failed, len(listener.ratings)) == (1, 0, 9)
    assert parse(answers(key, beeps=1), key).failed == 1


@pytest.mark.parametrize(
    "spoil",
    [
        lambda s: s.replace(b'"coherence": 3', b'"coherence": 6'),
        lambda s: s.replace(b'"coherence": 3', b'"coherence": true'),
        lambda s: s.replace(b"0123456789abcdef", b"../../../etc/pas"),
        lambda s: s[:-20],
        lambda s: b"[" * 100_000,
        lambda s: b" " * 300_000,
        lambda s: s.replace(b'"clip": "', b'"clip": "x'),
    ],
)
def test_forged_answers_are_refused(made, spoil):
    key = read_key(made[0])
    with pytest.raises(D2MError, match="answers"):
        parse(spoil(answers(key)), key)


@pytest.fixture
def server(made):
    with ListeningServer(made[0], port=0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()
    shutil.rmtree(made[0] / "answers", ignore_errors=True)


def test_the_server_shows_the_page_and_nothing_else(server):
    assert b"<!doctype html>" in urllib.request.urlopen(server.url).read()
    for path in ("../key.json", "key.json", "%2e%2e/key.json", "media/", "nothing"):
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(server.url + path)


def test_the_server_serves_parts_of_media(server, made):
    path = next((made[0] / "page" / "media").iterdir())
    for asked, expected in (
        ("bytes=10-19", slice(10, 20)),
        ("bytes=-7", slice(-7, None)),
        ("bytes=20-", slice(20, None)),
    ):
        request = urllib.request.Request(f"{server.url}media/{path.name}", headers={"Range": asked})
        with urllib.request.urlopen(request) as reply:
            assert reply.status == 206
            assert reply.read() == path.read_bytes()[expected]
    with pytest.raises(urllib.error.HTTPError, match="416"):
        urllib.request.urlopen(
            urllib.request.Request(server.url + f"media/{path.name}", headers={"Range": "bytes=99999999-"})
        )


def test_answers_arrive_and_forged_ones_do_not(server, made):
    key = read_key(made[0])
    urllib.request.urlopen(urllib.request.Request(server.url + "answers", answers(key))).read()
    with pytest.raises(urllib.error.HTTPError, match="400"):
        urllib.request.urlopen(urllib.request.Request(server.url + "answers", b"{}"))
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(urllib.request.Request(server.url + "else", b"{}"))
    listeners, refused = analysis.read_answers(made[0])
    assert [person.name for person in listeners] == ["0123456789abcdef"]
    assert refused == {}


def people(count, seed, effect, noise=0.7):
    """Listeners who hear ten items of two systems; the second is ``effect`` points better."""
    rng = np.random.default_rng(seed)
    quality = rng.normal(3, 0.6, 10)
    found = []
    for i in range(count):
        ratings = [
            Rating(
                f"{i:016x}", f"item{j}", system,
                {"q": int(np.clip(round(quality[j] + gain + rng.normal(0, noise)), 1, 5))}, 5.0,
            )
            for j in range(10)
            for system, gain in (("a", 0), ("b", effect))
        ]  # fmt: skip
        found.append(Listener(f"{i:016x}", tuple(ratings), 2, 0, {}))
    return found


def test_a_real_difference_is_found_and_its_size_told():
    found = analysis.analyse(people(20, 0, 0.8))["questions"]["q"]
    (pair,) = found["pairs"]
    assert pair["p_holm"] < 0.001
    assert pair["difference"] == pytest.approx(-0.8, abs=0.2)
    assert pair["preference"] < 0.1
    score = found["scores"]["b"]
    assert score["low"] < score["mean"] < score["high"]
    assert found["reliability"]["alpha"] > 0.3


@pytest.mark.slow
def test_where_there_is_no_difference_few_are_found():
    alarms = [analysis.analyse(people(12, seed, 0.0))["questions"]["q"]["pairs"][0]["p"] < 0.05 for seed in range(40)]
    assert np.mean(alarms) < 0.15


def person(number, points):
    """A listener with these points for clips of one system."""
    name = f"{number:016x}"
    return Listener(name, tuple(Rating(name, f"{j}", "a", {"q": p}, 5.0) for j, p in enumerate(points)), 0, 0, {})


def test_intervals_hold_the_truth_nineteen_times_in_twenty():
    held = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        table = [person(i, [int(rng.integers(1, 6)) for _ in range(6)]) for i in range(15)]
        score = analysis.analyse(table)["questions"]["q"]["scores"]["a"]
        held += score["low"] <= 3 <= score["high"]
    assert 0.85 <= held / 60 <= 1


def test_unreliable_listeners_are_left_out_by_name():
    crowd = people(6, 0, 0.5)
    bored = Listener(
        "b" * 16, tuple(Rating("b" * 16, r.item, r.system, {"q": 3}, 5.0) for r in crowd[0].ratings), 2, 0, {}
    )
    hasty = Listener(
        "c" * 16, tuple(Rating("c" * 16, r.item, r.system, r.answers, 0.4) for r in crowd[0].ratings), 2, 0, {}
    )
    deaf = Listener("d" * 16, crowd[0].ratings, 2, 2, {})
    report = analysis.analyse([*crowd, bored, hasty, deaf])
    assert set(report["left_out"]) == {"b" * 16, "c" * 16, "d" * 16}
    assert report["listeners"] == 6
    assert analysis.analyse([*crowd, bored, hasty, deaf], keep_all=True)["listeners"] == 9


def test_alpha_agrees_with_the_published_example():
    # Krippendorff 2011, section C/D: four observers, twelve units, interval data: 0.849
    nan = np.nan
    table = np.array(
        [
            [1, 2, 3, 3, 2, 1, 4, 1, 2, nan, nan, nan],
            [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, nan, 3],
            [nan, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, nan],
            [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, nan],
        ]
    )
    assert analysis.alpha(table) == pytest.approx(0.849, abs=5e-4)


def test_the_sign_test_counts_all_tosses():
    assert analysis.sign_flip_test(np.array([1.0, 1, 1, 1])) == pytest.approx(2 / 16)
    assert analysis.sign_flip_test(np.zeros(5)) == 1.0
    assert analysis.sign_flip_test(np.full(40, 0.5)) == pytest.approx(1 / 20_001)


def test_holm_corrects_step_by_step():
    assert analysis.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])


def test_questions_come_from_a_file_too(tmp_path):
    file = tmp_path / "q.toml"
    file.write_text('[[question]]\nname = "fun"\ntext = "Fun?"\n')
    assert read_questions(str(file))[0].points[4] == "excellent"
    file.write_text('[[question]]\nname = "fun"\ntext = "Fun?"\npoints = ["no", "yes"]\n')
    with pytest.raises(D2MError, match="five points"):
        read_questions(str(file))
    with pytest.raises(D2MError, match="choose dance, music"):
        read_questions("nothing")


@pytest.mark.slow
def test_the_command_line_makes_and_analyses(systems, tmp_path, capsys):
    folders = [word for name, folder in systems.items() for word in ("--system", f"{name}={folder}")]
    assert main(["evaluate", "listening", "make", *folders, "-o", str(tmp_path / "t"), "--questions", "music"]) == 0
    key = read_key(tmp_path / "t")
    (tmp_path / "t" / "answers").mkdir()
    for i in range(3):
        sent = answers(key, f"{i:016x}", lambda about: 4 if about["system"] == "ours" else 2)
        (tmp_path / "t" / "answers" / f"{i}.json").write_bytes(sent)
    (tmp_path / "t" / "answers" / "broken.json").write_bytes(b"{")
    capsys.readouterr()
    assert main(["evaluate", "listening", "analyse", str(tmp_path / "t"), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["questions"]["harmony"]["scores"]["ours"]["mean"] == 4
    assert "broken.json" in report["refused"]
    assert main(["evaluate", "listening", "analyse", str(tmp_path)]) == 1
    assert "no listening test in" in capsys.readouterr().err


@pytest.mark.slow
def test_sound_alone_is_asked_about_sound_and_the_table_goes_into_a_paper(systems, tmp_path, capsys):
    words = ["evaluate", "listening", "make", "--reference", f"real={systems['real']}", "-o", str(tmp_path / "t")]
    words += ["--system", f"ours={systems['ours']}", "--checks", "1"]
    assert main([*words, "--questions", "dance"]) == 1
    assert "no picture" in capsys.readouterr().err
    assert main(words) == 0
    assert "3 items, 10 clips" in capsys.readouterr().out
    key = read_key(tmp_path / "t")
    assert [question["name"] for question in key["questions"]] == ["quality", "overall"]
    assert not any("dance" in question["text"] for question in key["questions"])
    assert key["reference"] == "real"
    assert "In one clip you hear beeps" in (tmp_path / "t" / "page" / "index.html").read_text("utf-8")
    (tmp_path / "t" / "answers").mkdir()
    points = {"ours": 4, "real": 5, LOW_PASS: 2}
    for i in range(3):
        sent = answers(key, f"{i:016x}", lambda about: points[about["system"]])
        (tmp_path / "t" / "answers" / f"{i}.json").write_bytes(sent)
    assert main(["evaluate", "listening", "analyse", str(tmp_path / "t"), "--format", "md"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "| system | quality | overall |"
    assert lines[2].startswith("| real | 5.00 (5.00 to 5.00)")
    assert "3 listeners" in lines[-1]
    assert main(["evaluate", "listening", "analyse", str(tmp_path / "t"), "--format", "latex"]) == 0
    table = capsys.readouterr().out
    assert table.count(r"\begin{") == table.count(r"\end{") == 2
    assert r"\textbf{" not in table.split("real &")[1].split("ours &")[0]
    assert main(["evaluate", "listening", "analyse", str(tmp_path / "t")]) == 0
    assert capsys.readouterr().out.startswith("3 listeners\n")
    (tmp_path / "t" / "answers" / "1.json").unlink()
    (tmp_path / "t" / "answers" / "2.json").unlink()
    assert main(["evaluate", "listening", "analyse", str(tmp_path / "t")]) == 0
    assert capsys.readouterr().out.startswith("1 listener\n")


DRIVER = """<!doctype html><iframe id="f" src="/" width="900" height="700"></iframe><script>
const sleep = (ms) => new Promise((r) => setTimeout(r, ms));
(async () => {
  const frame = document.getElementById("f");
  await new Promise((r) => (frame.onload = r));
  const page = frame.contentDocument;
  for (const select of page.querySelectorAll("select")) select.selectedIndex = 1;
  page.querySelector("#about button").click();
  let done = -1;
  while (page.getElementById("end").hidden) {
    const bar = page.getElementById("progress");
    const media = page.querySelector("#player audio, #player video");
    if (bar.value === done || !media) { await sleep(20); continue; }
    done = bar.value;
    if (!page.querySelector("#answers button").disabled) throw new Error("answers before the clip was heard");
    media.playbackRate = 8;
    media.muted = true;
    await media.play();
    while (page.querySelector("#answers button").disabled) await sleep(20);
    for (const field of page.querySelectorAll("fieldset")) field.querySelectorAll("input")[3].click();
    page.querySelector("#answers button").click();
  }
})();
</script>"""


@pytest.mark.browser
def test_a_listener_gets_through_in_a_browser(made, tmp_path):
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if not chromium:
        pytest.skip("needs Chromium")
    driver = tmp_path / "driver.html"
    driver.write_text(DRIVER)
    with ListeningServer(made[0], port=0) as server:
        server.files["/driver.html"] = driver
        server.policy = "default-src 'self' 'unsafe-inline'"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        command = [
            chromium,
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            f"--user-data-dir={tmp_path / 'profile'}",
        ]
        command += ["--autoplay-policy=no-user-gesture-required", "--disable-dev-shm-usage", server.url + "driver.html"]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as browser:
            until = time.monotonic() + 120
            while time.monotonic() < until and not any((made[0] / "answers").glob("*.json")):
                time.sleep(0.1)
            browser.kill()
        server.shutdown()
    (listener,), refused = analysis.read_answers(made[0])
    shutil.rmtree(made[0] / "answers")
    assert refused == {}
    assert len(listener.ratings) == 9
    assert listener.checks == 1
    assert {value for rating in listener.ratings for value in rating.answers.values()} == {4}


def test_a_clip_that_cannot_be_read_leaves_nothing_behind(systems, tmp_path):
    broken = tmp_path / "broken"
    shutil.copytree(systems["ours"], broken)
    (broken / "clip2.wav").write_bytes(b"RIFF")
    with pytest.raises(D2MError, match="clip2"):
        make_test({"real": systems["real"], "broken": broken}, tmp_path / "t", ListeningTest("x", SETS["dance"]))
    assert [path.name for path in tmp_path.iterdir()] == ["broken"]
