"""What every method must keep: in 2D, in 3D, around an encoder.

A failing message says what to change. Methods of other installed packages are tested too:
`pytest tests/test_contract.py -k name`.
"""

import ast
import hashlib
import importlib.util
import inspect
import re
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

from benchmark.study import methods
from benchmark.toolkit import encoders, networks
from benchmark.toolkit.encoders import EncoderUNet
from benchmark.toolkit.method import Batch
from benchmark.toolkit.networks import UNet
from benchmark.training.loop import backward

METHODS = methods.names()
every_method = pytest.mark.parametrize("name", METHODS)
ENCODER = "mobilenet_v2"  # one of the smallest
on_both_networks = pytest.mark.parametrize("network", ["unet", ENCODER])  # see `make`
in_every_form = pytest.mark.parametrize(
    ("dims", "network"), [(2, "unet"), (3, "unet"), (2, ENCODER)]
)
MAY_IMPORT = {
    "collections.abc", "copy", "dataclasses", "functools", "math", "re", "typing", "jaxtyping",
    "torch", "torch.nn", "torch.nn.functional",
}  # fmt: skip


@pytest.fixture
def network() -> str:
    return "unet"


@pytest.fixture
def make(build, network):
    def method(name: str, dims: int = 2, seed: int = 0):
        torch.manual_seed(seed)  # as the harness does, for the parts that a method adds
        return methods.build(name, build(dims, seed=seed, network=network), {})

    return method


class Step(NamedTuple):
    """What one step in the middle of a run leaves behind."""

    figures: dict[str, float]
    gradients: dict[str, str]
    """As `digests`: those of all methods would not fit into memory."""
    is_trainable: dict[str, bool]
    """Of each parameter."""
    attached: list[str]
    """Diagnostics that were not detached."""


@pytest.fixture(scope="module")
def steps() -> dict[tuple[str, int, str], Step]:
    return {}


@pytest.fixture
def step(make, batch, network, steps):
    """A function: a step of a method from its first weights, always the same; computed once."""

    def taken(name: str, dims: int = 2) -> Step:
        if (name, dims, network) not in steps:
            steps[name, dims, network] = first_step(name, make(name, dims), batch(dims))
        return steps[name, dims, network]

    return taken


def first_step(name: str, method, batch) -> Step:
    torch.manual_seed(0)
    figures = {name: float(v) for name, v in backward(method, batch, 0.5, "float32").items()}
    return Step(
        figures,
        digests(method),
        {n: p.requires_grad for n, p in method.named_parameters()},
        [figure for figure, value in method.diagnostics.items() if value.requires_grad],
    )


def digests(method) -> dict[str, str]:
    """Of the gradients that there are: equal if and only if all bits are."""
    return {
        name: hashlib.blake2b(parameter.grad.numpy().tobytes()).hexdigest()
        for name, parameter in method.named_parameters()
        if parameter.grad is not None
    }


def gradients(method, batch, progress: float = 0.5, seed: int = 0) -> dict[str, torch.Tensor]:
    torch.manual_seed(seed)
    method.zero_grad(set_to_none=True)
    backward(method, batch, progress, "float32")
    return {n: p.grad.clone() for n, p in method.named_parameters() if p.grad is not None}


def test_the_methods_are_found():
    assert METHODS[0] == "supervised"
    assert {"supervised", "cps"} <= set(METHODS)


@every_method
def test_hyper_parameters_have_defaults_and_are_stored_under_their_names(name, make):
    method = make(name)
    place, held = ("self", method) if method.Options is None else ("self.options", method.options)
    for key, default in methods.hyperparameters(name).items():
        assert default is not inspect.Parameter.empty, f"{name}: give {key} a default"
        assert getattr(held, key) == default, f"{name}: store {key} unchanged as {place}.{key}"


@every_method
@in_every_form
def test_the_loss_is_finite_and_its_terms_are_named(name, dims, step):
    figures = step(name, dims).figures
    assert figures, f"{name}: loss gives no terms"
    assert all(torch.isfinite(torch.tensor(v)) for v in figures.values()), figures
    assert any("supervised" in term for term in figures), f"{name}: name the labelled term so"


@every_method
@in_every_form
def test_a_gradient_reaches_every_trainable_parameter_and_no_frozen_one(name, dims, step):
    found = step(name, dims)
    for parameter, is_trainable in found.is_trainable.items():
        reached = parameter in found.gradients
        assert reached == is_trainable, f"{name}: {parameter} reached: {reached}"


@every_method
@on_both_networks
def test_the_unlabelled_images_change_what_is_learnt(name, make, batch, step):
    other = first_step(name, make(name), batch()._replace(u=batch(seed=1).u))
    differ = step(name).gradients != other.gradients
    assert differ == (name != "supervised"), f"{name}: does the loss look at batch.u?"


@every_method
@in_every_form
def test_forward_gives_logits_of_the_images_size(name, dims, make, batch):
    x = batch(dims).x
    z = make(name, dims).eval()(x)
    assert z.shape == (len(x), 2, *x.shape[2:])
    assert not torch.allclose(z.sum(1), torch.ones(1)), f"{name}: logits, not probabilities"


