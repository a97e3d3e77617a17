import Synchronization
import Testing

@testable import HTTPFraming

@Suite struct RequestGathererTests {
    private static let plain = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n"
    private static let post = "POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"

    /// Method, path and body of a complete request.
    private func parts(_ step: RequestGatherer.Step?) -> [String]? {
        guard case .complete(let request)? = step else { return nil }
        return [request.method, request.path, String(decoding: request.body, as: UTF8.self)]
    }

    @Test func requestsThatArriveTogetherComeOneByOne() throws {
        var requests = RequestGatherer(keepsBody: { _ in true })
        requests.append((Self.plain + Self.post + "GET").utf8)
        #expect(try parts(requests.next()) == ["GET", "/a", ""])
        #expect(try parts(requests.next()) == ["POST", "/b", "abc"])
        #expect(try requests.next() == .incomplete(continueExpected: false))
        #expect(requests.hasBegun && requests.count == 3)
    }

    @Test func whetherABodyIsKeptIsAskedOncePerRequest() throws {
        let asked = Asked()
        var requests = RequestGatherer(keepsBody: {
            asked.add($0.path)
            return $0.path == "/b"
        })
        for byte in (Self.plain + Self.post + Self.post.replacing("/b", with: "/c")).utf8 {
            requests.append([byte])
            _ = try requests.next()
        }
        #expect(asked.paths == ["/b", "/c"])
        #expect(!requests.hasBegun)
    }

    @Test func aBodyThatIsNotKeptTakesNoMemory() throws {
        var requests = RequestGatherer(keepsBody: { _ in false })
        let head = "POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n"
        requests.append(head.utf8)
        for _ in 0..<59 {
            requests.append([UInt8](repeating: 0x61, count: 1000))
            #expect(try requests.next() == .incomplete(continueExpected: false))
            #expect(requests.count == head.utf8.count && requests.hasBegun)
        }
        requests.append([UInt8](repeating: 0x61, count: 1000))
        #expect(try parts(requests.next()) == ["POST", "/b", ""])
    }

    @Test func nothingToLookAtIsNoStep() throws {
        var requests = RequestGatherer(keepsBody: { _ in true })
        #expect(try requests.next() == nil && !requests.hasBegun)
    }
}

private final class Asked: Sendable {
    private let all = Mutex<[String]>([])

    var paths: [String] { all.withLock { $0 } }

    func add(_ path: String) { all.withLock { $0.append(path) } }
}
