"""What the contract's checks say of methods that break it: each breaks one rule."""

import pytest
import torch

from benchmark.contract import checks, cost, learning, prediction, writing
from benchmark.contract.checks import CHECKS
from benchmark.contract.subject import IMAGES, Subject, of_text
from benchmark.toolkit.method import Method


class Sound(Method):
    """Keeps every rule that is not of the writing."""

    def __init__(self, build, *, weight: float = 1.0):
        super().__init__()
        self.network, self.criterion, self.weight = build(), build.criterion, weight

    def loss(self, batch, progress):
        supervised = self.criterion(self.network(batch.x), batch.y)
        return {"supervised": supervised, "unlabelled": self.network(batch.u).square().mean()}

    def forward(self, x):
        return self.network(x)


class NoTerms(Sound):
    def loss(self, batch, progress):
        return iter(())


class Unnamed(Sound):
    def loss(self, batch, progress):
        return {"ce": self.criterion(self.network(batch.x), batch.y)}


class Infinite(Sound):
    def loss(self, batch, progress):
        return super().loss(batch, progress) | {"log": self.network(batch.x).sum() / 0.0}


class Unused(Sound):
    def __init__(self, build):
        super().__init__(build)
        self.extra = torch.nn.Linear(1, 1, bias=False)


class LabelledAlone(Sound):
    def loss(self, batch, progress):
        return {"supervised": self.criterion(self.network(batch.x), batch.y)}


class OwnNoise(Sound):
    generator = torch.Generator()

    def loss(self, batch, progress):
        noise = torch.rand(1, generator=self.generator)
        return {name: value * noise for name, value in super().loss(batch, progress).items()}


class Forgetful(Sound):
    def __init__(self, build):
        super().__init__(build)
        self.steps = 1.0

    def loss(self, batch, progress):
        return {name: value * self.steps for name, value in super().loss(batch, progress).items()}

    def after_step(self, progress):
        self.steps = 2.0


class Attached(Sound):
    def loss(self, batch, progress):
        terms = super().loss(batch, progress)
        self.diagnostics = {"share": terms["supervised"]}
        return terms


class Small(Sound):
    def forward(self, x):
        return self.network(x)[..., ::2, ::2]


class Probabilities(Sound):
    def forward(self, x):
        return self.network(x).softmax(1)


class Pair(Sound):
    def forward(self, x):
        return self.network(x), x


class SecondNetwork(Sound):
    def __init__(self, build):
        super().__init__(build)
        self.network = build()


class TwoNetworks(Sound):
    def __init__(self, build):
        super().__init__(build)
        self.second = build()

    def forward(self, x):
        return self.network(x) + self.second(x)


class Random(Sound):
    def forward(self, x):
        return self.network(x) + torch.rand(())


class Counting(Sound):
    def __init__(self, build):
        super().__init__(build)
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, x):
        self.seen += 1
        return self.network(x)


class Backwards(Sound):
    def loss(self, batch, progress):
        return {"supervised": -self.criterion(self.network(batch.x), batch.y).clamp(max=5)}


class Reseeding(Sound):
    def loss(self, batch, progress):
        torch.manual_seed(3)
        return super().loss(batch, progress)


class IntoBatch(Sound):
    def loss(self, batch, progress):
        batch.u.add_(1)
        return super().loss(batch, progress)


class IntoInput(Sound):
    def forward(self, x):
        return self.network(x.mul_(0.5))


class Renamed(Sound):
    def __init__(self, build, *, weight: float = 1.0, rate: float = 0.5):
        super().__init__(build, weight=2 * weight)


class Raising(Sound):
    def loss(self, batch, progress):
        raise RuntimeError("no good\nand more")


def said(check, method: type[Method], **hyperparameters) -> list[str]:
    """What a check finds of the class, called "mine", on images."""
    found = checks.findings(
        next(one for one in CHECKS if one.find is check),
        Subject("mine", method, hyperparameters),
        IMAGES,
    )
    return [one.text for one in found]