@every_method
@on_both_networks
def test_all_methods_start_from_the_same_tested_network(name, make, batch):
    if methods.find(name).__module__.endswith(".ours"):
        pytest.skip("takes a noisy mask as further input")
    x = batch().x
    assert torch.equal(make(name).eval()(x), make("supervised").eval()(x))


@every_method
@on_both_networks
def test_evaluation_is_deterministic_and_leaves_no_trace(name, make, batch):
    method, x = make(name).eval(), batch().x
    before = {k: v.clone() for k, v in method.state_dict().items()}
    first, second = method(x), method(x)
    assert torch.equal(first, second), f"{name}: forward differs from call to call"
    assert all(torch.equal(before[k], v) for k, v in method.state_dict().items())


@every_method
@on_both_networks
def test_the_same_seed_gives_the_same_gradients(name, make, batch, step):
    assert step(name).gradients == first_step(name, make(name), batch()).gradients


@every_method
@on_both_networks
def test_a_state_dict_carries_the_whole_method(name, make, batch):
    source, target = make(name, seed=1), make(name, seed=2)
    gradients(source, batch())
    source.after_step(0.5)
    target.load_state_dict(source.state_dict())
    assert torch.equal(source.eval()(batch().x), target.eval()(batch().x))
    ours, theirs = gradients(source.train(), batch()), gradients(target.train(), batch())
    assert all(torch.equal(ours[n], theirs[n]) for n in ours)


@every_method
@on_both_networks
def test_diagnostics_are_detached(name, step):
    attached = step(name).attached
    assert not attached, f"{name}: detach {attached}"


ALONE = {"urpc": {"supervise_auxiliary": False}, "dtc": {"distance_weight": 0.0},
         "cct": {"supervise_auxiliary": False}, "fixmatch": {"ramp": "run"},
         "unimatch": {"ramp": "run"}}  # fmt: skip


@pytest.mark.parametrize("name", ["em", "mean_teacher", "uamt", "cct", "urpc", "cps", "dtc",
                                  "fixmatch", "unimatch", "admt", "ssnet"])  # fmt: skip
def test_without_its_unsupervised_term_a_method_trains_as_the_baseline(name, build, batch):
    """Progress 0: each parameter of the tested network gets the gradient that `supervised` has."""

    def learnt(method) -> dict[str, torch.Tensor]:
        found = gradients(method, batch(), progress=0.0)
        own = ("network.", "student.", "f1.")
        return {n.partition(".")[2]: g for n, g in found.items() if n.startswith(own)}

    baseline = learnt(methods.build("supervised", build(), {}))
    found = learnt(methods.build(name, build(), ALONE.get(name, {})))
    assert len(baseline) > 20 and baseline.keys() == found.keys()
    for parameter, gradient in baseline.items():
        assert torch.allclose(gradient, found[parameter], atol=1e-7), parameter


@every_method
def test_the_header_has_its_six_parts(name):
    sentence, *rest = methods.header(name).splitlines()
    assert sentence.endswith("."), f"{name}: the first line is a sentence"
    text = "\n".join(rest)
    assert "L = " in text, f"{name}: the formula of the loss"
    for part in ("Paper:", "Code:", "Differs:", "Options:", "Cost:"):
        assert re.search(rf"^{part}\s+\S", text, re.M), f"{name}: {part} is missing in the header"


def listed_options(name: str) -> list[str]:
    """What stands under `Options:` in the header: the names of its lines, or "none"."""
    part = re.search(r"^Options:(.*?)(?=^\S|\Z)", methods.header(name), re.M | re.S)
    assert part, f"{name}: Options: is missing in the header"
    if part[1].strip() == "none":
        return []
    return re.findall(r"^\s*(\w+): \S", part[1], re.M)


@every_method
def test_every_hyper_parameter_is_explained(name):
    """A line for each ("name: meaning", or none) in the header, or its meaning in `Options`."""
    if methods.find(name).Options is None:
        assert sorted(listed_options(name)) == sorted(methods.hyperparameters(name)), (
            f"{name}: under Options: stands a line for each hyper-parameter, or none"
        )
    else:
        documented = methods.documented_options(name)
        assert documented.keys() == methods.hyperparameters(name).keys()
        unexplained = [key for key, meaning in documented.items() if not meaning.strip()]
        assert not unexplained, f"{name}: give the options {unexplained} a meaning"


STREAMS = ("x", "u", "mixed")  # labelled, unlabelled, and those made of one of each


def stated_passes(cost: str) -> dict[str, dict[str, int]]:
    """How often an encoder and a decoder see an image of each stream, as under `Cost:`.

    "3 passes of x, 1 of u, 2 of mixed", and as much for the decoders unless "decoders: 4 of x, …"
    follows.
    """
    encoders, separate, decoders = cost.partition("decoders:")

    def read(text: str) -> dict[str, int]:
        found = dict.fromkeys(STREAMS, 0)
        for n, stream in re.findall(r"(\d+)(?:\s+pass(?:es)?)?\s+of\s+(x|u|mixed)\b", text):
            found[stream] += int(n)
        return found

    return {"encoder": read(encoders), "decoder": read(decoders if separate else encoders)}


