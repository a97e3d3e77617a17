/// The kernel's name for the time since the last boot.
package enum BootID {
    /// - Returns: nil where the kernel does not tell.
    package static func current() -> String? {
        guard let bytes = try? Files.read("/proc/sys/kernel/random/boot_id", limit: 64) else { return nil }
        return String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
    }
}
