/// Sizes and indexes as notes and proofs write them.
enum Decimal {
    /// - Returns: nil unless these are ASCII digits without leading zeros for a number that a tree can have.
    static func parse(_ digits: some Collection<UInt8>) -> Int64? {
        guard let first = digits.first, digits.count <= 19, first != UInt8(ascii: "0") || digits.count == 1 else {
            return nil
        }
        var number: Int64 = 0
        for digit in digits {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
            let (shifted, overflow) = number.multipliedReportingOverflow(by: 10)
            guard !overflow, shifted <= Tree.maximumSize else { return nil }
            number = shifted + Int64(digit - UInt8(ascii: "0"))
        }
        return number <= Tree.maximumSize ? number : nil
    }
}
