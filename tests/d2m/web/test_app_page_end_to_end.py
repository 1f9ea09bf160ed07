"""The studio's page against the studio itself: a clip of four seconds, from the upload to the files."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from browsers import Visit, missing, open_browser
from page_visits import BOTH, EXAMPLE, opened

#: Seconds that a job may take where the machine is busy with other tests.
PATIENCE = 240.0
pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def browser(request) -> Iterator:
    with opened(request.param) as found:
        yield found


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    """The first four seconds of the example, without sound."""
    import av

    path = tmp_path_factory.mktemp("clip") / "four.mp4"
    with av.open(EXAMPLE) as source, av.open(path, "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.pts is not None and packet.pts * packet.time_base < 4:
                packet.stream = stream
                target.mux(packet)
    return path


@pytest.fixture(scope="module")
def address(tmp_path_factory) -> Iterator[str]:
    """Where ``d2m app`` serves, on a free port."""
    command = [sys.executable, "-P", "-m", "d2m", "app", "--port", "0", "--workers", "1"]
    command += ["--folder", str(tmp_path_factory.mktemp("studio"))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as server:
        assert server.stdout is not None
        try:
            found = None
            while found is None:
                line = server.stdout.readline()
                assert line, "the studio ended"
                found = re.search(r"http://\S+/", line)
            yield found[0]
        finally:
            server.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait(30)
            server.kill()


def download(seen: Visit, link: str) -> bytes:
    """What a link of the panel gives."""
    script = f"""(async () => {{
      const reply = await fetch(document.querySelector({link!r}).href);
      const bytes = new Uint8Array(await reply.arrayBuffer());
      return [reply.status, [...bytes]];
    }})()"""
    status, content = seen.run(script)
    assert status == 200
    return bytes(content)


@BOTH
def test_from_a_video_to_its_files(browser, address, clip, tmp_path):
    seen = Visit(browser)
    page = seen.page
    page.goto(address)
    seen.until("globalThis.d2m?.start && !document.getElementById('start').hidden", 60)
    page.set_input_files("#file", clip)
    seen.until("d2m.studio.heard", PATIENCE)
    seen.until("d2m.studio.takes.length === 3 && d2m.studio.clip.jobs.every(j => j.state === 'done')", PATIENCE)
    assert seen.run("d2m.overlay.landmarks.people") == 1
    # In step, and round the end of the loop.
    seen.run("d2m.player.setLoop(true, null)")
    seen.run("d2m.player.play()")
    seen.until("d2m.player.state === 'playing' && d2m.player.position > 1", 30)
    time.sleep(6)
    apart = sorted(abs(each) for each in seen.run("d2m.player.differences.map(each => each[1])"))
    assert len(apart) > 50
    assert apart[len(apart) // 2] < 0.04
    # Another section with another mood: the first section is not made again.
    seen.run("d2m.player.pause()")
    seen.run("d2m.player.seek(2.2)")
    page.get_by_role("button", name="Split here").click()
    assert seen.run("d2m.studio.plan.section.length") == 2
    page.locator("#inspector").get_by_label("Mood").select_option("gloomy")
    page.get_by_role("button", name="Update the music").first.click()
    changed = "d2m.studio.heardPiece.sections.length === 2 && d2m.studio.heardPiece.sections[1].mood"
    seen.until(f"({changed}) === 'gloomy:0.7'", PATIENCE)
    page.locator("#inspector").get_by_role("button", name="Other idea").click()
    page.get_by_role("button", name="Update the music").first.click()
    seen.until("d2m.studio.heardPiece.sections[1].seed === 1", PATIENCE)
    assert seen.run("d2m.studio.heardPiece.reused") == [True, False]
    # The levels are heard from the channels.
    page.get_by_role("tab", name="Mix").click()
    seen.until("d2m.studio.stemsOf === d2m.studio.heard", PATIENCE)
    assert seen.run("d2m.player.sound.set.tracks.size") >= 2
    page.get_by_role("tab", name="Save").click()
    page.get_by_role("button", name="Make the video").click()
    seen.until("document.querySelector('#panel-save a.main')", PATIENCE)
    assert download(seen, "#panel-save a.main")[4:8] == b"ftyp"
    music = download(seen, "#panel-save a[href*='sound.wav']")
    assert music[:4] == b"RIFF"
    assert download(seen, "#panel-save a[href*='notes.mid']")[:4] == b"MThd"
    plan = tmp_path / "plan.toml"
    plan.write_bytes(download(seen, "#panel-save a[href*='plan.toml']"))
    # The same plan plays the same music outside of the studio.
    from d2m.media.write import write_wav
    from d2m.plans.files import read_plan
    from d2m.plans.play import play_with

    sound = play_with(read_plan(plan))
    write_wav(tmp_path / "again.wav", sound.waveform, sound.sample_rate)
    assert (tmp_path / "again.wav").read_bytes() == music
    assert [line for line in seen.complaints if "404" not in line] == []
    seen.close()


@pytest.fixture(scope="module")
def camera(tmp_path_factory) -> Path:
    """What a camera sees: the example as Motion JPEG."""
    import av

    path = tmp_path_factory.mktemp("camera") / "camera.mjpeg"
    with av.open(EXAMPLE) as source, av.open(path, "w", format="mjpeg") as target:
        pictures = source.streams.video[0]
        stream = target.add_stream("mjpeg", rate=30, options={"q:v": "4"})
        stream.width, stream.height, stream.pix_fmt = pictures.width, pictures.height, "yuvj420p"
        for frame in source.decode(pictures):
            target.mux(stream.encode(frame.reformat(format="yuvj420p")))
        target.mux(stream.encode(None))
    return path


@pytest.mark.skipif(bool(missing("chromium")), reason=missing("chromium"))
def test_a_dance_recorded_with_the_camera_gets_music(address, camera):
    with open_browser("chromium", camera) as browser:
        seen = Visit(browser, permissions=["camera"])
        page = seen.page
        page.goto(address)
        seen.until("globalThis.d2m?.start && !document.getElementById('start').hidden", 60)
        page.get_by_role("button", name="Record with the camera").click()
        dialog = page.get_by_role("dialog", name="Record a dance")
        seen.until("document.getElementById('camera-view').videoWidth > 0", 30)
        dialog.get_by_role("button", name="Record").click()
        seen.until("document.getElementById('camera-status').textContent.startsWith('Recording: 0:04')", 30)
        dialog.get_by_role("button", name="Stop").click()
        seen.until("!document.getElementById('camera-use').hidden")
        dialog.get_by_role("button", name="Use this video").click()
        seen.until("d2m.studio.heard", PATIENCE)
        assert seen.run("document.getElementById('camera-view').srcObject") is None
        assert seen.run("d2m.overlay.landmarks.people") == 1
        assert 3.5 < seen.run("d2m.player.duration") < 7
        assert seen.complaints == []
        seen.close()
