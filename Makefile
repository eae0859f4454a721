# Two commands matter: `make demo` (see it work) and `make test` (prove it works). Both install what
# they need on a Debian machine that has a Rust toolchain.

.PHONY: help demo test deps fmt bench
.NOTPARALLEL:

help:
	@echo 'make demo   a sample hospital on real servers; Ward stays up until Ctrl-C'
	@echo 'make test   everything that must pass before a change lands'
	@echo 'make deps   install the tools that tests and demo talk to'
	@echo 'make fmt    format the source'
	@echo 'make bench  measure Ward beside other systems (takes some minutes)'

deps:
	@scripts/install-deps.sh

demo: deps
	@scripts/demo.sh

test: deps
	@scripts/test.sh

fmt:
	cargo fmt --all

bench:
	@scripts/install-deps.sh bench
	bench/issue
	bench/ocsp
	bench/crl
	bench/acme
	bench/devices
	bench/devices --night
	bench/discover
