import Linux

/// The names in the run directory: what supervisors leave there and the service reads as hostile input.
package struct RunDirectory: Sendable {
    package let path: String

    package init(_ path: String) { self.path = path }

    /// The number under which the script inherits the run lock.
    ///
    /// Scripts redirect 3 to 9 by hand, shells put what they save at 10 and above, bash its script at 255 and downwards. A
    /// new descriptor takes the lowest free number, so none comes up here. It is below 1024, the limit that children get and
    /// above which select(2) fails. Where the machine allows fewer descriptors, the highest that it allows is taken.
    package static let lockDescriptor: Int32 = 1000

    /// The run lock file. It is never removed: a lock on a file that has lost its name guards nothing.
    package var lockFile: String { path + "/run.lock" }
    /// The kept part of a run's output while it runs and until it is recorded.
    package func output(of run: Int64) -> String { "\(path)/run-\(run).output" }
    /// A run's ``RunResult``, there from its end until it is recorded.
    package func result(of run: Int64) -> String { "\(path)/run-\(run).result" }

    /// Where the supervisor of a run listens for a cancel.
    package func socket(of run: Int64) -> String { "\(path)/run-\(run).sock" }
    /// Room for output and result, taken before the script starts and renamed when the run has its number. Only the
    /// holder of the run lock touches these.
    package var preparedOutput: String { path + "/next.output" }
    package var preparedResult: String { path + "/next.result" }
    /// Room for a run's result.
    package static let resultBytes: Int64 = 4096
    /// Room on the disk that a run takes here before it starts.
    /// - Parameter outputLimit: as in ``RunRequest/outputLimit``.
    package static func reservedBytes(outputLimit: Int64) -> Int64 {
        // With room for the head of the output, and for what a file system adds to two files and a folder.
        outputLimit + resultBytes + 65536
    }

    /// Reads a stored result.
    /// - Returns: nil where there is none.
    /// - Throws: `SystemError` where it cannot be read, ``MessageError`` where it is not a result.
    package func readResult(of run: Int64) throws -> RunResult? {
        let bytes: [UInt8]
        do {
            bytes = try Files.read(result(of: run), limit: 65536)
        } catch where error.isNoSuchFile {
            return nil
        }
        return try RunResult(Message(decoding: bytes))
    }

    /// Removes what a recorded run left. The result goes last: while it is there, the run can still be recorded.
    package func removeSpool(of run: Int64) throws(SystemError) {
        try Files.removeIfPresent(socket(of: run))
        try Files.removeIfPresent(output(of: run))
        try Files.removeIfPresent(result(of: run))
    }
}
