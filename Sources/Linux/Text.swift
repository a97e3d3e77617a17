extension String {
    /// The string without blanks, tabs and carriage returns at both ends.
    package func trimmed() -> String {
        let blank: (Unicode.Scalar) -> Bool = { $0 == " " || $0 == "\t" || $0 == "\r" }
        let scalars = unicodeScalars.drop(while: blank)
        guard let last = scalars.lastIndex(where: { !blank($0) }) else { return "" }
        return String(scalars[...last])
    }
}
