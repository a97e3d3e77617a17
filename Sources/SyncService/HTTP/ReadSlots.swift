import HTTPTypes
import HummingbirdCore
import JSON
import NIOCore
import Synchronization

/// Lets so many heavy reads through at a time and refuses others by 429: each keeps much in memory until its client has
/// taken it, or a thread busy.
final class ReadSlots: Sendable {
    /// One read's place; free again when nobody keeps it any more, whichever way its answer ended.
    final class Slot: Sendable {
        private let slots: ReadSlots

        fileprivate init(_ slots: ReadSlots) { self.slots = slots }

        deinit { slots.taken.withLock { $0 -= 1 } }
    }

    private let count: Int
    private let taken = Mutex(0)

    init(_ count: Int) { self.count = count }

    /// - Throws: ``RequestError/tooManyReads``.
    func take() throws(RequestError) -> Slot {
        let isFree = taken.withLock { taken in
            guard taken < count else { return false }
            taken += 1
            return true
        }
        guard isFree else { throw .tooManyReads }
        return Slot(self)
    }
}

extension Answer {
    /// Sent piece by piece, so that the slot is kept until the client has taken nearly all of it.
    static func json(_ status: HTTPResponse.Status, _ body: JSON, keeping slot: ReadSlots.Slot) -> Response {
        let bytes = ByteBuffer(bytes: body.encoded())
        let body = ResponseBody(contentLength: bytes.readableBytes) { writer in
            var rest = bytes
            while let piece = rest.readSlice(length: min(65536, rest.readableBytes)), piece.readableBytes > 0 {
                try await writer.write(piece)
            }
            try await writer.finish(nil)
            withExtendedLifetime(slot) {}
        }
        return Response(status: status, headers: headers("application/json"), body: body)
    }
}
