import Testing

@testable import SyncService

@Suite struct ScriptTextTests {
    private static let lock = "/tmp/sync_fkk_db.lock"

    private func text(_ lines: String, environment: [String] = []) -> ScriptText {
        ScriptText("#!/bin/bash\n\(lines)\n", path: "/opt/app/sync.sh", environment: environment)
    }

    @Test(arguments: [
        "LOCK_FILE=\"/tmp/sync_fkk_db.lock\"", "LOCK_FILE='/tmp/sync_fkk_db.lock'", "LOCK=/tmp/sync_fkk_db.lock # here",
        "readonly LOCK=/tmp/sync_fkk_db.lock", "exec 9>/tmp/sync_fkk_db.lock", "exec 9>>\"/tmp/sync_fkk_db.lock\"", "touch /tmp/sync_fkk_db.lock;",
        "[ -f /tmp/sync_fkk_db.lock ] && exit 2", "if [[ -e /tmp/sync_fkk_db.lock]]; then", "flock --file=/tmp/sync_fkk_db.lock true",
        "DIR=/tmp\nLOCK=\"$DIR/sync_fkk_db.lock\"", "DIR=/tmp\nLOCK=${DIR}/sync_fkk_db.lock", "NAME=sync_fkk_db\nLOCK=\"/tmp/$NAME.lock\"",
        "LOCK=\"${LOCK:-/tmp/sync_fkk_db.lock}\"", ": \"${LOCK:=/tmp/sync_fkk_db.lock}\"", "DIR=${DIR:-/tmp}\nLOCK=$DIR/sync_fkk_db.lock",
        "X=$(cat /tmp/sync_fkk_db.lock)", "X=`cat /tmp/sync_fkk_db.lock`", "trap 'rm -f /tmp/sync_fkk_db.lock' EXIT",
        "touch \\\n  /tmp/sync_fkk_db.lock", "open('/tmp/sync_fkk_db.lock', 'w')", "echo \"it's\"; rm /tmp/sync_fkk_db.lock",
        "echo don\\'t # no\nrm /tmp/sync_fkk_db.lock", "x=${#list}; rm /tmp/sync_fkk_db.lock", "echo a#b /tmp/sync_fkk_db.lock",
        "LOCK=/tmp/\"sync_fkk_db\".lock",
    ])
    func mentioned(line: String) { #expect(text(line).mentions(Self.lock)) }

    @Test(arguments: [
        "# LOCK=/tmp/sync_fkk_db.lock", "LOCK=/x # /tmp/sync_fkk_db.lock", "LOCK=/opt/app/tmp/sync_fkk_db.lock", "LOCK=\"$APP/tmp/sync_fkk_db.lock\"",
        "LOCK=\"${APP}/tmp/sync_fkk_db.lock\"", "LOCK=/tmp/sync_fkk_db.lock2", "LOCK=/tmp/sync_fkk_db.lock.d", "LOCK=/tmp/sync_fkk_db.lock/pid",
        "APP=/opt/app\nLOCK=$APP/tmp/sync_fkk_db.lock", "LOCK=$(dirname \"$0\")/tmp/sync_fkk_db.lock", "SYNC_LOCK_PATH=", "LOCK=$SYNC_LOCK_PATH",
        "\t# SYNC_LOCK_PATH and /tmp/sync_fkk_db.lock", "LOCK=${LOCK%/tmp/sync_fkk_db.lock}", "", "LOCK=/tmp/sync_fkk_db.löck",
    ])
    func notMentioned(line: String) { #expect(!text(line).mentions(Self.lock)) }

    @Test func theScriptsOwnFolder() {
        for folder in ["$(dirname \"$0\")", "$(cd -- \"$(dirname -- \"${BASH_SOURCE[0]}\")\" && pwd)", "${0%/*}"] {
            #expect(text("DIR=\"\(folder)\"\nLOCK=\"$DIR/sync.lock\"").mentions("/opt/app/sync.lock"), "\(folder)")
        }
        #expect(text("LOG=$0.log").mentions("/opt/app/sync.sh.log"))
    }

    @Test func variablesThatAreHandedOver() {
        let passed = text("LOCK=${SYNC_LOCK_PATH:-/tmp/other.lock}", environment: ["SYNC_LOCK_PATH=/tmp/sync_fkk_db.lock"])
        #expect(passed.mentions(Self.lock))
        #expect(!text("LOCK=${SYNC_LOCK_PATH:-/tmp/other.lock}").mentions(Self.lock))
        #expect(text("echo >\"$SYNC_LOCK_PATH\"", environment: ["SYNC_LOCK_PATH=/tmp/sync_fkk_db.lock"]).mentions(Self.lock))
    }

    @Test func whatItMentionsInstead() {
        let script = text("APP=/opt/app\nLOCK=\"$APP/tmp/a.lock\"\nrm $LOCK\n# /tmp/b.lock\nLOG=$UNKNOWN/c.lock\nexec 9>/run/d.lock")
        #expect(script.paths(endingIn: ".lock") == ["/opt/app/tmp/a.lock", "/run/d.lock"])
    }

    @Test func aProgramHasNoComments() {
        #expect(ScriptText("\u{7F}ELF # \u{0}/tmp/sync_fkk_db.lock\u{0}more", path: "/x", environment: []).mentions(Self.lock))
    }

    @Test func wordsInARow() {
        #expect(text("if kill -0 \"$pid\"; then").contains("kill", "-0"))
        #expect(!text("# kill -0\nkill -9 $pid; echo -0").contains("kill", "-0"))
    }

    @Test(arguments: ["$", "${", "$(", "${x", "$(x", "'", "\"", "\\", "${x:-", "${}", "$()", "${:-}", "$$", "=", "a=", "=a", "${x:-${y:-${z", "#"])
    func halvesOfSyntax(line: String) { #expect(!text(line).mentions(Self.lock)) }

    @Test func depthIsBounded() {
        let deep = String(repeating: "$(", count: 3_000) + String(repeating: ")", count: 3_000)
        #expect(!text(deep).mentions(Self.lock))
        #expect(!text(String(repeating: "${a:-", count: 3_000) + String(repeating: "}", count: 3_000)).mentions(Self.lock))
    }
}
