import NIOCore
import OpenSSL

/// Decides what a server's TLS connection does next. Pure: events in, actions out.
///
/// Each call into OpenSSL is an action, and its outcome comes back as an event. After each call, the caller sends at once
/// what OpenSSL wants to send, even if the channel is unwritable. Only plaintext waits for writability. So a slow reader
/// costs the channel's own limit and one record more, not the ciphertext of a whole answer.
struct TLSStateMachine {
    enum Deadline: Equatable {
        /// From the connection to the end of the handshake.
        case handshake
        /// From the request to close to the end of the connection.
        case shutdown
    }

    enum CloseMode: Equatable {
        case output, input, all
        /// `all`, without waiting for the peer's close_notify, because nothing is on its way that the peer could lose.
        case allAtOnce
    }

    enum Event: Equatable {
        case connected
        case received(ByteBuffer)
        /// After one or more `received`, the channel has no more bytes for now.
        case readCompleted
        case readRequested
        /// Plaintext is waiting and may be sent.
        case flushRequested
        case writabilityChanged(Bool)
        case closeRequested(CloseMode, hasPlaintext: Bool)
        case deadlinePassed(Deadline)
        /// The peer's FIN.
        case peerFinished
        /// The channel is closed.
        case disconnected

        case handshakeAdvanced(TLSConnection.Handshake)
        case handshakeFailed(OpenSSLError)
        case decrypted(ByteBuffer, TLSConnection.ReadEnd)
        case encrypted(hasMore: Bool)
        /// Any other call into OpenSSL failed.
        case failed(OpenSSLError)
        /// The kernel has taken close_notify and everything before it.
        case closeNotifySent
    }

    enum Action: Equatable {
        case receive(ByteBuffer)
        case advanceHandshake
        case decrypt
        /// Encrypts and writes the next slice of plaintext, without a flush.
        case encrypt
        case sendCloseNotify

        case read
        case flush
        case closeOutput
        case close
        /// Replaces a deadline that is scheduled.
        case schedule(Deadline)
        case cancelDeadline
        /// Fails all writes that wait; nil if the channel is simply closed.
        case failWrites(TLSError?)

        case announceHandshake
        case deliver(ByteBuffer)
        case announceReadComplete
        case announceInputClosed
        case announceError(TLSError)
        case announceDisconnected
    }

    private enum Phase { case waiting, handshaking, established, closed }

    private enum Input {
        case open
        /// No handler wants more of it. What arrives is discarded.
        case abandoned
        /// The peer sent close_notify.
        case closed
    }

    private enum Output {
        case open
        /// New plaintext is refused. What waits is still sent.
        case draining
        /// close_notify is on its way.
        case closing
        case closed
    }

    private var phase = Phase.waiting
    private var input = Input.open
    private var output = Output.open
    private var hasPeerFinished = false
    /// The channel closes as soon as both sides have sent close_notify.
    private var isLeaving = false
    /// The channel closes after our own close_notify.
    private var isHurried = false
    private var isWritable = true
    private var isReadWanted = false
    private var hasDelivered = false
    private var hasPlaintext = false
    private var isEncrypting = false

    /// Whether new plaintext may be queued.
    var acceptsPlaintext: Bool { phase != .closed && output == .open }
    var isClosed: Bool { phase == .closed }

    mutating func handle(_ event: Event) -> [Action] {
        if case .disconnected = event { return disconnect() }
        guard phase != .closed else { return [] }
        switch event {
        case .connected: return connect()
        case .received(let ciphertext): return receive(ciphertext)
        case .readCompleted: return completeRead()
        case .readRequested: return requestRead()
        case .flushRequested:
            hasPlaintext = true
            return proceedWithOutput()
        case .writabilityChanged(let isWritable): return changeWritability(isWritable)
        case .closeRequested(let mode, let hasPlaintext): return requestClose(mode, hasPlaintext)
        case .deadlinePassed(let deadline): return pass(deadline)
        case .peerFinished: return finishPeer()
        case .disconnected: return []
        case .handshakeAdvanced(let handshake): return handshake == .complete ? establish() : []
        case .handshakeFailed(let error): return fail(.handshakeFailed(error))
        case .decrypted(let plaintext, let end): return decrypted(plaintext, end)
        case .encrypted(let hasMore): return encrypted(hasMore)
        case .failed(let error): return fail(.failed(error))
        case .closeNotifySent: return closeOutput()
        }
    }
}

// MARK: - Beginning and input

extension TLSStateMachine {
    private mutating func connect() -> [Action] {
        guard phase == .waiting else { return [] }
        phase = .handshaking
        return [.schedule(.handshake), .read]
    }

    private mutating func establish() -> [Action] {
        guard phase == .handshaking else { return [] }
        phase = .established
        // The first request may have arrived together with the end of the handshake.
        return [.cancelDeadline, .announceHandshake, .decrypt] + proceedWithOutput()
    }

    private func receive(_ ciphertext: ByteBuffer) -> [Action] {
        switch phase {
        case .waiting, .closed: return []
        case .handshaking: return [.receive(ciphertext), .advanceHandshake]
        case .established:
            // OpenSSL reads nothing after close_notify, so these bytes would accumulate in the BIO.
            return input == .closed ? [] : [.receive(ciphertext), .decrypt]
        }
    }

