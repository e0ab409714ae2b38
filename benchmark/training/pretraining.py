"""One pretraining: what a method learns from images alone, once for all trials that start from it.

Its artefact lies in `results/<study>/pretrained/<key>/`. Neither the label budget nor any
hyper-parameter but the method's `PRETRAIN_PARAMETERS` has an influence on it. No mask is at hand
while it is made: the data are of a type without masks.
"""

import contextlib
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor, nn

from benchmark import files, keys, provenance
from benchmark.data.prepared import Prepared
from benchmark.data.split.trial_data import for_pretraining
from benchmark.randomness import derive, reseed_torch
from benchmark.store import checkpoints, layout, record_file, tables
from benchmark.store.record import PretrainingRecord
from benchmark.study import methods, sources
from benchmark.study.settings import Conditions, PretrainingSettings
from benchmark.study.sources import Code
from benchmark.study.trials import Pretraining, Trial
from benchmark.toolkit.builder import NetworkBuilder
from benchmark.toolkit.method import Batch, Method, Terms
from benchmark.toolkit.views import Scale
from benchmark.training import evaluate, loop, metrics, outputs
from benchmark.training.batches import Order, Presentation, draw_images, resident
from benchmark.training.inference import View, as_tested
from benchmark.training.job import Built, Destination
from benchmark.training.layout import arrange
from benchmark.training.loop import Follow, Log, Stage

_EXAMINED = 64  # images


@dataclass(frozen=True)
class PretrainingJob:
    """A pretraining as a job (`training.job.Job`)."""

    pretraining: Pretraining

    @property
    def key(self) -> str:
        return self.pretraining.key

    @property
    def label(self) -> str:
        return self.pretraining.label

    @property
    def dataset(self) -> str:
        return self.pretraining.dataset

    @property
    def conditions(self) -> Conditions:
        return self.pretraining.conditions

    @property
    def method(self) -> str:
        return self.pretraining.method

    @property
    def variant(self) -> str:
        return f"pretraining of {self.pretraining.variant}"

    @property
    def settings(self) -> dict[str, Any]:
        return keys.hashed(self.pretraining)

    @property
    def after(self) -> str:
        return ""

    def folder(self, study_folder: Path) -> Path:
        return layout.pretraining_folder(study_folder, self.key)

    def held(self, study_folder: Path) -> contextlib.AbstractContextManager:
        return files.locked(self.folder(study_folder) / ".lock")  # the second waits, and finds it

    def found(self, study_folder: Path) -> PretrainingRecord | None:
        return record_file.pretraining_record(study_folder, self.key)

    def is_to_be_run(self, study_folder: Path) -> bool:
        return record_file.unusable(study_folder, self.key, self._code) is not None

    @property
    def _code(self) -> Code:
        return sources.code_of(self.method)

    def built(self, prepared: Prepared, device: torch.device) -> Built:
        method = _build(self.pretraining, prepared).to(device)
        parts = _Parts(arrange(method, 3 if self.conditions.is_3d else 2))
        return Built(_stage_of(self.pretraining, prepared, device), parts, None)

    def work(
        self,
        prepared: Prepared,
        destination: Destination,
        device: torch.device,
        log: Log,
        follow: Follow,
    ) -> PretrainingRecord:
        folder, settings = self.folder(destination.study_folder), self.pretraining.settings
        _clear_away(destination.study_folder, self.key, self._code, log)
        stage, parts, _ = self.built(prepared, device)
        state = loop.train(
            stage,
            parts,
            folder / checkpoints.NAME,
            evaluate=lambda _: {},
            log=log,
            follow=follow,
        )
        tables.write_table(folder / "history.csv", state.history)
        made_by = {"code": "-".join(self._code)}  # one name: the order of several would vary
        content = safetensors.torch.save(_tensors(parts.parts), made_by)
        with files.replacing(layout.weights(destination.study_folder, self.key)) as file:
            file.write(content)
        figures, doubts = self._examined(parts.whole, prepared, folder, device)
        for doubt in doubts:
            log(f"warning: {doubt}")
        return PretrainingRecord(
            key=self.key,
            method_code=self._code.method,
            tool_code=self._code.tool,
            label=self.label,
            status="done",
            weights=files.checksum(content),
            steps=stage.steps_per_epoch * settings.epochs,
            seconds_train=round(state.seconds, 3),
            flops_per_step=state.flops_per_step,
            code_version=provenance.code_version(),
            figures=figures,
            doubts=doubts,
        )

    def _examined(
        self, method: Method, prepared: Prepared, folder: Path, device: torch.device
    ) -> tuple[dict[str, float], list[str]]:
        """Means over images of the pool of what the method says of them, and what is wrong."""
        conditions, pretraining = self.conditions, self.pretraining
        data = for_pretraining(prepared, conditions.roles)
        if len(data.unlabelled) < 2:  # nothing could be exchanged
            return {}, []
        batch = min(max(pretraining.settings.batch, 2), len(data.unlabelled))
        steps = math.ceil(min(_EXAMINED, len(data.unlabelled)) / batch)
        seeds = (conditions.study_seed, pretraining.seed)
        shown = Presentation(conditions.patch, pretraining.settings.augmentation)
        sums: dict[str, float] = {}
        with as_tested(method, conditions.precision, device):
            for step in range(steps):
                draw = (data, Order(batch), step, device, shown, *seeds)
                u = draw_images(*draw, purpose="examination")
                seen = method.examine(u)
                if seen is None:
                    return {}, []
                if step == 0:
                    outputs.write_examination(folder, u, seen, data)
                for name, value in seen.figures.items():
                    sums[name] = sums.get(name, 0.0) + float(value) / steps
        return sums, method.doubts(sums)

    def failed(self, destination: Destination, error: str) -> PretrainingRecord:
        return PretrainingRecord(key=self.key, label=self.label, status="failed", error=error)


