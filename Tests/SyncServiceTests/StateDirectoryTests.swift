import Glibc
import Linux
import TestSupport
import Testing

@testable import SyncService

@Suite struct StateDirectoryTests {
    private let folder: TemporaryFolder
    private let settings: Settings

    init() throws {
        folder = try TemporaryFolder()
        settings = try Settings(source("SYNC_STATE_DIR=\(folder("state"))"), secrets: nil)
    }

    private var directory: StateDirectory { StateDirectory(settings) }

    private func mode(_ name: String) throws -> UInt32 { try Files.facts(folder(name), followLink: false).mode & 0o7777 }

    @Test func preparingCreatesBothFolders() throws {
        try directory.prepare()
        #expect(try mode("state") == 0o700)
        #expect(try mode("state/run") == 0o700)
        try directory.prepare()
    }

    @Test func checkingChangesNothing() throws {
        try directory.check()
        #expect(throws: SystemError.self) { try mode("state") }
        try folder.run("/bin/mkdir", ["-m", "700", folder("state")])
        try directory.check()
        #expect(throws: SystemError.self) { try mode("state/run") }
    }

    @Test func aFolderThatCannotBeCreatedIsFound() throws {
        let settings = try Settings(source("SYNC_STATE_DIR=\(folder("missing/state"))"), secrets: nil)
        for message in [refusal { try StateDirectory(settings).check() }, refusal { try StateDirectory(settings).prepare() }] {
            #expect(message?.contains("SYNC_STATE_DIR: ") == true)
            #expect(message?.contains("install -d -m 700") == true)
        }
    }

    @Test(arguments: ["701", "750", "722"])
    func anOpenFolderIsRefused(mode: String) throws {
        try folder.run("/bin/mkdir", ["-m", mode, folder("state")])
        #expect(refusal { try directory.prepare() }?.contains("others can enter \(folder("state")) (mode \(mode))") == true)
    }

    @Test func theRunFolderMayBeOpenToItsGroup() throws {
        try directory.prepare()
        try folder.run("/bin/chmod", ["770", folder("state/run")])
        try directory.check()
        try folder.run("/bin/chmod", ["775", folder("state/run")])
        #expect(refusal { try directory.check() }?.contains("SYNC_RUN_DIR: others can enter") == true)
    }

    /// The state directory is judged before anything is created in it.
    @Test func aFileInTheirPlaceIsNamed() throws {
        try folder.run("/bin/touch", [folder("state")])
        #expect(refusal { try directory.prepare() }?.hasPrefix("SYNC_STATE_DIR: \(folder("state")) is a link or a file") == true)
    }

    @Test func aLinkIsRefused() throws {
        try folder.run("/bin/mkdir", ["-m", "700", folder("real")])
        try folder.run("/bin/ln", ["-s", folder("real"), folder("state")])
        #expect(refusal { try directory.prepare() }?.contains("is a link or a file, not a folder") == true)
    }

    @Test func aRunFolderOfAnotherUsersRunnerIsNeverCreated() throws {
        let settings = try Settings(
            source("SYNC_STATE_DIR=\(folder("state"))\nSYNC_RUN_DIR=\(folder("shared"))\nSYNC_RUNNER_SOCKET=/run/a.sock"), secrets: nil)
        let message = refusal { try StateDirectory(settings).prepare() }
        #expect(message?.contains("SYNC_RUN_DIR: ") == true)
        #expect(message?.contains("install -d -m 2770 -o RUNNER") == true)
        #expect(throws: SystemError.self) { try mode("shared") }
        try folder.run("/bin/mkdir", ["-m", "2770", folder("shared")])
        #expect(refusal { try StateDirectory(settings).prepare() }?.contains("the runner's must own it") == true)
    }

    /// A record lock belongs to a process, so a second holder needs a process of its own: see test_commands.py.
    @Test func theLockNamesItsHolder() throws {
        try directory.prepare()
        let lock = try directory.lockForService()
        let holder = String(decoding: try Files.read(folder("state/service.lock"), limit: 32), as: UTF8.self)
        #expect(holder == "\(getpid())\n")
        withExtendedLifetime(lock) {}
    }
}
