"""The shape of the house, read from the syntax trees.

Rooms have an order; a module imports its own room and those to the left of it. `CONTRIBUTING.md`
says what each room is for.
"""

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import CHECKOUT

HARNESS = (
    "root", "toolkit", "data", "study", "store", "loggers", "training", "prediction", "contract",
    "forecast", "cluster", "cli",
)  # fmt: skip
REPORTS = ("stats", "sheet", "select", "published", "tables", "figures", "report", "page")
BESIDE = {  # files and folders that stand in the order where another does
    "render": "sheet", "latex": "sheet", "comparable": "select", "filters": "select",
    "names": "select",
    "wording": "select", "settings": "select", "captions": "page",
    "methods_section": "page",
}  # fmt: skip
PACKAGES = ("benchmark", "methods", "reports")
DOOR = "benchmark.cli.python"
"""What `import benchmark` has of the tool, loaded when it is asked for."""
FILES = sorted(f for package in PACKAGES for f in (CHECKOUT / package).rglob("*.py"))


def module_of(file: Path) -> str:
    return ".".join(file.relative_to(CHECKOUT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_of(file) for file in FILES}


def imports(file: Path) -> set[str]:
    """Everything that the file imports, anywhere in it; of this project the very modules."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                found.add(whole if whole in MODULES else node.module)
    return found


def room_of(module: str) -> tuple[str, int]:
    """The room of a module, by name, and its place in the order of its package."""
    package, *rest = module.split(".")
    if package == "methods":
        return "methods", 0
    if package == "reports":
        room = BESIDE.get(rest[0], rest[0]) if rest else "stats"
        return f"reports.{room}", REPORTS.index(room)
    room = rest[0] if rest and rest[0] in HARNESS else "root"
    return room, HARNESS.index(room)


def objection(importer: str, imported: str) -> str:
    """What the house has against this import; "" if nothing."""
    (room, place), (other, at) = room_of(importer), room_of(imported)
    home, away = importer.split(".")[0], imported.split(".")[0]
    if home == "reports" and away != "reports":
        return "reports import nothing of the harness"
    if home == "methods":
        allowed = other in ("methods", "toolkit")
        return "" if allowed else "methods import benchmark.toolkit alone"
    if away == "reports" and home != "reports":
        is_door = importer == DOOR or importer.startswith("benchmark.cli.report")
        return "" if is_door else f"only benchmark.cli.report and {DOOR} may"
    if away == "methods":
        return "" if importer == "benchmark.study.methods" else "only benchmark.study.methods may"
    if (importer, imported) == ("benchmark", DOOR):
        return ""
    return "" if at <= place else f"{other} stands to the right of {room}"


def test_the_files_are_found():
    assert len(FILES) > 80


def test_every_module_imports_its_own_room_and_those_to_the_left():
    found = [
        f"{module_of(file)} imports {imported}: {why}"
        for file in FILES
        for imported in sorted(imports(file))
        if imported.split(".")[0] in PACKAGES and (why := objection(module_of(file), imported))
    ]
    assert not found, "\n" + "\n".join(found)


@pytest.mark.parametrize(
    ("importer", "imported", "why"),
    [
        ("benchmark.toolkit.networks", "benchmark.study.settings", "study stands to the right of"),
        ("benchmark.errors", "benchmark.toolkit.losses", "toolkit stands to the right of root"),
        ("benchmark", "benchmark.cli.run", "cli stands to the right of root"),
        ("benchmark.errors", DOOR, "cli stands to the right of root"),
        ("benchmark.training.loop", "reports.select", "only benchmark.cli.report and"),
        ("benchmark.cli.run", "reports.select", "only benchmark.cli.report and"),
        ("methods.cps", "benchmark.data.split", "methods import benchmark.toolkit alone"),
        ("methods.cps", "benchmark.errors", "methods import benchmark.toolkit alone"),
        ("reports.select", "benchmark.wording", "reports import nothing of the harness"),
        ("reports.stats.ranks", "reports.sheet", "reports.sheet stands to the right of"),
        ("reports.tables.main", "reports.report", "reports.report stands to the right of"),
    ],
)
def test_an_import_the_wrong_way_round_is_refused(importer, imported, why):
    assert why in objection(importer, imported)
    assert not objection(imported, imported)


@pytest.mark.parametrize(
    ("library", "rooms"),
    [
        ("hydra", {"study"}),
        ("omegaconf", {"study"}),
        ("ray", {"cluster"}),
        ("typer", {"cli"}),
        ("matplotlib", {"reports.figures"}),
        ("jinja2", {"reports.page"}),
        ("scipy", {"toolkit", "training", "reports.stats"}),
        ("segmentation_models_pytorch", {"toolkit"}),
    ],
)
def test_a_heavy_library_has_its_room(library, rooms):
    users = {
        room_of(module_of(file))[0]
        for file in FILES
        if library in {imported.split(".")[0] for imported in imports(file)}
    }
    assert users == rooms


def test_the_verbs_print_in_one_place():
    """What strangers named passes there, and steers no terminal."""
    printing = {
        file.name
        for file in (CHECKOUT / "benchmark").rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).endswith(("typer.echo", "console.print"))
    }
    assert printing == {"options.py", "run.py", "progress.py"}
    for name in ("run.py", "progress.py"):
        text = (CHECKOUT / "benchmark" / "cluster" / name).read_text()
        assert "printable(" in text


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


def loaded_by(code: str) -> set[str]:
    """Modules that are loaded after this code ran in a process of its own."""
    probe = f"import sys\n{code}\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_what_python_gets_of_the_tool_is_loaded_when_it_is_asked_for():
    assert not loaded_by("import benchmark; dir(benchmark)") & {*HEAVY, DOOR}
    assert {"pandas", DOOR} <= loaded_by("import benchmark; benchmark.load_study")


HEAVY = {"torch", "ray", "pandas", "numpy", "hydra", "scipy", "pydantic", "rich"}
LIST_PRESETS = "from benchmark.cli.main import app; app(['list', 'presets'], standalone_mode=False)"


def test_help_does_not_wait_for_heavy_imports():
    assert not loaded_by("import benchmark.cli.main") & HEAVY


def test_the_presets_are_listed_without_pytorch():
    assert not loaded_by(LIST_PRESETS) & {"torch", "ray", "pandas", "scipy"}


def test_a_run_is_planned_without_ray_and_without_the_library_of_encoders():
    loaded = loaded_by("import benchmark.cluster.run, benchmark.study.plan")
    assert "torch" in loaded
    assert not {"ray", "segmentation_models_pytorch", "timm"} & loaded


def test_reports_know_the_baseline_by_the_name_that_studies_give_it():
    """They import nothing of `benchmark`, so the name stands there too."""
    from benchmark.study import settings
    from reports import select

    assert select.BASELINE == settings.BASELINE
