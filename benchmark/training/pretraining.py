"""Pretraining: what a method learns from images alone, once for all trials that start from it.

An artefact lies in `results/<study>/pretrained/<key>/`. Its key is a hash of what could change it:
data and split, seed, network, the stage's settings, and the method's `PRETRAIN_PARAMETERS`; neither
the labelled ratio nor any other hyper-parameter. No mask is at hand while it is made: the data are
of a type without masks.
"""

import dataclasses
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import pydantic
import safetensors.torch
import torch
from filelock import FileLock
from pydantic import BaseModel, ConfigDict
from torch import nn

from benchmark import plugins, provenance
from benchmark.batches import draw_images
from benchmark.data import pool
from benchmark.data.pool import Prepared
from benchmark.fit import Log, Run, Stage, run_stage
from benchmark.folders import replacing, write_atomically
from benchmark.method import Batch, Method, Terms
from benchmark.networks import NetworkBuilder
from benchmark.randomness import derive, reseed_torch
from benchmark.results import write_table
from benchmark.study import Network
from benchmark.study import Pretraining as Settings
from benchmark.trials import Trial, fingerprint


@dataclass(frozen=True)
class Pretraining:
    """One artefact to be made."""

    dataset: str
    data_hash: str
    method: str
    hyperparameters: dict[str, Any]
    """Those of `PRETRAIN_PARAMETERS` alone."""
    seed: int
    study_seed: int
    evaluate_on: str
    size: list[int] | None
    patch: list[int] | None
    threads_per_trial: int
    precision: str
    network: Network
    settings: Settings
    checkpoint_seconds: float = field(compare=False, default=30.0)

    @cached_property
    def key(self) -> str:
        """16 hexadecimal digits: a hash of everything that could change the artefact."""
        values = dataclasses.asdict(self)
        return fingerprint({f.name: values[f.name] for f in dataclasses.fields(self) if f.compare})

    @property
    def label(self) -> str:
        """For people."""
        return f"pretraining of {self.method}/{self.dataset}/seed {self.seed}"


class Pretrained(BaseModel):
    """What a pretraining leaves beside its weights."""

    model_config = ConfigDict(extra="forbid")
    key: str
    label: str
    status: Literal["done", "failed"]
    error: str = ""
    steps: int = 0
    seconds_train: float = 0.0
    seconds_total: float = 0.0
    flops_per_step: int = 0
    code_version: str = ""

    @property
    def is_done(self) -> bool:
        return self.status == "done"

    @property
    def summary(self) -> str:
        """For people."""
        return f"{self.steps} steps in {self.seconds_total:.0f} s"


def of(trial: Trial) -> Pretraining | None:
    """The pretraining that the trial starts from, if any."""
    if trial.pretraining is None:
        return None
    names = plugins.find(trial.method).PRETRAIN_PARAMETERS
    return Pretraining(
        dataset=trial.dataset,
        data_hash=trial.data_hash,
        method=trial.method,
        hyperparameters={name: trial.hyperparameters[name] for name in names},
        seed=0 if trial.pretraining.seeds == "shared" else trial.seed,
        study_seed=trial.study_seed,
        evaluate_on=trial.evaluate_on,
        size=trial.size,
        patch=trial.patch,
        threads_per_trial=trial.threads_per_trial,
        precision=trial.precision,
        network=trial.network,
        settings=trial.pretraining,
        checkpoint_seconds=trial.checkpoint_seconds,
    )


def missing(trials: Iterable[Trial], study_folder: Path) -> list[Pretraining]:
    """The pretrainings that these trials need and that are not there, each once."""
    wanted = {job.key: job for job in map(of, trials) if job is not None}
    return [job for job in wanted.values() if not is_usable(read(study_folder, job.key))]


def folder(study_folder: Path, key: str) -> Path:
    """Where the artefact of this key lies."""
    return study_folder / "pretrained" / key


def read(study_folder: Path, key: str) -> Pretrained | None:
    """What is known of the artefact; None if it is not there, or nothing readable is."""
    try:
        text = (folder(study_folder, key) / "record.json").read_text(encoding="utf-8")
        return Pretrained.model_validate_json(text)
    except (FileNotFoundError, pydantic.ValidationError, UnicodeDecodeError):
        return None  # it can be made again


def is_usable(found: Pretrained | None) -> bool:
    """Is it done, by this version of the code? Half of a method by each would be of neither."""
    return found is not None and found.is_done and found.code_version == provenance.code_version()


