"""The nodes of the connected Ray cluster: what they have, and what they share.

Used by `ray_runner`, which sets Ray's environment before it is imported.
"""

import os
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import ray
import torch
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from benchmark import provenance
from benchmark.errors import ExitCode, UserError
from benchmark.study import sources
from benchmark.training.job import Job

_VISIBLE_SECONDS = 5.0  # until a node must see a new file on shared storage


def for_each(work: Sequence[Job], gpus: float | None) -> dict[str, float]:
    """What each job takes; `UserError` (exit code 4) if no node could ever give it.

    gpus: of a trial; None stands for 1 where there is a GPU, else 0.
    """
    found = _resources()
    if gpus is None:
        gpus = 1.0 if any(node.get("GPU", 0) for node in found) else 0.0
    cpus = float(max(job.conditions.threads_per_trial for job in work))
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


def slots(resources: dict[str, float]) -> int:
    """How many trials that take these fit on all nodes together."""
    wanted = [(name.upper(), amount) for name, amount in resources.items() if amount]
    return sum(min(int(node.get(n, 0) / amount) for n, amount in wanted) for node in _resources())


def _resources() -> list[dict[str, float]]:
    """What each node that lives has in all."""
    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def require_alike(folder: Path, methods: Iterable[str], say: Callable[[str], None]) -> None:
    """Refuse a cluster of which a node would compute something else, or could not keep it.

    Every node that could run a trial is asked for the code of the tool and of these methods, which
    must be those of this machine; for its versions, which must be those of the other nodes; and to
    read and write in the folder. `UserError` (exit code 4) lists what differs, by node. say: is
    told what may differ, the processors, and that a cluster has no token.
    """
    methods = sorted(methods)
    file, token = folder / f".token-{uuid.uuid4().hex}", uuid.uuid4().hex
    ask, here = ray.remote(num_cpus=0)(_facts), _Facts.of(methods)
    differing: list[str] = []
    found: dict[str, _Facts] = {}
    try:
        file.write_text(token, encoding="utf-8")
        asked = [
            (node, ask.options(scheduling_strategy=_on(node)).remote(file, token, methods))
            for node in ray.nodes()
            if node["Alive"] and node["Resources"].get("CPU", 0) >= 1
        ]
        for node, answer in asked:
            name = f"node {node['NodeManagerHostname']} ({node['NodeManagerAddress']})"
            there = _answer(answer)
            if isinstance(there, str):
                differing.append(f"{name} cannot run this tool: {there}")
                continue
            found[name] = there
            first = next(iter(found.values()))
            differing += [f"{name} {line}" for line in there.against(here, first, folder)]
    finally:
        file.unlink(missing_ok=True)
    if differing:
        lines = "\n".join(f"  {line}" for line in differing)
        raise UserError(
            f"the nodes of the cluster are not alike, and nothing was run:\n{lines}\n"
            "Install the same code and versions on every node and put --results on shared storage; "
            "or let each machine run a part with --shard, and join the parts with bench merge "
            "(docs/cluster.md)",
            ExitCode.RESOURCES,
        )
    processors = sorted({facts.processor for facts in found.values()})
    if len(processors) > 1:
        say(f"note: several processors ({', '.join(processors)}): last digits may differ")
    if any(not facts.has_token for facts in found.values()):
        say(
            "note: the Ray cluster has no token: whoever reaches its ports can run anything there "
            "as you (docs/cluster.md starts it with one)"
        )


class _Facts(NamedTuple):
    """What must be equal on all nodes, and the processor, which should be."""

    code: dict[str, str]
    versions: dict[str, str]
    processor: str
    has_token: bool = True
    """Was Ray started with one there?"""
    obstacle: str = ""
    """What is in the way of reading and writing the results."""

    @classmethod
    def of(cls, methods: list[str], obstacle: str = "") -> "_Facts":
        """Of this machine."""
        code = {f"methods/{name}": sources.method_code(name) for name in methods}
        return cls(
            code={"the tool": sources.tool_code()} | code,
            versions=provenance.package_versions(),
            processor=provenance.device_name(torch.device("cpu")),
            has_token=os.environ.get("RAY_AUTH_MODE", "").lower() == "token",
            obstacle=obstacle,
        )

    def against(self, here: "_Facts", other: "_Facts", folder: Path) -> list[str]:
        """What differs there: code from this machine, versions from another node."""
        lines = [
            f"has other code of {what} ({self.code[what] or 'none'}, here {hash or 'none'})"
            for what, hash in here.code.items()
            if self.code[what] != hash
        ]
        lines += [
            f"has {name} {self.versions.get(name) or 'not at all'} (another node "
            f"{version or 'not at all'})"
            for name, version in other.versions.items()
            if self.versions.get(name, "") != version
        ]
        if here.has_token and not self.has_token:  # workers would die of it, one by one
            lines.append("has no token, and this shell has: unset RAY_AUTH_MODE, or start it anew")
        if self.obstacle:
            lines.append(f"cannot use the results folder {folder}: {self.obstacle}")
        return lines


def _on(node: dict[str, Any]) -> NodeAffinitySchedulingStrategy:
    return NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)


def _answer(answer: ray.ObjectRef) -> _Facts | str:
    """What the node says, or why it cannot say anything."""
    try:
        return ray.get(answer, timeout=120)
    except RayError as error:
        return (str(error).strip().splitlines() or [type(error).__name__])[-1]


def _facts(file: Path, token: str, methods: list[str]) -> _Facts:
    """On a node."""
    return _Facts.of(methods, _obstacle(file, token))


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
