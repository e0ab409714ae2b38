"""From what is stored of a case back to how its file had it."""

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from benchmark.data.decoding.images import resize_mask
from benchmark.data.decoding.volumes import turned_back, turned_shape
from benchmark.data.prepared import CaseEntry


def to_native(labels: UInt8[ndarray, "*s"], case: CaseEntry) -> UInt8[ndarray, "*t"]:
    """Class numbers at the size of the image's file, its axes as there; outside a crop 0.

    labels: (h, w) at any size, or (x, y, z) as stored. Of cases that were prepared before the size
    was kept: as they are.
    """
    if not case.source_shape:
        return labels
    if labels.ndim == 2:
        return resize_mask(labels, case.source_shape)
    affine = np.array(case.affine) if case.affine else None
    if case.start:
        whole = np.zeros(turned_shape(case.source_shape, affine), np.uint8)
        sides = zip(case.start, labels.shape, strict=True)
        whole[tuple(slice(start, start + side) for start, side in sides)] = labels
        labels = whole
    return labels if affine is None else turned_back(labels, affine)
