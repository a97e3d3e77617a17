import Glibc
import Linux
import RunProtocol

/// What lives of a run whose supervisor is gone. Two facts of the kernel tell: who holds a lock through an open file that
/// it inherited, and whose supervisor's death made it a child of our parent.
struct RunRemains {
    let directory: RunDirectory
    /// nil asks only for those who hold the run lock, whatever run theirs is.
    let run: Int64?
    /// Our parent when we started, the service or the listener. It is a subreaper: what a dead supervisor leaves becomes
    /// its child.
    let keeper: Int32

    /// Their process numbers, ours left out. Descriptors of a process that cannot be traced are hidden from us unless
    /// we are root: supervisors, which end by themselves when they are told to.
    func processes() -> [Int32] {
        let entries = ProcessTable.entries()
        var found = Set(holders(entries))
        if let run { found.formUnion(orphans(of: run, entries)) }
        found.remove(getpid())
        return found.sorted()
    }

    private func holders(_ entries: [ProcessEntry]) -> [Int32] {
        guard let lock = try? Files.facts(directory.lockFile, followLink: false) else { return [] }
        let holders = entries.filter { $0.holdsLock(on: lock) }
        guard let run else { return holders.map(\.pid) }
        // Between the service's question and this look another run may have begun; it must not be ended in place of this
        // one. The script can write into the lock file, so its environment counts as well.
        let described = (try? directory.runLock())?.holder?.run == run
        return holders.filter { described || $0.belongs(to: run) }.map(\.pid)
    }

    /// The keeper's other children are runners, which lack the run's number in their environment. What a living
    /// supervisor has started is its own child and not the keeper's.
    private func orphans(of run: Int64, _ entries: [ProcessEntry]) -> [Int32] {
        guard getppid() == keeper else { return [] }
        let adopted = entries.filter { $0.parent == keeper && $0.belongs(to: run) }.map(\.pid)
        return adopted + ProcessTable.descendants(of: adopted, in: entries)
    }
}

extension ProcessEntry {
    /// Whether the process has an open file that holds a lock, flock or of the open file description, on this file.
    /// Asks fdinfo, which needs no look at the file itself: other files may lie on a disk that hangs.
    func holdsLock(on file: FileFacts) -> Bool {
        guard !isKernelThread, let numbers = try? Files.names(in: folder + "/fdinfo") else { return false }
        return numbers.contains { number in
            guard let info = try? Descriptor.open("\(folder)/fdinfo/\(number)", O_RDONLY), let bytes = try? info.read(at: 0, count: 8192),
                String(decoding: bytes, as: UTF8.self).split(separator: "\n").contains(where: { $0.hasPrefix("lock:") }),
                let open = try? Files.facts("\(folder)/fd/\(number)", followLink: true)
            else { return false }
            return open.isSameFile(as: file)
        }
    }

    /// Whether it was started with the run's number in its environment.
    func belongs(to run: Int64) -> Bool {
        guard let file = try? Descriptor.open(folder + "/environ", O_RDONLY), let bytes = try? file.read(at: 0, count: 1 << 20) else { return false }
        return bytes.split(separator: 0).contains { $0.elementsEqual("SYNC_RUN_ID=\(run)".utf8) }
    }
}

/// Ends what is left of a run. This process works for nothing else from then on.
struct RunEnding {
    /// How long killed processes may take to vanish; one in an uninterruptible wait may never.
    private static let killMilliseconds: Int64 = 5000
    private static let lookMilliseconds: Int64 = 100

    let request: EndRunRequest
    let service: MessageChannel
    let keeper: Int32

    /// Returns once nothing of it is found any more, or KILL has not helped.
    func run() throws {
        let remains = RunRemains(directory: RunDirectory(request.runDirectory), run: request.run, keeper: keeper)
        let first = remains.processes()
        guard !first.isEmpty else { return try service.send(EndRunReply.nothingLeft.message) }
        signal(first, SIGTERM)
        // A stopped process does not see its TERM.
        signal(first, SIGCONT)
        complain("the supervisor of run \(request.run) is gone; ending what it left: \(first.map(String.init).joined(separator: " "))")
        // The work goes on whether or not the service hears of it.
        try? service.send(EndRunReply.ending(RunProcesses(pids: first.map(Int64.init))).message)
        let killAt = Clock.monotonicMilliseconds() + request.graceSeconds * 1000
        while true {
            _ = try Poll.readable([], milliseconds: Self.lookMilliseconds)
            let left = remains.processes()
            let now = Clock.monotonicMilliseconds()
            if left.isEmpty { return }
            if now >= killAt { Killing.kill(remains.processes) }
            if now >= killAt + Self.killMilliseconds {
                return complain("run \(request.run): KILL does not end \(left.map(String.init).joined(separator: " ")); see ps -o pid,stat,wchan,args")
            }
        }
    }

    private func signal(_ processes: [Int32], _ number: Int32) {
        for process in processes { kill(process, number) }
    }
}

extension RunProcesses {
    init(answering request: RunProcessesRequest, keeper: Int32) {
        let remains = RunRemains(directory: RunDirectory(request.runDirectory), run: request.run, keeper: keeper)
        self.init(pids: remains.processes().map(Int64.init))
    }
}
