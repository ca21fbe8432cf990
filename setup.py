"Installs the package that the notebooks export; every value comes from settings.ini."
import shlex
from configparser import ConfigParser
from pathlib import Path
from setuptools import find_namespace_packages, setup

cfg = ConfigParser(delimiters=["="])
cfg.read("settings.ini", encoding="utf8")
cfg = cfg["DEFAULT"]

licenses = {"mit": ("MIT License", "OSI Approved :: MIT License")}
statuses = ["1 - Planning", "2 - Pre-Alpha", "3 - Alpha", "4 - Beta", "5 - Production/Stable"]
extras = {key.removesuffix("_requirements"): shlex.split(cfg[key]) for key in cfg
          if key.endswith("_requirements") and key.removesuffix("_requirements") not in ("pip", "conda")}

setup(
    name=cfg["lib_name"],
    version=cfg["version"],
    description=cfg["description"],
    long_description=Path("README.md").read_text(encoding="utf8") if Path("README.md").exists() else cfg["description"],
    long_description_content_type="text/markdown",
    keywords=cfg["keywords"],
    author=cfg["author"],
    author_email=cfg["author_email"],
    url=cfg["git_url"],
    license=licenses[cfg["license"]][0],
    classifiers=["Development Status :: " + statuses[int(cfg["status"]) - 1],
                 "Intended Audience :: " + cfg["audience"],
                 "Natural Language :: " + cfg["language"],
                 "Topic :: Scientific/Engineering :: Artificial Intelligence"],
    packages=find_namespace_packages(include=[cfg["lib_path"], cfg["lib_path"] + ".*"]),   # folders of weights too
    package_data={cfg["lib_path"]: ["py.typed", "*.pyi", "models/weights/**/*"]},
    python_requires=">=" + cfg["min_python"],
    install_requires=shlex.split(cfg["requirements"]),
    extras_require=extras,
    entry_points={"console_scripts": cfg["console_scripts"].split(),
                  "nbdev": [f"{cfg['lib_path']}={cfg['lib_path']}._modidx:d"]},
    zip_safe=False,
)
