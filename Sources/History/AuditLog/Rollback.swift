import JSON

/// A signed checkpoint outside the history that the history does not extend. An older history, or another one, was put in the
/// place of the right one.
package struct Rollback: Sendable, CustomStringConvertible {
    let path: String
    let size: Int64
    let root: String
    /// Where the checkpoint begins in the file, and how long the file was, in bytes.
    let offset: Int64
    let fileSize: Int64
    /// How many entries this history has.
    let found: Int64

    package var description: String {
        let what = size > found ? "this history has \(found)" : "this history does not extend it"
        return
            "the history was rolled back: \(path) holds a checkpoint of \(size) entries, and \(what); put the newer history back, or accept the loss with sync-service audit resume --reason"
    }

    /// What the entry `recovered` says of the checkpoint when an administrator gives it up.
    var members: [JSONValue.Member] {
        [.init("file_size", .integer(fileSize)), .init("offset", .integer(offset)), .init("root", .string(root)), .init("size", .integer(size))]
    }
}
