import AuditLog
import HTTPServer
import History

extension EventBuffer {
    /// Records a refused request.
    func record(_ refused: RefusedRequest) {
        let principal = Principal(
            user: refused.user, tokenFingerprint: refused.tokenFingerprint, sourceIP: refused.sourceIP, requestID: refused.requestID.description)
        switch refused.reason {
        case .token(let refusal): record(.authFailed(reason: refusal.reason.rawValue), by: principal)
        case .role(let path): record(.accessDenied(path: path), by: principal)
        }
    }
}
