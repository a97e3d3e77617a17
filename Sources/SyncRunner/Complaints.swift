import Linux

/// Writes a line for the operator, to the service's log or to the journal of the runner's unit.
func complain(_ text: String) {
    try? Descriptor.standardError.write(Array("sync-runner: \(text)\n".utf8))
}

/// The runner cannot begin. The text says what is missing and what to do.
struct SetupError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
