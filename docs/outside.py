"""A hook of MkDocs: what lies outside docs/ and is linked from a page becomes a page too.

On the forge a link such as `../methods/ours.py` leads to the file; a site has docs/ alone. Here the
file becomes the page `outside/methods/ours.md`: Markdown as it is, code in a block, a folder as a
list of its files. So links are written once, as the forge takes them, and are right in both places.
"""

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

CHECKOUT = Path(__file__).resolve().parent.parent
_FENCED = re.compile(r"(^(?:```|~~~~).*?^(?:```|~~~~)$)", re.M | re.S)
_LINK = re.compile(r"(!?\[[^\]]*\]\()([^)\s#]+)(#[^)\s]*)?(\))")
_LANGUAGES = {".py": "python", ".yaml": "yaml", ".toml": "toml", ".csv": "text", ".txt": "text"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a page for each file outside that a page leads to, and for those that these lead to."""
    waiting = [f"docs/{file.src_uri}" for file in files if file.is_documentation_page()]
    seen = set(waiting)
    while waiting:
        for target in sorted(_linked(waiting.pop()) - seen):
            seen.add(target)
            waiting.append(target)
            if _is_page(target) and _uri(target) not in files.src_uris:
                files.append(File.generated(config, _uri(target), content=_text(target)))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """The page's links, as the site has their targets."""
    path = _path(page.file.src_uri)
    own = posixpath.dirname(page.file.src_uri)

    def led(link: re.Match) -> str:
        target = _target(path, link[2])
        if target is None:
            return link[0]
        return f"{link[1]}{posixpath.relpath(_uri(target), own or '.')}{link[3] or ''}{link[4]}"

    code = _FENCED.findall(markdown)
    parts = [_LINK.sub(led, part) for part in _FENCED.split(markdown)[::2]]
    return "".join(part + block for part, block in zip(parts, [*code, ""], strict=True))


def _linked(path: str) -> set[str]:
    """Files and folders of the checkout that a page leads to, by their paths in it."""
    if not _is_page(path):
        return set()
    links = _LINK.finditer(_FENCED.sub("", _text(path)))
    return {target for link in links if (target := _target(path, link[2]))}


def _target(path: str, link: str) -> str | None:
    """Where a link of the file at this path leads in the checkout; None: out of it, or nowhere."""
    if "://" in link or link.startswith(("/", "mailto:")):
        return None
    target = posixpath.normpath(posixpath.join(posixpath.dirname(path), link))
    return target if not target.startswith("..") and (CHECKOUT / target).exists() else None


def _is_page(path: str) -> bool:
    """Does the site have a page for it? Pictures and tables of docs/ are files there."""
    is_inside = path.startswith("docs/")
    return path.endswith(".md") or not is_inside or (CHECKOUT / path).is_dir()


def _uri(path: str) -> str:
    """Of the page, or of the file, in the site's sources."""
    if path.startswith("docs/") and (CHECKOUT / path).is_file():
        return path.removeprefix("docs/")
    if path.endswith(".md"):
        return f"outside/{path}"
    return f"outside/{path}.md"


def _path(uri: str) -> str:
    """Of the file or folder in the checkout whose page this is."""
    if not uri.startswith("outside/"):
        return f"docs/{uri}"
    path = uri.removeprefix("outside/")
    return path if (CHECKOUT / path).exists() else path.removesuffix(".md")


def _text(path: str) -> str:
    """The page: Markdown as it is, code in a block, a folder as a list."""
    file = CHECKOUT / path
    if file.is_dir():
        return _listed(file, path)
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".md":
        return text
    return f"# {path}\n\n~~~~{_LANGUAGES.get(file.suffix, 'text')}\n{text.rstrip()}\n~~~~\n"


def _listed(folder: Path, path: str) -> str:
    names = sorted(f.name for f in folder.iterdir() if f.is_file() and f.name[0] not in "._")
    links = [f"* [{name}]({posixpath.basename(path)}/{name})" for name in names]
    return "\n".join([f"# {path}/", "", *links, ""])
