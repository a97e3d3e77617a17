/// The declaration of one setting: its name, what it is for, its default and how its text becomes a value. All
/// declarations stand in ``SettingDeclarations``.
struct Setting<Value: Sendable>: Sendable {
    let facts: SettingFacts
    /// The value where the setting is not set or empty.
    let defaultValue: Value
    let parse: @Sendable (String) throws(InvalidValue) -> Value

    var name: String { facts.name }

    /// - Parameters:
    ///   - defaultText: the default as an operator writes it; nil where there is none or the service computes it.
    ///   - help: as config/env.example says it.
    ///   - parse: gets the text that is set, which is never empty.
    init(
        _ name: String, default defaultValue: Value, text defaultText: String? = nil, example: String? = nil, reloads: Bool = false,
        namesSecretFile: Bool = false, _ help: String, parse: @escaping @Sendable (String) throws(InvalidValue) -> Value
    ) {
        self.facts = SettingFacts(
            name: name, help: help, defaultText: defaultText, example: example, reloads: reloads, namesSecretFile: namesSecretFile)
        self.defaultValue = defaultValue
        self.parse = parse
    }
}

/// What holds for a setting before its value is read.
struct SettingFacts: Sendable {
    let name: String
    let help: String
    /// nil where there is no default, or the service computes it.
    let defaultText: String?
    /// What config/env.example shows instead of the default.
    let example: String?
    /// Whether SIGHUP takes a new value over (``Reloader``). Others need a restart.
    let reloads: Bool
    /// Whether the value names a file that GET /sync/log must never show.
    let namesSecretFile: Bool
}

/// A text that is no value of its setting.
struct InvalidValue: Error {
    /// Continues the sentence that the setting's name begins: `is "80 81", not a whole number`.
    let problem: String
    let fix: String

    init(_ problem: String, fix: String) {
        self.problem = problem
        self.fix = fix
    }
}
