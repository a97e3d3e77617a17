import AuditLog
import History
import HTTPServer
import JSON

extension EventBuffer {
    /// Takes a refused request.
    func record(_ refused: RefusedRequest) {
        let principal = Principal(
            user: refused.user, tokenFingerprint: refused.tokenFingerprint, sourceIP: refused.sourceIP, requestID: refused.requestID)
        switch refused.reason {
        case .token(let refusal): record(.authFailed, by: principal, [.init("reason", .string(refusal.reason.rawValue))])
        case .role(let path): record(.accessDenied, by: principal, [.init("path", .string(path))])
        }
    }
}
