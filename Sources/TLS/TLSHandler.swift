import NIOCore
import OpenSSL

/// The user inbound event that tells the handlers behind that the handshake is complete.
package struct TLSHandshakeCompleted: Sendable, Equatable {
    /// For example `TLSv1.3`.
    package let version: String
    /// OpenSSL's name of the cipher.
    package let cipher: String
}

/// The first handler of a server's pipeline: ciphertext in front, plaintext behind. It performs what `TLSStateMachine`
/// decides.
///
/// To the handlers behind it looks like a TCP connection with half closure:
/// * A peer's close_notify is `ChannelEvent.inputClosed`.
/// * `close(mode: .output)` sends what waits, and then close_notify.
/// * `close(mode: .all)` does the same and gives the peer five seconds. If a `ChannelShouldQuiesceEvent` caused it, it does
///   not wait for the peer.
/// * An end without close_notify, or within the handshake, is a `TLSError` through `errorCaught` and then
///   `channelInactive`, never `inputClosed`.
package final class TLSHandler: ChannelDuplexHandler {
    package typealias InboundIn = ByteBuffer
    package typealias InboundOut = ByteBuffer
    package typealias OutboundIn = ByteBuffer
    package typealias OutboundOut = ByteBuffer

    /// From the connection to the end of the handshake.
    static let handshakeLimit = TimeAmount.seconds(10)
    /// From the request to close to the end of the connection.
    static let shutdownLimit = TimeAmount.seconds(5)

    private let connection: TLSConnection
    private var machine = TLSStateMachine()
    private var queue = PlaintextQueue()
    private var actions = CircularBuffer<TLSStateMachine.Action>()
    private var isPerforming = false
    private var deadline: Scheduled<Void>?
    private var whenOutputClosed: EventLoopPromise<Void>?
    private var whenClosed: EventLoopPromise<Void>?
    private var isDisconnected = false
    private var isQuiescing = false

    /// - Parameter context: the connection keeps it, even if another one becomes current.
    /// - Throws: `OpenSSLError` if there is no memory. The caller must close the connection.
    package init(context: TLSContext) throws(OpenSSLError) {
        connection = try TLSConnection(context)
    }

    package func handlerAdded(context: ChannelHandlerContext) {
        handle(.writabilityChanged(context.channel.isWritable), context)
        if context.channel.isActive { handle(.connected, context) }
    }

    package func handlerRemoved(context: ChannelHandlerContext) {
        // A channel that never became active does not become inactive either.
        deadline?.cancel()
        settlePromises()
    }

    /// Events may come while actions are performed: a write makes the channel unwritable, a handler behind closes. The
    /// machine gets them at once, but their actions wait until the earlier ones are done.
    private func handle(_ event: TLSStateMachine.Event, _ context: ChannelHandlerContext) {
        actions.append(contentsOf: machine.handle(event))
        guard !isPerforming else { return }
        isPerforming = true
        while let action = actions.popFirst() { perform(action, context) }
        isPerforming = false
    }

    private func perform(_ action: TLSStateMachine.Action, _ context: ChannelHandlerContext) {
        switch action {
        case .receive(let ciphertext): receive(ciphertext, context)
        case .advanceHandshake: advanceHandshake(context)
        case .decrypt: decrypt(context)
        case .encrypt: encrypt(context)
        case .sendCloseNotify: sendCloseNotify(context)
        case .read: context.read()
        case .flush: context.flush()
        case .closeOutput: context.close(mode: .output, promise: nil)
        case .close: context.close(mode: .all, promise: whenClosed.take())
        case .schedule(let kind): schedule(kind, context)
        case .cancelDeadline: deadline.take()?.cancel()
        case .failWrites(let error): queue.fail(error ?? ChannelError.ioOnClosedChannel)
        case .announceHandshake:
            let completed = TLSHandshakeCompleted(version: connection.version, cipher: connection.cipher)
            context.fireUserInboundEventTriggered(completed)
        case .deliver(let plaintext): context.fireChannelRead(wrapInboundOut(plaintext))
        case .announceReadComplete: context.fireChannelReadComplete()
        case .announceInputClosed: context.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        case .announceError(let error): context.fireErrorCaught(error)
        case .announceDisconnected:
            isDisconnected = true
            settlePromises()
            context.fireChannelInactive()
        }
    }
}

// MARK: - From the socket

extension TLSHandler {
    package func channelActive(context: ChannelHandlerContext) {
        handle(.connected, context)
        context.fireChannelActive()
    }

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        handle(.received(unwrapInboundIn(data)), context)
    }

    package func channelReadComplete(context: ChannelHandlerContext) {
        handle(.readCompleted, context)
    }

    package func channelWritabilityChanged(context: ChannelHandlerContext) {
        handle(.writabilityChanged(context.channel.isWritable), context)
        context.fireChannelWritabilityChanged()
    }

    package func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .inputClosed? = event as? ChannelEvent { return handle(.peerFinished, context) }
        // A handler that closes during this event has nothing to send.
        isQuiescing = event is ChannelShouldQuiesceEvent
        context.fireUserInboundEventTriggered(event)
        isQuiescing = false
    }

    package func channelInactive(context: ChannelHandlerContext) {
        handle(.disconnected, context)
    }
}

