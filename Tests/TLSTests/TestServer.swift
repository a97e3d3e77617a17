import NIOCore
import NIOEmbedded
import Testing

@testable import OpenSSL
@testable import TLS

/// Last in a pipeline: keeps what arrives, in its order.
final class Recorder: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    enum Entry: Equatable {
        case bytes([UInt8]), readComplete, inputClosed, handshake, error(TLSError), inactive
    }

    private(set) var entries: [Entry] = []
    /// Called with each piece of data.
    var onData: (ChannelHandlerContext, [UInt8]) -> Void = { _, _ in }
    var onQuiescing: (ChannelHandlerContext) -> Void = { _ in }

    /// All data, however it was cut.
    var bytes: [UInt8] {
        entries.flatMap { if case .bytes(let bytes) = $0 { bytes } else { [UInt8]() } }
    }

    /// Everything else but the ends of reads.
    var events: [Entry] {
        entries.filter { if case .bytes = $0 { false } else { $0 != .readComplete } }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = Array(unwrapInboundIn(data).readableBytesView)
        entries.append(.bytes(bytes))
        onData(context, bytes)
    }

    func channelReadComplete(context: ChannelHandlerContext) { entries.append(.readComplete) }
    func channelInactive(context: ChannelHandlerContext) { entries.append(.inactive) }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .inputClosed? = event as? ChannelEvent { entries.append(.inputClosed) }
        if event is TLSHandshakeCompleted { entries.append(.handshake) }
        if event is ChannelShouldQuiesceEvent { onQuiescing(context) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if let error = error as? TLSError { entries.append(.error(error)) } else { Issue.record("\(error)") }
    }
}

/// First in a pipeline: a socket's half closure and its limited buffer, neither of which an embedded channel has.
final class FakeSocket: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private(set) var isOutputClosed = false
    private(set) var reads = 0
    private(set) var closes = 0
    private(set) var buffered = 0
    /// Bytes the buffer takes before the channel becomes unwritable.
    var limit = Int.max
    /// Whether what is written goes on to the peer.
    var isStalled = false
    private var held: [(NIOAny, EventLoopPromise<Void>?)] = []

    func read(context: ChannelHandlerContext) {
        reads += 1
        context.read()
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard isStalled else { return context.write(data, promise: promise) }
        buffered += unwrapOutboundIn(data).readableBytes
        held.append((data, promise))
        if buffered > limit { setWritable(false, context) }
    }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        guard mode == .output else {
            closes += 1
            return context.close(mode: mode, promise: promise)
        }
        #expect(!isOutputClosed)
        isOutputClosed = true
        promise?.succeed(())
    }

    func channelInactive(context: ChannelHandlerContext) {
        for (_, promise) in held { promise?.fail(ChannelError.ioOnClosedChannel) }
        held = []
        context.fireChannelInactive()
    }

    /// The peer reads again: what is held goes on.
    func resume(_ context: ChannelHandlerContext) {
        let held = held
        (self.held, buffered) = ([], 0)
        for (data, promise) in held { context.write(data, promise: promise) }
        context.flush()
        setWritable(true, context)
    }

    private func setWritable(_ isWritable: Bool, _ context: ChannelHandlerContext) {
        guard let channel = context.channel as? EmbeddedChannel, channel.isWritable != isWritable else { return }
        channel.isWritable = isWritable
        context.fireChannelWritabilityChanged()
    }
}

/// A server's pipeline without sockets, and its client.
final class TestServer {
    let channel = EmbeddedChannel()
    let socket = FakeSocket()
    let recorder = Recorder()
    let client: TestClient

    init(_ client: TestClient) throws {
        self.client = client
        let handlers: [any ChannelHandler] = [
            socket, try TLSHandler(context: try TestCertificates.shared.get().context()), recorder,
        ]
        try channel.pipeline.syncOperations.addHandlers(handlers)
        channel.connect(to: try SocketAddress(ipAddress: "127.0.0.1", port: 1), promise: nil)
    }

    convenience init(_ version: Int32? = nil) throws { try self.init(try TestClient(version)) }

    /// Leaves nothing open, so that every promise is settled.
    deinit {
        channel.close(promise: nil)
        channel.embeddedEventLoop.advanceTime(by: TLSHandler.shutdownLimit)
        _ = try? channel.finish(acceptAlreadyClosed: true)
    }

    /// What the client would send now, cut into pieces, and then back whatever the server says.
    ///
    /// - Returns: whether there was anything.
    @discardableResult
    func exchange(cut: ([UInt8]) -> [[UInt8]] = { [$0] }) throws -> Bool {
        let flight = client.connection.take()
        for piece in cut(flight) where !piece.isEmpty { try receive(piece) }
        let answer = try sent()
        try client.connection.give(answer)
        return !(flight.isEmpty && answer.isEmpty)
    }

    /// - Throws: what the client makes of the server.
    func handshake(cut: ([UInt8]) -> [[UInt8]] = { [$0] }) throws {
        while try client.connection.handshake() != .complete {
            guard try exchange(cut: cut) else { throw TestPair.Stuck() }
        }
        try exchange(cut: cut)
    }

    /// One read of the socket.
    func receive(_ bytes: [UInt8]) throws {
        try channel.writeInbound(ByteBuffer(bytes: bytes))
    }

    /// What the server has sent since it was last asked.
    func sent() throws -> [UInt8] {
        var all: [UInt8] = []
        while let buffer = try channel.readOutbound(as: ByteBuffer.self) { all += buffer.readableBytesView }
        return all
    }

    func ask(_ text: String, cut: ([UInt8]) -> [[UInt8]] = { [$0] }) throws {
        try client.connection.write(Array(text.utf8))
        try exchange(cut: cut)
    }

    /// All the client can decrypt now.
    func answer() throws -> (text: String, end: TLSConnection.ReadEnd) {
        try client.connection.give(try sent())
        let (bytes, end) = client.connection.readAll()
        return (String(decoding: bytes, as: UTF8.self), end)
    }

    func finishPeer() { channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed) }

    func socketContext() throws -> ChannelHandlerContext { try channel.pipeline.syncOperations.context(handler: socket) }
}

/// What became of a promise.
final class Outcome {
    private(set) var results: [Result<Void, any Error>] = []
    let promise: EventLoopPromise<Void>

    init(_ channel: any Channel) {
        promise = channel.eventLoop.makePromise()
        promise.futureResult.assumeIsolated().whenComplete { self.results.append($0) }
    }

    var isPending: Bool { results.isEmpty }
    var succeeded: Bool { if case .success? = results.first { results.count == 1 } else { false } }
    var error: (any Error)? { if case .failure(let error)? = results.first { error } else { nil } }
}

func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
