"""The page of a report: it stands alone, escapes what it is given, marks, sorts, fits a phone."""

import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

from reports.page import page as pages
from reports.page.facets import Facet
from reports.page.page import Fact, Failure, Page, render
from reports.page.picture import Picture
from reports.sheet import NOTHING, Cell, Head, Mark, Sheet

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 72 36"><path d="M0 0h72"/></svg>'
EVIL = "<script>alert('&')</script>"
DATASETS = ("busi", "glas", "isic", "promise")
METHODS = ("cps", "cct", "uamt")
FACETS = [
    Facet("dataset", DATASETS), Facet("labelled", ["5 %", "20 %"]), Facet("method", METHODS),
]  # fmt: skip
VOID = {"meta", "link", "img", "wbr", "br", "input"}


def figure(mark: Mark = Mark.NONE, *, value: float = 0.5, is_tied: bool = False) -> Cell:
    return Cell(f"{100 * value:.2f} ± 0.36", value, mark, is_tied)


def small(name: str = "table") -> Sheet:
    """Two groups of rows, two columns in a group of heads, one figure that is not there."""
    return Sheet(
        name,
        "Mean Dice",
        [Head("labelled"), Head("method"), Head("DC", "glas"), Head("JI", "glas")],
        [
            [
                Cell("5 %", 0.05), Cell("cps"), figure(Mark.SECOND, value=0.7, is_tied=True),
                figure(value=0.61),
            ],
            [Cell("5 %", 0.05), Cell("cct"), figure(value=0.6), NOTHING],
            [Cell("20 %", 0.2), Cell("uamt"), figure(Mark.BEST, value=0.8), figure(value=0.9)],
        ],
        pd.DataFrame(),
        footer=["ten seeds each"],
        marked="mean of each dataset and budget",
    )  # fmt: skip


def grouped() -> Sheet:
    """A floor, and two groups whose methods lie the other way round on the second dataset."""
    heads = [Head("labelled"), Head("method"), Head("DC", "glas"), Head("DC", "isic")]
    rows = [[Cell("", 0.0), Cell("floor: all foreground"), figure(value=0.3), figure(value=0.3)]]
    for percent, scores in ((5, (0.5, 0.7, 0.6)), (20, (0.9, 0.7, 0.8))):
        for method, score in zip(METHODS, scores, strict=True):
            cells = [figure(value=score), figure(value=1 - score)]
            rows.append([Cell(f"{percent} %", percent / 100), Cell(method), *cells])
    return Sheet("table", "Grouped", heads, rows, pd.DataFrame(), ["ten seeds each"])


def large(name: str = "wide") -> Sheet:
    """Wider than any phone."""
    heads = [Head("labelled"), Head("method")]
    heads += [Head(label, dataset) for dataset in DATASETS for label in ("DC", "JI")]
    rows = [
        [Cell(f"{percent} %", percent / 100), Cell(f"method_{i}[some_long_parameter=0.999]")]
        + [figure(value=0.5 + (i * 7 % 9) / 100) for _ in range(8)]
        for percent in (1, 5, 10, 20, 100)
        for i in range(9)
    ]
    return Sheet(name, "Dice and Jaccard of four datasets", heads, rows, pd.DataFrame())


def page(**changes) -> Page:
    parts = {
        "study": "A study",
        "summary": ["Three methods on one dataset.", "Nothing was chosen on the test images."],
        "sheets": [small(), large()],
        "pictures": [Picture("curves", "Dice over share", "Lines that rise.", SVG, "svg")],
        "provenance": [
            Fact("command", ["bench run --preset cpu"], is_code=True),
            Fact("code version", ["0.1.0+g28b189a0b20f"]),
            Fact("data hash", ["4f73" * 60]),
        ],
        "failures": [
            Failure(
                "cct/glas/5 %/seed 1",
                "RuntimeError: " + "x" * 400,
                "results/a/log.txt",
                {"dataset": "glas", "labelled": "5 %", "method": "cct"},
            )
        ],
        "facets": FACETS,
    }
    return Page(**(parts | changes))


