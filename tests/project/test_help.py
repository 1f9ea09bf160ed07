"""Help texts and documentation agree with the command line: names, wording, and every example."""

from __future__ import annotations

import importlib
import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from repository import ROOT

from d2m.cli.main import COMMANDS, main
from d2m.cli.renamed import RENAMED, current_name, with_values

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
#: Options whose help is one and the same text in every command.
SAME = ("--seed", "--json", "--processes", "--soundfont", "--device", "--wav")


def groups() -> dict[str, Any]:
    return {name: typer.main.get_command(importlib.import_module(module).app) for name, (module, _) in COMMANDS.items()}


def leaves(command: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Commands that can be run, with their names."""
    if not hasattr(command, "commands"):
        yield path, command
        return
    for name, inner in command.commands.items():
        yield from leaves(inner, (*path, name))


TREE = groups()
LEAVES = {path: command for name, group in TREE.items() for path, command in leaves(group, (name,))}


def options(command: Any) -> dict[str, Any]:
    """Name of an option with its dashes -> the option."""
    return {name: entry for entry in command.params for name in (*entry.opts, *entry.secondary_opts) if name[0] == "-"}


ALL_OPTIONS = {name for command in LEAVES.values() for name in options(command)} | {"--help", "--version", "--debug"}


def test_every_command_and_option_says_what_it_is():
    for path, command in LEAVES.items():
        first = (command.help or COMMANDS[path[0]][1]).strip().splitlines()[0]
        assert first[0].isupper(), path
        for entry in command.params:
            if entry.name not in ("install_completion", "show_completion"):
                assert getattr(entry, "help", ""), (path, entry.name)
                assert entry.help.rstrip().endswith("."), (path, entry.name, entry.help)


@pytest.mark.parametrize("name", SAME)
def test_an_option_reads_the_same_in_every_command(name):
    texts = {options(command)[name].help for command in LEAVES.values() if name in options(command)}
    assert len(texts) == 1, texts


def test_output_options_begin_alike():
    for path, command in LEAVES.items():
        if "-o" in options(command):
            assert options(command)["-o"].help.startswith("Output "), path


def test_renamed_options_are_in_the_help_by_their_new_names_only(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    for command in (["symbolic", "bridge"], ["symbolic", "stream"], ["train", "musicvae"], ["train", "emotion"]):
        assert main([*command, "--help"]) == 0
        said = capsys.readouterr().out
        assert not [old for old in RENAMED if f"--{old} " in said], command
        assert [new for new in RENAMED.values() if f"--{new} " in said], command


@pytest.mark.parametrize("old", [old for old in RENAMED if old != "accelerator"])
@pytest.mark.parametrize("written", ["old", "new"])
def test_old_names_of_options_still_work(old, written, capsys):
    name = old if written == "old" else RENAMED[old]
    path = next(path for path, command in LEAVES.items() if f"--{RENAMED[old]}" in options(command))
    arguments = ["a.mid", "b.mid"] if path[0] == "symbolic" else ["--data", "nowhere", "--run", "nowhere"]
    # The value is checked before anything else, so the error tells which option it reached.
    assert main([*path, *arguments, f"--{name}", "many"]) == 2
    assert f"Invalid value for '--{RENAMED[old]}'" in capsys.readouterr().err


def command_lines(text: str) -> Iterator[str]:
    """Lines of code blocks, joined where they go on, and spans of code, that begin with ``d2m``."""
    text = text.replace("\\\n", " ")
    for line in text.splitlines():
        if line.startswith("    ") and "d2m " in line:
            for part in re.split(r"&&", line.split("  #")[0]):
                found = re.search(r"(?:^|[\s/(])d2m (?!=)(.*)", part)
                if found and not re.match(r"\s*(?:import|from|python|apt-get|result)", part):
                    yield found.group(1)
        else:
            yield from (span[4:] for span in re.findall(r"`(d2m [^`]+)`", line))


def alternatives(words: list[str]) -> Iterator[list[str]]:
    """``data download|verify`` means two commands."""
    for place, word in enumerate(words[:3]):
        if "|" in word and not word.startswith("-"):
            for each in word.split("|"):
                yield from alternatives([*words[:place], each, *words[place + 1 :]])
            return
    yield words


def check(words: list[str]) -> None:
    """Raise unless the command exists and takes these options."""
    if words[0].startswith("--") or not words[0].islower():
        return
    command = TREE[words.pop(0)]
    while hasattr(command, "commands"):
        if not words or words[0].isupper():
            return
        command = command.commands[words.pop(0)]
    context = typer.Context(command, token_normalize_func=current_name)
    words = [word for word in words if word not in ("...", "…")]
    command.make_parser(context).parse_args(with_values([word for word in words if word != "--help"]))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_line_of_the_documentation_parses(page):
    text = page.read_text(encoding="utf-8")
    for line in command_lines(text):
        for words in alternatives(shlex.split(line, comments=True)):
            try:
                check(list(words))
            except Exception as error:
                pytest.fail(f"{page.name}: d2m {line}: {error!r}")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_option_that_the_documentation_names_exists(page):
    text = page.read_text(encoding="utf-8")
    # Options of other programs, which these pages name, too.
    foreign = {"--write_json", "--nnodes", "--logdir"}
    named = set(re.findall(r"`(--[a-z0-9][a-z0-9_-]+)", text)) - foreign
    scripts = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "scripts").glob("*.py"))
    assert not {name for name in named if name not in ALL_OPTIONS and f'"{name}"' not in scripts}


def test_the_check_of_command_lines_sees_what_is_wrong():
    for line in ("generate a.mp4 --no-such-option", "symbolic nothing a.mid", "symbolic render a.mid --genre"):
        with pytest.raises(Exception):  # noqa: B017
            check(shlex.split(line))
    found = list(command_lines("    d2m generate a.mp4 \\\n        --seed 3   # a comment\nSee `d2m models list`.\n"))
    assert [shlex.split(line) for line in found] == [["generate", "a.mp4", "--seed", "3"], ["models", "list"]]
