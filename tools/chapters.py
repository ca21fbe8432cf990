"""The chapters and their notebooks, read from the folders. Every tool asks here, so no list of them is kept anywhere.

A chapter is a folder `nbs/N_name` and the package `w2s_nb/name`. The notebook `nbs/N_name/NN_x.ipynb` becomes the
module `w2s_nb/name/x.py` if it exports anything, and the page `N_name/NN_x.html` of the site.
"""
import json
import os
import re
from configparser import ConfigParser
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NBS, PACKAGE = ROOT / "nbs", ROOT / "w2s_nb"


def settings():
    "What settings.ini says."
    found = ConfigParser(delimiters=["="])
    found.read(ROOT / "settings.ini", encoding="utf8")
    return found["DEFAULT"]


def notebooks(paths=()):
    "The named notebooks, or all of them in reading order; the front page comes last."
    found = [Path(p).resolve() for p in paths] or sorted(NBS.rglob("*.ipynb"))
    return [p for p in found if not any(part.startswith((".", "_")) for part in p.relative_to(ROOT).parts)]


def chapters():
    "The notebooks of each chapter in reading order: {`1_data`: [path, …]}."
    found = {}
    for path in notebooks():
        if path.parent != NBS: found.setdefault(path.relative_to(NBS).parts[0], []).append(path)
    return found


def readable(folder):
    "The name of a chapter for a heading: `1_data` -> `Data`."
    return re.sub(r"^\d+_", "", folder).replace("_", " ").capitalize()


def page_of(path):
    "The page of a notebook, which has its name: `3_learning/30_losses`."
    return Path(path).relative_to(NBS).with_suffix("").as_posix()


def place_of(path):
    "The module that a notebook in this place exports, if it exports any: `learning.losses`."
    return ".".join(re.sub(r"^\d+[a-z]?_", "", part) for part in page_of(path).split("/"))


def module_names():
    "Every exported module without the package's name: [`data.runtime`, …]."
    found = [p.relative_to(PACKAGE).with_suffix("") for p in sorted(PACKAGE.rglob("*.py"))]
    return [".".join(p.parts) for p in found if not any(part.startswith("_") for part in p.parts)]


def module_file(name):
    "The file of a module: `data.runtime` -> w2s_nb/data/runtime.py."
    return PACKAGE / (name.replace(".", "/") + ".py")


def source(cell):
    "The text of a stored cell."
    return "".join(cell["source"])


def cells(path):
    "The cells of a notebook as they are stored."
    return json.loads(Path(path).read_text(encoding="utf8"))["cells"]


def module_of(path):
    "The module that a notebook exports, `learning.losses`, or None."
    marks = (re.match(r"#\|\s*default_exp\s+(\S+)", source(cell)) for cell in cells(path))
    return next((mark[1] for mark in marks if mark), None)


def heading(path):
    "Title and `>` sentence of a notebook; the file's name and '' where they are missing."
    text = next((source(cell) for cell in cells(path) if cell["cell_type"] == "markdown"), "")
    title, sentence = re.search(r"^# (.+)", text, re.M), re.search(r"^> .+(?:\n> ?.+)*", text, re.M)
    lines = sentence[0].split("\n") if sentence else []
    return title[1].strip() if title else Path(path).stem, " ".join(line.removeprefix("> ").strip() for line in lines)


LIST = "<!-- list of notebooks: made from the folders by tools/chapters.py -->"


def with_list(text, folder=NBS):
    "A text with the list of notebooks where it has the mark for it, with links as seen from `folder`."
    if LIST not in text: return text
    cfg = settings()
    colab = cfg["git_url"].replace("https://github.com", "https://colab.research.google.com/github")
    blob = f"{colab}/blob/{cfg['branch']}"
    lines = ["| notebook | what you can do after reading it | in Colab |", "| --- | --- | --- |"]
    for folder, paths in chapters().items():
        lines.append(f"| **{readable(folder)}** | | |")
        for path in paths:
            title, sentence = heading(path)
            place, address = os.path.relpath(path, folder), f"{blob}/{path.relative_to(ROOT).as_posix()}"
            lines.append(f"| [{title}]({place}) | {sentence.replace('|', chr(92) + '|')} | [open]({address}) |")
    return text.replace(LIST, "\n".join(lines))
