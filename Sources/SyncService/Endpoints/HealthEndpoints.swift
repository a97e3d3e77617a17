import HTTPServer
import HTTPTypes
import HummingbirdCore
import JSON
import Linux
import Logging
import RunProtocol
import Runs
import Threads

/// What a supervisor or a load balancer asks, without a token and without a word about the inside.
struct HealthEndpoints: Sendable {
    private let coordinator: RunCoordinator
    /// Anybody may ask, so that what is found answers for a second.
    private let reasons: SharedLook<[Readiness.Reason]>

    init(readiness: Readiness, coordinator: RunCoordinator, pools: ServicePools) {
        self.coordinator = coordinator
        reasons = SharedLook(on: pools.readiness, keepMilliseconds: 1000) { readiness.reasons() }
    }

    @Sendable func alive(_ context: RequestContext) async throws -> Response {
        ResponseBuilder.json(.ok, .object([.init("status", .string("ok"))]))
    }

    /// 200 or 503; why not, only for those with a token.
    @Sendable func ready(_ context: RequestContext) async throws -> Response {
        var reasons = try await reasons.value()
        switch await coordinator.obstacle {
        case .leaving: reasons.append(.shuttingDown)
        case .unrecorded: reasons.append(.lastRunUnrecorded)
        case nil: break
        }
        guard !reasons.isEmpty else { return ResponseBuilder.json(.ok, .object([.init("status", .string("ready"))])) }
        var body: [JSONValue.Member] = [.init("status", .string("not_ready"))]
        if context.claims != nil { body.append(.init("reasons", .array(reasons.map { .string($0.rawValue) }))) }
        return ResponseBuilder.json(.serviceUnavailable, .object(body), [.retryAfter: "10"])
    }
}
