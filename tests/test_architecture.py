"""The shape of the house, read from the syntax trees."""

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parent.parent
PACKAGES = ("benchmark", "methods", "reports")
FILES = sorted(f for package in PACKAGES for f in (CHECKOUT / package).rglob("*.py"))


def imports(file: Path) -> set[str]:
    """Top-level names of everything that the file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").split(".")[0])
    return found


def test_the_files_are_found():
    assert len(FILES) > 25


@pytest.mark.parametrize(
    ("library", "allowed"),
    [
        ("hydra", {"benchmark/config.py"}),
        ("omegaconf", {"benchmark/config.py"}),
        ("ray", {"benchmark/runner.py", "benchmark/nodes.py"}),
        ("matplotlib", {"reports/canvas.py"}),
        (
            "scipy",
            {
                "benchmark/distance.py",
                "reports/intervals.py",
                "reports/ranks.py",
                "reports/significance.py",
            },
        ),
        ("jinja2", {"reports/page.py"}),
        ("segmentation_models_pytorch", {"benchmark/encoders.py"}),
        (
            "typer",
            {f"benchmark/{name}.py" for name in ("cli", "cli_data", "cli_report", "cli_studies")},
        ),
    ],
)
def test_heavy_libraries_are_imported_in_one_place(library, allowed):
    users = {str(f.relative_to(CHECKOUT)) for f in FILES if library in imports(f)}
    assert users <= allowed


def test_the_harness_never_imports_the_reports_but_for_the_command_line():
    users = {f.name for f in (CHECKOUT / "benchmark").rglob("*.py") if "reports" in imports(f)}
    assert users == {"cli_report.py", "reporting.py"}


def test_reports_and_methods_do_not_reach_into_the_plumbing():
    for file in (CHECKOUT / "reports").glob("*.py"):
        assert "benchmark" not in imports(file), file


def test_cards_and_results_are_no_python_packages():
    for folder in ("datasets", "results"):
        assert (CHECKOUT / folder).is_dir()
        assert list((CHECKOUT / folder).rglob("*.py")) == []


def test_importing_datasets_does_not_find_our_cards():
    """A folder without Python is at most a namespace package, which any real package shadows."""
    found = importlib.util.find_spec("datasets")
    assert found is None or found.origin is None or "site-packages" in found.origin


@pytest.mark.parametrize("package", PACKAGES)
def test_the_packages_load_from_the_checkout_or_the_installation(package):
    origin = Path(importlib.util.find_spec(package).origin)
    assert origin == CHECKOUT / package / "__init__.py" or "site-packages" in str(origin)


def test_help_does_not_wait_for_heavy_imports():
    probe = "import sys, benchmark.cli; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert not loaded & {"torch", "ray", "pandas", "numpy", "hydra", "scipy", "pydantic"}


def test_the_library_of_encoders_loads_only_when_one_is_asked_for():
    probe = "import sys, benchmark.cli, benchmark.cluster.run; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert "torch" in done.stdout.split()
    assert not {"segmentation_models_pytorch", "timm"} & set(done.stdout.split())


def test_modules_stay_readable():
    """A file longer than this is no longer read from top to bottom."""
    long = {f.name: n for f in FILES if (n := len(f.read_text().splitlines())) > 320}
    assert not long