// MARK: - From behind

extension TLSHandler {
    package func read(context: ChannelHandlerContext) {
        handle(.readRequested, context)
    }

    package func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard machine.acceptsPlaintext else {
            promise?.fail(machine.isClosed ? ChannelError.ioOnClosedChannel : ChannelError.outputClosed)
            return
        }
        queue.append(unwrapOutboundIn(data), promise)
    }

    package func flush(context: ChannelHandlerContext) {
        queue.flush()
        if queue.hasFlushed { handle(.flushRequested, context) }
    }

    package func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        guard !isDisconnected else { return context.close(mode: mode, promise: promise) }
        switch mode {
        case .input:
            handle(.closeRequested(.input, hasPlaintext: queue.hasFlushed), context)
            promise?.succeed(())
        case .output:
            queue.flush()
            whenOutputClosed.chain(promise)
            handle(.closeRequested(.output, hasPlaintext: queue.hasFlushed), context)
        case .all:
            queue.flush()
            whenClosed.chain(promise)
            handle(.closeRequested(isQuiescing ? .allAtOnce : .all, hasPlaintext: queue.hasFlushed), context)
        }
    }
}

// MARK: - The machine's actions

extension TLSHandler {
    private func receive(_ ciphertext: ByteBuffer, _ context: ChannelHandlerContext) {
        do {
            try ciphertext.withUnsafeReadableBytes { bytes throws(OpenSSLError) in try connection.receive(bytes) }
        } catch {
            handle(.failed(error), context)
        }
    }

    private func advanceHandshake(_ context: ChannelHandlerContext) {
        let event: TLSStateMachine.Event
        do {
            event = .handshakeAdvanced(try connection.handshake())
        } catch {
            event = .handshakeFailed(error)
        }
        sendCiphertext(context)
        handle(event, context)
    }

    private func decrypt(_ context: ChannelHandlerContext) {
        var plaintext = context.channel.allocator.buffer(capacity: PlaintextQueue.sliceLimit)
        var end = TLSConnection.ReadEnd.wantsInput
        plaintext.writeWithUnsafeMutableBytes(minimumWritableBytes: PlaintextQueue.sliceLimit) { space in
            let reading = connection.read(into: space)
            end = reading.end
            return reading.count
        }
        // Alerts, such as the refusal to renegotiate.
        sendCiphertext(context)
        handle(.decrypted(plaintext, end), context)
    }

    private func encrypt(_ context: ChannelHandlerContext) {
        guard let slice = queue.next() else { return handle(.encrypted(hasMore: false), context) }
        do {
            try slice.bytes.withUnsafeReadableBytes { bytes throws(OpenSSLError) in try connection.write(bytes) }
        } catch {
            slice.promise?.fail(TLSError.failed(error))
            return handle(.failed(error), context)
        }
        context.write(wrapOutboundOut(takeCiphertext(context)), promise: slice.promise)
        handle(.encrypted(hasMore: queue.hasFlushed), context)
    }

    private func sendCloseNotify(_ context: ChannelHandlerContext) {
        do {
            try connection.shutdown()
        } catch {
            return handle(.failed(error), context)
        }
        let sent = context.eventLoop.makePromise(of: Void.self)
        // A failure needs no handling: the channel is closing then, and `channelInactive` follows.
        sent.futureResult.assumeIsolated().whenSuccess {
            self.whenOutputClosed.take()?.succeed(())
            self.handle(.closeNotifySent, context)
        }
        context.writeAndFlush(wrapOutboundOut(takeCiphertext(context)), promise: sent)
    }

    private func schedule(_ kind: TLSStateMachine.Deadline, _ context: ChannelHandlerContext) {
        deadline?.cancel()
        let limit =
            switch kind {
            case .handshake: Self.handshakeLimit
            case .shutdown: Self.shutdownLimit
            }
        deadline = context.eventLoop.assumeIsolated().scheduleTask(in: limit) { self.handle(.deadlinePassed(kind), context) }
    }

    private func sendCiphertext(_ context: ChannelHandlerContext) {
        guard connection.pendingCiphertext > 0 else { return }
        context.writeAndFlush(wrapOutboundOut(takeCiphertext(context)), promise: nil)
    }

    private func takeCiphertext(_ context: ChannelHandlerContext) -> ByteBuffer {
        let count = connection.pendingCiphertext
        var ciphertext = context.channel.allocator.buffer(capacity: count)
        ciphertext.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { connection.takeCiphertext(into: $0) }
        return ciphertext
    }

    private func settlePromises() {
        queue.fail(ChannelError.ioOnClosedChannel)
        whenOutputClosed.take()?.fail(ChannelError.ioOnClosedChannel)
        whenClosed.take()?.succeed(())
    }
}

extension EventLoopPromise<Void>? {
    /// Completes `next` together with this promise. Without a promise, `next` becomes it.
    fileprivate mutating func chain(_ next: EventLoopPromise<Void>?) {
        guard let next else { return }
        if let first = self { first.futureResult.cascade(to: next) } else { self = next }
    }
}