class Element:
    def __init__(self, tag: str, attributes: dict[str, str], parent: "Element | None" = None):
        self.tag, self.attributes, self.parent = tag, attributes, parent
        self.children: list[Element] = []
        self.pieces: list[str] = []

    @property
    def text(self) -> str:
        return "".join(self.pieces).strip()

    def all(self, tag: str, name: str = "") -> list["Element"]:
        """Those below with this tag and class, in the order of the file."""
        found = []
        for child in self.children:
            if child.tag == tag and (not name or name in child.attributes.get("class", "").split()):
                found.append(child)
            found += child.all(tag, name)
        return found


class _Reader(HTMLParser):
    """Of well-formed HTML: it refuses what is not closed in order."""

    def __init__(self):
        super().__init__()
        self.root = self._at = Element("", {})

    def handle_starttag(self, tag, attrs):
        element = Element(tag, {name: value or "" for name, value in attrs}, self._at)
        self._at.children.append(element)
        if tag not in VOID:
            self._at = element

    def handle_endtag(self, tag):
        assert self._at.tag == tag, f"</{tag}> closes <{self._at.tag}>"
        self._at = self._at.parent

    def handle_data(self, data):
        element = self._at
        while element is not None:
            element.pieces.append(data)
            element = element.parent


def parsed(text: str) -> Element:
    reader = _Reader()
    reader.feed(text)
    reader.close()
    assert reader._at is reader.root
    return reader.root


def elements(element: Element) -> list[Element]:
    return [x for child in element.children for x in (child, *elements(child))]


def rows_of(root: Element, table: int = 0) -> list[list[Element]]:
    bodies = root.all("table")[table].all("tbody")
    return [row.children for body in bodies for row in body.all("tr")]


def test_nothing_is_fetched_from_outside():
    root = parsed(render(page()))
    for element in elements(root):
        for name in ("src", "href", "srcset", "action", "data", "poster"):
            assert re.match(r"data:|#|$", element.attributes.get(name, "")), element.attributes
        assert not any(name.startswith("on") for name in element.attributes)
    assert not re.search(r"@import|url\(|//\w", root.all("style")[0].text)
    policy = next(m for m in root.all("meta") if "http-equiv" in m.attributes)
    assert "default-src 'none'" in policy.attributes["content"]
    (script,) = root.all("script")
    assert pages._sha256("".join(script.pieces)) in policy.attributes["content"]


def test_there_is_one_heading_a_language_and_a_viewport():
    root = parsed(render(page()))
    assert [h.text for h in root.all("h1")] == ["A study"]
    assert root.all("html")[0].attributes["lang"] == "en"
    assert any(m.attributes.get("name") == "viewport" for m in root.all("meta"))


def test_the_links_of_the_navigation_lead_somewhere():
    root = parsed(render(page(sheets=[small(), large(), large("more")])))
    ids = [e.attributes["id"] for e in elements(root) if "id" in e.attributes]
    assert len(ids) == len(set(ids))
    links = [a.attributes["href"] for a in root.all("a")]
    assert {"#summary", "#table-table", "#figures", "#table-more", "#failures"} <= set(links)
    assert {link[1:] for link in links} <= set(ids)
    named = [e.attributes[a] for e in elements(root) for a in ("aria-labelledby",) if a in
             e.attributes]  # fmt: skip
    assert set(named) <= set(ids)


def test_pictures_are_in_the_file_with_their_alternatives():
    png = bytes.fromhex("89504e470d0a1a0a0000000d49484452000000c800000064") + b"rest"
    drawn = [*page().pictures, Picture("panels", "Panels", 'Said "so"', png, "png")]
    root = parsed(render(page(pictures=drawn)))
    svg, second = root.all("img")
    assert [svg.attributes["alt"], second.attributes["alt"]] == ["Lines that rise.", 'Said "so"']
    assert svg.attributes["src"].startswith("data:image/svg+xml;base64,")
    assert second.attributes["src"].startswith("data:image/png;base64,")
    assert (svg.attributes["width"], svg.attributes["height"]) == ("96", "48")
    assert (second.attributes["width"], second.attributes["height"]) == ("200", "100")
    assert [f.all("figcaption")[0].text for f in root.all("figure")] == [
        "Dice over share",
        "Panels",
    ]


