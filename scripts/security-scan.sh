#!/bin/bash
#
# security-scan.sh: starts a service with a certificate of a temporary CA and attacks it with sslyze, testssl.sh, sslscan and
# slowhttptest. Exits with 1 if a finding is MEDIUM or worse, unless security/HARDENING.md accepts it with a reason. The tools'
# output stays in .build/security-scan.

set -euo pipefail
cd -- "$(dirname -- "$0")/.."

readonly binary=${SYNC_SERVICE_BIN:-$PWD/.build/debug/sync-service}
readonly sslyze_version=6.3.1
readonly said=$PWD/.build/security-scan
readonly venv=$PWD/.build/security-venv

scripts/install-packages.sh openssl curl testssl.sh sslscan slowhttptest python3 python3-venv
[[ -x $binary ]] || { printf 'ERROR: %s is missing: build first (make build)\n' "$binary" >&2; exit 1; }
if [[ ! -x $venv/bin/sslyze ]]; then
    printf 'Installing sslyze into %s\n' "${venv#"$PWD/"}"
    /usr/bin/python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check "sslyze==$sslyze_version"
fi
rm -rf "$said"
mkdir -p "$said"

folder=$(mktemp -d)
service=
finish() {
    if [[ -n $service ]]; then
        kill "$service" 2>/dev/null || true
        wait "$service" 2>/dev/null || true
    fi
    rm -rf -- "$folder"
}
trap finish EXIT

# Makes a CA and a service certificate like one from a public CA.
certificate() {
    cd "$folder"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 90 -subj '/CN=Security scan CA' \
        -keyout root.key -out root.pem -addext keyUsage=critical,keyCertSign,cRLSign
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -subj /CN=localhost -keyout service.key -out service.csr
    cat >service.ext <<'EXT'
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = DNS:localhost,IP:127.0.0.1
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
EXT
    openssl x509 -req -in service.csr -CA root.pem -CAkey root.key -days 90 -set_serial "0x$(openssl rand -hex 15)" \
        -extfile service.ext -out service.pem
    chmod 600 service.key
}

free_port() {
    local port
    for _ in {1..100}; do
        port=$((15000 + RANDOM % 17000))
        if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            printf '%s' "$port"
            return
        fi
    done
    return 1
}

start() {
    mkdir -m 700 "$folder/state"
    (umask 077 && openssl rand -hex 32 >"$folder/jwt.secret")
    printf '#!/bin/sh\nexit 0\n' >"$folder/sync.sh"
    chmod 755 "$folder/sync.sh"
    (umask 077 && cat >"$folder/.env" <<ENV
PORT=$port
TLS_CERT_FILE=$folder/service.pem
TLS_KEY_FILE=$folder/service.key
TLS_HSTS_SECONDS=31536000
JWT_SECRET_FILE=$folder/jwt.secret
SYNC_STATE_DIR=$folder/state
SYNC_SCRIPT_PATH=$folder/sync.sh
SYNC_LOCK_PATH=$folder/sync.lock
SYNC_LOG_PATH=$folder/sync.log
ENV
    )
    (cd "$folder" && exec "$binary" serve) >"$said/service.log" 2>&1 </dev/null &
    service=$!
    for _ in {1..100}; do
        if probe; then return; fi
        kill -0 "$service" 2>/dev/null || break
        sleep 0.1
    done
    printf 'ERROR: the service does not answer over HTTPS. Its output:\n' >&2
    cat "$said/service.log" >&2
    exit 1
}

# Sends a request from another address than the tools use.
probe() {
    curl --silent --fail --max-time 10 --noproxy '*' --interface 127.0.2.9 --cacert "$folder/root.pem" \
        --output /dev/null "https://127.0.0.1:$port/healthz"
}

# found ID SEVERITY TEXT: writes a finding as one line with tabs. ID is tool:name.
found() { printf '%s\t%s\t%s\n' "$1" "$2" "$3" >>"$said/findings"; }

run_sslyze() {
    "$venv/bin/sslyze" --mozilla_config=intermediate --certinfo_ca_file="$folder/root.pem" --json_out="$said/sslyze.json" \
        "localhost:$port" >"$said/sslyze.txt" 2>&1 || true
    grep -q 'COMPLIANCE' "$said/sslyze.txt" || found sslyze:failed HIGH "sslyze did not finish, see sslyze.txt"
    # One finding for each difference from Mozilla's intermediate configuration.
    sed -n '/COMPLIANCE AGAINST/,$p' "$said/sslyze.txt" | sed -nE 's/^ +\* ([a-z_]+): (.*)$/\1 \2/p' |
        while read -r id text; do found "sslyze:$id" HIGH "$text"; done
}

