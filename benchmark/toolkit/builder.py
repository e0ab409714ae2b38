"""Builds the networks of one trial: what the harness hands to a method."""

from collections.abc import Callable

import torch
from torch import nn

from benchmark.randomness import derive
from benchmark.toolkit import encoders, schedules
from benchmark.toolkit.architecture import Architecture
from benchmark.toolkit.losses import CRITERIA, Criterion
from benchmark.toolkit.networks import UNet
from benchmark.toolkit.views import Scale


class NetworkBuilder:
    """Builds the networks of one trial, all of one kind; gives the run's criterion, ramp and scale.

    The i-th network that a trial builds is initialised from (trial seed, i): every method starts
    from the same first network, whatever it builds afterwards.
    """

    def __init__(  # noqa: PLR0913  (all that a trial's networks are made of)
        self,
        *,
        in_channels: int,
        classes: int,
        spatial_dims: int = 2,
        criterion: str = "ce_dice",
        network: Architecture | None = None,
        seed: int = 0,
        epochs: int = 1,
        ramp: Callable[[float], float] = schedules.ramp,
        scale: Scale | None = None,
    ):
        """epochs: of the training, for what counts them. ramp: progress → the run's ramp.

        scale: of the images, for what changes their grey levels; None of volumes and their slices.
        """
        self.in_channels, self.classes, self.spatial_dims = in_channels, classes, spatial_dims
        self.criterion: Criterion = CRITERIA[criterion]
        self.ramp, self.scale = ramp, scale
        self._network = network or Architecture()
        self.seed, self.epochs, self._built = seed, epochs, 0

    def __call__(
        self,
        *,
        in_channels: int | None = None,
        out_channels: int | None = None,
        time_embedding: bool = False,
    ) -> nn.Module:
        """A new `UNet`; by default from the images' channels to the classes.

        With an encoder as the run's network, an `EncoderUNet`, which has the same hooks.
        """
        inputs, outputs = in_channels or self.in_channels, out_channels or self.classes
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive(self.seed, "network", self._built))
            self._built += 1
            if self._network.is_encoder:
                return self._around_an_encoder(inputs, outputs, time_embedding)
            return UNet(
                inputs,
                outputs,
                spatial_dims=self.spatial_dims,
                widths=self._network.widths,
                dropout=self._network.dropout,
                time_embedding=time_embedding,
            )

    def _around_an_encoder(self, inputs: int, outputs: int, time_embedding: bool) -> nn.Module:
        if self.spatial_dims != 2:
            raise encoders.refuse_volumes(self._network.name)
        return encoders.EncoderUNet(
            inputs,
            outputs,
            name=self._network.name,
            dropout=self._network.dropout[-1],
            weights=self._network.weights,
            time_embedding=time_embedding,
        )
