"""What a network says of the evaluation set: of images in batches, of volumes one by one.

A volume is seen through windows that slide over it; or slice by slice, where the network was
trained on slices. Either way what comes out has the size of the volume, as its mask has.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from numpy import ndarray
from torch import Tensor
from torch.nn import functional

from benchmark.data.decoding.greys import as_bytes
from benchmark.data.split.trial_data import TrialData
from benchmark.toolkit.method import Method
from benchmark.training.batches import mirrored, standardised_arrays
from benchmark.training.layout import arranged, in_precision

_BATCH = 8  # images at a time, by benchmarks/evaluation.py; no influence but for rounding
_WINDOWS = 4  # of a volume at a time; by the same script more of them take no less
_KEPT = 2**29  # bytes of images that a trial keeps ready between its evaluations


class View:
    """How a trial's network sees the evaluation set: on which device, in what precision.

    patch: of volumes that are seen in windows of this size. Images that fit into `_KEPT` are
    standardised and moved once, not at each evaluation.
    """

    def __init__(
        self,
        data: TrialData,
        device: torch.device,
        patch: list[int] | None = None,
        precision: str = "float32",
    ):
        self.data, self.device, self.patch = data, device, patch
        self.precision = precision
        self._kept: dict[tuple[int, ...], Tensor] = {}
        self._room = _KEPT

    def on(self, data: TrialData) -> "View":
        """Other data, seen in the same way."""
        return View(data, self.device, self.patch, self.precision)

    def images(self, rows: Int[ndarray, " b"]) -> Float[Tensor, "b c *s"]:
        """As the network gets them; a volume smaller than a window is mirrored, as in training.

        rows: of the evaluation set, or of slices. The caller's own: a network that writes into its
        input changes nothing of the next evaluation.
        """
        key = tuple(rows.tolist())
        if key in self._kept:
            return self._kept[key].clone()
        slices, evaluation = self.data.slices, self.data.evaluation
        images = [(evaluation if slices is None else slices).images[row] for row in rows]
        if self.patch is not None:
            images = [mirrored(image, self.patch)[0] for image in images]
        x = arranged(standardised_arrays(images, self.data, rows, self.device))
        if x.nbytes <= self._room:
            self._kept[key], self._room = x.clone(), self._room - x.nbytes
        return x

    def place(self, row: np.int64) -> tuple[slice, ...]:
        """Where a volume lies in what `images` gives of it."""
        return mirrored(self.data.evaluation.masks[row], self.patch)[1]


_Look = Callable[[Tensor], dict[str, Tensor]]
"""Images (b, c, *s) → tensors by name, of the same *s."""


def predicted(method: Method, view: View) -> list[UInt8[ndarray, "*s"]]:
    """Class masks of `view.data.evaluation`, of which no mask is read."""
    found: list[ndarray] = []
    with as_tested(method, view.precision, view.device):
        for seen in logits(method, view):
            found += list(labels_of(seen.logits))
    return found


def labels_of(logits: Float[Tensor, "b k *s"]) -> UInt8[ndarray, " b *s"]:
    """The class of each pixel."""
    return logits.argmax(1).cpu().numpy().astype(np.uint8)


class Seen(NamedTuple):
    """Rows of the evaluation set, and what the network says of them, in float32."""

    rows: Int[ndarray, " b"]
    logits: Float[Tensor, "b k *s"]


def logits(method: Method, view: View) -> Iterator[Seen]:
    """Of the whole evaluation set, in its order, at the size of its masks."""
    indices = view.data.evaluation.indices
    if view.patch is not None or view.data.slices is not None:
        for row in indices:
            found = _of_volume(lambda x: {"logits": method(x)}, view, row)
            yield Seen(row[None], found["logits"].float())
        return
    for start in range(0, len(indices), _BATCH):
        rows = indices[start : start + _BATCH]
        yield Seen(rows, method(view.images(rows)).float())


def pictures(
    method: Method, view: View, rows: Int[ndarray, " n"]
) -> dict[str, list[UInt8[ndarray, "*s"]]]:
    """What `Method.panel` shows of these cases: class masks, and images as bytes with channels."""
    found: dict[str, list[ndarray]] = {}
    is_whole = view.patch is None and view.data.slices is None
    with as_tested(method, view.precision, view.device):
        for row in rows:
            if is_whole:
                shown = method.panel(view.images(row[None]))
            else:
                shown = _of_volume(method.panel, view, row)
            for name, values in shown.items():
                picture = _picture(name, values[0].float(), view.data, row)
                found.setdefault(name, []).append(picture)
    return found


def _picture(name: str, values: Float[Tensor, " c *s"], data: TrialData, row: np.int64) -> ndarray:
    if name == "pseudo_label":
        return values.argmax(0).cpu().numpy().astype(np.uint8)
    own = row if data.slices is None else data.slices.starts[row]  # slices of a volume share them
    grey = values.movedim(0, -1).cpu().numpy() * data.std[own] + data.mean[own]
    dtype = data.evaluation.images[row].dtype
    return as_bytes(np.rint(grey.clip(0, 1) * np.iinfo(dtype).max).astype(dtype))


@contextlib.contextmanager
def as_tested(method: Method, precision: str, device: torch.device) -> Iterator[None]:
    """Evaluation mode, without gradients, with torch's random state put back afterwards."""
    was_training = method.training
    devices = range(torch.cuda.device_count()) if torch.cuda.is_available() else []
    mixed = in_precision(precision, device)
    with torch.random.fork_rng(devices), torch.inference_mode(), mixed:
        method.eval()
        try:
            yield
        finally:
            method.train(was_training)


def _of_volume(look: _Look, view: View, row: np.int64) -> dict[str, Float[Tensor, "1 k *s"]]:
    return (_in_windows if view.data.slices is None else _in_slices)(look, view, row)


def _in_windows(look: _Look, view: View, row: np.int64) -> dict[str, Float[Tensor, "1 k *s"]]:
    """What is seen of a volume: windows that overlap by half, averaged where they do.

    A volume smaller than a window is mirrored as in training, and what is seen of it cut back to
    its size.
    """
    from monai.inferers import sliding_window_inference  # seconds, and only volumes need it

    x, place = view.images(row[None]), view.place(row)
    seen = sliding_window_inference(x, view.patch, _WINDOWS, look, overlap=0.5, mode="constant")
    return {name: values[:, :, *place] for name, values in seen.items()}


def _in_slices(look: _Look, view: View, row: np.int64) -> dict[str, Float[Tensor, "1 k x y z"]]:
    """What is seen of a volume slice by slice, at the volume's own size."""
    rows, shape = view.data.slices.of(row), view.data.evaluation.masks[row].shape
    parts: dict[str, list[Tensor]] = {}
    for start in range(0, len(rows), _BATCH):
        for name, values in look(view.images(rows[start : start + _BATCH])).items():
            parts.setdefault(name, []).append(values)
    return {name: stacked(torch.cat(values), shape) for name, values in parts.items()}


def stacked(values: Float[Tensor, "s k h w"], shape: tuple[int, ...]) -> Float[Tensor, "1 k x y z"]:
    """Of the slices of a volume, at its own size (x, y, z): of each voxel the nearest pixel.

    Taken from logits it is what is taken from classes (HiLab-git/SSL4MIS@06df604
    code/test_2D_fully.py:57-61): the class of the nearest is the nearest of the classes.
    """
    native = functional.interpolate(values.float(), size=(shape[1], shape[0]), mode="nearest-exact")
    return native.permute(1, 3, 2, 0)[None]
