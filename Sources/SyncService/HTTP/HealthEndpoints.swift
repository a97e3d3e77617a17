import HTTPTypes
import HummingbirdCore
import JSON

/// What a supervisor or a load balancer asks, without a token and without a word about the inside.
enum HealthEndpoints {
    static let routes = [
        Route(method: .get, path: "/healthz", role: nil) { _ in Answer.json(.ok, .object([.init("status", .string("ok"))])) }
    ]
}
