import RunProtocol

@testable import History

/// Runs for tests: one with every fact, one with no fact that may be missing.
enum SampleRun {
    static var start: RunStart {
        var start = RunStart(
            requester: Requester(
                user: "rina", userName: "Rina \"R\"", tokenFingerprint: "0a1b", trigger: .api, reason: "line\nbreak",
                sourceIP: "192.0.2.7", requestID: "r-1"),
            startedAt: 1_769_860_800_001, scriptPath: "/srv/sync.sh")
        start.scriptSHA256 = "aa"
        start.scriptUID = 1001
        start.isolated = true
        start.bootID = "b-1"
        return start
    }

    static var finish: RunFinish {
        var finish = RunFinish(
            finishedAt: 1_769_860_802_003, finishedAtExact: true, outcome: .failed, outputTruncated: true, output: Array("hello".utf8))
        finish.durationMilliseconds = 2002
        finish.why = "exited with code 7"
        finish.exitCode = 7
        finish.signal = 9
        finish.outputBytes = 5
        finish.outputSHA256 = "bb"
        finish.scriptChanged = false
        finish.lockFileSeen = true
        return finish
    }

    static var bareStart: RunStart {
        RunStart(requester: Requester(user: "uid:0(root)", trigger: .cli, requestID: "r-2"), startedAt: 0, scriptPath: "/x")
    }

    static var bareFinish: RunFinish {
        RunFinish(finishedAt: 1, finishedAtExact: false, outcome: .interrupted, outputTruncated: false, output: [])
    }
}
