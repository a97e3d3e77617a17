import Foundation
import OpenSSL

/// Certificates and keys made by the `openssl` command, once for all tests, in a folder removed at the end.
final class TestCertificates: Sendable {
    static let shared = Result { try TestCertificates() }

    let folder: String

    private init() throws {
        folder = "/tmp/tls-tests-\(UUID().uuidString)"
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
        atexit {
            if case .success(let made) = TestCertificates.shared { try? FileManager.default.removeItem(atPath: made.folder) }
        }
        try selfSigned("ec", key: "-newkey ec -pkeyopt ec_paramgen_curve:P-256")
        try selfSigned("rsa", key: "-newkey rsa:2048")
    }

    /// A path within the folder.
    func callAsFunction(_ name: String) -> String { "\(folder)/\(name)" }

    /// The valid pair `NAME.pem` and `NAME.key`.
    func context(_ name: String = "ec") throws -> TLSContext {
        try TLSContext(certificateFile: self("\(name).pem"), keyFile: self("\(name).key"))
    }

    /// Makes `NAME.pem` and `NAME.key`, valid for 90 days from now.
    func selfSigned(_ name: String, key: String, names: String = "DNS:localhost,IP:127.0.0.1", more: String = "") throws {
        try openssl(
            "req -x509 -nodes -days 90 -subj /CN=\(name).example -addext subjectAltName=\(names) \(key) \(more) "
                + "-keyout \(name).key -out \(name).pem")
    }

    /// Makes `NAME.pem` for the key `ec.key` with dates such as `20200101000000Z`.
    func selfSigned(_ name: String, from start: String, to end: String) throws {
        let configuration = """
            [ca]
            default_ca = one
            [one]
            database = \(self("\(name).index"))
            new_certs_dir = \(folder)
            rand_serial = yes
            default_md = sha256
            policy = any
            [any]
            commonName = supplied
            """
        try Data(configuration.utf8).write(to: URL(fileURLWithPath: self("\(name).cnf")))
        try Data().write(to: URL(fileURLWithPath: self("\(name).index")))
        try openssl("req -new -key ec.key -subj /CN=\(name).example -out \(name).csr")
        try openssl(
            "ca -batch -notext -config \(name).cnf -selfsign -keyfile ec.key -startdate \(start) -enddate \(end) "
                + "-in \(name).csr -out \(name).pem")
    }

    /// Runs `openssl` in the folder; its arguments are split at blanks.
    func openssl(_ arguments: String) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
        process.arguments = arguments.split(separator: " ").map(String.init)
        process.currentDirectoryURL = URL(fileURLWithPath: folder)
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        let errors = Pipe()
        process.standardError = errors
        try process.run()
        let text = errors.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw CommandFailed(command: "openssl \(arguments)", errors: String(decoding: text, as: UTF8.self))
        }
    }

    struct CommandFailed: Error {
        let command: String
        let errors: String
    }

    func write(_ text: String, to name: String, mode: Int = 0o600) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: self(name)))
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: self(name))
    }

    func read(_ name: String) throws -> String {
        String(decoding: try Data(contentsOf: URL(fileURLWithPath: self(name))), as: UTF8.self)
    }
}
