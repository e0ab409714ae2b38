"""One trial: trained, evaluated, written."""

import contextlib
import math
import platform
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch

from benchmark import provenance
from benchmark.data.prepared import Manifest, Prepared, short_hash
from benchmark.data.split.parts import parts
from benchmark.data.split.trial_data import TrialData, for_trial
from benchmark.randomness import derive, reseed_torch
from benchmark.store import checkpoints, layout, record_file, weights
from benchmark.store.record import JobRecord, Record
from benchmark.study import methods, sources
from benchmark.study.settings import Conditions, TrainingSettings
from benchmark.study.trials import Trial
from benchmark.toolkit import schedules
from benchmark.toolkit.builder import NetworkBuilder
from benchmark.toolkit.method import Method
from benchmark.toolkit.views import Scale
from benchmark.training import batches, evaluate, job, loop, outputs, pretraining, saved
from benchmark.training.evaluate import Evaluation
from benchmark.training.inference import View
from benchmark.training.job import Built, Destination, Impossible, Job
from benchmark.training.layout import arrange
from benchmark.training.loop import Follow, Log, Stage, State


@dataclass(frozen=True)
class TrialJob:
    """A trial as a job (`training.job.Job`)."""

    trial: Trial

    @property
    def key(self) -> str:
        return self.trial.key

    @property
    def label(self) -> str:
        return self.trial.label

    @property
    def dataset(self) -> str:
        return self.trial.dataset

    @property
    def conditions(self) -> Conditions:
        return self.trial.conditions

    @property
    def method(self) -> str:
        return self.trial.method

    @property
    def variant(self) -> str:
        return self.trial.variant

    @property
    def settings(self) -> dict[str, Any]:
        return self.trial.settings()

    @property
    def after(self) -> str:
        return self.trial.pretraining.key if self.trial.pretraining else ""

    def folder(self, study_folder: Path) -> Path:
        return layout.trial_folder(study_folder, self.key)

    def held(self, study_folder: Path) -> contextlib.AbstractContextManager:
        return contextlib.nullcontext()  # the run that has it holds the study

    def found(self, study_folder: Path) -> JobRecord | None:
        return record_file.trial_record(study_folder, self.key)

    def is_to_be_run(self, study_folder: Path) -> bool:
        return True

    def built(self, prepared: Prepared, device: torch.device) -> Built:
        trial, conditions = self.trial, self.trial.conditions
        data = for_trial(prepared, conditions.roles, budget=trial.budget, seed=trial.subset)
        method = arrange(build_method(trial, data).to(device), data.spatial_dims)
        view = View(data, device, conditions.patch, conditions.precision)
        return Built(stage_of(trial, data, device), method, view)

    def work(
        self,
        prepared: Prepared,
        destination: Destination,
        device: torch.device,
        log: Log,
        follow: Follow,
    ) -> Record:
        trial, folder = self.trial, self.folder(destination.study_folder)
        stage, method, view = self.built(prepared, device)
        data, evaluator = view.data, _Evaluator(view, self._view_of_val(view))
        start = _start_from_pretraining(trial, method, prepared, destination, device, log)
        fit = pretraining.fitted(method, view, trial.conditions.evaluate_on) if start else {}
        checkpoint = folder / checkpoints.NAME
        state = loop.train(stage, method, checkpoint, evaluate=evaluator, log=log, follow=follow)
        final = evaluator.latest or evaluate.evaluate(method, view)  # none if resumed after the end
        tolerances = trial.nsd or prepared.manifest.card.nsd
        surfaces = evaluate.surfaces(data, final.predicted, tolerances)
        sides = trial.conditions.patch or data.sides
        tested = outputs.tested_modules(method, data.channels, sides)
        outputs.write_tables(folder, trial, data, state.history, final, surfaces)
        outputs.write_panel(folder, method, view, final)
        outputs.write_extremes(folder, data, final)
        outputs.write_saved_predictions(folder, trial.save, method, view, final)
        parameters = outputs.count_parameters(tested)
        metrics = (
            evaluate.final(final.scores)
            | surfaces.scores
            | evaluate.oracle(state.history)
            | evaluate.chosen_on_val(state.history)
            | evaluate.floors(data.evaluation, data.classes, evaluate.groups_of(data))
            | {"n_lost_classes": evaluate.lost_classes(data)}
            | fit
        )
        if "weights" in trial.save:
            about = saved.described(trial, prepared.manifest, data, metrics, parameters)
            weights.write(folder / weights.NAME, outputs.tensors_of(tested), about)
        return self._record(
            destination,
            status="done",
            metrics=metrics,
            data_partial=prepared.manifest.partial,
            classes=prepared.manifest.card.classes,
            split_hash=_split_hash(prepared.manifest, trial.conditions, data.evaluation.ids),
            parameters_tested=parameters,
            **_amounts(data, method, stage, state),
            **start,
        )

    def _view_of_val(self, view: View) -> View | None:
        """Of the validation set, where there is one to choose an epoch on."""
        data, of = view.data, self.trial.conditions
        if data.val is None:
            return None
        return View(data.on_val, view.device, of.patch, of.precision)

    def failed(self, destination: Destination, error: str) -> Record:
        return self._record(destination, status="failed", error=error)

    def _record(self, destination: Destination, **fields: Any) -> Record:
        trial, code = self.trial, sources.code_of(self.method)
        return Record(
            key=trial.key,
            method_code=code.method,
            tool_code=code.tool,
            configuration=trial.configuration,
            study=destination.study,
            preset=destination.preset,
            overrides=destination.overrides,
            dataset=trial.dataset,
            budget=trial.budget.text,
            budget_order=trial.budget.order,
            ratio=trial.budget.share,
            method=trial.method,
            variant=trial.variant,
            seed=trial.seed,
            subset_seed=trial.subset_seed,
            evaluate_on=trial.conditions.evaluate_on,
            tuned=trial.tuned,
            settings=trial.settings(),
            data_hash=trial.data_hash,
            code_version=provenance.code_version(),
            packages=provenance.package_versions() | methods.package_of(trial.method),
            host=platform.node(),
            finished_at=datetime.now(UTC).isoformat(timespec="seconds"),
            **fields,
        )


