import Foundation
import Linux
import Testing

@testable import OpenSSL

/// What is refused at the start, and whether the message says which file and what to do.
@Suite struct TLSIdentityTests {
    private let made: TestCertificates

    init() throws { made = try TestCertificates.shared.get() }

    private func error(
        certificate: String = "ec.pem", key: String = "ec.key", sourceLocation: SourceLocation = #_sourceLocation
    ) -> TLSIdentityError? {
        let error = #expect(throws: TLSIdentityError.self, sourceLocation: sourceLocation) {
            try TLSContext(certificateFile: made(certificate), keyFile: made(key))
        }
        if let error {
            #expect(error.problem.contains(made.folder), "names the file: \(error)", sourceLocation: sourceLocation)
            #expect(!error.fix.isEmpty, sourceLocation: sourceLocation)
        }
        return error
    }

    @Test func aGoodPairTellsItsNamesAndDates() throws {
        try made.selfSigned(
            "names", key: "-newkey ec -pkeyopt ec_paramgen_curve:P-256",
            names: "DNS:Sync.Example,DNS:*.sync.example,IP:192.0.2.1,IP:2001:db8::1,email:a@b.example,URI:http://x.example/")
        let certificate = try made.context("names").certificate
        #expect(certificate.dnsNames == ["sync.example", "*.sync.example"])
        #expect(certificate.ipAddresses == ["192.0.2.1", "2001:db8::1"])
        #expect(certificate.subject == "CN = names.example")
        #expect(certificate.notAfter - certificate.notBefore == 90 * 86400)
        #expect(abs(certificate.notBefore - Int64(Date().timeIntervalSince1970)) < 120)
    }

    @Test func aCertificateWithoutNamesHasNone() throws {
        try made.selfSigned("dated", from: "20200101000000Z", to: "20991231235959Z")
        let file = try PEMFile(certificate: made("dated.pem"))
        let certificate = try TLSContext(certificate: file, key: try PEMFile(privateKey: made("ec.key"))).certificate
        #expect(certificate.dnsNames.isEmpty && certificate.ipAddresses.isEmpty)
        #expect(certificate.notBefore == 1_577_836_800)
        #expect(certificate.notAfter == 4_102_444_799)
    }

    @Test func missingFiles() {
        #expect(error(certificate: "none.pem") == .unreadable(file: made("none.pem"), SystemError("open", made("none.pem"), code: ENOENT)))
        #expect(error(key: "none.key") == .unreadable(file: made("none.key"), SystemError("open", made("none.key"), code: ENOENT)))
    }

    @Test func aFolderIsNoFile() {
        let error = #expect(throws: TLSIdentityError.self) { try PEMFile(certificate: made.folder) }
        guard case .unreadable(made.folder, _)? = error else { return #expect(Bool(false), "\(String(describing: error))") }
    }

    @Test func aDeviceIsNotReadForEver() {
        #expect(throws: TLSIdentityError.self) { try PEMFile(certificate: "/dev/zero") }
    }

    @Test func whatIsNotPEM() throws {
        try made.write("no certificate here\n", to: "garbage.pem")
        try made.write("", to: "empty.pem")
        try made.openssl("x509 -in ec.pem -outform DER -out der.pem")
        for name in ["garbage.pem", "empty.pem", "der.pem", "ec.key"] {
            #expect(error(certificate: name) == .noCertificate(file: made(name)))
        }
        for name in ["garbage.pem", "empty.pem"] { #expect(error(key: name) == .noPrivateKey(file: made(name))) }
    }

    @Test func aCertificateCutShortOrDamagedIsNotTakenInPart() throws {
        let good = try made.read("ec.pem")
        try made.write(good + good.dropLast(40), to: "cut.pem")
        #expect(error(certificate: "cut.pem") == .noCertificate(file: made("cut.pem")))
        var lines = good.split(separator: "\n").map(String.init)
        lines[2] = String(repeating: "A", count: lines[2].count)
        try made.write(good + lines.joined(separator: "\n"), to: "damaged.pem")
        #expect(error(certificate: "damaged.pem") == .noCertificate(file: made("damaged.pem")))
    }

    @Test func anEncryptedKeyIsRefusedWithoutAPrompt() throws {
        try made.openssl("pkcs8 -topk8 -v2 aes-256-cbc -passout pass:secret -in ec.key -out pkcs8.key")
        try made.openssl("ec -aes256 -passout pass:secret -in ec.key -out traditional.key")
        for name in ["pkcs8.key", "traditional.key"] { #expect(error(key: name) == .encryptedKey(file: made(name))) }
        #expect(error(key: "pkcs8.key")?.fix.contains("openssl pkey -in \(made("pkcs8.key"))") == true)
    }

    @Test func theKeyOfAnotherCertificate() throws {
        try made.openssl("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out other.key")
        #expect(error(key: "other.key") == .keyMismatch(certificate: made("ec.pem"), key: made("other.key")))
        #expect(error(key: "rsa.key") == .keyMismatch(certificate: made("ec.pem"), key: made("rsa.key")))
    }

    @Test func aChainInTheWrongOrderIsAMismatch() throws {
        try made.write(try made.read("rsa.pem") + made.read("ec.pem"), to: "order.pem")
        #expect(error(certificate: "order.pem") == .keyMismatch(certificate: made("order.pem"), key: made("ec.key")))
    }

    @Test func expired() throws {
        try made.selfSigned("expired", from: "20200101000000Z", to: "20200131235959Z")
        let found = error(certificate: "expired.pem")
        #expect(found == .expired(file: made("expired.pem"), subject: "CN = expired.example", notAfter: 1_580_515_199))
        #expect(found?.problem.contains("Jan 31 23:59:59 2020 GMT") == true)
    }

    @Test func notYetValid() throws {
        try made.selfSigned("future", from: "20900101000000Z", to: "20910101000000Z")
        #expect(
            error(certificate: "future.pem")
                == .notYetValid(file: made("future.pem"), subject: "CN = future.example", notBefore: 3_786_912_000))
    }

    /// The bounds belong to the time of validity (RFC 5280, 4.1.2.5).
    @Test func datesAreExactToTheSecond() throws {
        let file = try PEMFile(certificate: made("ec.pem"))
        let key = try PEMFile(privateKey: made("ec.key"))
        let certificate = try TLSContext(certificate: file, key: key).certificate
        #expect(throws: Never.self) { try TLSContext(certificate: file, key: key, at: certificate.notAfter) }
        #expect(throws: Never.self) { try TLSContext(certificate: file, key: key, at: certificate.notBefore) }
        #expect(throws: TLSIdentityError.self) { try TLSContext(certificate: file, key: key, at: certificate.notAfter + 1) }
        #expect(throws: TLSIdentityError.self) { try TLSContext(certificate: file, key: key, at: certificate.notBefore - 1) }
    }

    @Test func weakKeys() throws {
        try made.selfSigned("rsa1024", key: "-newkey rsa:1024")
        try made.selfSigned("ec224", key: "-newkey ec -pkeyopt ec_paramgen_curve:secp224r1")
        #expect(
            error(certificate: "rsa1024.pem", key: "rsa1024.key")
                == .weakKey(file: made("rsa1024.pem"), subject: "CN = rsa1024.example", kind: "RSA", bits: 1024))
        #expect(
            error(certificate: "ec224.pem", key: "ec224.key")
                == .weakKey(file: made("ec224.pem"), subject: "CN = ec224.example", kind: "EC", bits: 224))
    }

    @Test func keysOfAnotherKind() throws {
        try made.selfSigned("k1", key: "-newkey ec -pkeyopt ec_paramgen_curve:secp256k1")
        try made.selfSigned("p521", key: "-newkey ec -pkeyopt ec_paramgen_curve:P-521")
        try made.selfSigned("ed448", key: "-newkey ed448")
        #expect(error(certificate: "k1.pem", key: "k1.key") == .unsuitableKey(file: made("k1.key"), kind: "EC secp256k1"))
        #expect(error(certificate: "p521.pem", key: "p521.key") == .unsuitableKey(file: made("p521.key"), kind: "EC secp521r1"))
        #expect(error(certificate: "ed448.pem", key: "ed448.key") == .unsuitableKey(file: made("ed448.key"), kind: "ED448"))
    }

    @Test(arguments: ["sha1", "md5", "sha224"]) func weakSignatures(digest: String) throws {
        try made.selfSigned("weak-\(digest)", key: "-newkey rsa:2048", more: "-\(digest)")
        let found = error(certificate: "weak-\(digest).pem", key: "weak-\(digest).key")
        guard case .weakSignature(made("weak-\(digest).pem"), _, let algorithm)? = found else {
            return #expect(Bool(false), "\(String(describing: found))")
        }
        #expect(algorithm.lowercased() == digest)
    }

    @Test(arguments: ["sha256", "sha384", "sha512"]) func strongSignatures(digest: String) throws {
        try made.selfSigned("strong-\(digest)", key: "-newkey ec -pkeyopt ec_paramgen_curve:P-384", more: "-\(digest)")
        #expect(throws: Never.self) { try made.context("strong-\(digest)") }
    }

    @Test func everyKindOfKeyThatIsServed() throws {
        try made.selfSigned("pss", key: "-newkey rsa-pss -pkeyopt rsa_keygen_bits:2048")
        try made.selfSigned("ed25519", key: "-newkey ed25519")
        for name in ["ec", "rsa", "pss", "ed25519"] { #expect(throws: Never.self) { try made.context(name) } }
    }

    @Test func aBadIntermediateIsFound() throws {
        try made.openssl("req -new -key ec.key -subj /CN=middle.example -out middle.csr")
        try made.openssl("x509 -req -in middle.csr -CA rsa.pem -CAkey rsa.key -sha1 -days 30 -set_serial 1 -out middle.pem")
        try made.write(try made.read("ec.pem") + made.read("middle.pem"), to: "chain.pem")
        #expect(
            error(certificate: "chain.pem")
                == .weakSignature(file: made("chain.pem"), subject: "CN = middle.example", algorithm: "SHA1"))
    }

    @Test func aRootIsNotJudgedByItsSignature() throws {
        try made.selfSigned("root", key: "-newkey rsa:2048", more: "-sha1")
        try made.write(try made.read("ec.pem") + made.read("root.pem"), to: "rooted.pem")
        #expect(throws: Never.self) { try TLSContext(certificateFile: made("rooted.pem"), keyFile: made("ec.key")) }
    }

    @Test(arguments: [0o644, 0o604, 0o660, 0o602]) func aKeyOthersCanReachIsRefused(mode: Int) throws {
        try made.write(try made.read("ec.key"), to: "exposed-\(mode).key", mode: mode)
        let found = error(key: "exposed-\(mode).key")
        guard case .exposedKey(_, UInt32(mode), _)? = found else { return #expect(Bool(false), "\(String(describing: found))") }
        #expect(found?.fix.contains("chmod 640 \(made("exposed-\(mode).key"))") == true)
    }

    @Test(arguments: [0o400, 0o600, 0o640]) func aKeyForOwnerAndGroupIsRead(mode: Int) throws {
        try made.write(try made.read("ec.key"), to: "kept-\(mode).key", mode: mode)
        #expect(throws: Never.self) { try PEMFile(privateKey: made("kept-\(mode).key")) }
    }

    @Test func linksAreFollowed() throws {
        try FileManager.default.createSymbolicLink(atPath: made("live.pem"), withDestinationPath: "ec.pem")
        try FileManager.default.createSymbolicLink(atPath: made("live.key"), withDestinationPath: "ec.key")
        #expect(throws: Never.self) { try made.context("live") }
    }

    /// A message must never carry a piece of the key.
    @Test func noMessageHoldsKeyBytes() throws {
        let secret = try made.read("ec.key").split(separator: "\n")[1]
        try made.write("-----BEGIN PRIVATE KEY-----\n\(secret)\n", to: "torn.key")
        let found = error(key: "torn.key")
        #expect(found == .noPrivateKey(file: made("torn.key")))
        #expect(found.map { !$0.description.contains(secret.prefix(12)) } == true)
    }

    @Test func nothingIsLeftInTheErrorQueue() throws {
        _ = error(key: "rsa.key")
        #expect(ErrorQueue.drain().isEmpty)
        _ = try made.context("rsa")
        #expect(ErrorQueue.drain().isEmpty)
    }
}
