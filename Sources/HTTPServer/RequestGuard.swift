import HTTPFraming
import NIOCore
import TLS

/// Gathers one request at a time, passes on only complete ones, and refuses malformed, large and slow ones.
///
/// While one request is answered, the next one waits here. So answers keep their order, and a client cannot pile up work.
final class RequestGuard: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = Request
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// How many bytes a client may send ahead while its request is answered. Beyond that its socket is not read.
    private static let maximumAhead = RequestMemory.freeBytes
    /// After a refusal, so many bytes are still read, for so long. Closing at once with unread bytes would reset the
    /// connection before the client has read the refusal.
    private static let maximumDiscarded = 262_144
    private static let lingering = TimeAmount.seconds(1)
    /// How long a client may read its answer after the service begins to stop.
    private static let shutdownGrace = TimeAmount.seconds(5)

    private enum State {
        case gathering
        case answering(closeAfterwards: Bool)
        /// The last answer is written. What still arrives is discarded.
        case lingering
    }

    private let cors: CORSPolicy
    private let memory: RequestMemory
    private var state = State.gathering
    private var requests: RequestGatherer
    private var deadline = RequestDeadline()
    /// How many bytes of `requests` are charged to `memory`.
    private var charged = 0
    /// Of the request that is being answered.
    private var isHTTP10 = false
    private var discarded = 0
    /// Whether the socket waits to be read until an answer is written.
    private var isReadHeld = false
    private var isGathering = false
    private var context: ChannelHandlerContext?

    /// - Parameters:
    ///   - memory: shared by all connections.
    ///   - keepsBody: whether the handler of a request reads its body, and the request's token may use it. Called on the
    ///     event loop at the end of the head. Any other body is discarded as it arrives.
    init(cors: CORSPolicy, memory: RequestMemory, keepsBody: @escaping @Sendable (RequestFraming) -> Bool) {
        self.cors = cors
        self.memory = memory
        requests = RequestGatherer(keepsBody: keepsBody)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        wait(.head, context)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        deadline.end()
        releaseMemory()
        self.context = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        if case .lingering = state {
            discarded += bytes.readableBytes
            if discarded > Self.maximumDiscarded { context.close(promise: nil) }
            return
        }
        requests.append(bytes.readableBytesView)
        if case .gathering = state { gather(context) }
        guard !chargeMemory() else { return }
        switch state {
        case .gathering: refuse(.noRoom, context)
        case .answering: context.close(promise: nil)
        case .lingering: break
        }
    }

    func read(context: ChannelHandlerContext) {
        if case .answering = state, requests.count > Self.maximumAhead {
            isReadHeld = true
            return
        }
        context.read()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case is TLSHandshakeCompleted:
            // The handshake has a limit of its own, and a distant client may need most of it.
            deadline.cancel()
            wait(.head, context)
        case is ChannelShouldQuiesceEvent:
            guard case .answering = state else { return context.close(promise: nil) }
            state = .answering(closeAfterwards: true)
            close(context, in: Self.shutdownGrace)
        case ChannelEvent.inputClosed:
            switch state {
            // A request that is cut short is never executed.
            case .gathering, .lingering: return context.close(promise: nil)
            case .answering: state = .answering(closeAfterwards: true)
            }
        default: break
        }
        context.fireUserInboundEventTriggered(event)
    }

    /// Must be called when the kernel has taken the whole answer to the request that was passed on.
    func answerWritten() {
        guard let context, case .answering(let closeAfterwards) = state else { return }
        if closeAfterwards { return linger(context) }
        state = .gathering
        wait(.nextRequest, context)
        gather(context)
        _ = chargeMemory()
        guard isReadHeld else { return }
        isReadHeld = false
        // Our own `read`, because it stops a client that sends faster than it is answered.
        read(context: context)
    }

    /// The value of the answer's Connection field; nil for the default of HTTP/1.1.
    var connectionOption: String? {
        guard case .answering(let closeAfterwards) = state else { return nil }
        return closeAfterwards ? "close" : isHTTP10 ? "keep-alive" : nil
    }

    /// Passes on what is complete. A request that is answered at once is followed by the next one here, not from
    /// ``answerWritten()``: a client that sends many ahead would fill the stack.
    private func gather(_ context: ChannelHandlerContext) {
        guard !isGathering else { return }
        isGathering = true
        defer { isGathering = false }
        while case .gathering = state, passNext(context) {}
    }

    /// - Returns: whether a request was passed on.
    private func passNext(_ context: ChannelHandlerContext) -> Bool {
        do {
            switch try requests.next() {
            case nil: return false
            case .incomplete(let continueExpected):
                if continueExpected { write("HTTP/1.1 100 Continue\r\n\r\n", context) }
                wait(requests.framing.isInBody ? .body : .head, context)
                return false
            case .complete(let request):
                deadline.cancel()
                isHTTP10 = request.isHTTP10
                state = .answering(closeAfterwards: request.closesConnection)
                context.fireChannelRead(wrapInboundOut(request))
                return true
            }
        } catch {
            refuse(error, context)
            return false
        }
    }

    private func wait(_ wait: RequestDeadline.Wait, _ context: ChannelHandlerContext) {
        deadline.start(wait, on: context.eventLoop, look: lookAtDeadline(context))
    }

    private func lookAtDeadline(_ context: ChannelHandlerContext) -> @Sendable () -> Void {
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        return { bound.value.lookAtDeadline() }
    }

    private func lookAtDeadline() {
        guard let context, deadline.hasPassed(on: context.eventLoop, look: lookAtDeadline(context)) else { return }
        // A client that has sent nothing expects no answer.
        guard requests.hasBegun else { return context.close(promise: nil) }
        refuse(.tooSlow, context)
    }

    private func refuse(_ error: FramingError, _ context: ChannelHandlerContext) {
        let framing = requests.framing
        var response = ResponseBuilder.error(.framing(error))
        response.add(cors.headers(origin: framing.origin, path: framing.path))
        if framing.method == "HEAD" { response.dropBody() }
        context.writeAndFlush(wrapOutboundOut(response.encoded(connection: "close", context.channel.allocator)), promise: nil)
        linger(context)
    }

    private func write(_ text: String, _ context: ChannelHandlerContext) {
        context.writeAndFlush(wrapOutboundOut(context.channel.allocator.buffer(string: text)), promise: nil)
    }

    /// Ends the connection after the last answer, and gives the client time to read it.
    private func linger(_ context: ChannelHandlerContext) {
        state = .lingering
        deadline.end()
        releaseMemory()
        context.close(mode: .output, promise: nil)
        close(context, in: Self.lingering)
        read(context: context)
    }

    private func close(_ context: ChannelHandlerContext, in time: TimeAmount) {
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        context.eventLoop.scheduleTask(in: time) { bound.value.close(promise: nil) }
    }

    /// - Returns: false if there is no room for what has arrived.
    private func chargeMemory() -> Bool {
        guard requests.count != charged else { return true }
        guard memory.change(from: charged, to: requests.count) else { return false }
        charged = requests.count
        return true
    }

    private func releaseMemory() {
        requests.discardAll()
        _ = chargeMemory()
    }
}
