"""The kinds of augmentation that a study can ask for."""

from jaxtyping import Float, Int
from numpy.random import Generator
from torch import Tensor

from benchmark.training.augmentation.nnunet import nnunet
from benchmark.training.augmentation.ssl4mis import ssl4mis
from benchmark.training.augmentation.symmetries import Pair, random_symmetry


def augmented(
    x: Float[Tensor, "b c *s"],
    y: Int[Tensor, " b *s"] | None,
    how: str,
    symmetry: str,
    rng: Generator,
    outside: Float[Tensor, "b c"],
) -> Pair:
    """Each image (and mask) changed at random.

    how: none; symmetries, those that the card allows; ssl4mis; nnunet. outside: of each image, what
    a rotation of ssl4mis brings in from beyond its edge. Of a mask that is the background.
    """
    if how == "none":
        return x, y
    if how == "symmetries":
        return random_symmetry(x, y, symmetry, rng)
    if how == "ssl4mis":
        return ssl4mis(x, y, symmetry, rng, outside)
    return nnunet(x, y, symmetry, rng)
