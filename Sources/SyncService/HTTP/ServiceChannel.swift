import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1

/// A connection's pipeline: our guard, then Hummingbird's public handlers around NIO's decoder.
struct ServiceChannel: HTTPChannelHandler {
    typealias Value = NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>

    let limiter: ConnectionLimiter
    let cors: CORSPolicy
    let responder: HTTPChannelHandler.Responder

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        let admitted = limiter.admit(channel)
        return channel.eventLoop.makeCompletedFuture {
            guard admitted else {
                // Not a failed future: an error here would reach the listener and end it.
                let closed = try Value(wrappingChannelSynchronously: channel)
                channel.close(promise: nil)
                return closed
            }
            let pipeline = channel.pipeline.syncOperations
            let requestGuard = RequestGuard(cors: cors)
            try pipeline.addHandlers([
                requestGuard,
                HTTPResponseEncoder(),
                ByteToMessageHandler(HTTPRequestDecoder(leftOverBytesStrategy: .dropBytes)),
                AnswerWatch(requestGuard),
                HTTP1ToHTTPServerCodec(secure: false),
                HTTPConnectionStateHandler(logger: logger),
            ])
            return try NIOAsyncChannel(
                wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: true))
        }
    }

    func handle(value: Value, logger: Logger) async {
        await handleHTTP(asyncChannel: value, logger: logger)
    }
}
