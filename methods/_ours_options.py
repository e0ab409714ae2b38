"""What can be set of `ours`, and the two columns that its name in brackets sets at once.

Sections and equations are those of arXiv:2504.01547v2; A* is ciampluca/
hebbian-bootstraping-semi-supervised-medical-imaging@dac1ad6, the scripts of December 2024. f_m sees
a mask in an image, f_i an image in a mask; T is the teacher.
"""

import math
import re
from dataclasses import dataclass

from benchmark.toolkit.method import option

INFERENCE = re.compile(r"single_T|single_t0|random_t|(mean|ddim)_[1-9]\d*")
CHOICES = {
    "criterion": ("run", "ce", "dice"),
    "aux_weight_labelled": ("lam", "one"),
    "round_image": ("original", "previous"),
    "reconstruction_target": ("image", "noise"),
    "schedule": ("linear", "sigmoid"),
    "mask_start": ("zero", "background_onehot"),
    "mask_to_image": ("softmax", "raw"),
    "mask_output": ("logits", "x0"),
    "image_input": ("noisy_image", "pure_noise"),
    "image_param": ("x0", "v", "noise"),
    "tested": ("student", "teacher"),
}


@dataclass(frozen=True)
class Options:
    """The hyper-parameters. Raises ValueError for values that no run could have."""

    # Supervision
    weight: float = option(
        5.0, "λ once it is grown, by the run's ramp: linearly from 0 (Sec. 3.3, App. A)"
    )
    criterion: str = option(
        "run", "S of Eq. 9, 10, 13: the run's (run), cross entropy (ce) or Dice (dice)"
    )
    semi_on_labelled: bool = option(
        True, "L_semi on labelled images as well (Eq. 16); A* leaves it out there"
    )
    aux_weight_labelled: str = option(
        "lam", "Weight of L_align and L_rec on labelled images: λ (lam, Eq. 16) or 1 (one, A*)"
    )

    # Rounds
    rounds: int = option(
        5, "R, image and mask made again so many times (Eq. 11 to 14); 0 leaves cross supervision"
    )
    rounds_chained: bool = option(
        True,
        "A round starts from the mask of the last (Eq. 11); A* starts each from the first mask",
    )
    round_image: str = option(
        "original",
        "What a round noises: the image itself (original), or the one made last (previous)",
    )
    detach_mask_to_image: bool = option(
        True,
        "No gradient from f_i back into the mask that it is given (A*; the paper does not say)",
    )
    detach_image_to_mask: bool = option(
        True, "No gradient from f_m back into the image that was made (A*; the paper does not say)"
    )
    clip_x0: bool = option(
        True, "Images that were made are cut off at ± 1 before f_m sees them; A* does not"
    )

    # Reconstruction
    image_param: str = option(
        "x0",
        "f_i puts out the image (x0), the velocity (v: of noised images alone) or the noise "
        "(noise, Eq. 3 and A*)",
    )
    reconstruction_target: str = option(
        "image",
        "Of image_param=noise alone: L_rec measures the image (Eq. 7, 14) or the noise (noise, A*)",
    )
    reconstruction_cap: float = option(
        math.inf,
        "Of image_param=noise alone: largest weight of the noise's error in that of the image, "
        "1/A - 1; inf is Eq. 7 and 14",
    )
    t_prime_max: int = option(-1, "Latest time t' at which images are noised; -1: the last")
    schedule: str = option(
        "linear", "β over time: linear (App. A, Eq. 17) or sigmoid (the default of A*'s library)"
    )
    time_steps: int = option(1000, "T")

    # Input
    mask_start: str = option(
        "zero",
        "What f_m's noise is added to: zero (Sec. 3.1) or the background (background_onehot, A*)",
    )
    mask_noise: bool = option(
        True, "f_m is given noise at all; false is a control that the paper lacks"
    )
    mask_to_image: str = option(
        "softmax",
        "How a mask enters f_i: as probabilities in [-1, 1] (softmax), or as it is (raw, A*)",
    )
    mask_output: str = option(
        "logits", "f_m puts out logits, or the mask itself in [-1, 1] (x0, A*)"
    )
    shared_noise: bool = option(
        False, "Teacher and student are given the same noise and time (the symbols of Eq. 8)"
    )
    pretrain: bool = option(
        True, "The teacher starts from the label-free first stage (Sec. 3.1, Fig. 4)"
    )
    align_classes: bool = option(
        False,
        "Before training, the classes of the pretrained masks take the order that fits the "
        "labelled images best; the first stage cannot know which class is which",
    )
    image_input: str = option(
        "pure_noise",
        "What f_i is given in the first stage: noise (pure_noise, Eq. 6), so that the mask alone "
        "tells what the image was, or the noised image (noisy_image, Fig. 1 and A*)",
    )

    # Inference
    inference: str = option(
        "single_T",
        "One pass from noise (single_T), at time 0 (single_t0) or at a random time (random_t, "
        "A*); the mean of k passes (mean_k); k steps of DDIM (ddim_k). The noise depends on "
        "seed and image",
    )
    tested: str = option(
        "student",
        "Whose f_m is tested: student or teacher; A* takes the better one on the test set",
    )

    def __post_init__(self) -> None:
        for name, choices in CHOICES.items():
            if (value := getattr(self, name)) not in choices:
                raise ValueError(f"{name} must be one of {', '.join(choices)}; got {value}")
        if not INFERENCE.fullmatch(self.inference):
            raise ValueError(
                "inference must be single_T, single_t0, random_t, mean_8 (passes) or ddim_10 "
                f"(steps); got {self.inference}"
            )
        if self.rounds < 0 or self.time_steps < 1:
            raise ValueError(
                "rounds must be 0 or more and time_steps 1 or more; got "
                f"{self.rounds} and {self.time_steps}"
            )
        if not -1 <= self.t_prime_max < self.time_steps:
            raise ValueError(
                f"t_prime_max must be a time step below {self.time_steps}, or -1 for the last; got "
                f"{self.t_prime_max}"
            )
        from_noise = self.mask_noise and self.mask_start == "zero"
        if self.inference.startswith("ddim") and not from_noise:
            raise ValueError(
                "inference=ddim_k starts from noise alone: it needs mask_noise=true and "
                "mask_start=zero"
            )
        self._check_reconstruction()

    def _check_reconstruction(self) -> None:
        is_capped = self.reconstruction_cap != math.inf
        if self.image_param != "noise" and (is_capped or self.reconstruction_target != "image"):
            raise ValueError(
                "reconstruction_target and reconstruction_cap belong to image_param=noise; with "
                f"image_param={self.image_param} the error is that of the image as it is"
            )
        if is_capped and self.reconstruction_target == "noise":
            raise ValueError(
                "reconstruction_cap bounds the weight of reconstruction_target=image; the error of "
                "the noise has none"
            )
        if self.pretrain and (self.image_input, self.image_param) == ("pure_noise", "v"):
            raise ValueError(
                "image_param=v needs image_input=noisy_image: seen from pure noise the image has a "
                "factor of 1/√(1 - A) in the velocity, 100 at time 0"
            )