run_testssl() {
    testssl --quiet --color 0 --warnings batch --add-ca "$folder/root.pem" --ip 127.0.0.1 --nodns none \
        --jsonfile "$said/testssl.json" "localhost:$port" >"$said/testssl.txt" 2>&1 </dev/null || true
    /usr/bin/python3 - "$said/testssl.json" >>"$said/findings" <<'PY'
import json, sys
try:
    entries = json.load(open(sys.argv[1]))
except Exception as error:
    entries = [{"id": "failed", "severity": "HIGH", "finding": f"testssl.sh left no result: {error}"}]
else:
    if len(entries) < 80:
        entries.append({"id": "failed", "severity": "HIGH", "finding": f"testssl.sh made only {len(entries)} checks, see testssl.txt"})
for entry in entries:
    if entry["severity"] in ("MEDIUM", "HIGH", "CRITICAL", "FATAL"):
        print(f'testssl:{entry["id"].split(" ")[0]}', entry["severity"], entry["finding"].replace("\t", " "), sep="\t")
PY
}

run_sslscan() {
    sslscan --no-colour --show-certificate --xml="$said/sslscan.xml" "localhost:$port" >"$said/sslscan.txt" 2>&1 || true
    /usr/bin/python3 - "$said/sslscan.xml" >>"$said/findings" <<'PY'
import sys
import xml.etree.ElementTree as tree
def found(name, text): print(f"sslscan:{name}", "HIGH", text, sep="\t")
try:
    test = tree.parse(sys.argv[1]).getroot().find("ssltest")
    accepted = {f'{p.get("type").upper()} {p.get("version")}' for p in test.iter("protocol") if p.get("enabled") == "1"}
    ciphers = list(test.iter("cipher"))
except Exception as error:
    found("failed", f"sslscan left no result: {error}")
else:
    if accepted != {"TLS 1.2", "TLS 1.3"}: found("protocols", f"offered: {sorted(accepted)}")
    if not ciphers: found("failed", "sslscan saw no cipher")
    for cipher in ciphers:
        if cipher.get("strength") not in ("strong", "acceptable"): found("cipher", f'{cipher.get("cipher")} is {cipher.get("strength")}')
    for element in test.iter("renegotiation"):
        if element.get("supported") == "1" and element.get("secure") != "1": found("renegotiation", "insecure renegotiation")
    for element in test.iter("compression"):
        if element.get("supported") == "1": found("compression", "TLS compression")
    for element in test.iter("heartbleed"):
        if element.get("vulnerable") == "1": found("heartbleed", element.get("sslversion"))
PY
}

# slow NAME ARGUMENT...: runs one attack of slowhttptest. Meanwhile every request from another address must be answered.
slow() {
    local name=$1 attack probes=0 failed=0
    shift
    slowhttptest "$@" -c 400 -r 100 -l 30 >"$said/slowhttptest-$name.txt" 2>&1 </dev/null &
    attack=$!
    while kill -0 "$attack" 2>/dev/null; do
        if ! probe; then failed=$((failed + 1)); fi
        probes=$((probes + 1))
        sleep 0.5
    done
    wait "$attack" || found "slowhttptest:$name" HIGH "slowhttptest did not finish, see slowhttptest-$name.txt"
    if (( failed > 0 || probes < 10 )); then
        found "slowhttptest:$name" HIGH "$failed of $probes requests from another address were not answered during the attack"
    fi
}

port=$(free_port)
(certificate) >"$said/certificate.log" 2>&1 || { cat "$said/certificate.log" >&2; exit 1; }
start
: >"$said/findings"
printf 'sslyze\n' && run_sslyze
printf 'testssl.sh\n' && run_testssl
printf 'sslscan\n' && run_sslscan
printf 'slowhttptest\n'
slow headers -H -i 5 -u "https://127.0.0.1:$port/sync/status"
slow body -B -i 5 -s 8192 -u "https://127.0.0.1:$port/sync/run"
slow reading -X -w 16 -y 32 -n 2 -z 8 -k 3 -u "https://127.0.0.1:$port/healthz"
kill -0 "$service" 2>/dev/null || found service:ended CRITICAL "the service did not survive, see service.log"

# A finding is accepted if HARDENING.md has a table row for it: | `tool:id` | reason |
# shellcheck disable=SC2016 # the backticks are Markdown's
accepted=$(sed -nE 's/^\| *`([a-z]+:[^`]+)` *\| *[^| ].*$/\1/p' security/HARDENING.md 2>/dev/null || true)
open=0
while IFS=$'\t' read -r id severity text; do
    if grep -qxF -- "$id" <<<"$accepted"; then
        printf '  accepted  %-9s %s: %s\n' "$severity" "$id" "$text"
    else
        printf '  FINDING   %-9s %s: %s\n' "$severity" "$id" "$text"
        open=$((open + 1))
    fi
done <"$said/findings"
if (( open > 0 )); then
    printf '\nERROR: %d findings; the output of the tools is in %s\n' "$open" "${said#"$PWD/"}" >&2
    exit 1
fi
printf 'No finding of MEDIUM or worse beyond those accepted in security/HARDENING.md\n'
