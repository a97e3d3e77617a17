import NIOCore
import Testing

@testable import OpenSSL
@testable import TLS

private typealias Event = TLSStateMachine.Event
private typealias Action = TLSStateMachine.Action

private let bytes = ByteBuffer(string: "some bytes")
private let nothing = ByteBuffer()
private let trouble = OpenSSLError(operation: "SSL_read_ex", reasons: ["made up"])

/// A machine that has been through these events.
private func machine(_ events: Event...) -> TLSStateMachine {
    var machine = TLSStateMachine()
    for event in events { _ = machine.handle(event) }
    return machine
}

/// A machine after a complete handshake, and then these events.
private func established(_ events: Event...) -> TLSStateMachine {
    var made = machine(.connected, .received(bytes), .handshakeAdvanced(.complete), .decrypted(nothing, .wantsInput))
    for event in events { _ = made.handle(event) }
    return made
}

/// Asked to close everything, with nothing left to send.
private let closeAll = Event.closeRequested(.all, hasPlaintext: false)
private let closeOutput = Event.closeRequested(.output, hasPlaintext: false)
private let closeInput = Event.closeRequested(.input, hasPlaintext: false)

private func failing(_ error: TLSError) -> [Action] { [.cancelDeadline, .failWrites(error), .announceError(error), .close] }
private let closing: [Action] = [.cancelDeadline, .failWrites(nil), .close]

@Suite struct HandshakeTransitions {
    @Test func connectingStartsTheDeadlineAndReads() {
        var machine = machine()
        #expect(machine.handle(.connected) == [.schedule(.handshake), .read])
        #expect(machine.handle(.connected) == [])
    }

    @Test func ciphertextAdvancesTheHandshake() {
        var machine = machine(.connected)
        #expect(machine.handle(.received(bytes)) == [.receive(bytes), .advanceHandshake])
        #expect(machine.handle(.handshakeAdvanced(.wantsInput)) == [])
    }

    /// Nobody behind asks for a read before there is plaintext, so the handshake asks by itself.
    @Test func theHandshakeReadsOn() {
        var machine = machine(.connected, .received(bytes), .handshakeAdvanced(.wantsInput))
        #expect(machine.handle(.readCompleted) == [.read])
        #expect(machine.handle(.readRequested) == [.read])
    }

    @Test func completionLooksForDataThatCameAlong() {
        var machine = machine(.connected, .received(bytes))
        #expect(machine.handle(.handshakeAdvanced(.complete)) == [.cancelDeadline, .announceHandshake, .decrypt])
        #expect(machine.handle(.handshakeAdvanced(.complete)) == [])
    }

    @Test func plaintextWaitsForTheHandshake() {
        var machine = machine(.connected)
        #expect(machine.acceptsPlaintext)
        #expect(machine.handle(.flushRequested) == [])
        #expect(machine.handle(.handshakeAdvanced(.complete)) == [.cancelDeadline, .announceHandshake, .decrypt, .encrypt])
    }

    @Test func closingTheOutputWaitsForTheHandshake() {
        var machine = machine(.connected)
        #expect(machine.handle(closeOutput) == [])
        #expect(!machine.acceptsPlaintext)
        #expect(
            machine.handle(.handshakeAdvanced(.complete)) == [.cancelDeadline, .announceHandshake, .decrypt, .sendCloseNotify])
    }

    @Test func writabilityMeansNothingYet() {
        var machine = machine(.connected, .flushRequested)
        #expect(machine.handle(.writabilityChanged(false)) == [])
        #expect(machine.handle(.writabilityChanged(true)) == [])
    }

    @Test(arguments: [
        (Event.handshakeFailed(trouble), TLSError.handshakeFailed(trouble)), (.deadlinePassed(.handshake), .handshakeTimedOut),
        (.peerFinished, .closedDuringHandshake),
    ])
    fileprivate func failures(event: Event, error: TLSError) {
        var machine = machine(.connected, .received(bytes))
        #expect(machine.handle(event) == failing(error))
        #expect(machine.isClosed && !machine.acceptsPlaintext)
    }

    @Test func closingEverythingInAHandshakeIsImmediate() {
        var machine = machine(.connected)
        #expect(machine.handle(closeAll) == closing)
    }

    @Test func closingBeforeTheConnection() {
        var machine = machine()
        #expect(machine.handle(.received(bytes)) == [])
        #expect(machine.handle(.readCompleted) == [])
        #expect(machine.handle(closeAll) == closing)
    }

    @Test func theHandshakesDeadlineMeansNothingLater() {
        var machine = established()
        #expect(machine.handle(.deadlinePassed(.handshake)) == [])
    }
}

