import Linux

/// The files in the run directory. Supervisors write them; the service reads them as hostile input.
package struct RunDirectory: Sendable {
    package let path: String

    package init(_ path: String) { self.path = path }

    /// The number of the descriptor through which the script inherits the run lock.
    ///
    /// No program uses it by accident. Scripts redirect 3 to 9 by hand, shells save descriptors at 10 and above, and bash puts
    /// its script at 255 and below. A new descriptor takes the lowest free number. 1000 is below 1024, the limit of children,
    /// above which select(2) fails. If the machine allows fewer descriptors, the highest allowed number is used.
    package static let lockDescriptor: Int32 = 1000

    /// The run lock's file. It is never removed, because a lock on a file without a name guards nothing.
    package var lockFile: String { path + "/run.lock" }
    /// The kept part of a run's output. It exists until the run is recorded.
    package func output(of run: Int64) -> String { "\(path)/run-\(run).output" }
    /// A run's ``RunResult``. It exists from the end of the run until the run is recorded.
    package func result(of run: Int64) -> String { "\(path)/run-\(run).result" }

    /// The socket on which the supervisor of a run accepts a ``CancelRequest``.
    package func socket(of run: Int64) -> String { "\(path)/run-\(run).sock" }
    /// Reserved space for output and result. The supervisor takes it before the script starts and renames the files when the
    /// run has its number. Only the holder of the run lock touches them.
    package var preparedOutput: String { path + "/next.output" }
    package var preparedResult: String { path + "/next.result" }
    /// The space that is reserved for a result.
    package static let resultBytes: Int64 = 4096
    /// The disk space that a run takes here before it starts.
    /// - Parameter outputLimit: as in ``RunRequest/outputLimit``.
    package static func reservedBytes(outputLimit: Int64) -> Int64 {
        // The rest is for the spool's head and the file system's own data of two files and a folder.
        outputLimit + resultBytes + 65536
    }

    /// Reads a stored result.
    /// - Returns: nil if there is none.
    /// - Throws: `SystemError` if it cannot be read, ``MessageError`` if it is not a result.
    package func readResult(of run: Int64) throws -> RunResult? {
        let bytes: [UInt8]
        do {
            bytes = try Files.read(result(of: run), limit: 65536)
        } catch  where error.isNoSuchFile {
            return nil
        }
        return try RunResult(Message(decoding: bytes))
    }

    /// Removes the files of a recorded run. The result goes last: while it exists, the run can still be recorded.
    package func removeSpool(of run: Int64) throws(SystemError) {
        try Files.removeIfPresent(socket(of: run))
        try Files.removeIfPresent(output(of: run))
        try Files.removeIfPresent(result(of: run))
    }
}
