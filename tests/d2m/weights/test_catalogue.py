"""Weights of others: what is known of them, how they come, and that nothing else is taken for them."""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch

from d2m import weights
from d2m.cli.main import main
from d2m.errors import D2MError
from d2m.files.download import sha256_of
from d2m.jukebox import VQVAE, VQVAEConfig
from d2m.weights import catalogue
from d2m.weights.catalogue import ENTRIES, Entry, find_entry, home
from d2m.weights.catalogue_fetch import _git_object, fetch, verify
from d2m.weights.files import KINDS


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def site(tmp_path) -> Iterator[tuple[str, Path]]:
    """A web server on this machine: its address and its folder."""
    folder = tmp_path / "site"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", folder
    server.shutdown()
    thread.join()


@pytest.fixture
def entries(site, tmp_path, monkeypatch) -> list[Entry]:
    """A catalogue of three: a small VQ-VAE, one of which its publisher changed the file, and one to get by hand."""
    address, folder = site
    monkeypatch.setenv("D2M_HOME", str(tmp_path / "home"))
    torch.manual_seed(0)
    small = VQVAE(VQVAEConfig(downs=(3,), strides=(2,), widths=(8,), depths=(1,), embedding_width=8, codebook_size=16))
    torch.save(small.state_dict(), folder / "small.pt")
    common = {
        "kind": "jukebox-vqvae",
        "what": "a test",
        "licence": "for tests only",
        "terms": "https://example.org/terms",
        "source": "here",
        "loader": "d2m.jukebox:load",
    }
    found = [
        Entry(
            name="small", file="small.pt", url=f"{address}/small.pt", sha256=sha256_of(folder / "small.pt"), **common
        ),
        Entry(name="changed", file="c.pt", url=f"{address}/small.pt", git_object="0" * 40, **common),
        Entry(name="far", file="far.pt", by_hand="ask at https://example.org", **common),
    ]
    monkeypatch.setattr(catalogue, "ENTRIES", tuple(found))
    return found


def test_a_file_is_fetched_checked_kept_and_usable_by_name(entries, site):
    small = entries[0]
    told: list[int] = []
    path = fetch(small, lambda done, total: told.append(done))
    assert path == home() / "weights" / "small" / "small.pt"
    assert told[-1] == path.stat().st_size
    assert sorted(p.name for p in path.parent.iterdir()) == ["small.pt", "small.pt.json"]
    assert weights.find("small", "jukebox-vqvae") == (path, None)
    assert verify(small) == "loads strictly, its published checksum is right, unchanged since it was fetched"
    # The second time nothing is asked of the server.
    (site[1] / "small.pt").unlink()
    assert fetch(small) == path


def test_what_is_not_the_model_never_gets_the_name(entries, site):
    changed = entries[1]
    with pytest.raises(D2MError, match="not the file that was published as 'changed'"):
        fetch(changed)
    (site[1] / "small.pt").write_bytes(b"PK\x03\x04 not really")
    other = Entry(**{**vars(changed), "git_object": None})
    with pytest.raises(D2MError, match="damaged or not a PyTorch file"):
        fetch(other)
    assert not changed.present
    assert not list(changed.path.parent.rglob("*.pt"))


def test_unsafe_files_are_not_run(entries, site, tmp_path):
    class Bomb:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "boom"),))

    torch.save({"bottleneck.level_blocks.0.k": Bomb()}, site[1] / "small.pt")
    with pytest.raises(D2MError, match="contains code that would run"):
        fetch(Entry(**{**vars(entries[1]), "git_object": None}))
    assert not (tmp_path / "boom").exists()


def test_a_file_that_changed_on_disk_is_noticed(entries):
    path = fetch(entries[0])
    path.write_bytes(path.read_bytes()[:-1] + b"\x01")
    with pytest.raises(D2MError, match="checksum is another"):
        verify(entries[0])
    unknown = Entry(**{**vars(entries[0]), "sha256": None, "loader": ""})
    with pytest.raises(D2MError, match="has changed since it was fetched"):
        verify(unknown)