@Suite struct InputTransitions {
    @Test func ciphertextIsDecryptedAndDelivered() {
        var machine = established()
        #expect(machine.handle(.received(bytes)) == [.receive(bytes), .decrypt])
        #expect(machine.handle(.decrypted(bytes, .wantsInput)) == [.deliver(bytes)])
        #expect(machine.handle(.readCompleted) == [.announceReadComplete])
    }

    @Test func aFullBufferIsDeliveredAndDecryptionGoesOn() {
        var machine = established(.received(bytes))
        #expect(machine.handle(.decrypted(bytes, .full)) == [.deliver(bytes), .decrypt])
    }

    @Test func aPartOfARecordReadsOnForWhoeverAsked() {
        var machine = established(.readRequested, .received(bytes), .decrypted(nothing, .wantsInput))
        #expect(machine.handle(.readCompleted) == [.read])
    }

    @Test func nothingIsReadWhereNobodyAsked() {
        var machine = established(.received(bytes), .decrypted(nothing, .wantsInput))
        #expect(machine.handle(.readCompleted) == [])
    }

    @Test func oneReadIsAnsweredOnce() {
        var machine = established()
        #expect(machine.handle(.readRequested) == [.read])
        _ = machine.handle(.received(bytes))
        _ = machine.handle(.decrypted(bytes, .wantsInput))
        #expect(machine.handle(.readCompleted) == [.announceReadComplete])
        #expect(machine.handle(.readCompleted) == [])
    }

    @Test func anUnwritableChannelIsNotRead() {
        var machine = established(.writabilityChanged(false))
        #expect(machine.handle(.readRequested) == [])
        #expect(machine.handle(.writabilityChanged(true)) == [.read])
    }

    @Test func closeNotifyIsAnnouncedOnceBehindTheData() {
        var machine = established(.received(bytes))
        #expect(machine.handle(.decrypted(bytes, .closed)) == [.deliver(bytes), .announceReadComplete, .announceInputClosed])
        #expect(machine.handle(.readCompleted) == [])
        #expect(machine.acceptsPlaintext)
    }

    /// OpenSSL reads nothing any more: what is put in would stay there and grow.
    @Test func whatComesAfterCloseNotifyIsDropped() {
        var machine = established(.received(bytes), .decrypted(nothing, .closed))
        #expect(machine.handle(.received(bytes)) == [])
        #expect(machine.handle(.decrypted(nothing, .closed)) == [])
        #expect(machine.handle(.readRequested) == [])
    }

    @Test func theAnswerIsStillSentAfterCloseNotifyAndFIN() {
        var machine = established(.received(bytes), .decrypted(nothing, .closed))
        #expect(machine.handle(.peerFinished) == [])
        #expect(machine.handle(.flushRequested) == [.encrypt])
        #expect(machine.handle(.encrypted(hasMore: false)) == [.flush])
        #expect(machine.handle(closeOutput) == [.sendCloseNotify])
        #expect(machine.handle(.closeNotifySent) == closing)
    }

    @Test func aFINWithoutCloseNotifyIsATruncation() {
        var machine = established()
        #expect(machine.handle(.peerFinished) == failing(.truncated))
    }

    @Test func aForgedRecordEndsTheConnectionBehindTheDataBeforeIt() {
        var machine = established(.received(bytes))
        #expect(machine.handle(.decrypted(bytes, .failed(trouble))) == [.deliver(bytes)] + failing(.failed(trouble)))
    }

    @Test func anAbandonedInputIsAnnouncedAndNotRead() {
        var machine = established(.readRequested)
        #expect(machine.handle(closeInput) == [.announceInputClosed])
        #expect(machine.handle(closeInput) == [])
        #expect(machine.handle(.received(bytes)) == [.receive(bytes), .decrypt])
        #expect(machine.handle(.decrypted(bytes, .wantsInput)) == [])
        #expect(machine.handle(.readCompleted) == [])
        #expect(machine.handle(.readRequested) == [])
        #expect(machine.handle(.decrypted(nothing, .closed)) == [])
        #expect(machine.acceptsPlaintext)
    }

