"""Values that options of `ours` take, and the two columns that its name in brackets sets at once.

Sections and equations are those of arXiv:2504.01547v2; A* is ciampluca/
hebbian-bootstraping-semi-supervised-medical-imaging@dac1ad6, the scripts of December 2024.
"""

import math
import re
from typing import Any

CHOICES = {
    "criterion": ("run", "ce", "dice"),
    "aux_weight_labelled": ("lam", "one"),
    "round_image": ("original", "previous"),
    "reconstruction_target": ("image", "noise"),
    "schedule": ("linear", "sigmoid"),
    "mask_start": ("zero", "background_onehot"),
    "mask_to_image": ("softmax", "raw"),
    "image_to_mask": ("z_scores", "unit_range"),
    "mask_output": ("logits", "x0"),
    "pathways": ("separate", "shared_trunk"),
    "image_input": ("noisy_image", "pure_noise"),
    "image_param": ("noise", "x0"),
    "tested": ("student", "teacher"),
}
INFERENCE = re.compile(r"single_T|single_t0|random_t|(mean|ddim)_[1-9]\d*")

_PAPER = {
    "weight": 5.0,  # Sec. 3.3, App. A; presets may have another
    "criterion": "ce",  # Eq. 9, 10, 13
    "reconstruction_cap": math.inf,  # Eq. 7, 14: the image's error, whatever the time
    "shared_noise": True,  # Eq. 8: the same symbols for teacher and student
    "image_input": "pure_noise",  # Eq. 6
}
_AUTHORS = {
    "criterion": "dice",  # A* superdiff_2d.sh:53
    "weight": 1.0,  # A* superdiff_2d.sh, UNSUP_WEIGHT
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
    "inference": "random_t",  # A* test_2d.py:134; seeded here
}
BUNDLES = {"paper": _PAPER, "authors": _AUTHORS}

PRETRAIN_PARAMETERS = (
    "reconstruction_target", "reconstruction_cap", "t_prime_max", "schedule", "time_steps",
    "mask_start", "mask_noise", "mask_to_image", "image_to_mask", "mask_output", "pathways",
    "image_input", "image_param",
)  # fmt: skip

# The paper's two (Fig. 4 and 5), and controls that it lacks: no round at all, and masks from the
# image alone.
ABLATIONS = {
    "pretrain": (True, False),
    "rounds": (0, 1, 3, 5, 10),
    "mask_noise": (True, False),
}


def check(options: Any) -> None:
    """Refuse values that no run could have: ValueError; options: their values as attributes."""
    for name, choices in CHOICES.items():
        if (value := getattr(options, name)) not in choices:
            raise ValueError(f"{name} is one of {', '.join(choices)}, got {value}")
    if not INFERENCE.fullmatch(options.inference):
        raise ValueError(
            "inference is single_T, single_t0, random_t, mean_8 (passes) or ddim_10 (steps), got "
            f"{options.inference}"
        )
    if options.rounds < 0 or options.time_steps < 1:
        raise ValueError(
            f"rounds is 0 or more and time_steps 1 or more, got {options.rounds} and "
            f"{options.time_steps}"
        )
    if not -1 <= options.t_prime_max < options.time_steps:
        raise ValueError(
            f"t_prime_max is a time step below {options.time_steps}, or -1 for the last, got "
            f"{options.t_prime_max}"
        )
