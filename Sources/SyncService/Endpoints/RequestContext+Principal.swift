import History
import HTTPServer
import JWT

extension RequestContext {
    /// Who asks, as the history names them.
    var principal: Principal {
        Principal(user: claims?.user, tokenFingerprint: claims?.fingerprint, sourceIP: sourceIP, requestID: requestID)
    }
}
