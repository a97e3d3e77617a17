import COpenSSL
import Foundation
import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import OpenSSL
@testable import TLS

/// Answers each line: `echo TEXT` with the text, `big` with 50 MB in pieces, each made when the one before has gone;
/// `close TEXT` with the text and the end of the output; `late TEXT` with the text once the client's input has ended.
private final class LineServer: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// More than a channel's buffer, so that it stays unwritable while a client does not read.
    static let piece = 262_144
    static let pieces = 200

    /// What tests look at from outside the event loop.
    final class Observed: Sendable {
        let produced = Mutex(0)
        let isStalled = Mutex(false)
        let inactive = Mutex(0)
        let lines = Mutex<[String]>([])
    }

    private let observed: Observed
    private var received = ""
    private var late: String?

    init(_ observed: Observed) { self.observed = observed }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        received += String(buffer: unwrapInboundIn(data))
        while let end = received.firstIndex(of: "\n") {
            let line = String(received[..<end])
            received.removeSubrange(...end)
            observed.lines.withLock { $0.append(line) }
            let text = String(line.drop { $0 != " " }.dropFirst())
            switch line.prefix(4) {
            case "echo": context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: text)), promise: nil)
            case "clos":
                context.write(wrapOutboundOut(ByteBuffer(string: text)), promise: nil)
                context.close(mode: .output, promise: nil)
            case "late": late = text
            default: produce(context)
            }
        }
    }

    private func produce(_ context: ChannelHandlerContext) {
        let index = observed.produced.withLock { produced in
            produced += 1
            return produced
        }
        guard index <= Self.pieces else { return context.close(mode: .output, promise: nil) }
        let written = context.eventLoop.makePromise(of: Void.self)
        written.futureResult.assumeIsolated().whenSuccess { self.produce(context) }
        context.writeAndFlush(
            wrapOutboundOut(ByteBuffer(repeating: UInt8(truncatingIfNeeded: index), count: Self.piece)), promise: written)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        observed.isStalled.withLock { $0 = !context.channel.isWritable }
        context.fireChannelWritabilityChanged()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case .inputClosed? = event as? ChannelEvent else { return }
        if let late { context.write(wrapOutboundOut(ByteBuffer(string: late)), promise: nil) }
        context.close(mode: .output, promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        observed.inactive.withLock { $0 += 1 }
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {}
}

/// On real sockets, in the way the service listens: half closure allowed, reads by themselves.
@Suite(.serialized) struct LoopbackTests {
    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let observed = LineServer.Observed()
    private let current: CurrentTLSContext

    init() throws { current = CurrentTLSContext(try TestCertificates.shared.get().context()) }

    /// A server for the time of `body`.
    private func serving(_ body: (Int) throws -> Void) throws {
        let listener = try ServerBootstrap(group: group)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelInitializer { [current, observed] channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers(
                        [try TLSHandler(context: current.value), LineServer(observed)] as [any ChannelHandler])
                }
            }
            .bind(host: "127.0.0.1", port: 0).wait()
        defer {
            try? listener.close().wait()
            try? group.syncShutdownGracefully()
        }
        try body(try #require(listener.localAddress?.port))
    }

    /// Polls a condition for at most twenty seconds.
    private func eventually(_ condition: () -> Bool) -> Bool {
        for _ in 0..<2000 {
            if condition() { return true }
            usleep(10000)
        }
        return false
    }

    @Test(arguments: TestClient.versions) func questionsAndAnswers(version: Int32) throws {
        try serving { port in
            let client = try SocketClient(port: port, version)
            try client.handshake()
            for text in ["one", "two", String(repeating: "three", count: 10000)] {
                try client.send("echo \(text)\n")
                #expect(try client.text(text.utf8.count) == text)
            }
        }
    }

    @Test(arguments: TestClient.versions) func theOutputEndsWithCloseNotifyAndFIN(version: Int32) throws {
        try serving { port in
            let client = try SocketClient(port: port, version)
            try client.handshake()
            try client.send("close bye\n")
            let (bytes, end) = try client.receive()
            #expect(bytes == Array("bye".utf8) && end == .closed)
            #expect(try client.isEnded(), "FIN")
            try client.tls.connection.shutdown()
            try client.flush()
            client.finish()
            #expect(eventually { observed.inactive.withLock { $0 } == 1 })
        }
    }

    @Test(arguments: TestClient.versions) func aHalfClosedClientGetsItsAnswer(version: Int32) throws {
        try serving { port in
            let client = try SocketClient(port: port, version)
            try client.handshake()
            try client.send("late answer\n")
            try client.tls.connection.shutdown()
            try client.flush()
            client.finish()
            let (bytes, end) = try client.receive()
            #expect(bytes == Array("answer".utf8) && end == .closed)
            #expect(eventually { observed.inactive.withLock { $0 } == 1 })
        }
    }

    /// The server must close its side too: the connection would stay in CLOSE_WAIT.
    @Test func aFINWithinTheHandshakeIsAnsweredAtOnce() throws {
        try serving { port in
            let client = try SocketClient(port: port)
            _ = try client.tls.connection.handshake()
            try client.sendRaw(Array(client.tls.connection.take().dropLast(20)))
            client.finish()
            #expect(try client.isEnded())
            #expect(eventually { observed.inactive.withLock { $0 } == 1 })
            let silent = try SocketClient(port: port)
            silent.finish()
            #expect(try silent.isEnded())
            #expect(eventually { observed.inactive.withLock { $0 } == 2 })
        }
    }

    @Test func aFINWithoutCloseNotifyEndsTheConnection() throws {
        try serving { port in
            let client = try SocketClient(port: port)
            try client.handshake()
            try client.send("late never\necho par")
            client.finish()
            #expect(try client.text().isEmpty)
            #expect(eventually { observed.inactive.withLock { $0 } == 1 })
            #expect(observed.lines.withLock { $0 } == ["late never"])
        }
    }

    /// The end comes although nobody reads: the channel is unwritable, so the socket is not read.
    @Test func aStalledClientThatLeavesIsNoticed() throws {
        try serving { port in
            do {
                let client = try SocketClient(port: port, try TestClient(), receiveBuffer: 4096)
                try client.handshake()
                try client.send("big\n")
                #expect(eventually { observed.isStalled.withLock { $0 } })
            }
            #expect(eventually { observed.inactive.withLock { $0 } == 1 })
        }
    }

    @Test func attackersEndTheirOwnConnectionOnly() throws {
        try serving { port in
            let good = try SocketClient(port: port)
            try good.handshake()
            var attacks: [[UInt8]] = ["GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "SSH-2.0-x\r\n", "\0\0\0\0\0\0\0\0"].map { Array($0.utf8) }
            attacks.append([UInt8](repeating: 0xff, count: 100_000))
            attacks.append([UInt8](repeating: 0x16, count: 6))
            attacks.append((0..<200).flatMap { _ -> [UInt8] in [0x16, 0x03, 0x01, 0x00, 0x00] })
            attacks.append((0..<2000).flatMap { _ -> [UInt8] in [0x16, 0x03, 0x01, 0x00, 0x01, 0xff] })
            for (index, attack) in attacks.enumerated() {
                let bad = try SocketClient(port: port)
                // The server may have closed before all has been sent.
                try? bad.sendRaw(attack)
                #expect(try bad.isEnded(), "attack \(index)")
                try good.send("echo still here\n")
                #expect(try good.text(10) == "still here")
            }
            #expect(eventually { observed.inactive.withLock { $0 } == attacks.count })
        }
    }

    @Test(arguments: TestClient.versions) func aReaderThatStopsHoldsUpTheProducer(version: Int32) throws {
        try serving { port in
            let client = try SocketClient(port: port, try TestClient(version), receiveBuffer: 65536)
            try client.handshake()
            try client.send("big\n")
            #expect(eventually { observed.isStalled.withLock { $0 } })
            // What the kernels' buffers took, of 50 MB.
            let produced = observed.produced.withLock { $0 }
            #expect(produced < LineServer.pieces / 3)
            var index = 0
            while true {
                let (bytes, end) = client.tls.connection.readAll()
                for byte in bytes {
                    let expected = UInt8(truncatingIfNeeded: index / LineServer.piece + 1)
                    if byte != expected { return #expect(Bool(false), "byte \(index)") }
                    index += 1
                }
                let ciphertext = end == .wantsInput ? try client.receiveRaw() : []
                if ciphertext.isEmpty { break }
                try client.tls.connection.give(ciphertext)
            }
            #expect(index == LineServer.piece * LineServer.pieces)
        }
    }

    @Test func aNewCertificateIsForNewConnections() throws {
        try serving { port in
            func subject(_ client: SocketClient) throws -> String {
                X509Certificate(owning: try #require(SSL_get1_peer_certificate(client.tls.ssl))).subject
            }
            let old = try SocketClient(port: port)
            try old.handshake()
            current.value = try TestCertificates.shared.get().context("rsa")
            let new = try SocketClient(port: port)
            try new.handshake()
            #expect(try subject(old) == "CN = ec.example")
            #expect(try subject(new) == "CN = rsa.example")
            for client in [old, new] {
                try client.send("echo here\n")
                #expect(try client.text(4) == "here")
            }
        }
    }

    /// A client we have not written.
    @Test(arguments: ["-tls1_2", "-tls1_3"]) func opensslsOwnClient(version: String) throws {
        try serving { port in
            let made = try TestCertificates.shared.get()
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
            process.arguments = [
                "s_client", "-connect", "127.0.0.1:\(port)", version, "-CAfile", made("ec.pem"), "-verify_return_error",
                "-verify_ip", "127.0.0.1", "-alpn", "http/1.1", "-quiet",
            ]
            let (input, output) = (Pipe(), Pipe())
            process.standardInput = input
            process.standardOutput = output
            process.standardError = FileHandle.nullDevice
            try process.run()
            try input.fileHandleForWriting.write(contentsOf: Data("close bye\n".utf8))
            let text = output.fileHandleForReading.readDataToEndOfFile()
            try input.fileHandleForWriting.close()
            process.waitUntilExit()
            #expect(String(decoding: text, as: UTF8.self) == "bye")
        }
    }
}
