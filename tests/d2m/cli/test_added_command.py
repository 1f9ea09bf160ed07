"""A command that another package adds."""

from __future__ import annotations

import pytest
from other_packages import install

from d2m.cli.main import COMMANDS, main

MODULE = """
import typer

from d2m.errors import D2MError

app = typer.Typer()


@app.command()
def count(words: list[str]) -> None:
    \"\"\"Count words.\"\"\"
    if "bad" in words:
        raise D2MError("a bad word; leave it out")
    typer.echo(len(words))


number = 3
"""


@pytest.fixture
def counting(tmp_path, monkeypatch) -> None:
    points = "[d2m.commands]\ncount = count_command:app\nlost = count_command:none\nnumber = count_command:number\n"
    install(tmp_path, monkeypatch, "count_command", MODULE, points + "generate = count_command:app\n")


def test_a_command_of_another_package_is_run_and_listed(counting, capsys):
    assert main(["count", "a", "b"]) == 0
    assert capsys.readouterr().out == "2\n"
    assert main(["--help"]) == 0
    told = capsys.readouterr().out
    assert "Command of another package." in told
    assert told.index("models") < told.index("count")
    assert main(["count", "--help"]) == 0
    assert "Count words." in capsys.readouterr().out


def test_its_errors_are_one_line_as_those_of_this_package(counting, capsys):
    assert main(["count", "bad"]) == 1
    assert capsys.readouterr().err == "error: a bad word; leave it out\n"
    assert main(["lost"]) == 1
    assert "the command 'lost' cannot be imported" in capsys.readouterr().err
    assert main(["number"]) == 1
    assert "the command 'number' is a int; it must be a typer.Typer" in capsys.readouterr().err
    assert main(["nothing"]) == 2
    assert "No such command 'nothing'" in capsys.readouterr().err


def test_no_package_replaces_a_command_of_this_one(counting, capsys):
    assert "generate" in COMMANDS
    assert main(["generate", "--help"]) == 0
    assert "Count words." not in capsys.readouterr().out
