import AuditLog

extension CheckpointFile {
    /// What the end of the file holds.
    package struct Content: Sendable {
        package let path: String
        package let list: CheckpointList
        /// Where the part that was read begins, and the file's size then.
        package let start: Int64
        package let size: Int64

        /// The place in the file at which a checkpoint begins.
        package func offset(of element: CheckpointList.Element) -> Int64 { start + Int64(element.offset) }
    }
}

extension CheckpointFile.Content {
    /// What of the file could not be used, for people.
    package var remarks: [String] {
        var remarks: [String] = []
        if list.tornCount > 0 { remarks.append("torn checkpoints passed over in \(path): \(list.tornCount)") }
        if start > 0 { remarks.append("only the last \(size - start) bytes of \(path) were read") }
        return remarks
    }
}
