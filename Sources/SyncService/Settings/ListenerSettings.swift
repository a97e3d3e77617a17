import Diagnostics
import HTTPServer
import Linux
import OpenSSL

/// Where the service listens, and which hosts, proxies and web pages it accepts.
struct ListenerSettings: Sendable {
    let host: String
    let port: Int
    /// The paths of certificate chain and key; nil: plain HTTP.
    let tls: (certificate: String, key: String)?
    let hstsSeconds: Int64
    let allowedHosts: [String]
    let trustedProxies: [String]
    let corsOrigins: [String]

    init(_ source: SettingsSource) throws(SettingsError) {
        host = try source.value(\.host)
        port = Int(try source.value(\.port))
        tls = try Self.tls(source)
        hstsSeconds = try source.value(\.hstsSeconds)
        if hstsSeconds > 0 && tls == nil {
            throw source.error(\.hstsSeconds, "is set without HTTPS", fix: "set TLS_CERT_FILE and TLS_KEY_FILE, or remove it")
        }
        let allowsPlaintext = try source.value(\.allowsPlaintext)
        guard tls != nil || allowsPlaintext || Self.isLoopback(host) else {
            throw source.error(
                \.host, "is \"\(host)\": without TLS everyone on the network could read the tokens",
                fix: "set TLS_CERT_FILE and TLS_KEY_FILE, or HOST=127.0.0.1 behind a proxy, or ALLOW_PLAINTEXT=true if the way to the proxy is safe")
        }
        allowedHosts = try source.value(\.allowedHosts)
        trustedProxies = try source.value(\.trustedProxies)
        corsOrigins = try source.value(\.corsOrigins)
    }

    private static func tls(_ source: SettingsSource) throws(SettingsError) -> (certificate: String, key: String)? {
        switch (try source.value(\.certificateFile), try source.value(\.keyFile)) {
        case (let certificate?, let key?): return (certificate, key)
        case (nil, nil): return nil
        case (nil, _): throw source.error(\.keyFile, "is set without TLS_CERT_FILE", fix: "set both for HTTPS, or neither")
        case (_, nil): throw source.error(\.certificateFile, "is set without TLS_KEY_FILE", fix: "set both for HTTPS, or neither")
        }
    }

    /// Reads and checks certificate and key. Blocks.
    /// - Returns: nil where TLS_CERT_FILE and TLS_KEY_FILE are not set.
    /// - Throws: ``SettingsError``.
    func loadTLS() throws(SettingsError) -> LoadedTLS? {
        guard let tls else { return nil }
        do {
            let (certificate, key) = (try PEMFile(certificate: tls.certificate), try PEMFile(privateKey: tls.key))
            return LoadedTLS(
                context: try TLSContext(certificate: certificate, key: key), certificateDigest: SHA256.hash(certificate.bytes),
                keyDigest: SHA256.hash(key.bytes))
        } catch {
            throw SettingsError("TLS_CERT_FILE, TLS_KEY_FILE: \(error.problem)", fix: error.fix, mayMendItself: error.mayPass)
        }
    }

    private static func isLoopback(_ host: String) -> Bool {
        host == "localhost" || IPAddress(host)?.isLoopback ?? false
    }

    /// Whether the text has scheme, host and port in lower case and nothing else (RFC 6454 section 6.2).
    static func isOrigin(_ text: String) -> Bool {
        guard let scheme = ["https://", "http://"].first(where: text.hasPrefix) else { return false }
        let rest = text.dropFirst(scheme.utf8.count)
        // A browser omits the default port of the scheme, so an origin with it would never match.
        if rest.hasSuffix(scheme == "https://" ? ":443" : ":80") { return false }
        return !rest.isEmpty && rest == rest.lowercased() && !rest.contains { "/?#@* ".contains($0) }
    }
}

/// A valid pair of certificate and key, with a digest of each file.
struct LoadedTLS: Sendable {
    let context: TLSContext
    let certificateDigest: SIMD32<UInt8>
    let keyDigest: SIMD32<UInt8>

    var certificate: Certificate { context.certificate }
}

extension AllowedHosts {
    /// HOST, ALLOWED_HOSTS, and the names and addresses in the certificate.
    init(_ listener: ListenerSettings, _ tls: TLSContext?) {
        self.init([listener.host] + listener.allowedHosts + (tls?.certificate.dnsNames ?? []) + (tls?.certificate.ipAddresses ?? []))
    }
}
