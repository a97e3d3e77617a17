import OpenSSL
import Testing

@Suite struct Ed25519Tests {
    /// RFC 8032, section 7.1: tests 1, 2, 3 and SHA(abc).
    static let vectors: [(seed: String, publicKey: String, message: String, signature: String)] = [
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
        ),
        (
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        ),
        (
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
        ),
        (
            "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
            "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
            "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704"
        ),
    ]

    /// PKCS#8 is sixteen fixed bytes and the seed (RFC 8410, section 7).
    static func pem(seed: String) -> [UInt8] {
        let der = bytes("302e020100300506032b657004220420" + seed)
        return Array("-----BEGIN PRIVATE KEY-----\n\(base64(der))\n-----END PRIVATE KEY-----\n".utf8)
    }

    @Test func vectorsOfTheStandard() throws {
        for vector in Self.vectors {
            let key = try Ed25519.PrivateKey(pem: Self.pem(seed: vector.seed))
            #expect(hex(key.publicKey) == vector.publicKey)
            #expect(hex(try key.sign(bytes(vector.message))) == vector.signature)
            #expect(
                try Ed25519.isValid(
                    bytes(vector.signature), of: bytes(vector.message), publicKey: bytes(vector.publicKey)))
        }
    }

    @Test func aNewKeyOutlivesItsFile() throws {
        let key = try Ed25519.PrivateKey.generate()
        let again = try Ed25519.PrivateKey(pem: key.pem())
        #expect(again.publicKey == key.publicKey)
        #expect(try again.pem() == key.pem())
        #expect(try again.sign([1, 2, 3]) == key.sign([1, 2, 3]))
        #expect(try Ed25519.PrivateKey.generate().publicKey != key.publicKey)
        let reference = try Ed25519.PrivateKey(pem: Self.pem(seed: Self.vectors[0].seed))
        #expect(try reference.pem() == Self.pem(seed: Self.vectors[0].seed))
    }

    @Test func everyBitCounts() throws {
        let key = try Ed25519.PrivateKey.generate()
        let message = Array("origin\n7\nroot\n".utf8)
        let signature = try key.sign(message)
        func flips(_ bytes: [UInt8]) -> [[UInt8]] {
            (0..<(bytes.count * 8)).map { bit in
                var flipped = bytes
                flipped[bit / 8] ^= 1 << (bit % 8)
                return flipped
            }
        }
        for flipped in flips(signature) {
            #expect(try !Ed25519.isValid(flipped, of: message, publicKey: key.publicKey))
        }
        for flipped in flips(message) {
            #expect(try !Ed25519.isValid(signature, of: flipped, publicKey: key.publicKey))
        }
        for flipped in flips(key.publicKey) {
            #expect(try !Ed25519.isValid(signature, of: message, publicKey: flipped))
        }
    }

    @Test func otherLengthsAreRefused() throws {
        let key = try Ed25519.PrivateKey.generate()
        let signature = try key.sign([])
        #expect(try Ed25519.isValid(signature, of: [], publicKey: key.publicKey))
        for wrong in [[], Array(signature.dropLast()), signature + [0]] {
            #expect(try !Ed25519.isValid(wrong, of: [], publicKey: key.publicKey))
        }
        for wrong in [[], Array(key.publicKey.dropLast()), key.publicKey + [0]] {
            #expect(try !Ed25519.isValid(signature, of: [], publicKey: wrong))
        }
    }

    /// `openssl genpkey -algorithm ED25519 -aes256 -pass pass:secret`, and two keys of other kinds: made for this
    /// test. The first must not make OpenSSL ask a terminal.
    @Test(arguments: [encryptedKey, otherKindOfKey, keyOfTheSameLength, "", "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n"])
    func otherFilesAreRefused(file: String) {
        #expect(throws: OpenSSLError.self) { try Ed25519.PrivateKey(pem: Array(file.utf8)) }
    }

    @Test func aDamagedFileIsRefusedOrIsAKey() throws {
        let pem = Self.pem(seed: Self.vectors[0].seed)
        for index in pem.indices {
            for replacement in [UInt8(ascii: "A"), UInt8(ascii: "="), UInt8(ascii: "\n"), UInt8(ascii: "-"), 0, 0xFF] {
                var damaged = pem
                damaged[index] = replacement
                let key = try? Ed25519.PrivateKey(pem: damaged)
                #expect(key == nil || key?.publicKey.count == 32)
            }
            #expect((try? Ed25519.PrivateKey(pem: Array(pem.prefix(index)))) == nil || index >= pem.count - 1)
        }
    }
}

private func bytes(_ hex: String) -> [UInt8] {
    let digits = hex.compactMap(\.hexDigitValue)
    return stride(from: 0, to: digits.count - 1, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
}

private func base64(_ bytes: [UInt8]) -> String {
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
    return stride(from: 0, to: bytes.count, by: 3).map { start in
        let group = bytes[start..<min(start + 3, bytes.count)]
        let bits = group.reduce(0) { $0 << 8 | Int($1) } << (8 * (3 - group.count))
        return String((0..<4).map { $0 <= group.count ? alphabet[bits >> (18 - 6 * $0) & 63] : "=" })
    }.joined()
}

/// The passphrase is "secret".
private let encryptedKey = """
    -----BEGIN ENCRYPTED PRIVATE KEY-----
    MIGbMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAhg8PVa166XWQICCAAw
    DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEN7rb5/ooHtAD8vlR9hMybcEQAh3
    xgZcqRI0n6FBrOIN/8n21GUiFdEtgSJlsEQq5WQNCRglc1II+EFMp9W52/Hf0o9j
    bddcLoAmUtvsh2kmakI=
    -----END ENCRYPTED PRIVATE KEY-----
    """

private let otherKindOfKey = """
    -----BEGIN PRIVATE KEY-----
    MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg76YAmS5hrqF3jepJ
    aiXhFYm+8E9ehvhVoX/VwzcIw+ShRANCAARg0u2cDEKW3FMZeGR8Edee+MvSoZFu
    LVWNs27pc7taziDawIvsLbk/VGD5MgY5zF2XOf31jM2RdQVLsJMwVrw1
    -----END PRIVATE KEY-----
    """

/// X25519, for agreeing on secrets: it has a public key of 32 bytes, too.
private let keyOfTheSameLength = """
    -----BEGIN PRIVATE KEY-----
    MC4CAQAwBQYDK2VuBCIEIEg3cBAyyP0YAiXSQpAwqJ7xer8uW5UjZzdDzroNOrJA
    -----END PRIVATE KEY-----
    """
