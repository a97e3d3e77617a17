import Glibc
import Linux
import RunProtocol

/// Room on the disk for a run's output and result, taken before the script starts: a script that ran must not end
/// without a record because the disk filled up meanwhile.
struct Reservation {
    let spool: OutputSpool
    private let result: Descriptor
    private let directory: RunDirectory

    /// - Throws: where there is no room; then nothing is to be started.
    init(in directory: RunDirectory, outputLimit: Int64) throws(SystemError) {
        self.directory = directory
        // Leftovers of a start that came to nothing. The run lock makes us the only one here.
        try Files.removeIfPresent(directory.preparedOutput)
        try Files.removeIfPresent(directory.preparedResult)
        do {
            spool = try OutputSpool(creating: directory.preparedOutput, limit: outputLimit)
            result = try Descriptor.open(directory.preparedResult, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW)
            try result.reserve(RunDirectory.resultBytes)
        } catch {
            // Half of it would only take room from whoever needs it next.
            Self.remove(in: directory)
            throw error
        }
    }

    /// Gives the output its run's name, where a reader finds it while the script runs.
    func assign(to run: Int64) throws(SystemError) {
        // A leftover under this number is not of this run: numbers are given out once.
        try directory.removeSpool(of: run)
        try Files.rename(directory.preparedOutput, directory.output(of: run))
    }

    /// Writes the result into the room kept for it; whoever sees it under its name sees all of it, also after a crash.
    func store(_ message: Message, of run: Int64) throws(SystemError) {
        let bytes = message.encoded()
        try result.write(bytes[...], at: 0)
        try result.truncate(to: Int64(bytes.count))
        try result.sync()
        try Files.rename(directory.preparedResult, directory.result(of: run))
        try Files.syncFolder(of: directory.result(of: run))
    }

    /// Where the start came to nothing after all.
    func abandon() { Self.remove(in: directory) }

    private static func remove(in directory: RunDirectory) {
        try? Files.removeIfPresent(directory.preparedOutput)
        try? Files.removeIfPresent(directory.preparedResult)
    }
}
