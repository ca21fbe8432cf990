"""The house in numbers: how much code each chapter exports, and how the lessons read. Nothing is checked, only counted.

    python tools/check/house.py                # the working tree
    python tools/check/house.py --at f5b88d9   # a commit, to compare with
"""
import argparse
import ast
import io
import json
import re
import subprocess
import sys
import tokenize
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from chapters import ROOT

WIDE, LONG = 120, 8   # columns of a line, lines of a lesson's cell
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def files(commit, pattern):
    "The files that git knows, in the working tree or at a commit: {path: text}."
    git = lambda *words: subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    listed = git("ls-tree", "-r", "--name-only", commit) if commit else git("ls-files")
    names = [name for name in listed.split("\n") if re.fullmatch(pattern, name)]
    if commit: return {name: git("show", f"{commit}:{name}") for name in names}
    return {name: (ROOT / name).read_text(encoding="utf8") for name in names if (ROOT / name).exists()}


def semicolons(text):
    "How many statements share a line by a semicolon."
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return sum(token.type == tokenize.OP and token.string == ";" for token in tokens)


def private_imports(text):
    "Names beginning with an underscore that are imported from another module of the package."
    nodes = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom)]
    ours = [node for node in nodes if node.level or (node.module or "").startswith("w2s_nb")]
    return sum(re.match("_[^_]", alias.name) is not None for node in ours for alias in node.names)


def code_counts(text):
    "What is counted of one module."
    lines = text.split("\n")[:-1]
    return dict(
        modules=1,
        lines=len(lines),
        definitions=sum(isinstance(node, DEFINITIONS) for node in ast.walk(ast.parse(text))),
        wide=sum(len(line) > WIDE and not line.startswith("__all__ = ") for line in lines),   # nbdev wraps that one
        semicolons=semicolons(text),
        private=private_imports(text),
        longest=max(len(line) for line in lines if not line.startswith("__all__ = ")),
    )


def visible_cells(cells):
    "The code cells that a reader sees, up to the heading `Checks`: (cell, its lines, whether it is exported)."
    for cell in cells:
        text = "".join(cell["source"])
        if cell["cell_type"] == "markdown" and re.search(r"^## Checks", text, re.M): return
        directives = set(re.findall(r"^#\|\s*(\w+)", text, re.M))
        if cell["cell_type"] != "code" or not text.strip() or directives & {"default_exp", "hide"}: continue
        lines = [line for line in text.split("\n") if line.strip() and not line.startswith("#|")]
        yield cell, lines, bool(directives & {"export", "exports", "exporti"})


def lesson_counts(cells):
    "What is counted of one notebook; `example`: whether one of its first four code cells shows something."
    seen = list(visible_cells(cells))
    lessons = [lines for _, lines, exported in seen if not exported]
    return dict(cells=len(lessons), long=sum(len(lines) > LONG for lines in lessons),
                example=any(cell.get("outputs") for cell, _, _ in seen[:4]))


def print_table(rows, total=True):
    "Rows of equal keys, a name first, as aligned columns."
    if total:
        numbers = [key for key, value in rows[0].items() if isinstance(value, int) and key != "longest"]
        rows = [*rows, dict(rows[0], name="total", longest=max(r.get("longest", 0) for r in rows)) |
                {key: sum(r[key] for r in rows) for key in numbers}]
    print("".join(f"{key:>13}" if i else f"{key:<40}" for i, key in enumerate(rows[0])))
    for row in rows: print("".join(f"{str(v):>13}" if i else f"{v:<40}" for i, v in enumerate(row.values())))
    print()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--at", help="a commit; otherwise the working tree")
    parser.add_argument("--modules", action="store_true", help="a line for each module instead of each chapter")
    args = parser.parse_args()
    code = {}
    for path, text in files(args.at, r"w2s_nb/(?!_)([a-z]\w*/)?[a-z]\w*\.py").items():
        name = path if args.modules or path.count("/") == 1 else path.rpartition("/")[0]
        one = code_counts(text)
        old = code.setdefault(name, dict.fromkeys(one, 0))
        code[name] = {key: max(old[key], n) if key == "longest" else old[key] + n for key, n in one.items()}
    print_table([dict(name=name) | counts for name, counts in code.items()])
    found = files(args.at, r"nbs/.*\.ipynb")
    lessons = {path: lesson_counts(json.loads(text)["cells"]) for path, text in found.items()}
    print_table([dict(name=path) | counts | {"share": f"{counts['long'] / max(1, counts['cells']):.0%}"}
                 for path, counts in lessons.items()], total=False)
    cells, long = (sum(counts[key] for counts in lessons.values()) for key in ("cells", "long"))
    late = [path for path, counts in lessons.items() if counts["cells"] and not counts["example"]]
    print(f"{long} of {cells} lesson cells have more than {LONG} lines ({long / cells:.1%})")
    print(f"{len(lessons) - len(late)} of {len(lessons)} notebooks show something in their first four code cells")


if __name__ == "__main__": main()
