# Build, test and install. PREFIX, DESTDIR, BINDIR and MANDIR set where `make install` puts the files.
PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
MANDIR ?= $(PREFIX)/share/man
DATADIR ?= $(PREFIX)/share
CARGO ?= cargo

# The tools are the files in src/bin and the scripts in src/sh; a test compares the completions with them.
SCRIPTS := $(wildcard src/sh/*)
PROGRAMS := $(basename $(notdir $(wildcard src/bin/*.rs)))
TOOLS := $(PROGRAMS) $(notdir $(SCRIPTS))
PAGES := $(wildcard man/*.1 man/*.7)
# Where cargo builds: the variable is cargo's own.
TARGET := $(or $(CARGO_TARGET_DIR),target)
HOST = $(or $(shell $(CARGO) -vV 2>/dev/null | sed -n 's/^host: //p'),$(BUILT_HOST))
BUILT_HOST = $(notdir $(patsubst %/release/pkce-gen,%,$(firstword $(wildcard $(TARGET)/*/release/pkce-gen))))
COMPILER = $(or $(RUSTC),rustc)
RELEASE = $(TARGET)/$(HOST)/release
BUILT = $(addprefix $(RELEASE)/,$(PROGRAMS)) $(SCRIPTS)
BENCHED = $(abspath $(RELEASE) src/sh $(RELEASE)/examples $(TARGET)/peers/bin)
FAST := $(abspath $(TARGET)/debug):$(abspath src/sh)
EXAMPLES := $(sort $(shell find examples -type f))
DOCS := $(DATADIR)/doc/pkce-tools
WORKFLOWS := $(wildcard .github/workflows/*.yml) examples/ci/github-actions.yml
ACTIONLINT := 1.7.12
ZIZMOR := 1.32.0

# The tools that open no connection, by their pages, and pkce-token, which each call of an API starts, are linked statically
# where that is possible, and start in two thirds of the time. The others look up names in the C library, which loads
# modules of the running system for it; pkce-token lets getent(1) do that.
ALONE := $(filter $(PROGRAMS),$(basename $(notdir $(shell grep -L 'certificate variables' $(PAGES))))) pkce-token
# A static program cannot find a function of the C library at run time, as getrandom does by default: it would read
# /dev/random instead, which not every root directory has.
STATIC = -C target-feature=+crt-static $(if $(findstring linux,$(HOST)),--cfg getrandom_backend=\"linux_getrandom\")
# What makes the binaries smaller: a function once that is there twice, relocations in short form, no tables for unwinding.
SMALLER := -C link-arg=-Wl,--icf=all
RELATIVE := -C link-arg=-Wl,-z,pack-relative-relocs
NO_UNWINDING := -C link-arg=-Wl,-T,$(abspath src/no-unwinding.ld)
# These flags, if a program that is linked with them runs.
if_it_runs = $(shell folder=$$(mktemp -d); echo 'fn main() {}' | \
  $(COMPILER) --target $(HOST) $(1) -o "$$folder/program" - 2>/dev/null && \
  "$$folder/program" && echo '$(1)'; rm -r "$$folder")
LINKED = $(foreach flags,SMALLER RELATIVE NO_UNWINDING,$(call if_it_runs,$($(flags))))
# No path of this machine is in a program, in the place of a panic for example: the sources, the build, the crates and Rust's
# library have the same names everywhere. The last prefix that matches counts: the build may be inside the sources.
CRATES = $(or $(CARGO_HOME),$(HOME)/.cargo)/registry/src
RUST_LIBRARY = $(shell $(COMPILER) --print sysroot)/lib/rustlib/src/rust
RUST_COMMIT = $(shell $(COMPILER) -vV | sed -n 's/^commit-hash: //p')
REMAPPED = $(addprefix --remap-path-prefix=,$(CURDIR)=. $(abspath $(TARGET))=target $(CRATES)=crates \
  $(RUST_LIBRARY)=/rustc/$(RUST_COMMIT))
# The tools that work on streams are optimized for speed, the others for size.
STREAMS := $(basename $(notdir $(shell grep -l 'frame::stream\|frame::sources' src/bin/*.rs)))
SPEED := --config 'profile.release.package.pkce-tools.opt-level=3'
RELEASED = --release --locked --target $(HOST)
# With a remapped path, cargo gives a crate one name whatever its flags are: in one directory, the static build and the other
# one would replace each other.
APART = --target-dir $(TARGET)/static

# Builds these tools with these flags of the compiler and options of cargo (with SPEED, it strips no symbols by itself).
build = $(if $(1),RUSTFLAGS="$(strip $(RUSTFLAGS) -C strip=symbols $(REMAPPED) $(linked) $(2))" \
  $(CARGO) build $(RELEASED) $(3) $(addprefix --bin ,$(1)))

all: unspaced toolchain
	$(eval linked := $(LINKED))
	$(eval static := $(if $(call if_it_runs,$(STATIC)),$(ALONE)))
	$(call build,$(filter-out $(static) $(STREAMS),$(PROGRAMS)))
	$(call build,$(filter-out $(static),$(STREAMS)),,$(SPEED))
	$(call build,$(filter-out $(STREAMS),$(static)),$(STATIC),$(APART))
	$(call build,$(filter $(static),$(STREAMS)),$(STATIC),$(APART) $(SPEED))
	install -d $(RELEASE)
	$(if $(static),install -m 755 $(addprefix $(TARGET)/static/$(HOST)/release/,$(static)) $(RELEASE))

# The recipes use these directories unquoted: with white space, they would write to another directory, or remove it.
DIRECTORIES := CURDIR TARGET DESTDIR PREFIX BINDIR MANDIR DATADIR
unspaced:
	$(foreach name,$(DIRECTORIES),$(if $(word 2,x$($(name))x),$(error $(name) must not contain white space: $($(name)))))

# Fails with a clear message if this program is missing; the program of a variable has a name of its own.
needs = @command -v $(or $(3),$(1)) >/dev/null || { echo "make: $(1) is missing: $(2)" >&2; exit 1; }
comma := ,

toolchain:
	$(call needs,cargo,install Rust 1.89 or later (https://rustup.rs, or your system's package),$(CARGO))
	$(call needs,cc,install a C compiler (gcc or clang)$(comma) which Rust links with)

test: toolchain
	$(CARGO) test --locked

deny: toolchain
	$(call needs,cargo-deny,cargo install --locked cargo-deny)

lint: deny
	$(call needs,mandoc,install the package mandoc)
	$(call needs,shellcheck,install the package shellcheck)
	$(call needs,checkbashisms,install the package devscripts)
	$(CARGO) fmt --check
	$(CARGO) fmt --check --manifest-path tests/fuzz/Cargo.toml
	$(CARGO) clippy --locked --all-targets -- -D warnings
	$(CARGO) deny --offline --locked --target $(HOST) check -D warnings licenses bans sources
	mandoc -T lint -W warning $(PAGES)
	sh tests/lint.sh

check: test lint

# Check the workflows of GitHub Actions, with programs that are installed first. Not in lint, which requires neither Go nor
# the network.
lint-workflows: linters := $(abspath $(TARGET)/linters/$(ACTIONLINT)-$(ZIZMOR))
lint-workflows: unspaced
	$(call needs,go,install Go)
	$(call needs,python3,install python3)
	[ -x $(linters)/bin/actionlint ] || \
	  GOBIN=$(linters)/bin go install github.com/rhysd/actionlint/cmd/actionlint@v$(ACTIONLINT)
	[ -x $(linters)/bin/zizmor ] || { python3 -m venv $(linters) && \
	  $(linters)/bin/pip install --quiet --disable-pip-version-check zizmor==$(ZIZMOR); }
	$(linters)/bin/actionlint $(WORKFLOWS)
	$(linters)/bin/zizmor --offline --no-progress $(WORKFLOWS) action.yml .github/dependabot.yml

# Build, start pkce-idp, and run a complete, unattended login in it.
demo: toolchain
	$(CARGO) build --locked --bins
	@PATH="$(FAST):$$PATH" sh examples/demo.sh

# Take the pictures of README.md again, except docs/pipeline.svg. Needs python3, tmux, curl and chromium.
pictures: toolchain
	$(CARGO) build --locked --bins
	PATH="$(FAST):$$PATH" python3 -B docs/login.py docs/login.svg
	PATH="$(FAST):$$PATH" sh docs/callback.sh docs

# Test against independent servers and browsers.
interop: toolchain
	$(CARGO) build --locked --bins
	PATH="$(FAST):$$PATH" bash tests/interop/run.sh

# Hand the token of a stored login to the programs of examples/use.
use: toolchain
	$(CARGO) build --locked --bins
	PATH="$(FAST):$$PATH" bash tests/use/run.sh

# Write the man pages as HTML, ready to host, into $(TARGET)/html.
html: unspaced
	$(call needs,mandoc,install the package mandoc)
	sh docs/html.sh $(TARGET)/html

# Log in with the programs of docs/comparison.md that are installed, and compare what they do with its table.
peers: toolchain
	$(CARGO) build --locked --bins
	PATH="$(FAST):$$PATH" bash tests/peers/run.sh

# Compare time, memory and size with other tools, and write tests/bench/RESULTS.md and its plots. A tool that is missing
# is named as missing. The tools that are installed as static ones are linked dynamically too, to compare.
bench: bench-peers
	$(call needs,python3,install the package python3)
	$(MAKE) all ALONE=
	install -d $(TARGET)/dynamic
	cp $(addprefix $(RELEASE)/,$(ALONE)) $(TARGET)/dynamic
	$(MAKE) all
	$(eval linked := $(LINKED))
	RUSTFLAGS="$(strip $(RUSTFLAGS) -C strip=symbols $(REMAPPED) $(linked))" $(CARGO) build $(RELEASED) $(SPEED) --example ring
	DYNAMIC=$(abspath $(TARGET)/dynamic) NODE_PATH=$(abspath $(TARGET)/peers/node_modules) \
	  PATH="$(subst $() ,:,$(BENCHED)):$$PATH" python3 -B tests/bench/run.py

# Install hyperfine for `make bench`, and name the other programs that it would measure.
bench-peers: unspaced toolchain
	CARGO="$(CARGO)" sh tests/bench/peers.sh $(abspath $(TARGET)/peers)

# Run each fuzz target for FUZZ_SECONDS (600), the property tests with many more cases, and kill a thousand processes.
fuzz: unspaced toolchain
	$(call needs,cargo-fuzz,cargo install cargo-fuzz)
	bash tests/fuzz/run.sh $(TARGET)/fuzz
	PROPTEST_CASES=20000 $(CARGO) test --release --locked --test properties
	PKCE_KILLS=1000 $(CARGO) test --release --locked --test kill -- --nocapture

# Check the dependencies for known vulnerabilities.
audit: deny
	$(CARGO) deny --locked check -D warnings advisories

# Where cargo is missing, as under sudo, it installs what another user has built.
install: unspaced $(if $(shell command -v $(CARGO)),all,built)
	install -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(MANDIR)/man1 $(DESTDIR)$(MANDIR)/man7
	install -m 755 $(BUILT) $(DESTDIR)$(BINDIR)
	install -m 644 $(wildcard man/*.1) $(DESTDIR)$(MANDIR)/man1
	install -m 644 $(wildcard man/*.7) $(DESTDIR)$(MANDIR)/man7
	install -d $(DESTDIR)$(DATADIR)/bash-completion/completions $(DESTDIR)$(DATADIR)/zsh/site-functions
	install -m 644 completions/pkce-tools.bash $(DESTDIR)$(DATADIR)/bash-completion/completions/pkce-tools
	for tool in $(TOOLS); do ln -sf pkce-tools $(DESTDIR)$(DATADIR)/bash-completion/completions/$$tool; done
	install -m 644 completions/_pkce-tools $(DESTDIR)$(DATADIR)/zsh/site-functions/_pkce-tools
	install -d $(DESTDIR)$(DATADIR)/fish/vendor_completions.d
	install -m 644 completions/pkce-tools.fish $(DESTDIR)$(DATADIR)/fish/vendor_completions.d/pkce-tools.fish
	for tool in $(TOOLS); do ln -sf pkce-tools.fish $(DESTDIR)$(DATADIR)/fish/vendor_completions.d/$$tool.fish; done
	install -d $(addprefix $(DESTDIR)$(DOCS)/,$(sort $(dir $(EXAMPLES))))
	for file in $(EXAMPLES); do \
	  mode=644; [ ! -x $$file ] || mode=755; \
	  install -m $$mode $$file $(DESTDIR)$(DOCS)/$$file || exit; done

built:
	@[ -n "$(HOST)" ] || { echo "make: nothing is built: run make first, as a user who has Rust" >&2; exit 1; }

# Write the packages to $(TARGET)/dist: an archive, a .deb, an .rpm, an image for containers, an SBOM and SHA256SUMS. All of
# their programs are static: with musl if Rust and cc (musl-gcc) have it, otherwise with the GNU C Library.
MUSL = $(subst -gnu,-musl,$(HOST))
HAS_MUSL = $(and $(wildcard $(shell $(COMPILER) --print target-libdir --target $(MUSL))),$(shell command -v musl-gcc))
PACKED = $(if $(HAS_MUSL),$(MUSL),$(HOST))
PACKAGE = $(abspath $(TARGET))/$(PACKED)/release/package
dist: unspaced toolchain
	rm -rf "$(PACKAGE)"
	$(MAKE) install HOST=$(PACKED) ALONE="$(PROGRAMS)" DESTDIR=$(PACKAGE) PREFIX=/usr BINDIR=/usr/bin MANDIR=/usr/share/man
	CARGO="$(CARGO)" sh packaging/dist.sh "$(PACKAGE)" $(PACKED) "$(abspath $(TARGET))/dist"

# Install, use and remove each package in an empty root directory, and compare all with a second build elsewhere, unless
# ONCE is set. As root.
dist-check: dist
	bash tests/dist/run.sh "$(abspath $(TARGET))/dist"

uninstall: unspaced
	rm -f $(addprefix $(DESTDIR)$(BINDIR)/,$(TOOLS))
	rm -f $(addprefix $(DESTDIR)$(MANDIR)/man1/,$(notdir $(wildcard man/*.1)))
	rm -f $(addprefix $(DESTDIR)$(MANDIR)/man7/,$(notdir $(wildcard man/*.7)))
	rm -f $(addprefix $(DESTDIR)$(DATADIR)/bash-completion/completions/,pkce-tools $(TOOLS))
	rm -f $(DESTDIR)$(DATADIR)/zsh/site-functions/_pkce-tools
	rm -f $(addprefix $(DESTDIR)$(DATADIR)/fish/vendor_completions.d/,$(addsuffix .fish,pkce-tools $(TOOLS)))
	rm -rf $(DESTDIR)$(DOCS)/examples
	rmdir $(DESTDIR)$(DOCS) 2>/dev/null || :

clean:
	$(CARGO) clean
	rm -rf tests/interop/node_modules tests/interop/mcp/node_modules tests/interop/venv
	rm -rf tests/use/newer-git tests/use/pnpm/node_modules tests/use/venv

.PHONY: all unspaced toolchain test deny lint check lint-workflows demo pictures interop use peers html bench \
  bench-peers fuzz audit built dist dist-check install uninstall clean
