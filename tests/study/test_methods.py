"""Methods and dataset cards of other installed packages: used, broken, clashing, hidden by ours."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmark.cli import main
from benchmark.data import cards
from benchmark.errors import ExitCode, UserError
from benchmark.study import methods

METHOD = '''"""Only the labelled images, with a weight.

    L = weight · S(f(x), y)
"""

from benchmark.toolkit.method import Method


class Weighted(Method):
    def __init__(self, build, *, weight: float = 2.0):
        super().__init__()
        self.network = build()
        self.criterion = build.criterion
        self.weight = weight

    def loss(self, batch, progress):
        return {"supervised": self.weight * self.criterion(self.network(batch.x), batch.y)}

    def forward(self, x):
        return self.network(x)
'''
CARD = "name: squares\ntitle: Bright squares\nchannels: 1\nsize: [32, 32]\nterms: CC0\n"
GRID = (
    "--preset", "demo", "--ratios", "50", "--seeds", "1", "size=[32,32]", "network.widths=[4,8]",
    "network.dropout=[0,0]", "training.epochs=1", "training.steps_per_epoch=2",
)  # fmt: skip


@pytest.fixture
def tiny(install):
    """A package with a method and a card."""
    files = {"tiny_ssl/weighted.py": METHOD, "tiny_ssl/squares.yaml": CARD}
    yield install(
        "tiny-ssl",
        files | {"tiny_ssl/__init__.py": ""},
        methods=["weighted = tiny_ssl.weighted"],
        cards=["squares = tiny_ssl"],
    )
    for module in ("tiny_ssl", "tiny_ssl.weighted"):  # the next test has its own copy
        sys.modules.pop(module, None)


@pytest.fixture
def bench(tmp_path, monkeypatch, capsys):
    """A function: run `bench …` in an empty folder; gives (exit code, stdout, stderr)."""
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")

    def run(*arguments: str):
        code = main.guarded(lambda: main.app(list(arguments), standalone_mode=False))
        out, err = capsys.readouterr()
        return int(code), out, err

    return run


@pytest.fixture
def squares(tiny, bench, tmp_path):
    """Eight pictures of bright squares, prepared with the package's card."""
    for folder in ("image", "mask"):
        (tmp_path / "pictures" / folder).mkdir(parents=True)
    for i in range(8):
        mask = np.zeros((32, 32), np.uint8)
        mask[i : i + 12, 4:20] = 255
        Image.fromarray(mask // 2 + 40).save(tmp_path / "pictures" / "image" / f"{i}.png")
        Image.fromarray(mask).save(tmp_path / "pictures" / "mask" / f"{i}.png")
    return bench("data", "prepare", "squares", "--from", str(tmp_path / "pictures"))


def test_a_method_of_another_package_is_listed_with_its_package(tiny, bench):
    code, out, _ = bench("list", "methods")
    assert code == 0
    assert "weighted      Only the labelled images, with a weight." in out
    assert "[weight=2.0]" in out and "from package tiny-ssl 1.2" in out
    assert "from package tiny-ssl 1.2" in bench("list", "methods", "-v")[1]
    assert methods.names()[0] == "supervised"


def test_methods_are_grouped_by_family(tiny):
    grouped = methods.by_family()
    assert next(iter(grouped)) == "supervised" and list(grouped)[-1] == methods.NO_FAMILY
    assert grouped[methods.NO_FAMILY] == ["weighted"]  # it names none
    assert grouped["copy-paste"] == ["bcp"]


def test_a_card_of_another_package_is_listed_and_prepares(squares, bench):
    code, out, err = squares
    assert code == 0, err
    assert "6 train and 2 test cases" in out
    assert "prepared" in bench("list", "datasets")[1]


def test_an_unprepared_card_of_another_package_is_listed_with_its_terms(tiny, bench):
    out = bench("list", "datasets")[1]
    assert "squares       not prepared; Bright squares\n              terms: CC0" in out
    code, _, err = bench("run", *GRID, "--methods", "supervised", "--datasets", "squares")
    assert code == ExitCode.DATA
    assert "bench data prepare squares --from" in err


def test_one_trial_with_method_and_card_of_another_package(squares, bench):
    grid = (*GRID, "--datasets", "squares", "--methods", "weighted[weight=3]")
    _, out, _ = bench("run", *grid, "--dry-run", "-v")
    key = out.splitlines()[-1].split()[0]
    assert "weighted[weight=3.0]/squares/50 %/seed 0" in out
    code, out, err = bench("run", *grid, "--trial", key)
    assert code == 0, err
    assert "squares DC" in out and "weighted" in out
    record = json.loads(Path(f"results/demo/trials/{key}/record.json").read_text())
    assert record["packages"]["tiny-ssl"] == "1.2"
    assert "tiny-ssl" not in json.dumps(record["settings"])


def test_the_package_of_our_own_method_is_ours_alone():
    assert methods.package_of("cps") == {}


def test_an_entry_point_may_name_the_class_itself(install):
    install("classy", {"classy_ssl.py": METHOD}, methods=["by_class = classy_ssl:Weighted"])
    assert methods.find("by_class").__name__ == "Weighted"
    assert methods.hyperparameters("by_class") == {"weight": 2.0}
    assert methods.header("by_class").startswith("Only the labelled images")


BROKEN = {
    "no_import": ("raise ImportError('no torchsde here')", "ImportError: no torchsde here"),
    "exits": ("import sys; sys.exit(3)", "SystemExit: 3"),
    "no_method": ("x = 1", "it must define exactly one Method, found 0"),
    "imported": (
        "from methods.cps import CPS",
        "it must define exactly one Method, found 0",
    ),
    "no_default": (
        METHOD.replace("weight: float = 2.0", "weight"),
        "every hyper-parameter needs a default, weight has none",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_method_breaks_only_itself(install, bench, data_root, name):
    code, reason = BROKEN[name]
    install(f"bad-{name}", {f"bad_{name}.py": code}, methods=[f"{name} = bad_{name}"])
    code, out, _ = bench("list", "methods")
    assert code == 0
    assert f"{name:14}broken: method {name}" in out and reason in out
    assert "cps           Cross pseudo supervision" in out

    grid = (*GRID, "--data-root", str(data_root), "--dry-run")
    code, out, err = bench("run", *grid, "--methods", "all")
    assert code == 0
    assert "left out of all methods: " in err and reason in err
    assert "cps/phantom_glas" in out and f"{name}/phantom_glas" not in out

    for typed in (name, f"all,{name}"):
        code, _, err = bench("run", *grid, "--methods", typed)
        assert code == ExitCode.PLUGIN
        assert reason in err and "Traceback" not in err
    code, _, err = bench("run", *grid, "--methods", "cps")
    assert code == 0 and name not in err


def test_the_reason_names_the_entry_point_and_its_package(install):
    install("lost", {}, methods=["lost = lost_module:Lost"])
    with pytest.raises(UserError) as caught:
        methods.find("lost")
    assert str(caught.value) == (
        'method lost cannot be loaded from "lost_module:Lost" of package lost 1.2: '
        "ModuleNotFoundError: No module named 'lost_module'"
    )


@pytest.mark.parametrize("name", ["my-method", "all", "Mine", "2fast"])
def test_a_name_that_cannot_be_typed_is_refused(install, name):
    install("odd-names", {"odd_names.py": METHOD}, methods=[f"{name} = odd_names"])
    with pytest.raises(UserError, match="a name is lower-case letters") as caught:
        methods.find(name)
    assert caught.value.exit_code == ExitCode.PLUGIN


def test_two_packages_with_a_method_of_one_name_are_both_named(install, bench, data_root):
    for package in ("first", "second"):
        install(package, {f"{package}_ssl.py": METHOD}, methods=[f"twice = {package}_ssl"])
    code, out, _ = bench("list", "methods")
    assert code == 0
    assert 'twice         broken: 2 installed packages offer a method "twice"' in out
    grid = (*GRID, "--data-root", str(data_root), "--dry-run")
    code, _, err = bench("run", *grid, "--methods", "twice")
    assert code == ExitCode.PLUGIN
    assert "first 1.2" in err and "second 1.2" in err and "uninstall all but one" in err
    assert methods.package_of("twice") == {}


def test_our_own_method_wins_and_the_list_says_so(install, bench):
    install("rival", {"rival_ssl.py": METHOD}, methods=["cps = rival_ssl"])
    out = bench("list", "methods")[1]
    assert (
        'note: method "cps" of package rival 1.2 is not used: the tool has its own of that name'
        in out
    )
    assert methods.find("cps").__name__ == "CPS"
    assert methods.package_of("cps") == {}


def test_our_own_card_wins_and_the_list_says_so(install, bench):
    install("rival-data", {"rival_data/glas.yaml": "name: glas\n"}, cards=["glas = rival_data"])
    out = bench("list", "datasets")[1]
    assert 'note: card "glas" of package rival-data 1.2 is not used' in out
    assert cards.find("glas").title.startswith("GlaS")


def test_a_card_lies_in_a_folder_without_code_or_beside_a_module(install):
    install(
        "placed",
        {
            "placed_folder/cards/inside.yaml": "name: inside\n",
            "placed_module.py": "raise RuntimeError('a card needs no import')",
            "beside.yaml": "name: beside\n",
        },
        cards=["inside = placed_folder.cards", "beside = placed_module"],
    )
    assert cards.find("inside").name == "inside"
    assert cards.find("beside").name == "beside"


BROKEN_CARDS = {
    "absent": ({"absent_cards/__init__.py": ""}, "absent_cards", "no card at"),
    "nowhere": ({}, "nowhere_cards", "there is no module nowhere_cards"),
    "renamed": ({"r_cards/renamed.yaml": "name: other\n"}, "r_cards", "its name is other"),
    "mistyped": (
        {"m_cards/mistyped.yaml": "nmae: mistyped\n"},
        "m_cards",
        'no field of a card "nmae"',
    ),
}


@pytest.mark.parametrize("name", BROKEN_CARDS)
def test_a_broken_card_breaks_only_itself(install, bench, name):
    files, module, reason = BROKEN_CARDS[name]
    install(f"bad-{name}", files, cards=[f"{name} = {module}"])
    code, out, _ = bench("list", "datasets")
    assert code == 0
    assert f"{name:14}broken: card {name} of package bad-{name} 1.2" in out and reason in out
    assert "glas          not prepared" in out
    code, _, err = bench("data", "prepare", name, "--from", ".")
    assert code == ExitCode.PLUGIN
    assert reason in err


def test_two_packages_with_a_card_of_one_name_are_both_named(install, bench):
    for package in ("left", "right"):
        install(
            package,
            {f"{package}_cards/pair.yaml": "name: pair\n"},
            cards=[f"pair = {package}_cards"],
        )
    code, _, err = bench("data", "prepare", "pair", "--from", ".")
    assert code == ExitCode.PLUGIN
    assert 'offer a card "pair"' in err and "left 1.2" in err and "right 1.2" in err
    assert (
        'pair          broken: 2 installed packages offer a card "pair"'
        in (bench("list", "datasets")[1])
    )
