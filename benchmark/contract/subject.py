"""What is checked: a method with its hyper-parameters, built small, around each kind of network."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from benchmark.study import methods
from benchmark.study.settings import BASELINE, Study
from benchmark.study.syntax import Variant
from benchmark.study.trials import resolve
from benchmark.toolkit.architecture import Architecture
from benchmark.toolkit.builder import NetworkBuilder
from benchmark.toolkit.method import Batch, Method
from benchmark.training.loop import backward

CLASSES = 2
_SIDE = {2: 32, 3: 16}
_WIDTHS, _DROPOUT = [4, 8, 8], [0.05, 0.1, 0.5]
_HALF_WAY = 0.5


class Form(NamedTuple):
    """Images of so many dimensions, and the network around which a method is built."""

    dims: int
    network: str = "unet"

    def __str__(self) -> str:
        return f"{self.dims}D" if self.network == "unet" else f"around {self.network}"


IMAGES, VOLUMES, ENCODER = Form(2), Form(3), Form(2, "mobilenet_v2")  # one of the smallest


class Step(NamedTuple):
    """What one step in the middle of a run leaves behind."""

    terms: dict[str, float]
    gradients: dict[str, str]
    """As `digests`: those of many methods would not fit into memory."""
    is_trainable: dict[str, bool]
    """Of each parameter."""
    attached: list[str]
    """Diagnostics that were not detached."""


class Subject:
    """A method with hyper-parameters; what a step of it does is computed once for each form."""

    def __init__(self, name: str, method: type[Method], hyperparameters: dict[str, Any]):
        self.name, self.method, self.hyperparameters = name, method, hyperparameters
        self._steps: dict[Form, Step] = {}

    @property
    def is_baseline(self) -> bool:
        return self.name == BASELINE

    @property
    def has_defaults(self) -> bool:
        """Are all hyper-parameters those of the method itself?"""
        return self.hyperparameters == methods.facts_of(self.name, self.method).hyperparameters

    def built(self, form: Form, seed: int = 0) -> Method:
        """With fresh weights, always the same from a seed."""
        torch.manual_seed(seed)  # as the harness does, for the parts that a method adds
        builder = NetworkBuilder(
            in_channels=1,
            classes=CLASSES,
            spatial_dims=form.dims,
            criterion="ce",
            network=Architecture(name=form.network, widths=_WIDTHS, dropout=_DROPOUT),
            seed=seed,
        )
        return methods.built(self.method, builder, self.hyperparameters)

    def step(self, form: Form) -> Step:
        """The first step, on the batch of seed 0."""
        if form not in self._steps:
            self._steps[form] = first_step(self.built(form), batch(form.dims))
        return self._steps[form]


def of_text(text: str) -> Subject:
    """What was typed: a method by name or by its file, with hyper-parameters in brackets or none.

    `UserError` for what is not there, or cannot be loaded.
    """
    typed = Variant.parse(text)
    if typed.method.endswith(".py"):
        file = Path(typed.method)
        name, method = file.stem, methods.from_file(file)
    else:
        name, method = typed.method, methods.find(typed.method)
    facts = {name: methods.facts_of(name, method)}
    hyperparameters = resolve(replace(typed, method=name), Study(), facts).hyperparameters
    return Subject(name, method, hyperparameters)


def batch(dims: int = 2, seed: int = 0) -> Batch:
    """Two labelled and three unlabelled images of a bright square on noise."""
    rng, side = np.random.default_rng(seed), _SIDE[dims]
    y = np.zeros((5, *[side] * dims), np.int64)
    for i in range(5):
        start = rng.integers(0, side // 2, dims)
        y[(i, *(slice(s, s + side // 3) for s in start))] = 1
    x = y + rng.normal(0, 0.3, y.shape)
    images = torch.tensor(x[:, None], dtype=torch.float32)
    return Batch(images[:2], torch.tensor(y[:2]), images[2:])


def first_step(method: Method, data: Batch) -> Step:
    """A step half-way through a run, from the weights that the method has."""
    terms = stepped(method, data)
    return Step(
        terms,
        digests(method),
        {name: p.requires_grad for name, p in method.named_parameters()},
        [name for name, value in method.diagnostics.items() if value.requires_grad],
    )


def stepped(
    method: Method, data: Batch, progress: float = _HALF_WAY, seed: int = 0
) -> dict[str, float]:
    """The terms of a loss whose gradients are then in the method, the same from the same seed."""
    torch.manual_seed(seed)
    method.zero_grad(set_to_none=True)
    found = backward(method, data, progress, "float32")
    return {name: float(value) for name, value in found.items()}


def digests(method: Method) -> dict[str, str]:
    """Of the gradients that there are: equal if and only if all bits are."""
    return {
        name: hashlib.blake2b(parameter.grad.numpy().tobytes()).hexdigest()
        for name, parameter in method.named_parameters()
        if parameter.grad is not None
    }
