"""Alternate diverse teaching: two mean teachers take turns, each with strong views of its own.

    L = S(f(x), y)  +  weight · ramp · S_{c ≥ threshold}(f(s), h),   h, c from both teachers:
    q = w q₁ + (1 - w) q₂,  w = σ(H(q₂) - H(q₁)),  qᵢ = softmax gᵢ(u),  H in bits;  h, c = max q
    where argmax q₁ ≠ argmax q₂ and the student, on u, is surer than c of another class: its own
    s = jitter and blur of u in a turn of g₁; u with boxes of another u, h and c alike, of g₂
    gᵢ ← a gᵢ + (1 - a) f in its own turns alone; a turn lasts 1 to `period` steps, at random
    a = 0 while step/2 < warm, then min(1 - 1/(k + 1), decay), k = step/2 - warm

Paper:   Zhao et al., ECCV 2024, arXiv:2311.17325
Code:    ZhenZHAO/AD-MT@03ef84c code/train_post_2d_aut.py:279-321, code/train_post_3d_aut.py,
         code/train_utils.py:15-59, cfgs/; its first release (@a573afa) weighs both teachers alike
Differs: the student's classes are pasted as the images are (theirs not, so that in a box stands
         what it saw in another image: mix_student_labels=false). The run's ramp (theirs sigmoid
         over a quarter of the run, in 3D 0.4: ramp_share); S is the run's criterion on what is kept
         (theirs Dice over the batch in 2D, cross entropy in 3D, NaN where nothing is kept);
         teachers start as copies (theirs as other networks); streams of x, u and s apart (theirs
         one batch); jitter turns hue and saturation of colours (of grey images, as theirs are, it
         is brightness and contrast)
Options: weight: of the term on u once it is grown
         threshold: probability from which a pixel counts
         ramp_share: of the run, over which a sigmoid ramp of its own grows; 0: the run's ramp
         decay: limit of the average's rate a
         warm: pairs of steps in which the teacher whose turn it is copies the student
         period: longest turn, in steps
         conflict: who decides where the teachers do not agree, student (if surer) or teacher
         mix_student_labels: the student's classes are pasted too
         unsupervised: loss on u, criterion (the run's), dice or ce
Cost:    3 networks in training (1 pass of x, 4 of u: one of each teacher and one of the student
         without gradient, its strong view with it), 1 at test
"""

import copy
import math
from collections.abc import Iterator
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from benchmark.toolkit import schedules, views
from benchmark.toolkit.builder import NetworkBuilder
from benchmark.toolkit.losses import CRITERIA, masked
from benchmark.toolkit.method import Batch, Method, Terms
from benchmark.toolkit.teachers import average_rate, follow, in_eval_mode, without_gradient


class Labels(NamedTuple):
    """Classes of each pixel, and how sure of them their maker is."""

    classes: Int[Tensor, " b *s"]
    confidence: Float[Tensor, " b *s"]

    def pasted(self, partner: Tensor, box: Tensor) -> "Labels":
        """Inside the box those of the image's partner."""
        return Labels(*(views.paste(v, v[partner], box) for v in self))


class Turns(nn.Module):
    """Whose turn it is, for how long, and how many steps there were.

    Numbers on the processor that stand in checkpoints: to read one from a GPU is to wait for it.
    The length of a turn comes from torch's global generator, whose state stands there too.
    """

    def __init__(self, period: int):
        super().__init__()
        self.period = period
        self.step, self.active, self.left = 0, 0, self._length()

    def advance(self) -> None:
        """A step has ended."""
        self.step, self.left = self.step + 1, self.left - 1
        if self.left == 0:
            self.active, self.left = 1 - self.active, self._length()

    def _length(self) -> int:
        return int(torch.randint(1, self.period + 1, ()))

    def get_extra_state(self) -> Tensor:
        return torch.tensor([self.step, self.active, self.left])

    def set_extra_state(self, state: Tensor) -> None:
        self.step, self.active, self.left = state.tolist()