def jobs_of(trials: Iterable[Trial], study_folder: Path) -> list[Job]:
    """Trials as jobs, in their order; each missing pretraining before the first that needs it."""
    trials = list(trials)
    before = {made.key: made for made in pretraining.missing(trials, study_folder)}
    jobs: list[Job] = []
    for made in map(TrialJob, trials):
        if made.after in before:
            jobs.append(before.pop(made.after))
        jobs.append(made)
    return jobs


class _Evaluator:
    """The loop's question for scores; keeps the latest evaluation, which at the end is the final.

    The method that it is asked of is always the one that trains.
    """

    def __init__(self, view: View, val: View | None):
        self._view, self._val = view, val
        self.latest: Evaluation | None = None

    def __call__(self, method: Method) -> dict[str, float | int]:
        self.latest = evaluate.evaluate(method, self._view)
        if self._val is None:
            return self.latest.scores
        return self.latest.scores | evaluate.on_val(evaluate.evaluate(method, self._val).scores)


def stage_of(trial: Trial, data: TrialData, device: torch.device) -> Stage:
    """The trial's training on the device, for the loop."""
    pool = batches.resident(data, device, trial.conditions.patch)
    return Stage(
        name="train",
        optimisation=trial.training,
        steps_per_epoch=steps_per_epoch(trial.training, len(data.labelled)),
        draw=lambda step, device: batches.draw_batch(trial, pool, step, device),
        seed=trial.seed,
        conditions=trial.conditions,
        code=sources.code_of(trial.method),
        evaluate_every=trial.evaluate_every,
    )


