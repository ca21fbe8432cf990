"""The documentation site: notebooks -> pages in _docs, to be read from disk or from any web server, without a network.

    python tools/site/build.py            # build
    python tools/site/build.py --check    # build, then check every link, every request and every exported name

Nothing is executed: the outputs are those stored in the notebooks. Exported cells become API entries with their
source folded below, and the section `## Checks` at the end of a notebook is folded as a whole. The sidebar follows the
folders.
"""
import argparse
import html
import json
import re
import shutil
import subprocess
import sys
import time
from importlib.metadata import files
from pathlib import Path

from execnb.nbio import mk_cell, read_nb, write_nb
from nbdev.process import extract_directives

import api
import llms
from gallery import gallery
from links import check_site
from text import BLOB, markdown, project_pages

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from chapters import NBS, ROOT, chapters, module_of, notebooks, page_of, readable, with_list

HERE, WORK, SITE = Path(__file__).resolve().parent, ROOT / "_proc" / "site", ROOT / "_docs"
PLOTLY = "application/vnd.plotly.v1+json"


def figure(output):
    "A stored plotly figure as HTML that tools/site/static/site.js draws when it comes into view."
    data = output["data"][PLOTLY]
    layout = data["layout"]
    axes = [axis for key, axis in sorted(layout.items()) if re.match("[xy]axis", key)]
    titles = [title for axis in axes if (title := axis.get("title", {}).get("text"))]
    title = layout.get("title", {}).get("text") or ", ".join(dict.fromkeys(titles))
    name = "Interactive figure" + (f": {re.sub('<[^>]+>', ' ', title)}" if title else "")
    body = json.dumps(data, separators=(",", ":")).replace("</", "<\\/")
    text = (f'<div class="figure-plotly" role="group" tabindex="0" aria-label="{html.escape(name, quote=True)}">'
            f'<div style="height:{layout.get("height", 450)}px"></div>'
            f'<script type="application/json">{body}</script></div>')
    return dict(output_type="display_data", metadata={}, data={"text/html": text})


def tagged(cell, *tags, prompt=None):
    "The cell with tags that myst-nb understands."
    cell["metadata"] = {"tags": list(tags)}
    if prompt: cell["metadata"]["mystnb"] = {"code_prompt_show": prompt, "code_prompt_hide": prompt}
    return cell


def exported_cell(cell, module, mods, names):
    "An exported cell as API entries, followed by its source, folded unless it is short."
    public = [name for name in api.defined_names(cell["source"]) if name in mods[module].__all__]
    text = "\n\n".join(api.entry(mods[module], name, cell["source"]) for name in public)
    entries = [mk_cell(markdown(text, names, module), "markdown")] if text else []
    long = cell["source"].count("\n") >= 15 or re.search("py:(function|class|exception)", text)
    return [*entries, tagged(cell, "hide-input", prompt="Source") if long else cell]


def shown_cell(cell, directives, module, names):
    "Any other code cell: its source and its outputs, as far as its directives let them be seen."
    flag = lambda name: (directives.get(name + ":") or [""])[0].lower()
    if only_imports(cell["source"]) and not cell["outputs"]: tagged(cell, "hide-input", prompt="Imports")
    if flag("echo") == "false": tagged(cell, "remove-input")
    elif flag("code-fold") == "true":
        tagged(cell, "hide-input", prompt=" ".join(directives.get("code-summary:", ["Code"])).strip('"'))
    if flag("output") == "false": cell["outputs"] = []
    is_text = lambda output: "text/markdown" in output.get("data", {})
    said = ["".join(o["data"]["text/markdown"]) for o in cell["outputs"] if is_text(o)]
    cell["outputs"] = [figure(o) if PLOTLY in o.get("data", {}) else o for o in cell["outputs"] if not is_text(o)]
    return [cell, *(mk_cell(markdown(text, names, module), "markdown") for text in said)]


def only_imports(source):
    "Whether a cell imports and does nothing else."
    return all(re.match(r"(import |from |\s|$|\))", line) for line in source.split("\n"))


def code_cells(cell, module, mods, names):
    "What a code cell becomes: nothing, itself, or API entries followed by their folded source."
    directives = extract_directives(cell)
    cell["source"] = "\n".join(line for line in cell["source"].split("\n") if not re.match(r"#\|", line)).strip()
    hidden = {"hide", "default_exp"} & directives.keys() or directives.get("include:", [""])[0].lower() == "false"
    if hidden or not cell["source"]: return []
    if {"export", "exports", "exporti"} & directives.keys():
        if only_imports(cell["source"]): return []
        return exported_cell(cell, (directives.get("export") or [module])[0], mods, names)
    if re.fullmatch(r"(from nbdev.* import .*\s*)+", cell["source"]): return []
    return shown_cell(cell, directives, module, names)


def source_links(path, module):
    "A line below a page's title: the notebook, its module, and the notebook in Colab."
    place = BLOB + path.relative_to(ROOT).as_posix()
    colab = place.replace("https://github.com", "https://colab.research.google.com/github")
    made = f" · module <code>w2s_nb.{module}</code>" if module else ""
    return (f'<p class="notebook-links">Notebook <a href="{place}">{path.name}</a>{made} · '
            f'<a href="{colab}">open in Colab</a></p>')


