# The commands of the README. Each installs what is missing first (packages.txt, pyproject.toml), into the
# system and into .venv, and builds. To begin anew: rm -rf .venv build

.PHONY: lab demo docs test sanitize soak vm vm-selected vm-all vm-shell

# meson and ninja, which an import calls where a source has changed.
export PATH := $(CURDIR)/.venv/bin:$(PATH)

# JupyterLab on the first notebook. OPTIONS are handed to it: make lab OPTIONS="--port 9000"
lab:
	@scripts/setup
	@scripts/lab $(OPTIONS)

# Ten seconds of live capture in the terminal.
demo:
	@scripts/setup
	@scripts/demo $(OPTIONS)

# The pages of docs/ and the lessons, which it runs, as a site: build/site/index.html.
docs:
	@scripts/setup docs
	@scripts/docs

# Every check and every test.
test:
	@scripts/setup tests
	@scripts/test

# The tests of the engine once more, under AddressSanitizer and others.
sanitize:
	@scripts/setup tests
	@scripts/sanitize

# Rounds drawn at random, each of which must add up to the packet: make soak MINUTES=30. SEED=... repeats one, ROUND=...
# a single round of it, and PAGE=docs/soak.md writes the figures down.
MINUTES ?= 1
soak:
	@scripts/setup
	@scripts/soak --minutes $(MINUTES) $(if $(SEED),--seed $(SEED)) $(if $(ROUND),--round $(ROUND)) \
		$(if $(PAGE),--page $(PAGE))

# The tests of tests/vm with another kernel and emulated cards: make vm KERNEL=6.1 CARD=virtio-net. vm-selected takes
# those of CI, vm-all each kernel with each card, and vm-shell opens a shell there: with PORT=8888, this machine's port
# leads to the guest's.
KERNEL ?= newest
CARD ?= igb
PORT ?= 0
vm:
	@scripts/setup tests
	@scripts/vm run --kernel $(KERNEL) --card $(CARD)

vm-selected:
	@scripts/setup tests
	@scripts/vm selected

vm-all:
	@scripts/setup tests
	@scripts/vm all

vm-shell:
	@scripts/setup tests
	@scripts/vm shell --kernel $(KERNEL) --card $(CARD) --port $(PORT)
