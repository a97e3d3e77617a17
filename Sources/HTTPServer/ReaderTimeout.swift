import Linux
import NIOCore

/// Closes a connection whose client takes nothing of its answer for a minute. A client that is merely slow is left alone.
final class ReaderTimeout: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    static let interval = TimeAmount.seconds(5)

    private var context: ChannelHandlerContext?
    private var writes = 0
    private var answerHasEnded = false
    /// nil while nothing waits for the client.
    private var watch: ReaderWatch?
    private var nextLook: Scheduled<Void>?

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) {
        stop()
        self.context = nil
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let written = promise ?? context.eventLoop.makePromise()
        written.futureResult.assumeIsolated().whenSuccess { self.writes &+= 1 }
        context.write(data, promise: written)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if !context.channel.isWritable {
            start()
        } else if !answerHasEnded {
            stop()
        }
        context.fireChannelWritabilityChanged()
    }

    /// Must be called when the last part of an answer is handed over. A small answer waits for its reader without the
    /// channel becoming unwritable.
    func answerEnding() {
        answerHasEnded = true
        start()
    }

    /// Must be called when the kernel has taken the whole answer.
    func answerWritten() {
        answerHasEnded = false
        stop()
    }

    private func start() {
        guard watch == nil, let context else { return }
        watch = ReaderWatch(from: progress(context))
        scheduleLook(context)
    }

    private func stop() {
        watch = nil
        nextLook?.cancel()
        nextLook = nil
    }

    private func scheduleLook(_ context: ChannelHandlerContext) {
        nextLook = context.eventLoop.assumeIsolated().scheduleTask(in: Self.interval) { self.look() }
    }

    private func look() {
        guard let context, watch != nil else { return }
        if watch?.look(at: progress(context)) == true { return context.close(promise: nil) }
        scheduleLook(context)
    }

    private func progress(_ context: ChannelHandlerContext) -> ReaderWatch.Progress {
        let queued = try? context.channel.pipeline.syncOperations.withUnsafeTransportIfAvailable(of: NIOBSDSocket.Handle.self) {
            SendQueue.unacknowledgedBytes(socket: $0)
        }
        return ReaderWatch.Progress(writes: writes, unacknowledged: queued ?? nil)
    }
}
