import JSON
import TestSupport
import Testing

@testable import AuditLog

@Suite struct LogVerifierTests {
    static let log = Result { try TestLog(entries: 700) }

    private let log: TestLog
    private let key: VerifierKey

    init() throws {
        log = try Self.log.get()
        key = log.signer.verifierKey
    }

    /// An entry with another user in it.
    private static func edited(_ leaf: [UInt8]) -> [UInt8] {
        Array(String(decoding: leaf, as: UTF8.self).replacing("ana", with: "eva").utf8)
    }

    @Test func anUntouchedLogIsIntact() throws {
        let kept = try [1, 0, 255, 256, 699, 700, 256].map { try log.checkpoint(at: $0) }
        let report = try log.tampered { _ in }.verify(expecting: key, checkpoints: kept)
        #expect(report.isIntact)
        #expect(report.problems.first.isEmpty)
        #expect(report.remarks.count == 0)
        #expect(report.size == 700)
        #expect(report.root == log.tree.root)
        #expect(report.key == key)
        #expect(report.keyConfirmed)
        #expect(report.confirmedSize == 700)
        let alone = try log.tampered { _ in }.verify(withHashes: false)
        #expect(alone.isIntact)
        #expect(!alone.keyConfirmed)
        #expect(alone.confirmedSize == 0)
    }

    // MARK: without the key

    @Test(arguments: [0, 1, 2, 255, 256, 698, 699]) func anEditedEntryIsNamed(number: Int) throws {
        let rows = log.tampered {
            $0.leaves[number].bytes = Self.edited($0.leaves[number].bytes) + (number == 0 ? [0x20] : [])
        }
        let report = try rows.verify()
        #expect(report.problems.first.contains(.entryAltered(Int64(number))))
        // And nothing else: all others still give the root that was signed.
        #expect(report.problems.first.allSatisfy { $0.entry == Int64(number) })
        #expect(report.root == log.tree.root)
        // The root alone tells that, not where; an older checkpoint narrows it down.
        let kept = try [100, 500].map { try log.checkpoint(at: $0) }
        let blind = try rows.verify(checkpoints: kept, withHashes: false)
        let sizes: (Int64, Int64) = number < 100 ? (100, 0) : number < 500 ? (500, 100) : (700, 500)
        #expect(blind.problems.first.contains(.differs(size: sizes.0, agreed: sizes.1)))
    }

    @Test func anEditedEntryWithItsHashIsFoundInTheNodeAbove() throws {
        let rows = log.tampered {
            $0.leaves[300].bytes = Self.edited($0.leaves[300].bytes)
            $0.hashes[Subtree(level: 0, index: 300)] = Hash.leaf($0.leaves[300].bytes)
        }
        let report = try rows.verify()
        #expect(report.problems.first == [.hashAltered(300..<302)])
    }

    @Test func anEditedEntryWithAllHashesIsFoundByTheSignature() throws {
        let rows = log.tampered {
            $0.leaves[300].bytes = Self.edited($0.leaves[300].bytes)
            _ = $0.rehash()
        }
        #expect(try rows.verify().problems.first == [.differs(size: 700, agreed: 0)])
        let kept = try [100, 300, 301, 500].map { try log.checkpoint(at: $0) }
        let report = try rows.verify(checkpoints: kept)
        #expect(report.problems.first == [.differs(size: 301, agreed: 300)])
        #expect(report.confirmedSize == 300)
    }

