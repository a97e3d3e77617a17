/// Why a text was not accepted as what it claims to be. Holds none of the text, so it may be logged.
package struct FormatError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What the text was to be.
    package enum Format: String, Sendable {
        case verifierKey = "verifier key"
        case note = "signed note"
        case checkpoint = "checkpoint"
        case receipt = "receipt"
    }

    package let format: Format
    /// What is wrong, in words that follow "the …".
    package let reason: String

    init(_ format: Format, _ reason: String) {
        self.format = format
        self.reason = reason
    }

    package var description: String { "not a \(format.rawValue): \(reason)" }
}
