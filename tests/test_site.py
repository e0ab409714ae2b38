"""The pages of docs/ as a site: built strictly, whole, no link broken, nothing fetched."""

import importlib.util
import os
import posixpath
import re
import subprocess
import sys
from html.parser import HTMLParser
from urllib.parse import unquote, urldefrag

import pytest
import yaml
from PIL import Image

from reports.report import TABLES
from tests.conftest import CHECKOUT

DOCS = CHECKOUT / "docs"
NEEDED = ("mkdocs", "material", "mkdocstrings")
PICTURES = sorted(DOCS.glob("images/**/*"))
FIGURES = 11
"""The functions in `reports/figures/__init__.py` that draw, each with its picture."""


class Links(HTMLParser):
    """What a page leads to and is made of, and the places in it that a link may name."""

    def __init__(self, html: str):
        super().__init__()
        self.links: list[str] = []
        self.parts: list[str] = []
        self.places: set[str] = {""}
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.places |= {given[name] or "" for name in ("id", "name") if name in given}
        if tag == "a" and given.get("href"):
            self.links.append(given["href"])
        if tag in ("img", "script") and given.get("src"):
            self.parts.append(given["src"])
        if tag == "link" and given.get("rel") != "canonical" and given.get("href"):
            self.parts.append(given["href"])


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> dict[str, Links]:
    """The built site: its pages, by their paths, and all other files' paths with nothing."""
    if missing := [name for name in NEEDED if not importlib.util.find_spec(name)]:
        assert not os.environ.get("REQUIRE_DOCS"), f"not installed: {', '.join(missing)}"
        pytest.skip(f'not installed: {", ".join(missing)}; pip install -e ".[docs]"')
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", folder],
        cwd=CHECKOUT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*")}
    return {
        name: Links(path.read_text(encoding="utf-8") if path.suffix == ".html" else "")
        for name, path in files.items()
        if path.is_file() and name != "404.html"
    }


def target(page: str, link: str) -> tuple[str, str] | None:
    """Path in the site and place in the page; None: elsewhere in the world."""
    if "://" in link or link.startswith(("mailto:", "javascript:", "data:")):
        return None
    path, place = map(unquote, urldefrag(link))
    there = posixpath.normpath(posixpath.join(posixpath.dirname(page), path))
    return there if path else page, place


@pytest.mark.slow
def test_no_link_is_broken(site):
    broken, seen = [], 0
    for page, found in site.items():
        for link in [*found.links, *found.parts]:
            if (to := target(page, link)) is None:
                continue
            seen += 1
            path, place = to
            if path not in site or place not in site[path].places:
                broken.append(f"{page}: {link}")
    assert seen > 1000
    assert broken == []


@pytest.mark.slow
def test_every_page_is_reached_from_the_first_and_stands_in_the_menu(site):
    pages = {name for name in site if name.endswith(".html")}
    reached, waiting = set(), ["index.html"]
    while waiting:
        page = waiting.pop()
        if page in reached or page not in pages:
            continue
        reached.add(page)
        waiting += [to[0] for link in site[page].links if (to := target(page, link))]
    assert pages - reached == set()
    menu = {to[0] for link in site["index.html"].links if (to := target("index.html", link))}
    ours = {f"{file.stem}.html" for file in DOCS.glob("*.md")}
    assert len(ours) >= 12 and ours <= menu


@pytest.mark.slow
def test_nothing_is_fetched_from_elsewhere(site):
    parts = [part for found in site.values() for part in found.parts]
    assert parts
    assert [part for part in parts if "//" in part] == []


@pytest.mark.slow
def test_files_outside_docs_have_pages_of_their_own(site):
    for path in ("index", "results/index", "benchmark/toolkit", "methods/ours.py"):
        assert f"outside/{path}.html" in site
    leads = [target("own-method.html", link) for link in site["own-method.html"].links]
    assert ("outside/methods/mean_teacher.py.html", "") in leads
    within = [target("outside/index.html", link) for link in site["outside/index.html"].links]
    assert ("own-method.html", "") in within


@pytest.mark.slow
def test_the_reference_has_the_door_and_all_that_a_method_may_import(site):
    places = site["api.html"].places
    for name in ("load_study", "run", "methods", "datasets", "Study.report", "Trial.model"):
        assert f"benchmark.cli.python.{name}" in places
    for file in (CHECKOUT / "benchmark" / "toolkit").glob("[a-z]*.py"):
        assert f"benchmark.toolkit.{file.stem}" in places
    assert "benchmark.toolkit.method.Method.loss" in places
    assert not [place for place in places if "._" in place and place.startswith("benchmark")]


def test_the_gallery_shows_every_table_and_figure():
    page = (DOCS / "gallery.md").read_text(encoding="utf-8")
    made = dict(re.findall(r"<!-- made: (\S+) -->\n(.*?)\n<!-- end -->", page, re.S))
    figures = {name for name in made if name.startswith("figure-")}
    assert made.keys() - figures == {"studies", *TABLES}
    assert len(figures) == FIGURES
    for name in TABLES:
        assert re.search(rf"`bench report .*--table {name}`", page) or name == "table"
        assert made[name].count("\n") >= 3  # head, rule, a row
    for name in figures:
        picture = re.fullmatch(r"!\[[^\]]+\]\((\S+)\)", made[name])[1]
        assert (DOCS / picture).is_file()


def test_a_figure_that_is_added_needs_a_place_in_the_gallery():
    text = (CHECKOUT / "reports" / "figures" / "__init__.py").read_text(encoding="utf-8")
    makers = re.search(r"^_MAKERS.*?= \((.*?)^\)", text, re.M | re.S)[1]
    assert len(re.findall(r"\w+\.\w+,", makers)) == FIGURES


def test_pictures_are_few_and_light():
    files = [file for file in PICTURES if file.is_file()]
    pages = "".join(file.read_text(encoding="utf-8") for file in DOCS.glob("*.md"))
    pages += (CHECKOUT / "README.md").read_text(encoding="utf-8")
    assert len(files) <= 20
    for file in files:
        assert file.suffix == ".png" and file.stat().st_size < 250_000
        with Image.open(file) as picture:
            assert max(picture.size) <= 2400
        assert f"images/{file.relative_to(DOCS / 'images').as_posix()})" in pages, "shown nowhere"
    assert sum(file.stat().st_size for file in files) < 1_000_000


def test_the_first_page_leads_to_the_readme_and_the_settings_fetch_nothing():
    settings = yaml.safe_load((CHECKOUT / "mkdocs.yml").read_text(encoding="utf-8"))
    assert settings["theme"]["font"] is False and settings["strict"] is True
    assert [palette["scheme"] for palette in settings["theme"]["palette"]] == ["default", "slate"]
    assert "content.code.copy" in settings["theme"]["features"]
    assert settings["nav"][0] == {"Start": "index.md"}
    assert "(../README.md)" in (DOCS / "index.md").read_text(encoding="utf-8")
