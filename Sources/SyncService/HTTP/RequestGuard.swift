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
    private static let maximumAhead = 65536
    /// After a refusal so much is still read and so long is waited, because closing at once with unread bytes would
    /// reset the connection before the client has seen why.
    private static let maximumDiscarded = 262_144
    private static let lingering = TimeAmount.seconds(1)
    /// When the service stops, who has not read an answer by then keeps it no longer.
    private static let leaving = TimeAmount.seconds(5)
    /// Absolute times, however steadily single bytes come: for a head from its first byte (or the connection's), for a
    /// body from the end of its head.
    private static let headTime = TimeAmount.seconds(10)
    private static let bodyTime = TimeAmount.seconds(30)
    /// How long a connection may be quiet between requests.
    private static let idleTime = TimeAmount.seconds(60)
    /// How long a client may leave an answer unread while we cannot write.
    private static let unreadTime = TimeAmount.seconds(60)

    private enum Waiting { case head, body, nextRequest, reader }

    private enum State {
        case gathering
        case answering(closeAfterwards: Bool)
        case refused
    }

    private let cors: CORSPolicy
    private var state = State.gathering
    private var framing = RequestFraming()
    private var received: [UInt8] = []
    private var discarded = 0
    private var answerHasEnded = false
    private var context: ChannelHandlerContext?
    private var deadline: (waiting: Waiting, task: Scheduled<Void>)?

    init(cors: CORSPolicy) { self.cors = cors }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        wait(.head, Self.headTime, context)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        deadline?.task.cancel()
        self.context = nil
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if case .answering = state {
            if !context.channel.isWritable {
                wait(.reader, Self.unreadTime, context)
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
    }

    func read(context: ChannelHandlerContext) {
        if case .answering = state, received.count > Self.maximumAhead { return }
        context.read()
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
        // Through our own bound: a client that sends ahead must not be read faster than it is answered.
        read(context: context)
    }

    /// To be called when the last of an answer is on its way: small ones wait for their reader without the channel
    /// becoming unwritable.
    func answerEnding() {
        guard let context, case .answering = state else { return }
        answerHasEnded = true
        wait(.reader, Self.unreadTime, context)
    }

    /// Whether the connection ends with the answer.
    var closesAfterwards: Bool {
        if case .answering(closeAfterwards: true) = state { true } else { false }
    }

    /// Starts a deadline; one for the same thing goes on, because a client must not put it off by sending.
    private func wait(_ waiting: Waiting, _ time: TimeAmount, _ context: ChannelHandlerContext) {
        guard deadline?.waiting != waiting else { return }
        stopWaiting()
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        deadline = (waiting, context.eventLoop.scheduleTask(in: time) { bound.value.timeIsOver(waiting) })
    }

    private func stopWaiting() {
        deadline?.task.cancel()
        deadline = nil
    }

    private func timeIsOver(_ waiting: Waiting) {
        guard let context else { return }
        // Only who began a request learns that it was too slow.
        if waiting == .reader || received.isEmpty { return context.close(promise: nil) }
        refuse(.tooSlow, context)
    }

    private func gather(_ context: ChannelHandlerContext) {
        guard !received.isEmpty else { return }
        do {
            switch try framing.inspect(received) {
            case .incomplete(let continueExpected):
                if continueExpected { write("HTTP/1.1 100 Continue\r\n\r\n", context) }
                if framing.isInBody { wait(.body, Self.bodyTime, context) } else { wait(.head, Self.headTime, context) }
            case .complete(let length, let closeAfterwards):
                let request = context.channel.allocator.buffer(bytes: received[..<length])
                received.removeFirst(length)
                framing = RequestFraming()
                stopWaiting()
                answerHasEnded = false
                state = .answering(closeAfterwards: closeAfterwards)
                context.fireChannelRead(wrapInboundOut(request))
                context.fireChannelReadComplete()
            }
        } catch {
            refuse(error, context)
        }
    }

    private func refuse(_ refusal: RequestFraming.Refusal, _ context: ChannelHandlerContext) {
        write(Answer.refusal(refusal, cors.headers(origin: framing.origin, path: framing.path)), context)
        closeGently(context)
    }

    private func write(_ text: String, _ context: ChannelHandlerContext) {
        context.writeAndFlush(wrapOutboundOut(context.channel.allocator.buffer(string: text)), promise: nil)
    }

    private func closeGently(_ context: ChannelHandlerContext) {
        state = .refused
        stopWaiting()
        received = []
        context.close(mode: .output, promise: nil)
        close(context, in: Self.lingering)
        read(context: context)
    }

    private func close(_ context: ChannelHandlerContext, in time: TimeAmount) {
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        context.eventLoop.scheduleTask(in: time) { bound.value.close(promise: nil) }
    }
}

/// Behind the encoder: tells the guard when an answer is complete.
final class AnswerWatch: ChannelOutboundHandler {
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    private let requestGuard: RequestGuard

    init(_ requestGuard: RequestGuard) { self.requestGuard = requestGuard }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch unwrapOutboundIn(data) {
        case .head(var head) where requestGuard.closesAfterwards:
            head.headers.replaceOrAdd(name: "Connection", value: "close")
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
