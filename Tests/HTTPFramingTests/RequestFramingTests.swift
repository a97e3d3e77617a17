import TestSupport
import Testing

@testable import HTTPFraming

@Suite struct RequestFramingTests {
    private static let plain = "GET /sync/status HTTP/1.1\r\nHost: a\r\n\r\n"
    private static let fixed = "POST /sync/run HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}"
    private static let chunked = "POST /sync/run HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n"

    @Test(arguments: [plain, fixed, chunked])
    func aRequestPassesWholeAndOnlyWhole(request: String) throws {
        let bytes = Array(request.utf8)
        // Cut at every byte, and with the beginning of the next request behind it.
        for cut in 0..<bytes.count {
            var framing = RequestFraming()
            #expect(try framing.inspect(Array(bytes[..<cut])) == .incomplete(continueExpected: false))
            #expect(try framing.inspect(bytes + Array("GET / HT".utf8)) == .complete(length: bytes.count))
        }
        var byByte = RequestFraming()
        for length in 1..<bytes.count { #expect(try byByte.inspect(Array(bytes[..<length])) == .incomplete(continueExpected: false)) }
        #expect(try byByte.inspect(bytes) == .complete(length: bytes.count))
    }

    @Test(arguments: [
        // A proxy that finds another end of such a request could let a second one pass unseen.
        "Content-Length: 1\r\nContent-Length: 1", "Content-Length: 1\r\nTransfer-Encoding: chunked", "Content-Length: +1",
        "Content-Length: -1", "Content-Length: 1,1", "Content-Length: 0x1", "Content-Length:", "Content-Length: 99999999999999999999",
        "Transfer-Encoding: xchunked", "Transfer-Encoding: gzip, chunked", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding : chunked", "Transfer-Encoding: chunked\t", "Transfer-Encoding: chunked, identity", " folded: x", "X: a\r\n b",
        "X: a\nY: b", "X: a\rY: b",
        "X: a\u{0}b", "X: a\u{1}b", "no colon", ": no name", "Host: b", "X\u{e9}: a",
        "Authorization: a\r\nAuthorization: b", "Expect: 200-ok",
        // In Unicode, these are `chunked` in lower case and a digit.
        "Transfer-Encoding: chun\u{212a}ed", "Transfer-Encoding: CHUN\u{212a}ED", "Content-Length: \u{ff11}",
    ])
    func malformedHeadsAreRefused(field: String) {
        #expect(throws: FramingError.self) { try Self.inspect("POST / HTTP/1.1\r\nHost: a\r\n\(field)\r\n\r\n1") }
    }

    @Test(arguments: [
        "GET / HTTP/1.1\r\n\r\n", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", "GET /\r\n\r\n", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
        "G@T / HTTP/1.1\r\nHost: a\r\n\r\n", "GET /\u{7f} HTTP/1.1\r\nHost: a\r\n\r\n", "\u{16}\u{3}\u{1}\u{2}\u{0}",
        "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ])
    func malformedRequestsAreRefused(request: String) {
        #expect(throws: FramingError.self) { try Self.inspect(request) }
    }

    @Test(arguments: [
        "1\r\nxx\r\n", "g\r\n", "\r\n", "-1\r\n", "123456789\r\n", "0\r\nX: y\r\n\r\n", "1\nx\r\n", "0x1\r\n", " 1\r\n", "1;x=y\r\nx\r\n",
        "1;\r\nx\r\n",
    ])
    func malformedChunksAreRefused(chunks: String) {
        #expect(throws: FramingError.self) {
            try Self.inspect("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\(chunks)")
        }
    }

    @Test func whatIsNotOfferedIsRefusedAtOnce() {
        #expect(throws: FramingError.notOffered("CONNECT")) { try Self.inspect("CONNECT a:1 HTTP/1.1\r\n") }
        #expect(throws: FramingError.notOffered("Upgrade")) { try Self.inspect("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\n") }
        #expect(throws: FramingError.notOffered("Upgrade")) { try Self.inspect("GET / HTTP/1.1\r\nConnection: x, upgrade\r\n") }
    }

    /// A request at the limit passes. One byte more is refused, even before the end arrives.
    @Test func sizesAreLimited() throws {
        func target(_ length: Int) -> String { "GET /\(String(repeating: "a", count: length - 1)) HTTP/1.1\r\nHost: a\r\n\r\n" }
        #expect(throws: Never.self) { try Self.inspect(target(4096)) }
        #expect(throws: FramingError.targetTooLong) { try Self.inspect(target(4097)) }
        #expect(throws: FramingError.targetTooLong) { try Self.inspect(String(repeating: "a", count: 5000)) }

        func fields(_ length: Int) -> String { "GET / HTTP/1.1\r\nHost: a\r\nX: \(String(repeating: "a", count: length))\r\n\r\n" }
        #expect(throws: Never.self) { try Self.inspect(fields(16000)) }
        #expect(throws: FramingError.fieldsTooLarge) { try Self.inspect(fields(16400)) }
        #expect(throws: FramingError.fieldsTooLarge) {
            try Self.inspect("GET / HTTP/1.1\r\n" + String(repeating: "X: y\r\n", count: 3000))
        }

        func body(_ length: Int) -> String { "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \(length)\r\n\r\n" }
        #expect(try Self.inspect(body(65536)) == .incomplete(continueExpected: false))
        #expect(throws: FramingError.bodyTooLarge) { try Self.inspect(body(65537)) }
        let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        #expect(throws: FramingError.bodyTooLarge) { try Self.inspect(head + "ffffffff\r\n") }
        #expect(throws: FramingError.bodyTooLarge) { try Self.inspect(head + String(repeating: "1\r\na\r\n", count: 65536)) }
        #expect(throws: FramingError.self) { try Self.inspect(head + "1;" + String(repeating: "e", count: 200)) }
    }

    @Test func fieldsAreCounted() throws {
        func fields(_ count: Int) -> String { "GET / HTTP/1.1\r\nHost: a\r\n" + String(repeating: "a:\r\n", count: count - 1) + "\r\n" }
        #expect(throws: Never.self) { try Self.inspect(fields(256)) }
        #expect(throws: FramingError.fieldsTooLarge) { try Self.inspect(fields(257)) }
    }

    /// A combining character behind a comma does not change the comma.
    @Test func optionsAreReadAsBytes() throws {
        let request = "GET / HTTP/1.1\r\nHost: a\r\nConnection: x,\u{301},close\r\n\r\n"
        #expect(try Self.inspect(request) == .complete(length: request.utf8.count))
        #expect(throws: FramingError.notOffered("Upgrade")) {
            try Self.inspect("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade,\u{301}x\r\n\r\n")
        }
    }

