import COpenSSL
import Glibc

/// The content of a certificate (RFC 5280), as plain values.
package struct Certificate: Sendable, Equatable {
    /// The distinguished name on one line, such as `CN = sync.example`; for people only.
    package let subject: String
    /// Unix seconds; not valid before.
    package let notBefore: Int64
    /// Unix seconds; not valid after.
    package let notAfter: Int64
    /// The host names that it is valid for, in lower case, with wildcards such as `*.example`. They come from subjectAltName;
    /// the common name no longer counts (RFC 9525).
    package let dnsNames: [String]
    /// The addresses that it is valid for, such as `192.0.2.1` or `2001:db8::1`.
    package let ipAddresses: [String]

    /// A time as the `openssl` command prints it, such as `Jan 31 12:00:00 2026 GMT`.
    ///
    /// - Parameter seconds: unix seconds.
    package static func text(ofTime seconds: Int64) -> String {
        let time = ASN1_TIME_set(nil, time_t(seconds))
        defer { ASN1_TIME_free(time) }
        return MemoryText.printed { ASN1_TIME_print($0, time) == 1 } ?? "second \(seconds) since 1970"
    }
}

/// The owner of one `X509`.
final class X509Certificate {
    let pointer: OpaquePointer

    init(owning pointer: OpaquePointer) { self.pointer = pointer }
    deinit { X509_free(pointer) }

    /// All certificates of a PEM text, in order.
    static func chain(_ file: PEMFile) throws(TLSIdentityError) -> [X509Certificate] {
        guard let text = MemoryText(file.bytes) else { throw .noCertificate(file: file.name) }
        var chain: [X509Certificate] = []
        ErrorQueue.clear()
        while let pointer = PEM_read_bio_X509(text.bio, nil, refusePassphrase, nil) {
            chain.append(X509Certificate(owning: pointer))
        }
        // OpenSSL reports the end of the text as an error too. Any other error is a damaged certificate.
        let end = ERR_peek_last_error()
        ErrorQueue.clear()
        let isEnd = ERR_GET_LIB(end) == ERR_LIB_PEM && ERR_GET_REASON(end) == PEM_R_NO_START_LINE
        guard isEnd, !chain.isEmpty else { throw .noCertificate(file: file.name) }
        return chain
    }

    /// - Throws: `OpenSSLError` when a date or a name cannot be read.
    func facts() throws(OpenSSLError) -> Certificate {
        var dnsNames: [String] = []
        var ipAddresses: [String] = []
        ErrorQueue.clear()
        if let names = X509_get_ext_d2i(pointer, NID_subject_alt_name, nil, nil).map(OpaquePointer.init) {
            defer { GENERAL_NAMES_free(names) }
            for index in 0..<OPENSSL_sk_num(names) {
                guard let name = OPENSSL_sk_value(names, index) else { continue }
                var kind: Int32 = 0
                let value = GENERAL_NAME_get0_value(name.assumingMemoryBound(to: GENERAL_NAME.self), &kind)
                guard let bytes = Self.bytes(value) else { continue }
                if kind == GEN_DNS, let name = Self.dnsName(bytes) { dnsNames.append(name) }
                if kind == GEN_IPADD, let address = Self.address(bytes) { ipAddresses.append(address) }
            }
        }
        return Certificate(
            subject: subject, notBefore: try Self.seconds(X509_get0_notBefore(pointer)),
            notAfter: try Self.seconds(X509_get0_notAfter(pointer)), dnsNames: dnsNames, ipAddresses: ipAddresses)
    }

    /// This form escapes control characters and non-ASCII bytes, because the text goes to logs and terminals.
    var subject: String {
        MemoryText.printed { X509_NAME_print_ex($0, X509_get_subject_name(pointer), 0, copenssl_xn_flag_oneline) >= 0 } ?? "nobody"
    }

    var isSelfIssued: Bool { X509_get_extension_flags(pointer) & UInt32(EXFLAG_SI) != 0 }

    /// The name of the digest in its signature if that is weaker than SHA-256; otherwise nil.
    var weakSignature: String? {
        var digest: Int32 = 0
        var kind: Int32 = 0
        guard X509_get_signature_info(pointer, &digest, &kind, nil, nil) == 1 else { return "an unknown algorithm" }
        let strong = [NID_sha256, NID_sha384, NID_sha512].contains(digest) || kind == NID_ED25519 || kind == NID_ED448
        return strong ? nil : OBJ_nid2sn(digest).map { String(cString: $0) } ?? "an unknown algorithm"
    }

    private static func seconds(_ time: UnsafePointer<ASN1_TIME>?) throws(OpenSSLError) -> Int64 {
        var parts = tm()
        ErrorQueue.clear()
        guard ASN1_TIME_to_tm(time, &parts) == 1 else { throw ErrorQueue.failure(of: "ASN1_TIME_to_tm") }
        return Int64(timegm(&parts))
    }

    private static func bytes(_ value: UnsafeMutableRawPointer?) -> UnsafeBufferPointer<UInt8>? {
        guard let string = value.map({ UnsafePointer($0.assumingMemoryBound(to: ASN1_STRING.self)) }) else { return nil }
        return UnsafeBufferPointer(start: ASN1_STRING_get0_data(string), count: Int(max(0, ASN1_STRING_length(string))))
    }

    /// nil if it is no host name. A NUL in it would end a C string early.
    private static func dnsName(_ bytes: UnsafeBufferPointer<UInt8>) -> String? {
        let allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._*".utf8
        guard !bytes.isEmpty, bytes.count <= 253, bytes.allSatisfy(allowed.contains) else { return nil }
        return String(decoding: bytes, as: UTF8.self).lowercased()
    }

    private static func address(_ bytes: UnsafeBufferPointer<UInt8>) -> String? {
        guard let family = [4: AF_INET, 16: AF_INET6][bytes.count] else { return nil }
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        guard inet_ntop(family, bytes.baseAddress, &text, socklen_t(text.count)) != nil else { return nil }
        return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}

/// The owner of a memory BIO with a text.
final class MemoryText {
    let bio: OpaquePointer

    init?(_ bytes: [UInt8] = []) {
        guard let bio = BIO_new(BIO_s_mem()) else { return nil }
        self.bio = bio
        guard let count = Int32(exactly: bytes.count), count == 0 || BIO_write(bio, bytes, count) == count else { return nil }
    }

    deinit { BIO_free(bio) }

    /// What OpenSSL prints, up to 256 bytes; nil if it prints nothing.
    static func printed(_ print: (OpaquePointer) -> Bool) -> String? {
        guard let text = MemoryText(), print(text.bio) else { return nil }
        var bytes = [UInt8](repeating: 0, count: 256)
        let count = Int(BIO_read(text.bio, &bytes, Int32(bytes.count)))
        return count > 0 ? String(decoding: bytes.prefix(count), as: UTF8.self) : nil
    }
}

/// Gives OpenSSL no passphrase. Without a callback OpenSSL would ask on the terminal. Sets `asked`, if given, to true.
let refusePassphrase:
    @convention(c) (
        UnsafeMutablePointer<CChar>?, Int32, Int32, UnsafeMutableRawPointer?
    ) -> Int32 = { _, _, _, asked in
        asked?.assumingMemoryBound(to: Bool.self).pointee = true
        return 0
    }
