# Four commands: try, test, lint, bench. The first run builds the lab, which is then cached.

# The lab installs and builds what is missing, with sudo where it must, and a test that can't run fails.
export NFSPROV_LAB ?= require

LAB := target/debug/nfsprov-lab

# Which clusters the tests ran on, written when they did.
TESTED := target/tmp/clusters-tested

.PHONY: try test lint bench lab build

# K8S=1.20|latest chooses the version of Kubernetes; without it try takes one that is built, or 1.20.
try: build
	tests/try

test: build lab
	@rm -f $(TESTED)
	cargo test --workspace
	@cat $(TESTED)

lint:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --quiet

bench: build
	$(LAB) build --lane $${K8S:-1.20}
	cargo bench --bench claims
	cargo bench --bench doctor

# The tool and the lab, and nothing else yet: the lab's own build can go on while tests compile.
build:
	cargo build --workspace

lab: build
	$(LAB) build
