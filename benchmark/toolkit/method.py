"""The contract between the harness and a method.

A method holds networks and losses, and nothing else: no data, no optimiser, no files, no device.
The harness calls `loss`, back-propagates it, steps the optimiser, calls `after_step`, and tests
`forward`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from typing import Any, ClassVar, NamedTuple

from jaxtyping import Float, Int
from torch import Tensor, nn

Terms = dict[str, Tensor]


def option(default: Any, meaning: str) -> Any:
    """A field of a method's `Options`: its default, and its meaning in one line."""
    return field(default=default, metadata={"meaning": meaning})


class Batch(NamedTuple):
    """What one step sees. *s is (h, w) or (d, h, w); images are z-scored on the train pool."""

    x: Float[Tensor, "b c *s"]
    """Labelled images."""
    y: Int[Tensor, " b *s"]
    """Their classes, 0 is the background."""
    u: Float[Tensor, "m c *s"] | None
    """Unlabelled images; None where every image is labelled (only `supervised` runs there)."""


class Examination(NamedTuple):
    """What a pretraining has made, as it shows on images alone."""

    masks: Float[Tensor, "b k *s"]
    """Logits of the masks that it sees in them; the order of the classes means nothing."""
    figures: Terms
    """Numbers of these images, each a mean over them."""
    pictures: Terms
    """By name (b, c, *s), standardised as the images."""


class Method(nn.Module):
    """Interface of a semi-supervised segmentation method.

    A subclass is built as `Name(build, *, hyper-parameters with defaults)`, where `build` is a
    `benchmark.toolkit.builder.NetworkBuilder`. Each hyper-parameter is a keyword with a default:
    the signature is the only declaration of what can be set from a preset or as `name[key=value]`.
    A method with many of them may declare them as fields of a frozen dataclass instead, which it
    names as `Options`, and is then built as `Name(build, options)`.

    A method that learns from images alone before it trains says so by `PRETRAINED` and has a
    `pretrain_loss`. The pretraining is done once for all labelled ratios and all variants that
    agree in `PRETRAIN_PARAMETERS`; a hyper-parameter named `pretrain`, if there is one, is whether
    a variant uses it.
    """

    Options: ClassVar[type | None] = None
    """A frozen dataclass of the hyper-parameters, each an `option`, where they are no keywords."""
    PRETRAINED: ClassVar[tuple[str, ...]] = ()
    """Names of the submodules that the pretraining makes; nothing else is kept of it."""
    PRETRAIN_PARAMETERS: ClassVar[tuple[str, ...]] = ()
    """Names of the hyper-parameters that change the pretraining; the others have their defaults
    while it runs."""
    BUNDLES: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """Hyper-parameters that one word in brackets sets together: `name[word]`."""
    ABLATIONS: ClassVar[Mapping[str, tuple[Any, ...]]] = {}
    """Values of a hyper-parameter that `bench run --ablation` compares."""

    FAMILY: ClassVar[str] = ""
    """What it makes of unlabelled images, in a word: `bench list methods` groups by it."""

    LEAST_BATCH: tuple[int, int] = (1, 1)
    """Labelled and unlabelled images of the least batch that it works with: a study with a smaller
    one is refused when it is planned. A variant that needs more sets its own in `__init__`."""

    BEFORE: ClassVar[Mapping[str, Any]] = {}
    """Of a hyper-parameter that was added when trials had been recorded already: the value that
    gives the numbers from before, at which the key of a trial stays what it was. Never changes."""

    def __init__(self) -> None:
        super().__init__()
        self.diagnostics: Terms = {}
        """Detached numbers about the last step, for `history.csv`."""

    def loss(self, batch: Batch, progress: float) -> Terms | Iterator[Terms]:
        """The weighted terms of the loss of one step; the harness minimises their sum.

        progress: (step + 1) / steps, in (0, 1]: a ramp written with it does not depend on the
        length of the run. A method may yield several dictionaries instead: each is
        back-propagated before the next is asked for, and the gradients add up. Memory is then that
        of the largest part, and streams passed apart keep separate batch-norm statistics. The
        harness asks until there is no more, so what follows the last `yield` runs too.
        """
        raise NotImplementedError

    def forward(self, x: Float[Tensor, "b c *s"]) -> Float[Tensor, "b k *s"]:
        """Logits of the network that is tested."""
        raise NotImplementedError

    @property
    def noise_channels(self) -> int:
        """Of the noise that `forward` draws for an image; 0 if it draws none."""
        return 0

    def forward_from(
        self, x: Float[Tensor, "b c *s"], noise: Float[Tensor, "b n *s"]
    ) -> Float[Tensor, "b k *s"]:
        """`forward`, with the standard normal noise of `noise_channels` given: for exports."""
        raise NotImplementedError

    @property
    def not_exportable(self) -> str:
        """Why no graph of fixed operations does what `forward` does; "" if one can."""
        return ""

    def after_step(self, progress: float) -> None:
        """What follows the optimiser step without a gradient, such as a moving average."""

    def pretrain_loss(self, u: Float[Tensor, "m c *s"], progress: float) -> Terms:
        """The weighted terms of one step of the pretraining, which gets images only."""
        raise NotImplementedError

    def examine(self, u: Float[Tensor, "m c *s"]) -> Examination | None:
        """What the pretraining has made, on two images or more; None: there is nothing to see.

        Asked after the pretraining and never in it. Must not depend on torch's random state.
        """
        return None

    def doubts(self, figures: Mapping[str, float]) -> list[str]:
        """What is wrong with a pretraining of these `Examination.figures`, a sentence each."""
        return []

    def reorder(self, order: Sequence[int]) -> None:
        """Told, before training, the order of the pretrained mask's channels that fits the labelled
        images best: class k is channel order[k]. A method may follow it, or stay as it is.
        """

    def panel(self, x: Float[Tensor, "b c *s"]) -> Terms:
        """Further pictures of images for the qualitative figure, if a method has any.

        pseudo_label: logits (b, k, *s); reconstruction: (b, c, *s), standardised as x.
        """
        return {}
