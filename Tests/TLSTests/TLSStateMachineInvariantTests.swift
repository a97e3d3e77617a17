import TestSupport
import Testing

@testable import OpenSSL
@testable import TLS

/// Random walks: what must hold after any events in any order.
@Suite struct InvariantTests {
    @Test(arguments: 0..<40) func anyOrderOfEvents(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let events: [Event] = [
            .connected, .received(bytes), .readCompleted, .readRequested, .flushRequested, .writabilityChanged(true),
            .writabilityChanged(false), closeAll, closeOutput, closeInput, .closeRequested(.output, hasPlaintext: true),
            .closeRequested(.all, hasPlaintext: true), .closeRequested(.allAtOnce, hasPlaintext: true), .deadlinePassed(.handshake),
            .deadlinePassed(.shutdown), .peerFinished,
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
