"""Example client of the studio's API: a clip in, a video with music out.

    python studio_client.py http://127.0.0.1:8070 dance.mp4 [--genre house] [--mood bright:0.4] [--token TEXT]

It needs Python alone. The files are written to the current folder.
"""

import argparse
import http.cookiejar
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path


class Studio:
    """The studio as one visitor sees it; the cookie says who that is."""

    def __init__(self, address: str, token: str = "") -> None:
        self.address = address.rstrip("/")
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}
        jar = http.cookiejar.CookieJar()
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))

    def fetch(self, path: str, body: bytes | None = None, kind: str = "", method: str | None = None) -> bytes:
        """Send a request and return what it is answered; errors are told in one line."""
        headers = self.headers | ({"Content-Type": kind} if kind else {})
        request = urllib.request.Request(self.address + path, body, headers, method=method)
        try:
            with self.opener.open(request) as answer:
                return answer.read()
        except urllib.error.HTTPError as error:
            raise SystemExit(json.load(error)["error"]["message"]) from None

    def ask(self, path: str, content: object = None) -> dict:
        """Send JSON, if any, and return the JSON of the answer."""
        body = None if content is None else json.dumps(content).encode()
        return json.loads(self.fetch(path, body, "application/json" if body else ""))

    def upload(self, clip: Path, wish: dict) -> dict:
        """Upload a clip, and start its first job with it."""
        query = urllib.parse.urlencode({"name": clip.name, "make": json.dumps(wish)})
        return json.loads(self.fetch(f"/api/clips?{query}", clip.read_bytes(), "application/octet-stream"))

    def wait(self, job: dict) -> dict:
        """Wait for a job; its stages are shown."""
        shown = ""
        while job["state"] in ("queued", "running"):
            place = f"place {job['place']} in the queue" if job["state"] == "queued" else job["stage"]
            if place != shown:
                print(f"{job['kind']}: {place}")
                shown = place
            time.sleep(0.5)
            job = self.ask(job["url"])
        if job["state"] != "done":
            raise SystemExit(f"{job['kind']}: {job['state']}: {job['message']}")
        return job


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("address")
    parser.add_argument("clip", type=Path)
    parser.add_argument("--genre", default="auto")
    parser.add_argument("--mood", help="of the last section, such as bright:0.4")
    parser.add_argument("--token", default="")
    args = parser.parse_args()
    studio = Studio(args.address, args.token)
    clip = studio.upload(args.clip, {"kind": "compose", "count": 2, "options": {"genre": args.genre}})
    address = clip["urls"]["self"]
    for job in clip["jobs"]:
        studio.wait(job)
    best = min(studio.ask(address)["pieces"], key=lambda piece: piece["rank"])
    print(f"candidate {best['number']}: {best['key']}, {best['tempo']} bpm")
    if args.mood:
        plan = studio.ask(best["plan"])
        plan["section"][-1]["mood"] = args.mood
        job = studio.wait(studio.ask(f"{address}/jobs", {"kind": "play", "plan": plan, "base": best["id"]}))
        print(f"sections that were kept: {job['reused'].count(True)} of {len(job['reused'])}")
        best = studio.ask(f"{address}/pieces/{job['pieces'][0]}")
    studio.wait(studio.ask(f"{address}/jobs", {"kind": "export", "piece": best["id"], "options": {"markers": True}}))
    for kind, file in studio.ask(f"{address}/pieces/{best['id']}")["files"].items():
        if kind in ("mp4", "wav", "mid", "plan"):
            Path(file["name"]).write_bytes(studio.fetch(file["url"]))
            print(file["name"])
    studio.fetch(address, method="DELETE")


if __name__ == "__main__":
    main()
