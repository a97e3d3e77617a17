import History
import RunProtocol

/// What one run of a filled history records. Common values and rare ones are mixed as a busy factory has them; everything
/// follows from the run's number.
struct SampleRun {
    private let run: Int64
    /// Milliseconds since 1970 UTC.
    private let startedAt: Int64
    /// The first time of the history, 2016-11-01.
    static let beginning: Int64 = 1_477_958_400_000
    static let tenYears: Int64 = 10 * 365 * 86_400_000

    /// - Parameter runs: how many the history gets. They are spread over ten years.
    init(_ run: Int64, of runs: Int64) {
        self.run = run
        // In the middle, a clock was one year behind for a while.
        let behind = run > runs / 2 && run - runs / 2 <= runs / 1000 ? Self.tenYears / 10 : 0
        startedAt = Self.beginning + Self.tenYears / runs * run - behind
    }

    var start: RunStart {
        let requester = Requester(
            user: run % 100_000 == 17 ? "guest" : "user\(run % 50)", userName: "User of the Bench", tokenFingerprint: "0123456789abcdef",
            trigger: run % 2000 == 11 ? .cli : .api, reason: nil, sourceIP: "192.0.2.7", requestID: "0123456789abcdef")
        var start = RunStart(requester: requester, startedAt: startedAt, scriptPath: "/opt/bea-cukai-app/sync_fkk_db.sh")
        start.scriptSHA256 = String(repeating: "0f", count: 32)
        start.scriptUID = 990
        start.isolated = true
        start.bootID = "9a0f5b1c-6f6e-4b52-9b5e-7d1b6f1f2a3c"
        return start
    }

    var finish: RunFinish {
        let output = Array("sync \(run) finished: 48211 rows copied, 0 differ\n".utf8)
        var finish = RunFinish(finishedAt: startedAt + 41_605, finishedAtExact: true, outcome: outcome, outputTruncated: false, output: output)
        finish.durationMilliseconds = 41_605
        finish.exitCode = 0
        finish.outputBytes = Int64(output.count)
        finish.outputSHA256 = String(repeating: "1e", count: 32)
        finish.scriptChanged = false
        finish.lockFileSeen = false
        return finish
    }

    private var outcome: Outcome {
        switch run {
        case _ where run % 100_000 == 77_777: .interrupted
        case _ where run % 20_000 == 9999: .cancelled
        case _ where run % 1000 == 500: .timedOut
        case _ where run % 500 == 250: .alreadyRunning
        case _ where run % 50 == 25: .failed
        default: .succeeded
        }
    }

    /// One of the run's entries that are about something else.
    func otherEvent(_ number: Int) -> AuditEvent {
        switch run {
        case _ where number > 2: .historyRead(.runs)
        case _ where run % 100_000 == 4321: .lockCleared(reason: "stale")
        case _ where run % 1000 == 321: .accessDenied(path: "/admin/runs")
        default: .historyRead(.run, run: run)
        }
    }
}
