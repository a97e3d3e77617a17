import Glibc
import Linux
import RunProtocol
import TestSupport
import Testing

@testable import SyncRunner

@Suite struct ReservationTests {
    private let folder: TemporaryFolder
    private var directory: RunDirectory { RunDirectory(folder.path) }

    init() throws { folder = try TemporaryFolder() }

    private static let result = RunResult(
        exitCode: 0, lockFileSeen: false, scriptChanged: false, outputBytes: 0, outputSHA256: String(repeating: "a", count: 64),
        finishedAt: 1_700_000_000_000, durationMilliseconds: 5)

    private func names() throws -> [String] { try Files.names(in: folder.path).sorted() }

    @Test func theSpaceIsTakenBeforeTheRunHasANumber() throws {
        _ = try Reservation.make(in: directory, outputLimit: 10_000)
        #expect(try names() == ["next.output", "next.result"])
        #expect(try Files.facts(directory.preparedOutput, followLink: false).size >= 10_000)
        #expect(try Files.facts(directory.preparedResult, followLink: false).size == RunDirectory.resultBytes)
    }

    @Test func leftoversOfAFailedStartAreReplaced() throws {
        _ = try Reservation.make(in: directory, outputLimit: 100)
        _ = try Reservation.make(in: directory, outputLimit: 50)
        #expect(try Files.facts(directory.preparedOutput, followLink: false).size < 100)
    }

    @Test func anAbandonedReservationLeavesNothing() throws {
        try Reservation.make(in: directory, outputLimit: 100).abandon()
        #expect(try names() == [])
    }

    @Test func aPartialReservationIsRemoved() throws {
        // The file is made, and no disk has the space.
        #expect(throws: SystemError.self) { try Reservation.make(in: directory, outputLimit: .max / 2) }
        #expect(try names() == [])
    }

    @Test func outputAndResultGetTheNameOfTheRun() throws {
        let reservation = try Reservation.make(in: directory, outputLimit: 100)
        try reservation.assign(to: 7)
        #expect(try names() == ["next.result", "run-7.output"])
        try reservation.store(Self.result.message, of: 7)
        #expect(try names() == ["run-7.output", "run-7.result"])
        #expect(try directory.readResult(of: 7) == Self.result)
        #expect(try Files.facts(directory.result(of: 7), followLink: false).size < RunDirectory.resultBytes)
    }

    @Test func leftoversUnderTheRunsNumberAreRemoved() throws {
        for name in ["run-7.output", "run-7.result", "run-7.sock"] { _ = try Descriptor.open(folder(name), O_RDWR | O_CREAT) }
        try Reservation.make(in: directory, outputLimit: 100).assign(to: 7)
        #expect(try names() == ["next.result", "run-7.output"])
    }
}
