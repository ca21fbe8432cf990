"""The documentation site: notebooks -> pages in _docs, to be read from disk or from any web server, without a network.

    python tools/site/build.py            # build
    python tools/site/build.py --check    # build, then check every link, every request and every exported name

Nothing is executed: the outputs are those stored in the notebooks. Exported cells become API entries with their source folded below.
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
from links import check_site

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from chapters import NBS, ROOT, chapters, module_of, notebooks, page_of, readable, settings, with_list, without_numbers

HERE, WORK, SITE, SETTINGS = Path(__file__).resolve().parent, ROOT / "_proc" / "site", ROOT / "_docs", settings()
PROJECT_PAGES = [page for page in ("contributing", "changelog") if (ROOT / f"{page.upper()}.md").exists()]


def code_outside_fences(text, change):
    "Apply `change` to the lines of a markdown text that are neither fenced code nor headings."
    fence, lines = None, []
    for line in text.split("\n"):
        mark = re.match(r"\s*(`{3,}|~{3,})", line)
        if mark and (fence is None or line.strip().startswith(fence)): fence = mark[1] if fence is None else None
        elif fence is None and not line.startswith("#"): line = change(line)
        lines.append(line)
    return "\n".join(lines)


def markdown(text, names, module=None):
    "Markdown for Sphinx: names in backticks and links between notebooks become links between pages."
    def link_name(match):
        target = names.get(f"w2s_nb.{module}.{match[1]}") or names.get(match[1])
        if target is None: return match[0]
        return f"[{match[0]}](/{target[7:]}.ipynb)" if target.startswith("module:") else f"{{py:obj}}`{match[1]} <{target}>`"

    def change(line):
        first = re.match(r"(\| `\w+` \|)?", line)[0]  # the name of a parameter is no link
        line = first + re.sub(r"(?<![`\[\w}])`([\w.]+)`(?![`\]])", link_name, line[len(first):])
        return re.sub(r"\]\(([\w./-]+)\.ipynb(#[^)]*)?\)", lambda m: f"]({without_numbers(m[1])}.ipynb{(m[2] or '').lower()})", line)

    def leave_nbs(match):
        page = match[1].removesuffix(".md").lower()
        return f"](/{page}.md)" if page in PROJECT_PAGES else f"]({SETTINGS['git_url']}/blob/{SETTINGS['branch']}/{match[1]})"

    text = re.sub(r"\]\((?:\.\./)+([\w./-]+)(?<!\.ipynb)\)", leave_nbs, code_outside_fences(text, change))
    return re.sub(r"<picture>.*?</picture>", two_pictures, text, flags=re.S)


def two_pictures(match):
    "A picture with a variant for dark pages, as two images of which the theme shows one."
    dark = re.search(r'srcset="([^"]+)"', match[0])[1]
    light = re.search(r"<img [^>]+>", match[0])[0]
    return light.replace("<img ", '<img class="only-light" ') + "\n" + re.sub(r'src="[^"]+"', f'src="{dark}"', light).replace("<img ", '<img class="only-dark" ')


def figure(output):
    "A stored plotly figure as HTML that tools/site/static/site.js draws when it comes into view."
    data = output["data"]["application/vnd.plotly.v1+json"]
    titles = [title for key, axis in sorted(data["layout"].items()) if re.match("[xy]axis", key) and (title := axis.get("title", {}).get("text"))]
    title = data["layout"].get("title", {}).get("text") or ", ".join(dict.fromkeys(titles))
    label = html.escape("Interactive figure" + (f": {re.sub('<[^>]+>', ' ', title)}" if title else ""), quote=True)
    body = json.dumps(data, separators=(",", ":")).replace("</", "<\\/")
    return dict(output_type="display_data", metadata={}, data={"text/html": f'<div class="figure-plotly" role="group" tabindex="0" aria-label="{label}">'
                f'<div style="height:{data["layout"].get("height", 450)}px"></div><script type="application/json">{body}</script></div>'})


def tagged(cell, *tags, prompt=None):
    "The cell with tags that myst-nb understands."
    cell["metadata"] = {"tags": list(tags)} | ({"mystnb": {"code_prompt_show": prompt, "code_prompt_hide": prompt}} if prompt else {})
    return cell


def code_cells(cell, module, mods, names):
    "What a code cell becomes: nothing, itself, or API entries followed by their folded source."
    directives = extract_directives(cell)
    cell["source"] = "\n".join(line for line in cell["source"].split("\n") if not re.match(r"#\|", line)).strip()
    flag = lambda name: (directives.get(name + ":") or [""])[0].lower()
    imports = all(re.match(r"(import |from |\s|$|\))", line) for line in cell["source"].split("\n"))
    if {"hide", "default_exp"} & directives.keys() or flag("include") == "false" or not cell["source"]: return []
    cell["outputs"] = [figure(o) if "application/vnd.plotly.v1+json" in o.get("data", {}) else o for o in cell["outputs"]]
    if {"export", "exports", "exporti"} & directives.keys():
        if imports: return []
        mod = mods[(directives.get("export") or [module])[0]]
        public = [name for name in api.defined_names(cell["source"]) if name in mod.__all__]
        entries = "\n\n".join(api.entry(mod, name, cell["source"]) for name in public)
        entries = [mk_cell(markdown(line, names, module), "markdown") for line in [entries] if line]
        short = not any(re.search("py:(function|class|exception)", e["source"]) for e in entries) and cell["source"].count("\n") < 15
        return [*entries, cell if short else tagged(cell, "hide-input", prompt="Source")]
    if imports and re.fullmatch(r"(from nbdev.* import .*\s*)+", cell["source"]): return []
    if imports and not cell["outputs"]: tagged(cell, "hide-input", prompt="Imports")
    if flag("echo") == "false": tagged(cell, "remove-input")
    elif flag("code-fold") == "true": tagged(cell, "hide-input", prompt=" ".join(directives.get("code-summary:", ["Code"])).strip('"'))
    if flag("output") == "false": cell["outputs"] = []
    said = ["".join(o["data"]["text/markdown"]) for o in cell["outputs"] if "text/markdown" in o.get("data", {})]
    cell["outputs"] = [o for o in cell["outputs"] if "text/markdown" not in o.get("data", {})]
    return [cell, *(mk_cell(markdown(text, names, module), "markdown") for text in said)]


def prepare(path, mods, names):
    "Write the page of one notebook into the working folder; return its name."
    nb, page, module = read_nb(path), page_of(path), module_of(path)
    cells = []
    for cell in nb.cells:
        if cell.cell_type == "markdown": cells.append(mk_cell(markdown(with_list(cell["source"]), names, module), "markdown"))
        elif cell.cell_type == "code": cells += code_cells(cell, module, mods, names)
    where = f"{SETTINGS['branch']}/nbs/{path.relative_to(NBS).as_posix()}"
    if page != "index":
        url = SETTINGS["git_url"]
        links = (f'<p class="notebook-links">Notebook <a href="{url}/blob/{where}">{path.name}</a>' + (f" · module <code>w2s_nb.{module}</code>" if module else "") +
                 f' · <a href="{url.replace("https://github.com", "https://colab.research.google.com/github")}/blob/{where}">open in Colab</a></p>')
        cells[0]["source"] = re.sub(r"\A((?:.*\n)*?>.*|# .*)", lambda m: f"{m[0]}\n\n{links}", cells[0]["source"], count=1)
    nb["cells"] = cells
    (WORK / page).parent.mkdir(parents=True, exist_ok=True)
    write_nb(nb, WORK / f"{page}.ipynb")
    return page


def overview(mods, pages, names):
    "A page that lists every exported name with its first sentence."
    lines = ["# All names", "", "Everything the package exports, module by module in reading order.", ""]
    for page in [p for p in pages if p.replace("/", ".") in mods]:
        module = page.replace("/", ".")
        lines += [f"## [w2s_nb.{module}]({page}.ipynb)", "", "| name | what it is |", "| --- | --- |"]
        for name in mods[module].__all__:
            said = api.said(mods[module], name).split("\n")[0].replace("|", "\\|")
            lines.append(f"| `w2s_nb.{module}.{name}` | {said} |")
        lines.append("")
    return re.sub(r"{py:obj}`w2s_nb\.[\w.]+\.", "{py:obj}`", markdown("\n".join(lines), names))


def contents():
    "The table of contents for the front page: the chapters in order, then what belongs to none."
    groups = {readable(folder): [page_of(path) for path in paths] for folder, paths in chapters().items()}
    groups["Reference"] = ["names", *PROJECT_PAGES]
    return "\n\n".join(api.directive("toctree", "", dict(caption=caption, hidden="", maxdepth=1), "\n".join(found))
                       for caption, found in groups.items())


def copy_images(images, folder):
    "Copy pictures of the notebooks to the same place below a folder."
    for image in images:
        (folder / image).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(NBS / image, folder / image)


def build():
    "Prepare the pages and run Sphinx; return the modules, for the checks."
    shutil.rmtree(WORK, ignore_errors=True); shutil.rmtree(SITE, ignore_errors=True)
    mods = api.modules()
    names = api.known_names(mods) | {f"w2s_nb.{page_of(p).replace('/', '.')}": f"module:{page_of(p)}" for p in notebooks()}
    pages = [prepare(path, mods, names) for path in notebooks()]
    images = [p.relative_to(NBS) for kind in ("png", "svg", "jpg", "gif") for p in NBS.rglob(f"*.{kind}")]
    copy_images(images, WORK)
    for page in PROJECT_PAGES: (WORK / f"{page}.md").write_text(markdown((ROOT / f"{page.upper()}.md").read_text(encoding="utf8"), names), encoding="utf8")
    (WORK / "names.md").write_text(overview(mods, pages, names), encoding="utf8")
    front = read_nb(WORK / "index.ipynb")
    front.cells.append(mk_cell(contents(), "markdown"))
    write_nb(front, WORK / "index.ipynb")
    blob = f"{SETTINGS['git_url']}/blob/{SETTINGS['branch']}/"
    (WORK.parent / "sources.json").write_text(json.dumps({name: blob + place for name, place in api.source_lines(mods).items()}), encoding="utf8")
    static = WORK / "_static"
    shutil.copytree(HERE / "static", static)
    mathjax = next(f for f in files("sphinx-mathjax-offline") if f.name == "tex-svg.js" and f.parent.name == "mathjax")
    for file in (mathjax.locate(), next(f for f in files("plotly") if f.name == "plotly.min.js").locate()): shutil.copy(file, static)
    done = subprocess.run([sys.executable, "-m", "sphinx", "-q", "-j", "auto", "-W", "--keep-going", "-c", HERE, "-d", WORK.parent / "doctrees", WORK, SITE])
    if done.returncode: sys.exit("Sphinx found the problems above; the site was built as far as it could be.")
    copy_images(images, SITE)  # for <picture> and other HTML of the notebooks
    for leftover in (SITE / "_static").rglob("*.html"): leftover.unlink()  # the theme's own templates
    return mods


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="check the links, requests and names of the site; exit status 1 if one is wrong")
    args, start = parser.parse_args(), time.time()
    mods = build()
    print(f"{len(list(SITE.rglob('*.html')))} pages in {SITE.name}/, {time.time() - start:.0f} s; open {SITE.name}/index.html")
    if args.check: sys.exit(check_site(SITE, mods))


if __name__ == "__main__": main()
