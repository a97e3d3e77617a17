import Glibc
import Testing

@testable import OpenSSL

/// A client on a real socket that blocks, each call for at most twenty seconds.
final class SocketClient {
    struct Failed: Error { let call: String, code: Int32 }

    private let descriptor: Int32
    let tls: TestClient

    init(port: Int, _ tls: TestClient, receiveBuffer: Int32? = nil) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        self.tls = tls
        var limit = timeval(tv_sec: 20, tv_usec: 0)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            setsockopt(descriptor, SOL_SOCKET, option, &limit, socklen_t(MemoryLayout<timeval>.size))
        }
        if var receiveBuffer { setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &receiveBuffer, 4) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { throw Failed(call: "connect", code: errno) }
    }

    convenience init(port: Int, _ version: Int32? = nil) throws { try self.init(port: port, try TestClient(version)) }

    deinit { close(descriptor) }

    func sendRaw(_ bytes: [UInt8]) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard count > 0 else { throw Failed(call: "send", code: errno) }
            rest = rest.dropFirst(count)
        }
    }

    /// - Returns: empty at the end of the connection, a reset included.
    func receiveRaw() throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 65536)
        let count = recv(descriptor, &bytes, bytes.count, 0)
        guard count >= 0 || errno == ECONNRESET else { throw Failed(call: "recv", code: errno) }
        return Array(bytes.prefix(max(0, count)))
    }

    /// FIN, without a word of TLS.
    func finish() { shutdown(descriptor, Int32(SHUT_WR)) }

    func flush() throws { try sendRaw(tls.connection.take()) }

    func handshake() throws {
        while try tls.connection.handshake() != .complete {
            try flush()
            let bytes = try receiveRaw()
            guard !bytes.isEmpty else { throw Failed(call: "handshake", code: 0) }
            try tls.connection.give(bytes)
        }
        try flush()
    }

    func send(_ text: String) throws {
        try tls.connection.write(Array(text.utf8))
        try flush()
    }

    /// Receives until it has so many bytes, or the server's close_notify, or the connection has ended.
    func receive(_ count: Int = .max) throws -> (bytes: [UInt8], end: TLSConnection.ReadEnd) {
        var all: [UInt8] = []
        while true {
            let (bytes, end) = tls.connection.readAll()
            all += bytes
            if all.count >= count || end != .wantsInput { return (all, end) }
            let ciphertext = try receiveRaw()
            if ciphertext.isEmpty { return (all, .wantsInput) }
            try tls.connection.give(ciphertext)
        }
    }

    func text(_ count: Int = .max) throws -> String { String(decoding: try receive(count).bytes, as: UTF8.self) }

    /// Whether the server ends the connection now.
    func isEnded() throws -> Bool {
        while true {
            let bytes = try receiveRaw()
            if bytes.isEmpty { return true }
        }
    }
}
