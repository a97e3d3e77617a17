SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help demo build test fuzz soak bench-memory bench-audit security-scan clean

BUILD_PACKAGES := libsqlite3-dev libssl-dev
DEMO_PACKAGES  := $(BUILD_PACKAGES) sqlite3 curl
TEST_PACKAGES  := $(BUILD_PACKAGES) sqlite3 curl openssl strace nodejs shellcheck mariadb-server-core mariadb-client slowhttptest \
                  golang-go golang-golang-x-mod-dev python3-venv xxd iproute2 util-linux python3 python3-pytest python3-jwt

help:
	@echo 'make demo    build, sync a real database through the API, compare it row by row'
	@echo 'make test    build and run every test (unit, scripts, end to end)'
	@echo 'make build   build only, into .build/debug'
	@echo 'make fuzz    feed the parsers of strange bytes for ten minutes each'
	@echo 'make soak    the deaths of make test a thousand times'
	@echo 'make bench-memory   what 5,000 idle connections, 300 MB of rubbish and 50 stopped readers take'
	@echo 'make bench-audit   what the audit trail costs: an append, and the verification of a million entries'
	@echo 'make security-scan   sslyze, testssl.sh, sslscan and slowhttptest against a running service'
	@echo 'make clean   remove what the others made'

demo:
	@scripts/install-packages.sh $(DEMO_PACKAGES)
	@scripts/build.sh
	@scripts/demo.sh

build:
	@scripts/install-packages.sh $(BUILD_PACKAGES)
	@scripts/build.sh

# Debian's python3 by its full name: python3-pytest and python3-jwt belong to it, not to the first python3 in the PATH.
test:
	@scripts/install-packages.sh $(TEST_PACKAGES)
	@scripts/build.sh --build-tests
	scripts/check-imports.sh
	shellcheck config/*.sh scripts/*.sh Tests/Verifiers/*.sh .ci/run
	SWIFT_BACKTRACE=enable=no swift test --skip-build
	Tests/Verifiers/prepare.sh
	scripts/fuzz.sh 60
	/usr/bin/python3 -m pytest -q Tests/Verifiers Tests/EndToEnd

fuzz:
	@scripts/install-packages.sh $(BUILD_PACKAGES)
	scripts/fuzz.sh 600

soak: build
	SOAK_ROUNDS=1000 /usr/bin/python3 -m pytest -q Tests/EndToEnd/test_deaths.py

bench-memory: build
	/usr/bin/python3 -m pytest -q -s Tests/EndToEnd -k 'test_memory_under_five_thousand_idle_connections or \
	  test_300_megabytes_take_no_memory or test_outputs_that_nobody_takes_hold_neither_memory_nor_threads'

bench-audit:
	@scripts/install-packages.sh $(BUILD_PACKAGES)
	@scripts/bench-audit.sh

security-scan: build
	scripts/security-scan.sh

clean:
	rm -rf .build .build-fuzz .demo
