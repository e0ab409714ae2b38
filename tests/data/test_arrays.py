"""Arrays of a .npz: each is decoded once for all its rows, and nothing is unpickled."""

import io

import numpy as np
import pytest

from benchmark.data.arrays import is_row, row_name
from benchmark.data.source import Source


@pytest.fixture
def source(tmp_path):
    """A function: a source with these arrays in one .npz."""

    def made(save=np.savez_compressed, **arrays) -> Source:
        save(tmp_path / "a.npz", **arrays)
        return Source(tmp_path / "a.npz")

    return made


def test_rows_come_as_they_were_saved_in_either_order_of_axes(source):
    values = np.arange(24, dtype=np.uint16).reshape(4, 3, 2)
    arrays = source(c=values, f=np.asfortranarray(values)).arrays
    for name in ("c.npy", "f.npy"):
        assert arrays.head(name).shape == (4, 3, 2)
        assert arrays.row(row_name(name, 1)).tolist() == [[6, 7], [8, 9], [10, 11]]
    assert is_row("c.npy[1]") and not is_row("c.npy") and not is_row("image[1].png")


def test_an_array_is_read_once_for_its_rows_and_two_are_kept(source, monkeypatch):
    opened = source(**{name: np.full((3, 2), i) for i, name in enumerate("abc")})
    read = []
    arrays = opened.arrays
    decode = arrays._decoded
    monkeypatch.setattr(arrays, "_decoded", lambda file: read.append(file) or decode(file))
    for row in range(3):
        for name in "ab":
            assert arrays.row(f"{name}.npy[{row}]").tolist() == [ord(name) - ord("a")] * 2
    arrays.row("c.npy[0]")
    arrays.row("b.npy[0]")
    arrays.row("a.npy[0]")
    assert read == ["a.npy", "b.npy", "c.npy", "a.npy"]


def test_pickled_objects_are_never_opened(source):
    class Trap:
        def __reduce__(self):
            return (pytest.fail, ("unpickled",))

    arrays = source(a=np.array([Trap()], dtype=object)).arrays
    for read in (lambda: arrays.head("a.npy"), lambda: arrays.row("a.npy[0]")):
        with pytest.raises(ValueError, match="holds pickled objects, which are not opened"):
            read()


def header(shape: str, descr: str = "'|u1'") -> bytes:
    """The start of an .npy file of version 1.0."""
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"no array", "a.npy is no array of NumPy"),
        (b"", "a.npy is no array of NumPy"),
        (header("(2, 3)") + bytes(5), r"ends 1 bytes before its 2×3 numbers of uint8 do"),
        (header("(10000000000000, 1000)"), "says that it holds 10000000000000×1000 numbers"),
        (header("(-1, 3)"), "a.npy"),
        (header("()") + bytes(1), r"of shape \(\), no numbers in rows"),
        (header("(0, 3)"), r"of shape \(0, 3\), no numbers in rows"),
        (header("(2,)", "[('x', '|u1')]") + bytes(2), "no numbers in rows"),
        (header("(2,)", "'|O'"), "pickled objects"),
    ],
)
def test_what_is_no_array_is_refused_with_the_reason(content, told, tmp_path):
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(ValueError, match=told):
        Source(tmp_path).arrays.row("a.npy[0]")


def test_a_damaged_zip_is_said_to_be_damaged(tmp_path, source):
    values = np.random.default_rng(0).integers(0, 255, (50, 40, 40), dtype=np.uint8)
    source(a=values)
    content = bytearray((tmp_path / "a.npz").read_bytes())
    content[30000:30100] = bytes(100)
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(OSError, match="damaged in the zip"):
        Source(tmp_path / "a.npz").arrays.row("a.npy[0]")


def test_a_file_is_a_stream_wherever_it_lies(tmp_path):
    stream = io.BytesIO()
    np.save(stream, np.arange(3))
    (tmp_path / "a.npy").write_bytes(stream.getvalue())
    with Source(tmp_path).opened("a.npy") as opened:
        assert opened.read(6) == b"\x93NUMPY"
    assert Source(tmp_path).read("a.npy") == stream.getvalue()
