"""Folders, zips and tars with the same files, and what must not be read from them."""

import io
import os
import socket
import tarfile
import zipfile
from pathlib import Path

import pytest

from benchmark.data.source import Source
from benchmark.errors import ExitCode, UserError

FILES = {"image/0.png": b"zero", "image/1.png": b"one" * 1000, "mask/0.png": b"mask"}


def in_folder(folder: Path) -> Path:
    for name, content in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def in_tar(file: Path, mode: str = "w", above: str = "", members=()) -> Path:
    """The files, and further members."""
    with tarfile.open(file, mode) as archive:
        for name, content in FILES.items():
            member = tarfile.TarInfo(above + name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for member in members:
            archive.addfile(member)
    return file


def read(source: Source) -> dict[str, bytes]:
    return {name: source.read(name) for name in source.files}


def refused(path: Path) -> str:
    with pytest.raises(UserError) as refusal:
        Source(path)
    assert refusal.value.exit_code == ExitCode.DATA
    return str(refusal.value)


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("a.tar", "w"),
        ("a.tar.gz", "w:gz"),
        ("a.tgz", "w:gz"),
        ("a.tar.bz2", "w:bz2"),
        ("a.tar.xz", "w:xz"),
        ("a.zip", "w:gz"),  # it is what it holds, whatever it is called
    ],
)
def test_tars_are_read_like_folders(name, mode, tmp_path):
    source = Source(in_tar(tmp_path / name, mode, above="./"))
    assert read(source) == FILES == read(Source(in_folder(tmp_path / "folder")))
    assert source.fingerprint == Source(tmp_path / name).fingerprint


def test_a_wrapping_folder_stays_and_hidden_files_do_not_count(tmp_path):
    members = [tarfile.TarInfo("data/._0.png"), tarfile.TarInfo("__MACOSX/x.png")]
    source = Source(in_tar(tmp_path / "a.tar", above="data/", members=members))
    assert source.files == [f"data/{name}" for name in FILES]


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz", "w:bz2"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.9])
def test_half_a_tar_is_called_that_wherever_it_stops(mode, share, tmp_path):
    """Also between two members, where tarfile would take the rest for the end."""
    file = in_tar(tmp_path / "a.tar", mode)
    content = file.read_bytes()
    # A plain tar has eleven blocks of three files, and then its end.
    used, block = (11 * 512, 512) if mode == "w" else (len(content), 1)
    file.write_bytes(content[: int(used * share) // block * block])
    assert "is not a complete tar file" in refused(file)


def test_a_tar_whose_second_header_is_damaged_loses_no_files_in_silence(tmp_path):
    file = in_tar(tmp_path / "a.tar")
    content = bytearray(file.read_bytes())
    content[1024:1030] = b"xxxxxx"  # a header and one block of content come before
    file.write_bytes(content)
    assert "it does not end as one" in refused(file)


def test_what_is_no_archive_is_answered_with_what_is(tmp_path):
    (tmp_path / "a.png").write_bytes(b"\x89PNG")
    (tmp_path / "page.tgz").write_text("<html>404</html>")
    (tmp_path / "page.zip").write_text("<html>404</html>")
    os.mkfifo(tmp_path / "pipe")
    assert "neither a folder nor an archive (.zip, .tar, .tar.gz" in refused(tmp_path / "a.png")
    assert "neither a folder nor an archive" in refused(tmp_path / "pipe")
    assert "not a complete tar file" in refused(tmp_path / "page.tgz")
    assert "not a complete zip file" in refused(tmp_path / "page.zip")
    assert "no such file or folder" in refused(tmp_path / "absent")


def linked(name: str, target: str, kind: bytes) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


@pytest.mark.parametrize(
    ("member", "told"),
    [
        (linked("mask/1.png", "/etc/passwd", tarfile.SYMTYPE), "a link inside the tar, to /etc/"),
        (linked("mask/1.png", "image/0.png", tarfile.LNKTYPE), "a link inside the tar, to image/"),
        (linked("mask/1.png", "", tarfile.FIFOTYPE), "a pipe or device"),
        (tarfile.TarInfo("../mask/1.png"), "leads out of the archive"),
        (tarfile.TarInfo("/mask/1.png"), "leads out of the archive"),
    ],
)
def test_members_that_are_no_files_of_the_tar_are_listed_and_never_read(member, told, tmp_path):
    source = Source(in_tar(tmp_path / "a.tar", members=[member]))
    (name,) = set(source.files) - set(FILES)
    with pytest.raises(OSError, match=told):
        source.read(name)
    assert len(source.unreadable) == 1


def test_links_in_zips_and_encrypted_zips_are_named(tmp_path):
    link = zipfile.ZipInfo("mask/1.png")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(link, "../image/0.png")
    with pytest.raises(OSError, match="link inside the zip"):
        Source(tmp_path / "a.zip").read("mask/1.png")
    content = bytearray((tmp_path / "a.zip").read_bytes())
    content[content.find(b"PK\1\2") + 8] |= 1  # the flag of the central directory
    (tmp_path / "a.zip").write_bytes(content)
    assert "is encrypted (mask/1.png needs a password)" in refused(tmp_path / "a.zip")


def test_linked_files_and_folders_are_followed_and_circles_are_not(tmp_path):
    real = in_folder(tmp_path / "real")
    data = tmp_path / "data"
    (data / "train").mkdir(parents=True)
    (data / "train" / "image").symlink_to(real / "image")
    (data / "test").symlink_to(real)
    (data / "0.png").symlink_to(real / "mask" / "0.png")
    (data / "train" / "up").symlink_to("..")
    (data / "above").symlink_to(tmp_path)
    (real / "mask" / "round").symlink_to("../image")
    source = Source(data)
    assert source.files == [
        "0.png", "test/image/0.png", "test/image/1.png", "test/mask/0.png",
        "test/mask/round/0.png", "test/mask/round/1.png", "train/image/0.png", "train/image/1.png",
    ]  # fmt: skip
    assert source.read("train/image/1.png") == FILES["image/1.png"]


def test_broken_links_and_pipes_are_listed_and_never_opened(tmp_path):
    data = in_folder(tmp_path / "data")
    (data / "mask" / "1.png").symlink_to("/nowhere/1.png")
    (data / "self").symlink_to("self")
    os.mkfifo(data / "pipe.png")
    with socket.socket(socket.AF_UNIX) as listening:
        here = Path.cwd()
        os.chdir(data)  # the path of a socket is short
        listening.bind("socket.png")
        os.chdir(here)
        source = Source(data)
    for name, told in (
        ("mask/1.png", "broken link, to /nowhere/1.png"),
        ("self", "broken link, to self"),
        ("pipe.png", "is a pipe, socket or device"),
        ("socket.png", "is a pipe, socket or device"),
    ):
        with pytest.raises(OSError, match=told):
            source.read(name)
    assert set(source.files) == {*FILES, "mask/1.png", "self", "pipe.png", "socket.png"}


def test_a_rewritten_file_changes_the_fingerprint(tmp_path):
    data = in_folder(tmp_path / "data")
    before = Source(data).fingerprint
    (data / "image" / "0.png").write_bytes(b"longer")
    assert Source(data).fingerprint != before
