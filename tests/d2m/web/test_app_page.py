"""The studio's page in real browsers, against a server that makes test tones in place of music."""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest
from browsers import Visit
from page_server import FakeStudio, Server, serving
from page_visits import BOTH, EXAMPLE, LENGTH, ONE, opened, quiet, said, studio, updated, visit

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser(request) -> Iterator:
    with opened(request.param) as found:
        yield found


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(FakeStudio(EXAMPLE, LENGTH)) as running:
        yield running


@BOTH
def test_an_upload_becomes_takes_that_are_heard_in_step_with_the_picture(browser, server):
    seen = visit(browser, server)
    server.studio.hold.clear()
    seen.page.set_input_files("#file", EXAMPLE)
    seen.until("document.querySelector('#jobs .job')")
    assert "Watching the dance" in seen.page.inner_text("#jobs")
    assert "next in the queue" in seen.page.inner_text("#jobs")
    server.studio.hold.set()
    seen.until("d2m.studio.heard")
    # The first take plays before the others are there.
    seen.page.click("#big-play")
    seen.until("d2m.studio.takes.length === 3 && d2m.player.position > 1")
    assert seen.page.get_by_role("radio").count() == 3
    assert seen.page.get_by_role("radio", checked=True).get_attribute("data-key") == "take " + seen.run(
        "d2m.studio.takes[0].id"
    )
    # Another take goes on where this one is.
    before = seen.run("d2m.player.position")
    seen.page.keyboard.press("2")
    seen.until("d2m.studio.heard === d2m.studio.takes[1].id")
    assert 0 <= seen.run("d2m.player.position") - before < 3
    wish = server.studio.wishes[1]
    assert wish == {"kind": "compose", "count": 3, "options": {}}
    quiet(seen, server)


def differences(seen: Visit) -> list[float]:
    """Milliseconds by which the picture was ahead of the music, while both ran."""
    return [1000 * each for each in seen.run("d2m.player.differences.map(each => each[1])")]


@BOTH
def test_seek_pause_loop_and_speed_keep_both_together(browser, server):
    seen = studio(browser, server)
    seen.page.click("#big-play")
    seen.until("d2m.player.position > 0.8")
    seen.run("d2m.player.seek(7)")
    seen.until("d2m.player.state === 'playing' && d2m.player.position > 7.6")
    seen.page.click("[data-key=play]")
    seen.until("d2m.player.state === 'paused'")
    assert seen.run("d2m.player.picture.front.paused")
    rest = seen.run("d2m.player.position")
    assert abs(seen.run("d2m.player.picture.time") - rest) < 0.1
    seen.page.click("[data-key=loop]")
    seen.page.click("[data-key=play]")
    # Round the end twice, and then in slow motion.
    seen.until("d2m.player.position < 2 && d2m.player.state === 'playing'", 8)
    seen.run("d2m.player.setLoop(true, [2, 4])")
    seen.until("d2m.player.position > 3.6", 8)
    seen.until("d2m.player.position < 2.6 && d2m.player.position > 2.2", 8)
    seen.page.select_option("[data-key=speed]", "0.5")
    seen.until("d2m.player.state === 'playing' && d2m.player.rate === 0.5")
    rates = "[d2m.player.picture.front.playbackRate, d2m.player.sound.set.tracks.get('sum').source.playbackRate.value]"
    picture, music = seen.run(rates)
    assert picture == pytest.approx(0.5, rel=0.11)
    assert music == 0.5
    seen.until("d2m.player.position > 3", 10)
    apart = differences(seen)
    assert len(apart) > 100
    assert statistics.median(abs(each) for each in apart) < 20
    seen.run("d2m.player.pause()")
    seen.run("d2m.player.setLoop(false)")
    seen.run("d2m.player.setRate(1)")
    seen.run("d2m.player.seek(9.3)")
    seen.run("d2m.player.play()")
    seen.until("d2m.player.state === 'paused'", 5)
    assert seen.run("d2m.player.position") == pytest.approx(LENGTH, abs=0.05)
    quiet(seen, server)


