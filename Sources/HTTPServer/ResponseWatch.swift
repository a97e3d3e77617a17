import NIOCore
import NIOHTTP1

/// Behind the encoder: tells the guard when an answer is complete.
final class ResponseWatch: ChannelOutboundHandler {
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    private let requestGuard: RequestGuard

    init(_ requestGuard: RequestGuard) { self.requestGuard = requestGuard }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch unwrapOutboundIn(data) {
        case .head(var head):
            if let option = requestGuard.connectionOption { head.headers.replaceOrAdd(name: "Connection", value: option) }
            return context.write(wrapOutboundOut(.head(head)), promise: promise)
        case .end: break
        default: return context.write(data, promise: promise)
        }
        requestGuard.answerEnding()
        let written = promise ?? context.eventLoop.makePromise()
        let bound = NIOLoopBound(requestGuard, eventLoop: context.eventLoop)
        written.futureResult.whenComplete { _ in bound.value.answerWritten() }
        context.write(data, promise: written)
    }
}
