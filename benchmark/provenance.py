"""Where a number comes from: code version, package versions, device, memory.

PyTorch is imported where a GPU is asked: reports read versions without it.
"""

import os
import platform
import re
import shutil
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, distributions, version
from pathlib import Path
from typing import TYPE_CHECKING

import benchmark

if TYPE_CHECKING:
    import torch

_TOOL = "semiseg-bench"
_CODE = ("benchmark", "methods", "reports")  # a new file in them is a change too
_PACKAGES = (
    "torch", "numpy", "scipy", "pandas", "ray", "hydra-core", "pillow",
    "segmentation-models-pytorch", "timm", "torchvision",
)  # fmt: skip


@cache
def code_version() -> str:
    """Version, and the commit with "+changes" if the tool runs from a checkout."""
    checkout = Path(__file__).resolve().parent.parent
    git = shutil.which("git")
    if git is None or not (checkout / ".git").exists():
        return benchmark.__version__

    def ask(*arguments: str) -> str:
        # A checkout may belong to somebody else, which git does not trust without being told.
        command = [git, "-c", "safe.directory=*", "-C", str(checkout), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()

    commit = ask("rev-parse", "--short=12", "HEAD")
    if not commit:
        return f"{benchmark.__version__}+unknown"
    changed = "+changes" if ask("status", "--porcelain", "--", *_CODE) else ""
    return f"{benchmark.__version__}+g{commit}{changed}"


@cache
def package_versions() -> dict[str, str]:
    """Python and the packages that can change a number; "" where one is missing."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = ""
    return found


@cache
def requirements() -> str:
    """Every installed package as pip's requirements; Python and what no index has as comments.

    Of a package from a folder or an address neither is named.
    """
    lines = {_TOOL: f"# {_TOOL} {code_version()}"}
    for found in distributions():
        name = re.sub(r"[-_.]+", "-", found.metadata["Name"] or "").lower()
        if not name or name in lines:  # what comes first on the path is what is imported
            continue
        is_from_index = found.read_text("direct_url.json") is None
        lines[name] = (
            f"{name}=={found.version}"
            if is_from_index
            else f"# {name} {found.version}, not from an index"
        )
    return "\n".join([f"# Python {platform.python_version()}", *sorted(lines.values()), ""])


def cpu_count() -> int:
    """CPUs that this process may use; a batch system often gives it a part of the machine's."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def has_bfloat16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Does the processor multiply bfloat16 itself? As far as Linux tells."""
    try:
        words = set(cpuinfo.read_text(encoding="utf-8", errors="replace").split())
    except OSError:
        return False
    return not words.isdisjoint({"avx512_bf16", "amx_bf16", "bf16"})


def device_name(device: "torch.device") -> str:
    """The processor's or the accelerator's own name."""
    if device.type == "cuda":
        import torch

        return torch.cuda.get_device_name(device)
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(
            line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")
        )
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def reset_peak_memory(device: "torch.device") -> bool:
    """Start measuring anew; False where that cannot be done (it is then left blank)."""
    if device.type == "cuda":
        import torch

        torch.cuda.reset_peak_memory_stats(device)
        return True
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def peak_memory_mib(device: "torch.device") -> float:
    """Of the accelerator's allocator, or of the whole process, since `reset_peak_memory`."""
    if device.type == "cuda":
        import torch

        return round(torch.cuda.max_memory_allocated(device) / 2**20, 1)
    status = Path("/proc/self/status").read_text().splitlines()
    peak_kib = next(line.split()[1] for line in status if line.startswith("VmHWM"))
    return round(int(peak_kib) / 1024, 1)
