import HTTPFraming
import NIOCore

/// Has each request answered, and writes the response. Its place is behind ``RequestGuard``, which passes on one request at a
/// time and the next one only after ``RequestGuard/answerWritten()``.
final class RequestHandler: ChannelInboundHandler {
    typealias InboundIn = Request
    typealias OutboundOut = ByteBuffer

    private let responder: Responder
    private let requestGuard: RequestGuard
    private let readerTimeout = ReaderTimeout()
    private var peer: SourceAddress.Peer
    private var context: ChannelHandlerContext?

    init(_ responder: Responder, _ requestGuard: RequestGuard) {
        self.responder = responder
        self.requestGuard = requestGuard
        peer = responder.sources.peer(nil)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        // Once, because finding the text of an address takes as long as answering.
        peer = responder.sources.peer(context.remoteAddress?.ipAddress)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        readerTimeout.writeEnded()
        self.context = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch responder.respond(to: unwrapInboundIn(data), from: peer, on: context.eventLoop) {
        case .now(let response): write(response, context)
        case .later(let response):
            response.assumeIsolated().whenSuccess { response in
                // nil: the client has left.
                if let context = self.context { self.write(response, context) }
            }
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    /// A small response is one write: head and body go out in one segment, and in one TLS record.
    private func write(_ response: Response, _ context: ChannelHandlerContext) {
        let encoded = response.encoded(connection: requestGuard.connectionOption, context.channel.allocator)
        switch response.body {
        case .none, .bytes: write(encoded, context) { _ in self.requestGuard.answerWritten() }
        case .stream(let stream):
            write(encoded, context) { _ in }
            send(stream, context)
        }
    }

    /// Sends a body from a task, a piece at a time: the next one is read when the kernel has taken the last one.
    private func send(_ stream: ResponseStream, _ context: ChannelHandlerContext) {
        let eventLoop = context.eventLoop
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        let sent = eventLoop.makeFutureWithTask {
            try await stream.write { piece in
                try await eventLoop.flatSubmit { bound.value.send(piece, on: eventLoop) }.get()
            }
        }
        sent.assumeIsolated().whenComplete { result in
            guard let context = self.context else { return }
            switch result {
            case .success: self.requestGuard.answerWritten()
            // The client sees from Content-Length that the body is cut short.
            case .failure: context.close(promise: nil)
            }
        }
    }

    private func send(_ piece: [UInt8], on eventLoop: any EventLoop) -> EventLoopFuture<Void> {
        guard let context else { return eventLoop.makeFailedFuture(ChannelError.ioOnClosedChannel) }
        let sent = eventLoop.makePromise(of: Void.self)
        write(context.channel.allocator.buffer(bytes: piece), context) { sent.completeWith($0) }
        return sent.futureResult
    }

    /// - Parameter completion: called when the kernel has taken everything, or the connection has ended.
    private func write(_ buffer: ByteBuffer, _ context: ChannelHandlerContext, _ completion: @escaping (Result<Void, any Error>) -> Void) {
        let written = context.eventLoop.makePromise(of: Void.self)
        var hasEnded = false
        written.futureResult.assumeIsolated().whenComplete { result in
            hasEnded = true
            self.readerTimeout.writeEnded()
            completion(result)
        }
        context.writeAndFlush(wrapOutboundOut(buffer), promise: written)
        // The kernel takes nearly every write at once. Only the others need a timer.
        if !hasEnded { readerTimeout.writeWaits(on: context.channel) }
    }
}
