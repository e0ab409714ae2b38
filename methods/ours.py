"""Diffusion teacher-student: a denoising teacher and its student label for each other, in rounds.

    L = Σ over s ∈ {T, S} of S(m_s(x), y)   +   λ · (L_semi + L_align + L_rec) on x and on u
    m_s = f_m^s(i, √(1-A_t) ν, t): a mask from an image i and noise ν of a random time t
    L_semi  = S(m_T, argmax m_S) + S(m_S, argmax m_T)
    R rounds from m_0 = m_T:  i_r = the image that f_i^T sees in (noised i, m_{r-1}, t'),
                              m_r = f_m^T(i_r, noise, t'')
    L_align = mean over r of S(m_r, y or argmax m_S),   L_rec = mean over r of (i - i_r)²
    λ = weight · ramp;  before, without labels, the teacher learns i → mask → i (L_rec alone)

Paper:   Ciampi, Lagani, Amato & Falchi, arXiv:2504.01547v2 (Eq. 3 with the minus that it lacks)
Code:    none released for the paper; its authors' earlier scripts, since deleted: ciampluca/
         hebbian-bootstraping-semi-supervised-medical-imaging@dac1ad6 train_semi_superdiff_2d.py
         In the meanings of the options below: A* is what those scripts do, λ, Eq. and App. are
         the paper's.
Differs: ours[paper] and ours[authors] set what the paper says and what those scripts do; the rest
         of this list is this file's default. f_i puts out the image: from pure noise (Eq. 6) the
         noise that Eq. 3 wants would be ν - √(A/(1 - A)) i, with a factor of i of 100 at time 0 and
         .006 at the last, which no network learns (ours[paper,image_param=noise] has it so), and
         from a noised image (theirs) it does without the mask. Masks are logits of the shared UNet
         at the width of every other method (theirs: UNets of 4 times its parameters). Masks enter
         f_i, and images f_m, detached. f_m sees images as z-scores, on the scale of the noise
         beside them and as every other method's network does, but clipped at ± 3; f_i in [-1, 1],
         where they are noised. Noise starts from zero (theirs: from the background, +1 and -1;
         their student sees -1 in all channels on labelled images and at test, which ours[authors]
         does not follow). The student is tested, from pure noise that depends on the trial's seed
         and the image alone (theirs: a random time, unseeded, and the better of both networks on
         the test set). Optimiser and batches are the preset's; `paper` has theirs for ours[authors]
Options: the fields of `Options` in _ours_options.py, each with its meaning and equation
Cost:    3 networks in training, 2 of the teacher (at 5 rounds 12 passes of x, 12 of u: teacher's
         masks 6, student's 1, teacher's images 5), 1 at test; before it 2 passes a step for the
         pretraining, shared by all trials of a seed
"""

import math
from collections.abc import Iterator, Mapping, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from benchmark.toolkit.builder import NetworkBuilder
from benchmark.toolkit.diffusion import BETAS, NoiseSchedule, noise_for
from benchmark.toolkit.losses import CRITERIA, agreement, cross_supervision, foreground_share
from benchmark.toolkit.method import Batch, Examination, Method, Terms
from methods._ours_options import ABLATIONS, BEFORE, BUNDLES, PRETRAIN_PARAMETERS, Options

Draw = tuple[Tensor, Tensor]  # noise (b, k, *s) and time steps (b,)

IMAGE_RANGE = 3.0  # z-scores beyond it are clipped, the rest is scaled to [-1, 1]
_IGNORED = 0.8  # own error over that with another's mask, from which on the mask is not used
_COLLAPSED = 0.99  # share of pixels in one class


