import Linux
import Testing

@testable import RunProtocol

/// The framing of messages on a stream, without another process.
@Suite struct MessageChannelTests {
    private let channel: MessageChannel
    private let other: Descriptor

    init() throws {
        let (left, right) = try Descriptor.socketPair()
        channel = MessageChannel(left)
        other = right
    }

    private static func frame(_ message: Message) -> [UInt8] {
        let bytes = message.encoded()
        return bigEndian(UInt32(bytes.count)) + bytes
    }

    private func fails(_ expected: String, milliseconds: Int64? = nil) {
        let error = #expect(throws: ChannelError.self) { try channel.receive(milliseconds: milliseconds) }
        #expect(error?.description == expected)
    }

    @Test func messagesKeepTheirOrderAndBorders() throws {
        var long = Message("long")
        long.add("bytes", [UInt8](repeating: 7, count: 50_000))
        let sender = MessageChannel(other)
        for message in [Message("first"), long, Message("last")] { try sender.send(message) }
        #expect(try channel.receive() == Message("first"))
        #expect(try channel.receive() == long)
        #expect(try channel.receive() == Message("last"))
    }

    @Test func segmentsDoNotMatter() throws {
        var message = Message("ended")
        message.add("exit_code", 3)
        let bytes = Self.frame(message) + Self.frame(Message("go"))
        // The first write ends within the second message; its rest comes by the byte.
        let cut = Self.frame(message).count + 2
        try other.write(Array(bytes[..<cut]))
        #expect(try channel.receive() == message)
        for byte in bytes[cut...] { try other.write([byte]) }
        #expect(try channel.receive() == Message("go"))
    }

    @Test(arguments: [0, 1, 3, 4, 5, 20]) func anEndWithinAMessageIsAnEnd(length: Int) throws {
        try other.write(Array(Self.frame(Message("a rather long kind"))[..<length]))
        LocalSocket.endWriting(other)
        fails("the other side closed the connection")
    }

    @Test func aPartialMessageTimesOut() throws {
        try other.write(Array(Self.frame(Message("go")).dropLast()))
        fails("no answer in time", milliseconds: 0)
    }

    @Test func aLengthAboveTheLimitIsRefusedUnread() throws {
        try other.write(bigEndian(UInt32(Message.maximumBytes) + 1))
        fails("not a message of the run protocol: 2097153 bytes long")
    }

    @Test func aFrameThatIsNoMessageIsRefused() throws {
        try other.write(bigEndian(3) + [1, 2, 3])
        fails("not a message of the run protocol: cut short")
        try other.write(bigEndian(0))
        fails("not a message of the run protocol: no version")
    }

    @Test func theFrameAfterARefusedMessageIsRead() throws {
        try other.write(bigEndian(1) + [0])
        #expect(throws: ChannelError.self) { try channel.receive() }
        try other.write(Self.frame(Message("go")))
        #expect(try channel.receive() == Message("go"))
    }

    @Test func theLongestLogFitsAMessage() throws {
        let tail = LogTail.lines([UInt8](repeating: 10, count: Int(LogTail.maximumBytes)))
        #expect(tail.message.encoded().count <= Message.maximumBytes)
    }
}
