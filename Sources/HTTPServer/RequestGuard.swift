import HTTPFraming
import Linux
import NIOCore
import NIOHTTP1
import TLS

/// First on the connection: gathers one request at a time, lets it through whole, and refuses what may not pass.
///
/// Without it the decoder behind would buffer without limit after an Upgrade, answer oversized heads with nothing, and
/// hand a request on before its body has come. While a request is being answered the next one waits here, so that
/// answers keep their order and a client cannot pile up work.
final class RequestGuard: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// What a client may send ahead while its request is answered; beyond that it is not read.
    private static let maximumAhead = RequestMemory.freeBytes
    /// After a refusal so much is still read and so long is waited, because closing at once with unread bytes would
    /// reset the connection before the client has seen why.
    private static let maximumDiscarded = 262_144
    private static let lingering = TimeAmount.seconds(1)
    /// When the service stops, a client has so long to read its answer.
    private static let leaving = TimeAmount.seconds(5)
    /// Absolute times, however steadily single bytes come: for a head from its first byte (or the connection's), for a
    /// body from the end of its head.
    private static let headTime = TimeAmount.seconds(10)
    private static let bodyTime = TimeAmount.seconds(30)
    /// How long a connection may be quiet between requests.
    private static let idleTime = TimeAmount.seconds(60)
    /// A client that has an answer to read is looked at so often, and closed when it has taken nothing so many times.
    private static let readerTime = TimeAmount.seconds(5)
    private static let maximumStalls = 12

    private enum Waiting { case head, body, nextRequest, reader }

    private enum State {
        case gathering
        case answering(closeAfterwards: Bool)
        case refused
    }

    /// Changes whenever a client takes some of an answer.
    private struct Progress: Equatable {
        /// Writes that the kernel has taken.
        let writes: Int
        /// What the kernel has still to deliver; nil for a channel without a socket.
        let unacknowledged: Int?
    }

    private let cors: CORSPolicy
    private let memory: RequestMemory
    private let keepsBody: @Sendable (RequestFraming) -> Bool
    private var state = State.gathering
    private var framing = RequestFraming()
    private var received: [UInt8] = []
    /// What is accounted for in `memory`.
    private var accounted = 0
    /// Of the request that is being gathered: whether its body is kept for its handler; nil before the end of its head.
    private var bodyIsKept: Bool?
    /// Of the request that is being answered.
    private var isHTTP10 = false
    private var discarded = 0
    private var answerHasEnded = false
    private var context: ChannelHandlerContext?
    private var deadline: (waiting: Waiting, task: Scheduled<Void>)?
    private var writes = 0
    /// As it was at the last look at the reader.
    private var progress: Progress?
    private var stalls = 0

    /// - Parameters:
    ///   - memory: shared by all connections.
    ///   - keepsBody: whether the handler of a request reads its body, and the request's token may use it. Asked at the
    ///     end of the head, on the event loop. Any other body is discarded as it comes, and its request goes on without.
    init(cors: CORSPolicy, memory: RequestMemory, keepsBody: @escaping @Sendable (RequestFraming) -> Bool) {
        self.cors = cors
        self.memory = memory
        self.keepsBody = keepsBody
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        wait(.head, Self.headTime, context)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        deadline?.task.cancel()
        received = []
        _ = account()
        self.context = nil
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if case .answering = state {
            if !context.channel.isWritable {
                waitForReader(context)
            } else if !answerHasEnded {
                stopWaiting()
            }
        }
        context.fireChannelWritabilityChanged()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        if case .refused = state {
            discarded += bytes.readableBytes
            if discarded > Self.maximumDiscarded { context.close(promise: nil) }
            return
        }
        received += bytes.readableBytesView
        if case .gathering = state { gather(context) }
        guard !account() else { return }
        switch state {
        case .gathering: refuse(.noRoom, context)
        case .answering: context.close(promise: nil)
        case .refused: break
        }
    }

    func read(context: ChannelHandlerContext) {
        if case .answering = state, received.count > Self.maximumAhead { return }
        context.read()
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let written = promise ?? context.eventLoop.makePromise()
        written.futureResult.assumeIsolated().whenSuccess { self.writes &+= 1 }
        context.write(data, promise: written)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case is TLSHandshakeCompleted:
            // The handshake had its own time, which a client far away may have needed.
            stopWaiting()
            wait(.head, Self.headTime, context)
        case is ChannelShouldQuiesceEvent: close(context, in: Self.leaving)
        case ChannelEvent.inputClosed:
            switch state {
            // A request that was cut short is never executed.
            case .gathering, .refused: return context.close(promise: nil)
            case .answering: state = .answering(closeAfterwards: true)
            }
        default: break
        }
        context.fireUserInboundEventTriggered(event)
    }

    /// To be called when the answer to the request that was let through has been written.
    func answerWritten() {
        guard let context, case .answering(let closeAfterwards) = state else { return }
        if closeAfterwards { return closeGently(context) }
        state = .gathering
        wait(.nextRequest, Self.idleTime, context)
        gather(context)
        _ = account()
        // Through our own bound: a client that sends ahead must not be read faster than it is answered.
        read(context: context)
    }

    /// To be called when the last of an answer is on its way: small ones wait for their reader without the channel
    /// becoming unwritable.
    func answerEnding() {
        guard let context, case .answering = state else { return }
        answerHasEnded = true
        waitForReader(context)
    }

    /// What the answer has to say of its connection; nil where HTTP/1.1 says it by itself.
    var connectionOption: String? {
        guard case .answering(let closeAfterwards) = state else { return nil }
        return closeAfterwards ? "close" : isHTTP10 ? "keep-alive" : nil
    }

    /// Starts a deadline; one for the same thing goes on, because a client must not put it off by sending.
    private func wait(_ waiting: Waiting, _ time: TimeAmount, _ context: ChannelHandlerContext) {
        guard deadline?.waiting != waiting else { return }
        stopWaiting()
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        deadline = (waiting, context.eventLoop.scheduleTask(in: time) { bound.value.timeIsOver(waiting) })
    }

    private func waitForReader(_ context: ChannelHandlerContext) {
        guard deadline?.waiting != .reader else { return }
        stalls = 0
        progress = currentProgress(context)
        wait(.reader, Self.readerTime, context)
    }

    private func currentProgress(_ context: ChannelHandlerContext) -> Progress {
        // By what its kernel acknowledges: ours may hold megabytes, which a slow client takes minutes to read.
        let queued = try? context.channel.pipeline.syncOperations.withUnsafeTransportIfAvailable(of: NIOBSDSocket.Handle.self) {
            SendQueue.unacknowledgedBytes(socket: $0)
        }
        return Progress(writes: writes, unacknowledged: queued ?? nil)
    }

    private func stopWaiting() {
        deadline?.task.cancel()
        deadline = nil
    }

    private func timeIsOver(_ waiting: Waiting) {
        guard let context else { return }
        if waiting == .reader { return lookAtReader(context) }
        // Only a client that began a request learns that it was too slow.
        if received.isEmpty && !framing.isInBody { return context.close(promise: nil) }
        refuse(.tooSlow, context)
    }

    private func lookAtReader(_ context: ChannelHandlerContext) {
        let current = currentProgress(context)
        stalls = current == progress ? stalls + 1 : 0
        progress = current
        guard stalls < Self.maximumStalls else { return context.close(promise: nil) }
        deadline = nil
        wait(.reader, Self.readerTime, context)
    }

    private func gather(_ context: ChannelHandlerContext) {
        guard !received.isEmpty else { return }
        do {
            switch try framing.inspect(received) {
            case .incomplete(let continueExpected):
                if continueExpected { write("HTTP/1.1 100 Continue\r\n\r\n", context) }
                if framing.isInBody {
                    if !isBodyKept() { framing.discardBody(from: &received) }
                    wait(.body, Self.bodyTime, context)
                } else {
                    wait(.head, Self.headTime, context)
                }
            case .complete(let length, let closeAfterwards):
                let whole = received[..<length]
                let request = framing.hasBody && !isBodyKept() ? framing.headWithoutBody(of: received) : Array(whole)
                // A new array: the old one keeps its size.
                received = Array(received[length...])
                isHTTP10 = framing.isHTTP10
                framing = RequestFraming()
                bodyIsKept = nil
                stopWaiting()
                answerHasEnded = false
                state = .answering(closeAfterwards: closeAfterwards)
                context.fireChannelRead(wrapInboundOut(context.channel.allocator.buffer(bytes: request)))
                context.fireChannelReadComplete()
            }
        } catch {
            refuse(error, context)
        }
    }

    private func isBodyKept() -> Bool {
        if let bodyIsKept { return bodyIsKept }
        let keeps = keepsBody(framing)
        bodyIsKept = keeps
        return keeps
    }

    /// - Returns: false where there is no room for what has been received.
    private func account() -> Bool {
        guard memory.change(from: accounted, to: received.count) else { return false }
        accounted = received.count
        return true
    }

    private func refuse(_ refusal: RequestFraming.Refusal, _ context: ChannelHandlerContext) {
        let fields = cors.headers(origin: framing.origin, path: framing.path)
        write(ResponseBuilder.refusal(refusal, toHead: framing.method == "HEAD", fields), context)
        closeGently(context)
    }

    private func write(_ text: String, _ context: ChannelHandlerContext) {
        context.writeAndFlush(wrapOutboundOut(context.channel.allocator.buffer(string: text)), promise: nil)
    }

    private func closeGently(_ context: ChannelHandlerContext) {
        state = .refused
        stopWaiting()
        received = []
        _ = account()
        context.close(mode: .output, promise: nil)
        close(context, in: Self.lingering)
        read(context: context)
    }

    private func close(_ context: ChannelHandlerContext, in time: TimeAmount) {
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        context.eventLoop.scheduleTask(in: time) { bound.value.close(promise: nil) }
    }
}
