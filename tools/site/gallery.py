"""A page with every figure of the notebooks, small, each leading to the notebook that explains it."""
import html
import re
import sys
from pathlib import Path

from execnb.nbio import read_nb
from nbdev.process import extract_directives

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from chapters import chapters, heading, page_of, readable

PLOTLY = "application/vnd.plotly.v1+json"
INTRO = """# Gallery

Every figure of the notebooks. Each leads to the page that makes it, with its code and its reading. Most are one call on
a folder of runs: see [Transfer](/6_results/65_transfer.ipynb), [Panels](/6_results/66_panels.ipynb) and
[Figures](/6_results/67_figures.ipynb).
"""


def figures_of(path):
    "The stored outputs of a notebook that are figures; those of hidden cells are left out."
    for cell in read_nb(path).cells:
        if cell.cell_type != "code" or "hide" in extract_directives(cell, remove=False): continue
        yield from (output for output in cell.get("outputs", []) if PLOTLY in output.get("data", {}))


def card(path, output, figure):
    "A small figure under the title of its notebook; all of it is a link."
    drawn = figure(output)["data"]["text/html"].replace('role="group" tabindex="0"', 'role="img"')
    title = html.escape(heading(path)[0])
    return f'<a class="card-figure" href="{page_of(path)}.html"><span>{title}</span>{drawn}</a>'


def gallery(figure):
    "The page as markdown; `figure` turns a stored output into HTML."
    parts = [INTRO]
    for folder, paths in chapters().items():
        cards = [card(path, output, figure) for path in paths for output in figures_of(path)]
        if not cards: continue
        body = re.sub(r"\n\s*\n", "\n", "\n".join(cards))
        parts.append(f"## {readable(folder)}\n\n````{{raw}} html\n<div class=\"gallery\">\n{body}\n</div>\n````\n")
    return "\n".join(parts)
