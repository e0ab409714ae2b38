"""What a worker of Ray does: one job after the other."""

import importlib
import platform
from collections.abc import Mapping

import psutil
import torch

from benchmark.data.prepared import Prepared
from benchmark.data.stored import Stored
from benchmark.study import sources
from benchmark.training import job as jobs
from benchmark.training.job import Destination, Job


def work(
    config: Mapping[str, str],
    work: Mapping[str, Job],
    datasets: Mapping[str, Stored | Prepared],
    destination: Destination,
    use_gpu: bool,
    code: Mapping[str, sources.Code],
) -> None:
    """One job to its record. code: of each method where the run was started, if it is elsewhere."""
    job = work[config["key"]]
    if code and sources.code_of(job.method) != code[job.method]:
        jobs.fail(
            job,
            destination,
            f"{platform.node()}, which joined the cluster later, has other code of this tool or of "
            "the method: install the same there",
        )
        return
    device = torch.device("cuda" if use_gpu else "cpu")
    jobs.run(job, datasets[job.dataset], destination, device=device)


def resident_mib() -> float:
    """Memory of this process, with all that a first step imports."""
    importlib.import_module("torch._dynamo")  # which optimisers do
    return psutil.Process().memory_info().rss / 2**20
