"""The diffusion teacher-student on two real images, at its defaults."""

import numpy as np
import pytest
import torch
from PIL import Image

from benchmark.data.decoding.images import resize_image, resize_mask
from benchmark.toolkit.architecture import Architecture
from benchmark.toolkit.builder import NetworkBuilder
from benchmark.toolkit.method import Batch
from benchmark.training.loop import backward
from methods.ours import DiffusionTeacherStudent

CASES = ("train_1", "train_10")


def read(folder, kind, case):
    return np.asarray(Image.open(folder / "glas128" / "train" / kind / f"{case}.png"))


@pytest.mark.slow
def test_it_overfits_two_real_images(samples):
    """They are labelled and unlabelled images at once; Dice over both, argmax, above 0.95."""
    images = np.stack(
        [resize_image(read(samples, "image", case), [64, 64]) for case in CASES]
    ).astype(np.float32)
    masks = np.stack([resize_mask(read(samples, "mask", case), [64, 64]) for case in CASES])
    x = torch.from_numpy((images - images.mean((0, 1, 2))) / images.std((0, 1, 2)))
    x, y = x.permute(0, 3, 1, 2).contiguous(), torch.from_numpy((masks > 0).astype(np.int64))
    assert 0.2 < y.float().mean() < 0.8
    torch.manual_seed(0)
    network = Architecture(widths=[8, 16, 32], dropout=[0.0, 0.0, 0.0])
    build = NetworkBuilder(
        in_channels=3, classes=2, spatial_dims=2, criterion="ce_dice", network=network, seed=0
    )
    method = DiffusionTeacherStudent(build)
    optimiser = torch.optim.Adam(method.parameters(), 1e-2)
    steps = 60
    for step in range(steps):
        backward(method, Batch(x, y, x), (step + 1) / steps, "float32")
        optimiser.step()
        optimiser.zero_grad()
        if step % 10 == 9:
            predicted = method.eval()(x).argmax(1).detach().numpy()
            overlap = ((predicted == 1) & (y.numpy() == 1)).sum()
            dice = 2 * overlap / ((predicted == 1).sum() + (y.numpy() == 1).sum())
            print(f"Dice {dice:.4f}")
            if dice > 0.95:
                return
            method.train()
    pytest.fail(f"Dice {dice:.4f} after {steps} steps")