    /// By the hashes that were stored for the missing ones: what else was altered still shows.
    @Test(arguments: [0..<1, 17..<18, 17..<40, 255..<257, 640..<699]) func missingEntriesAreBridged(missing: Range<Int>) throws {
        for altered in [nil, 699] {
            var verifier = LogVerifier()
            for number in log.leaves.indices where !missing.contains(number) {
                if number == missing.upperBound { try verifier.skip(to: Int64(number)) { log.stored(by: $0) } }
                // Entry and hash, so that only the root tells.
                let leaf = number == altered ? Self.edited(log.leaves[number]) : log.leaves[number]
                var stored = log.stored(by: Int64(number))
                if number == altered { stored[0] = Hash.leaf(leaf) }
                try verifier.add(Int64(number), leaf, stored: stored)
            }
            let report = try verifier.finish(head: log.checkpoint(at: 700))
            #expect(report.problems.first.first == .entriesMissing(Int64(missing.lowerBound)..<Int64(missing.upperBound)))
            #expect((report.problems.count == 1) == (altered == nil))
            if altered == nil { #expect(report.root == log.tree.root) }
        }
    }

    @Test func withoutTheirHashesNothingCanBeTold() throws {
        var verifier = LogVerifier()
        try verifier.add(0, log.leaves[0], stored: log.stored(by: 0))
        try verifier.skip(to: 5) { $0 == 3 ? [nil] : log.stored(by: $0) }
        for number in 5..<700 { try verifier.add(Int64(number), log.leaves[number], stored: log.stored(by: Int64(number))) }
        let report = try verifier.finish(head: log.checkpoint(at: 700))
        #expect(report.problems.first == [.entriesMissing(1..<5), .rootUnknown])
        #expect(report.root == nil)
    }

    @Test func storedCheckpointsAreComparedByteByByte() throws {
        let right = try log.checkpoint(at: 300).note.encoded
        let others = [
            [], Array(right.dropLast()), right + [0x0A], try log.checkpoint(at: 299).note.encoded,
            Array(right.prefix(right.count - 5)) + Array("====\n".utf8), Array(String(decoding: right, as: UTF8.self).replacing("—", with: "-").utf8),
        ]
        for (note, size) in [(right, 300)] + others.map({ ($0, 300) }) + [(right, 301)] as [([UInt8], Int64)] {
            var verifier = LogVerifier()
            for number in 0..<700 {
                try verifier.add(Int64(number), log.leaves[number], stored: log.stored(by: Int64(number)))
                if number + 1 == size { verifier.compareStored(note, filedUnder: size) }
            }
            let report = try verifier.finish(head: log.checkpoint(at: 700))
            #expect(report.problems.first == (note == right && size == 300 ? [] : [.storedCheckpointDiffers(size: size)]))
        }
    }

    /// What the words do not say about a finding is in its hash.
    @Test func twoAlterationsOfOneEntryHaveDifferentHashes() throws {
        let tails: [[UInt8]] = [[0x20], [0x21]]
        let hashes = try tails.map { tail -> Hash? in
            let report = try log.tampered { $0.leaves[50].bytes += tail }.verify()
            #expect(report.problems.first.first == .entryMalformed(50, .malformed(offset: log.leaves[50].count)))
            return report.problems.hashes.first ?? nil
        }
        #expect(hashes[0] != nil && hashes[0] != hashes[1])
    }

    @Test func aMissingEntryIsNamed() throws {
        let report = try log.tampered { $0.leaves.remove(at: 17) }.verify(checkpoints: [log.checkpoint(at: 10)])
        #expect(report.problems.first == [.entriesMissing(17..<18), .rootUnknown])
        #expect(report.root == nil)
        #expect(report.confirmedSize == 10)
        let first = try log.tampered { $0.leaves.removeFirst(3) }.verify()
        #expect(first.problems.first.first == .entriesMissing(0..<3))
    }

    @Test func aMissingEntryWithTheOthersMovedUp() throws {
        let rows = log.tampered {
            $0.leaves.remove(at: 17)
            for place in 17..<$0.leaves.count { $0.leaves[place].number -= 1 }
        }
        #expect(try rows.verify().problems.first.first == .entryAltered(17))
        #expect(try rows.verify(withHashes: false).problems.first == [.cutOff(size: 700, found: 699)])
    }

    @Test func swappedEntriesAreNamed() throws {
        let rows = log.tampered {
            let bytes = $0.leaves[40].bytes
            $0.leaves[40].bytes = $0.leaves[90].bytes
            $0.leaves[90].bytes = bytes
        }
        let report = try rows.verify()
        #expect(report.problems.first == [.entryAltered(40), .entryAltered(90)])
        // 90 is 50 seconds older than 89, and 41 is 49 seconds older than what now stands in 40.
        #expect(report.remarks.first.count == 2)
        let numbers = log.tampered { $0.leaves.swapAt(40, 41) }
        #expect(try numbers.verify().problems.first.contains(.entryOutOfOrder(40)))
    }

    @Test func anInsertedEntryIsNamed() throws {
        let rows = log.tampered {
            $0.leaves.insert((number: 50, bytes: $0.leaves[20].bytes), at: 50)
            for place in 51..<$0.leaves.count { $0.leaves[place].number += 1 }
        }
        let report = try rows.verify()
        #expect(report.problems.first.first == .entryAltered(50))
        #expect(report.remarks.first == [.timeBackwards(entry: 50, microseconds: 29_000_000)])
        #expect(try rows.verify(withHashes: false).problems.first == [.notCovered(700..<701)])
    }

    @Test func hashesEditedOrMissing() throws {
        let node = Subtree(level: 3, index: 5)
        // It fits neither what is below nor what is above.
        let altered = try log.tampered { $0.hashes[node] = .empty }.verify()
        #expect(altered.problems.first == [.hashAltered(40..<48), .hashAltered(32..<48)])
        #expect(try log.tampered { $0.hashes[node] = nil }.verify().problems.first == [.hashMissing(40..<48)])
        let leaf = Subtree(level: 0, index: 5)
        #expect(try log.tampered { $0.hashes[leaf] = nil }.verify().problems.first == [.hashMissing(5..<6)])
    }

    @Test func aCutOffLogIsFoundByItsHeadOrByOneFromOutside() throws {
        let rows = log.tampered { $0.leaves.removeLast(10) }
        #expect(try rows.verify().problems.first == [.cutOff(size: 700, found: 690)])
        // Yesterday's file is consistent with itself.
        let yesterday = try log.tampered {
            $0.leaves.removeLast(10)
            $0.head = try log.checkpoint(at: 690)
        }
        #expect(try yesterday.verify(expecting: key).isIntact)
        let report = try yesterday.verify(checkpoints: [log.checkpoint(at: 695), log.checkpoint(at: 650)])
        #expect(report.problems.first == [.cutOff(size: 695, found: 690)])
        #expect(report.confirmedSize == 650)
    }

    @Test func aMalformedEntryIsNamed() throws {
        var malformed = try TestLog(entries: 5)
        try malformed.append(Array("{}".utf8))
        let report = try malformed.tampered { _ in }.verify()
        #expect(report.problems.first == [.entryMalformed(5, .key("event"))])
    }

    @Test func noGenesisOrTwo() throws {
        var log = try TestLog(entries: 4)
        try log.append(log.leaves[0])
        #expect(try log.tampered { _ in }.verify().problems.first == [.genesisRepeated(4)])
        #expect(try log.tampered { $0.leaves = [] }.verify().problems.first.contains(.genesisMissing))
        let foreign = try Leaf(
            .genesis, at: LeafTime(microseconds: 0),
            [JSONValue.Member("origin", .string("other.example")), JSONValue.Member("vkey", .string("\(key)"))])
        for bytes in [foreign.bytes, Array("{}".utf8), log.leaves[1]] {
            let report = try log.tampered { $0.leaves[0].bytes = bytes }.verify()
            #expect(report.problems.first.contains(.genesisMissing))
            #expect(report.key == nil)
        }
    }

    // MARK: with the key

    @Test func aLogSignedAnewDiffersFromAnOlderCheckpoint() throws {
        let rows = try log.tampered {
            $0.leaves[300].bytes = Self.edited($0.leaves[300].bytes)
            $0.head = try SignedCheckpoint(of: $0.rehash(), signedBy: log.signer)
        }
        #expect(try rows.verify(expecting: key).isIntact)
        let report = try rows.verify(expecting: key, checkpoints: [log.checkpoint(at: 650), log.checkpoint(at: 200)])
        #expect(report.problems.first == [.differs(size: 650, agreed: 200)])
        #expect(
            "\(report.problems.first[0])"
                == "the log differs before entry 650 from what was signed; up to entry 199 it agrees with an older checkpoint"
        )
        #expect(report.confirmedSize == 200)
    }