def test_whatever_is_given_is_escaped():
    sheet = Sheet(
        "table", EVIL, [Head(EVIL), Head("DC", EVIL)], [[Cell(EVIL), figure()]], pd.DataFrame(),
        footer=[EVIL], words=1,
    )  # fmt: skip
    text = render(
        page(
            study=EVIL,
            summary=[EVIL],
            sheets=[sheet],
            pictures=[Picture("x", EVIL, EVIL + '"', SVG, "svg")],
            provenance=[Fact(EVIL, [EVIL]), Fact(EVIL, [EVIL], is_code=True)],
            failures=[Failure(EVIL, EVIL, EVIL, {"method": EVIL})],
            facets=[Facet("method", [EVIL, '"><b>'])],
        )
    )
    root = parsed(text)
    assert len(root.all("script")) == 1 and "<script>alert" not in text
    for element in (*root.all("h1"), *root.all("figcaption"), *root.all("code"), *root.all("li")):
        if "alert" in element.text:
            assert element.text == EVIL
    assert root.all("img")[0].attributes["alt"] == EVIL + '"'
    assert rows_of(root)[0][0].text == EVIL


def test_best_second_and_tied_figures_are_marked():
    root = parsed(render(page()))
    rows = rows_of(root)
    assert [s.text for s in root.all("strong")] == ["80.00"] and rows[2][2].all("strong")
    assert [u.text for u in root.all("u")] == ["70.00"] and rows[0][2].all("u")
    (tie,) = root.all("sup")
    assert tie.text == "≈" and tie.attributes["title"] and rows[0][2].all("sup") == [tie]
    assert rows[0][2].text == "70.00 ± 0.36≈"
    assert root.all("p", "marks")[0].text == (
        "bold: best, underlined: second best mean of each dataset and budget"
    )
    notes = root.all("details", "notes")[0]
    assert notes.all("summary")[0].text == "Notes (1)"
    assert [li.text for li in notes.all("li")] == ["ten seeds each"]


def test_cells_carry_what_they_sort_by_and_labels_that_repeat_stay():
    rows = rows_of(parsed(render(page())))
    assert [row[0].text for row in rows] == ["5 %", "5 %", "20 %"]
    assert [row[0].parent.attributes.get("class") for row in rows] == [None, "repeat", None]
    assert [row[2].attributes["data-value"] for row in rows] == ["0.7", "0.6", "0.8"]
    nothing = rows[1][3]
    assert "data-value" not in nothing.attributes and "nothing" in nothing.attributes["class"]
    assert [cell.attributes.get("scope") for cell in rows[0]] == ["row", "row", None, None]


@pytest.mark.parametrize("sheet", [small(), large()])
def test_heads_of_groups_span_their_columns(sheet):
    first, second = parsed(render(page(sheets=[sheet]))).all("thead")[0].all("tr")
    spans = [int(th.attributes.get("colspan", 1)) for th in first.all("th")]
    assert sum(spans) == len(sheet.heads)
    below = sum(int(th.attributes.get("rowspan", 1)) - 1 for th in first.all("th"))
    assert len(second.all("th")) + below == len(sheet.heads)
    sortable = [
        th for th in (*first.all("th"), *second.all("th")) if "data-column" in th.attributes
    ]
    labels = {int(th.attributes["data-column"]): th.text for th in sortable}
    assert [labels[i] for i in range(len(labels))] == [head.label for head in sheet.heads]
    assert all(th.attributes["scope"] in ("col", "colgroup") for th in first.all("th"))