def write(study_folder: Path, found: Pretrained) -> None:
    """The last write of a pretraining."""
    target = folder(study_folder, found.key)
    target.mkdir(parents=True, exist_ok=True)
    write_atomically(target / "record.json", found.model_dump_json(indent=1))


def make(
    job: Pretraining, prepared: Prepared, study_folder: Path, *, device: torch.device, log: Log
) -> Pretrained:
    """Make the artefact, going on from its checkpoint; if another process is at it, wait for that.

    Raises whatever went wrong.
    """
    target = folder(study_folder, job.key)
    target.mkdir(parents=True, exist_ok=True)
    with FileLock(target / ".lock"):
        found = read(study_folder, job.key)
        if not is_usable(found):
            log(f"{job.label} on {device}, key {job.key}")
            found = _make(job, prepared, target, device, log)
            write(study_folder, found)
            (target / "checkpoint.pt").unlink(missing_ok=True)
    return found


def _make(
    job: Pretraining, prepared: Prepared, target: Path, device: torch.device, log: Log
) -> Pretrained:
    method = _build(job, prepared).to(device)
    parts = _Parts(method)
    data = pool.for_pretraining(prepared, evaluate_on=job.evaluate_on)
    seeds = (job.study_seed, job.seed)

    def draw(step: int, device: torch.device) -> Batch:
        batch, patch = job.settings.batch, job.patch
        u = draw_images(data, batch, step, device, patch, *seeds, purpose="pretraining")
        return Batch(u[:0], torch.zeros(0, dtype=torch.long), u)

    stage = Stage(
        name="pretrain",
        optimisation=job.settings,
        steps_per_epoch=_steps_per_epoch(job.settings, len(data.unlabelled)),
        draw=draw,
        seeds=seeds,
        precision=job.precision,
        checkpoint_seconds=job.checkpoint_seconds,
    )
    run = run_stage(stage, parts, target / "checkpoint.pt", read=lambda _: {}, log=log)
    write_table(target / "history.csv", run.history)
    with replacing(target / "weights.safetensors") as file:
        file.write(safetensors.torch.save(_tensors(parts.parts)))
    return _done(job, stage, run)


def _done(job: Pretraining, stage: Stage, run: Run) -> Pretrained:
    return Pretrained(
        key=job.key,
        label=job.label,
        status="done",
        steps=stage.steps_per_epoch * job.settings.epochs,
        seconds_train=round(run.seconds, 3),
        seconds_total=round(run.seconds, 3),
        flops_per_step=run.flops_per_step,
        code_version=provenance.code_version(),
    )


def start_from(method: Method, study_folder: Path, key: str) -> None:
    """Put the artefact's weights into the method; its other parts stay as they were built."""
    content = (folder(study_folder, key) / "weights.safetensors").read_bytes()
    nn.ModuleDict(pretrained_parts(method)).load_state_dict(safetensors.torch.load(content))


def pretrained_parts(method: Method) -> dict[str, nn.Module]:
    """The submodules that a pretraining makes."""
    return {name: method.get_submodule(name) for name in method.PRETRAINED}


class _Parts(Method):
    """A method's pretraining as a method of its own, so that one loop serves both stages.

    Its parameters are those of the pretrained parts alone.
    """

    def __init__(self, method: Method):
        super().__init__()
        self.parts = nn.ModuleDict(pretrained_parts(method))
        self._pretrain_loss = method.pretrain_loss

    def loss(self, batch: Batch, progress: float) -> Terms:
        return self._pretrain_loss(batch.u, progress)


def _build(job: Pretraining, prepared: Prepared) -> Method:
    """The method with the pretraining's hyper-parameters; the others cannot have an influence."""
    reseed_torch(job.study_seed, job.seed, "build")
    card = prepared.manifest.card
    build = NetworkBuilder(
        in_channels=card.channels,
        classes=len(card.classes),
        spatial_dims=3 if card.is_volume else 2,
        network=job.network,
        seed=derive(job.study_seed, job.seed),
    )
    return plugins.find(job.method)(build, **job.hyperparameters)


def _steps_per_epoch(settings: Settings, n_images: int) -> int:
    if settings.steps_per_epoch == "images":
        return math.ceil(n_images / settings.batch)
    return int(settings.steps_per_epoch)


def _tensors(parts: nn.ModuleDict) -> dict[str, torch.Tensor]:
    return {name: value.cpu().contiguous() for name, value in parts.state_dict().items()}
