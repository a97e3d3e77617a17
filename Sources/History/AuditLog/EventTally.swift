import AuditLog
import JSON

/// A count of events of one kind and user, with the values that occurred in them.
package struct EventTally: Sendable {
    /// How many different values are listed. 1,000 numbers take about 20 KiB of an entry's 32.
    private static let maximumNumbers = 1000
    private static let maximumTexts = 32
    /// Longer texts are not words of ours and are not listed.
    private static let maximumTextBytes = 64

    private(set) var count: Int64 = 0
    /// Milliseconds since 1970 UTC.
    private var first: Int64 = 0
    private var last: Int64 = 0
    private var sources: Set<String> = []
    private var numbers: [String: Set<Int64>] = [:]
    private var texts: [String: Set<String>] = [:]
    /// How many events have a value that is not listed.
    private var more: Int64 = 0

    init() {}

    /// One event.
    init(at moment: Int64, from source: String?, _ fields: [JSONValue.Member]) {
        count = 1
        (first, last) = (moment, moment)
        if let source { sources = [source] }
        for field in fields { list(field.name, field.value) }
    }

    mutating func add(_ other: EventTally) {
        guard other.count > 0 else { return }
        first = count == 0 ? other.first : min(first, other.first)
        last = max(last, other.last)
        count += other.count
        more += other.more
        // Two are enough to know that there was more than one.
        if sources.count < 2 { sources.formUnion(other.sources) }
        for (name, values) in other.numbers { for value in values { list(name, .integer(value)) } }
        for (name, values) in other.texts { for value in values { list(name, .string(value)) } }
    }

    private mutating func list(_ name: String, _ value: JSONValue) {
        switch value {
        case .integer(let number):
            if numbers[name]?.contains(number) == true { return }
            guard numbers.values.reduce(0, { $0 + $1.count }) < Self.maximumNumbers else { return more += 1 }
            numbers[name, default: []].insert(number)
        case .string(let text):
            if texts[name]?.contains(text) == true { return }
            guard text.utf8.count <= Self.maximumTextBytes, texts[name, default: []].count < Self.maximumTexts else { return more += 1 }
            texts[name, default: []].insert(text)
        case .array(let values): for value in values { list(name, value) }
        default: break
        }
    }

    /// The one entry that stands for all.
    /// - Parameter network: the source where the events came from several addresses; nil: none.
    func summary(_ kind: Event, user: String?, network: String?) -> AuditEntry {
        AuditEntry(.summary(kind, self), by: Principal(user: user, sourceIP: sources.count == 1 ? sources.first : network))
    }

    var members: [EntryMember] {
        [
            .integer("count", count, "how many events"), .time("first", first, "when the first one happened"),
            .time("last", last, "when the last one happened"),
        ]
            + texts.map { .texts($0, $1.sorted(), "the texts that occurred") }
            + numbers.map { .integers($0, $1.sorted(), "the numbers that occurred") }
            + [.integerIfAny("more", more > 0 ? more : nil, "how many of the events have a value that is not listed")]
    }
}