def test_what_is_not_here_says_how_to_get_it(entries):
    with pytest.raises(D2MError, match="'small' are not on this machine; get it with 'd2m models fetch small'"):
        weights.find("small")
    with pytest.raises(D2MError, match=r"ask at https://example.org, and put it at .*far.far\.pt"):
        weights.find("far")
    with pytest.raises(D2MError, match="'small' is a JukeBox VQ-VAE, but a music generator is needed"):
        weights.find("small", "generator")
    with pytest.raises(D2MError, match="cannot be downloaded automatically"):
        fetch(entries[2])


def test_git_names_are_those_of_git(tmp_path):
    # The empty file's and "hello\n"'s, as `git hash-object` prints them.
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "hello").write_bytes(b"hello\n")
    assert _git_object(tmp_path / "empty") == "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
    assert _git_object(tmp_path / "hello") == "ce013625030ba8dba906f756967f9e9ca394464a"


def test_files_are_kept_where_the_user_wants_them(monkeypatch, tmp_path):
    monkeypatch.delenv("D2M_HOME", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert home() == tmp_path / "d2m"
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    assert home() == Path.home() / ".local" / "share" / "d2m"
    monkeypatch.setenv("D2M_HOME", str(tmp_path / "own"))
    assert home() == tmp_path / "own"


# The real catalogue ----------------------------------------------------------------------------------------------


def test_every_entry_is_complete():
    assert len({entry.name for entry in ENTRIES}) == len(ENTRIES)
    for entry in ENTRIES:
        assert entry.kind in KINDS
        assert bool(entry.url) != bool(entry.by_hand)
        assert re.fullmatch(r"[\w.-]+", entry.name)
        assert re.fullmatch(r"[\w.-]+", entry.file)
        for address in (entry.source, entry.url, entry.terms):
            assert not address or address.startswith("https://")
        if entry.loader:
            module, _, function = entry.loader.partition(":")
            assert callable(getattr(__import__(module, fromlist=[function]), function))
    assert "Noncommercial" in find_entry("jukebox-5b").licence
    assert find_entry("nothing") is None


def test_the_network_of_the_features_has_an_entry():
    from d2m.features.i3d import NAME

    assert find_entry(NAME).kind == "i3d"


# From the command line -------------------------------------------------------------------------------------------


def test_the_list_shows_what_is_here_and_what_is_not(entries, capsys):
    fetch(entries[0])
    assert main(["models", "list", "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert {entry["name"]: entry["present"] for entry in content["external"]} == {
        "small": True,
        "changed": False,
        "far": False,
    }
    assert [card["name"] for card in content["models"]] == [card.name for card in weights.list_cards()]
    assert main(["models", "list"]) == 0
    out = capsys.readouterr().out
    assert "by hand" in out
    assert "for tests only" in out
    assert main(["models", "show", "far"]) == 0
    assert "ask at https://example.org" in capsys.readouterr().out


def test_a_licence_is_shown_and_nothing_is_fetched_until_it_is_accepted(entries, capsys):
    assert main(["models", "fetch", "small"]) == 1
    told = capsys.readouterr().err
    assert "for tests only (https://example.org/terms)" in told
    assert "--yes" in told
    assert not entries[0].path.parent.exists()
    assert main(["models", "fetch", "small", "--yes"]) == 0
    assert str(entries[0].path) in capsys.readouterr().out
    # What is here needs no leave.
    assert main(["models", "fetch", "small", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"fetched": {"small": str(entries[0].path)}}
    assert main(["models", "verify", "small"]) == 0
    assert "loads strictly" in capsys.readouterr().out


def test_names_that_are_not_in_the_catalogue_and_files_to_get_by_hand_are_one_line(entries, capsys):
    for name, message in (
        ("nothing", "no weights called 'nothing' to fetch; choose from: small, changed, far"),
        ("far", "ask at"),
    ):
        assert main(["models", "fetch", name, "--yes"]) == 1
        said = capsys.readouterr().err
        assert message in said
        assert len(said.splitlines()) == 1