class ADMT(Method):
    FAMILY = "pseudo-labels"
    BUNDLES: ClassVar = {
        "paper": {
            "weight": 2.0, "threshold": 0.95, "ramp_share": 0.25, "decay": 0.99, "warm": 50,
            "period": 50, "unsupervised": "dice", "mix_student_labels": False,
        },
        "paper_3d": {
            "weight": 2.0, "threshold": 0.8, "ramp_share": 0.4, "decay": 0.99, "warm": 40,
            "period": 19, "unsupervised": "ce", "mix_student_labels": False,
        },
    }  # fmt: skip

    def __init__(
        self,
        build: NetworkBuilder,
        *,
        weight: float = 2.0,
        threshold: float = 0.95,
        ramp_share: float = 0.0,
        decay: float = 0.99,
        warm: int = 50,
        period: int = 50,
        conflict: str = "student",
        mix_student_labels: bool = True,
        unsupervised: str = "criterion",
    ):
        _check(ramp_share, period, conflict, unsupervised)
        super().__init__()
        self.student = build()
        self.teachers = nn.ModuleList(
            copy.deepcopy(self.student).requires_grad_(False) for _ in range(2)
        )
        self.turns = Turns(period)
        self.criterion, self.ramp, self.scale = build.criterion, build.ramp, build.scale
        self.on_kept = masked(CRITERIA.get(unsupervised, build.criterion))
        self.weight, self.threshold, self.ramp_share = weight, threshold, ramp_share
        self.decay, self.warm, self.period = decay, warm, period
        self.conflict, self.mix_student_labels = conflict, mix_student_labels
        self.unsupervised = unsupervised

    def loss(self, batch: Batch, progress: float) -> Iterator[Terms]:
        yield {"supervised": self.criterion(self.student(batch.x), batch.y)}
        with without_gradient():
            strong, labels = self._strong_view(batch.u)
        kept = labels.confidence >= self.threshold
        weight = self.weight * self._ramp(progress)
        yield {"pseudo": weight * self.on_kept(self.student(strong), labels.classes, kept)}
        self.diagnostics |= {
            "kept": kept.float().mean(),
            "pseudo_foreground": (labels.classes > 0).float().mean(),
        }

    def after_step(self, progress: float) -> None:
        rate = turn_rate(self.turns.step, self.warm, self.decay)
        follow(self.teachers[self.turns.active], self.student, rate, buffers="average")
        self.turns.advance()

    def forward(self, x):
        return self.student(x)

    def panel(self, x: Float[Tensor, "b c *s"]) -> Terms:
        q = blend(*(g(x) for g in self.teachers))
        return {"pseudo_label": q.clamp(min=torch.finfo(q.dtype).tiny).log()}  # finite, for windows

    def _ramp(self, progress: float) -> float:
        if self.ramp_share == 0:
            return self.ramp(progress)
        return schedules.ramp(progress, "sigmoid", self.ramp_share)

    def _strong_view(self, u: Float[Tensor, "m c *s"]) -> tuple[Float[Tensor, "m c *s"], Labels]:
        """The images that the student learns from in this turn, and what they are to be."""
        labels, clash = self._teachers_labels(u)
        own = most_likely(self.student(u).softmax(1))
        if self.turns.active == 0:
            strong = views.strong(u, self.scale, p_blur=0.2)
        else:
            partner, box = torch.randperm(len(u)).to(u.device), views.beta_boxes(u)
            strong = views.paste(u, u[partner], box)
            labels = labels.pasted(partner, box)
            clash = views.paste(clash, clash[partner], box)
            own = own.pasted(partner, box) if self.mix_student_labels else own
        self.diagnostics = {"clash": clash.float().mean()}
        if self.conflict == "student":
            better = clash & (own.classes != labels.classes) & (own.confidence > labels.confidence)
            labels = Labels(*(torch.where(better, a, b) for a, b in zip(own, labels, strict=True)))
            self.diagnostics["overruled"] = better.float().mean()
        return strong, labels

    def _teachers_labels(self, u: Float[Tensor, "m c *s"]) -> tuple[Labels, Bool[Tensor, " m *s"]]:
        """What both say together, and where they choose different classes.

        The teacher whose turn it is is in training mode, the other in evaluation mode.
        """
        with in_eval_mode(self.teachers[1 - self.turns.active]):
            z1, z2 = (g(u) for g in self.teachers)
        return most_likely(blend(z1, z2)), z1.argmax(1) != z2.argmax(1)


def blend(z1: Float[Tensor, "b k *s"], z2: Float[Tensor, "b k *s"]) -> Float[Tensor, "b k *s"]:
    """Mean of both softmaxes, each weighed by exp(-its entropy in bits), pixel by pixel."""
    w = (_bits(z2) - _bits(z1)).sigmoid()[:, None]
    return w * z1.softmax(1) + (1 - w) * z2.softmax(1)


def _bits(z: Float[Tensor, "b k *s"]) -> Float[Tensor, " b *s"]:
    """Entropy of each pixel."""
    return -(z.softmax(1) * z.log_softmax(1)).sum(1) / math.log(2)


def most_likely(p: Float[Tensor, "b k *s"]) -> Labels:
    confidence, classes = p.max(1)
    return Labels(classes, confidence)


def turn_rate(step: int, warm: int, decay: float) -> float:
    """0 in the first 2 · warm steps, then `average_rate`, every second step one further."""
    k = step // 2 - warm
    return 0.0 if k < 0 else average_rate(k, decay)


def _check(ramp_share: float, period: int, conflict: str, unsupervised: str) -> None:
    if not 0 <= ramp_share <= 1 or period < 1:
        raise ValueError(
            f"ramp_share is in [0, 1] and period at least 1, got {ramp_share} and {period}"
        )
    if conflict not in ("student", "teacher"):
        raise ValueError(f"conflict is student or teacher, got {conflict}")
    if unsupervised not in ("criterion", "dice", "ce"):
        raise ValueError(f"unsupervised is criterion, dice or ce, got {unsupervised}")
