# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
.PHONY: help install demo test test-properties dist export execute readme docs test-browser test-door test-survival test-cluster coverage house bench clean

help:                ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install: $(VENV)/.installed   ## .venv with the package and everything its tests need

$(VENV)/.installed: settings.ini setup.py
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -e ".[dev]"
	touch $@

demo: install        ## the main job on the built-in world: a sweep, its table and figures
	$(BIN)/w2s_sweep --losses xent,logconf --loss_options warmup=jump --seeds 0,1,2 --workers 2 --keep_model false --sweep_subfolder demo
	$(BIN)/w2s_plot --results_folder results/demo --out figures

test: install        ## every notebook, and the checks around them; ends with `N passed, N failed`
	$(BIN)/python tools/check/test.py

test-properties: install   ## 2,000 random tables, settings and command lines
	W2S_EXAMPLES=2000 $(BIN)/python tools/check/notebooks.py test nbs/1_data/18_tokens.ipynb nbs/5_runs/50_config.ipynb nbs/7_commands/71_cli.ipynb

dist: install        ## the wheel in dist, and the tutorials with it in a new environment of PYTHON
	$(BIN)/python tools/check/tutorials.py --wheel --python $(PYTHON)

export: install      ## notebooks -> w2s_nb/*.py; their stored outputs are cleaned of addresses
	$(BIN)/nbdev_export
	$(BIN)/nbdev_clean

execute: install     ## run every notebook and store its outputs
	$(BIN)/python tools/check/notebooks.py execute

readme: install      ## README.md from nbs/index.ipynb
	$(BIN)/python tools/site/readme.py

$(VENV)/.docs: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet -e ".[docs]"
	touch $@

docs: $(VENV)/.docs  ## the documentation site, in _docs, with every link checked
	$(BIN)/python tools/site/build.py --check

test-browser: docs   ## the site in headless Chromium; ends with `N passed, N failed`
	$(BIN)/python tools/check/browser.py

test-cluster: install    ## processes on one folder, Ray with two nodes, Slurm; ends with `N passed, N failed`
	$(BIN)/python -m pip install --quiet -e ".[ray,slurm]"
	$(BIN)/python tools/check/cluster.py
	$(BIN)/python tools/check/devices.py

test-door: install   ## what users bring: odd files, numbers, models, pictures; ends with `N passed, N failed`
	$(BIN)/python tools/check/door.py

test-survival: install   ## damage, kills and full disks; ends with `N passed, N failed` for each
	$(BIN)/python tools/check/damage.py --table
	$(BIN)/python tools/check/kills.py
	$(BIN)/python tools/check/disks.py
	$(BIN)/python tools/check/longrun.py

coverage: install    ## which exported lines the notebooks execute, module by module
	$(BIN)/python tools/check/covered.py --least 0.9

house: install       ## the size of the code and the rhythm of the lessons, in numbers
	$(BIN)/python tools/check/house.py

bench: install       ## speed and memory beside other loops; DATA=folder of rows, TOKENIZER=…, REFERENCE=checkout, DEVICE=cuda
	$(BIN)/python tools/bench/speed.py $(if $(DATA),--data $(DATA)) $(if $(TOKENIZER),--tokenizer $(TOKENIZER)) \
		$(if $(REFERENCE),--reference $(REFERENCE)) $(if $(DEVICE),--device $(DEVICE))
	$(BIN)/python tools/bench/small.py

clean:               ## remove what can be made again
	rm -rf $(VENV) _docs _proc build dist *.egg-info
