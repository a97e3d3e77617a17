#!/bin/bash
#
# install-packages.sh PACKAGE...: installs the Debian packages that are missing. Prints nothing if none is missing.

set -euo pipefail

missing=()
for package in "$@"; do
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || missing+=("$package")
done
if (( ${#missing[@]} == 0 )); then
    exit 0
fi

if (( EUID != 0 )); then
    printf '\nERROR: Debian packages are missing, and only root can install them. Please run:\n\n    sudo apt-get install %s\n\n' \
        "${missing[*]}" >&2
    exit 1
fi

printf 'Installing Debian packages: %s\n' "${missing[*]}"
said=$(mktemp)
trap 'rm -f -- "$said"' EXIT

install() {
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}" >"$said" 2>&1 </dev/null
}

# The usual reason for a failure is an empty or old package index. So the second attempt fetches it first.
if ! install && ! { apt-get update -q >"$said" 2>&1 && install; }; then
    tail -n 20 -- "$said" >&2
    printf '\nERROR: these Debian packages could not be installed: %s\nThe reason is above.\n\n' "${missing[*]}" >&2
    exit 1
fi
