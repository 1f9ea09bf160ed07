"""Entry point of the command line: find the command, run it, and report errors in one line.

A new command is a row in :data:`COMMANDS` and a module with a Typer ``app``. The help text above the commands
comes from the rows, so that ``d2m --help`` imports none of the modules. Another package adds a command with an entry
point of the group ``d2m.commands`` (:mod:`d2m.registry`) that leads to a Typer ``app``.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import signal
import sys
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from d2m.cli.console import complain, quiet_libraries
from d2m.cli.renamed import current_name, current_words, with_values
from d2m.errors import D2MError

if TYPE_CHECKING:
    from d2m.registry import Registry

#: Command name -> (module with an ``app``, one line of help), in the order of the help text.
COMMANDS: dict[str, tuple[str, str]] = {
    "generate": ("d2m.cli.generate", "Generate music for dance videos."),
    "pick": ("d2m.cli.pick", "Finish one of the candidates that generate made for a video."),
    "live": ("d2m.cli.live", "Play music to a dancer in front of a camera."),
    "app": ("d2m.cli.app", "Serve the studio: a page that makes music for dance videos."),
    "features": ("d2m.cli.features", "Extract keypoints and visual features from videos."),
    "data": ("d2m.cli.data", "Download, make, prepare and verify data sets."),
    "train": ("d2m.cli.train", "Train the models."),
    "evaluate": ("d2m.cli.evaluate", "Evaluate music: beats, alignment, sound, genre."),
    "benchmark": ("d2m.cli.benchmark", "Compare systems with baselines on a data set."),
    "symbolic": ("d2m.cli.symbolic", "Compose, arrange, convert, play and measure MIDI music."),
    "models": ("d2m.cli.models", "List, show, download, verify and export weights."),
}


class _LazyGroup(TyperGroup):
    """Commands from :data:`COMMANDS` and of other packages, imported when one is run."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = {
            name: TyperCommand(name=name, help=help_line)
            for name, (module, help_line) in COMMANDS.items()
            if importlib.util.find_spec(module) is not None
        }

    def list_commands(self, ctx: Any) -> list[str]:
        for name in _added():
            self.commands.setdefault(name, TyperCommand(name=name, help="Command of another package."))
        return list(self.commands)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args[0] in self.commands and args[0] in COMMANDS:
            module, help_line = COMMANDS[args[0]]
            application = importlib.import_module(module).app
        elif args[0] in _added():
            application, help_line = _added().get(args[0]), ""
            if not isinstance(application, typer.Typer):
                raise D2MError(f"the command '{args[0]}' is a {type(application).__name__}; it must be a typer.Typer")
        else:
            return super().resolve_command(ctx, args)
        command = typer.main.get_command(application)
        command.name = args[0]
        # Typer offers to install shell completion under every command that it builds.
        command.params = [p for p in command.params if p.name not in ("install_completion", "show_completion")]
        command.help = command.help or help_line
        _make_readable(command)
        return args[0], command, with_values(current_words(args[0], args[1:]))

    def invoke(self, ctx: Any) -> Any:
        # Caught here, since Typer catches it further up and prints nothing.
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            complain("interrupted")
            raise typer.Exit(130) from None


def _added() -> Registry[typer.Typer]:
    """Return the commands of other packages. They are looked for only where no command of this one is meant."""
    from d2m.registry import Registry

    return Registry("command", "d2m.commands", {})


def _make_readable(command: Any) -> None:
    """Clean up the help: paragraphs as wide as the terminal, and no type beside switches, which take no value.

    Newer versions of Typer keep a docstring's line breaks and write ``<bool>``.
    """
    command.help = "\n\n".join(" ".join(part.split()) for part in (command.help or "").split("\n\n"))
    for option in (*command.params, command.get_help_option(typer.Context(command))):
        if getattr(option, "is_flag", False):
            option.metavar = ""
    for inner in getattr(command, "commands", {}).values():
        _make_readable(inner)


app = typer.Typer(
    cls=_LazyGroup,
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,  # Rich takes longer to import than all the rest of `d2m --help`.
    pretty_exceptions_enable=False,
    context_settings={"token_normalize_func": current_name},
)


def _tell_version(wanted: bool) -> None:
    if wanted:
        from d2m.version import __version__

        typer.echo(f"d2m {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", is_eager=True, callback=_tell_version)
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks and the messages of libraries.")] = False,
) -> None:
    """Generate music that fits the dancer in a video.

    Start with: d2m generate VIDEO
    """


def main(args: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit status: 0, 1 (error), 2 (wrong usage) or 130 (Ctrl-C)."""
    words = list(sys.argv[1:] if args is None else args)
    # Removed here so that it may be given anywhere, also behind the command's own arguments.
    debug = "--debug" in words
    words = [word for word in words if word != "--debug"]
    with _tidy_exit(), contextlib.nullcontext() if debug else quiet_libraries():
        try:
            root = typer.main.get_command(app)
            _make_readable(root)
            return int(root.main(words, prog_name="d2m", standalone_mode=False) or 0)
        except KeyboardInterrupt:
            complain("interrupted")
            return 130
        except Exception as error:
            if debug:
                raise
            return _explain(error)


def _explain(error: Exception) -> int:
    """Print the error in one line and return the exit status."""
    if isinstance(error, D2MError):
        complain(f"error: {error}")
        return 1
    # Usage errors of Click, whose module depends on the version of Typer.
    if hasattr(error, "format_message") and hasattr(error, "exit_code"):
        context = getattr(error, "ctx", None)
        hint = f" (see {context.command_path} --help)" if context is not None else ""
        # A command that shows its help when called without arguments has nothing to add.
        if message := error.format_message().rstrip("."):
            complain(f"error: {message}{hint}")
        return int(error.exit_code)
    if isinstance(error, MemoryError):
        complain("error: out of memory; close other programs or use a shorter or smaller video")
        return 1
    complain(f"error: {type(error).__name__}: {error}; this is a bug in d2m, run with --debug for the details")
    return 1


@contextlib.contextmanager
def _tidy_exit():
    """Turn SIGTERM into an exception, as for Ctrl-C, so that unfinished files are removed."""

    def stop(*_: object) -> None:
        raise SystemExit(143)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


if __name__ == "__main__":
    sys.exit(main())
