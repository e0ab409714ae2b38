"""The verb `bench export`: a trained network as an ONNX file, for use without this tool.

The graph takes standardised images, a batch of any number, of the very sides that the network was
trained on, and gives logits. What is done to an image before, and what its classes are, stands in
the file's metadata: the JSON value of the weights' file (`store.weights`), and the same in words.
"""

import contextlib
import importlib.util
import json
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmark.errors import ExitCode, UserError
from benchmark.files import replacing
from benchmark.prediction.trained import Trained
from benchmark.store import weights
from benchmark.store.weights import About
from benchmark.toolkit.method import Method

_NEEDED = ("onnx", "onnxscript")
_OPSET = 18


class _Graph(nn.Module):
    """What is exported: images, and the noise of those networks that see some, to logits."""

    def __init__(self, method: Method):
        super().__init__()
        self.method = method

    def forward(self, image: Tensor, noise: Tensor | None = None) -> Tensor:
        return self.method(image) if noise is None else self.method.forward_from(image, noise)


def export(trained: Trained, file: Path) -> list[str]:
    """Write the network to the file, whole or not at all; returns the names of its inputs.

    `UserError`: without the packages that it needs (exit code 4), or for a network that no graph
    can stand for (exit code 3).
    """
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(
            f"bench export needs {', '.join(missing)}: pip install -e '.[onnx]'",
            ExitCode.RESOURCES,
        )
    if file.exists():
        raise UserError(f"{file} is there already: name another file, or delete it")
    if why := trained.method.not_exportable:
        raise UserError(f"{trained.about.label} cannot be exported: {why}", ExitCode.DATA)
    inputs = _inputs(trained)
    model = _graph(trained, inputs)
    for name, text in _entries(trained.about, model).items():
        model.metadata_props.add(key=name, value=text)
    file.parent.mkdir(parents=True, exist_ok=True)
    with replacing(file) as stream:
        stream.write(model.SerializeToString())
    return list(inputs)


def _inputs(trained: Trained) -> dict[str, Tensor]:
    """An image of the network's sides, and noise where it sees some."""
    about = trained.about
    channels = trained.method.noise_channels
    inputs = {"image": torch.zeros(2, about.channels, *about.sides)}
    if channels:
        inputs["noise"] = torch.zeros(2, channels, *about.sides)
    return inputs


def _graph(trained: Trained, inputs: dict[str, Tensor]) -> Any:
    """An `onnx.ModelProto`, made on a processor, wherever the network is."""
    graph, batch = _Graph(trained.method).to("cpu").eval(), torch.export.Dim("batch")
    try:
        with torch.no_grad(), _quiet():
            return torch.onnx.export(
                graph,
                tuple(inputs.values()),
                input_names=list(inputs),
                output_names=["logits"],
                dynamic_shapes={name: {0: batch} for name in inputs},
                opset_version=_OPSET,
                external_data=False,
                verbose=False,
            ).model_proto
    except torch.onnx.OnnxExporterError as error:
        why = str(error).strip().partition("\n")[0]
        raise UserError(
            f"{trained.about.label} cannot be exported: torch.onnx says {why}", ExitCode.DATA
        ) from error
    finally:
        trained.method.to(trained.device)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without what torch.onnx and its libraries say to those who write them."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


def _entries(about: About, model: Any) -> dict[str, str]:
    """The metadata of the file: for programs, and the same in words."""
    has_own = about.standardised_by == "each volume"
    whose = "mean and std of the volume's own grey values" if has_own else "mean and std below"
    shapes = {value.name: _shape(value) for value in (*model.graph.input, *model.graph.output)}
    entries = {
        weights.FORMAT_ENTRY: str(weights.FORMAT),
        weights.ABOUT_ENTRY: about.model_dump_json(),
        "image": f"{shapes['image']}: (grey value as [0, 1] - mean) / std, {whose}",
        "logits": f"{shapes['logits']}: {', '.join(about.classes)}",
        "terms": about.terms,
    }
    if not has_own:
        entries |= {"mean": json.dumps(about.mean), "std": json.dumps(about.std)}
    if "noise" in shapes:
        entries["noise"] = f"{shapes['noise']}: standard normal"
    return entries


def _shape(value: Any) -> str:
    """Of an `onnx.ValueInfoProto`: (batch, 3, 128, 128)."""
    dims = value.type.tensor_type.shape.dim
    return f"({', '.join(dim.dim_param or str(dim.dim_value) for dim in dims)})"
