"""Puts the dataset cards, the facts of collections and the published numbers into the wheel.

They live in the top-level folders `datasets/` and `results/published/`, which must not be Python
packages (a package named `datasets` would shadow another distribution's), so they are copied
beneath `benchmark/_resources/` when a wheel is built; `benchmark/files.py` finds them.
"""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

RESOURCES = (
    ("datasets", "*.yaml"), ("datasets/collections", "*.csv"),
    ("results/published", "*.csv"), ("results/published", "*.yaml"),
)  # fmt: skip


class BuildWithResources(build_py):
    def run(self):
        super().run()
        if self.editable_mode:
            return
        for folder, pattern in RESOURCES:
            target = Path(self.build_lib) / "benchmark" / "_resources" / folder
            target.mkdir(parents=True, exist_ok=True)
            files = sorted(Path(folder).glob(pattern))
            if not files:
                raise FileNotFoundError(f"no {folder}/{pattern} to put into the wheel")
            for file in files:
                shutil.copy(file, target)


setup(cmdclass={"build_py": BuildWithResources})
