import OpenSSL
import TestSupport
import Testing

@testable import AuditLog

@Suite struct NoteTests {
    /// The example of c2sp.org/signed-note.
    static let vkey = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
    static let note = """
        This is an example message.

        — example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=

        """

    @Test func theExampleOfTheSpecification() throws {
        let key = try VerifierKey(parsing: Self.vkey)
        #expect(key.name == "example.com/foo")
        #expect(key.description == Self.vkey)
        let note = try SignedNote(parsing: Array(Self.note.utf8))
        #expect(note.text == Array("This is an example message.\n".utf8))
        #expect(note.encoded == Array(Self.note.utf8))
        #expect(try note.isSigned(by: key))
        #expect(throws: FormatError(.checkpoint, "it does not have three lines")) {
            try SignedCheckpoint(parsing: Array(Self.note.utf8))
        }
    }

    /// Go's own test key (golang.org/x/mod/sumdb/note), the keys of the Go checksum database, and the two examples whose
    /// keys the specifications do not publish.
    @Test func othersKeysAndNotes() throws {
        for vkey in [
            "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
            "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8",
        ] {
            #expect(try VerifierKey(parsing: vkey).description == vkey)
        }
        let verse = """
            Ognuno sta solo sul cuor della terra
            trafitto da un raggio di sole:

            ed è subito sera.

            — quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=

            """
        let note = try SignedNote(parsing: Array(verse.utf8))
        #expect(note.text.suffix(9).elementsEqual("to sera.\n".utf8))
        #expect(note.encoded == Array(verse.utf8))
        let sofa = """
            example.com/behind-the-sofa
            20852163
            CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

            — example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=

            """
        let signed = try SignedCheckpoint(parsing: Array(sofa.utf8))
        #expect(signed.checkpoint.origin == "example.com/behind-the-sofa")
        #expect(signed.checkpoint.size == 20_852_163)
        #expect(signed.checkpoint.root.description == "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=")
        #expect(signed.note.encoded == Array(sofa.utf8))
    }

    @Test func noPartOfAVkeyIsFree() throws {
        for vkey in [Self.vkey, "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"] {
            let bytes = Array(vkey.utf8)
            for start in bytes.indices {
                for end in (start + 1)...bytes.count where start > 0 || end < bytes.count {
                    Self.expectNoKey(bytes[start..<end])
                }
                for bit in 0..<8 {
                    var turned = bytes
                    turned[start] ^= 1 << bit
                    Self.expectNoKey(turned[...])
                }
            }
        }
        // Of an unknown type, with a key too short, and with the ID in capitals: well formed otherwise.
        Self.expectNoKey("PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW".utf8.map(\.self)[...])
        Self.expectNoKey("PeterNeumann+C74F20A3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW".utf8.map(\.self)[...])
        for name in ["", "a b", "a+b", "a\nb", "a\u{0}", "é", "a\u{2003}b", String(repeating: "a", count: 256)] {
            #expect(throws: FormatError.self) {
                try VerifierKey(name: name, publicKey: [UInt8](repeating: 1, count: 32))
            }
        }
        #expect(throws: FormatError.self) { try VerifierKey(name: "a", publicKey: [UInt8](repeating: 1, count: 31)) }
    }

    private static func expectNoKey(_ bytes: ArraySlice<UInt8>) {
        let text = String(decoding: bytes, as: UTF8.self)
        #expect(throws: FormatError.self, "\(text)") { try VerifierKey(parsing: text) }
    }

    @Test func aCheckpointIsThreeLinesAndASignature() throws {
        let log = try TestLog(entries: 5)
        let text = String(decoding: log.head.note.encoded, as: UTF8.self)
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines.count == 6)
        #expect(lines[0] == "log.example/sync-history")
        #expect(lines[1] == "5")
        #expect(lines[2] == "\(log.tree.root)")
        #expect(lines[3] == "")
        #expect(lines[4].hasPrefix("— log.example/sync-history "))
        #expect(lines[5] == "")
        #expect(try SignedCheckpoint(parsing: log.head.note.encoded) == log.head)
        #expect(try log.head.isSigned(by: log.signer.verifierKey))
        #expect(try !log.head.isSigned(by: TestLog.signer(2).verifierKey))
        let otherName = try Signer(origin: "other.example", key: TestLog.key(1))
        #expect(try !log.head.isSigned(by: otherName.verifierKey))
    }

    /// Signed by the right key, but the first line names another log.
    @Test func anOriginThatIsNotTheKeysNameIsRefused() throws {
        let signer = try TestLog.signer(1)
        let text = Checkpoint(origin: "other.example/log", size: 0, root: .empty).text
        let signed = try SignedCheckpoint(parsing: SignedNote(text, signedBy: signer).encoded)
        #expect(try signed.note.isSigned(by: signer.verifierKey))
        #expect(try !signed.isSigned(by: signer.verifierKey))
    }

    @Test func signaturesOfOthersAreIgnored() throws {
        let log = try TestLog(entries: 3)
        let own = log.head.note.encoded
        let witness = try SignedNote(
            log.head.checkpoint.text, signedBy: Signer(origin: "witness.example", key: TestLog.key(7)))
        let line = witness.encoded.dropFirst(witness.text.count + 1)
        let both = try SignedCheckpoint(parsing: own + line)
        #expect(try both.isSigned(by: log.signer.verifierKey))
        #expect(both.note.encoded == own + line)
        let foreign = try SignedCheckpoint(parsing: witness.encoded)
        #expect(try !foreign.isSigned(by: log.signer.verifierKey))
        // A name with characters beyond ASCII may stand in a line, if not in our key.
        #expect(
            try SignedCheckpoint(parsing: own + Array("— zeugé.example AAAAAAE=\n".utf8)).isSigned(
                by: log.signer.verifierKey))
    }

    @Test(arguments: [
        "", "\n", "\n\n", "a\n", "a\n\n", "\n\n— a AAAAAAE=\n", "a\n\n— a AAAAAAE=", "a\n\n- a AAAAAAE=\n",
        "a\n\n— a AAAAAA==\n",
        "a\n\n—  AAAAAAE=\n", "a\n\n— a+b AAAAAAE=\n", "a\n\n— a AAAAAAF=\n", "a\n\n— a AAAAAAE\n",
        "a\n\n— a  AAAAAAE=\n",
        "a\r\n\n— a AAAAAAE=\n", "a\u{0}\n\n— a AAAAAAE=\n", "a\n\n— a\u{A0}b AAAAAAE=\n", "a\n— a AAAAAAE=\n",
        "a\n\n— a AAAA\nAAE=\n",
    ])
    func noNotes(text: String) {
        #expect(throws: FormatError.self) { try SignedNote(parsing: Array(text.utf8)) }
    }

    @Test func boundsOfANote() {
        let line = "— a AAAAAAE=\n"
        #expect((try? SignedNote(parsing: Array(("a\n\n" + String(repeating: line, count: 100)).utf8))) != nil)
        #expect(throws: FormatError.self) {
            try SignedNote(parsing: Array(("a\n\n" + String(repeating: line, count: 101)).utf8))
        }
        #expect(throws: FormatError.self) {
            try SignedNote(
                parsing: Array((String(repeating: "a", count: SignedNote.maximumBytes) + "\n\n" + line).utf8))
        }
        #expect(throws: FormatError.self) { try SignedNote(parsing: [0xFF] + Array("a\n\n\(line)".utf8)) }
    }

    @Test(arguments: [
        "a\n01\nR\n", "a\n-1\nR\n", "a\n+1\nR\n", "a\n\nR\n", "a\n1 \nR\n", "a\n0x1\nR\n",
        "a\n1152921504606846977\nR\n",
        "a\n9999999999999999999\nR\n", "a\n99999999999999999999\nR\n", "a b\n1\nR\n", "\n1\nR\n", "a\n1\nR",
        "a\n1\nR\nextension\n",
        "a\n1\n\n", "a\n1\nRR\n", "a\n1\nAAAA\n", "a\n١\nR\n",
    ])
    func noCheckpoints(text: String) throws {
        let text = text.replacing("R", with: "\(Hash.empty)")
        #expect(throws: FormatError.self) { try Checkpoint(parsing: Array(text.utf8)) }
    }

    @Test func sizesUpToTheLargestTree() throws {
        for size in [0, 1, 10, 999, Tree.maximumSize] {
            let checkpoint = Checkpoint(origin: "a", size: size, root: .empty)
            #expect(try Checkpoint(parsing: checkpoint.text) == checkpoint)
        }
    }

    @Test func everyBitOfACheckpointCounts() throws {
        let log = try TestLog(entries: 9)
        let bytes = log.head.note.encoded
        for bit in 0..<(bytes.count * 8) {
            var turned = bytes
            turned[bit / 8] ^= 1 << (bit % 8)
            let signed = try? SignedCheckpoint(parsing: turned)
            #expect(try signed?.isSigned(by: log.signer.verifierKey) != true, "bit \(bit)")
        }
    }

    @Test func damagedNotesAndKeysNeitherTrapNorPass() throws {
        let log = try TestLog(entries: 12)
        let key = log.signer.verifierKey
        let notes = [log.head.note.encoded, Array(Self.note.utf8)]
        var random = SeededGenerator(seed: 20852)
        var parsed = 0
        for _ in 0..<20_000 {
            let mutated = random.mutate(notes[Int.random(in: 0..<notes.count, using: &random)])
            if let note = try? SignedNote(parsing: mutated) {
                parsed += 1
                #expect(note.encoded == mutated)
                if mutated != notes[0] { #expect(try !note.isSigned(by: key) || note.text == log.head.note.text) }
            }
            if let signed = try? SignedCheckpoint(parsing: mutated) {
                #expect(signed.checkpoint.text == signed.note.text)
            }
            let vkey = String(decoding: random.mutate(Array(key.description.utf8)), as: UTF8.self)
            if let other = try? VerifierKey(parsing: vkey) { #expect(other.description == vkey && other == key) }
        }
        #expect(parsed > 100)
    }
}
