/// Why a text was not accepted as JSON, and where. Holds no byte of the text, so it may be logged.
package struct JSONError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What was wrong.
    package enum Reason: String, Sendable, CaseIterable {
        case tooLarge = "the text is larger than allowed"
        case tooDeep = "arrays and objects are nested deeper than allowed"
        case unexpectedEnd = "the text ends too early"
        case unexpectedByte = "this byte is not allowed here"
        case controlCharacter = "a control character in a string is not escaped"
        case invalidEscape = "the escape is not one of JSON's"
        case loneSurrogate = "half of a surrogate pair stands alone"
        case invalidUTF8 = "the string is not UTF-8"
        case invalidNumber = "the number is not one of JSON's"
        case duplicateName = "the object has this name already"
    }

    package let reason: Reason
    /// Bytes from the start of the text.
    package let offset: Int

    package var description: String { "not acceptable as JSON at byte \(offset): \(reason.rawValue)" }
}