    @Test func whatWasDeliveredIsCompletedBeforeTheInputIsAbandoned() {
        var machine = established(.received(bytes), .decrypted(bytes, .wantsInput))
        #expect(machine.handle(closeInput) == [.announceReadComplete, .announceInputClosed])
    }

    @Test func aFINOnAnAbandonedInputLetsTheAnswerOut() {
        var machine = established(closeInput)
        #expect(machine.handle(.peerFinished) == [])
        #expect(machine.handle(closeOutput) == [.sendCloseNotify])
        #expect(machine.handle(.closeNotifySent) == closing)
    }
}

@Suite struct OutputTransitions {
    @Test func sliceAfterSliceAndOneFlush() {
        var machine = established()
        #expect(machine.handle(.flushRequested) == [.encrypt])
        #expect(machine.handle(.encrypted(hasMore: true)) == [.encrypt])
        #expect(machine.handle(.encrypted(hasMore: false)) == [.flush])
    }

    @Test func anUnwritableChannelStopsEncryptionAfterTheSliceAndResumes() {
        var machine = established(.flushRequested, .writabilityChanged(false))
        #expect(machine.handle(.encrypted(hasMore: true)) == [.flush])
        #expect(machine.handle(.flushRequested) == [])
        #expect(machine.handle(.writabilityChanged(true)) == [.encrypt])
    }

    @Test func aFlushWhileEncryptingDoesNotEncryptTwice() {
        var machine = established(.flushRequested)
        #expect(machine.handle(.flushRequested) == [])
        #expect(machine.handle(.writabilityChanged(true)) == [])
        #expect(machine.handle(.encrypted(hasMore: true)) == [.encrypt])
    }

    @Test func aFailureToEncryptEndsTheConnection() {
        var machine = established(.flushRequested)
        #expect(machine.handle(.failed(trouble)) == failing(.failed(trouble)))
    }

    @Test func closeNotifyFollowsAllThatWaits() {
        var machine = established()
        #expect(machine.handle(.closeRequested(.output, hasPlaintext: true)) == [.encrypt])
        #expect(!machine.acceptsPlaintext)
        #expect(machine.handle(.writabilityChanged(false)) == [])
        #expect(machine.handle(.encrypted(hasMore: true)) == [.flush])
        #expect(machine.handle(.writabilityChanged(true)) == [.encrypt])
        #expect(machine.handle(.encrypted(hasMore: false)) == [.flush, .sendCloseNotify])
        #expect(machine.handle(.closeNotifySent) == [.closeOutput, .schedule(.shutdown)])
    }

    @Test func aClosedOutputStillDelivers() {
        var machine = established(closeOutput, .closeNotifySent)
        #expect(machine.handle(.readRequested) == [.read])
        #expect(machine.handle(.received(bytes)) == [.receive(bytes), .decrypt])
        #expect(machine.handle(.decrypted(bytes, .wantsInput)) == [.deliver(bytes)])
    }

    @Test func theOutputIsClosedOnce() {
        var machine = established()
        #expect(machine.handle(closeOutput) == [.sendCloseNotify])
        #expect(machine.handle(closeOutput) == [])
        #expect(machine.handle(.closeNotifySent) == [.closeOutput, .schedule(.shutdown)])
        #expect(machine.handle(.closeNotifySent) == [])
        #expect(machine.handle(closeOutput) == [])
    }
}

@Suite struct EndTransitions {
    @Test func closingEverythingExchangesCloseNotify() {
        var machine = established()
        #expect(machine.handle(closeAll) == [.schedule(.shutdown), .sendCloseNotify, .read])
        #expect(!machine.acceptsPlaintext)
        #expect(machine.handle(closeAll) == [])
        #expect(machine.handle(.closeNotifySent) == [.closeOutput, .read])
        #expect(machine.handle(.received(bytes)) == [.receive(bytes), .decrypt])
        #expect(machine.handle(.decrypted(nothing, .closed)) == closing)
    }

    @Test func whatStillComesIsThrownAwayAndReadOn() {
        var machine = established(closeAll, .closeNotifySent)
        #expect(machine.handle(.decrypted(bytes, .full)) == [.decrypt])
        #expect(machine.handle(.decrypted(bytes, .wantsInput)) == [])
        #expect(machine.handle(.readCompleted) == [.read])
    }

