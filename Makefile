SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help demo build deb release unit test lint format audit-format fuzz soak counts accept-counts bench bench-memory bench-audit security-scan hardening-check clean

BUILD_PACKAGES := libsqlite3-dev libssl-dev
DEMO_PACKAGES  := $(BUILD_PACKAGES) sqlite3 curl
DEB_PACKAGES   := $(BUILD_PACKAGES) binutils dpkg-dev git python3 xz-utils
# These also make the clean Debian on which the package tests install the package.
MACHINE_PACKAGES := $(DEB_PACKAGES) debootstrap systemd-container util-linux iproute2 python3-pytest
UNIT_PACKAGES  := $(BUILD_PACKAGES) openssl
COUNT_PACKAGES := $(BUILD_PACKAGES) binutils valgrind
LINT_PACKAGES  := shellcheck flake8
TEST_PACKAGES  := $(MACHINE_PACKAGES) $(LINT_PACKAGES) file lintian valgrind nginx-light systemd sqlite3 curl openssl strace nodejs \
                  mariadb-server-core mariadb-client slowhttptest golang-go golang-golang-x-mod-dev python3-venv xxd python3-jwt
BENCH_PACKAGES := $(DEB_PACKAGES) openssl strace wrk golang-go golang-github-gin-gonic-gin-dev golang-github-golang-jwt-jwt-dev \
                  nginx-light python3-fastapi python3-uvicorn python3-uvloop python3-httptools python3-jwt webhook \
                  mariadb-server-core mariadb-client

help:
	@echo 'make demo    build, sync a real database through the API, compare it row by row'
	@echo 'make unit    build and run the unit tests'
	@echo 'make test    lint, build and run every test (unit, fuzz, end to end, package)'
	@echo 'make lint    check the style of Swift, Python and shell, and which module imports which'
	@echo 'make format  format the Swift sources'
	@echo 'make audit-format   write the tables of events and reasons in security/AUDIT_FORMAT.md'
	@echo 'make build   build the programs into .build/debug'
	@echo 'make deb     build the Debian package into .build/package'
	@echo 'make release build the package, an archive, an SBOM and checksums into .build/release-files'
	@echo 'make hardening-check   run every command of security/HARDENING.md, here or on a clean Debian 12'
	@echo 'make fuzz    fuzz each parser of untrusted input for ten minutes'
	@echo 'make soak    run the crash tests a thousand times'
	@echo 'make counts  count the instructions of what every request needs; make accept-counts accepts them'
	@echo 'make bench   measure the service beside gin, nginx, FastAPI and webhook; docs/PERFORMANCE.md has the result'
	@echo 'make bench-memory   measure the memory for 5,000 idle connections, 300 MB of invalid input and 50 stalled readers'
	@echo 'make bench-audit   measure the audit log: an append, and the verification of a million entries'
	@echo 'make security-scan   run sslyze, testssl.sh, sslscan and slowhttptest against a service'
	@echo 'make clean   remove everything that these commands built'

demo:
	@scripts/install-packages.sh $(DEMO_PACKAGES)
	@scripts/build.sh
	@scripts/demo.sh

build:
	@scripts/install-packages.sh $(BUILD_PACKAGES)
	@scripts/build.sh

deb:
	@scripts/install-packages.sh $(DEB_PACKAGES)
	scripts/package.sh

release:
	@scripts/install-packages.sh $(DEB_PACKAGES)
	scripts/release.sh

# Checks this machine if the service runs on it, and a clean Debian 12 otherwise.
hardening-check:
	@if systemctl is-active --quiet sync-service 2>/dev/null; then scripts/hardening-check.sh security/HARDENING.md; \
	else scripts/install-packages.sh $(MACHINE_PACKAGES) && scripts/release.sh && /usr/bin/python3 -m pytest -q Tests/Package/test_hardening.py; fi

unit:
	@scripts/install-packages.sh $(UNIT_PACKAGES)
	@scripts/build.sh --build-tests
	SWIFT_BACKTRACE=enable=no swift test --skip-build

# The rules are in .swift-format and .flake8. The scripts in Tests/EndToEnd/documents/documented are copies of the user's
# documents, so nothing checks or changes them.
lint:
	@scripts/install-packages.sh $(LINT_PACKAGES)
	scripts/check-imports.sh
	shellcheck config/*.sh scripts/*.sh packaging/p*inst packaging/p*rm Tests/Verifiers/*.sh .ci/run
	/usr/bin/python3 -m flake8 Benchmarks Tests scripts
	swift format lint --strict --parallel --recursive Package.swift Sources Tests Benchmarks

# The unit tests AuditFormatTests fail while the page and the code differ.
audit-format:
	@scripts/build.sh --build-tests
	WRITE_DOCUMENTS=1 SWIFT_BACKTRACE=enable=no swift test --skip-build --filter AuditFormatTests

format:
	swift format --in-place --parallel --recursive Package.swift Sources Tests Benchmarks

# The full path selects Debian's python3. python3-pytest and python3-jwt work only with it, and PATH may have another first.
test:
	@scripts/install-packages.sh $(TEST_PACKAGES)
	@$(MAKE) --no-print-directory lint unit
	Tests/Verifiers/prepare.sh
	scripts/fuzz.sh 60
	scripts/release.sh
	scripts/count-instructions.sh
	scripts/end-to-end.sh Tests/Verifiers Tests/EndToEnd
	/usr/bin/python3 -m pytest -q Tests/Package

counts:
	@scripts/install-packages.sh $(COUNT_PACKAGES)
	scripts/count-instructions.sh

accept-counts:
	@scripts/install-packages.sh $(COUNT_PACKAGES)
	scripts/count-instructions.sh --accept

fuzz:
	@scripts/install-packages.sh $(BUILD_PACKAGES)
	scripts/fuzz.sh 600

soak: build
	SOAK_ROUNDS=1000 /usr/bin/python3 -m pytest -q Tests/EndToEnd/failures/test_kill_at_every_step.py

# SECTIONS=http,run measures only these, TURNS=1 SECONDS=1 gives a quick look, and BINARY=PATH measures another sync-service.
bench:
	@scripts/install-packages.sh $(BENCH_PACKAGES)
	@scripts/bench.sh $(if $(BINARY),--binary $(BINARY)) $(if $(RUNNER),--runner $(RUNNER)) $(if $(SECTIONS),--sections $(SECTIONS)) \
	    $(if $(TURNS),--turns $(TURNS)) $(if $(SECONDS),--seconds $(SECONDS))

bench-memory: build
	/usr/bin/python3 -m pytest -q -s -m memory Tests/EndToEnd

bench-audit:
	@scripts/install-packages.sh $(BUILD_PACKAGES)
	@scripts/bench-audit.sh $(ENTRIES)

security-scan: build
	scripts/security-scan.sh

clean:
	rm -rf .build .build-fuzz .demo
