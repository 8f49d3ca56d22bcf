# Four commands: try, test, lint, bench. The first run builds the lab, which is then cached.

# The lab installs and builds what is missing, with sudo where it must, and a test that can't run fails.
export NFSPROV_LAB ?= require

LAB := target/debug/nfsprov-lab

# What building needs beside Rust and a C compiler: the connections over SSH link OpenSSL.
PACKAGES := libssl-dev pkg-config

# Which clusters the tests ran on, written when they did.
TESTED := target/tmp/clusters-tested

.PHONY: try test lint bench lab build tools

# K8S=1.20|latest chooses the version of Kubernetes; without it try takes one that is built, or 1.20.
try: build
	tests/try

# The scripts for other hosts are run with busybox' shell and tools too.
test: PACKAGES += busybox
test: build lab
	@rm -f $(TESTED)
	cargo test --workspace
	@cat $(TESTED)

lint: tools
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --quiet

bench: build
	$(LAB) build --lane $${K8S:-1.20}
	cargo bench --bench claims

# The tool and the lab, and nothing else yet: the lab's own build can go on while tests compile.
build: tools
	cargo build --workspace

# On Debian; elsewhere what is missing is said by the build itself.
tools:
	@command -v dpkg-query >/dev/null || exit 0; \
	missing=; \
	for package in $(PACKAGES); do \
		state=$$(dpkg-query --show --showformat '$${db:Status-Status}' "$$package" 2>/dev/null); \
		[ "$$state" = installed ] || missing="$$missing $$package"; \
	done; \
	[ -n "$$missing" ] || exit 0; \
	echo "Building needs packages that this machine lacks, so this installs:$$missing"; \
	root=; [ "$$(id -u)" = 0 ] || root=sudo; \
	install() { $$root env DEBIAN_FRONTEND=noninteractive apt-get --quiet --quiet install --yes --no-install-recommends $$missing; }; \
	install || { $$root apt-get --quiet --quiet update; install; }

lab: build
	$(LAB) build