@BOTH
def test_what_leaves_the_loudspeaker_is_what_the_clock_says(browser):
    """The music is a ramp here, so each sample that is sent says where in the piece it lies."""
    with serving(FakeStudio(EXAMPLE, LENGTH, ramp=True)) as server:
        seen = studio(browser, server)
        seen.run("d2m.player.sound.setVolume(1)")
        script = """(async () => {
          const { sound, picture } = d2m.player;
          const ear = sound.context.createAnalyser();
          ear.fftSize = 2048;
          sound.out.connect(ear);
          await d2m.player.setLoop(true, null);
          await d2m.player.play();
          const samples = new Float32Array(2048);
          const found = [];
          const until = performance.now() + 14000;
          while (performance.now() < until) {
            await new Promise((resolve) => setTimeout(resolve, 50));
            if (!sound.playing || d2m.player.position < 0.5) continue;
            ear.getFloatTimeDomainData(samples);
            const now = sound.context.currentTime;
            const heard = (samples[2047] + 0.5) * sound.duration;
            const late = now - sound.heardTime();
            const inside = heard > 1 && heard < sound.duration - 0.5;
            if (inside) found.push([heard - sound.positionAt(now), heard - late - picture.time]);
          }
          return found;
        })()"""
        found = seen.run(script)
        assert len(found) > 60
        # The block that was last computed is up to some milliseconds old.
        assert statistics.median(abs(clock) for clock, _ in found) < 0.04
        assert statistics.median(abs(picture) for _, picture in found) < 0.04
        seen.close()


@BOTH
@pytest.mark.slow
def test_picture_and_music_stay_together_through_loops(browser, server):
    """The clip of ten seconds is looped; `docs/app-page.md` has the figures of a minute on a machine with time."""
    seen = studio(browser, server)
    seen.run("d2m.player.setLoop(true, null)")
    seen.run("d2m.player.play()")
    seen.until("d2m.player.state === 'playing'")
    seen.run("(d2m.player.differences.length = 0)")
    seen.run("new Promise((resolve) => setTimeout(resolve, 25000))")
    apart = differences(seen)
    quiet(seen, server)
    assert len(apart) > 200
    # On a processor that other tests share, many frames come late.
    assert sorted(abs(each) for each in apart)[len(apart) // 2] <= 40


@BOTH
def test_borders_and_hits_move_by_keys_and_only_what_changed_is_made_again(browser, server):
    seen = studio(browser, server)
    page = seen.page
    border = page.get_by_role("slider", name="Border of sections 1 and 2")
    assert border.get_attribute("aria-valuetext") == "bar 3, 0:04.0"
    border.focus()
    page.keyboard.press("ArrowRight")
    assert seen.run("d2m.studio.plan.section.map(s => [s.start, s.end])") == [[0, 6], [6, 10]]
    assert said(seen) == "bar 4, 0:06.0"
    # The focus stays on what is moved.
    assert seen.run("document.activeElement.dataset.key") == "border 1"
    page.keyboard.press("Home")
    assert seen.run("d2m.studio.plan.section[1].start") == 2
    page.keyboard.press("Control+z")
    assert seen.run("d2m.studio.plan.section[1].start") == 4
    page.keyboard.press("Control+Shift+z")
    assert seen.run("d2m.studio.plan.section[1].start") == 2
    hit = page.get_by_role("button", name=re.compile("^Hit 1 at"))
    hit.focus()
    page.keyboard.press("ArrowRight")
    assert seen.run("d2m.studio.plan.hit[0].time") == 2.5
    page.keyboard.press("ArrowDown")
    seen.until("document.activeElement.dataset.key === 'hit 1'")
    page.keyboard.press("Delete")
    assert seen.run("d2m.studio.plan.hit.length") == 1
    assert "sections changed" in page.inner_text("#timeline")
    seen.run("d2m.player.play()")
    seen.until("d2m.player.position > 0.5")
    first = seen.run("d2m.studio.heard")
    page.keyboard.press("Control+z")
    page.get_by_role("button", name="Update the music").first.click()
    seen.until(f"d2m.studio.heard !== '{first}' && !d2m.studio.needsUpdate")
    wish = server.studio.wishes[-1]
    assert wish["kind"] == "play"
    assert wish["base"] == first
    assert [each["start"] for each in wish["plan"]["section"]] == [0, 2]
    assert seen.run("d2m.player.state") == "playing"
    # What was heard before is back at once.
    for _ in range(4):
        page.keyboard.press("Control+z")
    seen.until(f"d2m.studio.heard === '{first}'")
    assert [each["kind"] for each in server.studio.wishes].count("play") == 1
    quiet(seen, server)


@ONE
def test_borders_are_drawn_with_the_pointer_and_rest_on_bar_lines(browser, server):
    seen = studio(browser, server)
    border = seen.page.get_by_role("slider", name="Border of sections 1 and 2")
    border.scroll_into_view_if_needed()
    box, lane = border.bounding_box(), seen.page.locator(".section-lane").bounding_box()
    seen.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 20)
    seen.page.mouse.down()
    seen.page.mouse.move(lane["x"] + lane["width"] * 0.77, box["y"] + 20, steps=6)
    assert seen.page.locator(".border.dragged").get_attribute("data-time") == "bar 5, 0:08.0"
    seen.page.mouse.up()
    assert seen.run("d2m.studio.plan.section.map(s => [s.start, s.end])") == [[0, 8], [8, 10]]
    quiet(seen, server)


