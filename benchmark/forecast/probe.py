"""A few steps and an evaluation of some images, timed: what a job costs, and that it runs."""

import math
import os
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from multiprocessing import get_context
from multiprocessing.queues import SimpleQueue
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile

from benchmark import provenance
from benchmark.data.split.trial_data import Labelled
from benchmark.data.stored import Stored
from benchmark.errors import ExitCode, UserError
from benchmark.forecast import known
from benchmark.forecast.costs import Cost
from benchmark.forecast.hardware import Hardware
from benchmark.forecast.known import Known
from benchmark.forecast.work import Work
from benchmark.training import evaluate, loop
from benchmark.training import job as jobs
from benchmark.training.inference import View
from benchmark.training.job import Built, Job
from benchmark.wording import counted

_LEAST_STEPS, _MOST_STEPS, _LEAST_SECONDS = 2, 20, 1.0  # after one that warms up
_CASES = 8  # of the evaluation set: one batch of images


def measure(
    works: Sequence[Work],
    datasets: Mapping[str, Stored],
    results_root: Path,
    on: Hardware,
    say: Callable[[str], None],
) -> Known:
    """Probe each kind of work of which nothing is known; what was found, which is also kept.

    `UserError` (exit code 4) names what cannot run: a network that does not fit, a method that
    fails. say: is told of each that is measured.
    """
    first: dict[str, Work] = {}
    for work in works:
        if work.cost is None or (on.is_gpu and math.isnan(work.cost.busy)):
            first.setdefault(work.kind, work)
    measured: Known = {}
    if not first:
        return measured
    say(f"probing {counted(len(first), 'kind')} of work, a few steps each …")
    jobs = {kind: work.job for kind, work in first.items()}
    at_once = min(on.slots, len(works))
    try:
        for kind, cost in probe_all(jobs, datasets, at_once, use_gpu=on.is_gpu):
            measured[on.device, kind] = cost
            known.keep(results_root, measured)
            name = f"{first[kind].name} on {jobs[kind].dataset}"
            say(f"probed {name}: {1000 * cost.step:.0f} ms a step")
    except BrokenProcessPool as error:
        raise UserError(
            "a process that probed died, probably for memory: fewer at once with --max-concurrent",
            ExitCode.RESOURCES,
        ) from error
    return measured


def probe_all(
    work: Mapping[str, Job], datasets: Mapping[str, Stored], slots: int, *, use_gpu: bool
) -> Iterator[tuple[str, Cost]]:
    """What each job costs, by name, as it is known; raises what goes wrong with one of them.

    As many are probed side by side as would run so, each in a process of its own: they slow each
    other as they will. What is left of the slots measures again, and the longest time counts.
    """
    names = list(work)
    repeated = [names[i % len(names)] for i in range(max(len(names), slots))]
    found: dict[str, list[Cost]] = {}
    context = get_context("spawn")
    gpus = context.SimpleQueue()
    for i in range(slots):
        gpus.put(str(i % max(torch.cuda.device_count(), 1)) if use_gpu else "")
    with ProcessPoolExecutor(slots, context, _take_gpu, (gpus,)) as pool:
        running = {
            pool.submit(probe, work[name], datasets[work[name].dataset], use_gpu): name
            for name in repeated
        }
        try:
            for ended in as_completed(running):
                name = running[ended]
                costs = found.setdefault(name, [])
                try:
                    costs.append(ended.result())
                except (BrokenProcessPool, UserError):
                    raise
                except Exception as error:
                    why = f"{work[name].label} cannot run: {type(error).__name__}: {error}"
                    raise UserError(why, ExitCode.RESOURCES) from error
                if len(costs) == repeated.count(name):
                    yield name, max(costs, key=lambda cost: cost.step)
        finally:
            pool.shutdown(cancel_futures=True)


def _take_gpu(gpus: SimpleQueue) -> None:
    """In a new process: one of the GPUs that may be seen is its own, before CUDA starts."""
    if own := gpus.get():
        seen = os.environ.get("CUDA_VISIBLE_DEVICES", "")
        os.environ["CUDA_VISIBLE_DEVICES"] = seen.split(",")[int(own)] if seen else own


def probe(job: Job, data: Stored, use_gpu: bool) -> Cost:
    """Build the job's networks, step, and evaluate; raises whatever goes wrong."""
    device = torch.device("cuda" if use_gpu else "cpu")
    is_memory_known = jobs.settle(job.conditions, device)
    seconds_to_build, built = _timed(lambda: job.built(data.opened(), device))
    cost = _of_steps(built, device)
    if built.view is not None:
        cost = _with_evaluation(cost, built.method, built.view)
    return replace(
        cost,
        around=cost.around + seconds_to_build,
        memory=provenance.peak_memory_mib(device) if is_memory_known else math.nan,
    )


def _timed(work: Callable[[], object]) -> tuple[float, object]:
    started = time.perf_counter()
    made = work()
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()
    return time.perf_counter() - started, made


def _of_steps(built: Built, device: torch.device) -> Cost:
    stage, method = built.stage, built.method
    optimiser = loop.build_optimiser(method, stage.optimisation)
    method.train()

    def step(number: int) -> None:
        at = (stage.half_way + number) % stage.steps
        loop.gradients(stage, method, at, device)
        loop.advance(stage, method, optimiser, at)

    with loop.counting_flops() as counter:
        step(0)
    seconds: list[float] = []
    while len(seconds) < _LEAST_STEPS or (
        sum(seconds) < _LEAST_SECONDS and len(seconds) < _MOST_STEPS
    ):
        seconds.append(_timed(lambda: step(1 + len(seconds)))[0])
    each = statistics.median(seconds)
    busy = computing(lambda: step(0)) / each if device.type == "cuda" else 1.0
    return Cost(each, 0.0, 0.0, flops=counter.get_total_flops(), busy=min(busy, 1.0))


def computing(work: Callable[[], object]) -> float:
    """Seconds in which the GPU does anything."""
    with profile(activities=[ProfilerActivity.CUDA]) as profiled:
        work()
        torch.cuda.synchronize()
    return sum(event.self_device_time_total for event in profiled.key_averages()) / 1e6


def _with_evaluation(cost: Cost, method, view: View) -> Cost:
    """The seconds of each image as it is seen again and again; of distances and the first look."""
    data, n = view.data, len(view.data.evaluation)
    images, masks, indices, ids = data.evaluation

    def of(count: int) -> View:
        some = Labelled(images, masks, indices[:count], ids[:count])
        return view.on(data._replace(evaluation=some))

    evaluate.evaluate(method, of(1))  # imports, and what libraries do once
    few = of(_CASES)
    first, _ = _timed(lambda: evaluate.evaluate(method, few))
    again, found = _timed(lambda: evaluate.evaluate(method, few))
    distances, _ = _timed(lambda: evaluate.surfaces(few.data, found.predicted))
    every = n / len(few.data.evaluation)
    around = every * (distances + max(0.0, first - again))
    return replace(cost, evaluation=again * every / n, around=around)
