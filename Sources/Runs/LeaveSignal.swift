import Linux

/// Tells calls that wait for a run that the process wants to leave before the run has ended.
package struct LeaveSignal: Sendable {
    /// Readable once the signal was sent.
    let descriptor: Descriptor
    private let sender: Descriptor

    private init(_ descriptor: Descriptor, _ sender: Descriptor) {
        self.descriptor = descriptor
        self.sender = sender
    }

    /// Opens a signal that is not sent yet.
    package static func open() throws(SystemError) -> LeaveSignal {
        let (descriptor, sender) = try Descriptor.pipe()
        return LeaveSignal(descriptor, sender)
    }

    /// Wakes all calls that wait, and every later one at once.
    package func send() { try? sender.write([1]) }

    /// Waits for the signal. Blocks.
    /// - Returns: whether it was sent.
    func wait(milliseconds: Int64) throws(SystemError) -> Bool {
        try !Poll.readable([descriptor], milliseconds: milliseconds).isEmpty
    }
}
