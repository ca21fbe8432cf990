"""The rules of the house that can be read off the source. Each function yields the offences, a line each.

    python tools/check/rules.py     # every rule; exit status 1 if one is broken
"""
import ast
import copy
import json
import re
import sys
from functools import lru_cache
from importlib.metadata import packages_distributions
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from chapters import (NBS, PACKAGE, ROOT, cells, heading, module_file, module_names, module_of, notebooks, settings,
                      source)
from house import lesson_counts

STUDIES = 80       # notebooks from this number on are studies: they may import anything, as may 0_start
IDENTITY = {"task", "model", "teacher", "train_half", "seed", "loss", "tune"}  # a table's key has these
SOURCES = (".py", ".ipynb")
SHARE = 0.05       # of lesson cells may be long
WIDE = 120         # columns of a line
LONG = 45          # lines of an exported cell
SAME_SETTINGS = 7  # so many names of settings in one collection are a second list of them
REGISTRIES = {"PRESETS"}  # values of settings by name, which is what a preset is


@lru_cache(maxsize=512)
def tree(path):
    "A Python file, parsed."
    return ast.parse(Path(path).read_text(encoding="utf8"))


@lru_cache(maxsize=1)
def all_modules():
    "Every exported module."
    return set(module_names())


def code_of(path):
    "The code cells of a notebook as (id, parsed); lines for the shell are left out."
    for cell in cells(path):
        if cell["cell_type"] != "code": continue
        text = "\n".join("" if re.match(r"\s*[!%]", line) else line for line in source(cell).split("\n"))
        yield cell.get("id", "?"), ast.parse(text)


@lru_cache(maxsize=1)
def root_names():
    "Where each name of the package itself comes from: {`RunConfig`: `runs.config`}, as the stub says."
    nodes = [node for node in tree(PACKAGE / "__init__.pyi").body if isinstance(node, ast.ImportFrom)]
    return {a.name: node.module for node in nodes for a in node.names}


def imported(node, package=""):
    "Modules and names that one import statement takes from the package: [(`runs.config`, `RunConfig` or None)]."
    if not isinstance(node, (ast.Import, ast.ImportFrom)): return []
    known, roots = all_modules(), root_names()
    if isinstance(node, ast.Import):
        return [(a.name.removeprefix("w2s_nb."), None) for a in node.names if a.name.removeprefix("w2s_nb.") in known]
    name = node.module or ""
    if node.level: name = ".".join(["w2s_nb", *package.split(".")][:-node.level + 1 or None] + [name]).strip(".")
    if name.split(".")[0] != "w2s_nb": return []
    inner, found = name.removeprefix("w2s_nb").strip("."), []
    for alias in node.names:
        whole = f"{inner}.{alias.name}".strip(".")
        if whole in known: found.append((whole, None))
        elif not inner and alias.name in roots: found.append((roots[alias.name], alias.name))
        elif inner in known: found.append((inner, alias.name))
    return found


def number(path):
    "A notebook's number."
    return int(re.match(r"\d+", Path(path).name)[0])


MEASURED = re.compile(r"(?<![\w.$/^_{])(\d+\.\d+)(?![\w.])|(\d+) ?(?:%|percent)")
LEVEL = "95"       # of every interval: no measurement


def numbers_in_readings_are_checked():
    """A decimal or a percentage in a study's reading is also a number in an `assert` of the same notebook, which
    compares it with its table: prose cannot outlive the numbers it was written from."""
    for path in notebooks():
        if path.parent == NBS or number(path) < STUDIES: continue
        checked = {round(abs(float(n.value)), 9) for _, code in code_of(path) for node in ast.walk(code)
                   if isinstance(node, ast.Assert) for n in ast.walk(node)
                   if isinstance(n, ast.Constant) and type(n.value) in (int, float)}
        for cell in cells(path):
            for text in readings(cell):
                for whole, percent in MEASURED.findall(text):
                    said = {round(float(whole or percent), 9), round(float(whole or percent) / 100, 9)}
                    if percent != LEVEL and not said & checked:
                        where = f"{path.relative_to(ROOT)} [{cell.get('id', '?')}]"
                        yield f"{where}: {whole or percent + ' %'} is in no assert of the notebook"


def readings(cell):
    "The paragraphs of a cell's reading, up to the next heading or claim."
    if cell["cell_type"] != "markdown" or "**Reading.**" not in source(cell): return
    for text in source(cell).partition("**Reading.**")[2].split("\n\n"):
        if re.match(r"#|\*\*|\||```|<", text.strip()): return
        yield re.sub(r"\]\([^)]*\)|arXiv \S+", "", text)


def lessons_are_short():
    "One lesson cell in twenty may have more than eight lines; the first four cells show something."
    counts = {path: lesson_counts(cells(path)) for path in notebooks()}
    long, total = (sum(found[key] for found in counts.values()) for key in ("long", "cells"))
    if long > SHARE * total: yield f"{long} of {total} lesson cells have more than eight lines"
    for path, found in counts.items():
        if not found["example"]: yield f"{path.relative_to(ROOT)} shows nothing in its first four code cells"


