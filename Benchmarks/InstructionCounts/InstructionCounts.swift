import Foundation
import HTTPServer
import History
import JSON
import JWT
import Logging
import NIOCore
import NIOEmbedded
import Runs
import SyncService

/// Does one of the things that every request or run needs, as often as it is told to, so that callgrind can count
/// instructions: `InstructionCounts FOLDER status|busy|token|append TIMES`. `scripts/count-instructions.sh` calls it.
///
/// It is the service itself without its listener: connections are embedded channels, and a run seems to go on, so that a
/// status (`running`) and a refused run (`busy`) need no other process.
@main enum InstructionCounts {
    private struct Unexpected: Error { let answer: String }

    static func main() throws {
        let arguments = CommandLine.arguments.dropFirst()
        guard arguments.count == 3, let folder = arguments.first, let times = arguments.last.flatMap({ Int($0) }) else {
            throw Unexpected(answer: "usage: InstructionCounts FOLDER status|busy|token|append TIMES")
        }
        let secret = Array("a secret of more than thirty-two bytes".utf8)
        let settings = try Settings.load(environment: environment(in: folder, secret), environmentFile: nil)
        let parts = try ReloadableParts.load(settings)
        let service = try ServiceComposition.open(
            settings, environmentFile: nil, reloadable: parts, pools: .start(), logger: Logger(label: "") { _ in SwiftLogNoOpLogHandler() })
        _ = service.coordinator.request()
        let token = try Signer(algorithm: .HS256, secret: secret).sign(
            .object([
                .init("sub", .string("siti")), .init("name", .string("Siti")), .init("role", .string("operator")),
                .init("iat", .integer(Int64(Date.now.timeIntervalSince1970))), .init("exp", .integer(Int64(Date.now.timeIntervalSince1970) + 3600)),
            ]))
        switch arguments[arguments.startIndex + 1] {
        case "status": try send("GET /sync/status", token, to: service, times, expecting: "200 ")
        case "busy": try send("POST /sync/run", token, to: service, times, expecting: "409 ")
        case "token": for _ in 0..<times { _ = try parts.authenticator.current.claims("Bearer \(token)") }
        case "append": for _ in 0..<times { try service.history.record(.historyRead(.runs)) }
        case let other: throw Unexpected(answer: "unknown: \(other)")
        }
    }

    private static func environment(in folder: String, _ secret: [UInt8]) throws -> [String: String] {
        let files = FileManager.default
        for path in ["\(folder)/state", "\(folder)/state/run"] {
            try files.createDirectory(atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        }
        let file = "\(folder)/secret"
        guard files.createFile(atPath: file, contents: Data(secret), attributes: [.posixPermissions: 0o600]) else { throw Unexpected(answer: file) }
        return [
            "JWT_SECRET_FILE": file, "SYNC_SCRIPT_PATH": "/bin/true", "SYNC_STATE_DIR": "\(folder)/state", "SYNC_LOCK_PATH": "\(folder)/lock",
            "SYNC_LOG_PATH": "\(folder)/log", "AUDIT_ORIGIN": "localhost/counts",
        ]
    }

    private static func send(
        _ start: String, _ token: String, to service: ServiceComposition, _ times: Int, expecting status: String
    ) throws {
        let channel = EmbeddedChannel()
        try service.pipeline.add(to: channel)
        let request = ByteBuffer(
            string: "\(start) HTTP/1.1\r\nHost: localhost:3001\r\nUser-Agent: counts\r\nAccept: */*\r\nAuthorization: Bearer \(token)\r\n\r\n")
        for _ in 0..<times {
            try channel.writeInbound(request)
            let answer = try channel.readOutbound(as: ByteBuffer.self).map { String(buffer: $0) } ?? ""
            guard answer.hasPrefix("HTTP/1.1 \(status)") else { throw Unexpected(answer: answer) }
        }
    }
}