def prepare(path, mods, names):
    "Write the page of one notebook into the working folder; return its name."
    nb, page, module = read_nb(path), page_of(path), module_of(path)
    cells = []
    for cell in nb.cells:
        if cell.cell_type == "markdown":
            text = with_list(cell["source"], path.parent)
            cells.append(mk_cell(markdown(text, names, module, path.parent), "markdown"))
        elif cell.cell_type == "code": cells += code_cells(cell, module, mods, names)
    if page != "index":
        below = re.compile(r"\A((?:.*\n)*?>.*(?:\n>.*)*|# .*)")
        cells[0]["source"] = below.sub(lambda m: f"{m[0]}\n\n{source_links(path, module)}", cells[0]["source"], count=1)
    nb["cells"] = cells
    (WORK / page).parent.mkdir(parents=True, exist_ok=True)
    write_nb(nb, WORK / f"{page}.ipynb")
    return page


def module_pages():
    "The page of every module in reading order: {`learning.losses`: `3_learning/30_losses`}."
    return {module: page_of(path) for path in notebooks() if (module := module_of(path))}


def overview(mods, names):
    "A page that lists every exported name with its first sentence; a search leads to the pages themselves."
    lines = ["---", "nosearch: true", "---", "# All names", "",
             "Everything the package exports, module by module in reading order.", ""]
    for module, page in module_pages().items():
        lines += [f"## [w2s_nb.{module}]({page}.ipynb)", "", "| name | what it is |", "| --- | --- |"]
        for name in mods[module].__all__:
            said = api.said(mods[module], name).split("\n")[0].replace("|", "\\|")
            lines.append(f"| `w2s_nb.{module}.{name}` | {said} |")
        lines.append("")
    return re.sub(r"{py:obj}`w2s_nb\.[\w.]+\.", "{py:obj}`", markdown("\n".join(lines), names))


def contents():
    "The table of contents for the front page: the chapters in order, then what belongs to none."
    groups = {readable(folder): [page_of(path) for path in paths] for folder, paths in chapters().items()}
    groups["Reference"] = ["gallery", "names", *project_pages().values()]
    shown = dict(hidden="", maxdepth=1)
    return "\n\n".join(api.directive("toctree", "", dict(caption=caption, **shown), "\n".join(found))
                       for caption, found in groups.items())


def copy_images(images, folder):
    "Copy pictures of the notebooks to the same place below a folder."
    for image in images:
        (folder / image).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(NBS / image, folder / image)


def write_pages():
    "Write everything that Sphinx reads; return the modules, for the checks."
    mods = api.modules()
    pages = {f"w2s_nb.{name}": f"module:{page}" for name, page in module_pages().items()}
    names = api.known_names(mods) | pages
    for path in notebooks(): prepare(path, mods, names)
    for path, page in project_pages().items():
        (WORK / page).parent.mkdir(parents=True, exist_ok=True)
        text = markdown(path.read_text(encoding="utf8"), names, folder=path.parent)
        (WORK / f"{page}.md").write_text(text, encoding="utf8")
    (WORK / "names.md").write_text(overview(mods, names), encoding="utf8")
    (WORK / "gallery.md").write_text(gallery(figure), encoding="utf8")
    front = read_nb(WORK / "index.ipynb")
    front.cells.append(mk_cell(contents(), "markdown"))
    write_nb(front, WORK / "index.ipynb")
    sources = {name: BLOB + place for name, place in api.source_lines(mods).items()}
    (WORK.parent / "sources.json").write_text(json.dumps(sources), encoding="utf8")
    return mods


def copy_libraries():
    "The style, the script, MathJax and plotly, so that a page needs no other host."
    static = WORK / "_static"
    shutil.copytree(HERE / "static", static)
    mathjax = [f for f in files("sphinx-mathjax-offline") if f.name == "tex-svg.js" and f.parent.name == "mathjax"]
    plotly = [f for f in files("plotly") if f.name == "plotly.min.js"]
    for file in (mathjax[0], plotly[0]): shutil.copy(file.locate(), static)


def build():
    "Prepare the pages and run Sphinx; return the modules, for the checks."
    shutil.rmtree(WORK, ignore_errors=True)
    shutil.rmtree(SITE, ignore_errors=True)
    mods = write_pages()
    images = [p.relative_to(NBS) for kind in ("png", "svg", "jpg", "gif") for p in NBS.rglob(f"*.{kind}")]
    copy_images(images, WORK)
    copy_libraries()
    strict = ["-q", "-j", "auto", "-W", "--keep-going"]
    sphinx = [sys.executable, "-m", "sphinx", *strict, "-c", HERE, "-d", WORK.parent / "doctrees", WORK, SITE]
    problems = subprocess.run(sphinx).returncode
    copy_images(images, SITE)  # for <picture> and other HTML of the notebooks
    shutil.copy(HERE / "404.html", SITE)
    llms.write(SITE, mods)
    for leftover in (SITE / "_static").rglob("*.html"): leftover.unlink()  # the theme's own templates
    if problems: sys.exit("Sphinx found the problems above; the site was built as far as it could be.")
    return mods


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="check links, requests, names; status 1 if one is wrong")
    args, start = parser.parse_args(), time.time()
    mods = build()
    pages = len(list(SITE.rglob("*.html")))
    print(f"{pages} pages in {SITE.name}/, {time.time() - start:.0f} s; open {SITE.name}/index.html")
    if args.check: sys.exit(check_site(SITE, mods))


if __name__ == "__main__": main()
