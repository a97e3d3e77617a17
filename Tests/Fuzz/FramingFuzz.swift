import CNIOLLHTTP
import HTTPFraming

/// Feeds the request framing and then the HTTP decoder behind it. Two promises are checked, with the body and without it.
/// First, the cut into segments changes nothing. Second, a request that passes is exactly one request for the decoder.
/// If the decoder ended it earlier, the rest would become a second request. If the decoder refused it after the head, the
/// service would already be answering it.
@_cdecl("LLVMFuzzerTestOneInput")
package func fuzz(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    let bytes = array(data, size)
    let whole = verdict(bytes, step: bytes.count)
    hold(whole == verdict(bytes, step: 1), "byte by byte \(verdict(bytes, step: 1)), at once \(whole)")
    for step in [1, 5, bytes.count] { hold(whole == discarding(bytes, step: step).outcome, "with its body discarded, in steps of \(step)") }
    hold(whole == verdict(bytes, step: 7), "by sevens \(verdict(bytes, step: 7)), at once \(whole)")
    switch whole {
    case .complete(let length):
        hold(length > 0 && length <= bytes.count, "\(length) of \(bytes.count) bytes")
        hold(verdict(Array(bytes[..<length]), step: length) == whole, "it depends on what comes behind it")
        Decoder.check(Array(bytes[..<length]))
        Decoder.check(discarding(bytes, step: 3).head)
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
            if case .complete(let length, _) = try framing.inspect(Array(bytes[..<end])) { return .complete(length) }
        } catch {
            return .refused("\(error)")
        }
    } while end < bytes.count
    return .incomplete
}

/// The verdict when nothing reads the body, and the head that the decoder gets.
private func discarding(_ bytes: [UInt8], step: Int) -> (outcome: Outcome, head: [UInt8]) {
    var framing = RequestFraming()
    var received: [UInt8] = []
    var end = 0
    repeat {
        let next = min(bytes.count, end + max(1, step))
        received += bytes[end..<next]
        end = next
        do {
            if case .complete(let length, _) = try framing.inspect(received) {
                return (.complete(end - received.count + length), framing.headWithoutBody(of: received))
            }
            framing.discardBody(from: &received)
        } catch {
            return (.refused("\(error)"), [])
        }
    } while end < bytes.count
    return (.incomplete, [])
}

/// llhttp as NIO configures it, without lenient flags.
private enum Decoder {
    private struct Seen {
        var messages = 0
        var heads = 0
    }

    static func check(_ request: [UInt8]) {
        var seen = Seen()
        withUnsafeMutablePointer(to: &seen) { seen in
            var settings = llhttp_settings_t()
            c_nio_llhttp_settings_init(&settings)
            settings.on_headers_complete = { parser in
                parser?.pointee.data.assumingMemoryBound(to: Seen.self).pointee.heads += 1
                return 0
            }
            settings.on_message_complete = { parser in
                parser?.pointee.data.assumingMemoryBound(to: Seen.self).pointee.messages += 1
                return 0
            }
            var parser = llhttp_t()
            c_nio_llhttp_init(&parser, HTTP_REQUEST, &settings)
            parser.data = UnsafeMutableRawPointer(seen)
            let result = request.withUnsafeBytes { raw in
                c_nio_llhttp_execute(&parser, raw.baseAddress?.assumingMemoryBound(to: CChar.self), raw.count)
            }
            let reason = parser.reason.map { String(cString: $0) } ?? ""
            // If the decoder refuses before the head is complete, the service answers an empty 400 and closes.
            if result != HPE_OK && result != HPE_PAUSED_UPGRADE && seen.pointee.heads == 0 { return }
            hold(result == HPE_OK, "the decoder refuses behind the head: \(reason): \(String(decoding: request, as: UTF8.self).debugDescription)")
            hold(
                seen.pointee.messages == 1 && seen.pointee.heads == 1,
                "\(seen.pointee.heads) heads and \(seen.pointee.messages) requests: \(String(decoding: request, as: UTF8.self).debugDescription)")
        }
    }
}
