import Diagnostics
import HTTPServer
import Linux
import OpenSSL

/// Where the service listens and to whom it answers.
struct ListenerSettings: Sendable {
    let host: String
    let port: Int
    /// Certificate chain and key; nil: plain HTTP.
    let tls: (certificate: String, key: String)?
    let hstsSeconds: Int64
    let allowedHosts: [String]
    let trustedProxies: [String]
    let corsOrigins: [String]

    init(_ source: SettingsSource) throws(SettingsError) {
        host = source.text("HOST") ?? "127.0.0.1"
        port = Int(try source.integer("PORT", default: 8000, in: 1...65535))
        switch (try source.absolutePath("TLS_CERT_FILE"), try source.absolutePath("TLS_KEY_FILE")) {
        case (let certificate?, let key?): tls = (certificate, key)
        case (nil, nil): tls = nil
        case (nil, _): throw source.error("TLS_KEY_FILE", "is set without TLS_CERT_FILE", fix: "set both for HTTPS, or neither")
        case (_, nil): throw source.error("TLS_CERT_FILE", "is set without TLS_KEY_FILE", fix: "set both for HTTPS, or neither")
        }
        hstsSeconds = try source.integer("TLS_HSTS_SECONDS", default: 0, in: 0...63_072_000)
        if hstsSeconds > 0 && tls == nil {
            throw source.error("TLS_HSTS_SECONDS", "is set without HTTPS", fix: "set TLS_CERT_FILE and TLS_KEY_FILE, or remove it")
        }
        let plaintextAllowed = try source.flag("ALLOW_PLAINTEXT")
        guard tls != nil || plaintextAllowed || Self.isLoopback(host) else {
            throw source.error(
                "HOST", "is \"\(host)\", and without TLS tokens would cross the network readable for all",
                fix: "set TLS_CERT_FILE and TLS_KEY_FILE, or HOST=127.0.0.1 behind a proxy, or ALLOW_PLAINTEXT=true if the way to the proxy is safe")
        }
        allowedHosts = source.list("ALLOWED_HOSTS")
        for name in allowedHosts {
            guard let fix = AllowedHosts.fix(for: name) else { continue }
            throw source.error("ALLOWED_HOSTS", "lists \"\(name)\", which no request can match", fix: fix)
        }
        trustedProxies = source.list("TRUSTED_PROXIES")
        for address in trustedProxies where IPAddress(address) == nil {
            throw source.error("TRUSTED_PROXIES", "lists \"\(address)\", which is no IP address", fix: "list single addresses, such as 127.0.0.1")
        }
        corsOrigins = source.list("CORS_ALLOW_ORIGINS")
        for origin in corsOrigins where !Self.isOrigin(origin) {
            throw source.error(
                "CORS_ALLOW_ORIGINS", "lists \"\(origin)\", which is no origin",
                fix: "list origins as a browser sends them, such as https://app.example:8443; * and null are never allowed")
        }
    }

    /// Reads and checks certificate and key; blocks.
    /// - Returns: nil where HTTPS is not set.
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

    /// Scheme, host and port in lower case and nothing else (RFC 6454 section 6.2).
    private static func isOrigin(_ text: String) -> Bool {
        guard let scheme = ["https://", "http://"].first(where: text.hasPrefix) else { return false }
        let rest = text.dropFirst(scheme.utf8.count)
        // A browser leaves the scheme's own port out, so that one written out would never match.
        if rest.hasSuffix(scheme == "https://" ? ":443" : ":80") { return false }
        return !rest.isEmpty && rest == rest.lowercased() && !rest.contains { "/?#@* ".contains($0) }
    }
}

/// A pair of certificate and key that was found fit, and what the two files held, as digests.
struct LoadedTLS: Sendable {
    let context: TLSContext
    let certificateDigest: SIMD32<UInt8>
    let keyDigest: SIMD32<UInt8>

    var certificate: Certificate { context.certificate }
}

extension AllowedHosts {
    /// HOST, ALLOWED_HOSTS, and what the certificate vouches for.
    init(_ listener: ListenerSettings, _ tls: TLSContext?) {
        self.init([listener.host] + listener.allowedHosts + (tls?.certificate.dnsNames ?? []) + (tls?.certificate.ipAddresses ?? []))
    }
}
