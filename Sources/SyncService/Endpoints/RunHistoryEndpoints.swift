import AuditLog
import HTTPFraming
import HTTPServer
import HTTPTypes
import History
import JSON
import Threads

/// Runs and their outputs over HTTP, for administrators.
struct RunHistoryEndpoints: Sendable {
    let history: HistoryReader
    let events: EventBuffer
    private let pools: ServicePools
    /// Each request encodes a whole output twice.
    private let showing = ReadSlots(4)
    /// A page of runs with long reasons takes some megabytes.
    private let listing = ReadSlots(4)
    /// Each request keeps a piece in memory until its client takes it.
    private let outputs = ReadSlots(64)
    private static let outputPatience = Duration.seconds(5)

    init(history: HistoryReader, events: EventBuffer, pools: ServicePools) {
        self.history = history
        self.events = events
        self.pools = pools
    }

    /// A page of runs, newest first, filtered by the query.
    @Sendable func list(_ context: RequestContext) async throws -> Response {
        let filter = try RunFilter(Query(context.request.query ?? ""))
        let slot = try listing.take()
        events.record(.historyRead(.runs), by: context.principal)
        let history = history
        let page = try await pools.searches.run { try history.runs(filter) }
        return ResponseBuilder.json(
            .ok,
            .object([
                .init("runs", .array(page.runs.map { .object($0.members) })),
                .init("next", .optional(page.next.map { String($0) })),
            ]), keeping: slot)
    }

    /// One run with its output as text.
    @Sendable func show(_ context: RequestContext) async throws -> Response {
        let slot = try showing.take()
        let history = history
        let pool = pools.reads
        let found = try await pool.run { () throws -> (RunRecord, Int64)? in
            guard let run = try history.run(context.id) else { return nil }
            return (run, try history.storedOutputBytes(of: context.id) ?? 0)
        }
        guard let (run, size) = found else { throw RequestError.notFound }
        events.record(.historyRead(.run, run: context.id), by: context.principal)
        let output = LongText(count: size) { offset, count in
            try await pool.run { try history.output(of: context.id, offset: offset, count: count) }
        }
        return try await ResponseBuilder.json(.ok, run.members, "output", output, keeping: slot)
    }

    /// The stored bytes of one run's output, or a range of them. They are read piece by piece as the client takes them.
    @Sendable func output(_ context: RequestContext) async throws -> Response {
        let slot = try await outputs.take(for: context.user, within: Self.outputPatience)
        let history = history
        let pool = pools.reads
        guard let size = try await pool.run({ try history.storedOutputBytes(of: context.id) }) else { throw RequestError.notFound }
        events.record(.historyRead(.output, run: context.id), by: context.principal)
        let range = try ByteRange(context.request.fields["range"], size: size)
        var headers: HTTPFields = [.acceptRanges: "bytes"]
        if range.partial { headers[.contentRange] = "bytes \(range.first)-\(range.first + range.count - 1)/\(size)" }
        let body = ResponseStream(count: Int(range.count)) { send in
            var offset = range.first
            let end = range.first + range.count
            while offset < end {
                let count = min(LongText.readBytes(of: size), end - offset)
                let from = offset
                let piece = try await pool.run { try history.output(of: context.id, offset: from, count: count) }
                guard !piece.isEmpty else { throw RequestError.internalError }
                try await send(piece)
                offset += Int64(piece.count)
            }
            withExtendedLifetime(slot) {}
        }
        return ResponseBuilder.stream(range.partial ? .partialContent : .ok, "text/plain; charset=utf-8", body, headers)
    }
}
