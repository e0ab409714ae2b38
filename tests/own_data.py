"""A researcher's own data, tiny: patients, three classes, validation, images without masks."""

from pathlib import Path

import numpy as np
from PIL import Image

CARD = """
name: ours3
channels: 1
size: [16, 16]
classes: [background, small, large]
mask: labels
group: '^(p\\d+)_'
"""
NAMES = {
    "train": [f"p{i // 2}_{i % 2}" for i in range(12)],
    "val": ["p6_0", "p7_0", "p8_0"],
    "test": ["p9_0", "p9_1"],
    "unlabelled": [f"u{i}" for i in range(5)],
}
"""Twelve images of six patients, three for validation, two for testing, five without masks."""


def write(folder: Path) -> None:
    """`ours3.yaml` and `files/`, from which it is prepared."""
    rng = np.random.default_rng(0)
    for part, names in NAMES.items():
        for name in names:
            mask = np.zeros((16, 16), np.uint8)
            y, x = rng.integers(0, 8, 2)
            mask[y : y + 7, x : x + 7] = 2
            mask[13:16, x : x + 3] = 1
            image = (70 * mask + rng.integers(0, 60, mask.shape)).astype(np.uint8)
            for kind, values in (("image", image), ("mask", mask)):
                if kind == "image" or part != "unlabelled":
                    file = folder / "files" / part / kind / f"{name}.png"
                    file.parent.mkdir(parents=True, exist_ok=True)
                    Image.fromarray(values).save(file)
    (folder / "ours3.yaml").write_text(CARD)
