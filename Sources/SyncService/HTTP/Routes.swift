import AuditLog
import HTTPTypes
import HummingbirdCore
import JSON
import JWT
import Logging

/// One request that passed the door.
struct Call: Sendable {
    let request: Request
    /// nil on routes that ask for no token.
    let claims: Claims?
    /// Whether the token is an administrator's; false on routes that ask for no token.
    let isAdmin: Bool
    /// The numbers that stand in the path where the route has `{id}`.
    let id: Int64
    let sourceIP: String?
    let requestID: String
    let logger: Logger

    /// For the log; on routes that ask for no token nobody.
    var user: String { claims?.user ?? "" }
}

/// One row of the table that says what is offered, and to whom.
struct Route: Sendable {
    let method: HTTPRequest.Method
    /// `{id}` stands for a number from 1 on.
    let path: String
    /// nil: no token is asked for.
    let role: Role?
    /// Whether a token, which nobody has to send, gets more of an answer.
    var readsToken = false
    /// Whether the handler reads the request's body. Bodies for all others are discarded as they come.
    var readsBody = false
    let handler: @Sendable (Call) async throws -> Response

    /// - Returns: nil where the path is another; otherwise the number that stands for `{id}`, 0 without one.
    func match(_ segments: [Substring]) -> Int64? {
        let pattern = path.split(separator: "/", omittingEmptySubsequences: false)
        guard pattern.count == segments.count else { return nil }
        var id: Int64 = 0
        for (expected, given) in zip(pattern, segments) {
            if expected == "{id}" {
                // One spelling for each number: no sign, no leading zeros.
                guard let number = Int64(given), number > 0, String(number) == given else { return nil }
                id = number
            } else if !expected.utf8.elementsEqual(given.utf8) {
                return nil
            }
        }
        return id
    }
}

/// The door: finds the route, checks the token against its role, and turns every error into an answer.
struct Responder: Sendable {
    let routes: [Route]
    let authenticator: Reloadable<Authenticator>
    let hosts: Reloadable<AllowedHosts>
    let sources: SourceAddress
    let cors: CORSPolicy
    /// 0: no HSTS header.
    let hstsSeconds: Int64
    let events: EventBuffer
    let limiter = FailureLimiter()
    let logger: Logger
    /// Over all addresses: many of them must not fill the log either.
    private let refusalLines = LogThrottle(lines: 20, in: 10_000)
    private let failureLines = LogThrottle(lines: 20, in: 10_000)

    init(
        routes: [Route], authenticator: Reloadable<Authenticator>, hosts: Reloadable<AllowedHosts>, sources: SourceAddress, cors: CORSPolicy,
        hstsSeconds: Int64, events: EventBuffer, logger: Logger
    ) {
        self.routes = routes
        self.authenticator = authenticator
        self.hosts = hosts
        self.sources = sources
        self.cors = cors
        self.hstsSeconds = hstsSeconds
        self.events = events
        self.logger = logger
    }

    /// - Parameter peer: the address of the connection's other end.
    func respond(to request: Request, peer: String?) async -> Response {
        let requestID = Machine.newRequestID()
        let sourceIP = sources.of(peer: peer, request.headers)
        var logger = logger
        logger[metadataKey: "request"] = "\(requestID)"
        logger[metadataKey: "from"] = "\(sourceIP ?? "?")"
        var response: Response
        do {
            response = try await answer(request, sourceIP, requestID, logger)
        } catch let error as RequestError {
            response = Answer.error(await refused(error, request, sourceIP, requestID, logger))
        } catch let error as PathHangs {
            logger.error("\(request.method) cannot be answered: \(error)")
            response = Answer.error(.unavailable("This cannot be answered now: \(error)"))
        } catch {
            failureLines.log { logger.error("\(request.method) failed: \(error)\($0)") }
            response = Answer.error(.internalError)
        }
        let origin = request.headers[.origin]
        let path = request.uri.path
        let fields =
            request.method == .options
            ? cors.preflightHeaders(origin: origin, path: path, methods: methods(matching: request))
            : cors.headers(origin: origin, path: path)
        for field in fields { response.headers[field.name] = field.value }
        if hstsSeconds > 0 { response.headers[.strictTransportSecurity] = "max-age=\(hstsSeconds)" }
        if request.method == .head { response = response.createHeadResponse() }
        return response
    }

