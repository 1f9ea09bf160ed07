"""``d2m app``: the studio in a browser."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from d2m.errors import D2MError

app = typer.Typer(add_completion=False)

#: Environment variable of the token.
TOKEN = "D2M_APP_TOKEN"


@app.command()
def run(
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 accepts connections from other machines.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 for any free port.")] = 8070,
    show: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    token: Annotated[
        str,
        typer.Option(
            metavar="TEXT",
            help=f"Token that visitors need. Default: the environment variable {TOKEN}, or a random one where other "
            "machines can connect; none on this machine alone.",
        ),
    ] = "",
    folder: Annotated[
        str | None,
        typer.Option(
            metavar="DIR",
            help="Folder of the visitors' files, which are kept for their hour when the server ends. Default: a "
            "folder in the user's state folder, emptied at the end.",
        ),
    ] = None,
    workers: Annotated[
        int, typer.Option(min=0, max=64, help="Number of worker processes; 0 for half the cores, at least 2.")
    ] = 0,
    most_megabytes: Annotated[int, typer.Option(min=1, help="Largest clip in megabytes.")] = 500,
    most_seconds: Annotated[float, typer.Option(min=1.0, help="Longest clip and music in seconds.")] = 300.0,
    most_clips: Annotated[int, typer.Option(min=1, help="Clips of one visitor at a time.")] = 10,
    most_jobs: Annotated[int, typer.Option(min=1, help="Jobs of one visitor that wait or run.")] = 8,
    keep_minutes: Annotated[
        float, typer.Option(min=0.1, help="Minutes after a visitor's last request until everything is removed.")
    ] = 60.0,
    proxy: Annotated[
        str,
        typer.Option(
            metavar="ADDRESSES", help="Addresses of proxies whose X-Forwarded-For says who asks, separated by commas."
        ),
    ] = "",
) -> None:
    """Serve the studio: a page that makes music for dance videos, and its JSON API, until Ctrl-C."""
    from d2m.extras import require

    require("fastapi", "web", "d2m app")
    require("prometheus_client", "web", "d2m app")
    require("psutil", "web", "d2m app")
    from dataclasses import replace

    from d2m.web.app.server import AppServer
    from d2m.web.app.settings import Limits, Settings, default_folder

    limits = replace(
        Limits(),
        bytes=most_megabytes * 1_000_000,
        seconds=most_seconds,
        clips=most_clips,
        jobs=most_jobs,
        keep_seconds=60.0 * keep_minutes,
    )
    settings = Settings(
        Path(folder) if folder else default_folder(),
        folder is not None,
        workers,
        token or os.environ.get(TOKEN, ""),
        limits,
    )
    with AppServer(settings.check(), host, port, proxy) as server:
        typer.echo(f"the studio is at {server.entrance}; end with Ctrl-C")
        if show:
            import webbrowser

            if not webbrowser.open(server.entrance):
                raise D2MError("no browser was found; leave out --open, and open the address yourself")
        server.serve_forever()
