import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1
import TLS

/// A connection's pipeline: our guard, then Hummingbird's public handlers around NIO's decoder.
struct ServiceChannel: HTTPChannelHandler {
    typealias Value = NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>

    /// nil: plain HTTP.
    let tls: CurrentTLSContext?
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
            if let tls { try pipeline.addHandler(TLSHandler(context: tls.value)) }
            let requestGuard = RequestGuard(cors: cors)
            try pipeline.addHandlers([
                requestGuard,
                HTTPResponseEncoder(),
                ByteToMessageHandler(HTTPRequestDecoder(leftOverBytesStrategy: .dropBytes)),
                AnswerWatch(requestGuard),
                HTTP1ToHTTPServerCodec(secure: tls != nil),
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