    private mutating func decrypted(_ plaintext: ByteBuffer, _ end: TLSConnection.ReadEnd) -> [Action] {
        var actions: [Action] = []
        if plaintext.readableBytes > 0, isDelivering {
            hasDelivered = true
            actions.append(.deliver(plaintext))
        }
        switch end {
        case .full: return actions + [.decrypt]
        case .wantsInput: return actions
        case .closed: return actions + closeInput()
        case .failed(let error): return actions + (isLeaving ? close() : fail(.failed(error)))
        }
    }

    private var isDelivering: Bool { input == .open && !isLeaving }

    /// The peer sent close_notify. Our side may still send.
    private mutating func closeInput() -> [Action] {
        guard input != .closed else { return [] }
        let isExpected = isDelivering
        input = .closed
        if output == .closed { return close() }
        return isExpected ? completeDelivery() + [.announceInputClosed] : []
    }

    private mutating func completeRead() -> [Action] {
        switch phase {
        case .handshaking: return [.read]
        case .established: return completeDelivery() + readOn()
        case .waiting, .closed: return []
        }
    }

    /// Ends the read that a handler requested.
    private mutating func completeDelivery() -> [Action] {
        guard hasDelivered else { return [] }
        hasDelivered = false
        isReadWanted = false
        return [.announceReadComplete]
    }

    private mutating func requestRead() -> [Action] {
        isReadWanted = true
        return phase == .handshaking ? [.read] : readOn()
    }

    /// Reads more, but not while the channel is unwritable. Otherwise a peer that reads nothing could ask for one
    /// renegotiation after another, and our refusals would fill a growing buffer.
    private func readOn() -> [Action] {
        guard phase == .established, isWritable else { return [] }
        // While we close, we read on our own account, to see the peer's close_notify.
        let isWanted =
            switch input {
            case .open: isReadWanted || isLeaving
            case .abandoned: isLeaving || output == .closed
            case .closed: false
            }
        return isWanted ? [.read] : []
    }
}

// MARK: - Output

extension TLSStateMachine {
    private mutating func changeWritability(_ isWritable: Bool) -> [Action] {
        self.isWritable = isWritable
        guard isWritable, phase == .established else { return [] }
        return proceedWithOutput() + readOn()
    }

    private mutating func encrypted(_ hasMore: Bool) -> [Action] {
        isEncrypting = false
        hasPlaintext = hasMore
        let next = proceedWithOutput()
        // One flush for a batch of records.
        return next == [.encrypt] ? next : [.flush] + next
    }

    /// Sends the next slice of plaintext, or close_notify when none is left.
    private mutating func proceedWithOutput() -> [Action] {
        guard phase == .established, !isEncrypting else { return [] }
        if hasPlaintext {
            guard isWritable, output == .open || output == .draining else { return [] }
            isEncrypting = true
            return [.encrypt]
        }
        guard output == .draining else { return [] }
        output = .closing
        return [.sendCloseNotify]
    }

    private mutating func closeOutput() -> [Action] {
        guard output == .closing else { return [] }
        output = .closed
        if hasPeerFinished || input == .closed || isHurried { return close() }
        // Not closed at once: if the peer is still sending, the connection would be reset, and the peer could lose our last
        // bytes.
        return [.closeOutput] + (isLeaving ? [] : [.schedule(.shutdown)]) + readOn()
    }
}

// MARK: - The end

extension TLSStateMachine {
    private mutating func requestClose(_ mode: CloseMode, _ hasPlaintext: Bool) -> [Action] {
        switch mode {
        case .input:
            guard isDelivering else { return [] }
            let actions = completeDelivery()
            input = .abandoned
            return actions + [.announceInputClosed] + readOn()
        case .output:
            guard output == .open else { return [] }
            output = .draining
            self.hasPlaintext = hasPlaintext
            return proceedWithOutput()
        case .all, .allAtOnce:
            // After `closeOutput` the peer has had its time.
            guard phase == .established, output != .closed else { return close() }
            if mode == .allAtOnce { isHurried = true }
            guard !isLeaving else { return [] }
            isLeaving = true
            self.hasPlaintext = hasPlaintext
            if output == .open { output = .draining }
            return [.schedule(.shutdown)] + proceedWithOutput() + readOn()
        }
    }

    private mutating func finishPeer() -> [Action] {
        hasPeerFinished = true
        switch phase {
        case .waiting, .closed: return close()
        case .handshaking: return fail(.closedDuringHandshake)
        case .established:
            if output == .closed { return close() }
            // After close_notify, or after our handlers stopped listening, an answer may still be on its way.
            guard input == .open else { return [] }
            return isLeaving ? close() : fail(.truncated)
        }
    }

    private mutating func pass(_ deadline: Deadline) -> [Action] {
        switch (deadline, phase) {
        case (.handshake, .handshaking): return fail(.handshakeTimedOut)
        case (.shutdown, .established): return close(failing: .shutdownTimedOut)
        default: return []
        }
    }

    private mutating func disconnect() -> [Action] {
        let wasWhole = phase == .closed || phase == .waiting || isLeaving || output == .closed || input != .open
        let error = phase == .handshaking ? TLSError.closedDuringHandshake : wasWhole ? nil : .truncated
        phase = .closed
        return [.cancelDeadline, .failWrites(error)] + (error.map { [.announceError($0)] } ?? []) + [.announceDisconnected]
    }

    private mutating func fail(_ error: TLSError) -> [Action] {
        phase = .closed
        return [.cancelDeadline, .failWrites(error), .announceError(error), .close]
    }

    private mutating func close(failing error: TLSError? = nil) -> [Action] {
        phase = .closed
        return [.cancelDeadline, .failWrites(error), .close]
    }
}
