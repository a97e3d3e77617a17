import History
import RunProtocol

/// What a look found that decides whether a run could start now and be recorded. Pure.
struct ReadinessFacts: Sendable {
    struct Disk: Sendable {
        /// nil where it cannot be told.
        var device: UInt64?
        var freeBytes: Int64
    }

    enum Script: Sendable {
        case notSet, fit, unfit
        /// The runner does not answer.
        case unknown
    }

    var isLatched: Bool
    var isDamaged: Bool
    var isRolledBack: Bool
    var isHistoryReadable: Bool
    var isRunLockUsable: Bool
    var isRunning: Bool
    /// Whether the room for the end of a run is kept.
    var isReserveHeld: Bool
    var stateDisk: Disk
    var runDisk: Disk
    /// As in the settings of the script.
    var outputLimit: Int64
    var areFoldersWritable: Bool
    var script: Script

    /// Why a run could not start; empty when all is well. A run in progress is no reason: it was able to start.
    var reasons: [Readiness.Reason] {
        var reasons: [Readiness.Reason] = []
        if isLatched { reasons.append(.notRecording) }
        if isDamaged { reasons.append(isRolledBack ? .historyRolledBack : .historyDamaged) }
        if !isHistoryReadable { reasons.append(.historyUnreadable) }
        if !isRunLockUsable { reasons.append(.runDirectory) }
        if !isReserveHeld || !hasRoom { reasons.append(.diskReserve) }
        if !areFoldersWritable { reasons.append(.notWritable) }
        switch script {
        case .notSet: reasons.append(.scriptNotSet)
        case .unknown: reasons.append(.runner)
        case .unfit: reasons.append(.scriptUnfit)
        case .fit: break
        }
        return reasons
    }

    /// Whether the disks have room for the start beside the reserve, and for what the runner takes before it starts. A run in
    /// progress has taken that already.
    private var hasRoom: Bool {
        let spool = isRunning ? 0 : RunDirectory.reservedBytes(outputLimit: outputLimit)
        guard stateDisk.device != runDisk.device else { return stateDisk.freeBytes >= DiskReserve.startBytes + spool }
        return stateDisk.freeBytes >= DiskReserve.startBytes && runDisk.freeBytes >= spool
    }
}
