import Linux

/// Why a message could not be received or sent.
package enum ChannelError: Error, Sendable, CustomStringConvertible {
    /// The other side closed the connection.
    case closed
    /// No whole message arrived in time.
    case timedOut
    case message(MessageError)
    case system(SystemError)

    package var description: String {
        switch self {
        case .closed: "the other side closed the connection"
        case .timedOut: "no answer in time"
        case .message(let error): error.description
        case .system(let error): error.description
        }
    }
}

/// Sends and receives messages over a stream socket. Each message follows its length (4 bytes, big endian). Calls block.
package struct MessageChannel: Sendable {
    /// The socket. It is readable when a message or the end of the connection waits.
    package let descriptor: Descriptor

    package init(_ descriptor: Descriptor) { self.descriptor = descriptor }

    /// Sends one whole message. Blocks while the socket's buffer is full.
    package func send(_ message: Message) throws(ChannelError) {
        let bytes = message.encoded()
        do {
            try descriptor.write(bigEndian(UInt32(truncatingIfNeeded: bytes.count)) + bytes)
        } catch {
            throw error.isBrokenPipe ? .closed : .system(error)
        }
    }

    /// Waits for one message.
    /// - Parameter milliseconds: the time limit for the whole message; nil waits until a message comes or the connection ends.
    package func receive(milliseconds: Int64? = nil) throws(ChannelError) -> Message {
        let deadline = milliseconds.map { Clock.monotonicMilliseconds() + $0 }
        let length = try read(4, deadline).reduce(0) { $0 << 8 | Int($1) }
        guard length <= Message.maximumBytes else { throw .message(.malformed("\(length) bytes long")) }
        let bytes = try read(length, deadline)
        do { return try Message(decoding: bytes) } catch { throw .message(error) }
    }

    /// Ends our half of the connection and waits until the other side is gone. It then no longer holds the run lock.
    /// - Parameter milliseconds: the time limit for each message that still comes.
    package func hangUp(milliseconds: Int64) {
        LocalSocket.endWriting(descriptor)
        while (try? receive(milliseconds: milliseconds)) != nil {}
    }

    private func read(_ count: Int, _ deadline: Int64?) throws(ChannelError) -> [UInt8] {
        var bytes: [UInt8] = []
        do {
            while bytes.count < count {
                let left = deadline.map { $0 - Clock.monotonicMilliseconds() }
                if try Poll.readable([descriptor], milliseconds: left).isEmpty {
                    if let deadline, Clock.monotonicMilliseconds() >= deadline { throw ChannelError.timedOut }
                    continue
                }
                var piece = [UInt8](repeating: 0, count: min(count - bytes.count, 65536))
                let got = try descriptor.read(into: &piece) ?? 0
                guard got > 0 else { throw ChannelError.closed }
                bytes += piece.prefix(got)
            }
        } catch let error as ChannelError {
            throw error
        } catch let error as SystemError {
            throw error.isBrokenPipe ? .closed : .system(error)
        } catch {
            throw .closed
        }
        return bytes
    }
}
