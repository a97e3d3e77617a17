import AuditLog
import JSON

/// The form of an entry: its kind and members, each with what the format page says of it. One declaration serves the writer
/// of the entry and the page.
package struct EntryForm: Sendable {
    package let kind: Event
    /// When the service writes such an entry, as a clause for the page.
    package let when: String
    package let members: [EntryMember]

    init(_ kind: Event, when: String, _ members: [EntryMember] = []) {
        self.kind = kind
        self.when = when
        self.members = members
    }
}

/// One member of an entry: its name, its value, and its explanation for the format page.
package struct EntryMember: Sendable {
    package let name: String
    /// nil where this entry does not have the member.
    package let value: JSONValue?
    /// What values the member has, for the page.
    package let type: String
    /// What the member says, for the page.
    package let meaning: String

    /// Whether this is one of a run's facts. The page only names these.
    package var isRunFact: Bool { meaning.isEmpty }

    private init(_ name: String, _ value: JSONValue?, _ type: String, _ meaning: String) {
        self.name = name
        self.value = value
        self.type = type
        self.meaning = meaning
    }

    static func text(_ name: String, _ value: String, _ meaning: String) -> EntryMember { .init(name, .string(value), "text", meaning) }

    static func textOrNull(_ name: String, _ value: String?, _ meaning: String) -> EntryMember {
        .init(name, .optional(value), "text or null", meaning)
    }

    /// A text that some entries of the kind do not have.
    static func textIfAny(_ name: String, _ value: String?, _ meaning: String) -> EntryMember {
        .init(name, value.map { .string($0) }, "text, may be missing", meaning)
    }

    static func texts(_ name: String, _ values: [String], _ meaning: String) -> EntryMember {
        .init(name, .array(values.map { .string($0) }), "array of texts", meaning)
    }

    static func textsIfAny(_ name: String, _ values: [String]?, _ meaning: String) -> EntryMember {
        .init(name, values.map { .array($0.map { .string($0) }) }, "array of texts, may be missing", meaning)
    }

    static func integers(_ name: String, _ values: [Int64], _ meaning: String) -> EntryMember {
        .init(name, .array(values.map { .integer($0) }), "array of integers", meaning)
    }

    static func integer(_ name: String, _ value: Int64, _ meaning: String) -> EntryMember {
        .init(name, .integer(value), "integer", meaning)
    }

    /// An integer that some entries of the kind do not have.
    static func integerIfAny(_ name: String, _ value: Int64?, _ meaning: String) -> EntryMember {
        .init(name, value.map { .integer($0) }, "integer, may be missing", meaning)
    }

    static func flag(_ name: String, _ value: Bool, _ meaning: String) -> EntryMember { .init(name, .bool(value), "true or false", meaning) }

    static func flagOrNull(_ name: String, _ value: Bool?, _ meaning: String) -> EntryMember {
        .init(name, .optional(value), "true, false or null", meaning)
    }

    /// - Parameter milliseconds: since 1970 UTC.
    static func time(_ name: String, _ milliseconds: Int64, _ meaning: String) -> EntryMember {
        .init(name, .string(Timestamp.text(milliseconds)), "time", meaning)
    }

    /// One of a few words. The page lists all of them.
    static func word<Word: RawRepresentable<String> & CaseIterable>(_ name: String, _ value: Word, _ meaning: String) -> EntryMember {
        .init(name, .string(value.rawValue), Word.allCases.map { "`\($0.rawValue)`" }.joined(separator: ", "), meaning)
    }

    /// A value of members of its own, which some entries of the kind do not have.
    static func objectIfAny(_ name: String, _ members: [JSONValue.Member]?, _ meaning: String) -> EntryMember {
        .init(name, members.map { .object($0) }, "object, may be missing", meaning)
    }

    /// The facts of a run under the names that they have in the table and the API.
    static func facts(_ members: [JSONValue.Member]) -> [EntryMember] { members.map { .init($0.name, $0.value, "", "") } }
}

extension AuditEvent {
    /// Which kind of entry records the event.
    package var kind: Event { form.kind }

    /// The members that the entry has because of the event, without those of the principal.
    package var members: [JSONValue.Member] {
        form.members.compactMap { member in member.value.map { JSONValue.Member(member.name, $0) } }
    }
}
