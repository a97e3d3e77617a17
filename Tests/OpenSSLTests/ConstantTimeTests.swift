import OpenSSL
import Testing

@Suite struct ConstantTimeTests {
    @Test func findsADifferenceInEveryPlace() {
        let bytes: [UInt8] = Array(0..<32)
        #expect(ConstantTime.equal(bytes, Array(0..<32)))
        for index in bytes.indices {
            for bit in 0..<8 {
                var other = bytes
                other[index] ^= 1 << UInt8(bit)
                #expect(!ConstantTime.equal(bytes, other))
            }
        }
    }

    @Test func otherLengthsAreNotEqual() {
        #expect(!ConstantTime.equal([1, 2, 3], [1, 2]))
        #expect(!ConstantTime.equal([], [0]))
        #expect(ConstantTime.equal([], []))
    }
}
