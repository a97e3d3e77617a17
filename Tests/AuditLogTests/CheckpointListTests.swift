import Encoding
import Testing

@testable import AuditLog

@Suite struct CheckpointListTests {
    private let notes: [[UInt8]]

    init() throws {
        let log = try TestLog(entries: 9)
        notes = try (1...9).map { try log.checkpoint(at: $0).note.encoded }
    }

    private func sizes(_ bytes: [UInt8], isCut: Bool = false) -> [Int64] {
        CheckpointList(parsing: bytes, isCut: isCut).elements.map(\.signed.checkpoint.size)
    }

    @Test func aNoteManyAndNone() {
        #expect(sizes(notes[2]) == [3])
        #expect(sizes(notes[2].dropLast()) == [3], "the last line feed may be missing")
        #expect(sizes(notes.flatMap { [10] + $0 }) == Array(1...9))
        // As earlier releases wrote them.
        #expect(sizes(notes.flatMap { $0 + [10] }) == Array(1...9))
        #expect(sizes([]) == [])
        #expect(CheckpointList(parsing: notes.flatMap { [10] + $0 }).tornCount == 0)
    }

    @Test func aNoteTornAnywhereSpoilsNoOther() throws {
        for count in 1..<notes[4].count - 1 {
            let torn = notes[4].prefix(count)
            let list = CheckpointList(parsing: [10] + notes[3] + [10] + torn + [10] + notes[5])
            #expect(list.elements.map(\.signed.checkpoint.size).filter { $0 != 5 } == [4, 6], "\(count)")
            // A torn signature may still look like one, but is none.
            let key = try TestLog.signer(1).verifierKey
            let signed = try list.elements.filter { try $0.signed.isSigned(by: key) }
            #expect(signed.map(\.signed.checkpoint.size) == [4, 6], "\(count)")
            if list.elements.count == 2, torn.contains(where: { $0 != 10 }) { #expect(list.tornCount == 1, "\(count)") }
        }
    }

    @Test func whereANoteBegins() {
        let list = CheckpointList(parsing: [10] + notes[0] + [10] + notes[1])
        #expect(list.elements.map(\.offset) == [1, 2 + notes[0].count])
    }

    @Test func aTextThatIsCutBeginsWithoutATornNote() {
        let all: [UInt8] = notes.flatMap { [10] + $0 }
        for start in 0..<notes[0].count {
            let list = CheckpointList(parsing: Array(all[(1 + start)...]), isCut: true)
            #expect(list.tornCount == 0)
            #expect(list.elements.map(\.signed.checkpoint.size) == Array(2...9))
        }
    }

    @Test func asTheHeaderHasIt() {
        let header = Array(Base64.standard.encode(notes[6]).utf8)
        #expect(sizes(header) == [7])
        #expect(sizes(Array("Sync-Checkpoint: ".utf8) + header + Array("\r\n".utf8)) == [7])
        let two = Array("HTTP/1.1 200 OK\r\nsync-checkpoint:".utf8) + header + Array("\r\n\r\n".utf8) + Array(Base64.standard.encode(notes[7]).utf8)
        #expect(sizes(two) == [7, 8])
        #expect(sizes(header.dropLast(4)) == [])
    }

    @Test func linesBehindASignatureSpoilNoNote() throws {
        let key = try TestLog.signer(1).verifierKey
        for line in [
            "— x y\n", "— \n", String(repeating: "— a.example AAAAAAAA\n", count: 101), "—  \n", "— log.example/sync-history AAAA\n", "nothing\n",
        ] {
            let list = CheckpointList(parsing: [10] + notes[0] + [10] + notes[1] + Array(line.utf8) + [10] + notes[2])
            let signed = try list.elements.filter { try $0.signed.isSigned(by: key) }
            #expect(signed.map(\.signed.checkpoint.size) == [1, 2, 3], "\(line.prefix(40))")
        }
    }

    @Test func aNoteWithTwoSignatures() throws {
        let log = try TestLog(entries: 3)
        let both = try log.head.cosigned(by: TestLog.signer(2))
        #expect(try both.isSigned(by: TestLog.signer(1).verifierKey))
        #expect(try both.isSigned(by: TestLog.signer(2).verifierKey))
        #expect(sizes([10] + both.note.encoded + [10] + notes[3]) == [3, 4])
    }
}
