import AuditLog
import HTTPTypes
import HummingbirdCore
import JSON
import NIOCore

/// The history over HTTP, for administrators.
struct AdminEndpoints: Sendable {
    let history: HistoryReader
    let events: EventBuffer
    private let worker = Worker(threads: 2)
    /// Each encodes a whole output twice.
    private let showing = ReadSlots(4)
    /// A page of runs with long reasons is some megabytes.
    private let listing = ReadSlots(4)
    /// Each keeps a piece in memory until its client takes it.
    private let outputs = ReadSlots(64)
    private static let outputPatience = Duration.seconds(5)

    init(history: HistoryReader, events: EventBuffer) {
        self.history = history
        self.events = events
    }

    var routes: [Route] {
        [
            Route(method: .get, path: "/admin/runs", role: .admin, handler: list),
            Route(method: .get, path: "/admin/runs/{id}", role: .admin, handler: show),
            Route(method: .get, path: "/admin/runs/{id}/output", role: .admin, handler: output),
        ]
    }

    @Sendable func list(_ call: Call) async throws -> Response {
        let filter = try RunFilter(Query(call.request.uri.query ?? ""))
        let slot = try listing.take()
        await events.record(.historyRead, by: call.actor, [.init("what", .string("runs"))])
        let history = history
        let page = try await worker.run { try history.runs(filter) }
        return Answer.json(
            .ok,
            .object([
                .init("runs", .array(page.runs.map { .object($0.members) })),
                .init("next", .optional(page.next.map { String($0) })),
            ]), keeping: slot)
    }

    @Sendable func show(_ call: Call) async throws -> Response {
        let slot = try showing.take()
        let history = history
        let worker = worker
        let found = try await worker.run { () throws -> (RunRecord, Int64)? in
            guard let run = try history.run(call.id) else { return nil }
            return (run, try history.storedOutputBytes(of: call.id) ?? 0)
        }
        guard let (run, size) = found else { throw RequestError.notFound }
        await events.record(.historyRead, by: call.actor, [.init("what", .string("run")), .init("of_run", .integer(call.id))])
        let output = LongText(count: size) { offset, count in
            try await worker.run { try history.output(of: call.id, offset: offset, count: count) }
        }
        return try await Answer.json(.ok, run.members, "output", output, keeping: slot)
    }

    /// The stored bytes exactly, piece by piece: a client that stops reading stops the reading here.
    @Sendable func output(_ call: Call) async throws -> Response {
        let slot = try await outputs.take(for: call.user, within: Self.outputPatience)
        let history = history
        let worker = worker
        guard let size = try await worker.run({ try history.storedOutputBytes(of: call.id) }) else { throw RequestError.notFound }
        await events.record(.historyRead, by: call.actor, [.init("what", .string("output")), .init("of_run", .integer(call.id))])
        let range = try ByteRange(call.request.headers[.range], size: size)
        var headers: HTTPFields = [.acceptRanges: "bytes"]
        if range.partial { headers[.contentRange] = "bytes \(range.first)-\(range.first + range.count - 1)/\(size)" }
        let body = ResponseBody(contentLength: Int(range.count)) { writer in
            var offset = range.first
            let end = range.first + range.count
            while offset < end {
                let count = min(LongText.readBytes(of: size), end - offset)
                let from = offset
                let piece = try await worker.run { try history.output(of: call.id, offset: from, count: count) }
                guard !piece.isEmpty else { throw RequestError.internalError }
                try await writer.write(ByteBuffer(bytes: piece))
                offset += Int64(piece.count)
            }
            try await writer.finish(nil)
            withExtendedLifetime(slot) {}
        }
        return Response(
            status: range.partial ? .partialContent : .ok, headers: Answer.headers("text/plain; charset=utf-8", headers), body: body)
    }
}

/// The bytes a client asks for (RFC 9110 section 14): one range, or all.
struct ByteRange: Equatable {
    let first: Int64
    let count: Int64
    let partial: Bool

    /// - Parameter header: a Range header; one that is not of the form, or asks for several ranges, counts as none.
    /// - Throws: ``RequestError/rangeNotSatisfiable(size:)``.
    init(_ header: String?, size: Int64) throws(RequestError) {
        guard let header, header.hasPrefix("bytes="), !header.contains(",") else {
            (first, count, partial) = (0, size, false)
            return
        }
        let ends = header.dropFirst(6).split(separator: "-", omittingEmptySubsequences: false)
        guard ends.count == 2, ends.allSatisfy({ $0.utf8.count <= 18 && $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }) else {
            (first, count, partial) = (0, size, false)
            return
        }
        switch (Int64(ends[0]), Int64(ends[1])) {
        case (let from?, let to?) where to < from: (first, count, partial) = (0, size, false)
        case (let from?, let to):
            guard from < size else { throw .rangeNotSatisfiable(size: size) }
            (first, count, partial) = (from, min(to ?? size - 1, size - 1) - from + 1, true)
        case (nil, let last?):
            guard last > 0, size > 0 else { throw .rangeNotSatisfiable(size: size) }
            (first, count, partial) = (max(0, size - last), min(last, size), true)
        case (nil, nil): (first, count, partial) = (0, size, false)
        }
    }
}
