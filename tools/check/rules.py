"""The rules of the house that can be read off the source: what may import what, no private names across modules, bounded caches,
settings declared once, dependencies declared, clean stored outputs. Each function returns the offences, a line each.

    python tools/check/rules.py     # every rule; exit status 1 if one is broken
"""
import ast
import re
import sys
from functools import lru_cache
from importlib.metadata import packages_distributions
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from chapters import NBS, PACKAGE, ROOT, cells, module_file, module_names, module_of, notebooks, settings, source

STUDIES = 90       # notebooks from this number on may import anything, and so may those of 0_start
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
    return {a.name: node.module for node in tree(PACKAGE / "__init__.pyi").body if isinstance(node, ast.ImportFrom) for a in node.names}


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


def imports_lead_down():
    "A notebook imports only from lower numbers."
    home = {module: path for path in notebooks() if (module := module_of(path))}
    numbered = [path for path in notebooks() if path.parent != NBS]
    twice = {number(p): p for p in numbered}
    for path in numbered:
        if twice[number(path)] != path: yield f"{path.name} and {twice[number(path)].name} have one number"
        if number(path) < 10 or number(path) >= STUDIES: continue
        for id, cell in code_of(path):
            for node in ast.walk(cell):
                for module, _ in imported(node):
                    if module in home and number(home[module]) > number(path):
                        yield f"{path.name} [{id}] imports w2s_nb.{module}, which {home[module].name} makes"


def private_names_stay():
    "No name that begins with an underscore is taken from another module."
    files = [(path, name, [("", tree(path))]) for name in module_names() for path in [module_file(name)]]
    files += [(path, "", [("", tree(path))]) for path in sorted((ROOT / "tools").rglob("*.py"))]
    files += [(path, "", list(code_of(path))) for path in notebooks()]
    for path, name, parts in files:
        modules = {}
        nodes = [(id, node) for id, part in parts for node in ast.walk(part)]
        for id, node in nodes:
            aliases = {a.name: a.asname or a.name for a in getattr(node, "names", []) if isinstance(a, ast.alias)}
            for module, taken in imported(node, name.rpartition(".")[0]):
                if taken and taken.startswith("_"): yield f"{path.relative_to(ROOT)} [{id}] imports {taken} from w2s_nb.{module}"
                if taken is None: modules[aliases.get(module.rpartition(".")[2], aliases.get(f"w2s_nb.{module}"))] = module
        for id, node in nodes:
            if not (isinstance(node, ast.Attribute) and re.match(r"_[^_]", node.attr)): continue
            if (of := ast.unparse(node.value)) in modules: yield f"{path.relative_to(ROOT)} [{id}] uses {of}.{node.attr}"


def caches_are_bounded():
    "No module keeps what it has seen without a limit."
    for name in module_names():
        for node in ast.walk(tree(module_file(name))):
            for mark in getattr(node, "decorator_list", []):
                if re.fullmatch(r"(functools\.)?(cache|lru_cache\((maxsize=)?None\))", ast.unparse(mark)):
                    yield f"w2s_nb.{name}.{node.name} has a cache without a limit"
        for node in tree(module_file(name)).body:
            if not isinstance(node, (ast.Assign, ast.AnnAssign)) or node.value is None: continue
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                empty = re.fullmatch(r"\{\}|\[\]|(dict|list|set|OrderedDict|defaultdict)\([a-z]*\)", ast.unparse(node.value))
                if empty and not ast.unparse(target).isupper(): yield f"w2s_nb.{name}.{ast.unparse(target)} grows without a limit"


def setting_names():
    "The fields of RunConfig."
    sys.path.insert(0, str(ROOT))
    from dataclasses import fields
    from w2s_nb.runs.config import RunConfig
    return {field.name for field in fields(RunConfig)}