    @Test func whatWaitsIsSentBeforeClosing() {
        var machine = established()
        #expect(machine.handle(.closeRequested(.all, hasPlaintext: true)) == [.schedule(.shutdown), .encrypt, .read])
        #expect(machine.handle(.encrypted(hasMore: false)) == [.flush, .sendCloseNotify])
    }

    @Test func thePeersCloseNotifyFirst() {
        var machine = established(.received(bytes), .decrypted(nothing, .closed))
        #expect(machine.handle(closeAll) == [.schedule(.shutdown), .sendCloseNotify])
        #expect(machine.handle(.closeNotifySent) == closing)
    }

    @Test func thePeersCloseNotifyWhileOursIsOnItsWay() {
        var machine = established(closeAll)
        #expect(machine.handle(.decrypted(nothing, .closed)) == [])
        #expect(machine.handle(.closeNotifySent) == closing)
    }

    @Test func bothOutputsClosedIsTheEnd() {
        var machine = established(closeOutput, .closeNotifySent)
        #expect(machine.handle(.decrypted(nothing, .closed)) == closing)
    }

    @Test func aPeerThatDoesNotAnswerIsLeft() {
        var machine = established(closeAll, .closeNotifySent)
        #expect(
            machine.handle(.deadlinePassed(.shutdown)) == [.cancelDeadline, .failWrites(.shutdownTimedOut), .close])
    }

    @Test func aPeerThatTakesNothingIsLeft() {
        var machine = established(.writabilityChanged(false), .closeRequested(.all, hasPlaintext: true))
        #expect(machine.handle(.deadlinePassed(.shutdown)) == [.cancelDeadline, .failWrites(.shutdownTimedOut), .close])
    }

    @Test func closingAtOnceSaysCloseNotifyAndWaitsForNobody() {
        var idle = established()
        #expect(idle.handle(.closeRequested(.allAtOnce, hasPlaintext: false)) == [.schedule(.shutdown), .sendCloseNotify, .read])
        #expect(idle.handle(.closeNotifySent) == closing)
        var waiting = established(closeAll, .closeNotifySent)
        #expect(waiting.handle(.closeRequested(.allAtOnce, hasPlaintext: false)) == closing)
        var sending = established(closeAll)
        #expect(sending.handle(.closeRequested(.allAtOnce, hasPlaintext: false)) == [])
        #expect(sending.handle(.closeNotifySent) == closing)
    }

    @Test func aFINIsAnswerEnoughOnTheWayOut() {
        var leaving = established(closeAll)
        #expect(leaving.handle(.peerFinished) == closing)
        var closed = established(closeOutput, .closeNotifySent)
        #expect(closed.handle(.peerFinished) == closing)
    }

    @Test func damageOnTheWayOutIsNoNews() {
        var machine = established(closeAll)
        #expect(machine.handle(.decrypted(nothing, .failed(trouble))) == closing)
    }

    /// The one who closed the output first has had the time to wait for the peer.
    @Test func closingEverythingAfterTheOutputIsImmediate() {
        var machine = established(closeOutput, .closeNotifySent)
        #expect(machine.handle(closeAll) == closing)
    }

    @Test func closingEverythingWhileTheOutputDrainsGetsADeadline() {
        var machine = established(.writabilityChanged(false), .closeRequested(.output, hasPlaintext: true))
        #expect(machine.handle(.closeRequested(.all, hasPlaintext: true)) == [.schedule(.shutdown)])
        #expect(machine.handle(.writabilityChanged(true)) == [.encrypt, .read])
        #expect(machine.handle(.encrypted(hasMore: false)) == [.flush, .sendCloseNotify])
        #expect(machine.handle(.closeNotifySent) == [.closeOutput, .read])
    }

    /// Nobody listens behind; the peer's end is awaited all the same.
    @Test func anAbandonedInputIsReadOnceTheOutputIsClosed() {
        var machine = established(closeInput, closeOutput)
        #expect(machine.handle(.closeNotifySent) == [.closeOutput, .schedule(.shutdown), .read])
        #expect(machine.handle(.decrypted(nothing, .closed)) == closing)
    }

    @Test func anInputAbandonedOnTheWayOutIsNoNews() {
        var machine = established(closeAll)
        #expect(machine.handle(closeInput) == [])
    }

    @Test func disconnection() {
        let cases: [(TLSStateMachine, TLSError?)] = [
            (machine(), nil), (machine(.connected), .closedDuringHandshake), (established(), .truncated),
            (established(.decrypted(nothing, .closed)), nil), (established(closeInput), nil), (established(closeAll), nil),
            (established(closeOutput), .truncated), (established(closeOutput, .closeNotifySent), nil),
            (established(.peerFinished), nil), (machine(.connected, .handshakeFailed(trouble)), nil),
        ]
        for (index, (machine, error)) in cases.enumerated() {
            var machine = machine
            let announced = error.map { [Action.announceError($0)] } ?? []
            #expect(
                machine.handle(.disconnected) == [.cancelDeadline, .failWrites(error)] + announced + [.announceDisconnected],
                "case \(index)")
            #expect(machine.isClosed && !machine.acceptsPlaintext)
        }
    }

    /// Whatever happens between the decision to close and the end: nothing is closed, failed or delivered twice.
    @Test func aClosedMachineIsSilent() {
        let ends: [TLSStateMachine] = [
            machine(.connected, .peerFinished), established(.peerFinished), established(closeAll, .deadlinePassed(.shutdown)),
            established(.disconnected), machine(closeAll),
        ]
        let events: [Event] = [
            .connected, .received(bytes), .readCompleted, .readRequested, .flushRequested, .writabilityChanged(true),
            closeAll, closeOutput, closeInput, .deadlinePassed(.handshake), .deadlinePassed(.shutdown), .peerFinished,
            .handshakeAdvanced(.complete), .handshakeFailed(trouble), .decrypted(bytes, .full), .encrypted(hasMore: true),
            .failed(trouble), .closeNotifySent,
        ]
        for end in ends {
            for event in events {
                var machine = end
                #expect(machine.handle(event) == [], "\(event)")
            }
        }
    }
}

