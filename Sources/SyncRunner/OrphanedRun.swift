import Glibc
import Linux
import RunProtocol

/// The processes of a run whose supervisor is gone. Two facts of the kernel tell: which processes hold the run lock through an
/// open file that they inherited, and which became children of our parent because their supervisor died.
struct OrphanedRun {
    let directory: RunDirectory
    /// nil: only the processes that hold the run lock, of whatever run.
    let run: Int64?
    /// Our parent when we started: the service or the listener. It is a subreaper, so the orphans of a dead supervisor become
    /// its children.
    let parent: Int32
    /// Where the process table is.
    var table = ProcessTable()

    /// Looks for the processes, without this one.
    ///
    /// Unless we are root, the descriptors of a process that cannot be traced are hidden from us. Such processes are
    /// supervisors, which end when they are told to.
    func processes() -> [Int32] {
        let entries = table.entries()
        var found = Set(holders(entries))
        if let run { found.formUnion(orphans(of: run, entries)) }
        found.remove(getpid())
        return found.sorted()
    }

    private func holders(_ entries: [ProcessEntry]) -> [Int32] {
        guard let lock = try? Files.facts(directory.lockFile, followLink: false) else { return [] }
        let holders = entries.filter { $0.holdsLock(on: lock) }
        guard let run else { return holders.map(\.pid) }
        // Another run may have begun since the service asked, and must not be ended. The script can write into the lock's
        // file, so the environment counts too.
        let described = (try? directory.runLock())?.holder?.run == run
        return holders.filter { described || $0.belongs(to: run) }.map(\.pid)
    }

    /// The other children of our parent are runners, whose environment lacks the run's number. The script of a living
    /// supervisor is a child of that supervisor.
    private func orphans(of run: Int64, _ entries: [ProcessEntry]) -> [Int32] {
        guard getppid() == parent else { return [] }
        let adopted = entries.filter { $0.parent == parent && $0.belongs(to: run) }.map(\.pid)
        return adopted + ProcessTable.descendants(of: adopted, in: entries)
    }
}
