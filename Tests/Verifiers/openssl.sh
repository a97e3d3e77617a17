#!/bin/bash
#
# openssl.sh VKEY CHECKPOINT: verifies a checkpoint's signature with only the openssl command.
# Exit code 0: signed by this key. 1: not.

set -euo pipefail
[[ $# -eq 2 ]] || { sed -n '3,4s/^# //p' "$0" >&2; exit 64; }
vkey=$1 checkpoint=$2
folder=$(mktemp -d)
trap 'rm -rf -- "$folder"' EXIT

# VKEY is name+id+base64(01 ‖ key). In DER, the same twelve bytes precede the 32 of every Ed25519 key (RFC 8410).
name=${vkey%%+*}
rest=${vkey#*+}
{ printf '302a300506032b6570032100' | xxd -r -p; base64 -d <<<"${rest#*+}" | tail -c 32; } >"$folder/key.der"

# The signed text is everything before the empty line. A signature line is a dash, the name and base64(id ‖ signature).
sed -n '1,/^$/p' "$checkpoint" | sed '$d' >"$folder/text"
[[ $(head -n 1 "$folder/text") == "$name" ]] || { echo "the checkpoint is of another log" >&2; exit 1; }
blob=$(sed '1,/^$/d' "$checkpoint" | awk -v name="$name" '$1 == "—" && $2 == name { print $3; exit }')
[[ $(base64 -d <<<"$blob" | head -c 4 | xxd -p) == "${rest%%+*}" ]] || { echo "not signed by this key" >&2; exit 1; }
base64 -d <<<"$blob" | tail -c +5 >"$folder/signature"
openssl pkeyutl -verify -pubin -inkey "$folder/key.der" -keyform DER -rawin -in "$folder/text" \
    -sigfile "$folder/signature" || exit 1
