# Four commands: try, test, lint, bench. The first run builds the lab, which is then cached.

# The lab installs and builds what is missing, with sudo where it must, and a test that can't run fails.
export NFSPROV_LAB ?= require

LAB := target/debug/nfsprov-lab

.PHONY: try test lint bench lab build

try: build lab
	tests/try

test: build lab
	cargo test --workspace

lint:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --quiet

bench: build lab
	cargo bench --bench claims

# The tool and the lab, and nothing else yet: the lab's own build can go on while tests compile.
build:
	cargo build --workspace

lab: build
	$(LAB) build
