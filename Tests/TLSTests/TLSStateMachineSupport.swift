import NIOCore

@testable import OpenSSL
@testable import TLS

typealias Event = TLSStateMachine.Event
typealias Action = TLSStateMachine.Action

let bytes = ByteBuffer(string: "some bytes")
let nothing = ByteBuffer()
let trouble = OpenSSLError(operation: "SSL_read_ex", reasons: ["made up"])

/// A machine that has been through these events.
func machine(_ events: Event...) -> TLSStateMachine {
    var machine = TLSStateMachine()
    for event in events { _ = machine.handle(event) }
    return machine
}

/// A machine after a complete handshake, and then these events.
func established(_ events: Event...) -> TLSStateMachine {
    var made = machine(.connected, .received(bytes), .handshakeAdvanced(.complete), .decrypted(nothing, .wantsInput))
    for event in events { _ = made.handle(event) }
    return made
}

/// Asked to close everything, with nothing left to send.
let closeAll = Event.closeRequested(.all, hasPlaintext: false)
let closeOutput = Event.closeRequested(.output, hasPlaintext: false)
let closeInput = Event.closeRequested(.input, hasPlaintext: false)

func failing(_ error: TLSError) -> [Action] { [.cancelDeadline, .failWrites(error), .announceError(error), .close] }
let closing: [Action] = [.cancelDeadline, .failWrites(nil), .close]
