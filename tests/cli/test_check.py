"""`bench check` and `bench new method`: from a command to plain findings and an exit code."""

import pytest

from benchmark.errors import ExitCode
from tests.study.test_methods import METHOD

BROKEN = METHOD.replace("return self.network(x)", "return self.network(x)[..., 1:]")


def test_a_method_to_begin_with_keeps_the_contract_and_is_not_overwritten(
    bench, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    code, out, _ = bench("new", "method", "mean_field")
    assert (code, out) == (0, "wrote mean_field.py\nnext:  bench check mean_field.py\n")
    text = (tmp_path / "mean_field.py").read_text()
    assert "class MeanField(Method):" in text
    code, out, err = bench("check", "mean_field.py", "--quick")
    assert code == 0, out + err
    assert out.splitlines()[-1] == "mean_field.py keeps the contract"
    assert out.count("ok        ") == 16
    code, _, err = bench("new", "method", "mean_field")
    assert code == ExitCode.USAGE and "is there already, and is not overwritten" in err
    assert (tmp_path / "mean_field.py").read_text() == text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("cps",), 'there is a method "cps" already (bench list methods): take another'),
        (("Mean",), "a method's name is made of lower-case letters, digits and _"),
        (("all",), "a method's name is made of"),
        (("for",), "nor a word of Python"),
        (("torch",), 'Python has a module "torch" already, and would load that: take another'),
        (("mine", "--into", "nowhere"), "no such folder: nowhere"),
    ],
)
def test_a_name_that_cannot_be_used_is_refused(words, message, bench, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _, err = bench("new", "method", *words)
    assert code == ExitCode.USAGE and message in err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("name", "made"), [("float", "FloatMethod"), ("f", "FMethod")])
def test_a_class_hides_nothing_that_the_file_imports(name, made, bench, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).mkdir()  # a folder so called hides no file
    assert bench("new", "method", name)[0] == 0
    assert f"class {made}(Method):" in (tmp_path / f"{name}.py").read_text()
    code, out, err = bench("check", f"./{name}.py", "--quick")
    assert code == 0, out + err


def test_findings_are_said_in_words_and_end_with_an_exit_code(bench, tmp_path):
    file = tmp_path / "halved.py"
    file.write_text(BROKEN)
    code, out, err = bench("check", file, "--quick")
    assert code == ExitCode.PLUGIN
    assert (
        "finding   forward gives logits of the images' size (2D, around mobilenet_v2): forward "
        "must give (b, k, *s), here (2, 2, 32, 32), got (2, 2, 32, 31)"
    ) in out
    assert (
        "(3D): forward must give (b, k, *s), here (2, 2, 16, 16, 16), got (2, 2, 16, 16, 15)"
        in (out)
    )
    assert "unlabelled images change what is learnt" in out
    assert f"error: {file} breaks the contract: " in err and "Traceback" not in err


def test_a_method_of_another_package_is_checked_by_its_name(install, bench):
    raising = METHOD.replace("return {", 'raise RuntimeError("no good")\n        return {')
    install("bad-loss", {"bad_loss.py": raising}, methods=["bad_loss = bad_loss"])
    code, out, _ = bench("check", "bad_loss", "--quick")
    assert code == ExitCode.PLUGIN
    assert out.count("it raises RuntimeError: no good (bad_loss.py, line 17)") == 1
    assert out.count(": as above") == 7
    assert "Traceback" in bench("check", "bad_loss", "--quick", "-v")[1]


@pytest.mark.parametrize(
    ("typed", "code", "message"),
    [
        ("csp", ExitCode.USAGE, 'no method "csp"; did you mean "cps"?'),
        ("cps[wieght=1]", ExitCode.USAGE, 'no hyper-parameter of cps "wieght"; did you mean'),
        ("nowhere.py", ExitCode.USAGE, "no such file: nowhere.py"),
        ("random.py", ExitCode.PLUGIN, "Python finds another module random, in "),
        ("My-Method.py", ExitCode.PLUGIN, "a name is lower-case letters"),
        ("wrong.py", ExitCode.PLUGIN, "cannot be loaded from wrong.py: SyntaxError"),
        ("empty.py", ExitCode.PLUGIN, "it must define exactly one Method, found 0"),
    ],
)
def test_what_cannot_be_checked_says_why(typed, code, message, bench, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    texts = {"random.py": "", "My-Method.py": "", "wrong.py": "def", "empty.py": "x = 1"}
    if typed in texts:
        (tmp_path / typed).write_text(texts[typed])
    found, _, err = bench("check", typed)
    assert found == code and message in err


def test_a_file_of_a_package_is_imported_as_its_module(bench, tmp_path):
    """Its relative imports work."""
    package = tmp_path / "some_ssl"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "helper.py").write_text("WEIGHT = 2.0\n")
    text = METHOD.replace("from benchmark", "from .helper import WEIGHT\nfrom benchmark", 1)
    (package / "relative.py").write_text(text.replace("2.0", "WEIGHT"))
    _, out, _ = bench("check", package / "relative.py", "--quick")
    assert "ok        hyper-parameters are kept under their names" in out