def test_a_column_of_words_is_set_as_words():
    sheet = Sheet(
        "t", "T", [Head("method"), Head("DC"), Head("caveats")],
        [[Cell("cps"), figure(), Cell("another split")], [Cell("cct"), NOTHING, NOTHING]],
        pd.DataFrame(), words=1,
    )  # fmt: skip
    rows = rows_of(parsed(render(page(sheets=[sheet]))))
    classes = [[cell.attributes["class"] for cell in row] for row in rows]
    assert classes == [["label", "number", "words"], ["label", "number nothing", "words nothing"]]


def test_a_table_too_broad_for_upright_paper_is_turned():
    def classes(sheet: Sheet) -> str:
        root = parsed(render(page(sheets=[sheet])))
        ids = {s.attributes.get("id"): s.attributes for s in root.all("section")}
        return ids[f"table-{sheet.name}"]["class"]

    costs = [Head(f"cost {i}") for i in range(16)]
    rows = [[*row, *[Cell("12345", 12345)] * 16] for row in large().rows]
    vast = Sheet("vast", "Costs", [*large().heads, *costs], rows, pd.DataFrame())
    empty = Sheet("empty", "Empty", [Head("method")], [], pd.DataFrame())
    found = [classes(sheet) for sheet in (empty, small(), large(), vast)]
    assert found == ["", "", "broad", "broad vast"]


def test_failures_are_named_or_there_is_a_sentence():
    root = parsed(render(page()))
    section = next(s for s in root.all("section") if s.attributes.get("id") == "failures")
    assert "cct/glas/5 %/seed 1" in section.text and "x" * 400 in section.text
    assert "results/a/log.txt" in section.text
    (row,) = section.all("tbody")[0].all("tr")
    assert row.attributes == {"data-dataset": "glas", "data-labelled": "5 %", "data-method": "cct"}
    assert "Failures (1)" in root.all("nav")[0].text
    assert "No trial failed." in render(page(failures=[]))


def test_a_page_may_lack_tables_and_pictures():
    root = parsed(render(page(sheets=[], pictures=[], failures=[], summary=[], provenance=[])))
    assert not root.all("table") and not root.all("img")


def test_what_was_run_is_told_with_its_command():
    root = parsed(render(page()))
    section = next(s for s in root.all("section") if s.attributes.get("id") == "provenance")
    assert [dt.text for dt in section.all("dt")] == ["command", "code version", "data hash"]
    assert [code.text for code in section.all("code")] == ["bench run --preset cpu"]
    assert section.all("dd")[1].text == "0.1.0+g28b189a0b20f"


def test_rows_columns_and_figures_say_what_they_are_of():
    drawn = [Picture("a", "A", "A", SVG, "svg", ["cps: 1"], {"dataset": "glas"})]
    root = parsed(render(page(sheets=[grouped()], pictures=drawn)))
    rows = [row[0].parent.attributes for row in rows_of(root)]
    assert rows[0] == {"class": "fixed"}
    assert rows[1] == {"data-labelled": "5 %", "data-method": "cps"}
    assert [len(body.all("tr")) for body in root.all("table")[0].all("tbody")] == [1, 3, 3]
    heads = [th.attributes.get("data-dataset") for th in root.all("table")[0].all("th")]
    assert heads[:6] == [None, None, "glas", "isic", "glas", "isic"]
    assert root.all("figure")[0].attributes["data-dataset"] == "glas"
    assert root.all("details", "told")[0].all("li")[0].text == "cps: 1"


def test_choices_are_offered_where_there_is_a_choice():
    facets = [Facet("dataset", ["glas"]), Facet("method", ["cps", "em"])]
    root = parsed(render(page(facets=facets)))
    assert [legend.text for legend in root.all("legend")] == ["method"]
    assert [box.attributes["value"] for box in root.all("input")] == ["cps", "em"]
    assert not parsed(render(page(facets=facets[:1]))).all("form")


def test_notes_of_the_main_table_stand_there_alone():
    more = replace(large(), footer=["ten seeds each", "its own"])
    own = parsed(render(page(sheets=[small(), more]))).all("details", "notes")[-1]
    assert [li.text for li in own.all("li")] == ["its own", "1 as under the main table"]


