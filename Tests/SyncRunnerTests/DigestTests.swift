import Glibc
import Linux
import TestSupport
import Testing

@testable import SyncRunner

/// The vectors of FIPS 180-2, appendix B.
@Suite struct DigestTests {
    private static let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

    @Test(arguments: [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"), ("abc", abc),
        ("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"),
    ])
    func knownVectors(text: String, expected: String) {
        var digest = Digest()
        digest.update(Array(text.utf8)[...])
        #expect(digest.finish() == expected)
    }

    @Test func piecesGiveTheSameDigest() {
        var digest = Digest()
        for piece in ["a", "", "bc"] { digest.update(Array(piece.utf8)[...]) }
        #expect(digest.finish() == Self.abc)
    }

    @Test func aFileLongerThanOneReadIsDigestedWhole() throws {
        let folder = try TemporaryFolder()
        let file = try Descriptor.open(folder("million"), O_RDWR | O_CREAT)
        try file.write([UInt8](repeating: UInt8(ascii: "a"), count: 1_000_000))
        #expect(try Digest.of(file) == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
    }
}
