#!/bin/bash
#
# build-release.sh: builds everything into .build/release as it is packaged.

set -euo pipefail
cd -- "$(dirname -- "$0")/.."

# No run path, because the loader must use Debian's libraries. No path of this machine in the binaries. No build ID, because it
# is a digest that also covers what strip removes, such as the folder's name.
scripts/build.sh -c release --static-swift-stdlib --disable-local-rpath \
    -Xcc "-ffile-prefix-map=$PWD=." -Xswiftc -file-prefix-map -Xswiftc "$PWD=." -Xlinker -z -Xlinker now -Xlinker --build-id=none