def imports_lead_down():
    "A notebook imports only from lower numbers."
    home = {module: path for path in notebooks() if (module := module_of(path))}
    numbered = [path for path in notebooks() if path.parent != NBS]
    owner = {}
    for path in numbered:
        other = owner.setdefault(number(path), path)
        if other != path: yield f"{other.name} and {path.name} share a number"
        if number(path) < 10 or number(path) >= STUDIES: continue
        for id, cell in code_of(path):
            taken = {module for node in ast.walk(cell) for module, _ in imported(node) if module in home}
            for source_of in sorted({home[module] for module in taken}):
                if number(source_of) > number(path): yield f"{path.name} [{id}] imports from {source_of.name}"


def notebooks_introduce_themselves():
    "A notebook begins with a title and a `>` sentence that says what its reader can do afterwards."
    for path in notebooks():
        if not heading(path)[1]: yield f"{path.relative_to(ROOT)}: begin with `# Title` and `> One sentence.`"


def sources():
    "Everything that may import from the package: (path, its module's name or '', [(cell, parsed)])."
    for name in module_names(): yield module_file(name), name, [("", tree(module_file(name)))]
    for path in sorted((ROOT / "tools").rglob("*.py")): yield path, "", [("", tree(path))]
    for path in notebooks(): yield path, "", list(code_of(path))


def names_of(node, module):
    "Under which names an import statement makes a module known."
    return {a.asname or a.name for a in node.names if a.name.split(".")[-1] == module.split(".")[-1]}


def private_names_stay():
    "No name that begins with an underscore is taken from another module."
    for path, name, parts in sources():
        place, modules = path.relative_to(ROOT), set()
        nodes = [(id, node) for id, part in parts for node in ast.walk(part)]
        for id, node in nodes:
            for module, taken in imported(node, name.rpartition(".")[0]):
                if taken is None: modules |= names_of(node, module)
                elif taken.startswith("_"): yield f"{place} [{id}] imports {taken} from {module}"
        for id, node in nodes:
            if not (isinstance(node, ast.Attribute) and re.match(r"_[^_]", node.attr)): continue
            if (of := ast.unparse(node.value)) in modules: yield f"{place} [{id}] uses {of}.{node.attr}"


EMPTY = r"\{\}|\[\]|(dict|list|set|OrderedDict|defaultdict)\([a-z]*\)"


def lines_are_short():
    "No line of code has more than 120 columns; only nbdev writes the first line of `__all__` a little wider."
    for path in [*map(module_file, module_names()), *sorted((ROOT / "tools").rglob("*.py"))]:
        for number, line in enumerate(path.read_text(encoding="utf8").split("\n"), 1):
            if len(line) > WIDE and not line.startswith("__all__ = "): yield f"{path.relative_to(ROOT)}:{number}"
    for path in notebooks():
        for cell in cells(path):
            wide = [line for line in source(cell).split("\n") if len(line) > WIDE]
            if cell["cell_type"] == "code" and wide: yield f"{path.relative_to(ROOT)} [{cell['id']}]: {wide[0][:60]} …"


def exported_cells_are_short():
    "An exported cell has at most 45 lines, except for a single definition."
    for path in notebooks():
        for cell in cells(path):
            text = source(cell)
            if not text.startswith("#| export") or text.count("\n") < LONG: continue
            if len(ast.parse(text).body) > 1: yield f"{path.relative_to(ROOT)} [{cell['id']}]"


def links_lead_to_files():
    "A link to a file of the repository leads to one that is there."
    pages = [(path, path.read_text(encoding="utf8")) for path in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]]
    pages += [(path, "\n".join(source(c) for c in cells(path) if c["cell_type"] == "markdown")) for path in notebooks()]
    for path, text in pages:
        text = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
        for link in sorted(set(re.findall(r"\]\(([\w./-]+\.\w+)(?:#[^)]*)?\)", text))):
            if not (path.parent / link).exists(): yield f"{path.relative_to(ROOT)} links to {link}"


