import AuditLog
import JSON
import RunProtocol

@testable import History

/// Entries of each kind. The first one of a kind has every member that the kind can have, as the format page lists them.
enum SampleEntries {
    static func all() throws -> [AuditEntry] {
        let key = try VerifierKey(parsing: "db1.example/sync-history+95abb4e8+AddamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea")
        return [
            AuditEntry(.genesis(key)),
            AuditEntry(.serviceStarted(version: "1.2", bootID: "boot", clock)),
            AuditEntry(.serviceStarted(version: "1.2", bootID: nil, ClockFacts(state: nil))),
            AuditEntry(.serviceStopped),
            AuditEntry(.runStarted(run: 7, start, clock)),
            AuditEntry(.runFinished(run: 7, finish, storedOutput: "000c96f274df5ceb52faebf99d0bca0b42b12dc147a0856f553f1271f02c5d44")),
            AuditEntry(.runRefused(.scriptNotSet), by: ana),
            AuditEntry(.runRefused(.busy), by: root),
            AuditEntry(.runImported(run: 7, facts: start.members + finish.members, storedOutput: "000c")),
            AuditEntry(.runImported(run: 7, facts: [], storedOutput: nil)),
            AuditEntry(.runCancelRequested(run: 7), by: ana),
            AuditEntry(.runCancelAnswered(run: 7, .tooLate), by: ana),
            AuditEntry(.lockClearRequested(reason: "stale"), by: ana),
            AuditEntry(.lockCleared(reason: "stale"), by: ana),
            AuditEntry(.lockClearFailed(reason: "stale", .unknown), by: ana),
            AuditEntry(.lockClearFailed(reason: "stale", .refused, why: "the script runs"), by: ana),
            AuditEntry(.externalRunSeen(.seen, lockFile)),
            AuditEntry(.authFailed(reason: "expired"), by: nobody),
            AuditEntry(.accessDenied(path: "/admin/runs/{id}"), by: ana),
            AuditEntry(.tokenIssued(user: "ana", role: nil, ttlSeconds: 3600, fingerprint: "0123456789abcdef"), by: root),
            AuditEntry(.historyRead(.runs), by: ana),
            AuditEntry(.historyRead(.output, run: 17), by: ana),
            AuditEntry(.historyExported(.tiles), by: root),
            AuditEntry(.outputRedacted(run: 7, reason: "names"), by: root),
            AuditEntry(.settingsChanged(.reloaded, changed: ["JWT_SECRET"], needRestart: ["PORT"])),
            AuditEntry(.settingsChanged(.refused)),
            AuditEntry(.keyChanged(KeyChange(newKey: key, signature: "sig")), by: root),
            AuditEntry(.clockStepped(milliseconds: -5000)),
            AuditEntry(.recovered(recovery(givingUp: rollback)), by: root),
            AuditEntry(.recovered(recovery(givingUp: nil)), by: root),
            tally("192.0.2.7", .historyRead(.run, run: 17), "192.0.2.8", .historyRead(.output, run: 3))
                .summary(.historyRead, user: "ana", network: nil),
            tally("2001:db8::7", .runRefused(.busy), "2001:db8::8", .accessDenied(path: String(repeating: "x", count: 65)))
                .summary(.runRefused, user: nil, network: "2001:db8::/64"),
        ]
    }

    private static let clock = ClockFacts(state: (synchronised: true, maximumErrorMicroseconds: 250))
    private static let ana = Principal(user: "ana", tokenFingerprint: "0123456789abcdef", sourceIP: "192.0.2.7", requestID: "req-1")
    private static let nobody = Principal(tokenFingerprint: "0123456789abcdef", sourceIP: "192.0.2.7", requestID: "req-1")
    private static let root = Principal(user: "uid:0(root)")
    private static var start: RunStart {
        var start = RunStart(
            requester: Requester(user: "ana", trigger: .api, sourceIP: "192.0.2.7", requestID: "req-1"), startedAt: 1_772_431_200_125,
            scriptPath: "/opt/sync.sh")
        start.scriptSHA256 = "0f0f"
        start.scriptUID = 990
        start.isolated = true
        start.bootID = "boot"
        return start
    }
    private static var finish: RunFinish {
        var finish = RunFinish(
            finishedAt: 1_772_431_241_730, finishedAtExact: true, outcome: .succeeded, outputTruncated: false, output: [])
        finish.durationMilliseconds = 41_605
        finish.exitCode = 0
        finish.outputBytes = 14
        finish.outputSHA256 = "1e1e"
        finish.scriptChanged = false
        finish.lockFileSeen = true
        return finish
    }
    private static let lockFile = LockFile(identity: FileIdentity(device: 1, inode: 2), modified: 1_772_431_200_125, owner: 990)
    private static let rollback = Rollback(path: "/f", size: 12, root: "cm9vdA==", offset: 100, fileSize: 400, found: 8)

    private static func recovery(givingUp: Rollback?) -> Recovery {
        Recovery(reason: "restored", problems: ["p1", "p2", "p3", "p4"], accepted: ["d1", "d2"], givenUp: givingUp)
    }

    private static func tally(_ source: String, _ event: AuditEvent, _ otherSource: String, _ other: AuditEvent) -> EventTally {
        var tally = EventTally(at: 1_772_431_200_125, from: source, event.members)
        tally.add(EventTally(at: 1_772_431_200_225, from: otherSource, other.members))
        return tally
    }
}
