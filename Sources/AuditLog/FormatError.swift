/// Why a text was not accepted as what it claims to be. Holds none of the text, so it may be logged.
public struct FormatError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What the text was to be.
    public enum Format: String, Sendable {
        case verifierKey = "verifier key"
        case note = "signed note"
        case checkpoint = "checkpoint"
        case receipt = "receipt"
    }

    public let format: Format
    /// What is wrong, in words that follow "the …".
    public let reason: String

    init(_ format: Format, _ reason: String) {
        self.format = format
        self.reason = reason
    }

    public var description: String { "not a \(format.rawValue): \(reason)" }
}
