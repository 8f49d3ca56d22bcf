# Commands: try, check, lint, test, test-all; dist, test-dist, test-released; test-crash, bench, fuzz, walkthrough; completions and
# chart, which write files. The first run builds the lab, which is then cached.

# The lab installs and builds what is missing, with sudo where it must, and a test that can't run fails.
export NFSPROV_LAB ?= require

LAB := target/debug/nfsprov-lab

# Groups of tests to run, with what they need, instead of all: make test GROUPS="hosts nodes".
GROUPS ?=

.PHONY: try check lint test test-all test-crash bench fuzz walkthrough completions chart dist test-dist test-released dist-tools test-dist-tools build lab-program tools test-tools bench-tools

# K8S=1.20|latest chooses the version of Kubernetes; without it try takes one that is built, or 1.20.
try: build
	tests/try

# What needs neither root nor the lab: format, clippy, docs, unit tests, tests of the command line.
check: lab-program test-tools
	$(LAB) test --set check $(GROUPS)

# The licenses and sources of the libraries, and, where the database can be reached, their known faults.
lint: tools
	@[ -x "$(CARGO_DENY)" ] || { echo "Checking the libraries needs cargo-deny, so this builds it in $(DENY_ROOT)"; \
		cargo install --quiet --locked --root "$(DENY_ROOT)" cargo-deny@$(DENY_VERSION); }
	"$(CARGO_DENY)" --locked check licenses bans sources
	@if "$(CARGO_DENY)" --locked fetch db; then "$(CARGO_DENY)" --locked check advisories; \
		else echo "the database of advisories cannot be reached: known faults are NOT checked"; fi

DENY_VERSION := 0.20.2
DENY_ROOT := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/nfsprov-lab/cargo-deny-$(DENY_VERSION)
CARGO_DENY := $(DENY_ROOT)/bin/cargo-deny

# What CI runs: the same, and every behaviour once on real components.
test: lab-program test-tools
	$(LAB) test $(GROUPS)

# Each behaviour on each version of Kubernetes, at the intervals that users have; faults in every step of a host; the crash test
# with 200 rounds on both versions, and two provisioners for ten minutes; the files of a release; fuzzing.
test-all: lab-program test-tools test-dist
	NFSPROV_TESTS=all $(LAB) test --set all
	$(MAKE) fuzz SECONDS=600

# The document that nfsprov began with, on real nodes; writes docs/walkthrough.md.
walkthrough: build
	tests/walkthrough

# CRASH_SEED=N runs the same again, CRASH_ROUNDS=N more or less of it.
test-crash: build
	$(LAB) build $${K8S:-1.20}
	CRASH_ROUNDS=$${CRASH_ROUNDS:-200} cargo test --test crash

# What a release consists of, in dist/: static program, deb, rpm, image, chart, an archive for sites without a network,
# krew manifest, SBOM, SHA256SUMS. ARCH=arm64 builds for arm64, on amd64 too, beside what is there for amd64.
dist: tools dist-tools
	packaging/build

# Each of them installed, run and removed somewhere clean; with Helm and Prometheus. ARCH=arm64 takes those for arm64.
test-dist: dist test-dist-tools
	cargo test --test dist -- --include-ignored

# The same on the lab's clusters and hosts; a part of test-all.
test-released: test-dist build
	NFSPROV_TESTS=all cargo test --test cluster -- released::
	NFSPROV_TESTS=all cargo test --test nodes -- released

bench: build bench-tools
	$(LAB) build $${K8S:-1.20}
	cargo bench --bench claims
	cargo bench --bench peers
	cargo bench --bench create
	cargo bench --bench scale
	cargo bench --bench rebuild
	cargo bench --bench doctor
	cargo bench --bench setup

# Looks for SECONDS seconds for words that lead out of an export; libFuzzer's counters are all that it needs of the compiler.
FUZZ := -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
	-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
	-Cllvm-args=-sanitizer-coverage-trace-compares
fuzz: tools
	mkdir -p target/fuzz/corpus
	cd fuzz && RUSTFLAGS='$(FUZZ)' cargo run --release --locked --target-dir ../target/fuzz \
		--target $$(rustc -vV | sed -n 's/^host: //p') -- -max_total_time=$${SECONDS:-60} -dict=words ../target/fuzz/corpus

# What the command line changes in completions/; a test fails until it is done.
completions: build
	for file in nfsprov.bash:bash _nfsprov:zsh nfsprov.fish:fish _nfsprov.ps1:powershell; do \
		target/debug/nfsprov completions $${file#*:} > completions/$${file%:*} || exit 1; \
	done

# The Helm chart's manifest, from the template of `create provisioner`; a test fails until it is done.
chart: tools
	NFSPROV_WRITE_CHART=1 cargo test --test command chart::

# The tool and the lab.
build: tools
	cargo build --workspace

# The lab alone: it builds its parts while all else compiles.
lab-program: tools
	cargo build --workspace --bin nfsprov-lab

# Installs packages that are missing. On Debian; elsewhere what is missing is said by what needs it.
define install
	@command -v dpkg-query >/dev/null || exit 0; \
	missing=; \
	for package in $(1); do \
		state=$$(dpkg-query --show --showformat '$${db:Status-Status}' "$$package" 2>/dev/null); \
		[ "$$state" = installed ] || missing="$$missing $$package"; \
	done; \
	[ -n "$$missing" ] || exit 0; \
	echo "$(2) needs packages that this machine lacks, so this installs:$$missing"; \
	root=; [ "$$(id -u)" = 0 ] || root=sudo; \
	install() { $$root env DEBIAN_FRONTEND=noninteractive apt-get --quiet --quiet install --yes --no-install-recommends $$missing; }; \
	install || { $$root apt-get --quiet --quiet update; install; }
endef

# Beside Rust and a C compiler: the connections over SSH link OpenSSL.
tools:
	$(call install,libssl-dev pkg-config,Building)

# The scripts for other hosts are run with busybox' shell and tools too; and a leader's clock is made to jump.
test-tools:
	$(call install,busybox libfaketime,Testing)

# OpenSSL is built from source.
dist-tools:
	$(call install,perl make dpkg rpm $(cross-tools),A release)

# What builds and runs programs for arm64 on amd64, beside Rust's library for it (packaging/rust-for-arm64).
cross-tools := $(if $(filter arm64-x86_64,$(ARCH)-$(shell uname -m)),gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user-static)

# The deb is judged by Debian's rules; both packages are installed in roots of their own.
test-dist-tools:
	$(call install,lintian mmdebstrap,Testing a release)

# What setup-server is compared with.
bench-tools:
	$(call install,ansible-core,Benchmarking)
