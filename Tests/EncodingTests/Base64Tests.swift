import Encoding
import Testing

@Suite struct Base64Tests {
    /// RFC 4648, section 10, without padding, and RFC 7515, appendix C.
    @Test(
        arguments: [
            ([], ""), (Array("f".utf8), "Zg"), (Array("fo".utf8), "Zm8"), (Array("foo".utf8), "Zm9v"),
            (Array("foob".utf8), "Zm9vYg"), (Array("fooba".utf8), "Zm9vYmE"), (Array("foobar".utf8), "Zm9vYmFy"),
            ([3, 236, 255, 224, 193], "A-z_4ME"), ([0xFB, 0xFF, 0xFE], "-__-"), ([0, 0, 0], "AAAA"),
        ] as [([UInt8], String)])
    func encodesAndDecodes(bytes: [UInt8], text: String) {
        #expect(Base64.url.encode(bytes) == text)
        #expect(Base64.url.decode(text.utf8) == bytes)
        #expect(Base64.url.decode(Array(text.utf8)) == bytes)
        #expect(Base64.url.decode(Substring(text).utf8) == bytes)
    }

    @Test(arguments: [
        "Zg==", "Zg=", "Zm8=", "=", "Zm9v=", "Zm9vYg ", " Zm9v", "Zm 9v", "Zm9v\n", "\tZm9v", "Zm9v\u{0}",
        "+z/4", "Zm9+", "Zm9/", "Zm9é", "Zm9\u{FF21}", "Zm.v", "Zm*v", "Zm@v", "Zm[v", "Zm`v", "Zm{v", "Zm:v",
        "Z", "Zm9vY", "A",
    ])
    func refusesForeignCharactersAndLengths(text: String) {
        #expect(Base64.url.decode(text.utf8) == nil)
    }

    @Test func refusesEveryOtherSpellingOfTheLastBits() {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
        // "Zg" leaves four bits, "Zm8" two.
        for (stem, count) in [("Z", 4), ("Zm", 16)] {
            let accepted = alphabet.filter { Base64.url.decode(Array(stem.utf8) + [$0]) != nil }
            #expect(accepted.count == count)
            for last in accepted {
                let text = Array(stem.utf8) + [last]
                #expect(Base64.url.decode(text).map { Array(Base64.url.encode($0).utf8) } == text)
            }
        }
    }

    @Test func everyByteSurvives() {
        for length in 0..<7 {
            for byte in UInt8.min...UInt8.max {
                let bytes = [UInt8](repeating: byte, count: length)
                #expect(Base64.url.decode(Base64.url.encode(bytes).utf8) == bytes)
            }
        }
    }
}
