import OpenSSL
import Testing

@Suite struct RandomTests {
    @Test func givesAsManyAsAsked() throws {
        #expect(try Random.bytes(0) == [])
        #expect(try Random.bytes(48).count == 48)
    }

    @Test func neverTheSameTwice() throws {
        #expect(try Random.bytes(32) != Random.bytes(32))
        #expect(try Random.bytes(32) != [UInt8](repeating: 0, count: 32))
    }

    @Test(arguments: [-1, Int.min, Int.max, Int(Int32.max) + 1])
    func refusesOtherCounts(count: Int) {
        #expect(throws: OpenSSLError.self) { try Random.bytes(count) }
    }
}
