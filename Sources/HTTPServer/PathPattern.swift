/// A route's path in the form in which it is compared with those of requests.
struct PathPattern: Sendable {
    private static let placeholder = "{id}"

    private let before: [UInt8]
    /// The part behind the number; nil for a path without a number.
    private let after: [UInt8]?

    init(_ path: String) {
        let placeholder = path.firstRange(of: Self.placeholder)
        before = Array(path[..<(placeholder?.lowerBound ?? path.endIndex)].utf8)
        after = placeholder.map { Array(path[$0.upperBound...].utf8) }
    }

    /// - Returns: the number in the place of `{id}`, or 0 without one; nil if the path does not match.
    func match(_ path: String) -> Int64? {
        let path = path.utf8
        guard path.starts(with: before) else { return nil }
        var rest = path.dropFirst(before.count)
        guard let after else { return rest.isEmpty ? 0 : nil }
        // Each number has one spelling, without sign and leading zeros.
        guard let first = rest.first, (UInt8(ascii: "1")...UInt8(ascii: "9")).contains(first) else { return nil }
        var id: Int64 = 0
        while let digit = rest.first, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) {
            let (tens, isTooLarge) = id.multipliedReportingOverflow(by: 10)
            let (sum, isBeyond) = tens.addingReportingOverflow(Int64(digit - UInt8(ascii: "0")))
            guard !isTooLarge, !isBeyond else { return nil }
            id = sum
            rest.removeFirst()
        }
        return rest.elementsEqual(after) ? id : nil
    }
}
