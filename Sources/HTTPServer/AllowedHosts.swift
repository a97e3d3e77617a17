import Linux

/// The names that a request's Host may have.
///
/// An attacker's web page can let its own name point at 127.0.0.1, so that a browser sends requests here (DNS
/// rebinding). These carry the attacker's name in Host and are refused.
package struct AllowedHosts: Sendable {
    private let names: Set<String>

    /// - Parameter names: those beside `localhost`, 127.0.0.1 and ::1, without ports.
    package init(_ names: [String]) {
        self.names = Set((["localhost", "127.0.0.1", "::1"] + names).map { $0.lowercased() })
    }

    /// Checks a name of the setting ALLOWED_HOSTS. Ports are not compared, because another port does not give a page
    /// another name.
    /// - Returns: what to write instead of a name that no Host can match; nil for a good name.
    package static func fix(for name: String) -> String? {
        if name.hasPrefix("["), let end = name.firstIndex(of: "]") {
            return "write \(name[name.index(after: name.startIndex)..<end]), without brackets and port"
        }
        guard name.utf8.allSatisfy({ (0x21...0x7e).contains($0) && !"/*@?#[]".utf8.contains($0) }) else {
            return "list names or addresses without scheme, port and *; a name beyond ASCII in its xn-- form"
        }
        if name.contains(":"), IPAddress(name) == nil {
            let host = name.split(separator: ":", maxSplits: 1).first.map(String.init) ?? ""
            return name.hasPrefix(":") ? "write a name or an address in front of the port" : "write \(host): the port does not count"
        }
        return nil
    }

    /// - Parameter host: the value of Host, with or without a port.
    package func allow(_ host: String?) -> Bool {
        // HTTP/1.0 has no Host, and no browser uses it.
        guard let host else { return true }
        // ASCII only, because the lower case of some other letters is ASCII: that of the Kelvin sign is k.
        guard host.utf8.allSatisfy({ $0 < 0x80 }), let name = Self.name(host) else { return false }
        return names.contains(name) || names.contains(name.lowercased())
    }

    /// The name without port and brackets; nil if it is malformed.
    private static func name(_ host: String) -> String? {
        if host.hasPrefix("[") {
            guard let end = host.firstIndex(of: "]"), isPort(host[host.index(after: end)...]) else { return nil }
            return String(host[host.index(after: host.startIndex)..<end])
        }
        guard let colon = host.utf8.firstIndex(of: UInt8(ascii: ":")) else { return host }
        guard isPort(host[colon...]) else { return nil }
        return String(host[..<colon])
    }

    private static func isPort(_ text: Substring) -> Bool {
        text.isEmpty || text.first == ":" && text.utf8.count <= 6 && text.dropFirst().utf8.allSatisfy { (0x30...0x39).contains($0) }
    }
}
