import NIOCore
import OpenSSL

/// What a server's TLS connection does next: events in, actions out. It performs nothing and calls nobody.
///
/// Every call into OpenSSL is an action whose outcome comes back as an event. Whatever OpenSSL wants to send after a call
/// is sent by whoever performs it, at once and even where the channel is unwritable; plaintext alone waits for
/// writability. So a slow reader costs the channel's own limit and one record beyond, not an answer's ciphertext.
struct TLSStateMachine {
    enum Deadline: Equatable {
        /// From the connection to the end of the handshake.
        case handshake
        /// From the wish to close to the end of the connection.
        case shutdown
    }

    enum CloseMode: Equatable {
        case output, input, all
        /// `all`, without waiting for the peer's close_notify: nothing is under way that it could lose.
        case allAtOnce
    }

    enum Event: Equatable {
        case connected
        case received(ByteBuffer)
        /// The channel has no more for now, after one or more `received`.
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
        /// Of any other call.
        case failed(OpenSSLError)
        /// The kernel has taken close_notify and everything before it.
        case closeNotifySent
    }

    enum Action: Equatable {
        case receive(ByteBuffer)
        case advanceHandshake
        case decrypt
        /// The next slice of plaintext; written, not flushed.
        case encrypt
        case sendCloseNotify

        case read
        case flush
        case closeOutput
        case close
        /// In place of the one that was scheduled, if any.
        case schedule(Deadline)
        case cancelDeadline
        /// All that wait; nil where the channel is simply closed.
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
        /// Nobody behind wants any more of it; what comes is thrown away.
        case abandoned
        /// The peer said close_notify.
        case closed
    }

    private enum Output {
        case open
        /// No new plaintext; what waits is still sent.
        case draining
        /// close_notify is on its way.
        case closing
        case closed
    }

    private var phase = Phase.waiting
    private var input = Input.open
    private var output = Output.open
    private var hasPeerFinished = false
    /// The channel is to be closed as soon as both sides have said close_notify.
    private var isLeaving = false
    /// Our own close_notify is enough.
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
        // The first request may have come in one piece with the end of the handshake.
        return [.cancelDeadline, .announceHandshake, .decrypt] + proceedWithOutput()
    }

    private func receive(_ ciphertext: ByteBuffer) -> [Action] {
        switch phase {
        case .waiting, .closed: return []
        case .handshaking: return [.receive(ciphertext), .advanceHandshake]
        case .established:
            // OpenSSL reads nothing after close_notify: it would pile up in the BIO.
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

    /// The peer said close_notify. What we have to say may still be said.
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

    /// The read that was asked for has been answered.
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

    /// Not while the channel is unwritable: a peer that reads nothing could otherwise have us refuse one renegotiation
    /// after another into a growing buffer.
    private func readOn() -> [Action] {
        guard phase == .established, isWritable else { return [] }
        // On our way out only the peer's own end is of interest, and nobody behind asks for it.
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
        // One flush after the last of a batch of records.
        return next == [.encrypt] ? next : [.flush] + next
    }

    /// The next slice of plaintext, or close_notify once there is none left to wait for.
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
        // Closing at once would reset the connection if the peer is still sending, and it might lose our last words.
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
            // Whoever closed the output before has had the time to wait.
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
            // With close_notify, or where nobody listened any more, the answer may still be on its way.
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
