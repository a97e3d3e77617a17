/// Ends the fuzzer with a finding where a promise is broken: the bytes that did it are kept by libFuzzer.
@inline(never)
func hold(_ promise: Bool, _ what: @autoclosure () -> String) {
    guard !promise else { return }
    fatalError("broken promise: \(what())")
}

/// The input as an array, which is what the code under test takes.
func array(_ data: UnsafePointer<UInt8>?, _ size: Int) -> [UInt8] {
    Array(UnsafeBufferPointer(start: data, count: size))
}
