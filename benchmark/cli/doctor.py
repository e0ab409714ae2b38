"""The verb doctor: does this machine have what a run needs?"""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from benchmark.cli.options import (
    DATA,
    RESULTS,
    DataRoot,
    ResultsRoot,
    Verbose,
    examples,
    new_app,
    say,
)
from benchmark.errors import ExitCode, UserError

app = new_app()
_LITTLE_MEMORY = 2 * 2**30
_LITTLE_DISK = 2**30


class Finding(NamedTuple):
    """One line. level: ok, warning (it runs, but), or broken (it does not run)."""

    level: str
    subject: str
    text: str

    def __str__(self) -> str:
        return f"{self.level:8} {self.subject:10} {self.text}"


@app.command(
    short_help="Check this machine: is it ready to run?",
    epilog=examples(
        "bench doctor", "bench doctor --data-root /scratch/data --results /scratch/results"
    ),
)
def doctor(
    data_root: DataRoot = DATA,
    results_root: ResultsRoot = RESULTS,
    verbose: Verbose = False,
) -> None:
    """Check this machine: packages, processors, memory, folders, datasets, Ray."""
    broken = []
    for finding in examine(data_root, results_root):
        say(finding)
        broken += [finding.subject] if finding.level == "broken" else []
    if broken:
        raise UserError(f"not ready to run: {', '.join(broken)}", ExitCode.RESOURCES)


def examine(data_root: Path, results_root: Path) -> Iterator[Finding]:
    """The findings one by one, as they are made: starting Ray takes seconds."""
    yield _packages()
    yield _code()
    yield _machine()
    yield _gpus()
    yield _methods()
    yield _writable("data", data_root, "--data-root")
    yield _writable("results", results_root, "--results")
    yield _datasets(data_root)
    yield _left_overs(data_root, results_root)
    yield _ray()


def _packages() -> Finding:
    from benchmark import provenance

    versions = provenance.package_versions()
    missing = [name for name, version in versions.items() if not version]
    if missing:
        return Finding(
            "broken", "packages", f"not installed: {', '.join(missing)}; pip install -e ."
        )
    return Finding("ok", "packages", ", ".join(f"{k} {v}" for k, v in versions.items()))


def _code() -> Finding:
    from benchmark import provenance

    version = provenance.code_version()
    if version.endswith("+changes"):
        return Finding(
            "warning", "code", f"{version}: commit, so that records name what they were made with"
        )
    return Finding("ok", "code", version)


def _machine() -> Finding:
    import psutil

    from benchmark import provenance

    memory = psutil.virtual_memory()
    text = (
        f"{provenance.cpu_count()} CPUs, {memory.total / 2**30:.1f} GiB of memory, "
        f"{memory.available / 2**30:.1f} free; precision=bfloat16 "
        f"{'in hardware' if provenance.has_bfloat16() else 'probably emulated, and slower'}"
    )
    if memory.available < _LITTLE_MEMORY:
        return Finding("warning", "machine", f"{text}: lower --max-concurrent")
    return Finding("ok", "machine", text)


def _gpus() -> Finding:
    import torch

    if torch.cuda.is_available():
        count = torch.cuda.device_count()
        names = [torch.cuda.get_device_name(i) for i in range(count)]
        return Finding("ok", "GPUs", f"{count}: {', '.join(names)}")
    if shutil.which("nvidia-smi"):
        return Finding(
            "warning",
            "GPUs",
            "a driver is installed, but torch sees no GPU: install torch for its CUDA version, or "
            "look at CUDA_VISIBLE_DEVICES",
        )
    return Finding("ok", "GPUs", "none: trials run on the CPU")


def _methods() -> Finding:
    from benchmark.study import methods

    broken = [name for name in methods.names() if _error(lambda n=name: methods.find(n))]
    if broken:
        return Finding("warning", "methods", f"cannot be loaded: {', '.join(broken)}")
    return Finding("ok", "methods", ", ".join(methods.names()))


def _writable(subject: str, root: Path, option: str) -> Finding:
    """Tries it, in the nearest folder that is there: permissions alone do not tell."""
    there = next(folder for folder in (root, *root.absolute().parents) if folder.exists())
    try:
        with tempfile.TemporaryFile(dir=there):
            free = shutil.disk_usage(there).free
    except OSError as error:
        return Finding(
            "broken", subject, f"cannot write to {root} ({error.strerror}); choose with {option}"
        )
    text = f"{root}{'' if root.is_dir() else ' (will be made)'}, {free / 2**30:.1f} GiB free"
    if free < _LITTLE_DISK:
        return Finding("warning", subject, f"{text}: make room, or choose with {option}")
    return Finding("ok", subject, text)


def _datasets(data_root: Path) -> Finding:
    from benchmark.data import names as known
    from benchmark.data import prepared

    names = known.prepared(data_root)
    damaged = [n for n in names if _error(lambda n=n: prepared.read_manifest(data_root, n))]
    if damaged:
        return Finding(
            "warning", "datasets", f"not usable: {', '.join(damaged)}; bench list datasets says why"
        )
    if not names:
        return Finding(
            "warning", "datasets", f"none prepared under {data_root}: see bench list datasets"
        )
    return Finding("ok", "datasets", f"prepared: {', '.join(names)}")


def _left_overs(data_root: Path, results_root: Path) -> Finding:
    from benchmark import scratch
    from benchmark.data.preparation import data_folder
    from benchmark.store import layout, left_overs

    found = [*data_folder.left_overs(data_root), *left_overs.temporary()]
    for name in layout.studies(results_root):
        found += left_overs.of_study(results_root / name)
    if not found:
        return Finding("ok", "left-overs", "none of killed runs")
    what = left_overs.listed({path: scratch.size_of(path) for path in found})
    return Finding("warning", "left-overs", f"{what}; the next run of each study removes them")


def _ray() -> Finding:
    try:
        from benchmark.cluster import ray_runner

        found = ray_runner.start()
        worker = f"a worker takes {found.worker_mib:.0f} MiB before its trial's own"
        return Finding("ok", "Ray", f"starts in {found.seconds:.0f} s; {worker}")
    except Exception as error:
        line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        return Finding(
            "broken", "Ray", f"does not start ({line}); single trials run with --trial all the same"
        )


def _error(action: Callable[[], object]) -> str:
    try:
        action()
    except UserError as error:
        return str(error)
    return ""
