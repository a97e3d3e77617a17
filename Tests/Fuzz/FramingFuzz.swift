import CNIOLLHTTP
import HTTPFraming

/// Feeds the request framing, and another parser (llhttp) beside it. Two promises are checked. First, the cut into segments
/// changes nothing. Second, a request that passes is the same one request for the other parser, or refused by it. If that
/// ended it earlier, a proxy could take the rest for a second request.
@_cdecl("LLVMFuzzerTestOneInput")
package func fuzz(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    let bytes = array(data, size)
    let whole = verdict(bytes, step: bytes.count)
    hold(whole == verdict(bytes, step: 1), "byte by byte \(verdict(bytes, step: 1)), at once \(whole)")
    for step in [1, 5, bytes.count] { hold(whole == discarding(bytes, step: step), "with its body discarded, in steps of \(step)") }
    hold(whole == verdict(bytes, step: 7), "by sevens \(verdict(bytes, step: 7)), at once \(whole)")
    switch whole {
    case .complete(let length):
        hold(length > 0 && length <= bytes.count, "\(length) of \(bytes.count) bytes")
        hold(verdict(Array(bytes[..<length]), step: length) == whole, "it depends on what comes behind it")
        OtherParser.check(Array(bytes[..<length]), request(Array(bytes[..<length])))
    case .incomplete: hold(bytes.count < 4160 + 16384 + 131_072 + 65536 + 1024, "still not enough after \(bytes.count) bytes")
    case .refused: break
    }
    return 0
}

private enum Outcome: Equatable {
    case incomplete
    case complete(Int)
    case refused(String)
}

private func verdict(_ bytes: [UInt8], step: Int) -> Outcome {
    var framing = RequestFraming()
    var end = 0
    repeat {
        end = min(bytes.count, end + max(1, step))
        do {
            if case .complete(let length) = try framing.inspect(Array(bytes[..<end])) { return .complete(length) }
        } catch {
            return .refused("\(error)")
        }
    } while end < bytes.count
    return .incomplete
}

/// The verdict when nothing reads the body.
private func discarding(_ bytes: [UInt8], step: Int) -> Outcome {
    var framing = RequestFraming()
    var received: [UInt8] = []
    var end = 0
    repeat {
        let next = min(bytes.count, end + max(1, step))
        received += bytes[end..<next]
        end = next
        do {
            if case .complete(let length) = try framing.inspect(received) { return .complete(end - received.count + length) }
            framing.discardBody(from: &received)
        } catch {
            return .refused("\(error)")
        }
    } while end < bytes.count
    return .incomplete
}

private func request(_ bytes: [UInt8]) -> Request? {
    var requests = RequestGatherer(keepsBody: { _ in true })
    requests.append(bytes)
    guard case .complete(let request)? = try? requests.next() else { return nil }
    return request
}

/// llhttp without lenient flags.
private enum OtherParser {
    private struct Seen {
        var messages = 0
        var heads = 0
        var target: [UInt8] = []
        var body: [UInt8] = []
    }

    static func check(_ bytes: [UInt8], _ ours: Request?) {
        guard let ours else { return hold(false, "complete, but no request") }
        var seen = Seen()
        withUnsafeMutablePointer(to: &seen) { seen in
            var settings = llhttp_settings_t()
            c_nio_llhttp_settings_init(&settings)
            settings.on_headers_complete = { Self.seen($0) { $0.heads += 1 } }
            settings.on_message_complete = { Self.seen($0) { $0.messages += 1 } }
            settings.on_url = { parser, start, count in Self.seen(parser) { $0.target += Self.bytes(start, count) } }
            settings.on_body = { parser, start, count in Self.seen(parser) { $0.body += Self.bytes(start, count) } }
            var parser = llhttp_t()
            c_nio_llhttp_init(&parser, HTTP_REQUEST, &settings)
            parser.data = UnsafeMutableRawPointer(seen)
            let result = bytes.withUnsafeBytes { raw in
                c_nio_llhttp_execute(&parser, raw.baseAddress?.assumingMemoryBound(to: CChar.self), raw.count)
            }
            let text = String(decoding: bytes, as: UTF8.self).debugDescription
            // Some requests are refused by it alone.
            if result != HPE_OK && result != HPE_PAUSED_UPGRADE && seen.pointee.heads == 0 { return }
            hold(result == HPE_OK, "refused behind the head: \(parser.reason.map { String(cString: $0) } ?? ""): \(text)")
            hold(
                seen.pointee.messages == 1 && seen.pointee.heads == 1,
                "\(seen.pointee.heads) heads and \(seen.pointee.messages) requests: \(text)")
            let target = String(decoding: seen.pointee.target, as: UTF8.self)
            hold(target.utf8.starts(with: ours.path.utf8), "another target: \(text)")
            hold(seen.pointee.body == ours.body, "another body: \(text)")
        }
    }

    private static func seen(_ parser: UnsafeMutablePointer<llhttp_t>?, _ change: (inout Seen) -> Void) -> CInt {
        if let seen = parser?.pointee.data?.assumingMemoryBound(to: Seen.self) { change(&seen.pointee) }
        return 0
    }

    private static func bytes(_ start: UnsafePointer<CChar>?, _ count: Int) -> [UInt8] {
        UnsafeBufferPointer(start: start, count: count).map { UInt8(bitPattern: $0) }
    }
}
