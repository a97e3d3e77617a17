#!/bin/bash
#
# prepare.sh: builds the third-party verifiers into .build/verifiers. Needs golang-go, golang-golang-x-mod-dev and
# python3-venv.

set -euo pipefail
cd -- "$(dirname -- "$0")/../.."
mkdir -p .build/verifiers
GO111MODULE=off GOPATH=/usr/share/gocode go build -o .build/verifiers/verify Tests/Verifiers/go/verify.go
if ! cmp -s Tests/Verifiers/requirements.txt .build/verifiers/requirements.txt; then
    rm -rf .build/verifiers/python
    /usr/bin/python3 -m venv .build/verifiers/python
    .build/verifiers/python/bin/pip install --quiet --disable-pip-version-check -r Tests/Verifiers/requirements.txt
    cp Tests/Verifiers/requirements.txt .build/verifiers/
fi
