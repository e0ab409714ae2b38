"""Puts the dataset cards, lists and facts, and the published numbers into the wheel.

They live in the top-level folders `datasets/` and `results/published/`, which must not be Python
packages (a package named `datasets` would shadow another distribution's), so they are copied
beneath `benchmark/_resources/` when a wheel is built; `benchmark/files.py` finds them.
"""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

RESOURCES = (
    ("datasets", "*.yaml"), ("datasets", "lists/*/*.txt"), ("datasets/collections", "*.csv"),
    ("results/published", "*.csv"), ("results/published", "*.yaml"),
)  # fmt: skip


class BuildWithResources(build_py):
    def run(self):
        super().run()
        if self.editable_mode:
            return
        for folder, pattern in RESOURCES:
            target = Path(self.build_lib) / "benchmark" / "_resources" / folder
            files = sorted(Path(folder).glob(pattern))
            if not files:
                raise FileNotFoundError(f"no {folder}/{pattern} to put into the wheel")
            for file in files:
                copy = target / file.relative_to(folder)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file, copy)


setup(cmdclass={"build_py": BuildWithResources})