    @Test func aClientThatWaitsIsToldOnceToContinue() throws {
        let head = Array("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n".utf8)
        var framing = RequestFraming()
        #expect(try framing.inspect(head) == .incomplete(continueExpected: true))
        #expect(try framing.inspect(head + [1]) == .incomplete(continueExpected: false))
        #expect(try framing.inspect(head + [1, 2, 3]) == .complete(length: head.count + 3))
    }

    /// In pieces of any size, the request ends in the same place, and nothing of its body stays in memory.
    @Test(arguments: [
        fixed, chunked,
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nX: y\r\n\r\n64\r\n\(String(repeating: "b", count: 100))\r\n0\r\n\r\n",
    ])
    func aBodyThatNothingReadsIsDiscarded(request: String) throws {
        let next = Array("GET / HTTP/1.1\r\n".utf8)
        let bytes = Array(request.utf8) + next
        let head = request.firstRange(of: "\r\n\r\n").map { request[..<$0.upperBound].utf8.count } ?? 0
        for step in [1, 2, 3, 5, 7, bytes.count] {
            var framing = RequestFraming()
            var received: [UInt8] = []
            var end = 0
            while end < bytes.count {
                received += bytes[end..<min(end + step, bytes.count)]
                end = min(end + step, bytes.count)
                guard case .complete(let length) = try framing.inspect(received) else {
                    framing.discardBody(from: &received)
                    #expect(received.count <= head + step + 8)
                    continue
                }
                #expect(Array(received[length...] + bytes[end...]) == next)
                let passed = framing.request(from: received, length: length, withBody: false)
                #expect(passed.method == "POST" && passed.fields["host"] == "a" && passed.body.isEmpty)
                break
            }
        }
    }