@pytest.mark.parametrize(
    ("cost", "encoder", "decoder"),
    [
        ("1 network in training (1 pass of x), 1 at test", (1, 0, 0), (1, 0, 0)),
        ("2 networks (1 pass of x, 2 of u: student, teacher), 1 at test", (1, 2, 0), (1, 2, 0)),
        ("1 network (1 pass of x, 3\n of u; decoders: 1 of x, 4 of u)", (1, 3, 0), (1, 4, 0)),
        ("2 networks (1 pass of u, 2 of mixed), 1 at test", (0, 1, 2), (0, 1, 2)),
    ],
)
def test_what_stands_under_cost_is_read(cost, encoder, decoder):
    expected = {"encoder": encoder, "decoder": decoder}
    assert {p: tuple(n.values()) for p, n in stated_passes(cost).items()} == expected


def images_seen(method, batch) -> dict[str, int]:
    """Images that the encoders and the decoders of a method see in one step, none counted twice."""
    seen = {"encoder": 0, "decoder": 0}

    def counter(part):
        def count(module, inputs, _):
            seen[part] += len(inputs[0][0] if part == "decoder" else inputs[0])  # that is a list

        return count

    for module in method.modules():
        if isinstance(module, UNet):
            module.blocks[0].register_forward_hook(counter("encoder"))
        elif isinstance(module, EncoderUNet):
            module.encoder.register_forward_hook(counter("encoder"))
        elif isinstance(module, networks.Decoder | encoders.Decoder):
            module.register_forward_hook(counter("decoder"))
    torch.manual_seed(0)
    backward(method, batch, 0.5, "float32")
    return seen


@every_method
@on_both_networks
def test_the_passes_are_those_under_cost(name, make, batch):
    """In batches whose totals no other numbers of passes have: 2 + 3, 3 + 2 and 2 + 2 images."""
    two, three = batch(), batch(seed=1)
    y = torch.cat([two.y, three.y[:1]])
    stated = stated_passes(methods.header(name).partition("Cost:")[2])
    for data in (two, Batch(two.u, y, two.x), Batch(two.x, two.y, two.x)):
        amounts = (len(data.x), len(data.u), min(len(data.x), len(data.u)))
        expected = {
            part: sum(n * passes[s] for n, s in zip(amounts, STREAMS, strict=True))
            for part, passes in stated.items()
        }
        seen = images_seen(make(name), data)
        assert seen == expected, f"{name}: the header's Cost: says otherwise"


@every_method
@in_every_form
def test_all_methods_test_an_equally_large_network(name, dims, make, batch):
    if methods.find(name).__module__.endswith(".ours"):
        pytest.skip("has a time embedding and takes a noisy mask as further input")
    sizes = [parameters_in_forward(make(n, dims), batch(dims).x) for n in (name, "supervised")]
    assert sizes[0] == sizes[1]


def parameters_in_forward(method, x) -> int:
    """Parameters of the modules that take part in `forward`."""
    used = set()
    for module in method.modules():
        module.register_forward_hook(lambda m, *_: used.update(m.parameters(recurse=False)))
    method.eval()(x)
    return sum(p.numel() for p in used)


def imported(name: str) -> set[str]:
    """Modules that the method's file and the private ones beside it (`_NAME*`) import."""
    module = inspect.getmodule(methods.find(name))
    file = Path(module.__file__)
    found = set()
    for source in (file, *file.parent.glob(f"_{name}*.py")):
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                relative = "." * node.level + (node.module or "")
                found.add(importlib.util.resolve_name(relative, module.__package__))
    return found


@every_method
def test_a_method_imports_mathematics_only(name):
    """Of this project the toolkit, and private modules of its own.

    A method of another package may import what it likes, but not the harness's plumbing.
    """
    foreign = imported(name) - MAY_IMPORT
    if methods.offered(name):
        foreign = {m for m in foreign if m.split(".")[0] in ("benchmark", "reports")}
    own = f"methods._{name}"
    foreign = {m for m in foreign if not f"{m}.".startswith("benchmark.toolkit.")}
    foreign = {m for m in foreign if not m.startswith(own)}
    assert not foreign, f"{name}: may not import {foreign}"


@every_method
@pytest.mark.slow
def test_it_overfits_one_batch(name, make, batch):
    data, method = batch(), make(name)
    optimiser = torch.optim.Adam([p for p in method.parameters() if p.requires_grad], 1e-2)
    torch.manual_seed(0)
    for step in range(60):
        backward(method, data, (step + 1) / 600, "float32")
        optimiser.step()
        optimiser.zero_grad()
        method.after_step((step + 1) / 600)
        if step % 10 == 9:
            agreement = (method.eval()(data.x).argmax(1) == data.y).float().mean()
            if agreement > 0.97:
                return
            method.train()
    pytest.fail(f"{name}: only {agreement:.3f} of the pixels of two images after 60 steps")
