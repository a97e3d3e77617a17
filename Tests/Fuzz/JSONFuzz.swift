import JSON

/// The JSON parser reads tokens, which come from anybody. What it accepts it must write and read again as the same.
@_cdecl("LLVMFuzzerTestOneInput")
package func fuzz(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    guard let value = try? JSONValue(parsing: array(data, size), maxBytes: 1 << 16, maxDepth: 300) else { return 0 }
    let written = value.encoded()
    guard let again = try? JSONValue(parsing: written, maxBytes: .max, maxDepth: 256) else {
        hold(false, "what it wrote it does not read: \(String(decoding: written, as: UTF8.self))")
        return 0
    }
    hold(again == value && again.encoded() == written, "another value after writing and reading")
    return 0
}
