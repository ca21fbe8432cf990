"""API entries of the site, as MyST markdown: signature, docstring and parameters of what a notebook exports."""
import ast
import dataclasses
import functools
import importlib
import importlib.util
import inspect
import re
import sys
from pathlib import Path

from fastcore.docments import docments

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from chapters import ROOT, module_names

sys.path.insert(0, str(ROOT))


def modules():
    "Every exported module, imported: {`learning.losses`: module}."
    return {name: importlib.import_module(f"w2s_nb.{name}") for name in module_names()}


@functools.cache
def imported(module):
    "The names that a module takes from its siblings: {name: full name of the sibling}."
    found = {}
    for node in ast.parse(inspect.getsource(module)).body:
        if not (isinstance(node, ast.ImportFrom) and node.level and node.module): continue
        sibling = importlib.util.resolve_name("." * node.level + node.module, module.__package__)
        found |= {a.asname or a.name: sibling for a in node.names}
    return found


def home(module, name):
    "The full name under which a module's name is documented: that of the module that defines it."
    return f"{imported(module).get(name, module.__name__)}.{name}"


def known_names(mods):
    "What a word in backticks may be linked to: {name: full name}; a short name that two modules use is left out."
    full = {f"w2s_nb.{m}.{name}": home(mod, name) for m, mod in mods.items() for name in mod.__all__}
    short = {}
    for target in dict.fromkeys(full.values()): short.setdefault(target.rsplit(".", 1)[1], []).append(target)
    return full | {name: targets[0] for name, targets in short.items() if len(targets) == 1}


def defined_names(source):
    "Public names that a cell defines at its top level."
    names = []
    for node in ast.parse(source).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)): names.append(node.name)
        elif isinstance(node, ast.Assign):
            inner = [n for target in node.targets for n in ast.walk(target)]
            names += [n.id for n in inner if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name): names.append(node.target.id)
    return list(dict.fromkeys(n for n in names if not n.startswith("_")))


def signature(obj, shorten=8):
    "`(a, b=1, …)`: names and plain defaults, `shorten` of them at most; the table has the rest and the types."
    try: params = [p for p in inspect.signature(obj).parameters.values() if p.name != "self"]
    except (TypeError, ValueError): return "()"
    marks = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    parts, starred = [], False
    for p in params:
        starred |= p.kind is p.VAR_POSITIONAL
        if p.kind is p.KEYWORD_ONLY and not starred:
            parts.append("*")
            starred = True
        plain = isinstance(p.default, (str, int, float, bool, tuple, type(None)))
        default = f"={repr(p.default) if plain else '…'}"
        parts.append(marks.get(p.kind, "") + p.name + ("" if p.default is p.empty else default))
    return "(" + ", ".join(parts if len(parts) <= shorten + 2 else [*parts[:shorten], "…"]) + ")"


def type_name(anno):
    "An annotation as the reader would write it."
    if anno in (None, type(None), inspect.Parameter.empty): return ""
    text = anno if isinstance(anno, str) else inspect.formatannotation(anno)
    return re.sub(r"\b(?:\w+\.)+(?=\w)", "", text).strip("'")


def declaring(cls, name):
    "The class of a dataclass's family that declares a field."
    return next((c for c in cls.__mro__ if name in vars(c).get("__annotations__", {})), cls)


def parameters(obj):
    "What a caller may pass: [(name, type, default, meaning)], from the comments beside the parameters."
    empty = inspect.Parameter.empty
    if getattr(obj, "_is_protocol", False): return []
    try: names = [n for n in inspect.signature(obj).parameters if n != "self"]
    except (TypeError, ValueError): return []
    owners = {n: declaring(obj, n) if dataclasses.is_dataclass(obj) else obj for n in names}
    docs = {owner: docments(owner, full=True, args_kwargs=True) for owner in dict.fromkeys(owners.values())}
    rows = []
    for name in names:
        doc = docs[owners[name]].get(name) or {}
        default = doc.get("default", empty)
        shown = "" if default is empty else repr(default) if not repr(default).startswith("<") else "made anew"
        meaning = doc.get("docment") if isinstance(doc.get("docment"), str) else ""
        rows.append((name, type_name(doc.get("anno", empty)), shown, meaning))
    return rows


def with_owners(obj, rows):
    "The rows of a dataclass that inherits fields, with a line above those of each class that declares some."
    if not dataclasses.is_dataclass(obj): return rows
    found, last = [], obj
    for row in rows:
        owner = declaring(obj, row[0].strip("`"))
        if owner is not last: found.append((f"**`{owner.__name__}`**", "", "", first_line(owner)))
        found.append(row)
        last = owner
    return found


def first_line(obj):
    "The first line of a docstring."
    return (inspect.getdoc(obj) or "").split("\n")[0]


