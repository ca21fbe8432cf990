"""The whole test suite: every notebook, and what no notebook can check of itself. Ends with `N passed, N failed`.

    python tools/check/test.py                 # cells flagged slow, cuda or notest are skipped
    python tools/check/test.py --flags slow    # the slow cells too
    python tools/check/test.py ruff readme     # only these checks, and no notebook
"""
import argparse
import filecmp
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from chapters import PACKAGE, ROOT, module_names, module_of, notebooks, place_of, settings
from notebooks import run_all
from rules import RULES

TOOLS, CPUS = ROOT / "tools", os.cpu_count() or 1
HEAVY = ("transformers", "timm", "torchvision")  # what tables and figures need not load
SOURCE = ("settings.ini", "setup.py", "pyproject.toml")
PACKED = (*SOURCE, "MANIFEST.in", "README.md", "LICENSE", "CITATION.cff")
INSTALLED = """import sys, warnings; warnings.simplefilter("ignore")
import w2s_nb
from w2s_nb import MICRO_LADDER, RunConfig, predict, train_run
assert w2s_nb.__file__.startswith(sys.argv[1]), w2s_nb.__file__
assert all(getattr(w2s_nb, name) for name in w2s_nb.__all__)
run = train_run(RunConfig("micro-grammar", next(iter(MICRO_LADDER)), n_docs=200, n_test_docs=100), "results")
assert len(predict(run, ["the soup was good"])) == 1
"""
LITTER = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints")


def output_of(*command, **options):
    "'' if a Python program succeeds, else what it printed."
    done = subprocess.run([sys.executable, *map(str, command)], capture_output=True, text=True, **options)
    return "" if done.returncode == 0 else (done.stdout + done.stderr).strip() or f"exit status {done.returncode}"


def elsewhere(code):
    "What a line of Python prints if it fails, in a process of its own, away from the checkout."
    return output_of("-c", code, cwd=tempfile.gettempdir())


def check_ruff():
    "No undefined or unused names and one statement a line, in modules, notebooks and tools."
    return output_of("-m", "ruff", "check", "--output-format", "concise")


def check_rules():
    "The rules of the house that can be read off the source."
    return "\n".join(f"{rule.__name__}: {line}" for rule in RULES for line in rule())


def check_imports():
    "Every module can be imported first."
    names = module_names()
    with ThreadPoolExecutor(CPUS) as pool: said = pool.map(lambda name: elsewhere(f"import w2s_nb.{name}"), names)
    return "\n".join(f"w2s_nb.{name}: {text.splitlines()[-1]}" for name, text in zip(names, said) if text)


def check_light_imports():
    "The package costs nothing before it is used, and tables and figures load no training stack."
    results = ", ".join(f"w2s_nb.{name}" for name in module_names() if name.startswith("results."))
    names = elsewhere("import sys, w2s_nb; assert 'torch' not in sys.modules; "
                      "[getattr(w2s_nb, name) for name in w2s_nb.__all__]")
    light = elsewhere(f"import sys, {results}; found = set({HEAVY}) & set(sys.modules); assert not found, found")
    return "\n".join(filter(None, [names, light]))


def check_export():
    "Exporting the notebooks again changes no module, and a module lies where its notebook does."
    exported = {module_of(path): path for path in notebooks()}
    problems = [f"w2s_nb.{name} has no notebook" for name in module_names() if name not in exported]
    for name, path in exported.items():
        place = place_of(path)
        if name and name != place: problems.append(f"{path.relative_to(ROOT)} exports {name}, not {place}")
    with tempfile.TemporaryDirectory() as folder:
        for name in SOURCE: shutil.copy(ROOT / name, folder)
        for name in ("nbs", "w2s_nb"): shutil.copytree(ROOT / name, Path(folder) / name, ignore=LITTER)
        problems.append(output_of("-c", "from nbdev.doclinks import nbdev_export; nbdev_export()", cwd=folder))
        for path in sorted(PACKAGE.rglob("*.py")):
            place = path.relative_to(ROOT)
            if not filecmp.cmp(path, Path(folder) / place, shallow=False):
                problems.append(f"{place} is not what its notebook exports; run nbdev_export")
    return "\n".join(filter(None, problems))


