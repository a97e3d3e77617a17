import HTTPServer
import HTTPTypes
import JSON
import Linux
import RunProtocol
import Runs
import Threads

/// Answers supervisors and load balancers. They need no token, so they learn nothing about the inside.
struct HealthEndpoints: Sendable {
    private static let isAlive = ResponseBuilder.json(.ok, .object([.init("status", .string("ok"))]))

    private let coordinator: RunCoordinator
    /// Anybody may ask, so one look answers all questions of a second.
    private let reasons: CoalescedRead<[Readiness.Reason]>

    init(readiness: Readiness, coordinator: RunCoordinator, pools: ServicePools) {
        self.coordinator = coordinator
        reasons = CoalescedRead(on: pools.readiness, keepMilliseconds: 1000) { readiness.reasons() }
    }

    /// 200 while the process serves requests.
    @Sendable func alive(_ context: RequestContext) -> RouteTable.Answer { .now(Self.isAlive) }

    /// 200 if a run would start now, otherwise 503. Only a request with a valid token learns the reasons.
    @Sendable func ready(_ context: RequestContext) async throws -> Response {
        var reasons = try await reasons.value()
        switch coordinator.obstacle {
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
