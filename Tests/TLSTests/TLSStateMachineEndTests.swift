import Testing

@testable import OpenSSL
@testable import TLS

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
