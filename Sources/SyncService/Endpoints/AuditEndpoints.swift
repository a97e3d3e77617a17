import AuditLog
import HTTPFraming
import HTTPServer
import HTTPTypes
import History
import JSON
import Threads

/// The audit log over HTTP, for administrators.
struct AuditEndpoints: Sendable {
    let history: HistoryStore
    let settings: AuditSettings
    let events: EventBuffer
    private let pools: ServicePools
    /// Each verification reads the whole history.
    private let verifying = ReadSlots(1)
    /// A page takes up to 6 MiB.
    private let listing = ReadSlots(4)

    init(history: HistoryStore, settings: AuditSettings, events: EventBuffer, pools: ServicePools) {
        self.history = history
        self.settings = settings
        self.events = events
        self.pools = pools
    }

    /// A page of events, newest first. Each is as it was signed, with its number.
    @Sendable func list(_ context: RequestContext) async throws -> Response {
        let query = try Query(context.request.query ?? "")
        try query.allow(only: ["limit", "cursor", "event"])
        let limits = RunFilter.limits
        let limit =
            try query.value("limit", "a number from \(limits.lowerBound) to \(limits.upperBound)") {
                Int64($0).flatMap { limits.contains(Int($0)) ? $0 : nil }
            } ?? 50
        let before = try query.value("cursor", "the next of an earlier answer") { Int64($0).flatMap { $0 > 0 ? $0 : nil } } ?? Int64.max
        let event = try query.value("event", "one of \(Event.allCases.map(\.rawValue).joined(separator: ", "))") { Event(rawValue: $0) }
        let slot = try listing.take()
        events.record(.historyRead(.audit), by: context.principal)
        let reader = history.reader
        let found = try await pools.searches.run { try reader.entries(of: event, before: before, limit: Int(limit) + 1) }
        let page = found.entries.prefix(Int(limit))
        let events = page.map { entry, bytes -> JSONValue in
            guard case .object(let members)? = (try? Leaf(stored: bytes))?.object else { return .object([.init("entry", .integer(entry))]) }
            return .object([.init("entry", .integer(entry))] + members)
        }
        let next = (found.entries.count > page.count ? page.last?.entry : found.next).map { String($0) }
        return ResponseBuilder.json(.ok, .object([.init("events", .array(events)), .init("next", .optional(next))]), keeping: slot)
    }

    /// The newest signed checkpoint.
    @Sendable func checkpoint(_ context: RequestContext) async throws -> Response {
        events.record(.historyRead(.checkpoint), by: context.principal)
        let reader = history.reader
        guard let head = try await pools.reads.run({ try reader.newestCheckpoint() }) else { throw RequestError.notFound }
        return ResponseBuilder.bytes(.ok, "text/plain; charset=utf-8", head.note.encoded)
    }

    /// The proof that the last entry about a run is in the log. It can be kept and checked elsewhere.
    @Sendable func receipt(_ context: RequestContext) async throws -> Response {
        events.record(.historyRead(.receipt, run: context.id), by: context.principal)
        let reader = history.reader
        let receipt = try await pools.reads.run { try reader.receipt(of: context.id) }
        guard let receipt else { throw RequestError.notFound }
        return ResponseBuilder.bytes(.ok, "text/plain; charset=utf-8", receipt.encoded)
    }

    /// Verifies the whole history. Only one verification goes on at a time.
    @Sendable func verify(_ context: RequestContext) async throws -> Response {
        let slot = try verifying.take()
        events.record(.historyRead(.verify), by: context.principal)
        let (reader, key, settings) = (history.reader, history.log.signer.verifierKey, settings)
        let report = try await pools.verification.run { () throws -> HistoryVerification.Report in
            var verification = HistoryVerification(reader: reader, expectedKey: settings.pinned, ownKey: key)
            verification.checkpoints = try settings.checkpointFile?.evidence(for: reader).checkpoints ?? []
            return try verification.run()
        }
        // The slot is free again before the client has taken the small answer.
        withExtendedLifetime(slot) {}
        return ResponseBuilder.json(
            .ok,
            .object([
                .init("status", .string(report.isIntact ? "ok" : "tampered")), .init("size", .integer(report.size)),
                .init("root", .optional(report.log?.root?.description)),
                .init("problems", .array(report.newDamage.map { .string($0.text) })),
                .init("accepted", .array(report.acceptedDamage.map { .string($0.text) })),
            ]))
    }
}
