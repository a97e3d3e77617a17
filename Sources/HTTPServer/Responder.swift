import Diagnostics
import HTTPFraming
import HTTPTypes
import HummingbirdCore
import JWT
import Logging

/// Finds a request's route, checks its token against the route's role, calls the handler, and turns every error into a
/// response.
package struct Responder: Sendable {
    let routes: RouteTable
    let authenticator: Reloadable<Authenticator>
    let hosts: Reloadable<AllowedHosts>
    let sources: SourceAddress
    package let cors: CORSPolicy
    /// 0: no Strict-Transport-Security header.
    let hstsSeconds: Int64
    /// Called with every request that is refused because of its token.
    let onRefusal: @Sendable (RefusedRequest) async -> Void
    /// Returns the answer to an error of another module; nil for an unexpected error, which is logged and answered 500.
    let translate: @Sendable (any Error) -> RequestError?
    private let limiter = FailureLimiter()
    let logger: Logger
    /// For all addresses together, because an attacker with many addresses must not fill the log either.
    private let refusalLines = LogThrottle(lines: 20, in: 10_000)
    private let failureLines = LogThrottle(lines: 20, in: 10_000)

    package init(
        routes: RouteTable, authenticator: Reloadable<Authenticator>, hosts: Reloadable<AllowedHosts>, sources: SourceAddress, cors: CORSPolicy,
        hstsSeconds: Int64, onRefusal: @escaping @Sendable (RefusedRequest) async -> Void,
        translate: @escaping @Sendable (any Error) -> RequestError?, logger: Logger
    ) {
        self.routes = routes
        self.authenticator = authenticator
        self.hosts = hosts
        self.sources = sources
        self.cors = cors
        self.hstsSeconds = hstsSeconds
        self.onRefusal = onRefusal
        self.translate = translate
        self.logger = logger
    }

    /// Answers a request. It never fails.
    /// - Parameter peer: the address at the other end of the connection.
    package func respond(to request: Request, peer: String?) async -> Response {
        let requestID = RequestID.make()
        let sourceIP = sources.of(peer: peer, request.headers)
        var logger = logger
        logger[metadataKey: "request"] = "\(requestID)"
        logger[metadataKey: "from"] = "\(sourceIP ?? "?")"
        var response: Response
        do {
            response = try await answer(request, sourceIP, requestID, logger)
        } catch let error as RequestError {
            response = ResponseBuilder.error(await refused(error, request, sourceIP, requestID, logger))
        } catch {
            if let known = translate(error) {
                logger.error("\(request.method) cannot be answered: \(error)")
                return finish(ResponseBuilder.error(known), request)
            }
            failureLines.log { logger.error("\(request.method) failed: \(error)\($0)") }
            response = ResponseBuilder.error(.internalError)
        }
        return finish(response, request)
    }

    /// Adds the headers that depend on the request. The response to HEAD loses its body here.
    private func finish(_ response: Response, _ request: Request) -> Response {
        var response = response
        let origin = request.headers[.origin]
        let path = request.uri.path
        let fields =
            request.method == .options
            ? cors.preflightHeaders(origin: origin, path: path, methods: routes.methods(routes.matches(path)))
            : cors.headers(origin: origin, path: path)
        for field in fields { response.headers[field.name] = field.value }
        if hstsSeconds > 0 { response.headers[.strictTransportSecurity] = "max-age=\(hstsSeconds)" }
        if request.method == .head { response = response.createHeadResponse() }
        return response
    }

    /// Counts, logs and records a refused token. A request without a token is no attempt to guess one.
    /// - Returns: the error to answer: 429 after too many refused tokens, otherwise `error`.
    private func refused(
        _ error: RequestError, _ request: Request, _ sourceIP: String?, _ requestID: String, _ logger: Logger
    ) async -> RequestError {
        guard case .unauthorized(let refusal?) = error else { return error }
        let wait = limiter.recordFailure(from: sourceIP)
        // The audit log counts those that the log leaves out.
        if wait == nil { refusalLines.log { logger.notice("token refused: \(refusal.description)\($0)") } }
        let sent = request.headers[.authorization].flatMap { $0.split(separator: " ", maxSplits: 1).last.map(String.init) }
        let fingerprint = sent.flatMap { try? Fingerprint.of($0) }
        await onRefusal(
            RefusedRequest(reason: .token(refusal), user: nil, tokenFingerprint: fingerprint, sourceIP: sourceIP, requestID: requestID))
        return wait.map { .tooManyFailures(retryAfterSeconds: $0) } ?? error
    }

    /// Whether a request's body must be kept in memory: its handler reads it, and its token may use the route. The token is
    /// checked again when the request is complete; a refusal is recorded only then.
    package func keepsBody(_ head: RequestFraming) -> Bool {
        guard let route = routes.matches(URI(head.path).path).first(where: { $0.route.method.rawValue == head.method })?.route, route.readsBody
        else { return false }
        guard let role = route.role else { return true }
        let authenticator = authenticator.current
        guard let header = head.authorization, let claims = try? authenticator.claims([.authorization: header]) else { return false }
        return (try? authenticator.authorize(claims, for: role)) != nil
    }

    private func answer(_ request: Request, _ sourceIP: String?, _ requestID: String, _ logger: Logger) async throws -> Response {
        guard hosts.current.allow(request.head.authority) else { throw RequestError.badRequest("This service does not answer under that name") }
        let matches = routes.matches(request.uri.path)
        guard !matches.isEmpty else { throw RequestError.notFound }
        if request.method == .options {
            return ResponseBuilder.empty([.allow: routes.methods(matches).map(\.rawValue).joined(separator: ", ")])
        }
        guard let match = matches.first(where: { $0.route.method == request.method || $0.route.method == .get && request.method == .head })
        else {
            throw RequestError.methodNotAllowed(allowed: routes.methods(matches))
        }
        let route = match.route
        var claims: Claims?
        var isAdmin = false
        if route.readsToken, request.headers[.authorization] != nil {
            do { claims = try authenticator.current.claims(request.headers) } catch {
                let error = await refused(error, request, sourceIP, requestID, logger)
                if case .tooManyFailures = error { throw error }
            }
        }
        if let role = route.role {
            let authenticator = authenticator.current
            let checked = try authenticator.claims(request.headers)
            do { try authenticator.authorize(checked, for: role) } catch {
                await onRefusal(
                    RefusedRequest(
                        reason: .role(path: route.path), user: checked.user, tokenFingerprint: checked.fingerprint, sourceIP: sourceIP,
                        requestID: requestID))
                throw error
            }
            claims = checked
            isAdmin = (try? authenticator.authorize(checked, for: .admin)) != nil
        }
        return try await match.handler(
            RequestContext(request: request, claims: claims, isAdmin: isAdmin, id: match.id, sourceIP: sourceIP, requestID: requestID, logger: logger)
        )
    }
}