def variables_are_listed():
    "The table of CONTRIBUTING.md has every environment variable of the package, the notebooks and the tools."
    found = [path for place in ("nbs", "w2s_nb", "tools") for path in (ROOT / place).rglob("*")]
    files = [path for path in found if path.suffix in SOURCES and ".ipynb_checkpoints" not in path.parts]
    found = {name for path in files for name in re.findall(r"\bW2S_[A-Z_]+", path.read_text(encoding="utf8"))}
    listed = set(re.findall(r"^\| `(W2S_\w+)` \|", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf8"), re.M))
    for name in sorted(found - listed): yield f"CONTRIBUTING.md does not list {name}"
    for name in sorted(listed - found): yield f"CONTRIBUTING.md lists {name}, which nothing reads"


def caches_are_bounded():
    "No module keeps what it has seen without a limit."
    for name in module_names():
        for node in ast.walk(tree(module_file(name))):
            for mark in getattr(node, "decorator_list", []):
                if re.fullmatch(r"(functools\.)?(cache|lru_cache\((maxsize=)?None\))", ast.unparse(mark)):
                    yield f"w2s_nb.{name}.{node.name} has a cache without a limit"
        for node in tree(module_file(name)).body:
            if not isinstance(node, (ast.Assign, ast.AnnAssign)) or node.value is None: continue
            empty = re.fullmatch(EMPTY, ast.unparse(node.value))
            for target in map(ast.unparse, node.targets if isinstance(node, ast.Assign) else [node.target]):
                if empty and not target.isupper(): yield f"w2s_nb.{name}.{target} grows without a limit"


def setting_names():
    "The settings that the stages declare, which RunConfig inherits."
    sys.path.insert(0, str(ROOT))
    from dataclasses import fields
    from w2s_nb.runs.config import RunConfig
    return {field.name for field in fields(RunConfig)} - IDENTITY


def words(node):
    "The names that a collection lists, as strings, as keys or as keywords."
    if isinstance(node, (ast.List, ast.Tuple, ast.Set)): found = node.elts
    elif isinstance(node, ast.Dict): found = node.keys
    elif isinstance(node, ast.Call) and ast.unparse(node.func) == "dict": return {k.arg for k in node.keywords}
    elif isinstance(node, ast.Constant) and isinstance(node.value, str): return set(node.value.split())
    else: return set()
    return {e.value for e in found if isinstance(e, ast.Constant)}


def parts_to_read(module):
    "The nodes of a module without its docstrings and its presets."
    passed = set()
    for node in ast.walk(module):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr): passed |= {id(body[0].value)}
    for top in module.body:
        if not isinstance(top, (ast.Assign, ast.AnnAssign)): continue
        inner = list(ast.walk(top))
        if REGISTRIES & {n.id for n in inner if isinstance(n, ast.Name)}: passed |= set(map(id, inner))
    return [node for node in ast.walk(module) if id(node) not in passed]


def settings_are_declared_once():
    "No list of RunConfig's settings is written a second time."
    names = setting_names()
    for path in [*map(module_file, module_names()), *sorted((ROOT / "tools").rglob("*.py"))]:
        for node in parts_to_read(tree(path)):
            if len(same := words(node) & names) >= SAME_SETTINGS:
                yield f"{path.relative_to(ROOT)}:{node.lineno} lists settings again: {', '.join(sorted(same))}"


def imported_packages(path):
    "The packages of others that a module imports."
    found = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import): found |= {a.name.split(".")[0] for a in node.names}
        if isinstance(node, ast.ImportFrom) and not node.level: found.add(node.module.split(".")[0])
    return sorted(found - sys.stdlib_module_names - {"w2s_nb"})


def dependencies_are_declared():
    "Every package that a module imports is in settings.ini, and nothing else is required of a user."
    known, cfg, used = packages_distributions(), settings(), set()
    canonical = lambda text: re.match(r"[\w.-]+", text.strip("\"'"))[0].lower().replace("_", "-")
    required = {canonical(r) for r in cfg["requirements"].split()}
    optional = {canonical(r) for key in cfg if key.endswith("_requirements") for r in cfg[key].split()}
    optional.add("ipython")  # a notebook has it
    for path in [PACKAGE / "__init__.py", *map(module_file, module_names())]:
        for package in imported_packages(path):
            names = {canonical(d) for d in known.get(package, [package])}
            used |= names
            if not names & (required | optional): yield f"{path.relative_to(ROOT)} imports {package}: not declared"
    for name in sorted(required - used): yield f"settings.ini requires {name}, which no module imports"


def outputs_are_clean():
    "Stored outputs hold no addresses in memory, and nbdev_clean changes nothing."
    from nbdev.clean import clean_nb
    for path in notebooks():
        place, before = path.relative_to(ROOT), json.loads(path.read_text(encoding="utf8"))
        after = copy.deepcopy(before)
        clean_nb(after)
        dirty = [a["id"] for a, b in zip(after["cells"], before["cells"]) if a != b]
        told = [c["id"] for c in before["cells"] if re.search(r"\b0x[0-9a-f]{6,}", json.dumps(c.get("outputs", [])))]
        if dirty or after["metadata"] != before["metadata"]: yield f"{place} is not clean: run nbdev_clean ({dirty})"
        if told: yield f"{place} stores addresses in memory: {', '.join(told)}"


RULES = [notebooks_introduce_themselves, lessons_are_short, imports_lead_down, private_names_stay, lines_are_short,
         exported_cells_are_short, links_lead_to_files, variables_are_listed, caches_are_bounded,
         settings_are_declared_once, dependencies_are_declared, outputs_are_clean, numbers_in_readings_are_checked]


def main():
    "Print every offence, rule by rule; exit status 1 if there is one."
    broken = 0
    for rule in RULES:
        found = list(rule())
        broken += len(found)
        print(f"{'BROKEN' if found else 'kept'}  {rule.__doc__}", *(f"  {line}" for line in found), sep="\n")
    sys.exit(broken > 0)


if __name__ == "__main__": main()