def words(node):
    "The names that a collection lists, as strings, as keys or as keywords."
    if isinstance(node, (ast.List, ast.Tuple, ast.Set)): found = node.elts
    elif isinstance(node, ast.Dict): found = node.keys
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "dict": return {k.arg for k in node.keywords}
    elif isinstance(node, ast.Constant) and isinstance(node.value, str): return set(node.value.split())
    else: return set()
    return {e.value for e in found if isinstance(e, ast.Constant)}


def settings_are_declared_once():
    "No list of RunConfig's settings is written a second time."
    names = setting_names()
    for path in [*map(module_file, module_names()), *sorted((ROOT / "tools").rglob("*.py"))]:
        docs = {id(n.body[0].value) for n in ast.walk(tree(path)) if isinstance(n, (ast.FunctionDef, ast.ClassDef, ast.Module))
                and n.body and isinstance(n.body[0], ast.Expr)}
        presets = {id(n) for top in tree(path).body if isinstance(top, (ast.Assign, ast.AnnAssign))
                   and REGISTRIES & {t.id for t in ast.walk(top) if isinstance(t, ast.Name)} for n in ast.walk(top)}
        for node in ast.walk(tree(path)):
            if id(node) in docs | presets: continue
            if len(same := words(node) & names) >= SAME_SETTINGS:
                yield f"{path.relative_to(ROOT)}:{node.lineno} lists settings again: {', '.join(sorted(same))}"


def dependencies_are_declared():
    "Every package that a module imports is in settings.ini, and nothing else is required of a user."
    known, cfg = packages_distributions(), settings()
    canonical = lambda text: re.match(r"[\w.-]+", text)[0].lower().replace("_", "-")
    required = {canonical(r) for r in cfg["requirements"].split()}
    extra = {canonical(r) for key in cfg if key.endswith("_requirements") for r in cfg[key].split()} | {"ipython"}  # a notebook has IPython
    used = set()
    for path in [PACKAGE / "__init__.py", *map(module_file, module_names())]:
        for node in ast.walk(tree(path)):
            tops = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module] if isinstance(node, ast.ImportFrom) and not node.level else []
            for top in {name.split(".")[0] for name in tops} - sys.stdlib_module_names - {"w2s_nb"}:
                names = {canonical(d) for d in known.get(top, [top])}
                used |= names
                if not names & (required | extra): yield f"{path.relative_to(ROOT)} imports {top}, which settings.ini does not declare"
    for name in sorted(required - used - {"torchvision"}): yield f"settings.ini requires {name}, which no module imports"


def outputs_are_clean():
    "Stored outputs hold no addresses in memory, and notebooks no metadata that a run leaves: nbdev_clean changes nothing."
    import copy
    import json
    from nbdev.clean import clean_nb
    for path in notebooks():
        nb = json.loads(path.read_text(encoding="utf8"))
        before = copy.deepcopy(nb)
        clean_nb(nb)
        dirty = [a["id"] for a, b in zip(nb["cells"], before["cells"]) if a != b]
        told = [c["id"] for c in nb["cells"] if re.search(r"\bat 0x[0-9a-f]{6,}", json.dumps(c.get("outputs", [])))]
        if dirty or nb["metadata"] != before["metadata"]: yield f"{path.relative_to(ROOT)} is not clean: {', '.join(dirty) or 'metadata'}; run nbdev_clean"
        if told: yield f"{path.relative_to(ROOT)} stores addresses in memory: {', '.join(told)}"


RULES = [imports_lead_down, private_names_stay, caches_are_bounded, settings_are_declared_once, dependencies_are_declared, outputs_are_clean]


def main():
    "Print every offence, rule by rule; exit status 1 if there is one."
    broken = 0
    for rule in RULES:
        found = list(rule())
        broken += len(found)
        print(f"{'BROKEN' if found else 'kept'}  {rule.__doc__}", *(f"  {line}" for line in found), sep="\n")
    sys.exit(broken > 0)


if __name__ == "__main__": main()
