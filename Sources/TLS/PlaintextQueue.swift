import NIOCore

/// Plaintext that waits for the handshake or for a writable channel, with the promises of those who wrote it.
struct PlaintextQueue {
    /// One TLS record's worth (RFC 8446, 5.1).
    static let sliceLimit = 16384

    private struct Write {
        var bytes: ByteBuffer
        let promise: EventLoopPromise<Void>?
    }

    private var writes = MarkedCircularBuffer<Write>(initialCapacity: 4)

    mutating func append(_ bytes: ByteBuffer, _ promise: EventLoopPromise<Void>?) {
        writes.append(Write(bytes: bytes, promise: promise))
    }

    /// Lets everything queued so far go.
    mutating func flush() { writes.mark() }

    /// Whether there is plaintext that may go.
    var hasFlushed: Bool { writes.hasMark }

    /// At most `sliceLimit` bytes that may go, with the promise where they are the last of their write.
    mutating func next() -> (bytes: ByteBuffer, promise: EventLoopPromise<Void>?)? {
        guard hasFlushed, let first = writes.first else { return nil }
        if first.bytes.readableBytes > Self.sliceLimit, let slice = writes[writes.startIndex].bytes.readSlice(length: Self.sliceLimit) {
            return (slice, nil)
        }
        _ = writes.removeFirst()
        return (first.bytes, first.promise)
    }

    /// Empties the queue and fails what waited in it.
    mutating func fail(_ error: any Error) {
        // A failed promise may run code that looks at this queue again.
        let failed = writes
        writes = MarkedCircularBuffer(initialCapacity: 0)
        for write in failed { write.promise?.fail(error) }
    }
}
