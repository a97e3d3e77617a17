import NIOCore
import TLS

/// Builds each connection's pipeline: TLS, the guard, the handler.
package struct ConnectionPipeline: Sendable {
    private let tls: CurrentTLSContext?
    private let limiter: ConnectionLimiter
    private let requestMemory: RequestMemory
    private let tlsFailures: TLSFailureLog
    private let responder: Responder

    /// - Parameters:
    ///   - tls: nil for plain HTTP.
    ///   - requestMemory: shared by all connections.
    package init(
        tls: CurrentTLSContext?, limiter: ConnectionLimiter, requestMemory: RequestMemory, tlsFailures: TLSFailureLog, responder: Responder
    ) {
        self.tls = tls
        self.limiter = limiter
        self.requestMemory = requestMemory
        self.tlsFailures = tlsFailures
        self.responder = responder
    }

    /// Prepares an accepted connection, or closes it where there are too many. To be called on its event loop.
    package func add(to channel: any Channel) throws {
        guard limiter.admit(channel) else { return channel.close(promise: nil) }
        let pipeline = channel.pipeline.syncOperations
        if let tls { try pipeline.addHandlers([TLSHandler(context: tls.value), TLSFailureWatch(tlsFailures)]) }
        // Small buffers, because each connection keeps its last one. One read at a time, because a client that sends
        // ahead must not be read faster than it is answered.
        try channel.syncOptions?.setOption(.recvAllocator, value: AdaptiveRecvByteBufferAllocator(minimum: 1024, initial: 2048, maximum: 8192))
        try channel.syncOptions?.setOption(.maxMessagesPerRead, value: 1)
        let requestGuard = RequestGuard(cors: responder.cors, memory: requestMemory, keepsBody: responder.keepsBody)
        try pipeline.addHandlers([requestGuard, RequestHandler(responder, requestGuard)])
    }
}
