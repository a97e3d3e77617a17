import Glibc
import Linux
import RunProtocol
import TestSupport
import Testing

@testable import SyncRunner

/// Which processes belong to a run without supervisor, from a process table that the tests write.
@Suite struct OrphanedRunTests {
    private let folder: TemporaryFolder
    private let proc: FakeProc
    private let ours = ["SYNC_RUN_ID=7"]
    private var lock: String { folder("run.lock") }

    init() throws {
        folder = try TemporaryFolder()
        proc = try FakeProc()
        _ = try Descriptor.open(folder("run.lock"), O_RDWR | O_CREAT)
    }

    private func processes(run: Int64?) -> [Int32] {
        OrphanedRun(directory: RunDirectory(folder.path), run: run, parent: getppid(), table: proc.table).processes()
    }

    @Test func holdersOfTheRunLockAreFound() throws {
        try proc.add(9_000_001, "sync.sh", program: "/bin/bash", [], environment: ours, open: [1000: lock], locked: [1000])
        try proc.add(9_000_002, "other", program: "/bin/bash", [], environment: ours, open: [3: lock])
        try proc.add(9_000_003, "cron", program: "/bin/bash", [], open: [3: "/dev/null"], locked: [3])
        #expect(processes(run: 7) == [9_000_001])
        #expect(processes(run: nil) == [9_000_001])
    }

    @Test func holdersOfAnotherRunStay() throws {
        try proc.add(9_000_001, "sync.sh", program: "/bin/bash", [], environment: ["SYNC_RUN_ID=8"], open: [1000: lock], locked: [1000])
        #expect(processes(run: 7) == [])
        #expect(processes(run: nil) == [9_000_001])
    }

    @Test func adoptedOrphansOfTheRunAndTheirDescendantsAreFound() throws {
        try proc.add(9_000_001, "sync.sh", program: nil, [], parent: getppid(), environment: ours)
        try proc.add(9_000_002, "mysql", program: nil, [], parent: 9_000_001)
        try proc.add(9_000_003, "sync-runner", program: nil, [], parent: getppid())
        try proc.add(9_000_004, "sync.sh", program: nil, [], parent: 1, environment: ours)
        #expect(processes(run: 7) == [9_000_001, 9_000_002])
        #expect(processes(run: nil) == [])
    }

    @Test func aKernelThreadHoldsNoRunLock() throws {
        let thread = try #require(ProcessEntry(stat: "2 (kthreadd) S 0 0 0 0 -1 2129984 1 2 3 4 5 6 7 8 20 0 1 0 9".utf8))
        #expect(try !thread.holdsLock(on: Files.facts(lock, followLink: false)))
    }
}
