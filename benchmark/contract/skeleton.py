"""A method to begin with: pseudo-labelling, complete, with comments on what to replace."""

import ast
import importlib.util
import keyword
from pathlib import Path

from benchmark.errors import UserError
from benchmark.files import write_new
from benchmark.study import methods

_TEXT = '''"""NAME: a sentence that says what the method does, here by pseudo-labels.

    L = S(f(x), y)  +  weight · ramp · mean over pixels of 1[p ≥ confidence] · (-ln p),
    p = max softmax f(u), the probability of the class that the network chooses

Paper:   authors, title, venue, arXiv number
Code:    repository and commit that this follows, or none
Differs: in what, from paper and code
Options: weight: of the second term once it is grown, by the run's ramp
         confidence: probability from which a pixel counts
Cost:    1 network in training (1 pass of x, 1 of u), 1 at test
"""

from collections.abc import Iterator

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from benchmark.toolkit.builder import NetworkBuilder
from benchmark.toolkit.method import Batch, Method, Terms


class CLASS(Method):
    # Each hyper-parameter: a keyword with a default, kept under its own name, a line in Options.
    def __init__(self, build: NetworkBuilder, *, weight: float = 1.0, confidence: float = 0.9):
        super().__init__()
        self.network = build()  # the first one starts from the same weights in every method
        self.criterion, self.ramp = build.criterion, build.ramp
        self.weight, self.confidence = weight, confidence

    # Named terms, already weighted, whose sum is minimised; one has "supervised" in its name.
    # What is yielded is back-propagated before the next is asked for, which saves memory.
    def loss(self, batch: Batch, progress: float) -> Iterator[Terms]:
        yield {"supervised": self.criterion(self.network(batch.x), batch.y)}
        z = self.network(batch.u)
        weight = self.weight * self.ramp(progress)  # progress: (step + 1) / steps
        yield {"pseudo": weight * confident_cross_entropy(z, self.confidence)}

    # Logits of the network that is tested.
    def forward(self, x: Float[Tensor, "b c *s"]) -> Float[Tensor, "b k *s"]:
        return self.network(x)

    # A moving average, or the like, goes into `after_step(self, progress)`.


# The formula, apart from the networks, so that a test can compute it by hand.
def confident_cross_entropy(z: Float[Tensor, "b k *s"], confidence: float) -> Float[Tensor, ""]:
    """Mean over all pixels of -ln p at the network's choice; 0 where p is below `confidence`."""
    p, chosen = z.detach().softmax(1).max(1)  # (b, *s)
    return (F.cross_entropy(z, chosen, reduction="none") * (p >= confidence)).mean()
'''


def write(name: str, folder: Path) -> Path:
    """The file NAME.py; `UserError` for a name that cannot be used, and where the file is there."""
    if not methods.is_name(name) or keyword.iskeyword(name):
        raise UserError(
            "a method's name is made of lower-case letters, digits and _, a letter first, and is "
            f'not "all" nor a word of Python; got {name!r}'
        )
    if name in methods.names():
        raise UserError(f'there is a method "{name}" already (bench list methods): take another')
    file = folder / f"{name}.py"
    there = importlib.util.find_spec(name)
    if there is not None and there.origin not in (None, str(file.resolve())):  # None: a folder
        raise UserError(f'Python has a module "{name}" already, and would load that: take another')
    write_new(file, _TEXT.replace("NAME", name).replace("CLASS", _class_name(name)))
    return file


def _class_name(name: str) -> str:
    """mean_field → MeanField; float → FloatMethod, where the file imports something so called."""
    made = "".join(part.capitalize() for part in name.split("_"))
    return f"{made}Method" if made in _imported() else made


def _imported() -> set[str]:
    """What the file's own lines call by a name."""
    lines = ast.walk(ast.parse(_TEXT))
    imports = (node for node in lines if isinstance(node, ast.Import | ast.ImportFrom))
    return {alias.asname or alias.name for node in imports for alias in node.names}
