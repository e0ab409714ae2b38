"""Perturbations of feature maps, drawn from torch's global generator."""

import torch
from jaxtyping import Float
from torch import Tensor


def feature_noise(features: Float[Tensor, "b c *s"], limit: float = 0.3) -> Tensor:
    """Times 1 + n, n uniform in ± limit: one draw for the whole batch.

    Ouali et al., CVPR 2020; HiLab-git/SSL4MIS@06df604 code/networks/unet.py (FeatureNoise).
    """
    noise = torch.empty_like(features[0]).uniform_(-limit, limit)
    return features * (1 + noise)


def feature_dropout(
    features: Float[Tensor, "b c *s"], lowest: float = 0.7, highest: float = 0.9
) -> Tensor:
    """Without the most active places: kept where the mean over channels is below a share
    of its maximum in the image; the share is drawn once in [lowest, highest]. Nothing is rescaled.

    A map whose mean is nowhere positive has no active place and is kept whole. Sources as above
    (FeatureDropout), but for the generator: theirs is numpy's, which torch's seed does not reach.
    """
    activity = features.mean(1, keepdim=True)
    highest_activity = activity.amax(tuple(range(1, activity.ndim)), keepdim=True)
    share = torch.empty((), device=features.device).uniform_(lowest, highest)
    return features * (activity < share * highest_activity)
