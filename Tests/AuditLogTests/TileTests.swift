import Testing

@testable import AuditLog

@Suite struct TileTests {
    /// The first from c2sp.org/tlog-tiles.
    @Test(arguments: [
        (Int64(1_234_067), Int64(256), "x001/x234/067"), (0, 1, "000.p/1"), (999, 256, "999"),
        (1000, 255, "x001/000.p/255"),
        (123_456_078, 2, "x123/x456/078.p/2"),
    ])
    func paths(index: Int64, width: Int64, path: String) {
        #expect(Tile(content: .hashes(level: 5), index: index, width: width).path == "tile/5/\(path)")
        #expect(Tile(content: .entries, index: index, width: width).path == "tile/entries/\(path)")
    }

    /// The examples in c2sp.org/tlog-tiles: 70,000 entries and 256.
    @Test func tilesOfThePublishedExamples() {
        let tiles = Array(Tile.all(forSize: 70_000))
        func count(_ content: Tile.Content, _ isFull: Bool) -> Int {
            tiles.count { $0.content == content && ($0.width == 256) == isFull }
        }
        for content in [Tile.Content.entries, .hashes(level: 0)] {
            #expect(count(content, true) == 273)
            #expect(count(content, false) == 1)
            #expect(tiles.last { $0.content == content } == Tile(content: content, index: 273, width: 112))
        }
        #expect(count(.hashes(level: 1), true) == 1)
        #expect(tiles.last { $0.content == .hashes(level: 1) }?.width == 17)
        #expect(tiles.filter { $0.content == .hashes(level: 2) }.map(\.width) == [1])
        #expect(!tiles.contains { $0.content == .hashes(level: 3) })
        #expect(Array(Tile.all(forSize: 256)).map(\.path) == ["tile/entries/000", "tile/0/000", "tile/1/000.p/1"])
        #expect(Array(Tile.all(forSize: 0)).isEmpty)
        #expect(Array(Tile.all(forSize: -1)).isEmpty)
        #expect(Tile.all(forSize: Tree.maximumSize).first { _ in true }?.path == "tile/entries/000")
    }

    /// The specification's formula: the n-th tile at level l holds MTH(D[(n·256+i)·256^l : (n·256+i+1)·256^l]).
    @Test(arguments: [1, 2, 255, 256, 257, 511, 600, 66_000]) func everyHashIsInItsPlace(size: Int) throws {
        let leaves = numberedLeaves(size)
        let naive = NaiveTree(leaves)
        let stored = HashStore(leaves)
        for tile in Tile.all(forSize: Int64(size)) {
            guard case .hashes(let level) = tile.content else { continue }
            let span = 1 << (8 * level)
            #expect(tile.subtrees.count == tile.width)
            for (place, subtree) in tile.subtrees.enumerated() {
                let start = (Int(tile.index) * 256 + place) * span
                #expect(try stored(subtree) == naive.root(start..<(start + span)))
            }
        }
    }

    @Test func entriesInABundle() {
        #expect(Tile.bundle([[1, 2, 3], [], [4]]) == [0, 3, 1, 2, 3, 0, 0, 0, 1, 4])
        let long = [UInt8](repeating: 7, count: Leaf.maximumBytes)
        #expect(Tile.bundle([long]) == [0x80, 0] + long)
        #expect(Tile.bundle([[UInt8](repeating: 7, count: 65536)]) == nil)
        let last = Array(Tile.all(forSize: 700)).last { $0.content == .entries }
        #expect(last?.indexes == 512..<700)
    }
}
