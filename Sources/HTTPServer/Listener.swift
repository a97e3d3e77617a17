import NIOCore
import NIOExtras
import NIOPosix
import ServiceLifecycle

/// Accepts connections until the service stops, and then waits until the last one has ended.
package struct Listener: Service {
    private let host: String
    private let port: Int
    private let pipeline: ConnectionPipeline
    private let eventLoops: any EventLoopGroup
    private let onListening: @Sendable () -> Void

    /// - Parameters:
    ///   - host: a name or an address of this machine.
    ///   - eventLoops: those of the connections.
    ///   - onListening: called once, when connections are accepted.
    package init(
        host: String, port: Int, pipeline: ConnectionPipeline, eventLoops: any EventLoopGroup, onListening: @escaping @Sendable () -> Void
    ) {
        self.host = host
        self.port = port
        self.pipeline = pipeline
        self.eventLoops = eventLoops
        self.onListening = onListening
    }

    /// - Throws: `IOError` or `SocketAddressError` if the port cannot be opened.
    package func run() async throws {
        let pipeline = pipeline
        let quiescing = ServerQuiescingHelper(group: eventLoops)
        let channel = try await ServerBootstrap(group: eventLoops)
            .serverChannelOption(.backlog, value: 256)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(quiescing.makeServerChannelHandler(channel: channel))
                }
            }
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            // Not a failed future: that error would reach the listener and end it.
            .childChannelInitializer { channel in channel.eventLoop.makeCompletedFuture { try pipeline.add(to: channel) } }
            .bind(host: host, port: port).get()
        onListening()
        let (stopping, stop) = AsyncStream<Never>.makeStream()
        channel.closeFuture.whenComplete { _ in stop.finish() }
        await withTaskCancellationOrGracefulShutdownHandler {
            for await _ in stopping {}
        } onCancelOrGracefulShutdown: {
            stop.finish()
        }
        let ended = channel.eventLoop.makePromise(of: Void.self)
        quiescing.initiateShutdown(promise: ended)
        try await ended.futureResult.get()
    }
}
