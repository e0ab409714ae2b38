"""ONNX files of trained networks, run by onnxruntime: the very logits of the network."""

import dataclasses
import importlib.util
import json

import numpy as np
import pytest
import torch

from benchmark.data.split.roles import Roles
from benchmark.data.split.trial_data import for_trial
from benchmark.errors import UserError
from benchmark.prediction import exported
from benchmark.prediction.trained import Trained
from benchmark.toolkit.diffusion import noise_for
from benchmark.training.saved import described
from benchmark.training.trial import Sight, build_method_for
from methods.ours import scaled
from tests.conftest import TINY

SCORES = {"dc_pooled": 0.5, "all_foreground_dc_pooled": 0.25, "all_background_dc_pooled": 0.0}
CPU = torch.device("cpu")


@pytest.fixture
def untrained(prepared, tiny_trials):
    """A function: a network of a method as it is before training, but with moved statistics."""

    def make(variant: str, dims: int = 2) -> Trained:
        (trial,) = tiny_trials(dataclasses.replace(TINY, methods=[variant]))
        data = for_trial(prepared, Roles(), budget=trial.budget, seed=0)
        about = described(trial, prepared.manifest, data, SCORES, 1)
        if dims == 3:
            about = about.model_copy(
                update={"seen_as": "volumes", "sides": [16, 8, 8], "standardised_by": "each volume"}
            )
        method = build_method_for(trial, Sight(about.channels, 2, dims, None))
        with torch.no_grad():
            method.train()(torch.randn(4, about.channels, *about.sides))
        return Trained(about, method.eval(), CPU)

    return make


@pytest.fixture
def runtime():
    for name in ("onnx", "onnxscript"):
        pytest.importorskip(name)
    return pytest.importorskip("onnxruntime")


@pytest.mark.parametrize(
    ("variant", "dims", "noise"),
    [
        ("supervised", 2, 0),
        ("supervised", 3, 0),
        ("ours", 2, 2),
        ("ours", 3, 2),
        ("ours[inference=mean_3]", 2, 6),
        ("ours[inference=ddim_3]", 2, 2),
    ],
)
def test_the_file_gives_the_logits_of_the_network(
    variant, dims, noise, untrained, runtime, tmp_path
):
    network = untrained(variant, dims)
    inputs = exported.export(network, tmp_path / "network.onnx")
    assert inputs == (["image", "noise"] if noise else ["image"])
    session = runtime.InferenceSession(tmp_path / "network.onnx")
    channels, sides = network.about.channels, network.about.sides
    shapes = {one.name: one.shape for one in session.get_inputs()}
    assert shapes["image"] == ["batch", channels, *sides]
    x = torch.randn(3, channels, *sides, generator=torch.Generator().manual_seed(0))
    feed = {"image": x.numpy()}
    if noise:
        assert shapes["noise"] == ["batch", noise, *sides]
        seed = network.method.seed.item()
        draws = [noise_for(scaled(x), 2, seed, j)[0] for j in range(noise // 2)]
        feed["noise"] = torch.cat(draws, 1).numpy()
    with torch.inference_mode():
        expected = network.method(x).numpy()
    (found,) = session.run(["logits"], feed)
    assert found.shape == (3, 2, *sides)
    assert np.abs(found - expected).max() <= 1e-4 * max(1, np.abs(expected).max())


def test_the_file_says_how_images_are_standardised_and_what_the_classes_are(
    untrained, runtime, tmp_path
):
    network = untrained("supervised")
    exported.export(network, tmp_path / "network.onnx")
    said = runtime.InferenceSession(tmp_path / "network.onnx").get_modelmeta().custom_metadata_map
    assert json.loads(said["mean"]) == network.about.mean and len(network.about.mean) == 3
    assert json.loads(said["std"]) == network.about.std
    assert said["image"] == (
        "(batch, 3, 32, 32): (grey value as [0, 1] - mean) / std, mean and std below"
    )
    assert said["logits"] == "(batch, 2, 32, 32): background, gland"
    assert said["semiseg_bench_format"] == "1"
    assert json.loads(said["semiseg_bench"])["method"] == "supervised"
    with pytest.raises(UserError, match="is there already"):
        exported.export(network, tmp_path / "network.onnx")


def test_what_cannot_be_exported_says_so(untrained, runtime, tmp_path):
    network = untrained("ours[inference=random_t]")
    with pytest.raises(UserError, match="cannot be exported: with inference=random_t the time"):
        exported.export(network, tmp_path / "network.onnx")
    assert not list(tmp_path.iterdir())


def test_without_its_packages_it_names_them(untrained, monkeypatch, tmp_path):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec",
        lambda name, *more: None if name in ("onnx", "onnxscript") else find(name, *more),
    )  # fmt: skip
    with pytest.raises(UserError, match=r"needs onnx, onnxscript: pip install -e '\.\[onnx\]'"):
        exported.export(untrained("supervised"), tmp_path / "network.onnx")