def missing(trials: Iterable[Trial], study_folder: Path) -> list[PretrainingJob]:
    """The pretrainings that these trials need and that are not there, each once."""
    wanted = {t.pretraining.key: PretrainingJob(t.pretraining) for t in trials if t.pretraining}
    return [job for job in wanted.values() if job.is_to_be_run(study_folder)]


def _clear_away(study_folder: Path, key: str, code: Code, log: Log) -> None:
    """Say why what was made before is made anew; what is damaged of it is kept under that name."""
    if why := record_file.unusable(study_folder, key, code):
        log(f"made before, but {why}: making it anew")
        if "damaged" in why:
            record_file.set_aside(layout.pretraining_folder(study_folder, key))
            with contextlib.suppress(FileNotFoundError):
                files.set_aside(layout.weights(study_folder, key))


def start_from(method: Method, study_folder: Path, key: str) -> None:
    """Put the artefact's weights into the method; its other parts stay as they were built."""
    content = layout.weights(study_folder, key).read_bytes()
    nn.ModuleDict(_pretrained_parts(method)).load_state_dict(safetensors.torch.load(content))


def fitted(method: Method, view: View, evaluate_on: str) -> dict[str, float]:
    """How well the pretrained masks fit the labelled images, in the best order of their classes.

    view: the trial's. Metrics: `pretrained_dc_labelled`, pooled, and how many classes change places
    for it; the method is told that order. If the development set is evaluated, `pretrained_dc_dev`
    in the same order. Empty of a method that shows no masks.
    """
    if type(method).examine is Method.examine:
        return {}
    found = _confusion(method, view.on(view.data.on_labelled))
    order = metrics.best_order(found)
    figures = {
        "pretrained_dc_labelled": metrics.ordered_dice(found, order),
        "pretrained_n_reordered": sum(k != channel for k, channel in enumerate(order)),
    }
    if evaluate_on == "dev":
        found = _confusion(method, view)
        figures["pretrained_dc_dev"] = metrics.ordered_dice(found, order)
    method.reorder(order)
    return figures