def steps_per_epoch(training: TrainingSettings, n_labelled: int) -> int:
    """Fixed, or ("labelled") as many as it takes to see the labelled images so many times."""
    if training.steps_per_epoch == "labelled":
        return math.ceil(training.labelled_passes * n_labelled / training.batch_labelled)
    return int(training.steps_per_epoch)


class Sight(NamedTuple):
    """What networks of a trial see and say: channels in, classes out, in 2 or 3 dimensions."""

    channels: int
    classes: int
    spatial_dims: int
    scale: Scale | None
    """Of all images alike; None of volumes and their slices, which have each its own."""


def build_method(trial: Trial, data: TrialData) -> Method:
    """The trial's method with freshly initialised networks."""
    return build_method_for(
        trial, Sight(data.channels, data.classes, data.spatial_dims, _scale(data))
    )


def build_method_for(trial: Trial, sight: Sight) -> Method:
    """The same where the data themselves are not at hand."""
    study_seed = trial.conditions.study_seed
    reseed_torch(study_seed, trial.seed, "build")  # for parts that the builder does not seed
    builder = NetworkBuilder(
        in_channels=sight.channels,
        classes=sight.classes,
        spatial_dims=sight.spatial_dims,
        criterion=trial.training.criterion,
        network=trial.conditions.network,
        seed=derive(study_seed, trial.seed),
        epochs=trial.training.epochs,
        ramp=partial(schedules.ramp, how=trial.training.ramp, share=trial.training.ramp_share),
        scale=sight.scale,
    )
    return methods.build(trial.method, builder, trial.hyperparameters)


def _scale(data: TrialData) -> Scale | None:
    """As of `Sight`."""
    if data.spatial_dims == 3 or data.slices is not None:
        return None
    return Scale(tuple(data.mean[0].tolist()), tuple(data.std[0].tolist()))


def _start_from_pretraining(
    trial: Trial,
    method: Method,
    prepared: Prepared,
    destination: Destination,
    device: torch.device,
    log: Log,
) -> dict[str, Any]:
    """Load the weights of the trial's pretraining, if it has one; its fields of the record.

    Normally they are there before the trial starts. Should they be gone, they are made here.
    """
    if trial.pretraining is None:
        return {}
    before = pretraining.PretrainingJob(trial.pretraining)
    found = before.found(destination.study_folder)
    has_failed = found is not None and not found.is_done
    if not has_failed and before.is_to_be_run(destination.study_folder):
        found = job.run(before, prepared, destination, device=device, echo=log)
    if not found.is_done:
        raise Impossible(f"its pretraining failed: {found.error}")
    pretraining.start_from(method, destination.study_folder, before.key)
    log(f"starts from {before.label}, key {before.key}")
    return {
        "pretrain_key": before.key,
        "pretrain_steps": found.steps,
        "pretrain_flops_per_step": found.flops_per_step,
        "seconds_pretrain": found.seconds_train,
    }


def _split_hash(manifest: Manifest, conditions: Conditions, evaluated: list[str]) -> str:
    """Of what is learnt from and what is evaluated; images without masks count where there are."""
    found = parts(manifest, conditions.roles)
    further = [found.without_masks] if found.without_masks else []
    return short_hash([found.pool, evaluated, *further])


def _amounts(data: TrialData, method: Method, stage: Stage, state: State) -> dict[str, Any]:
    """How many images, parameters and steps there were; fields of the record."""
    return {
        "n_labelled": len(data.labelled),
        "n_unlabelled": len(data.unlabelled),
        "n_test": len(data.evaluation),
        "n_val": None if data.val is None else len(data.val),
        "n_labelled_foreground": sum(
            bool(data.labelled.masks[row].any()) for row in data.labelled.indices
        ),
        "subset_hash": data.subset_hash,
        "parameters": sum(p.numel() for p in method.parameters()),
        "flops_per_step": state.flops_per_step,
        "steps": stage.steps,
        "seconds_train": round(state.seconds, 3),
        "seconds_evaluate": round(state.seconds_evaluate, 3),
    }