    @Test func aDiscardedBodyIsLimitedAsWell() throws {
        var framing = RequestFraming()
        var received = Array("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".utf8)
        #expect(throws: FramingError.bodyTooLarge) {
            for _ in 0..<65536 {
                received += Array("1\r\na\r\n".utf8)
                _ = try framing.inspect(received)
                framing.discardBody(from: &received)
                if received.count > 200 { return }
            }
        }
    }

    @Test func theConnectionEndsWhenTheClientSaysSo() throws {
        #expect(try Self.request("GET / HTTP/1.1\r\nHost: a\r\n\r\n").closesConnection == false)
        #expect(try Self.request("GET / HTTP/1.1\r\nHost: a\r\nConnection: Close\r\n\r\n").closesConnection)
        #expect(try Self.request("GET / HTTP/1.0\r\n\r\n").closesConnection)
        #expect(try Self.request("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").closesConnection == false)
    }

    @Test func aRequestHasItsPartsAsTheyWereSent() throws {
        let request = try Self.request(
            "POST /a/1?b=%20c#d HTTP/1.1\r\nHost: a\r\nX-Twice: 1\r\nx-twice:\t 2 \r\nX-Empty:\r\nContent-Length: 2\r\n\r\n{}")
        #expect(request.method == "POST" && request.path == "/a/1" && request.query == "b=%20c" && request.body == Array("{}".utf8))
        #expect(request.fields["host"] == "a" && request.fields["x-twice"] == "1, 2" && request.fields["x-empty"] == "")
        #expect(request.fields.values(of: "x-twice") == ["1", "2"] && request.fields["x"] == nil && request.fields["x-twice2"] == nil)
        #expect(request.isHTTP10 == false)
        #expect(try Self.request("GET /a HTTP/1.1\r\nHost: a\r\n\r\n").query == nil)
        #expect(try Self.request("GET /a?#? HTTP/1.1\r\nHost: a\r\n\r\n").query == "")
        #expect(try Self.request("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n").path == "*")
    }

    /// In Unicode, the lower case of the Kelvin sign is k.
    @Test func namesOfFieldsAreComparedAsASCII() throws {
        #expect("content-LENGTH".utf8.map { $0 }[...].isFieldName("content-length"))
        #expect(!Array("\u{212a}".utf8)[...].isFieldName("k") && !Array("a{".utf8)[...].isFieldName("a["))
    }

    @Test(arguments: [
        ("1\r\n{\r\n1\r\n}\r\n0\r\n\r\n", "{}"), ("0\r\n\r\n", ""), ("a\r\n0123\r\n6789\r\n00\r\n\r\n", "0123\r\n6789"),
        ("1\r\n\r\r\n0\r\n\r\n", "\r"),
    ])
    func chunksAreDecoded(chunks: String, content: String) throws {
        let request = try Self.request("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\(chunks)")
        #expect(String(decoding: request.body, as: UTF8.self) == content)
    }

    private static func request(_ text: String) throws -> Request {
        let bytes = Array(text.utf8)
        var framing = RequestFraming()
        guard case .complete(let length) = try framing.inspect(bytes) else { throw FramingError.malformed("nothing") }
        return framing.request(from: bytes, length: length, withBody: true)
    }

    /// Nothing that a client sends traps the process, and what passes is never longer than what was sent.
    @Test func damagedRequestsNeverTrap() {
        var generator = SeededGenerator(seed: 7)
        let originals = [Self.plain, Self.fixed, Self.chunked].map { Array($0.utf8) }
        for round in 0..<30_000 {
            var bytes = originals[round % originals.count]
            for _ in 0..<Int.random(in: 1...5, using: &generator) where !bytes.isEmpty {
                let index = Int.random(in: 0..<bytes.count, using: &generator)
                switch Int.random(in: 0..<4, using: &generator) {
                case 0: bytes[index] = UInt8.random(in: 0...255, using: &generator)
                case 1: bytes.remove(at: index)
                case 2: bytes.insert(Array("\r\n;:, 0f".utf8).randomElement(using: &generator) ?? 0, at: index)
                default: bytes.insert(contentsOf: bytes[index...].prefix(8), at: index)
                }
            }
            var framing = RequestFraming()
            if case .complete(let length)? = try? framing.inspect(bytes) { #expect((1...bytes.count).contains(length)) }
            #expect(Self.verdict(bytes, step: bytes.count, discarding: false) == Self.verdict(bytes, step: round % 9 + 1, discarding: true))
        }
    }

    /// The result for a request that arrives in steps: its length, or why it is refused; nil if it is incomplete.
    private static func verdict(_ bytes: [UInt8], step: Int, discarding: Bool) -> String? {
        var framing = RequestFraming()
        var received: [UInt8] = []
        var end = 0
        while end < bytes.count {
            let next = min(bytes.count, end + step)
            received += bytes[end..<next]
            end = next
            do {
                if case .complete(let length) = try framing.inspect(received) { return "\(end - received.count + length) bytes" }
                if discarding { framing.discardBody(from: &received) }
            } catch {
                return "\(error)"
            }
        }
        return nil
    }

    private static func inspect(_ text: String) throws -> RequestFraming.Verdict {
        var framing = RequestFraming()
        return try framing.inspect(Array(text.utf8))
    }
}
