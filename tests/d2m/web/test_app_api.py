"""JSON API of the studio: clips, jobs and pieces, with workers that do what the test says."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from app_studio import MP4, PLAN, staged, upload

from d2m.web.app.store import size_of

MAKE = json.dumps({"kind": "compose", "count": 2, "options": {"genre": "house", "seed": 4}})


def jobs(clip: dict[str, Any]) -> dict[str, str]:
    return {job["kind"]: job["state"] for job in clip["jobs"]}


def test_a_clip_is_watched_and_its_candidates_appear_one_by_one(tmp_path, monkeypatch):
    with staged(tmp_path, monkeypatch) as stage:
        clip = upload(stage.client, make=MAKE)
        assert jobs(clip) == {"watch": "running", "compose": "queued"}
        assert stage.client.get(f"/api/clips/{clip['id']}/analysis").status_code == 409
        clip = stage.watched(clip)
        assert clip["state"] == "ready"
        assert clip["urls"]["analysis"]
        assert jobs(clip) == {"watch": "done", "compose": "running"}
        actor = stage.busy()
        assert actor.task is not None
        assert actor.task["options"] == {"genre": "house", "seed": 4}
        assert (actor.task["first"], actor.task["done"]) == (True, 0)
        stage.say(actor, "progress", stage="compose", share=0.25)
        shown = stage.client.get(clip["urls"]["self"]).json()
        assert (shown["jobs"][1]["stage"], shown["jobs"][1]["share"]) == ("compose", 0.25)
        # The seeds of the wish are 4 and 5.
        first = stage.piece(actor, 5)
        stage.say(actor, "end", state="done")
        actor = stage.busy()
        assert actor.task is not None
        assert (actor.task["first"], actor.task["done"]) == (False, 1)
        second = stage.piece(actor, 6)
        ranking = [{"seed": 5, "rank": 1, "variety": 1.0}, {"seed": 4, "rank": 2, "variety": 0.3}]
        stage.say(actor, "end", state="done", ranking=ranking)
        shown = stage.client.get(clip["urls"]["self"]).json()
        assert jobs(shown)["compose"] == "done"
        assert [(piece["id"], piece["rank"]) for piece in shown["pieces"]] == [(first, 2), (second, 1)]
        part = stage.client.get(shown["pieces"][0]["sound"], headers={"Range": "bytes=4-7"})
        assert (part.status_code, part.content) == (206, bytes(range(4)))
        saved = stage.client.get(shown["pieces"][0]["sound"], params={"download": "1"})
        assert 'filename="dance.d2m.5.wav"' in saved.headers["Content-Disposition"]
        assert stage.client.get(shown["pieces"][0]["plan"]).json()["duration"] == 8.0


def test_an_edited_plan_is_checked_before_it_waits(tmp_path, monkeypatch):
    with staged(tmp_path, monkeypatch) as stage:
        clip = upload(stage.client)
        stage.watched(clip)
        url = f"{clip['urls']['self']}/jobs"
        assert stage.client.post(url, json={"kind": "play", "plan": PLAN}).status_code == 202
        actor = stage.busy()
        assert actor.task is not None
        with open(actor.task["plan"], encoding="utf-8") as file:
            assert "seed = 3" in file.read()
        first, second = PLAN["section"]
        wrong = [
            ("section", 1, "start", {"section": [first | {"end": 4.2}, second | {"start": 4.2}]}),
            ("section", 0, "genre", {"section": [first | {"genre": "polka"}]}),
            ("section", 0, "arranger", {"section": [first | {"arranger": "/etc/shadow.mid"}]}),
            ("", None, "duration", {"duration": 5000.0, "section": [first]}),
            ("mix", None, "drums", {"mix": {"drums": 99.0}}),
        ]
        for table, index, key, change in wrong:
            answer = stage.client.post(url, json={"kind": "play", "plan": PLAN | change})
            error = answer.json()["error"]
            assert answer.status_code == 422
            assert (error["code"], error["table"], error["index"], error["key"]) == ("invalid", table, index, key)
        for plan in ("not a plan", "version = 1\nduration = [", {"version": 1}, {}):
            answer = stage.client.post(url, json={"kind": "play", "plan": plan})
            assert answer.status_code == 422
            assert "\n" not in answer.json()["error"]["message"].strip()
        unknown = {"kind": "play", "plan": PLAN, "base": "p_none"}
        assert stage.client.post(url, json=unknown).status_code == 404


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"mood": "wooden"}, "mood"),
        ({"genre": "polka"}, "polka"),
        ({"key": "H"}, "key"),
        ({"length": 5000.0}, "length"),
        ({"scenes": "/etc/passwd"}, "scenes"),
        ({"plan": "/etc/passwd"}, "plan"),
        ({"hits": "/etc/passwd"}, "hits"),
        ({"arranger": "/tmp/x.mid"}, "arranger"),
        ({"seed": -1}, "seed"),
        ({"tempo": "fast"}, "fast"),
    ],
)
def test_options_of_the_music_are_those_of_the_command_line_without_its_paths(tmp_path, monkeypatch, options, word):
    with staged(tmp_path, monkeypatch) as stage:
        clip = upload(stage.client)
        answer = stage.client.post(f"{clip['urls']['self']}/jobs", json={"kind": "compose", "options": options})
        assert answer.status_code == 422
        assert word in answer.json()["error"]["message"]


def test_a_file_that_is_no_video_fails_with_its_reason_and_so_does_what_needs_it(tmp_path, monkeypatch):
    with staged(tmp_path, monkeypatch) as stage:
        clip = upload(stage.client, make=MAKE)
        stage.say(stage.busy(), "end", state="failed", message="dance.mp4: has no picture; d2m needs a video")
        shown = stage.client.get(clip["urls"]["self"]).json()
        assert (shown["state"], shown["message"]) == ("failed", "dance.mp4: has no picture; d2m needs a video")
        assert jobs(shown) == {"watch": "failed", "compose": "failed"}
        assert not shown["jobs"][0]["retry"]
        answer = stage.client.post(f"{clip['urls']['self']}/jobs", json={"kind": "compose"})
        assert answer.status_code == 409
        assert answer.json()["error"]["code"] == "not_possible"


def test_a_cancelled_job_frees_its_worker_and_can_be_run_again(tmp_path, monkeypatch):
    with staged(tmp_path, monkeypatch, workers=1) as stage:
        clip = upload(stage.client, make=MAKE)
        other = upload(stage.client, name="other.mp4")
        watch, compose = clip["jobs"]
        assert stage.client.delete(watch["url"]).json()["state"] == "cancelled"
        shown = stage.client.get(clip["urls"]["self"]).json()
        assert jobs(shown) == {"watch": "cancelled", "compose": "cancelled"}
        assert stage.busy().clip == other["id"]
        assert stage.client.delete(watch["url"]).status_code == 409
        # What the job needs is run again before it.
        assert stage.client.post(f"{compose['url']}/retry").json()["state"] == "queued"
        assert jobs(stage.client.get(clip["urls"]["self"]).json()) == {"watch": "queued", "compose": "queued"}
        stage.say(stage.busy(), "end", state="done")
        assert stage.busy().clip == clip["id"]


def test_a_worker_that_dies_is_replaced_and_its_job_goes_on_where_it_was(tmp_path, monkeypatch):
    with staged(tmp_path, monkeypatch, workers=1) as stage:
        clip = upload(stage.client, make=MAKE)
        clip = stage.watched(clip)
        actor = stage.busy()
        stage.piece(actor, 5)
        stage.say(actor, "end", state="done")
        stage.piece(actor, 6, stems=False)
        stage.say(actor, "died", code=-9)
        shown = stage.client.get(clip["urls"]["self"]).json()
        job = shown["jobs"][1]
        assert (job["state"], job["retry"]) == ("interrupted", True)
        assert "worker process died" in job["message"]
        assert [piece["id"] for piece in shown["pieces"]] == ["p_5", "p_6"]
        time.sleep(0.05)
        assert stage.client.post(f"{job['url']}/retry").status_code == 202
        # The piece without stems is not complete and is made again.
        shown = stage.client.get(clip["urls"]["self"]).json()
        assert [piece["id"] for piece in shown["pieces"]] == ["p_5"]
        assert not list((tmp_path / "visitors").glob("*/*/pieces/p_6"))
        task = stage.app.studio.pool.busy()[0].task
        assert task is not None
        assert task["done"] == 1


def test_what_a_worker_may_not_say_ends_its_job_alone(tmp_path, monkeypatch):
    with staged(tmp_path, monkeypatch, workers=1) as stage:
        clip = stage.watched(upload(stage.client, make=MAKE))
        actor = stage.busy()
        stage.say(actor, "piece", piece={"id": "p_1", "sound": "https://evil.example/"})
        shown = stage.client.get(clip["urls"]["self"]).json()
        assert jobs(shown)["compose"] == "failed"
        assert shown["pieces"] == []
        stage.say(actor, "end", state="done")
        assert actor.idle


def test_memory_and_time_that_are_used_up_are_told_as_such(tmp_path, monkeypatch):
    with staged(tmp_path, monkeypatch, workers=1) as stage:
        for reason, word in (("memory", "memory"), ("time", "longer than is allowed")):
            clip = upload(stage.client)
            actor = stage.app.studio.pool.busy()[0]
            actor.reason = reason
            stage.say(actor, "died", code=-9)  # type: ignore[arg-type]
            shown = stage.client.get(clip["urls"]["self"]).json()
            assert shown["state"] == "failed"
            assert word in shown["message"]
            time.sleep(0.05)


def test_a_restart_keeps_clips_and_says_which_jobs_it_interrupted(tmp_path, monkeypatch):
    with staged(tmp_path, monkeypatch) as stage:
        clip = upload(stage.client, make=MAKE)
        stage.watched(clip)
        stage.piece(stage.busy(), 5)
        cookies = dict(stage.client.cookies)
        waiting = upload(stage.client, name="second.mp4")
    monkeypatch.undo()
    with staged(tmp_path, monkeypatch) as stage:
        stage.client.cookies.update(cookies)
        shown = stage.client.get("/api/session").json()["clips"]
        assert {each["name"] for each in shown} == {"second.mp4", "dance.mp4"}
        first = next(each for each in shown if each["id"] == clip["id"])
        assert jobs(first) == {"watch": "done", "compose": "interrupted"}
        assert "restarted" in first["jobs"][1]["message"]
        assert [piece["id"] for piece in first["pieces"]] == ["p_5"]
        assert stage.client.post(f"{first['jobs'][1]['url']}/retry").status_code == 202
        second = next(each for each in shown if each["id"] == waiting["id"])
        assert jobs(second) == {"watch": "interrupted"}
        assert stage.client.post(f"{second['jobs'][0]['url']}/retry").json()["state"] in ("queued", "running")


def test_events_tell_each_change_and_the_end(tmp_path, monkeypatch):
    with staged(tmp_path, monkeypatch) as stage:
        clip = upload(stage.client)
        state = next(iter(stage.app.studio.visitors.values())).clips[clip["id"]]

        async def heard() -> list[str]:
            from d2m.web.app.events import listen

            visitor = stage.app.studio.visitors[state.visitor]
            said = []
            async for event in listen(stage.app.studio, visitor, state):
                said.append(event)
                if len(said) == 2:
                    state.jobs[clip["jobs"][0]["id"]].share = 0.5
                    state.changed()
                if len(said) == 3:
                    state.gone = True
                    state.changed()
            assert visitor.streams == 0
            return said

        assert stage.client.portal is not None
        said = stage.client.portal.call(heard)
        assert said[0].startswith("retry:")
        shown = [json.loads(event.partition("data: ")[2]) for event in said[1:3]]
        assert [each["jobs"][0]["share"] for each in shown] == [0.0, 0.5]
        assert said[3] == "event: gone\ndata: {}\n\n"


def test_visitors_see_nothing_of_each_other(tmp_path, monkeypatch):
    with staged(tmp_path, monkeypatch) as stage:
        clip = upload(stage.client)
        shown = stage.watched(clip)
        other = stage.visitor()
        for url in [url for url in shown["urls"].values() if url] + [shown["jobs"][0]["url"]]:
            assert other.get(url).status_code == 404
        assert other.delete(shown["urls"]["self"]).status_code == 404
        assert other.post(f"{shown['urls']['self']}/jobs", json={"kind": "compose"}).status_code == 404
        assert other.get("/api/session").json()["clips"] == []
        cookie = stage.client.cookies["d2m_visitor"]
        assert len(cookie) >= 32
        # Who reads the disk learns no cookie.
        assert not [path for path in tmp_path.rglob("*") if cookie in path.name]


@pytest.mark.slow
def test_everything_of_a_visitor_goes_when_the_time_is_over(tmp_path, monkeypatch):
    monkeypatch.setattr("d2m.web.app.studio._ROUND", 0.1)
    with staged(tmp_path, monkeypatch, keep_seconds=0.4) as stage:
        upload(stage.client)
        assert size_of(tmp_path / "visitors") > 0
        until = time.monotonic() + 10
        while stage.app.studio.visitors and time.monotonic() < until:
            time.sleep(0.1)
        assert not stage.app.studio.visitors
        assert list((tmp_path / "visitors").iterdir()) == []
        assert stage.client.get("/api/session").json()["clips"] == []


@pytest.mark.slow
def test_a_visitor_can_remove_clips_pieces_and_everything(tmp_path, monkeypatch):
    with staged(tmp_path, monkeypatch) as stage:
        clip = stage.watched(upload(stage.client, make=MAKE))
        stage.piece(stage.busy(), 5)
        assert stage.client.delete(f"{clip['urls']['self']}/pieces/p_5").status_code == 204
        assert stage.client.get(clip["urls"]["self"]).json()["pieces"] == []
        second = upload(stage.client)
        assert stage.client.delete(clip["urls"]["self"]).status_code == 204
        assert stage.client.get(clip["urls"]["self"]).status_code == 404
        assert [each["id"] for each in stage.client.get("/api/session").json()["clips"]] == [second["id"]]
        assert stage.client.delete("/api/session").status_code == 204
        assert list((tmp_path / "visitors").iterdir()) == []


def test_clips_jobs_and_bytes_are_limited(tmp_path, monkeypatch):
    with staged(tmp_path, monkeypatch, clips=2, jobs=3, bytes=5000) as stage:
        clip = upload(stage.client)
        large = stage.client.post("/api/clips?name=a.mp4", content=MP4 + bytes(5000))
        assert (large.status_code, large.json()["error"]["code"]) == (413, "too_large")
        upload(stage.client)
        full = stage.client.post("/api/clips?name=a.mp4", content=MP4)
        assert (full.status_code, full.json()["error"]["code"]) == (429, "too_many")
        assert int(full.headers["Retry-After"]) > 0
        url = f"{clip['urls']['self']}/jobs"
        assert stage.client.post(url, json={"kind": "compose"}).status_code == 202
        assert stage.client.post(url, json={"kind": "compose"}).status_code == 429
        assert len(list((tmp_path / "visitors").glob("*/c_*"))) == 2
    with staged(tmp_path / "b", monkeypatch, address_uploads=1) as stage:
        upload(stage.client)
        assert stage.visitor().post("/api/clips?name=a.mp4", content=MP4).status_code == 429
    with staged(tmp_path / "c", monkeypatch, total_bytes=1500) as stage:
        full = stage.client.post("/api/clips?name=a.mp4", content=MP4)
        assert full.status_code == 413


def test_places_and_times_in_the_queue_are_told(tmp_path, monkeypatch):
    with staged(tmp_path, monkeypatch, workers=1) as stage:
        clips = [upload(visitor) for visitor in (stage.client, stage.visitor(), stage.visitor())]
        assert [clip["jobs"][0]["place"] for clip in clips] == [0, 1, 2]
        waits = [clip["jobs"][0]["wait"] for clip in clips]
        assert 0 < waits[1] < waits[2]
        answer = stage.client.get("/api/session").json()
        assert answer["queue"] == {"waiting": 2, "running": 1}


def test_health_metrics_and_the_description_of_the_api(tmp_path, monkeypatch):
    with staged(tmp_path, monkeypatch) as stage:
        upload(stage.client)
        assert stage.client.get("/health").json()["status"] == "ok"
        text = stage.client.get("/metrics").text
        assert "d2m_uploads_total 1.0" in text
        assert "d2m_running 1.0" in text
        described = stage.client.get("/api/openapi.json").json()
        assert "/api/clips/{clip}/jobs" in described["paths"]
        assert described["openapi"].startswith("3.1")
        # The arguments of the functions behind the routes are not those of a request.
        routes = [route for methods in described["paths"].values() for route in methods.values()]
        assert all("\n" not in route["description"] for route in routes)
        for page in ("/docs", "/redoc"):
            assert stage.client.get(page).status_code == 404
        for worker in stage.app.studio.pool.workers:
            worker.reason = "gone"
        assert stage.client.get("/health").status_code == 503


def test_examples_are_used_like_uploads(tmp_path, monkeypatch):
    with staged(tmp_path, monkeypatch) as stage:
        (example,) = stage.client.get("/api/examples").json()
        clip = stage.client.post(f"/api/examples/{example['id']}")
        assert clip.status_code == 201
        assert stage.client.get(clip.json()["urls"]["video"]).content[4:8] == b"ftyp"
        for name in ("none", "..%2f..%2fpage%2findex", "%00"):
            assert stage.client.post(f"/api/examples/{name}").status_code == 404
