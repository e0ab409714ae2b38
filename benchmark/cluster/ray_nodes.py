"""The nodes of the connected Ray cluster: what they have, what they share, which one was lost.

Used by `ray_runner`, which sets Ray's environment before it is imported.
"""

import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import ActorUnavailableError, RayActorError, RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from benchmark.errors import ExitCode, UserError
from benchmark.training.job import Job

_VISIBLE_SECONDS = 5.0  # until a node must see a new file on shared storage


def for_each(work: Sequence[Job], gpus: float | None) -> dict[str, float]:
    """What each job takes; `UserError` (exit code 4) if no node could ever give it.

    gpus: of a trial; None stands for 1 where there is a GPU, else 0.
    """
    found = _resources()
    if gpus is None:
        gpus = 1.0 if any(node.get("GPU", 0) for node in found) else 0.0
    cpus = float(max(job.threads for job in work))
    resources = {"cpu": cpus, "gpu": gpus}
    if not any_fits(resources):
        listed = "; ".join(f"{n.get('CPU', 0):g} CPUs, {n.get('GPU', 0):g} GPUs" for n in found)
        raise UserError(
            f"no node has {cpus:g} CPUs and {gpus:g} GPUs for one trial (found: {listed}); change "
            "threads_per_trial or --gpus-per-trial",
            ExitCode.RESOURCES,
        )
    return resources


def any_fits(resources: dict[str, float]) -> bool:
    """Is there a node that could run a trial, at least when nothing else runs there?"""
    return any(
        all(node.get(name.upper(), 0) >= amount for name, amount in resources.items())
        for node in _resources()
    )


def _resources() -> list[dict[str, float]]:
    """What each node that lives has in all."""
    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def require_shared(folder: Path) -> None:
    """Refuse a cluster with a node that cannot read and write the folder under its path.

    `UserError` (exit code 4) names the node. Every alive node is asked for a token written here.
    """
    file, token = folder / f".token-{uuid.uuid4().hex}", uuid.uuid4().hex
    ask = ray.remote(num_cpus=0)(_obstacle)
    try:
        file.write_text(token, encoding="utf-8")
        asked = [
            (node, ask.options(scheduling_strategy=_on(node)).remote(file, token))
            for node in ray.nodes()
            if node["Alive"]
        ]
        for node, answer in asked:
            if obstacle := _answer(answer):
                name = f"{node['NodeManagerHostname']} ({node['NodeManagerAddress']})"
                raise UserError(
                    f"node {name} cannot use the results folder {folder}: {obstacle}. All nodes "
                    "must see it under this path: put --results on shared storage, or let each "
                    "machine run a part with --shard and join the parts with bench merge "
                    "(docs/cluster.md)",
                    ExitCode.RESOURCES,
                )
    finally:
        file.unlink(missing_ok=True)


def _on(node: dict[str, Any]) -> NodeAffinitySchedulingStrategy:
    return NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)


def _answer(answer: ray.ObjectRef) -> str:
    try:
        return ray.get(answer, timeout=120)
    except RayError as error:
        last = (str(error).strip().splitlines() or [type(error).__name__])[-1]
        return f"it cannot run this tool ({last}); install the same version of it there"


def _obstacle(file: Path, token: str) -> str:
    """On a node: "" if it reads the token and can write beside it, else what is in the way."""
    deadline = time.monotonic() + _VISIBLE_SECONDS
    own = file.with_name(f"{file.name}-{uuid.uuid4().hex}")
    while True:
        try:
            if file.read_text(encoding="utf-8") != token:
                return "another file is there"
            own.write_text(token, encoding="utf-8")
            own.unlink()
            return ""
        except OSError as error:
            if time.monotonic() > deadline:
                return error.strerror or str(error)
        time.sleep(0.2)


def was_lost(error: Exception | None) -> bool:
    """Did the node go, and not the worker alone?

    A node outlives a worker that is killed, and reports it. Nobody reports a node that is cut off:
    until the cluster takes notice, its actors are merely unavailable.
    """
    if isinstance(error, ActorUnavailableError):
        return True
    return isinstance(error, RayActorError) and (
        error.preempted or "its node has died" in str(error)
    )
