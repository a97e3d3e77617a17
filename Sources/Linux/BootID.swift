/// The kernel's random identifier of this boot.
package enum BootID {
    /// - Returns: nil if the kernel does not tell it.
    package static func current() -> String? {
        guard let bytes = try? Files.read("/proc/sys/kernel/random/boot_id", limit: 64) else { return nil }
        return String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
    }
}
