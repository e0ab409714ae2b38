"""Arrays of a .npz (a zip of .npy files), whose rows are cases; the last ones are kept decoded."""

import contextlib
import io
import math
import re
from collections.abc import Callable
from typing import BinaryIO, NamedTuple

import numpy as np
from jaxtyping import Shaped
from numpy import ndarray

_KEPT = 2  # the images of a split, and their masks
_ROW = re.compile(r"(.+\.npy)\[(\d+)\]")
_LONGEST_HEAD = 1 << 16  # bytes
_BLOCK = 1 << 24  # bytes that are unpacked at a time


class Head(NamedTuple):
    """What an .npy file says of its array. start: the byte at which the values begin."""

    shape: tuple[int, ...]
    dtype: np.dtype
    is_fortran: bool
    start: int


def row_name(file: str, row: int) -> str:
    """How a row is named as a case's file: train_images.npy[17]."""
    return f"{file}[{row}]"


def is_row(name: str) -> bool:
    """Is this a name as of `row_name`?"""
    return bool(_ROW.fullmatch(name))


class Arrays:
    """Arrays by the names of their files, decoded once for all their rows; nothing is unpickled.

    opened: gives a file as a stream. ValueError for what is no array of numbers; OSError for what
    cannot be read.
    """

    def __init__(self, opened: Callable[[str], contextlib.AbstractContextManager[BinaryIO]]):
        self._opened = opened
        self._kept: dict[str, ndarray] = {}

    def head(self, file: str) -> Head:
        """Shape and type, without the values."""
        with self._opened(file) as stream:
            start = stream.read(_LONGEST_HEAD)
        return _head(file, start)

    def row(self, name: str) -> Shaped[ndarray, "..."]:
        """The row of a name as of `row_name`: a view of the array that is kept."""
        file, row = _ROW.fullmatch(name).groups()
        if file not in self._kept:
            while len(self._kept) >= _KEPT:
                del self._kept[next(iter(self._kept))]  # before another takes its memory
            self._kept[file] = self._decoded(file)
        return self._kept[file][int(row)]

    def forget(self) -> None:
        """Keep none any longer."""
        self._kept.clear()

    def _decoded(self, file: str) -> Shaped[ndarray, "..."]:
        head = self.head(file)
        try:
            array = np.empty(head.shape[::-1] if head.is_fortran else head.shape, head.dtype)
        except (MemoryError, ValueError) as error:
            raise ValueError(f"{file} says that it holds {_said(head)}: {error}") from error
        missing = memoryview(array.reshape(-1).view(np.uint8))
        with self._opened(file) as stream:
            stream.read(head.start)
            while missing and (n := stream.readinto(missing[:_BLOCK])):
                missing = missing[n:]
        if missing:
            raise ValueError(f"{file} ends {len(missing):,} bytes before its {_said(head)} do")
        return array.T if head.is_fortran else array


def _head(file: str, start: bytes) -> Head:
    stream = io.BytesIO(start)
    try:
        version = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0
        if version != (1, 0):
            read = np.lib.format.read_array_header_2_0
        shape, is_fortran, dtype = read(stream)
    except Exception as error:  # of a literal that is parsed: syntax, types, recursion
        raise ValueError(f"{file} is no array of NumPy ({type(error).__name__})") from error
    if dtype.hasobject:
        raise ValueError(f"{file} holds pickled objects, which are not opened")
    if dtype.names or not shape or not math.prod(shape):
        raise ValueError(f"{file} holds {dtype} of shape {shape}, no numbers in rows")
    return Head(shape, dtype, is_fortran, stream.tell())


def _said(head: Head) -> str:
    return f"{'×'.join(map(str, head.shape))} numbers of {head.dtype}"