class Pathways(nn.Module):
    """f_m: an image and a noisy mask → the mask; f_i: a noisy image and a mask → the image.

    f_i puts out the image itself or what tells it (`image_param`). Two UNets of the run's widths;
    in the input the noised part comes first. Both are told the time step of the noised part. Images
    come in [-1, 1]; f_m sees them as z-scores.
    """

    def __init__(self, build: NetworkBuilder, *, has_image: bool):
        super().__init__()
        channels = build.in_channels + build.classes
        self.masks = build(in_channels=channels, time_embedding=True)
        self.images, self._order = None, None
        if has_image:
            self.images = build(
                in_channels=channels, out_channels=build.in_channels, time_embedding=True
            )

    def mask(
        self, image: Float[Tensor, "b c *s"], noisy: Float[Tensor, "b k *s"], t: Int[Tensor, " b"]
    ) -> Float[Tensor, "b k *s"]:
        """f_m."""
        return self.masks(torch.cat([noisy, IMAGE_RANGE * image], 1), t)

    def image(
        self, noisy: Float[Tensor, "b c *s"], mask: Float[Tensor, "b k *s"], t: Int[Tensor, " b"]
    ) -> Float[Tensor, "b c *s"]:
        """f_i; the teacher's alone."""
        mask = mask if self._order is None else mask[:, self._order]
        return self.images(torch.cat([noisy, mask], 1), t)

    def reorder(self, order: Sequence[int]) -> None:
        """Let class k be what was channel order[k] of f_m; f_i sees the channels that it knows."""
        head = self.masks.output
        for values in (head.weight, head.bias):
            values.data = values.data[list(order)].clone(memory_format=torch.preserve_format)
        self._order = [list(order).index(k) for k in range(len(order))]


