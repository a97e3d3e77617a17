import HTTPFraming
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1
import TLS

/// Builds each connection's pipeline: TLS, our guard, NIO's decoder, Hummingbird's public handlers.
package struct ServiceChannel: HTTPChannelHandler {
    package typealias Value = NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>

    private let tls: CurrentTLSContext?
    private let limiter: ConnectionLimiter
    private let cors: CORSPolicy
    private let requestMemory: RequestMemory
    private let keepsBody: @Sendable (RequestFraming) -> Bool
    private let tlsFailures: TLSFailureLog
    package let responder: HTTPChannelHandler.Responder

    /// - Parameters:
    ///   - tls: nil for plain HTTP.
    ///   - requestMemory: shared by all connections.
    ///   - keepsBody: whether a request's body must be kept (``Responder/keepsBody(_:)``).
    ///   - responder: answers a request, usually with ``Responder``.
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
                // Not a failed future: that error would reach the listener and end it.
                let closed = try Value(wrappingChannelSynchronously: channel)
                channel.close(promise: nil)
                return closed
            }
            let pipeline = channel.pipeline.syncOperations
            if let tls { try pipeline.addHandlers([TLSHandler(context: tls.value), TLSFailureWatch(tlsFailures)]) }
            // Small buffers, because each connection keeps its last one. One read at a time, because a client that sends
            // ahead must not be read faster than it is answered.
            try channel.syncOptions?.setOption(.recvAllocator, value: AdaptiveRecvByteBufferAllocator(minimum: 1024, initial: 2048, maximum: 8192))
            try channel.syncOptions?.setOption(.maxMessagesPerRead, value: 1)
            let readerTimeout = ReaderTimeout()
            let requestGuard = RequestGuard(cors: cors, memory: requestMemory, keepsBody: keepsBody)
            try pipeline.addHandlers([
                readerTimeout,
                requestGuard,
                HTTPResponseEncoder(),
                ByteToMessageHandler(HTTPRequestDecoder(leftOverBytesStrategy: .dropBytes)),
                ResponseWatch(requestGuard, readerTimeout),
                HTTP1ToHTTPServerCodec(secure: tls != nil),
                HTTPConnectionStateHandler(logger: logger),
            ])
            return try NIOAsyncChannel(
                wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: true))
        }
    }

    /// Paces a large body to the event loop. A writer on another thread learns too late that the client takes no more, and
    /// by then all of the body would be in memory.
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
