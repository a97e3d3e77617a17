import History
import Linux
import Logging
import RunProtocol
import Synchronization

/// Ends runs because an administrator wants that. The supervisor does it where it can be reached; otherwise the runner ends
/// every process that holds the run lock. Calls block.
final class RunCancellation: Sendable {
    private static let patienceMilliseconds: Int64 = 5000
    private static let looksForAnEnd = 20
    private static let betweenLooksMilliseconds: Int64 = 100

    private let directory: RunDirectory
    private let history: HistoryStore
    private let terminator: OrphanTerminator
    private let logger: Logger
    /// Runs that were ended without their supervisor, which otherwise says why a run ended. Locked while a runner is asked:
    /// the end of the run must not be recorded before it is known whether that caused it.
    private let forced = Mutex<Set<Int64>>([])
    /// Runs whose supervisor has promised to end them. Where it dies before it does, the runner does it.
    private let promised = Mutex<Set<Int64>>([])

    init(directory: RunDirectory, history: HistoryStore, terminator: OrphanTerminator, logger: Logger) {
        self.directory = directory
        self.history = history
        self.terminator = terminator
        self.logger = logger
    }

    /// Begins to end a run.
    func cancel(_ run: Int64) -> CancelAnswer {
        do {
            guard try askSupervisor(run) == .ending else { return .tooLate }
            promise(run)
            return .ending
        } catch {
            logger.warning("the supervisor of run \(run) cannot be asked to end it: \(error)")
        }
        return hasEnded(run) ? .tooLate : askRunner(run)
    }

    /// Whether a run has left its result and released the run lock. A supervisor that ends does both in this order within a
    /// moment. A script that puts a result there keeps the run lock.
    private func hasEnded(_ run: Int64) -> Bool {
        for _ in 0..<Self.looksForAnEnd {
            guard (try? Files.facts(directory.result(of: run), followLink: false)) != nil else { return false }
            if (try? directory.runLock())?.held == false { return true }
            _ = try? Poll.readable([], milliseconds: Self.betweenLooksMilliseconds)
        }
        return false
    }

    private func promise(_ run: Int64) { promised.withLock { _ = $0.insert(run) } }

    /// Whether an administrator was told that this run is being ended.
    func isPromised(_ run: Int64) -> Bool { promised.withLock { $0.contains(run) } }

    /// Takes over a promise that an earlier service made: the audit log has it.
    func recallPromise(_ run: Int64) {
        if (try? history.isCancelPromised(run)) == true { promise(run) }
    }

    /// Ends a promised run in the place of a supervisor that is gone.
    func keepPromise(_ run: Int64) { _ = askRunner(run) }

    /// Whether a run was ended here without its supervisor, so that its record says cancelled. Waits while a runner is asked.
    func wasForced(_ run: Int64) -> Bool { forced.withLock { $0.contains(run) } }

    private func askSupervisor(_ run: Int64) throws -> CancelReply {
        let socket = try LocalSocket.connect(directory.socket(of: run))
        // The script may have put a socket of its own under that name. Its answer must not pass for the supervisor's.
        let peer = try LocalSocket.peerProcess(socket)
        guard try directory.hasTakenRunLock(peer) else { throw Stranger(process: peer) }
        let supervisor = MessageChannel(socket)
        try supervisor.send(CancelRequest.message)
        return try CancelReply(supervisor.receive(milliseconds: Self.patienceMilliseconds))
    }

    private func askRunner(_ run: Int64) -> CancelAnswer {
        do {
            return try forced.withLock { runs in
                guard try terminator.end(run) else { return .tooLate }
                runs.insert(run)
                return .ending
            }
        } catch {
            logger.error("run \(run) cannot be cancelled: \(error)")
            return .unreachable
        }
    }
}

/// Another process than the run's supervisor listens at its socket.
private struct Stranger: Error, CustomStringConvertible {
    let process: Int32
    var description: String { "process \(process) listens in its place and has not taken the run lock; did the script put it there?" }
}
