"""Markdown of the notebooks and of the project's own pages, as Sphinx wants it: links lead from page to page."""
import os
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from chapters import NBS, ROOT, page_of, settings

SETTINGS = settings()
BLOB = f"{SETTINGS['git_url']}/blob/{SETTINGS['branch']}/"


def project_pages():
    "Pages that are no notebooks: {path: page}, `docs/glossary.md` -> `docs/glossary`."
    found = sorted((ROOT / "docs").glob("*.md")) + [ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]
    return {path: path.relative_to(ROOT).with_suffix("").as_posix().lower() for path in found if path.exists()}


def outside_fences(text, change):
    "Apply `change` to the lines of a markdown text that are neither fenced code nor headings."
    fence, lines = None, []
    for line in text.split("\n"):
        mark = re.match(r"\s*(`{3,}|~{3,})", line)
        if mark and (fence is None or line.strip().startswith(fence)): fence = mark[1] if fence is None else None
        elif fence is None and not line.startswith("#"): line = change(line)
        lines.append(line)
    return "\n".join(lines)


def link(target, folder):
    "Where a link of a text in `folder` leads on the site: to a page, to a picture beside it, or to the repository."
    path, _, place = target.partition("#")
    if re.match(r"[a-z]+:|/", target) or not path: return target
    file = Path(os.path.normpath(folder / path))
    place = f"#{place.lower()}" if place else ""
    if file.suffix == ".ipynb" and NBS in file.parents: return f"/{page_of(file)}.ipynb{place}"
    if file in project_pages(): return f"/{project_pages()[file]}.md{place}"
    if NBS in file.parents and file.suffix in (".svg", ".png", ".jpg", ".gif"): return target
    return BLOB + file.relative_to(ROOT).as_posix() + place if ROOT in file.parents else target


def two_pictures(match):
    "A picture with a variant for dark pages, as two images of which the theme shows one."
    dark = re.search(r'srcset="([^"]+)"', match[0])[1]
    light = re.search(r"<img [^>]+>", match[0])[0]
    second = re.sub(r'src="[^"]+"', f'src="{dark}"', light)
    pictures = [(light, "only-light"), (second, "only-dark")]
    return "\n".join(image.replace("<img ", f'<img class="{kind}" ') for image, kind in pictures)


def markdown(text, names, module=None, folder=NBS):
    "Markdown for Sphinx: names in backticks lead to their entries, links between files from page to page."
    def link_name(match):
        target = names.get(f"w2s_nb.{module}.{match[1]}") or names.get(match[1])
        if target is None: return match[0]
        if target.startswith("module:"): return f"[{match[0]}](/{target[7:]}.ipynb)"
        return f"{{py:obj}}`{match[1]} <{target}>`"

    def change(line):
        first = re.match(r"(\| `\w+` \|)?", line)[0]  # the name of a parameter is no link
        line = first + re.sub(r"(?<![`\[\w}])`([\w.]+)`(?![`\]])", link_name, line[len(first):])
        return re.sub(r"\]\(([^)\s]+)\)", lambda m: f"]({link(m[1], folder)})", line)

    return re.sub(r"<picture>.*?</picture>", two_pictures, outside_fences(text, change), flags=re.S)
