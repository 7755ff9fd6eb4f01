# Every target makes the environment .venv on first use. `make` alone lists the targets.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready
BENCH := .venv-bench/bin
BENCH_READY := .venv-bench/ready
CHAPTERS := $(sort $(wildcard notebooks/*.ipynb))
CHAPTER ?= *
NBVAL = TF_NUM_INTRAOP_THREADS=1 TF_NUM_INTEROP_THREADS=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -c tools/nbval.ini --rootdir=. -p no:cacheprovider -n 2 --dist loadscope
SEED ?= 0
COURSE ?= assignment
export TF_CPP_MIN_LOG_LEVEL ?= 2

.DEFAULT_GOAL := help
.PHONY: help book test test-all soak test-browser test-colab pdf notebooks exercises assignment pages train results first classifiers walks stills bench repository clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
		{ echo "This project needs Python 3.11, 3.12 or 3.13. Found: $$($(PYTHON) --version). Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(READY)

$(BENCH_READY): requirements.lock benchmarks/requirements.txt pyproject.toml
	$(PYTHON) -m venv .venv-bench
	$(BENCH)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BENCH)/pip install --quiet --disable-pip-version-check -r benchmarks/requirements.txt
	$(BENCH)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(BENCH_READY)

book: $(READY)  ## build the book from the stored outputs into _build/html
	$(BIN)/jupyter-book build . --all -W -n --keep-going
	@echo "The book is at $(CURDIR)/_build/html/index.html"

test: $(READY)  ## check the code, test the package and the book, execute every chapter in FAST mode (five minutes)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow and not soak"
	SGAN_FAST=1 SGAN_MNIST=sample $(NBVAL) $(CHAPTERS)

test-all: $(READY)  ## what takes longer: grading with nbgrader, a cluster, other seeds; chapters and solutions on the whole database
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "slow and not soak"
	SGAN_FAST=1 $(NBVAL) $(CHAPTERS) notebooks/solutions

soak: $(READY)  ## kill, cut and damage runs, caches and downloads many times over (an hour)
	$(BIN)/python -m pytest -s -m soak tests/test_soak.py

pdf: $(READY)  ## print the whole book into _build/book.pdf (five minutes; needs Debian's chromium)
	$(BIN)/pip install --quiet --disable-pip-version-check -r tests/browser/requirements.txt
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python tools/make_pdf.py

test-browser: book  ## open every page in Chromium at three widths, in light and dark (five minutes; needs Debian's chromium, and npx)
	npx --yes @biomejs/biome@2.6.8 check --config-path=tools book/_static
	$(BIN)/pip install --quiet --disable-pip-version-check -r tests/browser/requirements.txt
	$(BIN)/python -m pytest -p no:cacheprovider -W ignore tests/browser

test-colab: $(READY)  ## run every chapter and every exercise as Colab would (needs a network; about 20 minutes)
	$(BIN)/python tools/test_colab.py

notebooks: $(READY)  ## execute chapters and their solutions in full, in place (one: make notebooks CHAPTER=04_training)
	@ls notebooks/$(CHAPTER).ipynb >/dev/null || { echo 'Name a file in notebooks/, as in CHAPTER=04_training.'; exit 1; }
	@$(BIN)/python -m sgan_helpers data --data full >/dev/null  # stored outputs are of the whole database
	for notebook in $(sort $(wildcard notebooks/$(CHAPTER).ipynb notebooks/solutions/$(CHAPTER).ipynb)); do \
		env -u SGAN_FAST IPYTHONDIR="$(CURDIR)/tools/ipython" $(BIN)/jupyter execute --inplace "$$notebook" || exit 1; \
		$(BIN)/python tools/clean_notebook.py "$$notebook" || exit 1; \
	done
	$(BIN)/python tools/make_pages.py

assignment: $(READY)  ## make a course folder for nbgrader: make assignment SEED=2027 COURSE=folder (CHAPTER=02_discriminators)
	$(BIN)/python tools/make_assignment.py --seed "$(SEED)" --output "$(COURSE)" $(filter-out *,$(CHAPTER))

pages: $(READY)  ## write what is generated: student copies, tables, links, contents, the one-page program
	$(BIN)/python tools/make_pages.py

exercises: pages  ## the same: the student copies are among it

train: $(READY)  ## train the book's SGAN into runs/first; after Ctrl-C the same command goes on
	$(BIN)/python -m sgan_helpers train --output runs/first $(if $(wildcard runs/first/checkpoint-[0-9]*),--resume)

results: $(READY)  ## run what is missing of the recorded grid (hours on two cores; can be stopped and resumed)
	$(BIN)/python tools/record_results.py

first: $(READY)  ## train the first run, draw the film of the front page from it, and keep its classifier for chapter 5
	$(BIN)/python -m sgan_helpers train --evaluate-every 250 --output runs/film $(if $(wildcard runs/film/checkpoint-[0-9]*),--resume)
	$(BIN)/python tools/record_results.py --first

classifiers: $(READY)  ## make the classifiers of the page *Draw a digit* from the weights kept in results/
	$(BIN)/python tools/make_classifiers.py

walks: $(READY)  ## record the trainings that chapters 0 and 4 walk through in the page (ten minutes)
	$(BIN)/python tools/record_walks.py

stills: book  ## photograph the lab and the board for readers without JavaScript (needs what test-browser needs)
	$(BIN)/pip install --quiet --disable-pip-version-check -r tests/browser/requirements.txt
	$(BIN)/python tools/record_stills.py

bench: $(BENCH_READY)  ## time the SGAN's step beside Keras, JAX and PyTorch (ten minutes on an otherwise idle machine)
	$(BENCH)/python benchmarks/compare_steps.py

repository: $(READY)  ## write the repository's name into every link: make repository REPO=owner/name
	$(BIN)/python tools/make_pages.py --repository "$(REPO)"

clean:  ## remove what was built, but not the environment
	rm -rf _build .pytest_cache .ruff_cache
