"""Volumes as the images that they are stacked from: trained on in 2D, evaluated as volumes.

A slice is across the third axis of what is stored, (y, x), resized to one size for all. What is
predicted of the slices of a volume is brought back to its own size before anything is measured.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Int, UInt, UInt8
from numpy import ndarray

from benchmark.data.decoding.images import resize_image, resize_mask


class Slices(NamedTuple):
    """All slices of a dataset of volumes, one volume behind the other."""

    images: UInt[ndarray, "n h w c"]
    masks: UInt8[ndarray, "n h w"]
    starts: Int[ndarray, " v_and_one"]
    """The volume of row v of the manifest has the rows starts[v] … starts[v + 1] - 1."""

    def of(self, volume: int | np.int64) -> Int[ndarray, " s"]:
        """Rows of the slices of a volume, from the lowest to the highest."""
        return np.arange(self.starts[volume], self.starts[volume + 1])

    @property
    def volumes(self) -> Int[ndarray, " n"]:
        """Of each slice the row of its volume."""
        return np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))


def names(volume: str, depth: int) -> list[str]:
    """Ids of a volume's slices, counted from 1 as SSL4MIS does: patient001_frame01_slice_1."""
    return [f"{volume}_slice_{number + 1}" for number in range(depth)]


def starts(depths: Sequence[int]) -> Int[ndarray, " v_and_one"]:
    """As of `Slices`."""
    return np.cumsum([0, *depths])


def cut_images(
    volumes: Sequence[UInt[ndarray, "_x _y _z c"]], size: Sequence[int]
) -> UInt[ndarray, "n h w c"]:
    """All slices at (h, w), bilinear."""
    return np.stack(
        [
            resize_image(np.ascontiguousarray(one), size)
            for volume in volumes
            for one in volume.transpose(2, 1, 0, 3)
        ]
    )


def cut_masks(
    volumes: Sequence[UInt8[ndarray, "_x _y _z"]], size: Sequence[int]
) -> UInt8[ndarray, "n h w"]:
    """The same of masks, nearest."""
    return np.stack(
        [
            resize_mask(np.ascontiguousarray(one), size)
            for volume in volumes
            for one in volume.transpose(2, 1, 0)
        ]
    )
