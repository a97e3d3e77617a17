import Diagnostics
import HTTPFraming
import HTTPTypes
import JWT
import Logging
import NIOCore

/// Finds a request's route, checks its token against the route's role, calls the handler, and turns every error into a
/// response. It is called on the event loops and never blocks.
package struct Responder: Sendable {
    let routes: RouteTable
    let authenticator: Reloadable<Authenticator>
    let hosts: Reloadable<AllowedHosts>
    package let sources: SourceAddress
    package let cors: CORSPolicy
    /// nil: no Strict-Transport-Security header.
    private let strictTransport: HTTPFields?
    /// Called with every request that is refused because of its token.
    let onRefusal: @Sendable (RefusedRequest) -> Void
    /// Returns the answer to an error of another module; nil for an unexpected error, which is logged and answered 500.
    let translate: @Sendable (any Error) -> RequestError?
    private let limiter = FailureLimiter()
    let logger: Logger
    /// For all addresses together, because an attacker with many addresses must not fill the log either.
    private let refusalLines = LogThrottle(lines: 20, in: 10_000)
    private let failureLines = LogThrottle(lines: 20, in: 10_000)

    /// What is known of a request before its token is checked.
    private struct Arrival {
        let request: Request
        let sourceIP: String?
        let id = RequestID()
    }

    /// - Parameter hstsSeconds: 0: no Strict-Transport-Security header.
    package init(
        routes: RouteTable, authenticator: Reloadable<Authenticator>, hosts: Reloadable<AllowedHosts>, sources: SourceAddress, cors: CORSPolicy,
        hstsSeconds: Int64, onRefusal: @escaping @Sendable (RefusedRequest) -> Void,
        translate: @escaping @Sendable (any Error) -> RequestError?, logger: Logger
    ) {
        self.routes = routes
        self.authenticator = authenticator
        self.hosts = hosts
        self.sources = sources
        self.cors = cors
        strictTransport = hstsSeconds > 0 ? [.strictTransportSecurity: "max-age=\(hstsSeconds)"] : nil
        self.onRefusal = onRefusal
        self.translate = translate
        self.logger = logger
    }

    /// Answers a request. A future that is returned never fails.
    /// - Parameters:
    ///   - peer: the other end of the connection.
    ///   - eventLoop: the connection's; to be called on it.
    package func respond(to request: Request, from peer: SourceAddress.Peer, on eventLoop: any EventLoop) -> RouteTable.Answer {
        let arrival = Arrival(request: request, sourceIP: sources.of(peer, request.fields))
        do {
            switch try answer(arrival, eventLoop) {
            case .now(let response): return .now(finish(response, request))
            case .later(let response):
                let finished = eventLoop.makePromise(of: Response.self)
                response.whenComplete { result in
                    let response: Response
                    switch result {
                    case .success(let answer): response = answer
                    case .failure(let error): response = failure(error, arrival)
                    }
                    finished.succeed(finish(response, request))
                }
                return .later(finished.futureResult)
            }
        } catch {
            return .now(finish(failure(error, arrival), request))
        }
    }

    /// The response to an error.
    private func failure(_ error: any Error, _ arrival: Arrival) -> Response {
        if let error = error as? RequestError { return ResponseBuilder.error(refused(error, arrival)) }
        let logger = logger.about(arrival.id, from: arrival.sourceIP)
        if let known = translate(error) {
            logger.error("\(arrival.request.method) cannot be answered: \(error)")
            return ResponseBuilder.error(known)
        }
        failureLines.log { logger.error("\(arrival.request.method) failed: \(error)\($0)") }
        return ResponseBuilder.error(.internalError)
    }

    /// Adds the headers that depend on the request. The response to HEAD loses its body here.
    private func finish(_ response: Response, _ request: Request) -> Response {
        var response = response
        let origin = request.fields["origin"]
        response.add(
            request.method == HTTPRequest.Method.options.rawValue
                ? cors.preflightHeaders(origin: origin, path: request.path, methods: routes.methods(routes.matches(request.path)))
                : cors.headers(origin: origin, path: request.path))
        if let strictTransport { response.add(strictTransport) }
        if request.method == HTTPRequest.Method.head.rawValue { response.dropBody() }
        return response
    }

    /// Counts, logs and records a refused token. A request without a token is no attempt to guess one.
    /// - Returns: the error to answer: 429 after too many refused tokens, otherwise `error`.
    private func refused(_ error: RequestError, _ arrival: Arrival) -> RequestError {
        guard case .unauthorized(let refusal?) = error else { return error }
        let wait = limiter.recordFailure(from: arrival.sourceIP)
        // The audit log counts those that the log leaves out.
        if wait == nil { refusalLines.log { logger.about(arrival.id, from: arrival.sourceIP).notice("token refused: \(refusal.description)\($0)") } }
        let sent = arrival.request.authorization.flatMap { $0.split(separator: " ", maxSplits: 1).last.map(String.init) }
        onRefusal(
            RefusedRequest(
                reason: .token(refusal), user: nil, tokenFingerprint: sent.map(Fingerprint.of), sourceIP: arrival.sourceIP,
                requestID: arrival.id))
        return wait.map { .tooManyFailures(retryAfterSeconds: $0) } ?? error
    }

    /// Whether a request's body must be kept in memory: its handler reads it, and its token may use the route. The token is
    /// checked again when the request is complete; a refusal is recorded only then.
    package func keepsBody(_ head: RequestFraming) -> Bool {
        guard let route = routes.match(head.method, head.path)?.route, route.readsBody else { return false }
        guard let role = route.role else { return true }
        let authenticator = authenticator.current
        guard let claims = try? authenticator.claims(head.authorization) else { return false }
        return (try? authenticator.authorize(claims, for: role)) != nil
    }

    private func answer(_ arrival: Arrival, _ eventLoop: any EventLoop) throws -> RouteTable.Answer {
        let request = arrival.request
        guard hosts.current.allow(request.fields["host"]) else { throw RequestError.badRequest("This service does not answer under that name") }
        guard let match = routes.match(request.method, request.path) else { return .now(try answerWithoutRoute(request)) }
        let route = match.route
        var claims: Claims?
        var isAdmin = false
        if route.readsToken, request.authorization != nil {
            do { claims = try authenticator.current.claims(request.authorization) } catch {
                let error = refused(error, arrival)
                if case .tooManyFailures = error { throw error }
            }
        }
        if let role = route.role {
            let authenticator = authenticator.current
            let checked = try authenticator.claims(request.authorization)
            do { try authenticator.authorize(checked, for: role) } catch {
                onRefusal(
                    RefusedRequest(
                        reason: .role(path: route.path), user: checked.user, tokenFingerprint: checked.fingerprint, sourceIP: arrival.sourceIP,
                        requestID: arrival.id))
                throw error
            }
            claims = checked
            isAdmin = (try? authenticator.authorize(checked, for: .admin)) != nil
        }
        return try match.handler(
            RequestContext(
                request: request, claims: claims, isAdmin: isAdmin, id: match.id, sourceIP: arrival.sourceIP, requestID: arrival.id,
                eventLoop: eventLoop, baseLogger: logger))
    }

    /// 404, 405, or the answer to OPTIONS.
    private func answerWithoutRoute(_ request: Request) throws(RequestError) -> Response {
        let matches = routes.matches(request.path)
        guard !matches.isEmpty else { throw .notFound }
        let methods = routes.methods(matches)
        guard request.method == HTTPRequest.Method.options.rawValue else { throw .methodNotAllowed(allowed: methods) }
        return ResponseBuilder.empty([.allow: methods.map(\.rawValue).joined(separator: ", ")])
    }
}
