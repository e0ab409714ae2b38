"""Connected components of masks: pure functions, scipy's labelling.

scipy.ndimage is imported where it computes: it loads slowly, and whoever lists the methods or plans
a run needs none of it.
"""

import numpy as np
import torch
from jaxtyping import Bool, Int
from numpy import ndarray
from torch import Tensor


def largest(labels: Int[Tensor, " b *s"], classes: int) -> Int[Tensor, " b *s"]:
    """Classes with the largest component of each image and foreground class alone.

    What is taken away becomes background. Components touch at corners too: 8 neighbours in images,
    26 in volumes (scipy's default is 4 and 6). Of equally large ones the first in raster order
    stays.
    """
    found = labels.cpu().numpy()
    kept = np.zeros_like(found)
    for image, cleaned in zip(found, kept, strict=True):
        for k in range(1, classes):
            cleaned[_largest(image == k)] = k
    return torch.from_numpy(kept).to(labels.device)


def _largest(mask: Bool[ndarray, "*s"]) -> Bool[ndarray, "*s"]:
    """The largest component of a mask; empty of an empty one."""
    from scipy.ndimage import label

    components, n = label(mask, structure=np.ones([3] * mask.ndim))
    if n == 0:
        return mask
    sizes = np.bincount(components.ravel())
    sizes[0] = 0  # the background
    first = (sizes[components] == sizes.max()).argmax()
    return components == components.flat[first]
