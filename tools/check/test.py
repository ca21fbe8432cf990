"""The whole test suite: every notebook, and what no notebook can check of itself. Ends with `N passed, N failed`.

    python tools/check/test.py                 # cells flagged slow, cuda or notest are skipped
    python tools/check/test.py --flags slow    # the slow cells too
"""
import argparse
import filecmp
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from chapters import PACKAGE, ROOT, module_names, module_of, notebooks, page_of, settings
from notebooks import run_all

MODULES = module_names()


def output_of(command, **options):
    "'' if the command succeeds, else what it printed."
    done = subprocess.run(command, capture_output=True, text=True, **options)
    return "" if done.returncode == 0 else (done.stdout + done.stderr).strip() or f"exit status {done.returncode}"


def check_ruff():
    "No undefined or unused names in the exported modules and the tools."
    return output_of([sys.executable, "-m", "ruff", "check", "--select", "F,E9,E401", "--output-format", "concise", "w2s_nb", "tools"])


def check_imports():
    "Every module imports in a fresh process of its own, away from the checkout."
    failed = {name: text for name in MODULES if (text := output_of([sys.executable, "-c", f"import w2s_nb.{name}"], cwd=tempfile.gettempdir()))}
    return "\n".join(f"w2s_nb.{name}: {text.splitlines()[-1]}" for name, text in failed.items())


def check_export():
    "Exporting the notebooks again changes no module."
    with tempfile.TemporaryDirectory() as folder:
        for name in ("settings.ini", "setup.py", "pyproject.toml"): shutil.copy(ROOT / name, folder)
        for name in ("nbs", "w2s_nb"): shutil.copytree(ROOT / name, Path(folder) / name, ignore=shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints"))
        problem = output_of([sys.executable, "-c", "from nbdev.doclinks import nbdev_export; nbdev_export()"], cwd=folder)
        files = [p.relative_to(ROOT) for p in sorted(PACKAGE.rglob("*.py"))]
        stale = [str(p) for p in files if not filecmp.cmp(ROOT / p, Path(folder) / p, shallow=False)]
        exported = {module_of(nb): nb.relative_to(ROOT) for nb in notebooks()}
        orphans = [name for name in MODULES if name not in exported]
        strays = [f"{nb} exports {name}, not {page_of(ROOT / nb).replace('/', '.')}" for name, nb in exported.items()
                  if name and name != page_of(ROOT / nb).replace("/", ".")]
        if strays: return "\n".join(strays)
        if orphans: return f"these modules have no notebook: {', '.join(orphans)}"
        return problem or ("" if not stale else f"these modules are not what their notebooks export: {', '.join(stale)}; run nbdev_export")


def check_help():
    "Every command answers --help and knows wrong input by exit status 2."
    commands = [line.split("=")[0].strip() for line in settings()["console_scripts"].split("\n") if line.strip()]
    bin = Path(sys.executable).parent
    problems = []
    for c in commands:
        problems += [text] if (text := output_of([str(bin / c), "--help"])) else []
    wrong = subprocess.run([str(bin / "w2s_train"), "--ds_name", "no-such-dataset"], capture_output=True, text=True)
    if wrong.returncode != 2 or len(wrong.stderr.strip().splitlines()) != 1: problems.append(f"wrong input: status {wrong.returncode}, {wrong.stderr}")
    return "\n".join(problems)


def check_readme():
    "README.md is what nbs/index.ipynb makes, and its links lead somewhere."
    return output_of([sys.executable, str(ROOT / "tools" / "site" / "readme.py"), "--check"])


def check_documentation():
    "Every exported function and class has a docstring, and a comment for each parameter."
    return output_of([sys.executable, str(ROOT / "tools" / "site" / "api.py")])


def check_public_names():
    "What the package itself offers can be imported, and costs nothing before it is used."
    code = "import sys, w2s_nb; assert 'torch' not in sys.modules; [getattr(w2s_nb, name) for name in w2s_nb.__all__]"
    return output_of([sys.executable, "-c", code], cwd=tempfile.gettempdir())


def check_hub():
    "Datasets and models of the hub, from a stand-in for it, and the example of the reference's README."
    return output_of([sys.executable, str(ROOT / "tools" / "check" / "hub.py")])


CHECKS = {"readme": check_readme, "ruff": check_ruff, "fresh imports": check_imports, "export is current": check_export,
          "public names": check_public_names, "documentation": check_documentation, "commands": check_help, "hub": check_hub}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--flags", default="", help="space-separated flags of cells to run that are normally skipped")
    args = parser.parse_args()
    os.chdir(ROOT)
    failed = 0
    for name, check in CHECKS.items():
        problem = check()
        failed += bool(problem)
        print(f"{'FAILED' if problem else 'passed'}  {name}", *([problem] if problem else []), sep="\n", flush=True)
    paths = notebooks()
    failed += run_all(paths, "test", args.flags, os.cpu_count() or 1)
    print(f"{len(paths) + len(CHECKS) - failed} passed, {failed} failed")
    sys.exit(failed > 0)


if __name__ == "__main__": main()
