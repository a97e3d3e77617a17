import NIOCore
import NIOHTTP1

/// Sets the Connection field of each answer, and tells ``RequestGuard`` and ``ReaderTimeout`` when an answer is complete.
/// Its place is behind the encoder.
final class ResponseWatch: ChannelOutboundHandler {
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    private let requestGuard: RequestGuard
    private let readerTimeout: ReaderTimeout

    init(_ requestGuard: RequestGuard, _ readerTimeout: ReaderTimeout) {
        self.requestGuard = requestGuard
        self.readerTimeout = readerTimeout
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch unwrapOutboundIn(data) {
        case .head(var head):
            if let option = requestGuard.connectionOption { head.headers.replaceOrAdd(name: "Connection", value: option) }
            return context.write(wrapOutboundOut(.head(head)), promise: promise)
        case .end: break
        default: return context.write(data, promise: promise)
        }
        readerTimeout.answerEnding()
        let written = promise ?? context.eventLoop.makePromise()
        written.futureResult.assumeIsolated().whenComplete { _ in
            self.readerTimeout.answerWritten()
            self.requestGuard.answerWritten()
        }
        context.write(data, promise: written)
    }
}
