import Testing

@testable import SyncService

private let pair = "TLS_CERT_FILE=/a.pem\nTLS_KEY_FILE=/a.key\n"

@Suite struct ListenerSettingsTests {
    @Test(arguments: [
        "", "HOST=127.0.0.1", "HOST=127.9.9.9", "HOST=::1", "HOST=localhost", "HOST=0.0.0.0\nALLOW_PLAINTEXT=true", pair + "HOST=0.0.0.0",
        pair + "TLS_HSTS_SECONDS=300", "ALLOWED_HOSTS=sync.example,2001:db8::7", "TRUSTED_PROXIES=127.0.0.1, ::1",
        "CORS_ALLOW_ORIGINS=https://app.example,http://app.example:8080",
    ])
    func accepted(file: String) throws {
        #expect(refusal { _ = try ListenerSettings(source(file)) } == nil)
    }

    @Test(arguments: [
        ("HOST=0.0.0.0", "could read the tokens"), ("HOST=sync.example", "could read the tokens"),
        ("TLS_CERT_FILE=/a.pem", "is set without TLS_KEY_FILE"), ("TLS_KEY_FILE=/a.key", "is set without TLS_CERT_FILE"),
        ("TLS_HSTS_SECONDS=300", "is set without HTTPS"), (pair + "TLS_HSTS_SECONDS=63072001", "not a whole number"),
        ("ALLOWED_HOSTS=a,sync.example:8443", "lists \"sync.example:8443\", which no request can match"),
        ("TRUSTED_PROXIES=127.0.0.1,10.0.0.0/8", "lists \"10.0.0.0/8\", which is not an IP address"),
        ("CORS_ALLOW_ORIGINS=*", "lists \"*\", which is not an origin"), ("CORS_ALLOW_ORIGINS=null", "not an origin"),
        ("CORS_ALLOW_ORIGINS=https://app.example/", "not an origin"), ("CORS_ALLOW_ORIGINS=https://App.example", "not an origin"),
        ("CORS_ALLOW_ORIGINS=https://app.example:443", "not an origin"), ("CORS_ALLOW_ORIGINS=http://a:80", "not an origin"),
        ("CORS_ALLOW_ORIGINS=ftp://app.example", "not an origin"), ("CORS_ALLOW_ORIGINS=https://", "not an origin"),
    ])
    func refused(file: String, words: String) {
        let message = refusal { _ = try ListenerSettings(source(file)) }
        #expect(message?.contains(words) == true, "\(message ?? "accepted")")
    }
}
