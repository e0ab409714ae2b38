"""Diffusion teacher-student: a denoising teacher and its student label for each other, in rounds.

    L = Σ over s ∈ {T, S} of S(m_s(x), y)   +   λ · (L_semi + L_align + L_rec) on x and on u
    m_s = f_m^s(i, √(1-A_t) ν, t): a mask from an image i and noise ν of a random time t
    L_semi  = S(m_T, argmax m_S) + S(m_S, argmax m_T)
    R rounds from m_0 = m_T:  i_r = the image that f_i^T sees in (noised i, m_{r-1}, t'),
                              m_r = f_m^T(i_r, noise, t'')
    L_align = mean over r of S(m_r, y or argmax m_S),   L_rec = mean over r of (i - i_r)²
    λ = weight · progress;  before, without labels, the teacher learns i → mask → i (L_rec alone)

Paper:   Ciampi, Lagani, Amato & Falchi, arXiv:2504.01547v2 (Eq. 3 with the minus that it lacks)
Code:    none released for the paper; its authors' earlier scripts, since deleted: ciampluca/
         hebbian-bootstraping-semi-supervised-medical-imaging@dac1ad6 train_semi_superdiff_2d.py
Differs: ours[paper] and ours[authors] set what the paper says and what those scripts do; the rest
         of this list is this file's default. Masks are logits of the shared UNet at the width of
         every other method (theirs: UNets of 4 times its parameters). The reconstruction loss is
         the paper's, its weight of the noise's error capped at 5 (theirs: up to 24,777, or 1 on the
         noise). Masks enter f_i, and images f_m, detached. f_m sees images as z-scores, on the
         scale of the noise beside them and as every other method's network does; f_i in [-1, 1],
         where they are noised. The student is tested, from pure noise that depends on the trial's
         seed and the image alone (theirs: a random time, unseeded, and the better of both networks
         on the test set)
Cost:    3 networks in training, 2 of the teacher (at 5 rounds 12 passes of x, 12 of u: teacher's
         masks 6, student's 1, teacher's images 5), 1 at test; before it 2 passes a step for the
         pretraining, shared by all trials of a seed
"""

import math
from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

import methods._ours_options as options
from benchmark.diffusion import BETAS, NoiseSchedule, noise_for
from benchmark.losses import CRITERIA, cross_supervision
from benchmark.method import Batch, Method, Terms
from benchmark.networks import NetworkBuilder
from methods._ours_pathways import Pathways

Draw = tuple[Tensor, Tensor]  # noise (b, k, *s) and time steps (b,)

IMAGE_RANGE = 3.0  # z-scores beyond it are clipped, the rest is scaled to [-1, 1]