def _confusion(method: Method, view: View) -> Int[ndarray, "k k"]:
    """Of the pretrained masks of what the view evaluates."""
    cases = view.data.evaluation
    predicted = evaluate.evaluate(_PretrainedMasks(method), view).predicted
    true = [cases.masks[row] for row in cases.indices]
    return metrics.confusion(predicted, true, view.data.classes)


class _PretrainedMasks(Method):
    """A method whose tested network is the pretrained one."""

    def __init__(self, method: Method):
        super().__init__()
        self.method = method

    def forward(self, x: Float[Tensor, "b c *s"]) -> Float[Tensor, "b k *s"]:
        return self.method.examine(x).masks


def _pretrained_parts(method: Method) -> dict[str, nn.Module]:
    """The submodules that a pretraining makes."""
    return {name: method.get_submodule(name) for name in method.PRETRAINED}


class _Parts(Method):
    """A method's pretraining as a method of its own, so that one loop serves both stages.

    Its parameters are those of the pretrained parts alone.
    """

    def __init__(self, method: Method):
        super().__init__()
        self.parts = nn.ModuleDict(_pretrained_parts(method))
        self._whole = [method]  # in a list: its other parts are not trained

    def loss(self, batch: Batch, progress: float) -> Terms:
        return self.whole.pretrain_loss(batch.u, progress)

    @property
    def whole(self) -> Method:
        """The method itself."""
        return self._whole[0]


def _build(pretraining: Pretraining, prepared: Prepared) -> Method:
    """The method with the pretraining's hyper-parameters; the others cannot have an influence."""
    study_seed, seed = pretraining.conditions.study_seed, pretraining.seed
    reseed_torch(study_seed, seed, "build")
    manifest = prepared.manifest
    card = manifest.card
    builder = NetworkBuilder(
        in_channels=card.channels,
        classes=len(card.classes),
        spatial_dims=3 if pretraining.conditions.is_3d else 2,
        network=pretraining.conditions.network,
        seed=derive(study_seed, seed),
        scale=None if card.is_volume else Scale(tuple(manifest.mean), tuple(manifest.std)),
    )
    return methods.build(pretraining.method, builder, pretraining.hyperparameters)


def _stage_of(pretraining: Pretraining, prepared: Prepared, device: torch.device) -> Stage:
    """The pretraining, for the loop."""
    conditions, seed = pretraining.conditions, pretraining.seed
    data = for_pretraining(prepared, conditions.roles)
    data = resident(data, device, conditions.patch)

    seeds, settings = (conditions.study_seed, seed), pretraining.settings
    order = Order(settings.batch, settings.passes if settings.short_batches else 0)
    shown = Presentation(conditions.patch, settings.augmentation)

    def draw(step: int, device: torch.device) -> Batch:
        u = draw_images(data, order, step, device, shown, *seeds, purpose="pretraining")
        return Batch(u[:0], torch.zeros(0, dtype=torch.long), u)

    return Stage(
        name="pretrain",
        optimisation=settings,
        steps_per_epoch=steps_per_epoch(settings, len(data.unlabelled)),
        draw=draw,
        seed=seed,
        conditions=conditions,
        code=sources.code_of(pretraining.method),
    )


def steps_per_epoch(settings: PretrainingSettings, n_images: int) -> int:
    """Fixed, or ("images") as many as it takes to see the pool so many times."""
    if settings.steps_per_epoch == "images":
        return math.ceil(settings.passes * n_images / settings.batch)
    return int(settings.steps_per_epoch)


def _tensors(parts: nn.ModuleDict) -> dict[str, torch.Tensor]:
    return {name: value.cpu().contiguous() for name, value in parts.state_dict().items()}