def table(obj):
    "The parameters and the returned value as a markdown table; columns that are empty are left out."
    rows = [(f"`{n}`", t and f"`{t}`", d and f"`{d}`", meaning) for n, t, d, meaning in parameters(obj)]
    rows = with_owners(obj, rows)
    returns = {} if inspect.isclass(obj) else docments(obj, full=True).get("return") or {}
    what, kind = returns.get("docment"), type_name(returns.get("anno"))
    if isinstance(what, str) or kind not in ("", "None"):
        rows.append(("*returns*", kind and f"`{kind}`", "", what if isinstance(what, str) else ""))
    head = ("parameter", "type", "default", "meaning")
    used = [i for i in range(4) if any(row[i] for row in rows)]
    if not any(row[i] for row in rows for i in (1, 2, 3)): return ""
    lines = [head, ("---",) * 4, *rows]
    return "\n".join("| " + " | ".join(line[i].replace("|", "\\|") for i in used) + " |" for line in lines)


def directive(kind, argument, options, body):
    "A MyST directive between colons; its fence is longer than any within."
    fence = ":" * (max([2, *map(len, re.findall(r"^:{3,}", body, re.M))]) + 1)
    return "\n".join([f"{fence}{{{kind}}} {argument}", *(f":{k}: {v}" for k, v in options.items()), "", body, fence])


def members(cls):
    "Entries of the methods and properties that a class defines itself."
    found = []
    for name, value in vars(cls).items():
        if name.startswith("_"): continue
        if isinstance(value, property): found.append(directive("py:property", name, {}, inspect.getdoc(value) or ""))
        elif isinstance(value, (staticmethod, classmethod)) or inspect.isfunction(value):
            function = getattr(cls, name)
            found.append(directive("py:method", name + signature(function), {}, described(function)))
    return "\n\n".join(found)


def described(obj):
    "Docstring, then table."
    return f"{inspect.getdoc(obj) or ''}\n\n{table(obj)}".strip()


def constant_comment(source, name):
    "The comment above or beside a constant."
    beside = re.search(rf"^{name}\b.*\S  # (.+)$", source, re.M)
    above = re.search(rf"((?:^#:? (?!%%).*\n)+){name}\b", source, re.M)
    return beside[1] if beside else " ".join(line.lstrip("#: ") for line in above[1].splitlines()) if above else ""


def said(module, name):
    "What an exported name is: its docstring, or a constant's comment."
    obj = getattr(module, name)
    if not (inspect.isclass(obj) or inspect.isfunction(obj) or hasattr(obj, "__wrapped__")):
        keys = f"Keys: {', '.join(f'`{key}`' for key in obj)}." if isinstance(obj, dict) and 0 < len(obj) <= 20 else ""
        return constant_comment(inspect.getsource(module), name) or keys
    known = inspect.getdoc(obj) or ""
    return "" if known.startswith(f"{name}(") else known  # a dataclass without a docstring has its signature there


def entry(module, name, source):
    "The entry of one exported name."
    obj, options = getattr(module, name), {"module": module.__name__}
    if inspect.isclass(obj):
        kind = "py:exception" if issubclass(obj, BaseException) else "py:class"
        body = "\n\n".join(filter(None, [said(module, name), table(obj), members(obj)]))
        return directive(kind, name + ("" if kind == "py:exception" else signature(obj)), options, body)
    if inspect.isfunction(obj) or f"def {name}(" in source:
        return directive("py:function", name + signature(obj), options, described(obj))
    return directive("py:data", name, options, said(module, name))


def source_lines(mods):
    "Where everything is written: {full name: \"w2s_nb/learning/losses.py#L42\"}, methods included."
    found = {}
    for module in mods.values():
        objects = {name: getattr(module, name) for name in module.__all__}
        for name, cls in [pair for pair in objects.items() if inspect.isclass(pair[1])]:
            objects |= {f"{name}.{k}": v for k, v in vars(cls).items() if k[0] != "_"}
        for name, obj in objects.items():
            obj = obj.fget if isinstance(obj, property) else getattr(obj, "__func__", obj)
            try: line = inspect.getsourcelines(inspect.unwrap(obj))[1]
            except (TypeError, OSError): continue  # a constant
            found[f"{module.__name__}.{name}"] = f"{module.__name__.replace('.', '/')}.py#L{line}"
    return found


def undocumented(mods):
    "Exported functions and classes without a docstring, and parameters without a comment."
    missing = []
    for module in mods.values():
        for name in module.__all__:
            obj = getattr(module, name)
            if not (inspect.isfunction(obj) or inspect.isclass(obj)): continue
            if getattr(obj, "__module__", "") != module.__name__: continue
            full = f"{module.__name__}.{name}"
            if not said(module, name): missing.append(f"{full}: no docstring")
            missing += [f"{full}: parameter {p} has no comment" for p, _, _, meaning in parameters(obj) if not meaning]
    return missing


def main():
    "Print what has no docstring or comment; exit status 1 if anything has none."
    missing = undocumented(modules())
    print(*missing, sep="\n")
    sys.exit(bool(missing))


if __name__ == "__main__": main()
