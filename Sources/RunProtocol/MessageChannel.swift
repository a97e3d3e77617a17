import Linux

/// Why nothing came or could be sent.
package enum ChannelError: Error, Sendable, CustomStringConvertible {
    /// The other side is gone.
    case closed
    /// Nothing came in time.
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

/// Messages over a stream socket, each after its length in 4 bytes, big endian. Calls block.
package struct MessageChannel: Sendable {
    /// The socket; readable when a message or the end waits.
    package let descriptor: Descriptor

    package init(_ descriptor: Descriptor) { self.descriptor = descriptor }

    /// Sends one message whole.
    package func send(_ message: Message) throws(ChannelError) {
        let bytes = message.encoded()
        do {
            try descriptor.write(bigEndian(UInt32(truncatingIfNeeded: bytes.count)) + bytes)
        } catch {
            throw error.isBrokenPipe ? .closed : .system(error)
        }
    }

    /// Waits for one message.
    /// - Parameter milliseconds: how long, for the whole message; nil waits until the other side speaks or goes.
    package func receive(milliseconds: Int64? = nil) throws(ChannelError) -> Message {
        let deadline = milliseconds.map { Clock.monotonicMilliseconds() + $0 }
        let length = try read(4, deadline).reduce(0) { $0 << 8 | Int($1) }
        guard length <= Message.maximumBytes else { throw .message(.malformed("\(length) bytes long")) }
        let bytes = try read(length, deadline)
        do { return try Message(decoding: bytes) } catch { throw .message(error) }
    }

    /// Says goodbye and waits until the other side is gone: with it goes what it held, such as the run lock.
    /// - Parameter milliseconds: how long at the most.
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
