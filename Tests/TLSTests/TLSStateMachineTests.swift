import Testing

@testable import OpenSSL
@testable import TLS

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
    func failures(event: Event, error: TLSError) {
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
