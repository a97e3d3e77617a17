import COpenSSL

/// A certificate chain and its private key that passed all checks.
struct TLSIdentity {
    /// The server's own certificate first.
    let chain: [X509Certificate]
    let key: PrivateKey
    let certificate: Certificate

    /// - Parameter now: unix seconds.
    init(_ certificateFile: PEMFile, _ keyFile: PEMFile, at now: Int64) throws(TLSIdentityError) {
        chain = try X509Certificate.chain(certificateFile)
        key = try PrivateKey(keyFile)
        guard let own = chain.first else { throw .noCertificate(file: certificateFile.name) }
        ErrorQueue.clear()
        let belongs = X509_check_private_key(own.pointer, key.pointer) == 1
        ErrorQueue.clear()
        guard belongs else { throw .keyMismatch(certificate: certificateFile.name, key: keyFile.name) }
        try Self.checkKind(of: key, keyFile.name)
        certificate = try Self.check(own, certificateFile.name, now)
        // Clients build their path from what is sent, so one bad certificate breaks it. The signature of a root does not
        // matter.
        for issuer in chain.dropFirst() { _ = try Self.check(issuer, certificateFile.name, now, signature: !issuer.isSelfIssued) }
    }

    /// - Returns: the certificate's facts.
    private static func check(
        _ certificate: X509Certificate, _ file: String, _ now: Int64, signature: Bool = true
    ) throws(TLSIdentityError) -> Certificate {
        let facts: Certificate
        do { facts = try certificate.facts() } catch { throw .refused(file: file, error) }
        guard now <= facts.notAfter else { throw .expired(file: file, subject: facts.subject, notAfter: facts.notAfter) }
        guard now >= facts.notBefore else { throw .notYetValid(file: file, subject: facts.subject, notBefore: facts.notBefore) }
        let key = X509_get0_pubkey(certificate.pointer)
        let bits = Int(EVP_PKEY_get_bits(key))
        if let minimum = [EVP_PKEY_RSA: 2048, EVP_PKEY_RSA_PSS: 2048, EVP_PKEY_EC: 256][EVP_PKEY_get_base_id(key)], bits < minimum {
            throw .weakKey(file: file, subject: facts.subject, kind: kind(of: key), bits: bits)
        }
        if signature, let algorithm = certificate.weakSignature {
            throw .weakSignature(file: file, subject: facts.subject, algorithm: algorithm)
        }
        return facts
    }

    /// RSA, Ed25519 and the two curves among our groups: TLS 1.2 cannot use an EC key of any other (RFC 8422, 5.1.1).
    private static func checkKind(of key: PrivateKey, _ file: String) throws(TLSIdentityError) {
        switch EVP_PKEY_get_base_id(key.pointer) {
        case EVP_PKEY_RSA, EVP_PKEY_RSA_PSS, EVP_PKEY_ED25519: return
        case EVP_PKEY_EC:
            // A smaller curve is reported as weak, with its bits.
            let curve = curve(of: key.pointer)
            guard !["prime256v1", "secp384r1"].contains(curve), EVP_PKEY_get_bits(key.pointer) >= 256 else { return }
            throw .unsuitableKey(file: file, kind: "EC \(curve)")
        default: throw .unsuitableKey(file: file, kind: kind(of: key.pointer))
        }
    }

    private static func kind(of key: OpaquePointer?) -> String {
        EVP_PKEY_get0_type_name(key).map { String(cString: $0) } ?? "unknown"
    }

    private static func curve(of key: OpaquePointer?) -> String {
        var name = [CChar](repeating: 0, count: 80)
        var length = 0
        guard EVP_PKEY_get_group_name(key, &name, name.count, &length) == 1 else { return "with parameters of its own" }
        return String(decoding: name.prefix(length).map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}
