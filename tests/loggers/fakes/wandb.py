"""Weights & Biases, as far as the tool calls it: notes each call in the file CALLS, and raises
where RAISES names it, or in all. It meddles with PyTorch's randomness, which must do no harm.
"""

import json
import os

import torch


def _called(name: str, /, **what: object) -> None:
    torch.manual_seed(0)
    with open(os.environ["CALLS"], "a") as stream:
        stream.write(json.dumps([name, what]) + "\n")
    if os.environ.get("RAISES") in (name, "all"):
        raise RuntimeError(f"no {name} today\nand a second line")


class Settings:
    def __init__(self, **settings):
        _called("Settings")


class Image:
    def __init__(self, picture):
        self.shape = picture.shape


class _Summary:
    def update(self, values):
        _called("summary", values=sorted(values))


class _Run:
    def __init__(self, id):
        self.id = id
        self.summary = _Summary()

    def log(self, values, step):
        shown = {n: list(v.shape) if isinstance(v, Image) else v for n, v in values.items()}
        _called("images" if "panel" in "".join(values) else "log", values=shown, step=step)

    def finish(self, exit_code):
        _called("finish", exit_code=exit_code)


def init(*, project, group, name, id, resume, reinit, config, dir, settings):
    _called("init", project=project, group=group, name=name, id=id, resume=resume, dir=dir)
    assert reinit == "finish_previous"
    assert "training" in config and os.path.isdir(dir)
    return _Run(id)
