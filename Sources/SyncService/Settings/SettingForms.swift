import Linux

/// The forms in which settings are written.
extension Setting where Value == String {
    /// Any text.
    static func text(_ name: String, default defaultValue: String, _ help: String) -> Self {
        Setting(name, default: defaultValue, text: defaultValue, help) { $0 }
    }

    /// An absolute path.
    static func path(_ name: String, default defaultValue: String, _ help: String) -> Self {
        Setting(name, default: defaultValue, text: defaultValue, help, parse: absolutePath)
    }
}

extension Setting where Value == String? {
    /// Any text; nil where the setting is not set.
    static func text(
        _ name: String, example: String? = nil, reloads: Bool = false, namesSecretFile: Bool = false, _ help: String
    ) -> Self {
        Setting(name, default: nil, example: example, reloads: reloads, namesSecretFile: namesSecretFile, help) { $0 }
    }

    /// An absolute path; nil where the setting is not set.
    static func path(
        _ name: String, example: String? = nil, reloads: Bool = false, namesSecretFile: Bool = false, _ help: String
    ) -> Self {
        Setting(
            name, default: nil, example: example, reloads: reloads, namesSecretFile: namesSecretFile, help,
            parse: { text throws(InvalidValue) in try absolutePath(text) })
    }
}

extension Setting where Value == [String] {
    /// Texts with commas between them; by default none.
    /// - Parameter check: throws where one of them is wrong.
    static func list(
        _ name: String, example: String? = nil, reloads: Bool = false, _ help: String,
        check: @escaping @Sendable (String) throws(InvalidValue) -> Void = { _ in }
    ) -> Self {
        Setting(name, default: [], example: example, reloads: reloads, help) { text throws(InvalidValue) in
            let elements = listElements(text)
            for element in elements { try check(element) }
            return elements
        }
    }
}

extension Setting where Value == Bool {
    /// `true` or `false`, which is the default.
    static func flag(_ name: String, _ help: String) -> Self {
        Setting(name, default: false, text: "false", help) { text throws(InvalidValue) in
            switch text {
            case "true": true
            case "false": false
            default: throw InvalidValue("is \"\(text)\"", fix: "set true or false")
            }
        }
    }
}

extension Setting where Value == Int64 {
    /// A whole number.
    static func integer(_ name: String, default defaultValue: Int64, in range: ClosedRange<Int64>, _ help: String) -> Self {
        Setting(name, default: defaultValue, text: String(defaultValue), help) { text throws(InvalidValue) in
            guard let number = Int64(text), range.contains(number) else {
                throw InvalidValue(
                    "is \"\(text)\", not a whole number from \(range.lowerBound) to \(range.upperBound)",
                    fix: "set a number in that range, or remove the line for the default of \(defaultValue)")
            }
            return number
        }
    }
}

extension Setting where Value: RawRepresentable & CaseIterable, Value.RawValue == String {
    /// One of the names of the cases.
    static func choice(_ name: String, default defaultValue: Value, _ help: String) -> Self {
        Setting(name, default: defaultValue, text: defaultValue.rawValue, help) { text throws(InvalidValue) in
            guard let value = Value(rawValue: text) else {
                throw InvalidValue("is \"\(text)\"", fix: "set one of \(Value.allCases.map(\.rawValue).joined(separator: ", "))")
            }
            return value
        }
    }
}

/// Without blanks around them, and without empty ones.
func listElements(_ text: String) -> [String] {
    text.split(separator: ",").map { String($0).trimmed() }.filter { !$0.isEmpty }
}

/// - Returns: the one spelling of the path, so that comparisons of folders hold.
@Sendable private func absolutePath(_ text: String) throws(InvalidValue) -> String {
    guard text.hasPrefix("/"), text.utf8.count < 4096, !text.unicodeScalars.contains(where: { $0.value < 0x20 }) else {
        throw InvalidValue("is \"\(text)\", not an absolute path", fix: "write the path from / on")
    }
    let parts = text.split(separator: "/").filter { $0 != "." }
    guard !parts.contains("..") else { throw InvalidValue("is \"\(text)\", with .. in it", fix: "write the path without ..") }
    return "/" + parts.joined(separator: "/")
}