def test_a_long_sentence_of_the_summary_is_folded_and_whole():
    long = "Settings differ: " + "size 64x64, " * 50
    root = parsed(render(page(summary=["Short.", long])))
    assert root.all("details", "long")[0].all("p")[0].text == long.strip()


def test_a_dozen_pictures_stay_below_the_limit():
    content = b"\x89PNG" + bytes(100_000)
    drawn = [Picture(f"p-{i}", "Panel", "A panel", content, "png") for i in range(12)]
    assert len(render(page(pictures=drawn)).encode()) < pages.LIMIT
    heavy = [*drawn, Picture("huge", "Panel", "A panel", content * 40, "png")]
    with pytest.raises(ValueError, match=r"more than 5.*the largest picture is huge"):
        render(page(pictures=heavy))


def test_two_tables_of_one_name_are_refused():
    with pytest.raises(ValueError, match="two tables share a name: table, table"):
        render(page(sheets=[small(), small()]))


@pytest.fixture(scope="module")
def chromium() -> str:
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        pytest.skip(f"no browser here: none of {', '.join(names)}")
    return found


def opened(chromium: str, file: Path, text: str, fragment: str = "") -> tuple[Element, list[str]]:
    """The document after its scripts ran, and the messages of its console."""
    file.write_text(text)
    done = subprocess.run(
        [
            chromium, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr",
            "--v=0", "--window-size=1280,900", f"--user-data-dir={file.parent / 'profile'}",
            "--virtual-time-budget=4000", "--dump-dom", file.as_uri() + fragment,
        ],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return parsed(done.stdout), [line for line in done.stderr.splitlines() if ":CONSOLE" in line]


def with_script(text: str, script: str) -> str:
    """One more script, which the policy of the page allows by its hash."""
    policy = f"script-src '{pages._sha256(script)}' "
    assert text.count("script-src ") == 1 and text.count("</body>") == 1
    text = text.replace("script-src ", policy)
    return text.replace("</body>", f"<script>{script}</script></body>")


@pytest.mark.slow
def test_a_browser_has_nothing_to_say(chromium, tmp_path):
    text = render(page())
    root, messages = opened(chromium, tmp_path / "page.html", text)
    assert messages == []
    # The script ran: three heads of the small table, nine of the large one, a picture, two more.
    assert len(root.all("button")) == 3 + 9 + 1 + 2
    # The check can fail, and the page's policy lets no other script run.
    loud = with_script(text, "console.error('deliberate')")
    assert "deliberate" in "".join(opened(chromium, tmp_path / "loud.html", loud)[1])
    strange = text.replace("</body>", "<script>document.title = 'strange'</script></body>")
    root, messages = opened(chromium, tmp_path / "strange.html", strange)
    assert "Content Security Policy" in "".join(messages) and "A study" in root.all("title")[0].text


@pytest.mark.slow
def test_a_click_sorts_within_groups_and_the_third_restores_the_order(chromium, tmp_path):
    # Columns and so many clicks on each; what stands there afterwards, floor and groups in place.
    expected = {
        "2:1": ("floor cct uamt cps | cps uamt cct", "descending"),
        "2:2": ("floor cps uamt cct | cct uamt cps", "ascending"),
        "2:3": ("floor cps cct uamt | cps cct uamt", "none"),
        "3:1": ("floor cps uamt cct | cct uamt cps", "descending"),
        "1:1": ("floor cct cps uamt | cct cps uamt", "ascending"),
    }
    script = """
      const table = document.querySelector(".sheet table"), found = [];
      const head = (i) => table.tHead.querySelector(`[data-column="${i}"]`);
      const names = (body) => [...body.rows].map((r) => r.cells[1].textContent.split(":")[0]);
      const now = (i) => [[...names(table.tBodies[0]), ...names(table.tBodies[1])].join(" "),
        names(table.tBodies[2]).join(" ")].join(" | ") + "," + head(i).getAttribute("aria-sort");
      for (const [i, clicks] of [[2, 3], [3, 1], [1, 1]])
        for (let n = 1; n <= clicks; n++) {
          head(i).querySelector("button").click();
          found.push(`${i}:${n},${now(i)}`);
        }
      found.push(document.querySelectorAll('[aria-sort="ascending"]').length);
      found.push(head(0).querySelectorAll("button").length);
      document.title = found.join(";");
    """
    text = with_script(render(page(sheets=[grouped()])), script)
    root, messages = opened(chromium, tmp_path / "p.html", text)
    assert messages == []
    *found, n_sorted, n_of_groups = root.all("title")[0].text.split(";")
    assert found == [f"{step},{order},{turn}" for step, (order, turn) in expected.items()]
    assert (n_sorted, n_of_groups) == ("1", "0")
    # The label stands at the first row of each group, wherever that came from.
    repeats = ["repeat" in row[0].parent.attributes.get("class", "") for row in rows_of(root)]
    assert repeats == [False, False, True, True, False, True, True]


@pytest.mark.slow
def test_what_has_no_value_is_sorted_last_both_ways(chromium, tmp_path):
    script = """
      const table = document.querySelector(".sheet table"), found = [];
      const button = table.tHead.querySelector('[data-column="3"] button');
      for (const turn of [1, 2]) {
        button.click();
        found.push([...table.tBodies[0].rows].map((r) => r.cells[1].textContent).join(" "));
      }
      document.title = found.join(";");
    """
    root, _ = opened(chromium, tmp_path / "p.html", with_script(render(page()), script))
    assert root.all("title")[0].text == "cps cct;cps cct"


def shown(root: Element, table: int = 0) -> list[list[str]]:
    """Of each row that is not hidden, the texts of the cells that are not."""
    return [
        [cell.text for cell in row if "hidden" not in cell.attributes]
        for row in rows_of(root, table)
        if "hidden" not in row[0].parent.attributes
    ]


@pytest.mark.slow
def test_a_link_opens_the_page_filtered(chromium, tmp_path):
    drawn = [
        Picture(name, name, name, SVG, "svg", of={"dataset": name} if name != "all" else {})
        for name in ("all", "glas", "isic")
    ]
    text = render(page(sheets=[grouped(), small("second")], pictures=drawn))
    choice = "#dataset=isic&labelled=20+%25&method=cps&method=cct"
    root, messages = opened(chromium, tmp_path / "page.html", text, choice)
    assert messages == []
    assert shown(root) == [
        ["", "floor: all foreground", "30.00 ± 0.36"],
        ["20 %", "cps", "10.00 ± 0.36"],
        ["20 %", "cct", "30.00 ± 0.36"],
    ]
    figures = [f.all("figcaption")[0].text for f in root.all("figure") if not hidden(f)]
    assert figures == ["all", "isic"]
    told = next(p for p in root.all("p") if p.attributes.get("id") == "chosen")
    assert not hidden(told)
    assert told.text == "Shown are only dataset: isic; labelled: 20 %; method: cps, cct."
    checked = [b.attributes["value"] for b in root.all("input") if "checked" in b.attributes]
    assert checked == []  # the state of a box is none of its attributes
    # Of the second table nothing is left: it has no column of isic, and says so.
    assert [hidden(p) for p in root.all("p", "none")] == [True, False]
    assert [hidden(box) for box in root.all("div", "scroll")] == [False, True]
    (failure,) = root.all("table", "failures")[0].all("tbody")[0].all("tr")
    assert hidden(failure)  # of cct on glas


def hidden(element: Element) -> bool:
    return "hidden" in element.attributes


@pytest.mark.slow
def test_without_a_choice_all_is_shown_and_a_tick_makes_the_link(chromium, tmp_path):
    text = render(page(sheets=[grouped()]))
    root, _ = opened(chromium, tmp_path / "page.html", text, "#figures")
    assert len(shown(root)) == 7 and not hidden(root.all("details")[0])
    script = """
      const box = (value) => document.querySelector(`#filter [value="${value}"]`);
      box("glas").click(); box("5 %").click();
      const rows = [...document.querySelectorAll(".sheet tbody tr")];
      const n = () => rows.filter((row) => !row.hidden).length;
      document.title = [location.hash, n(), document.querySelector("#filter summary").textContent];
    """
    root, _ = opened(chromium, tmp_path / "ticked.html", with_script(text, script))
    assert root.all("title")[0].text == "#dataset=glas&labelled=5+%25,4,Filter (2)"


@pytest.mark.slow
def test_a_figure_opens_large_and_closes(chromium, tmp_path):
    script = """
      const dialog = document.querySelector("dialog"), found = [];
      const told = () => found.push([dialog.open, dialog.querySelectorAll("img").length]);
      told();
      document.querySelector(".enlarge").click(); told();
      dialog.querySelector("button").click(); told();
      document.querySelector("figure img").click(); told();
      document.title = [found.join(";"), dialog.getAttribute("aria-label")].join("|");
    """
    root, messages = opened(chromium, tmp_path / "p.html", with_script(render(page()), script))
    assert messages == []
    assert root.all("title")[0].text == "false,0;true,1;false,1;true,1|Dice over share"


@pytest.mark.slow
def test_a_printed_table_repeats_its_head_and_its_share_on_each_sheet(chromium, tmp_path):
    if shutil.which("pdftotext") is None:
        pytest.skip("no pdftotext here, which reads what was printed")
    rows = [[Cell("5 %", 0.05), Cell(f"method_{i}"), figure(), figure()] for i in range(120)]
    sheet = replace(small(), rows=rows, footer=["folded on the screen"])
    (tmp_path / "page.html").write_text(render(page(sheets=[sheet], pictures=[])))
    printed = tmp_path / "page.pdf"
    subprocess.run(
        [
            chromium, "--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer",
            f"--user-data-dir={tmp_path / 'profile'}", f"--print-to-pdf={printed}",
            (tmp_path / "page.html").as_uri(),
        ],
        capture_output=True, timeout=120, check=True,
    )  # fmt: skip
    text = subprocess.run(
        ["pdftotext", "-layout", printed, "-"], capture_output=True, text=True, check=True
    ).stdout
    sheets = [part for part in text.split("\f") if "method_" in part]
    assert len(sheets) > 1
    for part in sheets:
        lines = [line.split() for line in part.splitlines()]
        assert ["labelled", "method", "DC", "JI"] in lines
        assert all(re.match(r"5 ?%", " ".join(line)) for line in lines if "method_" in str(line))
    assert "olded on the screen" in text


@pytest.mark.slow
def test_a_phone_never_scrolls_the_page_sideways(chromium, tmp_path):
    # A window cannot be so narrow, a frame can.
    script = """
      addEventListener("load", () => {
        const box = document.querySelector("#table-wide .scroll");
        const widths = [innerWidth, document.documentElement.scrollWidth];
        parent.postMessage([...widths, box.scrollWidth - box.clientWidth].join(" "), "*");
      });
    """
    label, error = "a/very/long/label/" + "without-a-space" * 9, "E" * 500 + "\n" + "F" * 500
    errors = [Failure(label, error, "results/" + "folder" * 40)]
    command = [Fact("command", ["bench run " + "word" * 80], is_code=True)]
    text = render(
        page(failures=errors, provenance=command, study="A_study_of_a_very_long_name" * 4)
    )
    (tmp_path / "phone.html").write_text(with_script(text, script))
    host = """<!doctype html><html><head><title>none</title></head><body>
      <script>onmessage = (event) => { document.title = event.data; };</script>
      <iframe src="phone.html" style="width: 390px; height: 844px; border: 0"></iframe>
      </body></html>"""
    root, messages = opened(chromium, tmp_path / "host.html", host)
    assert messages == []
    width, needed, hidden = map(int, root.all("title")[0].text.split())
    assert width == 390 and needed <= 390
    assert hidden > 100  # the table scrolls in its own box
