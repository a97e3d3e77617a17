import Glibc
import Linux
import RunProtocol
import TestSupport
import Testing

@testable import SyncRunner

/// The verdicts on processes, from a process table that the tests write.
@Suite struct ScriptProcessSearchTests {
    private static let pid: Int32 = 9_000_001
    private let folder: TemporaryFolder
    private let proc: FakeProc
    private var script: String { folder("sync.sh") }

    init() throws {
        folder = try TemporaryFolder()
        proc = try FakeProc()
        try write("sync.sh", "#!/bin/bash\necho the text that only this script has\n")
    }

    private func write(_ name: String, _ text: String) throws {
        try Descriptor.open(folder(name), O_WRONLY | O_CREAT | O_EXCL).write(Array(text.utf8))
    }

    /// - Parameter owner: of the script's lock file.
    private func answer(owner: UInt32 = 33) throws -> ScriptProcess {
        try ScriptProcessSearch(script: script, in: proc.table).answer(owner: owner)
    }

    private func addShell(_ arguments: [String], user: UInt32 = 33, open: [Int: String] = [:], cwd: String? = nil, syscall: String = "running") throws
    {
        try proc.add(Self.pid, "bash", program: "/bin/bash", arguments, user: user, open: open, cwd: cwd, syscall: syscall)
    }

    @Test func withoutOtherProcessesItIsNo() throws {
        #expect(try answer() == .no)
    }

    @Test func aShellWithTheScriptAsArgumentRunsIt() throws {
        try addShell(["bash", "-eu", script])
        #expect(try answer() == .yes)
    }

    @Test func aLinkToTheScriptRunsIt() throws {
        try #require(symlink(script, folder("alias")) == 0)
        try addShell(["bash", folder("alias")])
        #expect(try answer() == .yes)
    }

    @Test func aNameInTheProcessesOwnFolderRunsIt() throws {
        try addShell(["bash", "./sync.sh"], cwd: folder.path)
        #expect(try answer() == .yes)
    }

    @Test func aShellThatHasTheScriptOpenRunsIt() throws {
        try addShell(["bash", "sync.sh"], open: [255: script])
        #expect(try answer() == .yes)
    }

    @Test func aShellThatHasTheReplacedScriptOpenRunsIt() throws {
        try addShell(["bash", "sync.sh"], open: [255: script + " (deleted)"])
        #expect(try answer() == .yes)
    }

    @Test func aCompiledScriptIsKnownByItsProgram() throws {
        try proc.add(Self.pid, "other-name", program: script, ["other name"])
        #expect(try answer() == .yes)
    }

    @Test func anotherProgramThatNamesTheScriptOnlyInAnOptionDoesNotRunIt() throws {
        try proc.add(Self.pid, "tail", program: "/usr/bin/tail", ["tail", "-f", "/var/log/sync.log"], user: 33)
        #expect(try answer() == .no)
    }

    @Test func anotherScriptOfTheShellDoesNotRunIt() throws {
        try write("other.sh", "echo harmless\n")
        try addShell(["bash", folder("other.sh")])
        #expect(try answer() == .no)
    }

    @Test(arguments: ["/opt/x/sync.sh --all\n", ". \"$config\"\n", "echo the text that only this script has\n"])
    func anotherScriptThatMayUseItLeavesItOpen(text: String) throws {
        try write("other.sh", text)
        try addShell(["bash", folder("other.sh")])
        #expect(try answer() == .cannotSee)
    }

    @Test(arguments: [("cd /opt && ./sync.sh", ScriptProcess.cannotSee), ("sleep 5", .no)])
    func aCommandTextCountsIfItMayUseTheScript(text: String, expected: ScriptProcess) throws {
        try addShell(["bash", "-c", text])
        #expect(try answer() == expected)
    }

    @Test func anOtherwiseUnknownShellOfAnotherUserDoesNotCount() throws {
        try addShell(["bash", "-c", "./sync.sh"], user: 1000)
        #expect(try answer() == .no)
        #expect(try answer(owner: 1000) == .cannotSee)
    }

    @Test func anUnknownShellOfRootCounts() throws {
        try addShell(["bash", "-c", "./sync.sh"], user: 0)
        #expect(try answer() == .cannotSee)
    }

    @Test func ourAncestorsDoNotCount() throws {
        try proc.add(getppid(), "bash", program: "/bin/bash", ["bash", "-c", "./sync.sh"], user: 33)
        #expect(try answer() == .no)
    }

    @Test(arguments: ["/dev/null", "/dev/tty"]) func commandsFromATerminalOrNowhereAreNoScript(input: String) throws {
        try addShell(["bash"], open: [0: input])
        #expect(try answer() == .no)
    }

    @Test func aShellThatWaitsForInputExecutesNothing() throws {
        try #require(mkfifo(folder("pipe"), 0o600) == 0)
        #if arch(x86_64)
            let read = "0"
        #else
            let read = "63"
        #endif
        try addShell(["bash"], open: [0: folder("pipe")], syscall: "\(read) 0x0 0x1 0x1")
        #expect(try answer() == .no)
    }

    @Test func aShellThatHasReadItsInputMayExecuteIt() throws {
        try #require(mkfifo(folder("pipe"), 0o600) == 0)
        try addShell(["bash"], open: [0: folder("pipe")])
        #expect(try answer() == .cannotSee)
    }

    @Test func aHiddenProcessIsJudgedByItsNames() throws {
        try proc.add(Self.pid, "cron", program: nil, ["/usr/sbin/cron", "-f"])
        #expect(try answer() == .no)
        try proc.add(Self.pid + 1, "sync.sh", program: nil, ["bash", "sync.sh"])
        #expect(try answer() == .yes)
    }

    @Test func aHiddenShellWithoutATerminalLeavesItOpen() throws {
        try proc.add(Self.pid, "bash", program: nil, ["bash"], user: 33, terminal: 34816)
        #expect(try answer() == .no, "a person's shell")
        try proc.add(Self.pid + 1, "bash", program: nil, ["bash"], user: 33)
        #expect(try answer() == .cannotSee)
    }

    @Test func aWrapperInTheFirstLineLeavesItOpen() throws {
        try write("wrapped.sh", "#!/usr/bin/nice bash\n")
        #expect(try ScriptProcessSearch(script: folder("wrapped.sh"), in: proc.table).answer(owner: 33) == .cannotSee)
    }

    @Test func aFolderWithoutTheFirstProcessShowsNotAllProcesses() throws {
        let empty = try TemporaryFolder()
        #expect(try ScriptProcessSearch(script: script, in: ProcessTable(root: empty.path)).answer(owner: 33) == .cannotSee)
    }

    @Test func aScriptThatCannotBeReadIsAnError() {
        #expect(throws: SystemError.self) { try ScriptProcessSearch(script: folder("missing"), in: proc.table) }
        #expect(ScriptProcessSearch.answer(script: folder("missing"), lockPath: folder("no lock")) == .cannotSee)
    }
}
