import Glibc
import Linux
import RunProtocol

/// Disk space for a run's output and result, taken before the script starts. So a script that ran never stays without a
/// record because the disk filled up meanwhile. Only the holder of the run lock may use it.
struct Reservation {
    let spool: OutputSpool
    private let result: Descriptor
    private let directory: RunDirectory

    private init(_ spool: OutputSpool, _ result: Descriptor, _ directory: RunDirectory) {
        self.spool = spool
        self.result = result
        self.directory = directory
    }

    /// Takes the space.
    /// - Throws: if there is no space. Then nothing may be started.
    static func make(in directory: RunDirectory, outputLimit: Int64) throws(SystemError) -> Reservation {
        // Leftovers of a start that failed.
        try Files.removeIfPresent(directory.preparedOutput)
        try Files.removeIfPresent(directory.preparedResult)
        do {
            let spool = try OutputSpool.create(directory.preparedOutput, limit: outputLimit)
            let result = try Descriptor.open(directory.preparedResult, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW)
            try result.reserve(RunDirectory.resultBytes)
            return Reservation(spool, result, directory)
        } catch {
            // A partial reservation is useless.
            remove(in: directory)
            throw error
        }
    }

    /// Gives the output the name of its run, so that readers find it while the script runs.
    func assign(to run: Int64) throws(SystemError) {
        // A leftover under this number belongs to no recorded run, because a number is given out once.
        try directory.removeSpool(of: run)
        try Files.rename(directory.preparedOutput, directory.output(of: run))
    }

    /// Writes the result into its space. A file under the result's name is always complete, also after a crash.
    func store(_ message: Message, of run: Int64) throws(SystemError) {
        let bytes = message.encoded()
        try result.write(bytes[...], at: 0)
        try result.truncate(to: Int64(bytes.count))
        try result.sync()
        try Files.rename(directory.preparedResult, directory.result(of: run))
        try Files.syncFolder(of: directory.result(of: run))
    }

    /// Frees the space after a start that failed.
    func abandon() { Self.remove(in: directory) }

    private static func remove(in directory: RunDirectory) {
        try? Files.removeIfPresent(directory.preparedOutput)
        try? Files.removeIfPresent(directory.preparedResult)
    }
}
