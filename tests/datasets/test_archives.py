"""Archives: what is unpacked, and what strangers' archives may not do."""

from __future__ import annotations

import io
import os
import stat
import tarfile
import zipfile
import zlib

import pytest

from d2m.datasets.archives import Limits, unpack
from d2m.errors import D2MError

FILES = {"motions/a.pkl": b"a" * 5000, "motions/b.pkl": b"", "splits/train.txt": b"a\nb\n"}


def make_zip(path, members=FILES, **settings):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content, **settings)
    return path


def make_tar(path, members=FILES, mode="w"):
    with tarfile.open(path, mode) as archive:
        for name, content in members.items():
            info = content if isinstance(content, tarfile.TarInfo) else tarfile.TarInfo(name)
            if isinstance(content, bytes):
                info.size = len(content)
            archive.addfile(info, io.BytesIO(content) if isinstance(content, bytes) else None)
    return path


def unpacked(folder) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("mode", ["zip", "w", "w:gz", "w:bz2"])
def test_what_was_packed_is_unpacked(tmp_path, mode) -> None:
    archive = make_zip(tmp_path / "x") if mode == "zip" else make_tar(tmp_path / "x", mode=mode)
    told = []
    assert unpack(archive, tmp_path / "out", progress=lambda *n: told.append(n)) == tmp_path / "out"
    assert unpacked(tmp_path / "out") == FILES
    assert told
    assert all(done <= total for done, total in told)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out", "x"]


@pytest.mark.parametrize(
    "name",
    ["../evil", "a/../../evil", "/etc/evil", "C:evil", "C:\\evil", "a\\..\\..\\evil", "a\x00b", "a\nb", "x" * 2000],
)
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_names_that_lead_elsewhere_are_refused(tmp_path, name, kind) -> None:
    members = {"good": b"1", name: b"evil"}
    try:
        archive = (make_zip if kind == "zip" else make_tar)(tmp_path / "x", members)
    except ValueError:
        pytest.skip("cannot be written so")
    if kind == "zip" and "\x00" in name:
        # zipfile cuts at the zero when it writes; patch it in
        archive = make_zip(tmp_path / "x", {"good": b"1", "aQb": b"evil"})
        archive.write_bytes(archive.read_bytes().replace(b"aQb", b"a\x00b"))
    if kind == "tar" and "\x00" in name:
        pytest.skip("ends the name in a tar file")
    with pytest.raises(D2MError, match="written elsewhere"):
        unpack(archive, tmp_path / "out")
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_a_tar_are_refused(tmp_path, kind) -> None:
    info = tarfile.TarInfo("passwd")
    info.type, info.linkname = kind, "/etc/passwd"
    with pytest.raises(D2MError, match="a link or device"):
        unpack(make_tar(tmp_path / "x", {"a": b"1", "passwd": info}), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_link_in_a_zip_is_refused(tmp_path) -> None:
    link = zipfile.ZipInfo("link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "x", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(D2MError, match="a link or device"):
        unpack(tmp_path / "x", tmp_path / "out")


def test_an_encrypted_member_is_refused(tmp_path) -> None:
    archive = make_zip(tmp_path / "x", {"a": b"1"})
    content = bytearray(archive.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(content)
    with pytest.raises(D2MError, match="which is encrypted"):
        unpack(archive, tmp_path / "out")


def test_names_that_differ_in_case_only_are_refused(tmp_path) -> None:
    with pytest.raises(D2MError, match="twice"):
        unpack(make_zip(tmp_path / "x", {"a": b"1", "A": b"2"}), tmp_path / "out")


@pytest.mark.parametrize("mode", ["zip", "w:gz"])
def test_a_bomb_is_stopped(tmp_path, mode) -> None:
    members = {"zeros": bytes(15_000_000)}
    archive = make_zip(tmp_path / "x", members) if mode == "zip" else make_tar(tmp_path / "x", members, mode)
    with pytest.raises(D2MError, match="unpacks to more than"):
        unpack(archive, tmp_path / "out")
    assert [p.name for p in tmp_path.iterdir()] == ["x"]
    unpack(archive, tmp_path / "out", Limits(ratio=2000))


def test_a_zip_that_lies_about_its_size_is_stopped(tmp_path) -> None:
    archive = make_zip(tmp_path / "x", {"zeros": bytes(15_000_000)})
    content = archive.read_bytes().replace((15_000_000).to_bytes(4, "little"), (1000).to_bytes(4, "little"))
    archive.write_bytes(content)
    with pytest.raises(D2MError, match="damaged|unpacks to more"):
        unpack(archive, tmp_path / "out")


def test_too_many_files_are_stopped(tmp_path) -> None:
    with pytest.raises(D2MError, match="more than 2 files"):
        unpack(make_zip(tmp_path / "x"), tmp_path / "out", Limits(files=2))


def test_a_header_of_absurd_length_takes_no_memory(tmp_path) -> None:
    head = tarfile.TarInfo("pax")
    head.type, head.size = tarfile.XHDTYPE, 1 << 40
    (tmp_path / "x").write_bytes(head.tobuf(tarfile.GNU_FORMAT) + bytes(10_240))
    with pytest.raises(D2MError, match="damaged"):
        unpack(tmp_path / "x", tmp_path / "out")


def _broken() -> dict[str, bytes]:
    packed = io.BytesIO()
    make_tar_bytes = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a", os.urandom(5000))
    with tarfile.open(fileobj=make_tar_bytes, mode="w:gz") as archive:
        info = tarfile.TarInfo("a")
        info.size = 50_000
        archive.addfile(info, io.BytesIO(os.urandom(50_000)))
    good = packed.getvalue()
    return {
        "cut zip": good[:-60],
        "wrong content": good[:60] + bytes(200) + good[260:],
        "cut tar": make_tar_bytes.getvalue()[:20_000],
        "empty": b"",
        "text": b"this is a web page" * 100,
        "other": zlib.compress(b"x" * 10_000),
    }


@pytest.mark.parametrize("kind", list(_broken()))
def test_a_damaged_archive_is_one_line_and_leaves_nothing(tmp_path, kind) -> None:
    (tmp_path / "x").write_bytes(_broken()[kind])
    with pytest.raises(D2MError, match="damaged or not a zip or tar file") as caught:
        unpack(tmp_path / "x", tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


def test_nothing_that_is_there_is_overwritten(tmp_path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(D2MError, match="exists already"):
        unpack(make_zip(tmp_path / "x"), tmp_path / "out")
    with pytest.raises(D2MError, match="cannot unpack"):
        unpack(tmp_path / "nothing", tmp_path / "elsewhere")
