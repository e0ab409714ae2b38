"""What a network says of an image as it was stored, back at the size and axes of its file."""

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from PIL import Image
from torch.nn import functional

from benchmark.data.decoding.case import Decoded
from benchmark.data.decoding.volumes import turned_back


def to_native(
    values: Float[ndarray, " k *s"], one: Decoded, *, smooth: bool = False
) -> Float[ndarray, " k *t"]:
    """Values of each class at the size of the image's file, its axes as there.

    Of an image each pixel has the nearest value, as what a study saves of its predictions: the
    class with the largest is the nearest pixel's class. smooth: bilinear instead, which rounds the
    outlines. Volumes have their size already.
    """
    if values.ndim == 3 and smooth:
        between = functional.interpolate(
            torch.from_numpy(values)[None], one.source_shape, mode="bilinear", antialias=True
        )
        return between[0].numpy()
    if values.ndim == 3:
        rows, columns = map(_nearest, values.shape[1:], one.source_shape)
        return values[:, rows[:, None], columns]
    if one.affine is None:
        return values
    return np.moveaxis(turned_back(np.moveaxis(values, 0, -1), one.affine), -1, 0)


def _nearest(have: int, wanted: int) -> Int[ndarray, " wanted"]:
    """For each of the wanted pixels along a side the nearest that there is.

    Asked of what resizes masks: at ties another rule would take the other one.
    """
    row = Image.fromarray(np.arange(have, dtype=np.int32)[None])
    return np.asarray(row.resize((wanted, 1), Image.Resampling.NEAREST))[0].astype(np.int64)
