import HTTPFraming
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1
import TLS

/// A connection's pipeline: our guard, then Hummingbird's public handlers around NIO's decoder.
package struct ServiceChannel: HTTPChannelHandler {
    package typealias Value = NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>

    /// nil: plain HTTP.
    package let tls: CurrentTLSContext?
    package let limiter: ConnectionLimiter
    package let cors: CORSPolicy
    package let requestMemory: RequestMemory
    package let keepsBody: @Sendable (RequestFraming) -> Bool
    package let tlsFailures: TLSFailureLog
    package let responder: HTTPChannelHandler.Responder

    package init(
        tls: CurrentTLSContext?, limiter: ConnectionLimiter, cors: CORSPolicy, requestMemory: RequestMemory,
        keepsBody: @escaping @Sendable (RequestFraming) -> Bool, tlsFailures: TLSFailureLog,
        responder: @escaping HTTPChannelHandler.Responder
    ) {
        self.tls = tls
        self.limiter = limiter
        self.cors = cors
        self.requestMemory = requestMemory
        self.keepsBody = keepsBody
        self.tlsFailures = tlsFailures
        self.responder = responder
    }
    package func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        let admitted = limiter.admit(channel)
        return channel.eventLoop.makeCompletedFuture {
            guard admitted else {
                // Not a failed future: an error here would reach the listener and end it.
                let closed = try Value(wrappingChannelSynchronously: channel)
                channel.close(promise: nil)
                return closed
            }
            let pipeline = channel.pipeline.syncOperations
            if let tls { try pipeline.addHandlers([TLSHandler(context: tls.value), TLSFailureWatch(tlsFailures)]) }
            // Small, because each connection keeps its last buffer; and no more at a time than is asked for.
            try channel.syncOptions?.setOption(.recvAllocator, value: AdaptiveRecvByteBufferAllocator(minimum: 1024, initial: 2048, maximum: 8192))
            try channel.syncOptions?.setOption(.maxMessagesPerRead, value: 1)
            let requestGuard = RequestGuard(cors: cors, memory: requestMemory, keepsBody: keepsBody)
            try pipeline.addHandlers([
                requestGuard,
                HTTPResponseEncoder(),
                ByteToMessageHandler(HTTPRequestDecoder(leftOverBytesStrategy: .dropBytes)),
                ResponseWatch(requestGuard),
                HTTP1ToHTTPServerCodec(secure: tls != nil),
                HTTPConnectionStateHandler(logger: logger),
            ])
            return try NIOAsyncChannel(
                wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: true))
        }
    }

    /// A large body, handed on piece by piece no faster than the event loop sees to what it has: a writer on another
    /// thread learns too late that the client takes no more, and by then all of it would wait in memory.
    package static func paced(_ body: ResponseBody, on channel: any Channel) -> ResponseBody {
        guard body.contentLength ?? .max > 65536 else { return body }
        return body.map { piece in
            try await channel.eventLoop.submit {}.get()
            return piece
        }
    }

    package func handle(value: Value, logger: Logger) async {
        await handleHTTP(asyncChannel: value, logger: logger)
    }
}