/// Random walks: what must hold after any events in any order.
@Suite struct InvariantTests {
    @Test(arguments: 0..<40) func anyOrderOfEvents(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let events: [Event] = [
            .connected, .received(bytes), .readCompleted, .readRequested, .flushRequested, .writabilityChanged(true),
            .writabilityChanged(false), closeAll, closeOutput, closeInput, .closeRequested(.output, hasPlaintext: true),
            .closeRequested(.all, hasPlaintext: true), .closeRequested(.allAtOnce, hasPlaintext: true), .deadlinePassed(.handshake), .deadlinePassed(.shutdown), .peerFinished,
            .disconnected, .handshakeAdvanced(.complete), .handshakeAdvanced(.wantsInput), .handshakeFailed(trouble),
            .decrypted(bytes, .full), .decrypted(bytes, .wantsInput), .decrypted(nothing, .closed),
            .decrypted(bytes, .failed(trouble)), .encrypted(hasMore: true), .encrypted(hasMore: false),
            .failed(trouble), .closeNotifySent,
        ]
        for _ in 0..<500 {
            var machine = TLSStateMachine()
            var seen: [Action] = []
            for _ in 0..<30 {
                guard let event = events.randomElement(using: &generator) else { return }
                let wasClosed = machine.isClosed
                let actions = machine.handle(event)
                if wasClosed, event != .disconnected { #expect(actions.isEmpty) }
                if actions.contains(.close) {
                    #expect(machine.isClosed && actions.last == .close)
                    #expect(actions.contains(.cancelDeadline))
                }
                seen += actions
            }
            #expect(seen.count { $0 == .close } <= 1)
            #expect(seen.count { $0 == .closeOutput } <= 1)
            #expect(seen.count { $0 == .sendCloseNotify } <= 1)
            #expect(seen.count { $0 == .announceInputClosed } <= 1)
            #expect(seen.count { $0 == .announceHandshake } <= 1)
            if let first = seen.firstIndex(of: .announceInputClosed) {
                #expect(!seen[first...].contains(.deliver(bytes)), "no data after the end")
            }
            if let first = seen.firstIndex(of: .sendCloseNotify) {
                #expect(!seen[first...].contains(.encrypt), "no plaintext after close_notify")
            }
            if let first = seen.firstIndex(of: .close) {
                let after: [Action] = [.decrypt, .encrypt, .read, .deliver(bytes), .advanceHandshake]
                #expect(!seen[first...].contains(where: after.contains))
            }
        }
    }
}

/// SplitMix64: the same numbers on every machine.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