@pytest.mark.parametrize(
    ("check", "method", "text"),
    [
        (learning.terms, NoTerms, "loss gives no terms"),
        (learning.terms, Unnamed, 'must have "supervised" in its name, that of the labelled'),
        (learning.terms, Infinite, "the terms of the loss must be finite, and log is "),
        (learning.gradients, Unused, "no gradient reaches extra.weight: use them in the loss"),
        (learning.unlabelled, LabelledAlone, "the loss must use batch.u"),
        (learning.same_seed, OwnNoise, "draw random numbers from torch's global generator alone"),
        (learning.same_seed, Reseeding, "the loss seeds torch's global generator"),
        (learning.inputs, IntoBatch, "the loss writes into batch.u: work on a copy"),
        (learning.inputs, IntoInput, "forward writes into its images: work on a copy"),
        (learning.state, Forgetful, "learns otherwise than it: what changes in training must be"),
        (learning.diagnostics, Attached, "diagnostics must be detached, and share hold a graph"),
        (
            prediction.logits,
            Small,
            "forward must give (b, k, *s), here (2, 2, 32, 32), got (2, 2, 16, 16)",
        ),
        (prediction.logits, Probabilities, "forward must give logits, got probabilities"),
        (prediction.logits, Pair, "here (2, 2, 32, 32), got a tuple"),
        (prediction.same_start, SecondNetwork, "it must predict as supervised does"),
        (prediction.same_size, TwoNetworks, "all methods test one network"),
        (prediction.repeatable, Random, "in evaluation forward differs from call to call"),
        (prediction.repeatable, Counting, "must change nothing, and it changes seen"),
        (learning.one_batch, Backwards, "after 60 steps on one batch"),
        (learning.terms, Raising, "it raises RuntimeError: no good (test_findings.py, line "),
    ],
)
def test_a_broken_rule_is_found_and_said(check, method, text):
    found = said(check, method)
    assert len(found) == 1 and text in found[0], found


@pytest.mark.parametrize("check", CHECKS[4:15], ids=lambda check: check.find.__name__)
def test_a_method_that_keeps_the_rules_has_no_finding(check):
    assert said(check.find, Sound, weight=1.0) == []


@pytest.mark.parametrize("method", [Reseeding, IntoBatch, IntoInput])
@pytest.mark.parametrize("check", [learning.state, prediction.repeatable])
def test_another_rule_that_is_broken_is_not_blamed(check, method):
    assert said(check, method) == []


def test_hyper_parameters_that_are_not_kept_are_found():
    assert said(writing.stored, Renamed, weight=1.0, rate=0.5) == [
        "self.weight must stay 1.0, got 2.0",
        "hyper-parameter rate must be kept as self.rate",
    ]


FILE = '''"""A method that is checked.

    L = S(f(x), y)

Paper:   none
Code:    none
Differs: no
Options: weight: of the loss
         left: over
Cost:    1 network in training (2 passes of x), 1 at test
"""

from benchmark.training import loop
from benchmark.toolkit.method import Method


class Written(Method):
    def __init__(self, build, *, weight: float = 1.0, rate: float = 0.5):
        super().__init__()
        self.network, self.criterion = build(), build.criterion
        self.weight, self.rate = weight, rate

    def loss(self, batch, progress):
        return {"supervised": self.weight * self.criterion(self.network(batch.x), batch.y)}

    def forward(self, x):
        return self.network(x)
'''


def test_what_a_file_says_is_compared_with_what_it_does(tmp_path):
    file = tmp_path / "written.py"
    file.write_text(FILE.replace("Differs: no\n", "").replace("is checked.", "is checked"))
    found = of_text(f"{file}[weight=2]")
    assert found.hyperparameters == {"weight": 2.0, "rate": 0.5} and not found.has_defaults
    assert [*writing.header(found, IMAGES)] == [
        "the first line of the file's docstring must be a sentence, got 'A method that is checked'",
        "the header must have Paper:, Code:, Differs:, Options:, Cost:; lacking: Differs:",
    ]
    assert [*writing.explained(found, IMAGES)] == [
        "under Options: of the header stands a line NAME: MEANING for each hyper-parameter; "
        "lacking: rate",
        "Options: of the header explains what is no hyper-parameter: left",
    ]
    assert [*writing.imports(found, IMAGES)] == [
        "it may import no benchmark.training: of this project benchmark.toolkit alone"
    ]
    assert [*cost.passes(found, IMAGES)] == [
        "the header's Cost: says that encoders see 4 images of a step with 2 labelled and 3 "
        "unlabelled ones, and they see 2"
    ]
    of_cost = next(one for one in CHECKS if one.find is cost.passes)
    assert of_cost.left_out(found) == "it is said of the defaults"
    assert of_cost.left_out(of_text(str(file))) == ""


def test_a_method_whose_network_is_another_says_why_it_is_not_asked():
    of_size = next(one for one in CHECKS if one.find is prediction.same_size)
    assert "noisy mask" in of_size.left_out(of_text("ours"))
    assert of_size.left_out(of_text("cps")) == ""