@BOTH
def test_a_section_is_split_changed_joined_and_updated(browser, server):
    seen = studio(browser, server)
    page = seen.page
    seen.run("d2m.player.seek(6.1)")
    page.get_by_role("button", name="Split here").click()
    assert seen.run("d2m.studio.plan.section.map(s => s.start)") == [0, 4, 6]
    inspector = page.locator("#inspector")
    assert "Section 3" in inspector.inner_text()
    inspector.get_by_label("Mood").select_option("gloomy")
    strength = inspector.get_by_label("Strength")
    strength.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert seen.run("d2m.studio.plan.section[2].mood") == "gloomy:0.8"
    inspector.get_by_role("button", name="Other idea").click()
    assert seen.run("d2m.studio.plan.section[2].seed") == 1
    page.get_by_role("button", name="Update the music").first.click()
    updated(seen)
    assert server.studio.wishes[-1]["plan"]["section"][2]["mood"] == "gloomy:0.8"
    assert seen.run("d2m.studio.heardPiece.reused") == [True, False, False]
    page.get_by_role("button", name="Section 2 of 3").click()
    inspector.get_by_role("button", name="Join with the next").click()
    assert seen.run("d2m.studio.plan.section.length") == 2
    quiet(seen, server)


@BOTH
def test_the_mood_of_a_take_changes_and_another_tempo_makes_a_take(browser, server):
    seen = studio(browser, server)
    page = seen.page
    page.get_by_role("tab", name="Music").click()
    panel = page.locator("#panel-music")
    panel.get_by_label("Mood").select_option("bright")
    panel.get_by_role("button", name="Change this take").click()
    updated(seen)
    assert {each["mood"] for each in server.studio.wishes[-1]["plan"]["section"]} == {"bright:0.7"}
    panel.get_by_label("Tempo", exact=True).select_option("half")
    panel.get_by_role("button", name="Change this take").click()
    seen.until("d2m.studio.takes.length === 4")
    assert server.studio.wishes[-1] == {
        "kind": "compose",
        "count": 1,
        "options": {"mood": "bright:0.7", "tempo": "half", "seed": 0},
    }
    quiet(seen, server)


@BOTH
def test_the_mix_is_heard_at_once_and_saved_with_the_files(browser, server):
    seen = studio(browser, server)
    page = seen.page
    page.get_by_role("tab", name="Mix").click()
    seen.until("d2m.studio.stemsOf")
    slider = page.get_by_label("Level of Bass")
    slider.focus()
    for _ in range(12):
        page.keyboard.press("ArrowLeft")
    page.get_by_role("button", name="Mute Drums").click()
    level = "[...d2m.player.sound.set.tracks].map(([name, track]) => [name, Math.round(1000 * track.gain.gain.value)])"
    seen.run("d2m.player.play()")
    seen.until(f"{level}.toString() === 'kick,0,bass,501,keys,1000'")
    page.get_by_role("button", name="Solo Piano and keys").click()
    seen.until(f"Object.fromEntries({level}).bass === 0")
    page.get_by_role("button", name="Solo Piano and keys").click()
    # Nothing has to be made before it is saved.
    assert not seen.run("d2m.studio.needsUpdate")
    assert [each["kind"] for each in server.studio.wishes] == ["watch", "compose"]
    heard = seen.run("d2m.studio.heard")
    page.get_by_role("tab", name="Save").click()
    page.get_by_role("button", name="Make the video").click()
    seen.until("document.querySelector('#panel-save a.main')")
    play, export = server.studio.wishes[-2:]
    assert play["plan"]["mix"] == {"bass": -6, "without": ["drums"]}
    assert export["kind"] == "export"
    assert export["piece"] != heard
    assert seen.run("d2m.studio.heard") == heard
    links = seen.run("[...document.querySelectorAll('#panel-save a')].map(a => a.getAttribute('href'))")
    piece = f"/pieces/{export['piece']}/"
    assert all(piece in each and each.endswith("?download=1") for each in links)
    names = {each.split("/")[-1] for each in links}
    assert {"clip.mp4?download=1", "sound.wav?download=1", "notes.mid?download=1", "plan.toml?download=1"} < names
    quiet(seen, server)


@ONE
def test_a_file_is_downloaded(browser, server):
    seen = studio(browser, server)
    seen.page.get_by_role("tab", name="Save").click()
    with seen.page.expect_download() as download:
        seen.page.get_by_role("button", name="Make the video").click()
    assert download.value.suggested_filename == "dance.d2m.mp4"
    assert Path(download.value.path()).read_bytes() == EXAMPLE.read_bytes()
    quiet(seen, server)
