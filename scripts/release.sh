#!/bin/bash
#
# release.sh [FOLDER]: builds the release files into FOLDER (.build/release-files by default): the Debian package, the same
# files as an archive for machines without dpkg, an SBOM, and SHA256SUMS of them. The same commit, built in the same folder by
# the same compiler, gives the same bytes.

set -euo pipefail
umask 022
cd -- "$(dirname -- "$0")/.."

export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export LC_ALL=C.UTF-8 TZ=UTC
readonly out=${1:-.build/release-files}

rm -rf -- "$out"
mkdir -p -- "$out"
package=$(scripts/package.sh "$out/package" | tail -n 1)
name=$(basename -- "$package" .deb)
mv -- "$package" "$out/"

/usr/bin/python3 scripts/sbom.py "$out/package/root" >"$out/$name.cdx.json"
tar --create --directory="$out/package/root" --exclude=./DEBIAN --sort=name --format=gnu --owner=0 --group=0 --numeric-owner \
    --mtime="@$SOURCE_DATE_EPOCH" --transform="s,^\.,$name," . | gzip -9n >"$out/$name.tar.gz"
rm -rf -- "$out/package"
(cd -- "$out" && sha256sum -- "$name".* >SHA256SUMS)
cat -- "$out/SHA256SUMS"