    /// Counts, logs and records a refused token; a request without one is nobody's attempt at anything.
    /// - Returns: the error to answer, which after too many is 429.
    private func refused(
        _ error: RequestError, _ request: Request, _ sourceIP: String?, _ requestID: String, _ logger: Logger
    ) async -> RequestError {
        guard case .unauthorized(let refusal?) = error else { return error }
        let wait = limiter.recordFailure(from: sourceIP)
        // The history has the number of those that are left out.
        if wait == nil { refusalLines.log { logger.notice("token refused: \(refusal.description)\($0)") } }
        let sent = request.headers[.authorization].flatMap { $0.split(separator: " ", maxSplits: 1).last.map(String.init) }
        let fingerprint = sent.flatMap { try? Fingerprint.of($0) }
        await events.record(
            .authFailed, by: Actor(tokenFingerprint: fingerprint, sourceIP: sourceIP, requestID: requestID),
            [.init("reason", .string(refusal.reason.rawValue))])
        return wait.map { .tooManyRequests(retryAfterSeconds: $0) } ?? error
    }

    /// Whether a request's body is to be kept until it is complete: its handler reads it, and its token may use it. The
    /// token is checked once more, and its refusal recorded, when the request is complete.
    func keepsBody(_ head: RequestFraming) -> Bool {
        guard let route = matches(URI(head.path).path).first(where: { $0.route.method.rawValue == head.method })?.route, route.readsBody
        else { return false }
        guard let role = route.role else { return true }
        let authenticator = authenticator.current
        guard let header = head.authorization, let claims = try? authenticator.claims([.authorization: header]) else { return false }
        return (try? authenticator.authorize(claims, for: role)) != nil
    }

    private func matches(_ path: String) -> [(route: Route, id: Int64)] {
        let segments = path.split(separator: "/", omittingEmptySubsequences: false)
        return routes.compactMap { route in route.match(segments).map { (route: route, id: $0) } }
    }

    private func methods(matching request: Request) -> [HTTPRequest.Method] {
        matches(request.uri.path).flatMap { $0.route.method == .get ? [.get, .head] : [$0.route.method] } + [.options]
    }

    private func answer(_ request: Request, _ sourceIP: String?, _ requestID: String, _ logger: Logger) async throws -> Response {
        guard hosts.current.allow(request.head.authority) else { throw RequestError.badRequest("This service does not answer under that name") }
        let matches = matches(request.uri.path)
        guard !matches.isEmpty else { throw RequestError.notFound }
        if request.method == .options {
            return Answer.empty([.allow: methods(matching: request).map(\.rawValue).joined(separator: ", ")])
        }
        guard let (route, id) = matches.first(where: { $0.route.method == request.method || $0.route.method == .get && request.method == .head })
        else {
            throw RequestError.methodNotAllowed(allowed: methods(matching: request))
        }
        var claims: Claims?
        var isAdmin = false
        if route.readsToken, request.headers[.authorization] != nil {
            do { claims = try authenticator.current.claims(request.headers) } catch {
                let error = await refused(error, request, sourceIP, requestID, logger)
                if case .tooManyRequests = error { throw error }
            }
        }
        if let role = route.role {
            let authenticator = authenticator.current
            let checked = try authenticator.claims(request.headers)
            do { try authenticator.authorize(checked, for: role) } catch {
                let actor = Actor(user: checked.user, tokenFingerprint: checked.fingerprint, sourceIP: sourceIP, requestID: requestID)
                await events.record(.accessDenied, by: actor, [.init("path", .string(route.path))])
                throw error
            }
            claims = checked
            isAdmin = (try? authenticator.authorize(checked, for: .admin)) != nil
        }
        return try await route.handler(
            Call(request: request, claims: claims, isAdmin: isAdmin, id: id, sourceIP: sourceIP, requestID: requestID, logger: logger))
    }
}
