import HTTPTypes
import NIOCore

/// A response whose head is encoded when it is made. So a response that is made once is sent again and again without work.
package struct Response: Sendable {
    package enum Body: Sendable {
        /// The head says how long the body of a response to GET would be.
        case none
        case bytes([UInt8])
        case stream(ResponseStream)
    }

    package let status: HTTPResponse.Status
    /// Status line and header fields as they are sent (RFC 9112 section 4), without the empty line behind them.
    package private(set) var head: [UInt8]
    package private(set) var body: Body

    /// - Parameter headers: without Content-Length. No value may contain CR or LF; none in ``HTTPFields`` can.
    init(_ status: HTTPResponse.Status, _ headers: HTTPFields, _ body: Body) {
        self.status = status
        self.body = body
        head = Array("HTTP/1.1 \(status.code) \(status.reasonPhrase)\r\n".utf8)
        add(headers)
        switch body {
        case .none: break
        case .bytes(let bytes): addContentLength(bytes.count)
        case .stream(let stream): addContentLength(stream.count)
        }
    }

    /// Adds fields behind those that are there.
    /// - Parameter fields: none of them may be there already.
    package mutating func add(_ fields: HTTPFields) {
        for field in fields { add(field.name.rawName, field.value) }
    }

    /// Drops the body, as for HEAD (RFC 9110 section 9.3.2).
    mutating func dropBody() { body = .none }

    /// The whole response, or its head if the body is a stream.
    /// - Parameter connection: the value of the field Connection; nil: without it.
    func encoded(connection: String?, _ allocator: ByteBufferAllocator) -> ByteBuffer {
        let fields = connection.map { "Connection: \($0)\r\n\r\n" } ?? "\r\n"
        var bytes: [UInt8] = []
        if case .bytes(let body) = body { bytes = body }
        var buffer = allocator.buffer(capacity: head.count + fields.utf8.count + bytes.count)
        buffer.writeBytes(head)
        buffer.writeString(fields)
        buffer.writeBytes(bytes)
        return buffer
    }

    private mutating func addContentLength(_ count: Int) { add("Content-Length", String(count)) }

    private mutating func add(_ name: String, _ value: String) {
        head += name.utf8
        head += ": ".utf8
        head += value.utf8
        head += "\r\n".utf8
    }
}

/// A body that is sent piece by piece, so that a client that does not read holds little memory.
package struct ResponseStream: Sendable {
    /// Sends a piece, and returns when the kernel has taken it.
    /// - Throws: why the connection is closed.
    package typealias Send = @Sendable (_ piece: [UInt8]) async throws -> Void

    /// How many bytes the body has. A body that turns out to have another length is cut short, and the connection closed.
    let count: Int
    let write: @Sendable (Send) async throws -> Void

    package init(count: Int, _ write: @escaping @Sendable (Send) async throws -> Void) {
        self.count = count
        self.write = write
    }
}
