import NIOCore

/// Plaintext that waits for the handshake or for a writable channel, with the promises of its writes.
struct PlaintextQueue {
    /// The content of one TLS record (RFC 8446, 5.1).
    static let sliceLimit = 16384

    private struct Write {
        var bytes: ByteBuffer
        let promise: EventLoopPromise<Void>?
    }

    private var writes = MarkedCircularBuffer<Write>(initialCapacity: 4)

    mutating func append(_ bytes: ByteBuffer, _ promise: EventLoopPromise<Void>?) {
        writes.append(Write(bytes: bytes, promise: promise))
    }

    /// Releases everything that is queued so far.
    mutating func flush() { writes.mark() }

    /// Whether there is released plaintext.
    var hasFlushed: Bool { writes.hasMark }

    /// Removes at most `sliceLimit` bytes of released plaintext.
    /// - Returns: the bytes, with the promise if they are the last of their write; nil if nothing is released.
    mutating func next() -> (bytes: ByteBuffer, promise: EventLoopPromise<Void>?)? {
        guard hasFlushed, let first = writes.first else { return nil }
        if first.bytes.readableBytes > Self.sliceLimit, let slice = writes[writes.startIndex].bytes.readSlice(length: Self.sliceLimit) {
            return (slice, nil)
        }
        _ = writes.removeFirst()
        return (first.bytes, first.promise)
    }

    /// Empties the queue and fails its promises.
    mutating func fail(_ error: any Error) {
        // Emptied first, because a failed promise may run code that uses this queue.
        let failed = writes
        writes = MarkedCircularBuffer(initialCapacity: 0)
        for write in failed { write.promise?.fail(error) }
    }
}
