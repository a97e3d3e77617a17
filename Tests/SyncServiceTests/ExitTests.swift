import ArgumentParser
import Diagnostics
import Glibc
import History
import Linux
import RunProtocol
import Testing

@testable import SyncService

/// Testing has an ExitStatus too.
private typealias Status = RunProtocol.ExitStatus

private let failingDisk = SystemError("open", "/a", code: EIO)
private let closedFile = SystemError("open", "/a", code: EACCES)

/// Which error ends the program with which status.
@Suite struct ExitTests {
    private struct Other: Error {}

    @Test(
        arguments: [
            (SettingsError("x", fix: "y"), .configuration),
            (SettingsError("x", fix: "y", cause: closedFile), .configuration),
            (SettingsError("x", fix: "y", cause: failingDisk), .unavailable),
            (SettingsError("x", fix: "y", mayMendItself: true), .unavailable),
            (Unavailable("x", fix: "y"), .unavailable),
            (HistoryError("x"), .wrong),
            (HistoryError("x", cause: SettingsError("x", fix: "y")), .configuration),
            (HistoryError("x", cause: SettingsError("x", fix: "y", cause: failingDisk)), .unavailable),
            (HistoryError("x", cause: failingDisk), .unavailable),
            (HistoryError("x", cause: closedFile), .wrong),
            (failingDisk, .unavailable), (closedFile, .wrong), (CommandError("x"), .wrong), (Other(), .wrong),
        ] as [(any Error & Sendable, Status)])
    fileprivate func statusOfAnError(error: any Error & Sendable, status: Status) {
        #expect(Status.of(error) == status)
    }

    @Test func aCommandEndsWithTheStatusItNames() {
        #expect(Exit(.alreadyRunning).code == 2)
        #expect(Exit(code: 77).code == 77)
    }

    /// Errors of the command line end as the argument parser decides, which is EX_USAGE.
    @Test(arguments: [["--nonsense"], ["nonsense"], ["history", "--limit", "0"], ["token"]])
    func aWrongCommandLineIsWrongUsage(arguments: [String]) {
        do {
            _ = try RootCommand.parseAsRoot(arguments)
            Issue.record("accepted")
        } catch {
            #expect(RootCommand.exitCode(for: error).rawValue == Status.usage.rawValue)
        }
    }
}