class DiffusionTeacherStudent(Method):
    PRETRAINED = ("teacher",)
    PRETRAIN_PARAMETERS = options.PRETRAIN_PARAMETERS
    BUNDLES = options.BUNDLES
    ABLATIONS = options.ABLATIONS

    def __init__(
        self,
        build: NetworkBuilder,
        *,
        weight: float = 5.0,
        criterion: str = "run",
        semi_on_labelled: bool = True,
        aux_weight_labelled: str = "lam",
        rounds: int = 5,
        rounds_chained: bool = True,
        round_image: str = "original",
        detach_mask_to_image: bool = True,
        detach_image_to_mask: bool = True,
        reconstruction_target: str = "image",
        reconstruction_cap: float = 5.0,
        clip_x0: bool = True,
        t_prime_max: int = -1,
        schedule: str = "linear",
        time_steps: int = 1000,
        mask_start: str = "zero",
        mask_noise: bool = True,
        mask_to_image: str = "softmax",
        image_to_mask: str = "z_scores",
        mask_output: str = "logits",
        shared_noise: bool = False,
        pathways: str = "separate",
        pretrain: bool = True,
        image_input: str = "noisy_image",
        image_param: str = "noise",
        inference: str = "single_T",
        tested: str = "student",
    ):
        super().__init__()
        self.weight, self.criterion = weight, criterion
        self.semi_on_labelled, self.aux_weight_labelled = semi_on_labelled, aux_weight_labelled
        self.rounds, self.rounds_chained, self.round_image = rounds, rounds_chained, round_image
        self.detach_mask_to_image = detach_mask_to_image
        self.detach_image_to_mask = detach_image_to_mask
        self.reconstruction_target = reconstruction_target
        self.reconstruction_cap, self.clip_x0 = reconstruction_cap, clip_x0
        self.t_prime_max, self.schedule, self.time_steps = t_prime_max, schedule, time_steps
        self.mask_start, self.mask_noise, self.mask_output = mask_start, mask_noise, mask_output
        self.mask_to_image, self.image_to_mask = mask_to_image, image_to_mask
        self.shared_noise, self.pathways = shared_noise, pathways
        self.pretrain, self.image_input, self.image_param = pretrain, image_input, image_param
        self.inference, self.tested = inference, tested
        options.check(self)
        kind = {
            "is_shared": pathways == "shared_trunk",
            "mask_image_gain": IMAGE_RANGE if image_to_mask == "z_scores" else 1.0,
        }
        self.student = Pathways(build, has_image=False, **kind)
        self.teacher = Pathways(build, has_image=True, **kind)
        self.noising = NoiseSchedule(BETAS[schedule](time_steps))
        self.classes = build.classes
        self._supervision = build.criterion if criterion == "run" else CRITERIA[criterion]
        self.register_buffer("seed", torch.tensor(build.seed))  # of the noise at test

    def loss(self, batch: Batch, progress: float) -> Iterator[Terms]:
        lam = self.weight * progress
        yield from self._stream(batch.x, batch.y, lam)
        yield from self._stream(batch.u, None, lam)

    def _stream(self, images: Tensor, y: Tensor | None, lam: float) -> Iterator[Terms]:
        """The terms of labelled images, or (y None) of unlabelled ones: first those of the masks
        that both networks see in the image, then those of each round.
        """
        i = scaled(images)
        draw = self._draw(i)
        seen = self._mask(self.teacher, i, draw)
        z_teacher = self._logits(seen)
        other_draw = draw if self.shared_noise else self._draw(i)
        z_student = self._logits(self._mask(self.student, i, other_draw))
        terms = {}
        if y is not None:
            terms["supervised"] = self._supervision(z_teacher, y) + self._supervision(z_student, y)
        if y is None or self.semi_on_labelled:
            cross = cross_supervision(z_teacher, z_student, self._supervision)
            terms["semi"] = lam * cross
        if y is None:
            h_teacher, h_student = z_teacher.argmax(1), z_student.argmax(1)
            self.diagnostics = {
                "lambda": torch.tensor(lam),
                "pseudo_foreground": (h_teacher > 0).float().mean(),
                "agreement": (h_teacher == h_student).float().mean(),
            }
        target = z_student.argmax(1) if y is None else y
        weight = 1.0 if y is not None and self.aux_weight_labelled == "one" else lam
        rounds = self._rounds(i, seen, target, weight)
        if self.detach_mask_to_image:  # each part's graph is freed before the next is computed
            yield terms
            yield from rounds
        else:  # one graph runs through all of them
            for more in rounds:
                terms |= {name: terms.get(name, 0) + value for name, value in more.items()}
            yield terms

    def _rounds(self, i: Tensor, seen: Tensor, target: Tensor, weight: float) -> Iterator[Terms]:
        """The teacher makes an image of its mask, and a mask of that image, R times."""
        mask, image = seen, i
        for _ in range(self.rounds):
            if self.detach_mask_to_image:
                mask = mask.detach()
            made, reconstruction = self._remake(image, i, mask)
            self.diagnostics["clipped"] = (made.detach().abs() > 1).float().mean()
            if self.clip_x0:
                made = made.clamp(-1, 1)
            if self.detach_image_to_mask:
                made = made.detach()
            again = self._mask(self.teacher, made, self._draw(i))
            share = weight / self.rounds
            yield {
                "align": share * self._supervision(self._logits(again), target),
                "reconstruction": share * reconstruction,
            }
            if self.rounds_chained:
                mask = again
            if self.round_image == "previous":
                image = made.detach()

    def pretrain_loss(self, u: Tensor, progress: float) -> Terms:
        """Of the teacher, from images alone: the mask it sees must tell what the image was."""
        i = scaled(u)
        mask = self._mask(self.teacher, i, self._draw(i))  # not detached: this is how f_m learns
        _, reconstruction = self._remake(i, i, mask, is_pure_noise=self.image_input == "pure_noise")
        return {"cycle": reconstruction}

    def forward(self, x):
        i = scaled(x)
        network = self.student if self.tested == "student" else self.teacher
        kind, _, number = self.inference.partition("_")
        if kind == "mean":
            return self._mean_over_draws(network, i, int(number))
        if kind == "ddim":
            return self._stepwise(network, i, int(number))
        noise, at = noise_for(i, self.classes, self.seed.item(), 0)
        last = self.time_steps - 1
        t = {
            "single_T": torch.full_like(at, last),
            "single_t0": torch.zeros_like(at),
            "random_t": (at * self.time_steps).floor(),
        }[self.inference]
        return self._logits(self._mask(network, i, (noise, t.long())))

    def panel(self, x: Tensor) -> dict[str, Tensor]:
        """The teacher's mask as logits, and the image it remakes of it from half of the noise."""
        i, batch = scaled(x), len(x)
        t = torch.full((batch,), self.time_steps - 1, device=x.device)
        noise, _ = noise_for(i, self.classes, self.seed.item(), 0)
        mask = self._mask(self.teacher, i, (noise, t))
        image_noise, _ = noise_for(i, i.shape[1], self.seed.item(), "panel")
        made, _ = self._remake(i, i, mask, draw=(image_noise, t // 2))
        return {
            "pseudo_label": self._logits(mask),
            "reconstruction": made.clamp(-1, 1) * IMAGE_RANGE,
        }

    def _draw(self, i: Tensor) -> Draw:
        """Noise of a mask's shape and a time step for each image."""
        noise = torch.randn(len(i), self.classes, *i.shape[2:], device=i.device)
        return noise, torch.randint(self.time_steps, (len(i),), device=i.device)

    def _mask(self, network: Pathways, i: Tensor, draw: Draw) -> Tensor:
        """f_m's output for images in [-1, 1], starting from this noise at this time."""
        noise, t = draw
        start = torch.zeros_like(noise)
        if self.mask_start == "background_onehot":
            start -= 1
            start[:, 0] = 1
        noise = noise if self.mask_noise else torch.zeros_like(noise)
        return network.mask(i, self.noising.noised(start, noise, t), t)

    def _logits(self, output: Tensor) -> Tensor:
        """Of f_m's output; as x₀ it lies in [-1, 1] and is brought to [0, 1]."""
        return output if self.mask_output == "logits" else (output + 1) / 2

    def _remake(
        self,
        image: Tensor,
        true: Tensor,
        mask: Tensor,
        *,
        is_pure_noise: bool = False,
        draw: Draw | None = None,
    ) -> tuple[Tensor, Tensor]:
        """The image that f_i sees in a noised image and f_m's output, and how far it is off.

        image: what is noised; true: what is to be found. The squared error is that of the image,
        (1/A - 1) times that of the noise, but at most `reconstruction_cap` times: uncapped, the
        last twentieth of the time steps makes up most of the sum.
        """
        if draw is None:
            latest = self.t_prime_max if self.t_prime_max >= 0 else self.time_steps - 1
            t = torch.randint(latest + 1, (len(image),), device=image.device)
            draw = torch.randn_like(image), t
        noise, t = draw
        noisy = self.noising.noised(torch.zeros_like(image) if is_pure_noise else image, noise, t)
        code = 2 * self._logits(mask).softmax(1) - 1 if self.mask_to_image == "softmax" else mask
        output = self.teacher.image(noisy, code, t)
        if self.image_param == "x0":
            return output, (output - true).square().mean()
        wanted = self.noising.noise_in(noisy, true, t)
        error = (output - wanted).square().flatten(1).mean(1)
        if self.reconstruction_target == "image":
            error = error * self.noising.image_weight(t).clamp(max=self.reconstruction_cap).float()
        return self.noising.cleaned(noisy, output, t), error.mean()

    def _mean_over_draws(self, network: Pathways, i: Tensor, draws: int) -> Tensor:
        """Logarithm of the mean probabilities over draws of noise, at evenly spread times."""
        log_p = []
        for j in range(draws):
            noise, at = noise_for(i, self.classes, self.seed.item(), j)
            t = torch.full_like(at, (j + 0.5) * self.time_steps / draws).long()
            log_p.append(self._logits(self._mask(network, i, (noise, t))).log_softmax(1))
        return torch.stack(log_p).logsumexp(0) - math.log(draws)

    def _stepwise(self, network: Pathways, i: Tensor, steps: int) -> Tensor:
        """The mask by DDIM (arXiv:2010.02502, η = 0). f_m is never trained on noised masks."""
        noisy, at = noise_for(i, self.classes, self.seed.item(), 0)
        times = torch.linspace(self.time_steps - 1, 0, steps).round().long().tolist()
        for step, now in enumerate(times):
            t = torch.full_like(at, now).long()
            logits = self._logits(network.mask(i, noisy, t))
            if step + 1 < steps:
                mask = 2 * logits.softmax(1) - 1
                noise = self.noising.noise_in(noisy, mask, t)
                noisy = self.noising.noised(mask, noise, torch.full_like(t, times[step + 1]))
        return logits


def scaled(images: Float[Tensor, "b c *s"]) -> Float[Tensor, "b c *s"]:
    """Z-scores to [-1, 1], the range that the noise's unit variance is made for."""
    return images.clamp(-IMAGE_RANGE, IMAGE_RANGE) / IMAGE_RANGE
