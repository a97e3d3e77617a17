import HTTPServer
import HTTPTypes
import History
import JSON
import RunProtocol

/// The responses of `POST /sync/run`. Texts, codes and the order of keys are the documented contract.
enum RunResponse {
    /// 202: the run goes on. The client asks for the status until it is over, as the documented example does.
    /// - Parameter preferenceApplied: whether the client asked for this by `Prefer: respond-async`.
    static func accepted(_ run: Int64, preferenceApplied: Bool) -> Response {
        var headers = header(run)
        headers[.location] = "/sync/status"
        if preferenceApplied { headers[.preferenceApplied] = "respond-async" }
        return ResponseBuilder.json(.accepted, .status("running", "Sync is currently running"), headers)
    }

    /// 409: nothing was started.
    static let busy = alreadyRunning(nil)

    /// 409.
    /// - Parameter run: nil if nothing was started.
    private static func alreadyRunning(_ run: Int64?) -> Response {
        ResponseBuilder.json(.conflict, .status("running", "Sync is already running. Please wait for it to complete."), header(run))
    }

    /// 503.
    /// - Parameter run: nil if nothing was started.
    static func unavailable(_ message: String, _ run: Int64? = nil) -> Response {
        var headers = header(run)
        headers[.retryAfter] = "10"
        return failure(.serviceUnavailable, message, headers)
    }

    /// 500: no script is set.
    static let scriptNotSet = failure(.internalServerError, "SYNC_SCRIPT_PATH environment variable is not set")

    /// The response to a run that has ended.
    /// - Parameter output: the run's whole output.
    /// - Throws: why the output cannot be read.
    static func finished(_ run: Int64, _ finish: RunFinish, _ output: LongText) async throws -> Response {
        // Exit code 2 is always answered as documented, however the history interprets it.
        if finish.exitCode == 2 && (finish.outcome == .failed || finish.outcome == .alreadyRunning) { return alreadyRunning(run) }
        guard finish.outcome != .succeeded else {
            return try await ResponseBuilder.json(
                .ok, JSONValue.statusMembers("success", "Sync script executed successfully"), "output", output, header(run))
        }
        let message = "Failed to execute sync script: \(finish.why ?? finish.outcome.rawValue)"
        return try await ResponseBuilder.json(
            .internalServerError, JSONValue.statusMembers("error", message), "output", output, header(run))
    }

    /// Without output, because no script ran or its end is not known yet.
    private static func failure(_ status: HTTPResponse.Status, _ message: String, _ headers: HTTPFields = [:]) -> Response {
        ResponseBuilder.json(status, .status("error", message, [.init("output", .string(""))]), headers)
    }

    private static func header(_ run: Int64?) -> HTTPFields { run.map { [.syncRunID: String($0)] } ?? [:] }
}
