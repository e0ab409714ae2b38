"""Room for images of one size: thousands lie in memory once, not apart and together."""

from collections.abc import Sequence

import numpy as np
from numpy import ndarray

from benchmark.data.card import Card
from benchmark.data.decoding.case import Decoded


class Shelf:
    """Images as bytes and masks of a card's size, side by side; memory is taken as they come."""

    def __init__(self, number: int, card: Card):
        self._images = np.empty((number, *card.size, card.channels), np.uint8)
        self._masks = np.empty((number, *card.size), np.uint8)
        self._used = 0

    def laid(self, one: Decoded) -> Decoded:
        """The case with its arrays here; as it is where its image has 16 bits."""
        if one.image.dtype != np.uint8:
            return one
        place, self._used = self._used, self._used + 1
        self._images[place], self._masks[place] = one.image, one.mask
        return one._replace(image=self._images[place], mask=self._masks[place])


def stacked(arrays: Sequence[ndarray]) -> ndarray:
    """As `np.stack`, without a copy where they lie side by side in this order already."""
    whole, first = arrays[0].base, arrays[0]
    if whole is None or any(array.base is not whole for array in arrays):
        return np.stack(arrays)
    places = [(_address(array) - _address(whole)) // first.nbytes for array in arrays]
    if whole.shape[1:] != first.shape or places != list(range(places[0], places[0] + len(places))):
        return np.stack(arrays)
    return whole[places[0] : places[0] + len(places)]


def _address(array: ndarray) -> int:
    return array.__array_interface__["data"][0]