def check_commands():
    "Every command answers --help, and wrong input ends in one line and exit status 2."
    commands = [line.split("=")[0].strip() for line in settings()["console_scripts"].split("\n") if line.strip()]
    folder = Path(sys.executable).parent
    run = lambda name, *options: subprocess.run([folder / name, *options], capture_output=True, text=True)
    problems = [f"{c}: {done.stderr}" for c in commands if (done := run(c, "--help")).returncode]
    wrong = run("w2s_train", "--ds_name", "no-such-dataset")
    if wrong.returncode != 2 or len(wrong.stderr.strip().splitlines()) != 1:
        problems.append(f"wrong input: status {wrong.returncode}, {wrong.stderr}")
    return "\n".join(problems)


def check_package():
    "An sdist is built, a wheel from it, and the wheel alone, elsewhere, imports every name, trains and predicts."
    with tempfile.TemporaryDirectory() as folder:
        source, home = Path(folder) / "source", Path(folder).resolve() / "installed"
        shutil.copytree(PACKAGE, source / PACKAGE.name, ignore=LITTER)
        for name in PACKED: shutil.copy(ROOT / name, source)
        problem = output_of("setup.py", "-q", "sdist", cwd=source)
        if problem or not (packed := list(source.glob("dist/*.tar.gz"))): return problem or "no sdist was built"
        problem = output_of("-m", "pip", "install", "-q", "--no-deps", "--target", home, packed[0])
        env = os.environ | dict(PYTHONPATH=str(home))
        return problem or output_of("-c", INSTALLED, home, cwd=folder, env=env)


def check_readme():
    "README.md is what nbs/index.ipynb and the folders make, and its links lead somewhere."
    return output_of(TOOLS / "site" / "readme.py", "--check")


def check_documentation():
    "Every exported function and class has a docstring, and a comment for each parameter."
    return output_of(TOOLS / "site" / "api.py")


def check_hub():
    "Datasets and models of the hub, from a stand-in for it, and the example of the reference's README."
    return output_of(TOOLS / "check" / "hub.py")


def check_door():
    "Odd files and tables of rows are read as they were meant, or refused in one sentence."
    return output_of(TOOLS / "check" / "door.py", "--short")


def check_damage():
    "A flipped byte in any file of a run, or of the caches, is noticed, or what it spoiled is made again."
    return output_of(TOOLS / "check" / "damage.py", "--short")


def check_kills():
    "A sweep and a run that are killed at random moments end with the same bytes, and leave nothing behind."
    return output_of(TOOLS / "check" / "kills.py", "--short")


def check_devices():
    "Two processes train a run together, under FSDP2, and get the logits of one."
    return output_of(TOOLS / "check" / "devices.py", "--short")


def check_examples():
    "The examples of CONTRIBUTING.md run."
    return output_of(TOOLS / "check" / "examples.py")


CHECKS = {
    "readme": check_readme, "ruff": check_ruff, "rules": check_rules, "export": check_export, "imports": check_imports,
    "light imports": check_light_imports, "package": check_package, "documentation": check_documentation,
    "commands": check_commands,
    "hub": check_hub, "examples": check_examples, "door": check_door, "damage": check_damage,
    "kills": check_kills, "devices": check_devices,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checks", nargs="*", help=f"only some of the checks: {', '.join(CHECKS)}")
    parser.add_argument("--flags", default="", help="space-separated flags of cells to run that are normally skipped")
    args = parser.parse_intermixed_args()
    if unknown := set(args.checks) - CHECKS.keys(): parser.error(f"no such check: {', '.join(sorted(unknown))}")
    os.chdir(ROOT)
    checks = {name: check for name, check in CHECKS.items() if not args.checks or name in args.checks}
    paths, failed = [] if args.checks else notebooks(), 0
    for name, check in checks.items():
        problem = check()
        failed += bool(problem)
        print(f"{'FAILED' if problem else 'passed'}  {name}", flush=True)
        if problem: print(problem, flush=True)
    failed += run_all(paths, "test", args.flags, CPUS)
    print(f"{len(paths) + len(checks) - failed} passed, {failed} failed")
    sys.exit(failed > 0)


if __name__ == "__main__": main()
