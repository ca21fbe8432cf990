"""Which exported lines do the notebooks execute? Prints a line for each module, then the total.

    python tools/check/covered.py                    # every notebook, as the tests run them
    python tools/check/covered.py --missing          # also the lines that nothing executes
    python tools/check/covered.py nbs/3_learning/30_losses.ipynb

An exported cell is compiled under the file and the lines of the module that it is exported to, so that running the cell
counts for the module. `own` counts only the notebook that a module is made from, `all` every notebook that was run.
Commands that a notebook starts as processes of their own are not counted.
"""
import argparse
import ast
import os
import re
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from chapters import PACKAGE, cells, module_file, module_names, module_of, notebooks, source
from notebooks import run_all, run_one

FOLDER = "NOTEBOOK_COVERAGE_FOLDER"


def exported_cells(path):
    "{source of an exported cell: (module's file, what to add to a line's number)}, from the marks that nbdev leaves."
    starts, places, name = {}, {}, module_of(path)
    if name is None: return places
    module = module_file(name)
    for number, line in enumerate(module.read_text(encoding="utf8").splitlines(), 1):
        if mark := re.match(rf"# %% \S*/{re.escape(path.name)} #(\S+)", line): starts[mark[1]] = number
    for cell in cells(path):
        if cell["cell_type"] != "code" or cell["id"] not in starts: continue
        directives = re.match(r"(#\|.*\n)*", source(cell))[0].count("\n")
        places[source(cell).strip()] = str(module), starts[cell["id"]] - directives
    return places


def run_measured(path):
    "Run one notebook in this process, and store what it executed of the package."
    from coverage import Coverage
    from execnb.shell import CaptureShell
    from IPython.core.compilerop import CachingCompiler
    places = exported_cells(path)

    class ModuleCompiler(CachingCompiler):
        "Compiles an exported cell as the part of the module that it becomes."
        shift = 0

        def cache(self, transformed_code, number=0, raw_code=None):
            name, self.shift = places.get((raw_code or transformed_code).strip(), ("", 0))
            return name or super().cache(transformed_code, number, raw_code)

        def ast_parse(self, source, filename="<unknown>", symbol="exec"):
            return ast.increment_lineno(super().ast_parse(source, filename, symbol), self.shift)

    class MeasuredShell(CaptureShell):
        compiler_class = ModuleCompiler

    measured = Coverage(data_file=f"{os.environ[FOLDER]}/{path.stem}", source=[str(PACKAGE)], config_file=False)
    measured.start()
    try: run_one(path, set(), False, MeasuredShell)
    finally:
        measured.stop()
        measured.save()


def lines(found, module):
    "Statements of a module, and those that were executed."
    _, statements, _, missing, _ = found.analysis2(str(module))
    return set(statements), set(statements) - set(missing)


def report(folder, missing):
    "Print the table of the modules; -> the share of all statements that was executed."
    from coverage import Coverage
    files, counts = sorted(Path(folder).iterdir()), []
    each = {path.name: Coverage(data_file=str(path), config_file=False) for path in files}
    for found in each.values(): found.load()
    print(f"{'module':<26}{'lines':>7}{'own':>8}{'all':>8}")
    makers = {module_of(path): path.stem for path in notebooks()}
    for dotted in module_names():
        module, own = module_file(dotted), makers[dotted]
        statements, run, alone = set(), set(), set()
        for name, found in each.items():
            if str(module) not in found.get_data().measured_files(): continue
            statements, executed = lines(found, module)
            run |= executed
            alone |= executed if name == own else set()
        if not run: continue   # nothing of it was imported by the notebooks that were named
        counts.append((len(statements), len(alone), len(run)))
        print(f"{dotted:<26}{len(statements):>7}{len(alone) / len(statements):>8.1%}{len(run) / len(statements):>8.1%}")
        if missing and statements - run: print("   never executed:", ", ".join(map(str, sorted(statements - run))))
    n, alone, run = (sum(column) for column in zip(*counts))
    print(f"{'total':<26}{n:>7}{alone / n:>8.1%}{run / n:>8.1%}")
    return run / n


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="*", help="notebooks (default: all)")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="notebooks at a time")
    parser.add_argument("--missing", action="store_true", help="list the lines that nothing executes")
    parser.add_argument("--least", type=float, default=0.0, help="exit status 1 below this share, for instance 0.9")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--flags", default="", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.alone: return run_measured(notebooks(args.paths[1:])[0])
    with tempfile.TemporaryDirectory() as folder:
        os.environ[FOLDER] = folder
        failed = run_all(notebooks(args.paths), "test", "", args.workers, __file__)
        share = report(folder, args.missing)
    sys.exit(bool(failed or share < args.least))


if __name__ == "__main__": main()
