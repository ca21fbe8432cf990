"""llms.txt and llms-ctx.txt of the site, for language models that help people with this package (llmstxt.org).

llms.txt lists the pages with their sentences. llms-ctx.txt holds what a helper needs to read: the front page, the
notebooks of the start with what they show, and every name of the package with its parameters.
"""
import inspect
import re
import sys
from html import escape
from pathlib import Path

from execnb.nbio import read_nb
from nbdev.process import extract_directives

import api
from text import project_pages

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from chapters import NBS, PACKAGE, chapters, heading, page_of, readable, settings, source

LINES = 20   # of an output
ABOUT = """w2s_nb is used in Python (`from w2s_nb import sweep, results_table, pgr_table, plot_transfer`) or by commands
(`w2s_sweep`, `w2s_train`, `w2s_table`, `w2s_plot`, `w2s_push`). Without a network, use its built-in models (micro-8k to
micro-171k) and tasks (micro-reviews, micro-grammar, micro-sums). A run is a value, `RunConfig`, whose supervisor is its
`teacher`. Runs are stored in a folder and read instead of trained again."""


def address(page):
    "Where a page of the site is."
    cfg = settings()
    return f"{cfg['doc_host']}{cfg['doc_baseurl']}/{page}.html"


def index():
    "llms.txt: a title, a sentence, and the pages by chapter."
    title, sentence = heading(NBS / "index.ipynb")
    parts = [f"# {title}\n\n> {settings()['description']}. {sentence}\n\n{ABOUT}\n"]
    for folder, paths in chapters().items():
        lines = [f"- [{name}]({address(page_of(path))}): {said}" for path in paths for name, said in [heading(path)]]
        parts.append(f"## {'Optional: ' * folder.startswith('9')}{readable(folder)}\n\n" + "\n".join(lines) + "\n")
    rest = [f"- [{Path(page).name.capitalize()}]({address(page)})" for page in project_pages().values()]
    names = f"- [All names]({address('names')}): every function and class with its first sentence"
    return "\n".join([*parts, "## Reference\n", names, *rest, ""])


def shown(output):
    "The text of an output, cut to some lines; figures and tables of HTML as what they are in plain text."
    text = output.get("text") or output.get("data", {}).get("text/plain", "")
    lines = "".join(text).rstrip().split("\n")
    return "\n".join(lines[:LINES] + (["…"] if len(lines) > LINES else []))


def as_text(path):
    "A notebook as markdown: text, code and what it printed."
    parts = []
    for cell in read_nb(path).cells:
        if cell.cell_type == "markdown": parts.append(source(cell))
        if cell.cell_type != "code" or {"hide", "default_exp"} & extract_directives(cell, remove=False).keys(): continue
        code = "\n".join(line for line in source(cell).split("\n") if not line.startswith("#|")).strip()
        parts.append(f"```python\n{code}\n```")
        parts += [f"```text\n{text}\n```" for output in cell.get("outputs", []) if (text := shown(output))]
    return "\n\n".join(parts)


def root_names(mods):
    "Every name of the package itself as it is defined: signature, sentence, parameters with their comments."
    stub = (PACKAGE / "__init__.pyi").read_text(encoding="utf8")
    for module, name in re.findall(r"^from \.([\w.]+) import (\w+)", stub, re.M):
        made = getattr(mods[module], name)
        if inspect.isfunction(made) or inspect.isclass(made) and made.__module__.startswith("w2s_nb"):
            text = inspect.getsource(made)
            doc = (inspect.getdoc(made) or "").split("\n")[0]
            head = text.split('    "', 1)[0] if inspect.isfunction(made) else f"class {name}{api.signature(made)}:\n"
            yield f'{head.rstrip()}\n    "{doc}"'


def context(mods):
    "llms-ctx.txt."
    title, sentence = heading(NBS / "index.ipynb")
    pages = [NBS / "index.ipynb", *chapters()["0_start"]]
    docs = [f'<doc title="{escape(heading(path)[0])}" desc="{escape(heading(path)[1])}">\n{as_text(path)}\n</doc>'
            for path in pages]
    names = "\n\n".join(root_names(mods))
    docs.append(f'<doc title="Names of the package" desc="from w2s_nb import …">\n```python\n{names}\n```\n</doc>')
    return f'<project title="{title}" summary="{escape(sentence)}">\n{ABOUT}\n\n' + "\n\n".join(docs) + "\n</project>\n"


def write(site, mods):
    "Write both files beside the pages."
    for name, text in {"llms.txt": index(), "llms-ctx.txt": context(mods)}.items():
        (site / name).write_text(text, encoding="utf8")


def without_page(site):
    "The addresses of llms.txt that lead to no page of the site."
    start = address("").removesuffix(".html")
    text = (site / "llms.txt").read_text(encoding="utf8")
    return [found for found in re.findall(r"\]\(([^)]+)\)", text) if not (site / found.removeprefix(start)).is_file()]
