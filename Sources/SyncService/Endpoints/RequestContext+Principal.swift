import HTTPServer
import History
import JWT

extension RequestContext {
    /// The client, as the history names it.
    var principal: Principal {
        Principal(user: claims?.user, tokenFingerprint: claims?.fingerprint, sourceIP: sourceIP, requestID: requestID.description)
    }
}
