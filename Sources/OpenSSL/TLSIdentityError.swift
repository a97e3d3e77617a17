import Linux

/// Why a certificate and its key cannot be used: what is wrong, in which file, and how to fix it.
///
/// It names files and dates, never a byte of the key.
package enum TLSIdentityError: Error, Sendable, Equatable {
    case unreadable(file: String, SystemError)
    /// Other users can read or change the key, or own it.
    case exposedKey(file: String, mode: UInt32, owner: UInt32)
    /// The file has no certificate in PEM, or a damaged one.
    case noCertificate(file: String)
    /// The file has no private key in PEM, or a damaged one.
    case noPrivateKey(file: String)
    case encryptedKey(file: String)
    case keyMismatch(certificate: String, key: String)
    /// Unix seconds.
    case expired(file: String, subject: String, notAfter: Int64)
    /// Unix seconds.
    case notYetValid(file: String, subject: String, notBefore: Int64)
    case weakKey(file: String, subject: String, kind: String, bits: Int)
    /// A kind of key or a curve that clients of this service cannot use.
    case unsuitableKey(file: String, kind: String)
    case weakSignature(file: String, subject: String, algorithm: String)
    /// OpenSSL refused it for another reason.
    case refused(file: String, OpenSSLError)

    /// What is wrong.
    package var problem: String {
        switch self {
        case .unreadable(let file, let error): "\(file) cannot be read: \(error.reason)"
        case .exposedKey(let file, let mode, let owner):
            "the private key \(file) can be read or changed by others (mode \(String(mode, radix: 8)), owner \(owner))"
        case .noCertificate(let file): "\(file) does not hold a certificate in PEM that can be read to its end"
        case .noPrivateKey(let file): "\(file) does not hold a private key in PEM that can be read to its end"
        case .encryptedKey(let file): "the private key \(file) is encrypted, and nobody is there to type its passphrase"
        case .keyMismatch(let certificate, let key): "the private key \(key) does not belong to the first certificate of \(certificate)"
        case .expired(let file, let subject, let notAfter):
            "\(file): the certificate of \(subject) expired on \(Certificate.text(ofTime: notAfter))"
        case .notYetValid(let file, let subject, let notBefore):
            "\(file): the certificate of \(subject) is not valid before \(Certificate.text(ofTime: notBefore))"
        case .weakKey(let file, let subject, let kind, let bits): "\(file): the \(kind) key of \(subject) has only \(bits) bits"
        case .unsuitableKey(let file, let kind): "\(file): a key of the kind \(kind) cannot be served"
        case .weakSignature(let file, let subject, let algorithm):
            "\(file): the certificate of \(subject) is signed with \(algorithm), which can be forged"
        case .refused(let file, let error): "\(file) is refused by \(error)"
        }
    }

    /// What to do about it.
    package var fix: String {
        switch self {
        case .unreadable(let file, let error):
            error.remedy ?? "put the PEM file there and let user \(Account.own) read it: \(Account.admission(to: file))"
        case .exposedKey(let file, _, let owner): Account.admission(to: file, owner: owner)
        case .noCertificate:
            "put the server's certificate first and the intermediate ones after it, each between -----BEGIN CERTIFICATE----- "
                + "and -----END CERTIFICATE----- (from DER: openssl x509 -inform DER -in FILE)"
        case .noPrivateKey: "put the key there between its BEGIN and END PRIVATE KEY lines (from DER: openssl pkey -inform DER -in FILE)"
        case .encryptedKey(let file): "write it without a passphrase (openssl pkey -in \(file) -out NEW) and chmod 600 the new file"
        case .keyMismatch:
            "use the key the certificate was requested with, and put the server's own certificate first; both print the same for "
                + "openssl x509 -in CERT -noout -pubkey and openssl pkey -in KEY -pubout"
        case .expired: "renew the certificate; if it is new, check this machine's clock"
        case .notYetValid: "check this machine's clock (timedatectl), or use the certificate that is valid now"
        case .weakKey, .unsuitableKey: "request a certificate for a new key: EC P-256 or P-384, or RSA of 2048 bits or more"
        case .weakSignature: "have the certificate issued again, signed with SHA-256 or better"
        case .refused: "check the file with openssl x509 -text, and have the certificate issued again"
        }
    }
}

extension TLSIdentityError {
    /// Whether the same files may pass later. Time fixes a certificate of tomorrow, and a clock that is behind after a boot.
    package var mayPass: Bool {
        switch self {
        case .unreadable(_, let error): error.mayPass
        case .notYetValid: true
        default: false
        }
    }
}

extension TLSIdentityError: CustomStringConvertible {
    package var description: String { "\(problem). To fix it: \(fix)." }
}
