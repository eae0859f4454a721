# Two commands matter: `make demo` (see it work) and `make test` (prove it works). Both install what
# they need on a Debian machine that has a Rust toolchain.

.PHONY: help demo test deps fmt bench pictures
.NOTPARALLEL:

help:
	@echo 'make demo   a sample hospital on real servers; Ward stays up until Ctrl-C'
	@echo 'make test   everything that must pass before a change lands'
	@echo 'make deps   install the tools that tests and demo talk to'
	@echo 'make fmt    format the source'
	@echo 'make pictures  those of the documents, by the browser tests'
	@echo 'make bench  measure Ward beside other systems (takes some minutes)'

deps:
	@scripts/install-deps.sh

demo: deps
	@scripts/demo.sh

test: deps
	@scripts/test.sh

fmt:
	cargo fmt --all

# The browser tests leave every screen in .tmp/screens; documents show these.
pictures: deps
	@scripts/test.sh console build browser
	@for name in overview radar topology audit-event; do cp .tmp/screens/$$name-light-desktop.png docs/pictures/$$name.png; done
	@cp .tmp/screens/assets-dark-phone.png docs/pictures/assets-phone.png
	@cp .tmp/screens/day-nurse-engineer-what-it-will-do.png docs/pictures/nurse-engineer.png
	@cp .tmp/screens/day-ra-officer-device.png docs/pictures/ra-officer.png
	@cp .tmp/screens/day-security-blast-radius.png docs/pictures/security.png
	@cp .tmp/screens/day-network-coverage.png docs/pictures/network.png
	@cp .tmp/screens/day-auditor-proof.png docs/pictures/auditor.png

bench:
	@scripts/install-deps.sh bench
	bench/issue
	bench/ocsp
	bench/crl
	bench/acme
	bench/devices
	bench/devices --night
	bench/discover