_PAPER = {
    "weight": 5.0,  # Sec. 3.3, App. A; presets may have another
    "criterion": "ce",  # Eq. 9, 10, 13
    "shared_noise": True,  # Eq. 8: the same symbols for teacher and student
    "image_input": "pure_noise",  # Eq. 6
    "image_param": "x0",  # Eq. 3 and 6 together cannot be learnt: `Differs:` of ours.py
}
_AUTHORS = {
    "criterion": "dice",  # A* reproduce_superdiff_semi_supervised_2d.sh:53
    "weight": 1.0,  # the same, UNSUP_WEIGHT
    "semi_on_labelled": False,  # A* train_semi_superdiff_2d.py:290-300, as the next two
    "aux_weight_labelled": "one",
    "rounds_chained": False,  # :279, 294: each round starts from the first mask again
    "reconstruction_target": "noise",  # A* unet_ddpm.py:89
    "clip_x0": False,  # its clip_x_start
    "schedule": "sigmoid",  # its library's default
    "mask_start": "background_onehot",  # A* train_semi_superdiff_2d.py:274
    "mask_to_image": "raw",  # :280
    "mask_output": "x0",  # A* unet_ddpm.py:114
    "shared_noise": False,  # each network draws its own
    "image_input": "noisy_image",  # A* pretrain_superdiff_unsup_2d.py
    "image_param": "noise",  # A* unet_ddpm.py:89
    "inference": "random_t",  # A* test_2d.py:134; seeded here
}
BUNDLES = {"paper": _PAPER, "authors": _AUTHORS}

PRETRAIN_PARAMETERS = (
    "reconstruction_target", "reconstruction_cap", "t_prime_max", "schedule", "time_steps",
    "mask_start", "mask_noise", "mask_to_image", "mask_output", "image_input", "image_param",
)  # fmt: skip

BEFORE = {"align_classes": False}

# The paper's two (Fig. 4 and 5), and controls that it lacks: no round at all, and masks from the
# image alone.
ABLATIONS = {
    "pretrain": (True, False),
    "rounds": (0, 1, 3, 5, 10),
    "mask_noise": (True, False),
}
