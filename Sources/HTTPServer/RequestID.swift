import Encoding
import Synchronization

/// Names one request in log and history. It is no secret, but no two requests of a service have the same.
package struct RequestID: Sendable, CustomStringConvertible {
    private static let next = Atomic(UInt64.random(in: .min ... .max))

    private let number: UInt64

    package init() {
        // An odd step reaches every number once before one comes again. This one makes neighbours look different.
        number = Self.next.wrappingAdd(0x9e37_79b9_7f4a_7c15, ordering: .relaxed).newValue
    }

    /// 16 hex digits.
    package var description: String {
        Hex.text((0..<8).map { UInt8(truncatingIfNeeded: number >> (56 - 8 * $0)) })
    }
}