    @Test func aReplacedLogDiffersFromAnOlderCheckpoint() throws {
        let other = try TestLog(entries: 720, seed: 5)
        let report = try other.tampered { _ in }.verify(expecting: key, checkpoints: [log.checkpoint(at: 600)])
        #expect(report.problems.first == [.differs(size: 600, agreed: 0)])
        let otherKey = try TestLog(entries: 720, signer: TestLog.signer(2))
        let second = try otherKey.tampered { _ in }.verify(expecting: key, checkpoints: [log.checkpoint(at: 600)])
        #expect(
            second.problems.first == [
                .notSigned(size: 600), .differs(size: 600, agreed: 0),
                .foreignKey(expected: key, found: otherKey.signer.verifierKey),
            ])
        #expect(!second.keyConfirmed)
        #expect(try otherKey.tampered { _ in }.verify().isIntact)
    }

    @Test func aHeadOfSomebodyElse() throws {
        let foreign = try TestLog.signer(2)
        let rows = try log.tampered { $0.head = try log.checkpoint(at: 700, signedBy: foreign) }
        #expect(try rows.verify().problems.first == [.notSigned(size: 700)])
        let elsewhere = try Signer(origin: "other.example", key: TestLog.key(1))
        let other = try log.tampered { $0.head = try log.checkpoint(at: 700, signedBy: elsewhere) }
        #expect(try other.verify().problems.first == [.otherOrigin(size: 700, origin: "other.example")])
    }

    // MARK: another key

    private static func rotated(at size: Int) throws -> (log: TestLog, old: Signer, new: Signer) {
        let (old, new) = (try TestLog.signer(1), try TestLog.signer(2))
        var log = try TestLog(entries: size, signer: old)
        try log.append(
            .keyChanged, KeyChange.fields(to: new.verifierKey, after: log.tree, signedBy: old), signedBy: new)
        for _ in 0..<10 { try log.appendRun(signedBy: new) }
        return (log, old, new)
    }

    @Test func aChangeOfKeyIsFollowed() throws {
        let (log, old, new) = try Self.rotated(at: 20)
        let kept = [try log.checkpoint(at: 20, signedBy: old), try log.checkpoint(at: 21, signedBy: new)]
        for expected in [nil, old.verifierKey, new.verifierKey] {
            let report = try log.tampered { _ in }.verify(expecting: expected, checkpoints: kept)
            #expect(report.isIntact)
            #expect(report.key == new.verifierKey)
            #expect(report.keyConfirmed == (expected != nil))
            #expect(report.confirmedSize == 21)
            #expect(report.remarks.first == [.keyChanged(entry: 20, to: new.verifierKey)])
        }
        // Each key signs its own part of the history only.
        let wrong = [try log.checkpoint(at: 20, signedBy: new), try log.checkpoint(at: 21, signedBy: old)]
        let report = try log.tampered { _ in }.verify(checkpoints: wrong)
        #expect(report.problems.first == [.notSigned(size: 20), .notSigned(size: 21)])
        let head = try log.tampered { $0.head = try log.checkpoint(at: 31, signedBy: old) }
        #expect(try head.verify().problems.first == [.notSigned(size: 31)])
    }

    @Test func aChangeThatTheOldKeyDidNotSignIsNot() throws {
        let (old, new) = (try TestLog.signer(1), try TestLog.signer(2))
        let base = try TestLog(entries: 20, signer: old)
        let elsewhere = try TestLog(entries: 21, signer: old)
        let otherLog = try TestLog(entries: 20, signer: old, seed: 3)
        let foreignName = try Signer(origin: "other.example", key: TestLog.key(2))
        let good = try KeyChange.fields(to: new.verifierKey, after: base.tree, signedBy: old)
        let changes = try [
            KeyChange.fields(to: new.verifierKey, after: base.tree, signedBy: new),
            KeyChange.fields(to: new.verifierKey, after: elsewhere.tree, signedBy: old),
            KeyChange.fields(to: new.verifierKey, after: otherLog.tree, signedBy: old),
            KeyChange.fields(to: foreignName.verifierKey, after: base.tree, signedBy: old),
            [good[0], JSONValue.Member("vkey", .string("\(TestLog.signer(3).verifierKey)"))],
            [good[0]], [good[1]], [JSONValue.Member("signature", .string("AAAA")), good[1]], [],
        ]
        for fields in changes {
            var log = base
            try log.append(.keyChanged, fields, signedBy: new)
            let report = try log.tampered { _ in }.verify()
            #expect(report.problems.first == [.keyChangeNotSigned(20), .notSigned(size: 21)])
            #expect(report.key == old.verifierKey)
        }
    }

    /// A thief of the new key cannot give himself a history before it.
    @Test func whoClaimsToHaveChangedToTheExpectedKeyMustHaveIt() throws {
        let (thief, victim) = (try TestLog.signer(5), try TestLog.signer(1))
        var log = try TestLog(entries: 10, signer: thief)
        try log.append(.keyChanged, KeyChange.fields(to: victim.verifierKey, after: log.tree, signedBy: thief))
        let report = try log.tampered { _ in }.verify(expecting: victim.verifierKey)
        #expect(report.problems.first == [.notSigned(size: 11)])
    }

    @Test func theStatementOfAChangeIsNoCheckpoint() throws {
        let (old, new) = (try TestLog.signer(1), try TestLog.signer(2))
        let tree = try TestLog(entries: 4, signer: old).tree
        let text = KeyChange.statement(naming: new.verifierKey, after: tree, origin: TestLog.origin)
        #expect(text == Array("log.example/sync-history\nkey_changed\n4\n\(tree.root)\n\(new.verifierKey)\n".utf8))
        #expect(throws: FormatError.self) { try SignedCheckpoint(parsing: SignedNote(text, signedBy: old).encoded) }
    }

    // MARK: time, bounds

    @Test func timesThatRunBackwardsAreRemarked() throws {
        var log = try TestLog(entries: 10)
        try log.append(.clockStepped, [], at: -60_000_000)
        try log.append(.serviceStarted, [], at: -60_000_000)
        try log.append(.serviceStopped, [], at: -70_000_000)
        try log.append(.serviceStarted, [], at: -71_000_000)
        let report = try log.tampered { _ in }.verify()
        #expect(report.isIntact)
        #expect(report.remarks.first == [.timeBackwards(entry: 12, microseconds: 9_000_000)])
    }

    @Test func aWreckedLogKeepsNoMoreThanAHundredProblems() throws {
        let rows = log.tampered { rows in for place in rows.leaves.indices { rows.leaves[place].bytes = [] } }
        let report = try rows.verify()
        #expect(report.problems.first.count == 100)
        #expect(report.problems.count > 1400)
    }

    @Test func anyRowsAtAllDoNotTrap() throws {
        var random = SeededGenerator(seed: 6)
        let numbers: [Int64] = [.min, -1, 0, 1, 5, 9, Tree.maximumSize - 1, Tree.maximumSize, .max]
        for _ in 0..<300 {
            var verifier = LogVerifier(expectedKey: key, checkpoints: [try log.checkpoint(at: 5)])
            var number: Int64 = 0
            for leaf in log.leaves.prefix(40) {
                let wild = Int.random(in: 0..<20, using: &random) == 0
                let bytes = Bool.random(using: &random) ? leaf : random.mutate(leaf)
                let stored = (0..<Int.random(in: 0..<9, using: &random)).map { _ in
                    Bool.random(using: &random) ? Hash.empty : nil
                }
                try verifier.add(
                    wild ? numbers.randomElement(using: &random) ?? 0 : number, bytes,
                    stored: Bool.random(using: &random) ? stored : nil)
                number += 1
            }
            #expect(try !verifier.finish(head: log.head).isIntact)
        }
    }

    @Test func everyProblemHasWords() {
        let key = key
        let problems: [Problem] = [
            .entriesMissing(1..<2), .entriesMissing(1..<3), .entryOutOfOrder(1), .entryAltered(1),
            .entryMalformed(1, .number),
            .hashAltered(0..<2), .hashMissing(0..<2), .genesisMissing, .genesisRepeated(1), .keyChangeNotSigned(1),
            .foreignKey(expected: key, found: key), .otherOrigin(size: 1, origin: "x"), .notSigned(size: 1),
            .cutOff(size: 1, found: 0), .notCovered(0..<1), .differs(size: 1, agreed: 0),
        ]
        #expect(Set(problems.map(\.description)).count == problems.count)
        #expect(problems[0].description == "entry 1 missing")
        #expect(problems[1].description == "entries 1 to 2 missing")
        #expect(problems.compactMap(\.entry).count == 12)
    }
}
