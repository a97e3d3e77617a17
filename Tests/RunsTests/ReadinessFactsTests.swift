import History
import RunProtocol
import Testing

@testable import Runs

@Suite struct ReadinessFactsTests {
    /// All is well, with room to spare.
    private var facts = ReadinessFacts(
        isLatched: false, isDamaged: false, isRolledBack: false, isHistoryReadable: true, isRunLockUsable: true, isRunning: false,
        isReserveHeld: true, stateDisk: .init(device: 1, freeBytes: 1 << 40), runDisk: .init(device: 1, freeBytes: 1 << 40),
        outputLimit: 1 << 20, areFoldersWritable: true, script: .fit)

    private let spool = RunDirectory.reservedBytes(outputLimit: 1 << 20)

    @Test func nothingIsWrong() { #expect(facts.reasons.isEmpty) }

    @Test mutating func everyReasonIsNamed() {
        facts.isLatched = true
        facts.isDamaged = true
        facts.isHistoryReadable = false
        facts.isRunLockUsable = false
        facts.isReserveHeld = false
        facts.areFoldersWritable = false
        facts.script = .unfit
        #expect(
            facts.reasons == [.notRecording, .historyDamaged, .historyUnreadable, .runDirectory, .diskReserve, .notWritable, .scriptUnfit])
    }

    @Test mutating func aRollbackIsNamedAsOne() {
        (facts.isDamaged, facts.isRolledBack) = (true, true)
        #expect(facts.reasons == [.historyRolledBack])
    }

    @Test mutating func theScriptIsNamed() {
        facts.script = .notSet
        #expect(facts.reasons == [.scriptNotSet])
        facts.script = .unknown
        #expect(facts.reasons == [.runner])
    }

    @Test mutating func oneDiskNeedsRoomForBoth() {
        facts.stateDisk.freeBytes = DiskReserve.startBytes + spool
        #expect(facts.reasons.isEmpty)
        facts.stateDisk.freeBytes -= 1
        #expect(facts.reasons == [.diskReserve])
        facts.isRunning = true
        #expect(facts.reasons.isEmpty, "the run in progress has taken its room")
    }

    @Test mutating func twoDisksNeedRoomForTheirOwn() {
        facts.runDisk = .init(device: 2, freeBytes: spool)
        facts.stateDisk.freeBytes = DiskReserve.startBytes
        #expect(facts.reasons.isEmpty)
        facts.runDisk.freeBytes -= 1
        #expect(facts.reasons == [.diskReserve])
        facts.runDisk.freeBytes += 1
        facts.stateDisk.freeBytes -= 1
        #expect(facts.reasons == [.diskReserve])
    }
}