class DiffusionTeacherStudent(Method):
    FAMILY = "diffusion"
    Options = Options
    PRETRAINED = ("teacher",)
    PRETRAIN_PARAMETERS = PRETRAIN_PARAMETERS
    BUNDLES = BUNDLES
    ABLATIONS = ABLATIONS
    BEFORE = BEFORE

    def __init__(self, build: NetworkBuilder, options: Options | None = None):
        super().__init__()
        self.options = options = options or Options()
        self.student = Pathways(build, has_image=False)
        self.teacher = Pathways(build, has_image=True)
        self.noising = NoiseSchedule(BETAS[options.schedule](options.time_steps))
        self.classes = build.classes
        own = options.criterion
        self.ramp = build.ramp
        self.criterion = build.criterion if own == "run" else CRITERIA[own]
        self.register_buffer("seed", torch.tensor(build.seed))  # of the noise at test

    # Supervision

    def loss(self, batch: Batch, progress: float) -> Iterator[Terms]:
        lam = self.options.weight * self.ramp(progress)
        yield from self._labelled(batch, lam)
        yield from self._unlabelled(batch, lam)

    def _labelled(self, batch: Batch, lam: float) -> Iterator[Terms]:
        """Eq. 16: the terms of both networks' masks, then those of each round."""
        i, options = scaled(batch.x), self.options
        seen, z_teacher, z_student = self._both(i)
        terms = {
            "supervised": self.criterion(z_teacher, batch.y) + self.criterion(z_student, batch.y)
        }
        if options.semi_on_labelled:
            terms["semi"] = lam * cross_supervision(z_teacher, z_student, self.criterion)
        weight = 1.0 if options.aux_weight_labelled == "one" else lam
        yield from self._with_rounds(terms, self._rounds(i, seen, batch.y, weight))

    def _unlabelled(self, batch: Batch, lam: float) -> Iterator[Terms]:
        """Eq. 15: the same without labels; the student's decisions are the rounds' target."""
        i = scaled(batch.u)
        seen, z_teacher, z_student = self._both(i)
        terms = {"semi": lam * cross_supervision(z_teacher, z_student, self.criterion)}
        self.diagnostics = {
            "lambda": torch.tensor(lam),
            "pseudo_foreground": foreground_share(z_teacher),
            "agreement": agreement(z_teacher, z_student),
        }
        yield from self._with_rounds(terms, self._rounds(i, seen, z_student.argmax(1), lam))

    def _both(self, i: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """f_m's output of the teacher, and the logits of teacher and student (Eq. 8)."""
        draw = self._draw(i)
        seen = self._mask(self.teacher, i, draw)
        other_draw = draw if self.options.shared_noise else self._draw(i)
        student = self._mask(self.student, i, other_draw)
        return seen, self._logits(seen), self._logits(student)

    def _with_rounds(self, terms: Terms, rounds: Iterator[Terms]) -> Iterator[Terms]:
        if self.options.detach_mask_to_image:  # each graph is freed before the next is computed
            yield terms
            yield from rounds
        else:  # one graph runs through all of them
            for more in rounds:
                terms |= {name: terms.get(name, 0) + value for name, value in more.items()}
            yield terms

    # Rounds

    def _rounds(self, i: Tensor, seen: Tensor, target: Tensor, weight: float) -> Iterator[Terms]:
        """The teacher makes an image of its mask, and a mask of that image, R times (Eq. 11-14)."""
        options, mask, image = self.options, seen, i
        for _ in range(options.rounds):
            if options.detach_mask_to_image:
                mask = mask.detach()
            made, reconstruction = self._remake(image, i, mask, self._image_draw(image))
            self.diagnostics["clipped"] = (made.detach().abs() > 1).float().mean()
            if options.clip_x0:
                made = made.clamp(-1, 1)
            if options.detach_image_to_mask:
                made = made.detach()
            again = self._mask(self.teacher, made, self._draw(i))
            share = weight / options.rounds
            yield {
                "align": share * self.criterion(self._logits(again), target),
                "reconstruction": share * reconstruction,
            }
            if options.rounds_chained:
                mask = again
            if options.round_image == "previous":
                image = made.detach()

    # Reconstruction

    def pretrain_loss(self, u: Tensor, progress: float) -> Terms:
        """Of the teacher, from images alone: the mask it sees must tell what the image was."""
        i = scaled(u)
        mask = self._mask(self.teacher, i, self._draw(i))  # not detached: this is how f_m learns
        _, reconstruction = self._remake(self._start(i), i, mask, self._image_draw(i))
        return {"cycle": reconstruction}

    @torch.no_grad()
    def examine(self, u: Tensor) -> Examination:
        """Does f_i use the mask? The image from its own mask, another's, and a constant one.

        As in the pretraining, but for noise and times that depend on the images alone.
        """
        i, seed = scaled(u), self.seed.item()
        noise, _ = noise_for(i, self.classes, seed, 0)
        last = torch.full((len(i),), self.options.time_steps - 1, device=i.device)
        mask = self._mask(self.teacher, i, (noise, last))
        code = self._code(mask)
        image_noise, at = noise_for(i, i.shape[1], seed, "examination")
        t = (at * (self._latest + 1)).long()
        noisy = self.noising.noised(self._start(i), image_noise, t)

        def remade(code: Tensor) -> Tensor:
            return self._image(noisy, self.teacher.image(noisy, code, t), t).clamp(-1, 1)

        space = [0, *range(2, code.ndim)]
        own, others = remade(code), remade(code.roll(1, 0))
        constant = remade(code.mean(space, keepdim=True).expand_as(code))
        p = self._logits(mask).softmax(1)
        brightness = i.mean(1, keepdim=True)
        figures = {
            "error_own": (own - i).square().mean(),
            "error_permuted": (others - i).square().mean(),
            "error_constant": (constant - i).square().mean(),
            "variance": i.var(space, correction=0).mean(),
            "mask_entropy": (torch.special.entr(p).sum(1) / math.log(self.classes)).mean(),
            "mask_brightness": _correlation(p, brightness).abs().amax(1).mean(),
        }
        for k in range(self.classes):
            figures[f"mask_share_{k}"] = (p.argmax(1) == k).double().mean()
        pictures = {"remade": own * IMAGE_RANGE, "remade_from_another": others * IMAGE_RANGE}
        return Examination(self._logits(mask), figures, pictures)

    def doubts(self, figures: Mapping[str, float]) -> list[str]:
        own, permuted = figures["error_own"], figures["error_permuted"]
        found = []
        if own >= _IGNORED * permuted:
            found.append(
                "the mask is not used: images are remade hardly better from their own mask (error "
                f"{own:.3f}) than from another image's ({permuted:.3f})"
            )
        shares = [figures[f"mask_share_{k}"] for k in range(self.classes)]
        if max(shares) >= _COLLAPSED:
            found.append(
                f"the mask has collapsed: {100 * max(shares):.1f} % of all pixels are in one class"
            )
        return found

    def reorder(self, order: Sequence[int]) -> None:
        if self.options.align_classes:
            self.teacher.reorder(order)

    def _start(self, i: Tensor) -> Tensor:
        """What is noised in the first stage."""
        return torch.zeros_like(i) if self.options.image_input == "pure_noise" else i

    def _image_draw(self, image: Tensor) -> Draw:
        """Noise of the image's shape and a time step t' for each image."""
        t = torch.randint(self._latest + 1, (len(image),), device=image.device)
        return torch.randn_like(image), t

    @property
    def _latest(self) -> int:
        """The last time t' at which images are noised."""
        options = self.options
        return options.t_prime_max if options.t_prime_max >= 0 else options.time_steps - 1

    def _remake(
        self, image: Tensor, true: Tensor, mask: Tensor, draw: Draw
    ) -> tuple[Tensor, Tensor]:
        """The image that f_i sees in a noised image and f_m's output, and how far it is off.

        image: what is noised; true: what is to be found. The squared error is that of the image.
        Of a network that puts out the noise it is (1/A - 1) times that of the noise, but at most
        `reconstruction_cap` times: uncapped, the last twentieth of the time steps makes up most of
        the sum.
        """
        options, (noise, t) = self.options, draw
        noisy = self.noising.noised(image, noise, t)
        output = self.teacher.image(noisy, self._code(mask), t)
        if options.image_param != "noise":
            made = self._image(noisy, output, t)
            return made, (made - true).square().mean()
        wanted = self.noising.noise_in(noisy, true, t)
        error = (output - wanted).square().flatten(1).mean(1)
        if options.reconstruction_target == "image":
            limit = options.reconstruction_cap
            error = error * self.noising.image_weight(t).clamp(max=limit).float()
        return self._image(noisy, output, t), error.mean()

    def _image(self, noisy: Tensor, output: Tensor, t: Tensor) -> Tensor:
        """The image that f_i's output stands for."""
        if self.options.image_param == "x0":
            return output
        if self.options.image_param == "v":
            return self.noising.of_velocity(noisy, output, t)
        return self.noising.cleaned(noisy, output, t)

    def _code(self, mask: Tensor) -> Tensor:
        """f_m's output as f_i is given it."""
        if self.options.mask_to_image == "raw":
            return mask
        return 2 * self._logits(mask).softmax(1) - 1

    # Input

    def _draw(self, i: Tensor) -> Draw:
        """Noise of a mask's shape and a time step for each image."""
        noise = torch.randn(len(i), self.classes, *i.shape[2:], device=i.device)
        return noise, torch.randint(self.options.time_steps, (len(i),), device=i.device)

    def _mask(self, network: Pathways, i: Tensor, draw: Draw) -> Tensor:
        """f_m's output for images in [-1, 1], starting from this noise at this time."""
        noise, t = draw
        start = torch.zeros_like(noise)
        if self.options.mask_start == "background_onehot":
            start -= 1
            start[:, 0] = 1
        noise = noise if self.options.mask_noise else torch.zeros_like(noise)
        return network.mask(i, self.noising.noised(start, noise, t), t)

    def _logits(self, output: Tensor) -> Tensor:
        """Of f_m's output; as x₀ it lies in [-1, 1] and is brought to [0, 1]."""
        return output if self.options.mask_output == "logits" else (output + 1) / 2

    # Inference

    def forward(self, x):
        i = scaled(x)
        drawn = [noise_for(i, self.classes, self.seed.item(), j) for j in range(self._draws)]
        return self._tested(i, [noise for noise, _ in drawn], drawn[0][1])

    def forward_from(self, x, noise):
        at = torch.zeros(x.shape[0], device=x.device)
        return self._tested(scaled(x), list(noise.split(self.classes, 1)), at)

    @property
    def noise_channels(self) -> int:
        return self.classes * self._draws

    @property
    def not_exportable(self) -> str:
        if self.options.inference == "random_t":
            return "with inference=random_t the time step depends on the image's content"
        return ""

    @property
    def _draws(self) -> int:
        """How many times noise is drawn for an image."""
        kind, _, number = self.options.inference.partition("_")
        return int(number) if kind == "mean" else 1

    def _tested(self, i: Tensor, noise: list[Tensor], at: Tensor) -> Tensor:
        """noise: of each draw. at: a number in [0, 1) for each image."""
        network = self.student if self.options.tested == "student" else self.teacher
        kind, _, number = self.options.inference.partition("_")
        if kind == "mean":
            return self._mean_over_draws(network, i, noise)
        if kind == "ddim":
            return self._stepwise(network, i, noise[0], int(number))
        return self._one_pass(network, i, noise[0], at)

    def _one_pass(self, network: Pathways, i: Tensor, noise: Tensor, at: Tensor) -> Tensor:
        """From noise that depends on seed and image, at the last, the first, or a random time."""
        last = self.options.time_steps - 1
        t = {
            "single_T": torch.full_like(at, last),
            "single_t0": torch.zeros_like(at),
            "random_t": (at * self.options.time_steps).floor(),
        }[self.options.inference]
        return self._logits(self._mask(network, i, (noise, t.long())))

    def _mean_over_draws(self, network: Pathways, i: Tensor, draws: list[Tensor]) -> Tensor:
        """Logarithm of the mean probabilities over draws of noise, at evenly spread times."""
        log_p = []
        for j, noise in enumerate(draws):
            time = (j + 0.5) * self.options.time_steps / len(draws)
            t = torch.full(i.shape[:1], time, device=i.device).long()
            log_p.append(self._logits(self._mask(network, i, (noise, t))).log_softmax(1))
        return torch.stack(log_p).logsumexp(0) - math.log(len(draws))

    def _stepwise(self, network: Pathways, i: Tensor, noisy: Tensor, steps: int) -> Tensor:
        """The mask by DDIM (arXiv:2010.02502, η = 0). f_m is never trained on noised masks."""
        times = torch.linspace(self.options.time_steps - 1, 0, steps).round().long().tolist()
        for step, now in enumerate(times):
            t = torch.full(i.shape[:1], now, device=i.device)
            logits = self._logits(network.mask(i, noisy, t))
            if step + 1 < steps:
                mask = 2 * logits.softmax(1) - 1
                noise = self.noising.noise_in(noisy, mask, t)
                noisy = self.noising.noised(mask, noise, torch.full_like(t, times[step + 1]))
        return logits

    def panel(self, x: Tensor) -> dict[str, Tensor]:
        """The teacher's mask as logits, and the image it remakes of it from half of the noise."""
        i, batch = scaled(x), len(x)
        t = torch.full((batch,), self.options.time_steps - 1, device=x.device)
        noise, _ = noise_for(i, self.classes, self.seed.item(), 0)
        mask = self._mask(self.teacher, i, (noise, t))
        image_noise, _ = noise_for(i, i.shape[1], self.seed.item(), "panel")
        made, _ = self._remake(i, i, mask, (image_noise, torch.full_like(t, self._latest // 2)))
        return {
            "pseudo_label": self._logits(mask),
            "reconstruction": made.clamp(-1, 1) * IMAGE_RANGE,
        }


def _correlation(a: Float[Tensor, "b k *s"], b: Float[Tensor, "b 1 *s"]) -> Float[Tensor, "b k"]:
    """Pearson's, over the pixels of each image; 0 where one of both is constant."""
    a, b = (v.flatten(2) - v.flatten(2).mean(2, keepdim=True) for v in (a, b))
    scale = (a.square().sum(2) * b.square().sum(2)).sqrt()
    return torch.where(scale > 0, (a * b).sum(2) / scale, 0.0)


def scaled(images: Float[Tensor, "b c *s"]) -> Float[Tensor, "b c *s"]:
    """Z-scores to [-1, 1], the range that the noise's unit variance is made for."""
    return images.clamp(-IMAGE_RANGE, IMAGE_RANGE) / IMAGE_RANGE
